package checklist

import (
	"math"

	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

func fold(r *runlog.Run, e ...measure.Expectation) *run.Report {
	return run.Fold(r, e, "flyball run hand-made --seed 42")
}

func sideOf(set, number string, value float64) run.Side {
	return run.Side{Set: set, Number: number, Value: format.Num(value), Digest: "0123456789abcdef"}
}

// worked is a sensitivity around 12, given in the order of the file format. By
// luck alone it is 12 or 13, so that 11 to 14 may be luck.
func worked() *run.Sensitivity {
	inf := math.Inf(1)
	return run.NewSensitivity("settling_intervals_5pct", 12, []float64{13, 12, 13}, []run.Sensitive{
		{Key: "governor.start", Status: "assumed", Number: "40", Low: sideOf("governor.start=20", "20", 15),
			High: sideOf("governor.start=80", "80", 7)},
		{Key: "message.size", Status: "assumed", Number: "45kB", Low: sideOf("message.size=22500B", "22500B", 12),
			High: sideOf("message.size=90kB", "90kB", 12)},
		{Key: "network.hop_loss", Status: "assumed", Number: "0"},
		{Key: "network.dns.hit_ratio", Status: "assumed", Number: "0.9",
			Low: sideOf("network.dns.hit_ratio=0.45", "0.45", 14), High: sideOf("network.dns.hit_ratio=1", "1", 12)},
		{Key: "destination[0].dot", Of: "big", Status: "scenario", Number: "2.9s",
			Low: sideOf("destination[0].dot=1.45s", "1.45s", 6), High: sideOf("destination[0].dot=5.8s", "5.8s", inf)},
		{Key: "destination[0].cap", Of: "big", Status: "scenario", Number: "1",
			High: sideOf("destination[0].cap=2", "2", 7)},
		{Key: "destination[0].fail", Of: "big", Status: "assumed", Number: "none"},
	})
}
