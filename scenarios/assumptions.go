package scenarios

import (
	"math"
	"reflect"
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel"
)

// Assumption is one number that a run rests on.
type Assumption struct {
	Key    string // as in a scenario file, such as "destination[0].fail[1].p"
	Of     string // the server, destination or campaign that it belongs to; empty: all
	Value  string // with its unit; a distribution with its parameters
	Status string // Measured, Derived, Assumed or ByAuthor
	Source string // who measured it, what it follows from, why it is assumed

	value reflect.Value
	field field
}

// How sure a number is. A value that equals the default has the status of the
// default, whoever wrote it down.
const (
	Measured = "measured" // published as it stands
	Derived  = "derived"  // follows from a measurement, a standard, a vendor's default or the patent application
	Assumed  = "assumed"  // nobody measured it
	ByAuthor = "scenario" // the scenario's author chose it
)

// origin says where a default comes from.
type origin struct{ key, status, source string }

// origins has every number of a scenario, in the order of the file format; []
// stands for any index. What is not here is a name, an order or a live run's
// speed: schema_version, seed, time_scale, reply codes and expectations.
var origins = []origin{
	{"horizon", Derived, "RFC 5321 4.5.4.1: give up after 4 or 5 days"},

	{"governor.target", Derived, "Table 1"},
	{"governor.interval", Derived, "Table 1"},
	{"governor.start", Assumed, "the patent application names none"},
	{"governor.max", Assumed, "no limit"},
	{"governor.factor", Derived, "Table 1: 24 processes a day"},
	{"governor.d", Derived, "no explicit step: [0067] gives it"},
	{"governor.pi.proportional", Assumed, "no error is left for it while the rate follows within the interval"},
	{"governor.pi.integral", Derived, "Skogestad 2003, SIMC: a process that is all delay, here of one interval"},
	{"governor.pi.weight", Derived, "Astrom and Hagglund: 0 to 1"},
	{"governor.aimd.backoff", Derived, "Netflix AIMDLimit"},
	{"governor.aimd.timeout", Derived, "Netflix AIMDLimit"},
	{"governor.aimd.drops", Assumed, "the library has none: its sample is one request"},
	{"governor.aimd.min", Derived, "Netflix AIMDLimit"},
	{"governor.aimd.max", Derived, "Netflix AIMDLimit"},
	{"governor.gradient2.tolerance", Derived, "Netflix Gradient2Limit"},
	{"governor.gradient2.smoothing", Derived, "Netflix Gradient2Limit"},
	{"governor.gradient2.queue", Derived, "Netflix Gradient2Limit"},
	{"governor.gradient2.window", Derived, "Netflix Gradient2Limit"},
	{"governor.gradient2.min", Derived, "Netflix Gradient2Limit"},
	{"governor.gradient2.max", Derived, "Netflix Gradient2Limit"},
	{"governor.corr_vegas.baseline", Derived, "failsafe-go"},
	{"governor.corr_vegas.correlation", Derived, "failsafe-go"},
	{"governor.corr_vegas.max_factor", Derived, "failsafe-go"},
	{"governor.corr_vegas.min", Derived, "failsafe-go"},
	{"governor.corr_vegas.max", Derived, "failsafe-go"},
	{"governor.destination.initial", Derived, "Postfix initial_destination_concurrency"},
	{"governor.destination.max", Derived, "Postfix default_destination_concurrency_limit"},
	{"governor.destination.positive", Derived, "Postfix default_destination_concurrency_positive_feedback"},
	{"governor.destination.negative", Derived, "Postfix default_destination_concurrency_negative_feedback"},
	{"governor.destination.cohorts", Derived, "Postfix default_destination_concurrency_failed_cohort_limit"},
	{"governor.destination.revive", Derived, "Postfix minimal_backoff_time"},
	{"governor.destination.parked", Derived, "Postfix qmgr_message_active_limit, qmgr_message_recipient_limit"},
	{"governor.destination.aimd.backoff", Derived, "Netflix AIMDLimit"},
	{"governor.destination.aimd.timeout", Derived, "Netflix AIMDLimit"},
	{"governor.destination.aimd.drops", Assumed, "the library has none: its sample is one request"},
	{"governor.destination.aimd.min", Derived, "Postfix: the limit of a destination that is not dead"},
	{"governor.destination.aimd.max", Derived, "Postfix default_destination_concurrency_limit"},
	{"governor.change[].at", ByAuthor, ""},
	{"governor.change[].target", ByAuthor, ""},
	{"governor.change[].over", ByAuthor, ""},
	{"governor.fault[].interval", ByAuthor, ""},
	{"retry.limit", Derived, "[0073]: from ten to five"},
	{"retry.low", Derived, "[0073]: from ten to five"},
	{"retry.load_above", Derived, "[0073]: C itself; [0077]: over 100 %"},
	{"retry.load_below", Derived, "[0073], [0077]: 80 %"},
	{"retry.processes", Derived, "[0073]: C is the first limit"},
	{"retry.dfr_above", Derived, "[0074]: seven"},
	{"retry.dfr_below", Derived, "[0074]: four"},
	{"retry.late", Assumed, "half of the list"},
	{"retry.table[].allocated", ByAuthor, ""},
	{"retry.table[].dfr", ByAuthor, ""},
	{"retry.table[].limit", ByAuthor, ""},
	{"retry.min_attempts", Assumed, "then 1/DFR is known to 0.03"},
	{"retry.loss", Assumed, "half a point"},
	{"retry.probe", Assumed, "they cost a twentieth of what is saved"},
	{"retry.memory", Assumed, "longer than most schedules, so that all tries of a recipient are seen"},
	{"retry.dwell", Assumed, "the limit may move at the end of every interval"},
	{"retry.restore_after", Derived, "[0073], [0077]: only below the second value"},
	{"retry.max_age", Derived, "[0071]: the number of resends alone"},
	{"retry.delays", Derived, "RFC 5321 4.5.4.1: at least 30 minutes, two tries in the first hour, then every 2 or 3 hours"},
	{"retry.greylist_delay", Derived, "[0071]: failures are not told apart"},
	{"freeing.shorten", Derived, "[0070]: freed"},

	{"message.size", Assumed, "median campaign"},

	{"dialogue.messages_per_connection", Derived, "KumoMTA shaping default"},
	{"dialogue.timeouts.dns", Assumed, "resolver timeout 5 s, two tries"},
	{"dialogue.timeouts.connect", Derived, "Postfix smtp_connect_timeout"},
	{"dialogue.timeouts.banner", Derived, "RFC 5321 4.5.3.2.1"},
	{"dialogue.timeouts.command", Derived, "RFC 5321 4.5.3.2.2, 4.5.3.2.3"},
	{"dialogue.timeouts.data", Derived, "RFC 5321 4.5.3.2.4"},
	{"dialogue.timeouts.dot", Derived, "RFC 5321 4.5.3.2.6"},

	{"network.dns.hit_ratio", Assumed, "TTL 300-3600 s at bulk rates"},
	{"network.dns.hit", Assumed, "local resolver"},
	{"network.dns.miss", Derived, "Brandhorst & Pras: mean 152 ms, 90 % within 275 ms"},
	{"network.dns.servfail", Assumed, "0.5 % of uncached look-ups"},
	{"network.dns.drift[].at", ByAuthor, ""},
	{"network.dns.drift[].factor", ByAuthor, ""},
	{"network.dns.drift[].over", ByAuthor, ""},
	{"network.hops.mean", Derived, "Fei et al.: 90 % of US hosts within 18 hops"},
	{"network.hops.sd", Derived, "Fei et al.: 90 % of US hosts within 18 hops"},
	{"network.hops.min", Derived, "Fei et al.: 90 % of US hosts within 18 hops"},
	{"network.hops.max", Derived, "Fei et al.: 90 % of US hosts within 18 hops"},
	{"network.per_hop", Measured, "Fei et al.: hops do not predict delay"},
	{"network.hop_loss", Assumed, "a clean path"},
	{"network.retransmit_after", Derived, "RFC 6298 2.1"},
	{"network.retransmissions", Assumed, "about a minute of silence"},
	{"network.down[].from", ByAuthor, ""},
	{"network.down[].for", ByAuthor, ""},
	{"network.drift[].at", ByAuthor, ""},
	{"network.drift[].factor", ByAuthor, ""},
	{"network.drift[].hops", ByAuthor, ""},
	{"network.drift[].over", ByAuthor, ""},

	{"server[].extra_rtt", Assumed, "stands where the round-trip times were measured"},
	{"server[].extra_hops", Assumed, "stands where the hops were counted"},
	{"server[].contention", Assumed, "no fit for an MTA was found: it never slows down"},
	{"server[].coherency", Assumed, "no fit for an MTA was found: it never slows down"},
	{"server[].share", Assumed, "equal parts"},
	{"server[].down[].from", ByAuthor, ""},
	{"server[].down[].for", ByAuthor, ""},

	{"destination[].share", Assumed, "equal parts"},
	{"destination[].rtt", Derived, "Fei et al.: 90 % of US hosts within 153 ms; PlanetLab: Gamma fits best"},
	{"destination[].banner", Assumed, "not calibrated"},
	{"destination[].rcpt", Assumed, "not calibrated"},
	{"destination[].dot", Assumed, "not calibrated"},
	{"destination[].cap", Assumed, "no cap"},
	{"destination[].messages_per_connection", Derived, "as dialogue.messages_per_connection"},
	{"destination[].greylist.share", Assumed, "no greylisting"},
	{"destination[].greylist.delay", Derived, "Postgrey default 300 s; RFC 6647"},
	{"destination[].greylist.whitelist_after", ByAuthor, ""},
	{"destination[].greylist.whitelist_for", Derived, "Postgrey --max-age: 35 days"},
	{"destination[].dead", Assumed, "every address exists"},
	{"destination[].dead[].share", ByAuthor, ""},
	{"destination[].fail", Assumed, "the receiver never fails"},
	{"destination[].fail[].p", ByAuthor, ""},
	{"destination[].recent", Assumed, "no provider tells over what time it looks back"},
	{"destination[].bucket.rate", ByAuthor, ""},
	{"destination[].bucket.burst", Assumed, "no provider tells"},
	{"destination[].throttle.soft", ByAuthor, ""},
	{"destination[].throttle.hard", ByAuthor, ""},
	{"destination[].reputation.per_refusal", ByAuthor, ""},
	{"destination[].reputation.per_dead", ByAuthor, ""},
	{"destination[].reputation.heals", Assumed, "no provider tells"},
	{"destination[].tarpit.soft", ByAuthor, ""},
	{"destination[].tarpit.hard", ByAuthor, ""},
	{"destination[].tarpit.delay", ByAuthor, ""},
	{"destination[].tarpit.per_point", ByAuthor, ""},
	{"destination[].tarpit.most", Assumed, "well below the client's patience of 5 min"},
	{"destination[].knee.connections", ByAuthor, ""},
	{"destination[].knee.slope", Derived, "closed queue: above saturation the time of each grows with their number"},
	{"destination[].outage.up", ByAuthor, ""},
	{"destination[].outage.down", ByAuthor, ""},
	{"destination[].down[].from", ByAuthor, ""},
	{"destination[].down[].for", ByAuthor, ""},
	{"destination[].daily.amplitude", ByAuthor, ""},
	{"destination[].daily.peak", Assumed, "early afternoon"},
	{"destination[].drift[].at", ByAuthor, ""},
	{"destination[].drift[].factor", ByAuthor, ""},
	{"destination[].drift[].over", ByAuthor, ""},
	{"destination[].weather.sigma", ByAuthor, ""},
	{"destination[].weather.period", Assumed, "not calibrated"},
	{"destination[].weather.correlation", Assumed, "periods without memory"},

	{"campaign[].recipients", ByAuthor, ""},
	{"campaign[].start", Assumed, "at once"},
	{"campaign[].processes", Assumed, "three times what Table 1 needs at 1000 messages per hour and process"},
	{"campaign[].subset", Assumed, "[0031] names no length"},
	{"campaign[].priority", Assumed, "none is more important"},
}

