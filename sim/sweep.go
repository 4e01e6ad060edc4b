package sim

import (
	"reflect"
	"sync"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/config"
	"flyball/scenarios"
	"flyball/scenarios/stated"
)

// Sweep runs replications 0 to replications - 1 of the first scenario, then of
// the second, and so on. The runs are numbered in that order; from is the first
// run to make. Equal replications have equal draws where the scenarios' seeds
// are equal.
//
// All else is as in Replicate, with run numbers in place of replications.
func Sweep[T any](all []*scenarios.Scenario, replications, from uint64, workers int,
	fold func(run uint64, w *World, end vt.Time) T, each func(T), keepGoing func() bool) (done uint64, err error) {
	var shelf shelf
	build := func(run uint64) (*World, error) {
		s := all[run/replications]
		return newWorld(s, shelf.physics(s), run%replications, nil, nil, nil)
	}
	return inOrder(build, from, uint64(len(all))*replications-from, workers, fold, each, keepGoing)
}

// Job is one run of a batch.
type Job struct {
	Scenario    *scenarios.Scenario
	Replication uint64
	List        *mail.List // as in New; nil: the scenario's own

	// Enough, if not nil, is called now and then. Once it returns true, the run ends where it is.
	// When it is called depends on the run and on where it begins, not on the number of workers.
	Enough func(Standing) bool

	// Branches makes the run begin where it first differs from a run of an earlier list of jobs, if
	// that run was of the same scenario but for the target, max and start of the governor. The outcome
	// equals the outcome of a whole run, to the bit.
	Branches bool
}

// Batches keeps networks, and the courses of runs that branch, from one list of jobs to the
// next. The zero value is ready to use.
type Batches struct {
	shelf    shelf
	branches branches
}

// RunBatch runs the jobs. All is as in Sweep, with indices into jobs in place of
// run numbers. If there are fewer jobs than workers, servers of a run work side by side.
func RunBatch[T any](b *Batches, jobs []Job, workers int,
	fold func(job uint64, w *World, end vt.Time) T, each func(T), keepGoing func() bool) (done uint64, err error) {
	courses := make([]*course, len(jobs))
	build := func(job uint64) (*World, error) {
		j := jobs[job]
		if j.Branches && j.List == nil && branching(j.Scenario) {
			courses[job] = b.branches.begin(j.Scenario, j.Replication)
		}
		w, err := newWorld(j.Scenario, b.shelf.physics(j.Scenario), j.Replication, j.List, nil, courses[job])
		if err != nil {
			return nil, err
		}
		w.Workers = max(1, workers/len(jobs))
		if j.Enough != nil {
			w.enough, w.due = j.Enough, stated.Campaigns(j.Scenario, w.list.Len())
		}
		if w.course != nil {
			err = b.branches.branch(w)
		}
		return w, err
	}
	done, err = inOrder(build, 0, uint64(len(jobs)), workers, fold, each, keepGoing)
	if err == nil && done == uint64(len(jobs)) {
		for _, c := range courses {
			b.branches.add(c)
		}
	}
	return done, err
}

// shelf is an LRU cache of networks by Config. Building a network takes
// milliseconds, most of the time of a small run, and the points of a study often
// differ only in the governor.
type shelf struct {
	mu     sync.Mutex
	latest []kept // least recently used first
}

type kept struct {
	config config.Config
	world  func() *netmodel.Network
}

// mostKept is the capacity of a shelf: at most some 20 MB.
const mostKept = 64

// physics returns the network of a scenario, without its draws. It is safe for
// concurrent use; different networks are built at the same time.
func (l *shelf) physics(s *scenarios.Scenario) *netmodel.Network { return l.of(s.Netmodel())() }

func (l *shelf) of(c config.Config) func() *netmodel.Network {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := kept{c, nil}
	for i := len(l.latest) - 1; i >= 0; i-- {
		if reflect.DeepEqual(l.latest[i].config, c) {
			k = l.latest[i]
			l.latest = append(l.latest[:i], l.latest[i+1:]...)
			break
		}
	}
	if k.world == nil {
		k.world = sync.OnceValue(func() *netmodel.Network { return netmodel.NewNetwork(c, rng.Key{}) })
	}
	if len(l.latest) == mostKept {
		l.latest = append(l.latest[:0], l.latest[1:]...)
	}
	l.latest = append(l.latest, k)
	return k.world
}
