// Package deadlines answers questions about a mailing that is to be out by a time: with
// which setting it ends soonest (Ask), and with how many processes on which servers it is
// done by each of several deadlines (Plan). Its questions are tasks, under the contract of
// package task. Nothing is written: a question that is stopped is asked again.
package deadlines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/tomlfile"
	"flyball/internal/vt"
	"flyball/scenarios"
	"flyball/sim"
)

// few is the number of runs with which settings are compared. With more than large
// recipients one run does: their draws average out, and the answer is to come within a
// minute.
const (
	few   = 4
	large = 1_000_000
)

// leastJudges and judges are the least and the default number of runs that judge: fewer say
// nothing about a chance.
const (
	leastJudges = 5
	judges      = 20
)

// checkJudges returns an error if n is not a number of runs that can judge.
func checkJudges(n int) error {
	if n < leastJudges || n > task.MostReplications {
		return task.Fail(task.Usage, "--replications: got %d, want %d to %d", n, leastJudges, task.MostReplications)
	}
	return nil
}

// due returns the scenario of from with a deadline of all campaigns, and where it comes from.
// Without a deadline the campaigns keep their own.
func due(from task.Source, deadline string) (task.Source, *scenarios.Scenario, error) {
	s, _, err := from.Load()
	if err != nil || deadline == "" {
		return from, s, err
	}
	campaigns := s.Campaigns
	from.Set = slices.Clone(from.Set)
	for i := range campaigns {
		from.Set = append(from.Set, fmt.Sprintf("campaign[%d].deadline=%s", i, deadline))
	}
	s, _, err = from.Load()
	return from, s, ofDeadline(err, deadline, campaigns)
}

// ofDeadline returns an error about the deadline of one of the campaigns as one about
// --deadline; other errors unchanged.
func ofDeadline(err error, deadline string, campaigns []scenarios.Campaign) error {
	var all tomlfile.Problems
	if !errors.As(err, &all) {
		return err
	}
	for _, p := range all {
		if strings.HasSuffix(p.Key, "].deadline") {
			i := 0
			if _, wrong := fmt.Sscanf(p.Key, "campaign[%d]", &i); wrong != nil || i >= len(campaigns) {
				return err
			}
			return task.Fail(task.Usage, "--deadline %s, campaign %s: %s", task.Quote(deadline),
				campaigns[i].Name, p.Text)
		}
	}
	return err
}

// flags returns the flags that ask a question again: its deadlines, its own flags and its
// number of judges.
func flags(deadlines []string, own []string, replications int) (words []string) {
	if text := strings.Join(deadlines, ","); text != "" {
		words = append(words, "--deadline", task.Quote(text))
	}
	words = append(words, own...)
	if replications != judges {
		words = append(words, "--replications", strconv.Itoa(replications))
	}
	return words
}

// laboratory makes the runs of a question.
type laboratory struct {
	ctx     context.Context
	watch   task.Watch
	name    string // of the scenario
	replay  string // command line that asks again
	workers int
	batches sim.Batches
	done    int // runs
	total   int // runs, about
}

// runs makes one run of each job and returns what fold makes of them, in their order. If the
// context of the question ends, the error is Stopped.
func runs[T any](l *laboratory, jobs []sim.Job, fold func(sim.Job, *sim.World, vt.Time) T) (all []T, err error) {
	before := uint64(l.done)
	defer task.BrokenRun(func(b sim.Broken) (where, replay string) {
		return fmt.Sprintf("run %d of the search, replication %d of %s, %s", before+b.Replication+1,
			jobs[b.Replication].Replication, l.name, b.Where), l.replay
	})
	n, err := sim.RunBatch(&l.batches, jobs, l.workers,
		func(i uint64, world *sim.World, end vt.Time) T { return fold(jobs[i], world, end) },
		func(r T) {
			all = append(all, r)
			l.done++
			l.watch.At(l.name, uint64(l.done), uint64(max(l.total, l.done)))
		}, task.Going(l.ctx))
	switch {
	case err != nil:
		return nil, task.Error{Kind: task.Invalid, Err: err}
	case n < uint64(len(jobs)):
		return nil, l.stopped()
	}
	return all, nil
}

// stopped returns the error of a question that was stopped.
func (l *laboratory) stopped() error { return task.Stopped{Done: l.done} }

// with returns s with entries of --set.
func with(s *scenarios.Scenario, set []string) (*scenarios.Scenario, error) {
	changed, err := s.With(set...)
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	return changed, nil
}
