package laws

import (
	"flyball/reports/ensemble"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

// observed is what an ensemble keeps of that replication.
func observed(number, short int, rates ...[]float64) ensemble.Observation {
	return ensemble.Observe(fold(handmade.Rated(number, short, rates...),
		handmade.Expect("settling_intervals_5pct", "<=", 5)))
}

func fold(r *runlog.Run, e ...measure.Expectation) *run.Report {
	return run.Fold(r, e, "flyball run hand-made --seed 42")
}
