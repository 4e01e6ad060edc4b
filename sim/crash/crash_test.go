package crash

import (
	"math"
	"testing"

	"flyball/engine"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/sim/crash/scope"
)

// The receivers' own count is what a run without faults is held against.
func TestWithoutFaults(t *testing.T) {
	w := New(scope.Small(), scope.Case{})
	r := w.Run()
	accepted := 0
	for i, r := range w.oracle.rcpts {
		n := r.accepts
		if accepted += n; n > 1 {
			t.Errorf("recipient %d got %d messages", i, n)
		}
	}
	s := w.mailings[0].summary
	if r.Violation != "" || r.Ambiguous != 0 || uint64(accepted) != s.Delivered || w.mailings[0].reports != 1 ||
		s.Delivered+s.Failed+s.Suppressed != 24 || s.Suppressed == 0 || s.Failed == 0 {
		t.Errorf("got %+v and report %+v (%d times), %d accepted; want all final, one report, none ambiguous", r, s,
			w.mailings[0].reports, accepted)
	}
}

// Processes that hang are given up: at the first standstill their server begins again, at the second one another server
// takes over.
func TestHungProcesses(t *testing.T) {
	restarts, moved := 0, 0
	for seed := range uint64(longtest.Or(200, 5000)) {
		cfg := scope.Small()
		cfg.Seed, cfg.Hang, cfg.Horizon = seed, 0.1, vt.Hour
		w := New(cfg, scope.Case{})
		w.note = func(_ int, _ string, of any) {
			switch v := of.(type) {
			case engine.Message:
				if _, ok := v.Body.(engine.Restart); ok {
					restarts++
				}
			case engine.Planned:
				if v.Subset.Epoch > 1 {
					moved++
				}
			}
		}
		if r := w.Run(); r.Violation != "" || r.Missed > 0 || r.Unexplained > 0 {
			t.Fatalf("seed %d: %+v", seed, r)
		}
	}
	if restarts < 100 || moved < 10 {
		t.Errorf("%d restarts and %d subsets to other servers, want at least 100 and 10", restarts, moved)
	}
	t.Logf("%d restarts, %d subsets to other servers", restarts, moved)
}

// Attempts do not stand still while a receiver takes almost as long as it may after the final dot.
func TestSlowReceivers(t *testing.T) {
	cfg := scope.Small()
	cfg.Answer, cfg.Horizon = cfg.Stall-vt.Second, vt.Hour
	w := New(cfg, scope.Case{})
	w.note = func(_ int, _ string, of any) {
		if m, ok := of.(engine.Message); ok {
			if _, ok := m.Body.(engine.Restart); ok {
				t.Errorf("at %v: %+v", vt.Span(w.now), m.Body)
			}
		}
	}
	if r := w.Run(); r.Violation != "" || r.Ambiguous > 0 {
		t.Errorf("got %+v", r)
	}
}

// Two mailings that overlap keep the same promises, each with its own plans and report.
func TestTwoMailings(t *testing.T) {
	cfg := scope.Small()
	cfg.Mailings = 2
	w := New(cfg, scope.Case{})
	first, second := &w.mailings[0], &w.mailings[1]
	both := 0 // attempts of the second mailing before the end of the first
	w.note = func(_ int, what string, of any) {
		if a, ok := of.(*mail.Attempt); ok && what == "begins" && a.Rcpt >= second.First && first.came == vt.Never {
			both++
		}
	}
	if r := w.Run(); r.Violation != "" {
		t.Fatal(r.Violation)
	}
	if first.summary.Delivered < 8 || second.summary.Delivered < 8 || both < 5 || first.reports != 1 ||
		second.reports != 1 {
		t.Errorf("got %+v and %+v, %d attempts of the second before the end of the first; want at least 8 delivered "+
			"each, 5 attempts, and one report each", first, second, both)
	}
}

// While a server pauses, the others fetch what would wait for it if the list had been cut at once.
func TestFetchingEvensOut(t *testing.T) {
	ends := map[int]vt.Time{}
	for _, chunk := range []int{0, 20} {
		cfg := scope.Small()
		cfg.Recipients, cfg.Chunk, cfg.Window = 800, chunk, 1000
		pause := scope.Crash{Time: vt.Time(4 * vt.Second), Victim: 1, Fault: scope.Pause, Down: 15 * vt.Second}
		r := New(cfg, scope.Case{Crashes: []scope.Crash{pause}}).Run()
		if r.Violation != "" {
			t.Fatalf("chunk %d: %s", chunk, r.Violation)
		}
		ends[chunk] = r.Reported
	}
	// 400 recipients each take some 27 s; cut at once, B1 ends 15 s later, fetched, both share the delay
	if cut, fetched := vt.Span(ends[0]).Seconds(), vt.Span(ends[20]).Seconds(); fetched > cut-4 {
		t.Errorf("fetched %.1f s, cut at once %.1f s, want at least 4 s less", fetched, cut)
	}
	t.Logf("cut at once %v, fetched %v", vt.Span(ends[0]), vt.Span(ends[20]))
}

