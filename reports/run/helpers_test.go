package run

import (
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

func fold(r *runlog.Run, e ...measure.Expectation) *Report {
	return Fold(r, e, "flyball run hand-made --seed 42")
}
