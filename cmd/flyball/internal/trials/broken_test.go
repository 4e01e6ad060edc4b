package trials

import (
	"testing"

	"flyball/cmd/flyball/internal/task"
	"flyball/scenarios/suite"
	"flyball/sim"
)

// caught returns what BrokenRun makes of a broken invariant in run n.
func caught(t *testing.T, n uint64, describe func(sim.Broken) (where, replay string)) (b task.Broken) {
	t.Helper()
	defer func() {
		b, _ = recover().(task.Broken)
		if b.Value != "time fell" || string(b.Stack) != "stack" {
			t.Errorf("got %+v, want the value and the stack of the run", b)
		}
	}()
	defer task.BrokenRun(describe)
	panic(sim.Broken{Replication: n, Where: "virtual time 3m0s, event 12", Value: "time fell", Stack: []byte("stack")})
}

// A broken invariant names the replication that it broke in.
func TestBrokenReplication(t *testing.T) {
	from := task.Source{Arg: "x.toml", Set: []string{"a=b"}}
	got := caught(t, 7, alone(&from, &task.Recipients{File: "people.csv"}, 42))
	if want := "replication 7, virtual time 3m0s, event 12"; got.Where != want {
		t.Errorf("got place %q, want %q", got.Where, want)
	}
	if want := "flyball run x.toml --set a=b --seed 42 --replication 7 --list people.csv"; got.Replay != want {
		t.Errorf("got replay %q, want %q", got.Replay, want)
	}
}

// A broken invariant names the run of the trial that it broke in, with the draws
// that it had, in a question that is not refused.
func TestBrokenTrial(t *testing.T) {
	law := suite.Law{Name: "pi,pi.integral=0.3"}
	trials := []suite.Experiment{
		{Disturbance: suite.All()[0], Noise: 0.05, Law: law},
		{Disturbance: suite.All()[0], Noise: 0, Law: suite.Law{Name: "peak"}, Probe: true},
	}
	base := suite.All()[0].Base()
	q := Laws{Seed: "42", Replications: 10}
	for n, want := range map[uint64]string{
		7: "flyball laws --half all --noise 5% --replications 8 --scenario " + base +
			" --law pi,pi.integral=0.3 --seed 42",
		10: "flyball laws --half all --noise 0% --replications 2 --scenario " + base + " --law hold --seed 42",
	} {
		if got := caught(t, n, q.broken(trials)); got.Replay != want {
			t.Errorf("run %d: got replay %q, want %q", n, got.Replay, want)
		}
	}
	if err := (&Laws{Half: "all", Noise: []string{"0%"}, Laws: []string{"hold"}, Seed: "42", Replications: 2,
		Workers: 1}).Validate(); err != nil {
		t.Error("the command is refused:", err)
	}
}