// By Little's law, as many attempts are ambiguous when power is lost as are between the final dot and
// the durable outcome: throughput x (time of the reply + time of the commit).
func TestAmbiguousAttemptsPerCrash(t *testing.T) {
	each := longtest.Or(37, 201) // processes begin together, so crashes are spread evenly over eight attempts
	for _, processes := range []int{4, 8, 16, 32, 64} {
		cfg := scope.Small()
		cfg.Servers, cfg.Processes, cfg.Window, cfg.Recipients = 1, processes, 1000, 20*processes
		cfg.Deferred, cfg.Refused, cfg.Returned, cfg.Requests = 0, 0, 0, 0
		cfg.Accept, cfg.Answer, cfg.Commit = 100*vt.Millisecond, 100*vt.Millisecond, 50*vt.Millisecond
		// an attempt: 60 to 120 ms up to the gate, the intent, the reply, the outcome
		attempt := 90*vt.Millisecond + cfg.Commit + cfg.Accept + cfg.Answer + cfg.Commit
		throughput := float64(processes) / attempt.Seconds()
		want := throughput * (cfg.Accept + cfg.Answer + cfg.Commit).Seconds()
		sum := 0
		for n := range each {
			at := vt.Time(2*vt.Second + 8*attempt*vt.Span(n)/vt.Span(each))
			stop := scope.Crash{Time: at, Victim: 1, Model: scope.PowerMin, Down: cfg.Soon()}
			r := New(cfg, scope.Case{Crashes: []scope.Crash{stop}}).Run()
			if r.Violation != "" {
				t.Fatalf("%d processes, crash at %v: %s", processes, vt.Span(at), r.Violation)
			}
			sum += r.Ambiguous
		}
		if got := float64(sum) / float64(each); math.Abs(got/want-1) > 0.1 {
			t.Errorf("%d processes: got %.2f ambiguous attempts per crash, want %.2f within 10 %%", processes, got,
				want)
		}
	}
}

// A server that pauses for longer than its lease sends nothing when it goes on: its recipients have
// another server by then.
func TestPausedServerSendsNothing(t *testing.T) {
	cfg := scope.Small()
	for e := 40; e < 200; e += longtest.Or(7, 1) {
		w := New(cfg, scope.Case{Crashes: []scope.Crash{{Effect: e, Victim: 1, Fault: scope.Pause, Down: cfg.Late()}}})
		paused, after := false, 0
		w.trace = func(h int, k Kind) {
			paused = paused || w.hosts[1].until != vt.Never
			if paused && h == 1 && k == Dots && w.now >= w.hosts[1].until {
				after++
			}
		}
		if r := w.Run(); r.Violation != "" || after > 0 {
			t.Errorf("pause at effect %d: %d final dots after it, violation %q; want none", e, after, r.Violation)
		}
	}
}

// A server that no message reaches delivers until its lease ends, and then waits: its recipients get another server,
// and no final dot of its own comes after that.
func TestServerThatIsCutOff(t *testing.T) {
	cfg := scope.Small()
	before, planned := 0, 0
	b1 := engine.Address{Role: engine.Remote}
	for e := 60; e < 200; e += longtest.Or(7, 1) {
		w := New(cfg, scope.Case{Crashes: []scope.Crash{{Effect: e, Victim: 1, Fault: scope.Cut, Down: cfg.Late()}}})
		w.note = func(h int, what string, of any) {
			if w.now >= w.hosts[1].cut {
				return
			}
			m, _ := of.(engine.Message)
			switch since := cfg.Late() - w.hosts[1].cut.Sub(w.now); {
			case what == "sends" && (m.To == b1 || m.From == b1):
				t.Errorf("cut at effect %d: %v is sent %v later", e, m, since)
			case h == 1 && what == "dot" && since < cfg.Lease:
				before++
			case h == 1 && what == "dot":
				t.Errorf("cut at effect %d: a final dot %v later, want none after the lease", e, since)
			}
		}
		r := w.Run()
		if r.Violation != "" {
			t.Errorf("cut at effect %d: %s", e, r.Violation)
		}
		planned += r.Replanned
	}
	if before == 0 || planned == 0 {
		t.Errorf("got %d final dots before the end of the lease, %d recipients planned anew; want some", before,
			planned)
	}
}