func originOf(key string) (origin, bool) {
	for _, o := range origins {
		if o.key == key {
			return o, true
		}
	}
	return origin{}, false
}

// Assumptions lists every number that the scenario rests on, in the order of
// the file format, and how sure it is.
func (s *Scenario) Assumptions() []Assumption {
	l := assumptionList{scenario: s}
	l.table(reflect.ValueOf(*s), reflect.ValueOf(Default()), "", "", "")
	return l.all
}

type assumptionList struct {
	scenario *Scenario
	all      []Assumption
}

// table adds the numbers of a struct whose defaults are in def. It stands at
// path in the file, at key in origins, and belongs to of.
func (l *assumptionList) table(v, def reflect.Value, path, key, of string) {
	for _, f := range fieldsOf(v.Type()) {
		value, path, key := v.Field(f.index), below(path, f.name), below(key, f.name)
		if idle(v, f) {
			continue
		}
		o, known := originOf(key)
		known = known && l.counts(key)
		switch {
		case f.typ.Kind() == reflect.Struct && !isText(f.typ):
			l.table(value, def.Field(f.index), path, key, of)
		case f.typ.Kind() == reflect.Slice && f.typ.Elem().Kind() == reflect.Struct:
			for i := range value.Len() {
				element, of := value.Index(i), of
				if name := element.FieldByName("Name"); name.IsValid() {
					of = name.String()
				}
				l.table(element, newElement(element.Type()), conf.Index(path, i), key+"[]", of)
			}
			if known && value.Len() == 0 {
				l.all = append(l.all, Assumption{Key: path, Of: of, Value: "none", Status: o.status, Source: o.source})
			}
		case known:
			a := Assumption{Key: path, Of: of, Value: inWords(value), Status: o.status, Source: o.source, value: value, field: f}
			if o.status == ByAuthor {
				a.Source = "chosen" + replyOf(v)
			} else if usual := def.Field(f.index); !reflect.DeepEqual(value.Interface(), usual.Interface()) {
				a.Status = ByAuthor
				a.Source = "instead of " + inWords(usual) + ", which is " + o.status + ": " + o.source
			}
			l.all = append(l.all, a)
		}
	}
}

