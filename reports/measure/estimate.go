package measure

import (
	"fmt"
	"math"

	"flyball/internal/stats"
	"flyball/reports/format"
)

// Confidence of every interval of an ensemble.
const Confidence = 0.95

// Estimate is a number with the interval that it is believed to lie in. A bound
// that the runs do not give is missing.
type Estimate struct {
	Value format.Num `json:"value"`
	Low   format.Num `json:"low"`
	High  format.Num `json:"high"`
	Level float64    `json:"level"` // confidence
	N     int        `json:"n"`     // replications that it rests on
	// What speaks against believing it.
	Warnings []string `json:"warnings,omitempty"`
}

// Estimated returns an interval of internal/stats as it is shown.
func Estimated(i stats.Interval) Estimate {
	return Estimate{format.Num(i.Value), format.Num(i.Low), format.Num(i.High), i.Level, i.N, i.Warnings}
}

// Words are an estimate in some unit with its interval in brackets, if it has
// one.
func (x Estimate) Words(unit string) string {
	write := x.Writer()
	if !x.Value.Known() {
		return "undefined"
	}
	if !x.Low.Known() || !x.High.Known() || !x.Spread() {
		return write(x.Value) + unit
	}
	return fmt.Sprintf("%s%s (%s to %s)", write(x.Value), unit, write(x.Low), write(x.High))
}

// Spread reports whether the bounds are known and differ by more than rounding
// does: a mean of equal values is not always that value to the last bit.
func (x Estimate) Spread() bool {
	low, high := float64(x.Low), float64(x.High)
	return x.Low.Known() && x.High.Known() && high-low > 1e-12*max(math.Abs(low), math.Abs(high))
}

// Writer writes numbers to two digits of the half width of an estimate: more
// would say nothing.
func (x Estimate) Writer() func(format.Num) string {
	half := float64(x.High-x.Low) / 2
	decimals := -1
	if x.Spread() {
		decimals = min(max(1-int(math.Floor(math.Log10(half))), 0), 9)
	}
	return func(n format.Num) string {
		switch {
		case !n.Known():
			return "-"
		case decimals < 0:
			return format.Figure(float64(n))
		}
		return format.Grouped(float64(n), decimals)
	}
}

// Interval writes the bounds alone.
func (x Estimate) Interval() string {
	switch write := x.Writer(); {
	case !x.Low.Known() || !x.High.Known():
		return "-"
	case !x.Spread():
		return "no spread"
	default:
		return write(x.Low) + " to " + write(x.High)
	}
}

// HalfWidth of the interval; missing where there is none.
func HalfWidth(e Estimate) format.Num {
	if !e.Low.Known() || !e.High.Known() {
		return format.Missing
	}
	return format.Num(math.Abs(float64(e.High-e.Low)) / 2)
}
