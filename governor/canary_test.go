package governor_test

import (
	"testing"

	"flyball/governor"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// A canary governs with what is tried until its deliveries are made or a guard fails in one interval, and then for good
// with what was before. It goes on in the same way from a saved state.
func TestCanaryReturns(t *testing.T) {
	build := func() governor.Keeper {
		t.Helper()
		of := func(start float64) governor.Config {
			c := governor.Default()
			c.Law, c.Start, c.D = "hold", start, 0
			return c
		}
		g, err := governor.NewCanary(of(5), governor.Canary{Before: of(40), Deliveries: 300, Bounces: 0.1,
			Deferrals: 0.2, Attempts: 50})
		if err != nil {
			t.Fatal(err)
		}
		return g.(governor.Keeper)
	}
	type interval struct{ delivered, attempts, bounces, deferrals uint64 }
	good := interval{100, 120, 12, 8}
	for what, v := range map[string]struct {
		of   []interval
		over int // interval that ends it; -1: none
		flag governor.Flags
	}{
		"its share":               {[]interval{good, good, good, good}, 2, governor.CanaryOver},
		"not yet":                 {[]interval{good, good, {99, 100, 0, 0}}, -1, 0},
		"bounces":                 {[]interval{good, {100, 120, 13, 0}, good}, 1, governor.GuardFailed},
		"deferrals":               {[]interval{{100, 120, 0, 25}, good}, 0, governor.GuardFailed},
		"at the guards":           {[]interval{{100, 120, 12, 24}, {50, 60, 0, 0}}, -1, 0},
		"too few to be judged":    {[]interval{{10, 49, 39, 0}, good}, -1, 0},
		"a guard at the end":      {[]interval{good, good, {100, 200, 100, 0}}, 2, governor.GuardFailed},
		"nothing is no failure":   {[]interval{{}, {}, {}}, -1, 0},
		"later ones do not count": {[]interval{good, good, good, {0, 100, 100, 0}, good}, 2, governor.CanaryOver},
	} {
		g := build()
		for i, n := range v.of {
			again := build() // from the saved state
			saved := snap.Writer()
			g.State(saved)
			again.State(snap.Reader(saved.Data()))
			g = again
			d := g.Decide(governor.Sample{Span: vt.Hour, TargetRate: 100, Delivered: n.delivered, Attempts: n.attempts,
				Bounces: n.bounces, Deferrals: n.deferrals, Allocated: 5})
			want, flag := 5.0, governor.Flags(0)
			if v.over >= 0 && i >= v.over {
				want = 40
			}
			if i == v.over {
				flag = v.flag
			}
			got := d.Flags & (governor.CanaryOver | governor.GuardFailed)
			if d.Available != want || g.Available() != want || got != flag {
				t.Errorf("%s: interval %d: C is %g and %g with %q, want %g with %q", what, i, d.Available,
					g.Available(), got, want, flag)
			}
		}
	}
	bad := governor.Default()
	bad.Start = -1
	if _, err := governor.NewCanary(governor.Default(), governor.Canary{Before: bad}); err == nil {
		t.Error("what a canary returns to is not valid, and it begins")
	}
}