// counts reports whether a number has a meaning in this scenario: of the two
// ways to name a step one is idle, and who is alone has no share.
func (l *assumptionList) counts(key string) bool {
	switch key {
	case "governor.max":
		return l.scenario.Governor.Max > 0
	case "governor.d":
		return l.scenario.Governor.StepMode == "explicit"
	case "governor.factor":
		return l.scenario.Governor.StepMode != "explicit"
	case "retry.processes":
		return l.scenario.Retry.Processes > 0
	case "campaign[].priority":
		return l.scenario.Freeing.Victim == "lowest-priority"
	case "server[].share":
		return len(l.scenario.Servers) > 1
	case "destination[].share":
		return len(l.scenario.Destinations) > 1
	}
	return true
}

// replyOf says which failure a probability is that of.
func replyOf(v reflect.Value) string {
	switch f := v.Interface().(type) {
	case netmodel.Dead:
		return ": " + strconv.Itoa(f.Reply) + " at " + f.At
	case netmodel.Fail:
		if f.Fault != "" {
			return ": " + f.Fault + " at " + f.At
		}
		return ": " + strconv.Itoa(f.Reply) + " at " + f.At
	}
	return ""
}

// inWords writes a number for people: a distribution without its punctuation.
func inWords(v reflect.Value) string {
	switch n := v.Interface().(type) {
	case []vt.Span:
		var all []string
		for _, d := range n {
			all = append(all, d.String())
		}
		return list(all)
	case int:
		return strconv.Itoa(n)
	case float64:
		return strconv.FormatFloat(n, 'g', -1, 64)
	case netmodel.Dist:
		if n.Dist == "constant" {
			return n.Mean.String()
		}
		words := n.Dist
		for _, f := range fieldsOf(v.Type())[1:] {
			if p := v.Field(f.index); !p.IsZero() {
				words += " " + f.name + " " + inWords(p)
			}
		}
		return words
	}
	return v.Interface().(interface{ String() string }).String()
}

