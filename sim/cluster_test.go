package sim

import (
	"fmt"
	"math"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// One governor for two servers ends with fewer processes than two governors,
// because it gives more of them to the better server: shares in proportion to
// the efficiencies, which here do not depend on the processes.
func TestOneGovernor(t *testing.T) {
	text, _ := scenarios.Builtin("one-governor")
	processes := func(set ...string) (near, far, rate float64) {
		s, err := scenarios.Load("one-governor", text, append(set, "campaign[0].recipients=700000"))
		if err != nil {
			t.Fatal(err)
		}
		w := run(t, s)
		const n = 8 // settled, and both have work
		for _, i := range w.Record().Intervals {
			switch {
			case i.Number != n:
			case i.Server == 0:
				near = i.Sample.Allocated
				rate += float64(i.Sample.Delivered) / i.Sample.Span.Hours()
			case i.Server == 1:
				far = i.Sample.Allocated
				rate += float64(i.Sample.Delivered) / i.Sample.Span.Hours()
			}
		}
		if math.Abs(rate/140000-1) > 0.02 {
			t.Errorf("%v: %v messages an hour, want 140000", set, rate)
		}
		return near, far, rate
	}
	near, far, _ := processes()
	apartNear, apartFar, _ := processes("governor.scope=server")
	// With a target each, processes are as the attempt times; so are the parts of one C, the other way round.
	slower := apartFar / apartNear
	if ratio := near / far; math.Abs(ratio-slower) > 0.05 {
		t.Errorf("parts %v and %v: a ratio of %v, want %v", near, far, ratio, slower)
	}
	// 2T (e1 + e2) / (e1^2 + e2^2) against T / e1 + T / e2.
	want := 2 * slower / (slower*slower + 1)
	if got := (near + far) / (apartNear + apartFar); math.Abs(got-want) > 0.01 {
		t.Errorf("%v processes instead of %v: a ratio of %v, want %v", near+far, apartNear+apartFar, got, want)
	}
}

// A cluster of one server behaves like the server.
func TestClusterOfOne(t *testing.T) {
	for _, policy := range []string{"fixed", "dfr"} {
		s := eventful(20000)
		s.Servers = s.Servers[:1]
		s.Governor.Start = 20 // whole: a part is
		s.Retry.Policy = policy
		s.Retry.MinAttempts, s.Retry.DFRAbove, s.Retry.DFRBelow, s.Retry.Low = 10, 1.2, 1.1, 0
		alone := run(t, s)
		s.Governor.Scope = "cluster"
		if policy == "dfr" {
			s.Retry.Scope = "cluster"
		}
		ours := run(t, s)
		rows, of := alone.Record().Intervals, 0
		for _, i := range ours.Record().Intervals {
			if i.Server != 1 {
				continue
			}
			i.Server = 0
			want := rows[of]
			want.Forecast = runlog.Forecast{} // a server's alone
			if fmt.Sprint(i) != fmt.Sprint(want) {
				t.Fatalf("%s: got\n%+v, alone\n%+v", policy, i, want)
			}
			of++
		}
		if of != len(rows) || of < 5 || ours.end != alone.end || ours.Record().Attempts() != alone.Record().Attempts() {
			t.Errorf("%s: %d rows to %s, alone %d to %s", policy, of, ours.end, len(rows), alone.end)
		}
	}
}

// A server without mail needs one process, and the other servers get the rest of
// its share.
func TestIdleServersGiveWay(t *testing.T) {
	s := plain(100000)
	s.Governor.Law, s.Governor.Scope, s.Governor.Start, s.Governor.Interval = "hold", "cluster", 20, vt.Minute
	s.Servers = append(s.Servers, s.Servers[0], s.Servers[0])
	s.Servers[1].Name, s.Servers[1].Share = "idle", 0
	s.Servers[2].Name = "busy"
	w := run(t, s)
	for _, i := range w.Record().Intervals {
		if want := []float64{30, 1, 29, 60}[i.Server]; i.Number == 3 && i.Decision.Previous != want {
			t.Errorf("server %d has %v processes, want %v", i.Server, i.Decision.Previous, want)
		}
	}
}
