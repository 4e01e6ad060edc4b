package crash

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

func always(done, all int) bool { return true }

// run fails the test if the search finds a case that breaks a promise.
func run(t *testing.T, s Search) *Account {
	t.Helper()
	a := s.Run(always)
	for _, f := range a.Failures {
		t.Errorf("flyball crash --case %q: %s", f.Case, f.Violation)
	}
	if a.Missed > 0 || a.Unexplained > 0 || a.Failed > 0 {
		t.Errorf("%d runs: %d failed, %d recipients missed, %d duplicates unexplained; want none", a.Runs,
			a.Failed, a.Missed, a.Unexplained)
	}
	return a
}

func only(change func(*Search)) Search {
	s := DefaultSearch()
	s.Single, s.Pairs, s.Random = false, false, 0
	s.Every = longtest.Or(s.Every, 1)
	change(&s)
	return s
}

// The receivers' own count is what a run without faults is held against.
func TestWithoutFaults(t *testing.T) {
	w := New(Small(), Case{})
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

func TestOneCrash(t *testing.T) {
	run(t, only(func(s *Search) { s.Single, s.Every = true, longtest.Or(37, 2) }))
}

// Delivering servers that fetch chunks keep the same promises.
func TestChunksThatAreFetched(t *testing.T) {
	a := run(t, only(func(s *Search) {
		s.Single, s.Every, s.Random, s.Config.Chunk = true, longtest.Or(61, 5), longtest.Or(500, 5000), 5
	}))
	if a.Replanned == 0 {
		t.Errorf("got %+v, want servers that are lost", a)
	}
}

// A list that is delivered over several days keeps the promises too, by what the account has left of each.
func TestSeveralDays(t *testing.T) {
	for _, mailings := range []int{1, 2} {
		days := func(c *Config) { c.Daily, c.Mailings, c.Horizon = 10, mailings, 100*vt.Hour }
		a := run(t, only(func(s *Search) {
			s.Single, s.Every, s.Random = true, longtest.Or(151, 5), longtest.Or(300, 5000)
			days(&s.Config)
		}))
		cfg := Small()
		days(&cfg)
		if r := New(cfg, Case{}).Run(); a.Replanned == 0 || r.Reported < vt.Time(48*vt.Hour) {
			t.Errorf("%d mailings: got %+v, want servers that are lost; the end is after %v, want on the third day",
				mailings, a, vt.Span(r.Reported))
		}
	}
}

// Processes that hang are given up: at the first standstill their server begins again, at the second one another server
// takes over.
func TestHungProcesses(t *testing.T) {
	restarts, moved := 0, 0
	for seed := range uint64(longtest.Or(200, 5000)) {
		cfg := Small()
		cfg.Seed, cfg.Hang, cfg.Horizon = seed, 0.1, vt.Hour
		w := New(cfg, Case{})
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
	run(t, only(func(s *Search) {
		s.Single, s.Every, s.Random = true, longtest.Or(101, 5), longtest.Or(300, 5000)
		s.Config.Hang, s.Config.Horizon = 0.05, vt.Hour
	}))
}

// Attempts do not stand still while a receiver takes almost as long as it may after the final dot.
func TestSlowReceivers(t *testing.T) {
	cfg := Small()
	cfg.Answer, cfg.Horizon = cfg.Stall-vt.Second, vt.Hour
	w := New(cfg, Case{})
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

// With fewer processes than servers have, the promises hold too, and no plan has more than the licence.
func TestLicence(t *testing.T) {
	for _, chunk := range []int{0, 5} {
		for _, mailings := range []int{1, 2} {
			a := run(t, only(func(s *Search) {
				s.Single, s.Every, s.Random = true, longtest.Or(151, 5), longtest.Or(300, 5000)
				s.Config.Licence, s.Config.Chunk, s.Config.Mailings = 3, chunk, mailings
			}))
			if a.Replanned == 0 {
				t.Errorf("chunk %d, %d mailings: got %+v, want servers that are lost", chunk, mailings, a)
			}
		}
	}
}

// Changes of the list that the sending server asks for, and deletions that have to be confirmed, come as surely, and
// returned mail counts for a person over its places.
func TestChangesThatArePulled(t *testing.T) {
	run(t, only(func(s *Search) {
		s.Single, s.Every, s.Random = true, longtest.Or(61, 5), longtest.Or(500, 5000)
		s.Config.Pull, s.Config.Confirm, s.Config.Returned = 3*vt.Second/2, true, 4
	}))
}

// Two mailings that overlap keep the same promises, each with its own plans and report.
func TestTwoMailings(t *testing.T) {
	cfg := Small()
	cfg.Mailings = 2
	w := New(cfg, Case{})
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
	a := run(t, only(func(s *Search) {
		s.Single, s.Every, s.Random, s.Config.Mailings = true, longtest.Or(61, 5), longtest.Or(700, 15_000), 2
	}))
	if a.Replanned == 0 || a.Ambiguous == 0 {
		t.Errorf("got %+v, want servers that are lost and attempts in doubt", a)
	}
}

// While a server pauses, the others fetch what would wait for it if the list had been cut at once.
func TestFetchingEvensOut(t *testing.T) {
	ends := map[int]vt.Time{}
	for _, chunk := range []int{0, 20} {
		cfg := Small()
		cfg.Recipients, cfg.Chunk, cfg.Window = 800, chunk, 1000
		pause := Crash{Time: vt.Time(4 * vt.Second), Victim: 1, Fault: Pause, Down: 15 * vt.Second}
		r := New(cfg, Case{Crashes: []Crash{pause}}).Run()
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

func TestTwoCrashes(t *testing.T) {
	run(t, only(func(s *Search) { s.Pairs, s.Firsts = true, longtest.Or(211, 19) }))
}

func TestManyFaults(t *testing.T) {
	a := run(t, only(func(s *Search) { s.Random = longtest.Or(1500, 15_000) }))
	if a.Points < a.Runs || a.Ambiguous == 0 || a.Duplicates == 0 {
		t.Errorf("got %+v, want crashes, ambiguous attempts and duplicates: nothing was tried", a)
	}
	for _, c := range a.Classes {
		if c.Hits < longtest.Or(5, 100) {
			t.Errorf("%s: got %d hits", c.Name, c.Hits)
		}
	}
}

// Promises do not rest on the time to spare: with the least patience that is valid and a slow disk they hold.
func TestManyFaultsWithTheLeastPatience(t *testing.T) {
	run(t, only(func(s *Search) {
		s.Random, s.Config.Patience = longtest.Or(1000, 10_000), 5050*vt.Millisecond
	}))
	run(t, only(func(s *Search) {
		s.Random, s.Config.Commit = longtest.Or(300, 5000), 30*vt.Millisecond
	}))
}

func TestNumberOfWorkersChangesNothing(t *testing.T) {
	s := only(func(s *Search) { s.Random = 300 })
	s.Workers = 1
	one := s.Run(always)
	s.Workers = 3
	if three := s.Run(always); !reflect.DeepEqual(one, three) {
		t.Errorf("1 worker: %+v\n3 workers: %+v", one, three)
	}
}

// What other programs do loses mail, or repeats it without a trace; a receiver that knows transactions
// gets everything once.
func TestSchemes(t *testing.T) {
	for _, v := range []struct {
		scheme                          Scheme
		missed, duplicates, unexplained bool
	}{
		{Ours, false, true, false},
		{Advance, true, true, false}, // it repeats what a lost server had, as all do
		{Unsynced, false, true, true},
		{Journal, false, true, true},
		{Recall, false, false, false},
	} {
		s := only(func(s *Search) {
			s.Single, s.Every = true, longtest.Or(89, 9)
			s.Config.Scheme = v.scheme
		})
		a := s.Run(always)
		if a.Missed > 0 != v.missed || a.Duplicates > 0 != v.duplicates || a.Unexplained > 0 != v.unexplained {
			t.Errorf("%v: got %d missed, %d duplicates, %d unexplained; want more than 0: %v, %v, %v",
				v.scheme, a.Missed, a.Duplicates, a.Unexplained, v.missed, v.duplicates, v.unexplained)
		}
	}
}

// What is left of a run that breaks a promise breaks one, and without any more of its faults none.
func TestShrink(t *testing.T) {
	s := DefaultSearch()
	s.Config.Scheme = Advance
	breaks := func(x Case) bool { return New(s.Config, x).Run().Violation != "" }
	x, err := s.Config.Parse("drift:B1=0.001; 20+ C kill 3s; 110+ B1 kill 3s; 200- D pause 3s")
	if err != nil || !breaks(x) {
		t.Fatalf("got %v and no promise broken, want a case that breaks one", err)
	}
	least := s.shrink(x)
	if text := s.Config.Text(&least); !breaks(least) || text != "110+ B1 kill 3s" {
		t.Errorf("got %q, breaks a promise: %v; want 110+ B1 kill 3s, which does", text, breaks(least))
	}
}

// A world that is larger is searched in as much time, and the small scope as a whole.
func TestFit(t *testing.T) {
	s := DefaultSearch()
	if s.Fit(); s.Every != 1 || s.Firsts != 1 || s.Random != 850_000 {
		t.Errorf("got %+v, want nothing left out of the small scope", s)
	}
	s.Config.Recipients, s.Config.Servers = 200, 5
	if s.Fit(); s.Every < 2 || s.Firsts < 100 || s.Random > 200_000 || s.Random < 50_000 {
		t.Errorf("got every %d, firsts %d, %d random runs; want most left out", s.Every, s.Firsts, s.Random)
	}
}

// By Little's law, as many attempts are ambiguous when power is lost as are between the final dot and
// the durable outcome: throughput x (time of the reply + time of the commit).
func TestAmbiguousAttemptsPerCrash(t *testing.T) {
	each := longtest.Or(37, 201) // processes begin together, so crashes are spread evenly over eight attempts
	for _, processes := range []int{4, 8, 16, 32, 64} {
		cfg := Small()
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
			r := New(cfg, Case{Crashes: []Crash{{Time: at, Victim: 1, Model: PowerMin, Down: cfg.soon()}}}).Run()
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
	cfg := Small()
	for e := 40; e < 200; e += longtest.Or(7, 1) {
		w := New(cfg, Case{Crashes: []Crash{{Effect: e, Victim: 1, Fault: Pause, Down: cfg.late()}}})
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
	cfg := Small()
	before, planned := 0, 0
	b1 := engine.Address{Role: engine.Remote}
	for e := 60; e < 200; e += longtest.Or(7, 1) {
		w := New(cfg, Case{Crashes: []Crash{{Effect: e, Victim: 1, Fault: Cut, Down: cfg.late()}}})
		w.note = func(h int, what string, of any) {
			if w.now >= w.hosts[1].cut {
				return
			}
			m, _ := of.(engine.Message)
			switch since := cfg.late() - w.hosts[1].cut.Sub(w.now); {
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

func TestCaseText(t *testing.T) {
	cfg := Small()
	for _, text := range []string{"12- B1 power-min 3s", "12+ actor kill 1m", "@4.5s all power-any 30s",
		"9+ A power-any+2 3s", "9+ B1 cut 1m",
		"lost=0.01; loss=0.2; repeat=0.1; drift:B2=-0.004; 7- C pause 3s; 7+ D kill 3s"} {
		x, err := cfg.Parse(text)
		if err != nil || cfg.Text(&x) != text {
			t.Errorf("%q: got %q, %v", text, cfg.Text(&x), err)
		}
	}
	s := DefaultSearch()
	for n := range 500 {
		x := s.random(uint64(n), 360)
		y, err := cfg.Parse(cfg.Text(&x))
		if err != nil || cfg.Text(&y) != cfg.Text(&x) || len(y.Crashes) != len(x.Crashes) {
			t.Fatalf("case %d: %+v is read as %+v, %v", n, x, y, err)
		}
	}
	for _, v := range []struct{ text, want string }{
		{"", "0 words"}, {"x B1 kill 3s", `effect "x"`}, {"0- B1 kill 3s", `effect "0-"`},
		{"5 B1 kill 3s", `effect "5"`},
		{"5- B3 kill 3s", `"B3", want A, B1 to B2`}, {"5- B1 burn 3s", `"burn", want kill`}, {"5- B1 kill 3", `"3"`},
		{"5- B1 kill+1 3s", `"kill+1", want kill`}, {"5- B1 power-any+0 3s", `"power-any+0"`},
		{"5- B1 power-any+ 3s", `any+"`},
		{"5- B1 kill 0s", "want more than 0"}, {"@0s B1 kill 3s", "want more than 0"},
		{"@3s actor kill 3s", "or actor at"},
		{"9- A kill 3s; 8- A kill 3s", "effect 8 after 9"}, {"loss=2", "want from 0 to 0.5"},
		{"los=0.1", `"los", want lost`},
		{"loss=x", "want a share"}, {"drift:C=0.001", `server "C"`}, {"drift:B1=0.2", "and 0.01"},
	} {
		if _, err := cfg.Parse(v.text); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%q: got %v, want an error with %q", v.text, err, v.want)
		}
	}
}