// InDoubt reports whether an answer may hang on a number that nobody has
// measured: all that is assumed, and of the world (message, network, servers,
// destinations) also what is derived or the author's. What the operator
// chooses, such as the target, the retries and the list, is not in doubt.
func (a Assumption) InDoubt() bool {
	part, _, _ := strings.Cut(a.Key, ".")
	part, _, _ = strings.Cut(part, "[")
	switch part {
	case "message", "network", "server", "destination":
		return a.Status != Measured
	}
	return a.Status == Assumed
}

// Scaled is the entry of --set that multiplies the number, kept within its
// range: a probability ends at 1. Of a distribution the mean, median, least
// and greatest value or scale is multiplied and the shape kept. It is empty
// where that changes nothing, as with 0.
func (a Assumption) Scaled(factor float64) string {
	value := ""
	switch n := a.scaled(factor).(type) {
	case nil:
		return ""
	case netmodel.Dist:
		if value = n.Mean.String(); n.Dist != "constant" {
			value = string(plainDist(n).(inline))
		}
	default:
		value = inWords(reflect.ValueOf(n))
	}
	return a.Key + "=" + value
}

// ScaledNumber is the Number that Scaled gives.
func (a Assumption) ScaledNumber(factor float64) string {
	if n := a.scaled(factor); n != nil {
		return number(reflect.ValueOf(n))
	}
	return ""
}

// Number is the part of the value that Scaled multiplies.
func (a Assumption) Number() string {
	if !a.value.IsValid() {
		return a.Value
	}
	return number(a.value)
}

func number(v reflect.Value) string {
	d, ok := v.Interface().(netmodel.Dist)
	if !ok {
		return inWords(v)
	}
	if d.Dist == "uniform" {
		return d.Min.String() + " to " + d.Max.String()
	}
	return (d.Mean + d.Median + d.Min + d.Scale).String() // each family has one of them
}

// scaled is the new value, nil if it is the old one.
func (a Assumption) scaled(factor float64) any {
	if !a.value.IsValid() { // a list without an entry
		return nil
	}
	clamped := func(v float64) float64 {
		if a.field.low != "" {
			low, high := a.field.bounds()
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
	case netmodel.Dist:
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

// With is the scenario with entries of --set laid over it. The error is of
// type Problems.
func (s *Scenario) With(set ...string) (*Scenario, error) {
	return Load(s.Name, Resolved(s), set)
}
