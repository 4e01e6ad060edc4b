package sim

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// summary is the result of a replication in these tests.
type summary struct {
	Replication uint64
	End         vt.Time
	Digest      uint64
	Totals      runlog.Totals
}

func summarize(total uint64) func(uint64, *World, vt.Time) summary {
	return func(r uint64, w *World, end vt.Time) summary {
		var run runlog.Run
		w.Record().Fold(&run, total, 0)
		return summary{r, end, run.Digest, run.Totals}
	}
}

// With any number of workers each replication is the run that its number names,
// and results come in order.
func TestReplicateInOrder(t *testing.T) {
	s := eventful(1500)
	total := uint64(s.Recipients())
	const from, n = 3, 13
	var want []summary
	for r := range uint64(n) {
		w, err := New(s, from+r, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := w.Run(nil)
		want = append(want, summarize(total)(from+r, w, end))
	}
	for i := range want[1:] {
		if want[i].Digest == want[i+1].Digest {
			t.Fatalf("replications %d and %d are the same run", i, i+1)
		}
	}
	for _, workers := range []int{0, 1, 2, 5, 40} {
		var got []summary
		done, err := Replicate(s, nil, from, n, workers, summarize(total), func(v summary) { got = append(got, v) },
			nil)
		if err != nil || done != n {
			t.Errorf("%d workers: %d done, %v", workers, done, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d workers:\n got %v\nwant %v", workers, got, want)
		}
	}
}

// Three workers run at most three worlds at a time.
func TestReplicateWorkers(t *testing.T) {
	const workers = 3
	var inside, most atomic.Int64
	_, err := Replicate(plain(10), nil, 0, 4*workers, workers, func(uint64, *World, vt.Time) int {
		for most.Store(max(most.Load(), inside.Add(1))); most.Load() < workers; {
			runtime.Gosched() // until there are as many as there should be
		}
		for range 1000 { // time for one too many to come
			runtime.Gosched()
			most.Store(max(most.Load(), inside.Load()))
		}
		inside.Add(-1)
		return 0
	}, func(int) {}, nil)
	if err != nil || most.Load() != workers {
		t.Errorf("%d at a time, %v", most.Load(), err)
	}
}

// A halt leaves the replications before the first one that it hit.
func TestReplicateStops(t *testing.T) {
	for _, workers := range []int{1, 3} {
		var seen []uint64
		var stop atomic.Bool
		done, err := Replicate(plain(400), nil, 0, 1000, workers, func(r uint64, _ *World, _ vt.Time) uint64 {
			if r == 20 {
				stop.Store(true)
			}
			return r
		}, func(r uint64) { seen = append(seen, r) }, func() bool { return !stop.Load() })
		if err != nil || done != uint64(len(seen)) || done < 20-uint64(2*workers) || done > 20+uint64(2*workers) {
			t.Errorf("%d workers: %d done, %d seen, %v", workers, done, len(seen), err)
		}
		for i, r := range seen {
			if r != uint64(i) {
				t.Fatalf("%d workers: saw %v", workers, seen)
			}
		}
	}
}

// A long world is abandoned midway.
func TestReplicateGivesUpWorlds(t *testing.T) {
	asked := 0
	done, err := Replicate(plain(200_000), nil, 0, 2, 1, summarize(200_000), func(summary) {},
		func() bool { asked++; return asked < 3 })
	if done != 0 || err != nil || asked > 5 { // a question for each world, and one for each 65,536 events
		t.Errorf("%d done after %d questions, %v", done, asked, err)
	}
}

// If Replicate ends early, it abandons the other worlds and waits for them.
func TestReplicateLeavesNothingBehind(t *testing.T) {
	breaks := func(s *scenarios.Scenario, workers int, ended func(uint64)) {
		defer func() {
			if recover() == nil {
				t.Error("a broken world goes unseen")
			}
		}()
		Replicate(s, nil, 0, 9, workers, func(r uint64, _ *World, _ vt.Time) int { ended(r); return 0 }, func(int) {},
			nil)
	}

	var begun, over atomic.Bool
	breaks(plain(10), 2, func(r uint64) {
		switch r {
		case 0:
			for !begun.Load() {
				runtime.Gosched()
			}
			panic("odd")
		case 1:
			begun.Store(true)
			for range 10_000 {
				runtime.Gosched()
			}
			over.Store(true)
		}
	})
	if !over.Load() {
		t.Error("a world goes on after the call")
	}

	var worlds atomic.Int64
	breaks(plain(200_000), 1, func(uint64) {
		worlds.Add(1)
		panic("odd")
	})
	if n := worlds.Load(); n != 1 {
		t.Errorf("%d worlds run to their end", n)
	}
}

func TestReplicateRefusesAndBreaks(t *testing.T) {
	s := plain(10)
	s.Governor.Law = "none"
	each := func(int) { t.Error("a replication of nothing") }
	ended := func(uint64, *World, vt.Time) int { return 0 }
	if done, err := Replicate(s, nil, 0, 5, 2, ended, each, nil); done != 0 || err == nil ||
		!strings.Contains(err.Error(), "none") {
		t.Errorf("%d done, %v", done, err)
	}

	defer func() {
		b, ok := recover().(Broken)
		if !ok || b.Replication != 4 || b.Value != "odd" || !strings.Contains(string(b.Stack), "replicate_test") ||
			!strings.HasPrefix(fmt.Sprint(b), "replication 4, virtual time 10s, event 11: odd") {
			t.Errorf("panics with %v", b)
		}
	}()
	Replicate(plain(10), nil, 0, 9, 3, func(r uint64, _ *World, _ vt.Time) int {
		if r == 4 {
			panic("odd")
		}
		return 0
	}, func(int) {}, nil)
	t.Error("a broken world goes unseen")
}
