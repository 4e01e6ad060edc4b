package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"flyball/internal/conf"
	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/scenarios"
	"flyball/sim"
)

// sensitivity is the question what the answer of a run hangs on.
type sensitivity struct {
	asked bool
	of    string // metric; empty: the headline of the run
}

func (q *sensitivity) flags(c *cobra.Command) {
	c.Flags().BoolVar(&q.asked, "sensitivity", false, "also run with every doubtful number halved and doubled, one at a time, under the same luck, and say what the answer hangs on")
}

// check refuses what is no such question, before anything runs.
func (q *sensitivity) check(many *repeats) error {
	q.of = many.of
	if many.many() {
		return fail(exitUsage, "--sensitivity compares single runs under the same luck: want no --replications or --precision with it")
	}
	if many.jobs < 1 {
		return fail(exitUsage, "--jobs: got %d, want 1 or more", many.jobs)
	}
	if _, ok := measure.MetricNamed(q.of); ok || q.of == "" {
		return nil
	}
	var known []string
	for _, m := range measure.Metrics() {
		known = append(known, m.Name)
	}
	return fail(exitUsage, "--of: got %q, want one of %s%s", q.of, strings.Join(known, ", "), conf.DidYouMean(q.of, known))
}

// factors by which a number is scaled.
var factors = [2]float64{0.5, 2}

// otherLuck is how often the run itself is made again, to see what luck does.
const otherLuck = 10

// hangsOn runs the scenario of a finished run again with one number changed at
// a time. It returns nil if a signal stopped it.
func (a *app) hangsOn(s *scenarios.Scenario, q *sensitivity, many *repeats, own *rehearsed, base *run.Report, stop *signals) *run.Sensitivity {
	metric := q.of
	if metric == "" {
		metric = base.Headline()
	}
	type variant struct {
		scenario *scenarios.Scenario
		side     *run.Side
	}
	var rows []run.Sensitive
	for _, n := range s.Assumptions() {
		if n.InDoubt() {
			rows = append(rows, run.Sensitive{Key: n.Key, Of: n.Of, Status: n.Status, Number: n.Number(),
				Low: side(n, factors[0]), High: side(n, factors[1])})
		}
	}
	var all []variant
	for i := range rows {
		for _, side := range []*run.Side{&rows[i].Low, &rows[i].High} {
			if side.Set == "" {
				continue
			}
			changed, err := s.With(side.Set)
			if err != nil { // out of its range together with others, such as probabilities that add up to more than 1
				*side = run.Side{}
				continue
			}
			all = append(all, variant{changed, side})
		}
	}

	others := make([]run.Side, otherLuck)
	for i := range others {
		all = append(all, variant{s, &others[i]})
	}

	bar := a.progress("sensitivity")
	defer bar.end()
	done := uint64(0)
	inParallel(len(all), many.jobs, func(i int) {
		v, replication := all[i], many.replication
		if i >= len(all)-otherLuck {
			replication += 1 + uint64(i-(len(all)-otherLuck))
		}
		_, err := sim.Replicate(v.scenario, own.list(), replication, 1, 1,
			func(replication uint64, w *sim.World, end vt.Time) *run.Report {
				return observe(v.scenario, own, replication, w, end)
			},
			func(r *run.Report) { v.side.Value, v.side.Digest = format.Num(r.Metrics()[metric]), r.Digest },
			func() bool { return stop.signal() == nil })
		if err != nil {
			panic(fmt.Sprintf("%s: %v", v.side.Set, err)) // a valid scenario is refused
		}
	}, func() {
		done++
		bar.at(done, uint64(len(all)))
	})
	if stop.signal() != nil {
		return nil
	}
	var luck []float64
	for _, o := range others {
		luck = append(luck, float64(o.Value))
	}
	return run.NewSensitivity(metric, base.Metrics()[metric], luck, rows)
}

func side(n scenarios.Assumption, factor float64) run.Side {
	return run.Side{Set: n.Scaled(factor), Number: n.ScaledNumber(factor)}
}

// inParallel does n things, at most so many workers at a time, and reports
// each on the caller's goroutine as it is done. It panics as the first of them
// does, when all have ended.
func inParallel(n, workers int, do func(i int), ended func()) {
	next, over := make(chan int), make(chan any)
	var running sync.WaitGroup
	for range min(workers, n) {
		running.Go(func() {
			for i := range next {
				func() {
					defer func() { over <- recover() }()
					do(i)
				}()
			}
		})
	}
	go func() {
		for i := range n {
			next <- i
		}
		close(next)
		running.Wait()
		close(over)
	}()
	var broken any
	for v := range over {
		if broken == nil {
			broken = v
		}
		ended()
	}
	if broken != nil {
		panic(broken)
	}
}
