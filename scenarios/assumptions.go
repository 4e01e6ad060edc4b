package scenarios

import (
	"math"
	"reflect"
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/tomlfile"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// Assumption is one number that the result of a run depends on.
type Assumption struct {
	Key    string // as in a scenario file, such as "destination[0].fail[1].p"
	Of     string // name of the server, destination or campaign that it belongs to; empty: all
	Value  string // with its unit; a distribution with its parameters
	Status string // Measured, Derived, Assumed or ByAuthor
	Source string // where it was measured, what it follows from, or why it is assumed

	value reflect.Value
	field conf.Key
}

// Statuses of a number, by how certain it is. A value that equals the default
// has the status of the default, even if the file gives it.
const (
	Measured = "measured" // published as it stands
	Derived  = "derived"  // follows from a measurement, a standard, a vendor's default or the patent application
	Assumed  = "assumed"  // without a measurement
	ByAuthor = "scenario" // the scenario's author chose it
)

// Assumptions lists every number that the scenario depends on, with its status
// and source, in the order of the file format.
func (s *Scenario) Assumptions() []Assumption {
	l := assumptionList{scenario: s}
	l.table(reflect.ValueOf(*s), reflect.ValueOf(Default()), "", "", "")
	return l.all
}

type assumptionList struct {
	scenario *Scenario
	all      []Assumption
}

// table adds the numbers of v, a struct whose defaults are in def. Path is its
// place in the file, key is path without indices, and of is the name of the
// server, destination or campaign that it belongs to.
func (l *assumptionList) table(v, def reflect.Value, path, key, of string) {
	for _, f := range keys.Of(v.Type()) {
		value, path, key := v.Field(f.Index), conf.Below(path, f.Name), conf.Below(key, f.Name)
		if f.Idle(v) {
			continue
		}
		known := f.Status != "" && l.counts(key)
		switch {
		case f.Type.Kind() == reflect.Struct && !tomlfile.IsText(f.Type):
			l.table(value, def.Field(f.Index), path, key, of)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			for i := range value.Len() {
				element, of := value.Index(i), of
				if name := element.FieldByName("Name"); name.IsValid() {
					of = name.String()
				}
				l.table(element, format.Element(element.Type()), conf.Index(path, i), key+"[]", of)
			}
			if known && value.Len() == 0 {
				l.all = append(l.all, Assumption{Key: path, Of: of, Value: "none", Status: f.Status, Source: f.Source})
			}
		case known:
			a := Assumption{Key: path, Of: of, Value: inWords(value), Status: f.Status, Source: f.Source, value: value,
				field: f}
			if f.Status == ByAuthor {
				a.Source = "chosen" + replyOf(v)
			} else if usual := def.Field(f.Index); !reflect.DeepEqual(value.Interface(), usual.Interface()) {
				a.Status = ByAuthor
				a.Source = "instead of " + inWords(usual) + ", which is " + f.Status + ": " + f.Source
			}
			l.all = append(l.all, a)
		}
	}
}

// counts reports whether the key has an effect in this scenario. One of the two
// ways to give a step is unused, and a single server or destination has no share.
func (l *assumptionList) counts(key string) bool {
	switch key {
	case "bus.delay", "bus.loss", "bus.repeat", "disk.commit", "requests.push":
		return l.scenario.Dispatch.Sends()
	case "returns.hard", "returns.soft":
		return l.scenario.returns()
	case "governor.d":
		return l.scenario.Governor.StepMode == "explicit"
	case "governor.factor":
		return l.scenario.Governor.StepMode != "explicit"
	case "campaign[].priority":
		return l.scenario.Freeing.Victim == "lowest-priority"
	case "server[].share":
		return len(l.scenario.Servers) > 1
	case "destination[].share":
		return len(l.scenario.Destinations) > 1
	}
	return true
}

// replyOf describes the failure that a probability belongs to.
func replyOf(v reflect.Value) string {
	switch f := v.Interface().(type) {
	case config.Dead:
		return ": " + strconv.Itoa(f.Reply) + " at " + f.At
	case config.Fail:
		if f.Fault != "" {
			return ": " + f.Fault + " at " + f.At
		}
		return ": " + strconv.Itoa(f.Reply) + " at " + f.At
	}
	return ""
}

// inWords formats a number for readers: a distribution without its punctuation.
func inWords(v reflect.Value) string {
	switch n := v.Interface().(type) {
	case []vt.Span:
		var all []string
		for _, d := range n {
			all = append(all, d.String())
		}
		return strings.Join(all, ", ")
	case int:
		return strconv.Itoa(n)
	case float64:
		return strconv.FormatFloat(n, 'g', -1, 64)
	case delay.Dist:
		if n.Dist == "constant" {
			return n.Mean.String()
		}
		words := n.Dist
		for _, f := range keys.Of(v.Type())[1:] {
			if p := v.Field(f.Index); !p.IsZero() {
				words += " " + f.Name + " " + inWords(p)
			}
		}
		return words
	}
	return v.Interface().(interface{ String() string }).String()
}

// InDoubt reports whether the number is uncertain. Every assumed number is. A
// number of the message, the network, a server or a destination is uncertain
// unless it was measured. The operator's choices, such as the target, the
// retries and the list, are not.
func (a Assumption) InDoubt() bool {
	part, _, _ := strings.Cut(a.Key, ".")
	part, _, _ = strings.Cut(part, "[")
	switch part {
	case "message", "network", "server", "destination":
		return a.Status != Measured
	}
	return a.Status == Assumed
}

// Scaled returns the entry of --set that multiplies the number by factor. The
// result is clamped to the key's range, so a probability is at most 1. For a
// distribution, the mean, median, minimum, maximum and scale are multiplied and
// the shape stays. It returns "" if the number does not change, as 0 does not.
func (a Assumption) Scaled(factor float64) string {
	value := ""
	switch n := a.scaled(factor).(type) {
	case nil:
		return ""
	case delay.Dist:
		value = format.Inline(n)
	default:
		value = inWords(reflect.ValueOf(n))
	}
	return a.Key + "=" + value
}

// ScaledNumber returns the Number of the value that Scaled sets, or "".
func (a Assumption) ScaledNumber(factor float64) string {
	if n := a.scaled(factor); n != nil {
		return number(reflect.ValueOf(n))
	}
	return ""
}

// Number returns the part of the value that Scaled multiplies.
func (a Assumption) Number() string {
	if !a.value.IsValid() {
		return a.Value
	}
	return number(a.value)
}

func number(v reflect.Value) string {
	d, ok := v.Interface().(delay.Dist)
	if !ok {
		return inWords(v)
	}
	if d.Dist == "uniform" {
		return d.Min.String() + " to " + d.Max.String()
	}
	return (d.Mean + d.Median + d.Min + d.Scale).String() // each family has one of them
}

// scaled returns the value multiplied by factor, or nil if it does not change.
func (a Assumption) scaled(factor float64) any {
	if !a.value.IsValid() { // a list without an entry
		return nil
	}
	clamped := func(v float64) float64 {
		if a.field.Low != "" {
			low, high := a.field.Bounds()
			v = min(max(v, low), high)
		}
		return v
	}
	span := func(d vt.Span) vt.Span { return vt.Span(math.Round(float64(d) * factor)) }
	var scaled any
	switch n := a.value.Interface().(type) {
	case int:
		scaled = int(clamped(math.Round(float64(n) * factor)))
	case float64:
		scaled = clamped(n * factor)
	case vt.Span:
		scaled = span(n)
	case unit.Bytes:
		scaled = unit.Bytes(math.Round(float64(n) * factor))
	case unit.PerHour:
		scaled = unit.PerHour(float64(n) * factor)
	case delay.Dist:
		n.Mean, n.Median, n.Min, n.Max, n.Scale = span(n.Mean), span(n.Median), span(n.Min), span(n.Max), span(n.Scale)
		scaled = n
	default:
		return nil
	}
	if reflect.DeepEqual(scaled, a.value.Interface()) {
		return nil
	}
	return scaled
}
