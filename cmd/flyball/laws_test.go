package main

import (
	"bytes"
	"strings"
	"testing"

	"flyball/reports/laws"
	"flyball/scenarios"
	"flyball/sim"
)

// A broken invariant names the run that it broke in, with the luck that it had.
func TestBrokenTrial(t *testing.T) {
	law := scenarios.Law{Name: "pi,pi.integral=0.3"}
	trials := []laws.Experiment{
		{Disturbance: scenarios.Disturbances()[0], Noise: 0.05, Law: law},
		{Disturbance: scenarios.Disturbances()[0], Noise: 0, Law: scenarios.Law{Name: "peak"}, Probe: true},
	}
	base := scenarios.Disturbances()[0].Base()
	for run, want := range map[uint64]string{
		7:  "replay with: flyball laws --half all --noise 5% --replications 8 --scenario " + base + " --law pi,pi.integral=0.3 --seed 42",
		10: "replay with: flyball laws --half all --noise 0% --replications 2 --scenario " + base + " --law hold --seed 42",
	} {
		var errout bytes.Buffer
		a := &app{errout: &errout}
		func() {
			defer func() { a.reportBug(recover()) }()
			defer a.brokenTrial(&lawsTried{seed: "42"}, trials, 10)
			panic(sim.Broken{Replication: run, Where: "virtual time 3m0s, event 12", Value: "time fell"})
		}()
		for _, want := range []string{"internal error: time fell", "at virtual time 3m0s, event 12", want + "\n"} {
			if !strings.Contains(errout.String(), want) {
				t.Errorf("no %q in\n%s", want, errout.String())
			}
		}
	}
	if _, _, _, err := (&lawsTried{half: "all", noise: []string{"0%"}, laws: []string{"hold"}, seed: "42", replications: 2, jobs: 1}).chosen(); err != nil {
		t.Error("the command is refused:", err)
	}
}
