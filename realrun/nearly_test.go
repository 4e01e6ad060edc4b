package realrun

import (
	"testing"

	"flyball/governor"
)

// fixed is a governor whose C never changes.
type fixed float64

func (f fixed) Available() float64 { return float64(f) }
func (f fixed) Decide(governor.Sample) governor.Decision {
	return governor.Decision{Available: float64(f)}
}

// A C that is a hair below a whole number does not lose a process, and one that is not keeps its fraction.
func TestNearlyWhole(t *testing.T) {
	for c, want := range map[float64]float64{33.99996: 34, 34: 34, 33.9995: 34, 33.99: 33.99, 33.5: 33.5,
		34.0004: 34.0004, 1: 1} {
		g := nearly(fixed(c))
		if got, next := g.Available(), g.Decide(governor.Sample{}).Available; got != want || next != want {
			t.Errorf("C = %v: got %v, and %v after a decision, want %v", c, got, next, want)
		}
	}
}
