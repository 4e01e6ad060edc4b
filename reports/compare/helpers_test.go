package compare

import (
	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// observed is what an ensemble keeps of that replication.
func observed(number, short int, rates ...[]float64) ensemble.Observation {
	return ensemble.Observe(fold(handmade.Rated(number, short, rates...),
		handmade.Expect("settling_intervals_5pct", "<=", 5)))
}

func gathered(s *scenarios.Scenario, runs ...ensemble.Observation) *ensemble.Report {
	return ensemble.Gather(s, runs, ensemble.Asked{Replications: len(runs)}, runlog.Host{Wall: vt.Second},
		"flyball run hand-made --seed 42 --replications 20")
}

func fold(r *runlog.Run, e ...measure.Expectation) *run.Report {
	return run.Fold(r, e, "flyball run hand-made --seed 42")
}
