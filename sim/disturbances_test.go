package sim

import (
	"fmt"
	"math"
	"testing"

	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/suite"
)

func disturbance(t *testing.T, name string, set ...string) *scenarios.Scenario {
	t.Helper()
	src, ok := scenarios.Builtin(name)
	if !ok {
		t.Fatalf("no %s", name)
	}
	s, err := scenarios.Load(name, src, append([]string{"governor.law=hold"}, set...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// meanRate returns the mean rate of the intervals of a run without the first.
func meanRate(t *testing.T, s *scenarios.Scenario) float64 {
	t.Helper()
	w, err := New(s, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	var run runlog.Run
	w.Record().Fold(&run, uint64(s.Recipients()), 0)
	var delivered, hours float64
	for _, i := range run.Intervals {
		if i.Number > 0 && i.Server == 0 && !i.Partial {
			delivered += float64(i.Sample.Delivered)
			hours += i.Sample.Span.Hours()
		}
	}
	return delivered / hours
}

// A disturbance shows its effect only if the server is well before it: with the
// processes that the server starts with, it delivers the target.
func TestDisturbancesBeginAtTheirTarget(t *testing.T) {
	off := map[string]string{
		"setpoint-cold-low": "begins low", "setpoint-cold-high": "begins high",
		"demand-surge": "begins low, and nobody wants more",
		"peak-near":    "begins low", "peak-above": "begins low", "peak-past": "begins beyond the peak",
		"peak-plateau":      "begins low",
		"receiver-distrust": "begins low", "receiver-bucket": "begins low",
		"receiver-cap": "half of the list is capped", "receiver-dead": "attempts per success rise",
		"receiver-retries": "attempts per success rise", "receiver-greylist": "begins with a storm",
		"cycle-15": "begins at night", "cycle-30": "begins at night", "cycle-step": "begins at night",
	}
	for _, d := range suite.All() {
		if off[d.Base()] != "" {
			continue
		}
		s := disturbance(t, d.Name)
		s.Horizon = 8 * s.Governor.Interval
		if got, want := meanRate(t, s), float64(s.Governor.Target); !(math.Abs(got-want) <= 0.05*want) {
			t.Errorf("%s: holds %.0f/h, target %.0f/h", d.Name, got, want)
		}
	}
}

// The server of the peak family delivers most with the 316 processes of the
// formula sqrt((1 - sigma) / kappa), less with fewer and with more, and the
// targets lie where the scenarios say.
func TestPeaksAreWhereTheFormulaSays(t *testing.T) {
	rate := func(n int) float64 {
		s := disturbance(t, "disturbances/peak-near", fmt.Sprintf("governor.start=%d", n))
		s.Horizon = 8 * s.Governor.Interval
		return meanRate(t, s)
	}
	most := rate(316)
	for _, n := range []int{220, 450} {
		if r := rate(n); !(r < 0.98*most) {
			t.Errorf("%d processes deliver %.0f/h, 316 %.0f/h: want less", n, r, most)
		}
	}
	for name, want := range map[string][2]float64{"peak-near": {0.93, 0.97}, "peak-above": {1.1, 1.15},
		"peak-past": {0.8, 0.95}, "peak-lower": {0.8, 0.95}} {
		if share := float64(disturbance(t, "disturbances/"+name).Governor.Target) / most; share < want[0] ||
			share > want[1] {
			t.Errorf("the target of %s is %.3f of the peak, want %g to %g", name, share, want[0], want[1])
		}
	}
	past := disturbance(t, "disturbances/peak-past")
	past.Horizon = 8 * past.Governor.Interval
	if r := meanRate(t, past); !(r < float64(past.Governor.Target)) {
		t.Errorf("peak-past delivers %.0f/h to begin with, want less than its target: there the law of the patent "+
			"adds processes", r)
	}
}
