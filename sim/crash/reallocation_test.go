package crash

import (
	"testing"

	"flyball/internal/longtest"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/sim/crash/scope"
)

// One of five servers dies for good, at a random time of a mailing of ten minutes. All mail is final, and the mailing
// ends within 5 % of what a plan needs that knows of the death: five servers work until the death and four after it, so
// what is left of the time that all five need, T, takes 5 / 4 as long:
//
//	end = death + (T - death) x 5 / 4
//	T = recipients x time of an attempt / processes of all servers
func TestDeadServerCostsLittleMore(t *testing.T) {
	cfg := scope.Small()
	cfg.Servers, cfg.Processes, cfg.Recipients, cfg.Window, cfg.Batch = 5, 2, 3260, 1000, 1000
	cfg.Deferred, cfg.Refused, cfg.Returned, cfg.Requests = 0, 0, 0, 0
	cfg.Open, cfg.Horizon = 1200*vt.Millisecond, 3*vt.Hour
	attempt := cfg.Open*3/2 + cfg.Accept + cfg.Answer
	all := vt.Span(cfg.Recipients) * attempt / vt.Span(cfg.Servers*cfg.Processes)
	worst, sum, runs := 0.0, 0.0, longtest.Or(15, 1000)
	for n := range runs {
		luck := rng.New(11, 0).At(uint64(n), 0, 1)
		death := vt.Span(float64(all) * float64(luck[0]) / (1 << 32))
		victim := 1 + int(rng.Below(luck[1], uint32(cfg.Servers)))
		cfg.Seed = uint64(n)
		r := New(cfg, scope.Case{Crashes: []scope.Crash{{Time: vt.Time(death), Victim: victim, Model: scope.PowerMin,
			Down: 2 * vt.Hour}}}).Run()
		if r.Violation != "" || r.Missed > 0 {
			t.Fatalf("run %d, death of %s at %v: %s, %d missed", n, cfg.HostName(victim), death, r.Violation, r.Missed)
		}
		end := death + (all-death)*5/4
		more := float64(r.Reported)/float64(end) - 1
		if sum += more; more > worst {
			worst = more
		}
		if more > 0.05 {
			t.Errorf("run %d, death of %s at %v: the end is at %v, want %v and at most 5 %% more", n,
				cfg.HostName(victim), death, vt.Span(r.Reported), end)
		}
	}
	t.Logf("%d runs of %v: %.2f %% more on average, %.2f %% at most", runs, all, 100*sum/float64(runs), 100*worst)
}
