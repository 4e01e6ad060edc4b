package sim

import (
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/scenarios"
)

// Broken is the value that Replicate panics with when one of its worlds panics.
type Broken struct {
	Replication uint64
	Where       string // virtual time and event of the world
	Value       any    // of its panic
	Stack       []byte // of its goroutine
}

func (b Broken) String() string {
	return fmt.Sprintf("replication %d, %s: %v", b.Replication, b.Where, b.Value)
}

// Replicate runs n replications of a scenario, numbered from, from + 1 and so
// on. At most workers of them run at a time, each world on its own goroutine.
//
// list, if not nil, is used by every replication, as in New.
//
// fold is called with every world as it ends, concurrently and in any order; its
// result should be small. each is called with the results of fold, on the
// caller's goroutine and strictly in the order of the replications, so nothing
// depends on the number of workers. At most two results per worker wait for
// their turn.
//
// keepGoing, if not nil, is called now and then, concurrently. Once it returns
// false, the running worlds are abandoned, and so are all results after the
// first abandoned world. The same happens when a world panics. Replicate returns
// the number of calls of each. It returns the errors of New, and panics with
// Broken.
func Replicate[T any](s *scenarios.Scenario, list *mail.List, from, n uint64, workers int,
	fold func(replication uint64, w *World, end vt.Time) T, each func(T), keepGoing func() bool) (done uint64,
	err error) {
	physics := netmodel.NewNetwork(s.Netmodel(), rng.Key{})
	build := func(r uint64) (*World, error) { return newWorld(s, physics, r, list, nil, nil) }
	return inOrder(build, from, n, workers, fold, each, keepGoing)
}

// inOrder is Replicate over the worlds that build returns. It calls build
// concurrently.
func inOrder[T any](build func(uint64) (*World, error), from, n uint64, workers int,
	fold func(uint64, *World, vt.Time) T, each func(T), keepGoing func() bool) (done uint64, err error) {
	type result struct {
		value   T
		stopped bool
		err     error
		broken  *Broken
	}
	var first atomic.Uint64 // first replication that was stopped, refused or broken
	first.Store(math.MaxUint64)
	goOn := func(r uint64) bool { return r < first.Load() && (keepGoing == nil || keepGoing()) }

	replicate := func(r uint64) (out result) {
		var w *World
		defer func() {
			if v := recover(); v != nil {
				out.broken = &Broken{Replication: r, Value: v, Stack: debug.Stack()}
				if b, ok := v.(Broken); ok { // of a server of the world
					out.broken.Value, out.broken.Stack = b.Value, b.Stack
				}
				if w != nil {
					out.broken.Where = w.Where()
				}
			}
			if out.stopped || out.err != nil || out.broken != nil {
				for f := first.Load(); r < f && !first.CompareAndSwap(f, r); f = first.Load() {
				}
			}
		}()
		if out.stopped = !goOn(r); out.stopped {
			return out
		}
		if w, out.err = build(r); out.err != nil {
			return out
		}
		var end vt.Time
		if end, out.stopped = w.Run(func(Progress) bool { return goOn(r) }); !out.stopped {
			out.value = fold(r, w, end)
		}
		return out
	}

	type job struct {
		replication uint64
		out         chan result
	}
	workers = max(workers, 1)
	jobs := make(chan job, 2*workers) // never full
	var running sync.WaitGroup
	defer running.Wait()
	defer close(jobs)
	for range workers {
		running.Go(func() {
			for j := range jobs {
				j.out <- replicate(j.replication)
			}
		})
	}
	var waiting []chan result
	for next := from; done < n; done++ {
		for ; len(waiting) < 2*workers && next < from+n; next++ {
			out := make(chan result, 1)
			waiting = append(waiting, out)
			jobs <- job{next, out}
		}
		ended := <-waiting[0]
		waiting = waiting[1:]
		switch {
		case ended.broken != nil:
			panic(*ended.broken)
		case ended.err != nil || ended.stopped:
			return done, ended.err
		}
		each(ended.value)
	}
	return done, nil
}
