package laws

import (
	"math"

	"flyball/reports/ensemble"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

func near(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

// observed is what an ensemble keeps of that replication.
func observed(number, short int, rates ...[]float64) ensemble.Observation {
	return ensemble.Observe(fold(handmade.Rated(number, short, rates...), handmade.Expect("settling_intervals_5pct", "<=", 5)))
}

func fold(r *runlog.Run, e ...measure.Expectation) *run.Report {
	return run.Fold(r, e, "flyball run hand-made --seed 42")
}
