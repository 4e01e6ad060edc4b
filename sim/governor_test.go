package sim

import (
	"math"
	"testing"

	"flyball/internal/vt"
	"flyball/netmodel/delay"
	"flyball/scenarios"
)

// plant is a server whose N processes deliver X(N) = N x E(N) messages an hour,
// E(N) = lambda / (1 + sigma (N-1) + kappa N (N-1)).
type plant struct{ lambda, sigma, kappa float64 }

func (p plant) rate(n float64) float64 {
	return n * p.lambda / (1 + p.sigma*(n-1) + p.kappa*n*(n-1))
}

var (
	plantA = plant{1000, 0, 0}
	plantB = plant{1200, 0.001, 4e-6} // X(N) = 140,000 at N = 142.61 and 1751.24, and is greatest at 500
	peaked = plant{1000, 0.002, 1e-5} // at most 120,362 an hour, at N = 316
)

// slower is the factor by which everything is slower, including the target: the
// trajectory stays the same with fewer attempts.
const slower = 20

// governed is a plant under the governor of Table 1, with a target of 140,000
// an hour, made slower. Its messages take a constant time, so what the
// simulator adds is contention.
func governed(p plant, law string, start, d float64, horizon vt.Span) *scenarios.Scenario {
	s := plain(int(horizon.Hours()*160000/slower) + 1000)
	s.Horizon = horizon
	g := &s.Governor
	g.Law, g.Start, g.StepMode, g.D, g.Target = law, start, "explicit", d, 140000/slower
	s.Campaigns[0].Processes, s.Campaigns[0].Subset = 2000, 1
	s.Servers[0].Contention, s.Servers[0].Coherency = p.sigma, p.kappa
	took := vt.Span(math.Round(slower * float64(vt.Hour) / p.lambda))
	s.Destinations[0].RTT, s.Destinations[0].Dot = delay.Constant(0), delay.Constant(took)
	s.Dialogue.Timeouts.Dot = vt.Hour
	return s
}

// trajectory returns C after each interval. It checks that every interval's rate
// equals X of its processes, up to the messages under way at the interval's ends,
// one per process, and within 1 %.
func trajectory(t *testing.T, s *scenarios.Scenario, p plant) (c []float64) {
	t.Helper()
	r := run(t, s)
	for _, i := range r.Record().Intervals {
		if i.Partial {
			continue
		}
		if i.Draining {
			t.Fatalf("interval %d: the list is too short", i.Number)
		}
		n := math.Floor(i.Decision.Previous)
		// Where C falls, surplus processes first finish their attempts ([0070]).
		if p := i.Sample.Allocated; p < n || p > n+0.1 {
			t.Fatalf("interval %d: %g processes on average, want %g", i.Number, i.Sample.Allocated, n)
		}
		want := p.rate(n) / slower
		if off := i.Decision.Rate/want - 1; math.Abs(off) > 0.01 && i.Number > 0 {
			t.Errorf("interval %d, %g processes: %.1f an hour, want %.1f: %.2f %% off", i.Number, n, i.Decision.Rate,
				want, 100*off)
		}
		c = append(c, i.Decision.Available)
	}
	return c
}

// settled returns the number of intervals after which C stays within 2 % of goal.
func settled(c []float64, goal float64) int {
	for i := len(c) - 1; i >= 0; i-- {
		if math.Abs(c[i]/goal-1) > 0.02 {
			return i + 2
		}
	}
	return 0
}

// The published oracles of the law: settling to 2 % from 40 and from above, on
// a plant without contention and on one with. In the simulator processes are
// whole and messages finish when they do; it may differ by one interval.
func TestGovernorSettlesAsPredicted(t *testing.T) {
	for _, v := range []struct {
		name     string
		p        plant
		start, d float64
		goal     float64
		want     int
	}{
		{"A from 40, d=3", plantA, 40, 3, 140, 33},
		{"A from 40, d=8", plantA, 40, 8, 140, 13},
		{"B from 40, d=3", plantB, 40, 3, 142.612888, 34},
		{"B from 40, d=8", plantB, 40, 8, 142.612888, 13},
		{"B from 250, d=8", plantB, 250, 8, 142.612888, 14},
	} {
		laws := []string{"patent-damped", "patent-dynamic"} // at P = C they are one law
		if v.d < 8 {
			laws = laws[:1] // enough for the long ones
		}
		for _, law := range laws {
			t.Run(v.name+", "+law, func(t *testing.T) {
				c := trajectory(t, governed(v.p, law, v.start, v.d, vt.Span(v.want+4)*3*vt.Hour), v.p)
				if got := settled(c, v.goal); got < v.want-1 || got > v.want+1 {
					t.Errorf("settles in %d intervals, want %d +- 1: %.4g", got, v.want, c)
				}
			})
		}
	}
}

// With a target above the greatest throughput the law adds d for ever, and beyond
// the peak the server becomes slower: C = 260 and 440 after 20 and 80 intervals,
// at 118,646 and 115,498 messages an hour.
func TestGovernorRunsAway(t *testing.T) {
	s := governed(peaked, "patent-damped", 200, 3, 82*3*vt.Hour)
	r := run(t, s)
	for _, v := range []struct {
		after int
		c     float64
		rate  float64
	}{{20, 260, 118646}, {80, 440, 115498}} {
		before, next := r.Record().Intervals[v.after-1], r.Record().Intervals[v.after]
		if before.Decision.Available != v.c {
			t.Errorf("after %d intervals C = %g, want %g", v.after, before.Decision.Available, v.c)
		}
		if off := next.Decision.Rate*slower/v.rate - 1; math.Abs(off) > 0.01 {
			t.Errorf("at C = %g: %.0f an hour, want %.0f", v.c, next.Decision.Rate*slower, v.rate)
		}
	}
}

// Table 2 "as printed" divides the average by S once more: with S = 3 h it
// settles at a third of the target.
func TestGovernorAsPrintedSettlesAtAThird(t *testing.T) {
	s := governed(plantB, "patent-damped", 60, 8, 15*3*vt.Hour)
	s.Governor.Allocated = "as-printed"
	r := run(t, s)
	last := r.Record().Intervals[13]
	if off := last.Decision.Rate*slower*3/140000 - 1; math.Abs(off) > 0.03 { // whole processes: 40 of 40.68
		t.Errorf("settles at %.0f an hour, want %d: C = %g", last.Decision.Rate*slower, 140000/3,
			last.Decision.Available)
	}
}
