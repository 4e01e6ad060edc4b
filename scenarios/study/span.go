package study

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/unit"
	"flyball/internal/vt"
)

// span is a range between two quantities of the same kind.
type span struct {
	kind     kind
	from, to float64 // in the kind's own unit
	log      bool
}

type kind uint8

const (
	whole  kind = iota // numbers written without a point
	number             // any other numbers
	times              // ns
	rates              // per hour
	sizes              // bytes
)

// newSpan returns the span between two quantities, such as 2 and 64, "10m" and
// "3h", or "100000/h" and "200000/h". Scale is "linear" or "log".
func newSpan(from, to Value, scale string) (span, error) {
	a, first, ok1 := quantity(from)
	b, second, ok2 := quantity(to)
	switch {
	case from == "" || to == "":
		return span{}, fmt.Errorf("got from %q to %q, want both", from, to)
	case !ok1 || !ok2:
		return span{}, fmt.Errorf("got from %q to %q, want numbers, times, rates or sizes", from, to)
	case first == whole && second == number || first == number && second == whole:
		first, second = number, number
	}
	s := span{first, a, b, scale == "log"}
	switch {
	case first != second:
		return span{}, fmt.Errorf("got from %q to %q, want two of the same kind", from, to)
	case a == b:
		return span{}, fmt.Errorf("got from %s to %s, want two that differ", from, to)
	case s.log && (a <= 0 || b <= 0):
		return span{}, fmt.Errorf("got from %s to %s with scale = \"log\", want more than 0", from, to)
	}
	return s, nil
}

// quantity parses v as a number, time, rate or size; false if it is none.
func quantity(v Value) (float64, kind, bool) {
	text := string(v)
	plain := strings.ReplaceAll(text, "_", "")
	if n, err := strconv.ParseInt(plain, 10, 64); err == nil {
		return float64(n), whole, true
	}
	if x, err := strconv.ParseFloat(plain, 64); err == nil && !math.IsNaN(x) && !math.IsInf(x, 0) {
		return x, number, true
	}
	if d, err := vt.ParseSpan(text); err == nil {
		return float64(d), times, true
	}
	if r, err := unit.ParsePerHour(text); err == nil {
		return float64(r), rates, true
	}
	if b, err := unit.ParseBytes(text); err == nil {
		return float64(b), sizes, true
	}
	return 0, 0, false
}

// values returns n values at equal distances (of logarithms, if log), including
// both ends.
func (s span) values(n int) []Value {
	all := make([]Value, n)
	for i := range all {
		all[i] = s.at(float64(i) / float64(n-1))
	}
	return all
}

// at returns the value at share, 0 to 1, of the way from one end to the other.
// Between the ends it is rounded to six digits, so that it is readable and does
// not depend on the last bit of a logarithm, which differs by processor.
func (s span) at(share float64) Value {
	var x float64
	switch {
	case share == 0:
		return s.write(s.from)
	case share == 1:
		return s.write(s.to)
	case s.log:
		a, b := math.Log(s.from), math.Log(s.to)
		x = math.Exp(a + float64(share*(b-a)))
	default:
		x = s.from + float64(share*(s.to-s.from))
	}
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	return s.write(x)
}

func (s span) write(x float64) Value {
	switch s.kind {
	case whole:
		return Value(strconv.FormatFloat(math.Round(x), 'f', 0, 64))
	case times:
		return Value(vt.Span(math.Round(x)).String())
	case rates:
		return Value(unit.PerHour(x).String())
	case sizes:
		return Value(unit.Bytes(math.Round(x)).String())
	}
	text := strconv.FormatFloat(x, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return Value(text)
}

// hint returns how to get more values out of a span, or "".
func (s span) hint() string {
	if s.kind == whole {
		return ": both ends are written without a point, so that all values are whole"
	}
	return ""
}

// Spread returns up to n values from one quantity to another of the same kind, such as
// "1" and "500" or "10000/h" and "200000/h", at equal ratios but for their rounding to
// three digits; equal values stand once. The first is the lower one.
func Spread(from, to Value, n int) ([]string, error) {
	s, err := newSpan(from, to, "log")
	if err != nil {
		return nil, err
	}
	if s.from > s.to {
		s.from, s.to = s.to, s.from
	}
	var all []string
	for i, v := range s.values(n) {
		if i > 0 && i < n-1 {
			x, _, _ := quantity(v)
			x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
			v = s.write(x)
		}
		if len(all) == 0 || all[len(all)-1] != string(v) {
			all = append(all, string(v))
		}
	}
	return all, nil
}

// Among returns values, which Spread has made, with the quantity own in its place, and
// that place. A quantity of another kind takes the last place.
func Among(values []string, own string) ([]string, int) {
	x, _, ok := quantity(Value(own))
	at := len(values)
	for i, v := range values {
		y, _, _ := quantity(Value(v))
		if ok && y >= x {
			at = i
			break
		}
	}
	if at < len(values) {
		if y, _, _ := quantity(Value(values[at])); y == x {
			return values, at
		}
	}
	return slices.Insert(slices.Clone(values), at, own), at
}

// Between returns all whole numbers from one value to another, nil if one of them is
// fractional or they are more than a thousand apart.
func Between(from, to string) (all []string) {
	a, err := strconv.Atoi(from)
	b, wrong := strconv.Atoi(to)
	if err != nil || wrong != nil || b-a > 1000 {
		return nil
	}
	for n := a; n <= b; n++ {
		all = append(all, strconv.Itoa(n))
	}
	return all
}
