package measure

import (
	"fmt"
	"math"

	"flyball/internal/stats"
	"flyball/reports/format"
)

// Confidence of every interval of an ensemble.
const Confidence = 0.95

// Estimate is a number with its confidence interval. A bound that the runs do not
// determine is missing.
type Estimate struct {
	Value format.Num `json:"value"`
	Low   format.Num `json:"low"`
	High  format.Num `json:"high"`
	Level float64    `json:"level"` // confidence
	N     int        `json:"n"`     // number of replications
	// Warnings are reasons to doubt the estimate.
	Warnings []string `json:"warnings,omitempty"`
}

// Estimated returns an interval of internal/stats as an Estimate.
func Estimated(i stats.Interval) Estimate {
	return Estimate{format.Num(i.Value), format.Num(i.Low), format.Num(i.High), i.Level, i.N, i.Warnings}
}

// Words returns the estimate in a unit, with its interval in brackets if it has one.
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

// Spread reports whether the bounds are known and differ by more than rounding errors:
// the mean of equal values may differ from that value in the last bit.
func (x Estimate) Spread() bool {
	low, high := float64(x.Low), float64(x.High)
	return x.Low.Known() && x.High.Known() && high-low > 1e-12*max(math.Abs(low), math.Abs(high))
}

// Writer returns a function that writes numbers with as many digits as two digits of the
// half width of the estimate. More digits would have no meaning.
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

// Interval returns the bounds in words.
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

// HalfWidth returns the half width of the interval; missing without an interval.
func HalfWidth(e Estimate) format.Num {
	if !e.Low.Known() || !e.High.Known() {
		return format.Missing
	}
	return format.Num(math.Abs(float64(e.High-e.Low)) / 2)
}
