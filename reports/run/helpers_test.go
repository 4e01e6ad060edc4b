package run

import (
	"flyball/reports/runlog"
	"flyball/scenarios"
)

func fold(r *runlog.Run, e ...scenarios.Expectation) *Report {
	return Fold(r, e, "flyball run hand-made --seed 42")
}
