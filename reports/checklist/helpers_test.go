package checklist

import (
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

func fold(r *runlog.Run, e ...measure.Expectation) *run.Report {
	return run.Fold(r, e, "flyball run hand-made --seed 42")
}
