package ensemble

import (
	"flyball/reports/folder"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

func extra() run.Extra {
	return run.Extra{ScenarioTOML: []byte("name = \"x\"\n"), ResolvedTOML: []byte("# all\n"), Log: []byte("{}\n"),
		More: []folder.File{{Path: "rejects.csv", Data: []byte("email,reason\n")}}}
}

func fold(r *runlog.Run, e ...measure.Expectation) *run.Report {
	return run.Fold(r, e, "flyball run hand-made --seed 42")
}
