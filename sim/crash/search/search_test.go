package search

import (
	"reflect"
	"testing"

	"flyball/internal/longtest"
	"flyball/internal/vt"
	"flyball/sim/crash"
	"flyball/sim/crash/scope"
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
	s := Default()
	s.Single, s.Pairs, s.Random = false, false, 0
	s.Every = longtest.Or(s.Every, 1)
	change(&s)
	return s
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

// Promises hold when final dots go ahead of outcomes that are not durable.
func TestAhead(t *testing.T) {
	for _, ahead := range []int{1, 4} {
		a := run(t, only(func(s *Search) {
			s.Single, s.Every, s.Random = true, longtest.Or(61, 5), longtest.Or(300, 5000)
			s.Config.Ahead, s.Config.Commit, s.Config.Window = ahead, 100*vt.Millisecond, 12
		}))
		t.Logf("%d messages ahead: %d runs, %d ambiguous attempts", ahead, a.Runs, a.Ambiguous)
	}
}

// A list that is delivered over several days keeps the promises too, by what the account has left of each.
func TestSeveralDays(t *testing.T) {
	for _, mailings := range []int{1, 2} {
		days := func(c *scope.Config) { c.Daily, c.Mailings, c.Horizon = 10, mailings, 100*vt.Hour }
		a := run(t, only(func(s *Search) {
			s.Single, s.Every, s.Random = true, longtest.Or(151, 5), longtest.Or(300, 5000)
			days(&s.Config)
		}))
		cfg := scope.Small()
		days(&cfg)
		if r := crash.New(cfg, scope.Case{}).Run(); a.Replanned == 0 || r.Reported < vt.Time(48*vt.Hour) {
			t.Errorf("%d mailings: got %+v, want servers that are lost; the end is after %v, want on the third day",
				mailings, a, vt.Span(r.Reported))
		}
	}
}

// Promises hold when processes hang and servers stop.
func TestHungProcesses(t *testing.T) {
	run(t, only(func(s *Search) {
		s.Single, s.Every, s.Random = true, longtest.Or(101, 5), longtest.Or(300, 5000)
		s.Config.Hang, s.Config.Horizon = 0.05, vt.Hour
	}))
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

// Two mailings that overlap keep the same promises whatever stops.
func TestTwoMailings(t *testing.T) {
	a := run(t, only(func(s *Search) {
		s.Single, s.Every, s.Random, s.Config.Mailings = true, longtest.Or(61, 5), longtest.Or(700, 15_000), 2
	}))
	if a.Replanned == 0 || a.Ambiguous == 0 {
		t.Errorf("got %+v, want servers that are lost and attempts in doubt", a)
	}
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
		scheme                          scope.Scheme
		missed, duplicates, unexplained bool
	}{
		{scope.Ours, false, true, false},
		{scope.Advance, true, true, false}, // it repeats what a lost server had, as all do
		{scope.Unsynced, false, true, true},
		{scope.Journal, false, true, true},
		{scope.Recall, false, false, false},
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
	s := Default()
	s.Config.Scheme = scope.Advance
	breaks := func(x scope.Case) bool { return crash.New(s.Config, x).Run().Violation != "" }
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
	s := Default()
	if s.Fit(); s.Every != 1 || s.Firsts != 1 || s.Random != 850_000 {
		t.Errorf("got %+v, want nothing left out of the small scope", s)
	}
	s.Config.Recipients, s.Config.Servers = 200, 5
	if s.Fit(); s.Every < 2 || s.Firsts < 100 || s.Random > 200_000 || s.Random < 50_000 {
		t.Errorf("got every %d, firsts %d, %d random runs; want most left out", s.Every, s.Firsts, s.Random)
	}
}

// Each random case is read as it is written.
func TestRandomCasesAsText(t *testing.T) {
	cfg := scope.Small()
	s := Default()
	for n := range 500 {
		x := s.random(uint64(n), 360)
		y, err := cfg.Parse(cfg.Text(&x))
		if err != nil || cfg.Text(&y) != cfg.Text(&x) || len(y.Crashes) != len(x.Crashes) {
			t.Fatalf("case %d: %+v is read as %+v, %v", n, x, y, err)
		}
	}
}
