package trials

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/farm"
	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	studies "flyball/reports/study"
	"flyball/reports/tuning"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
	"flyball/sim/tune"
)

// Tuned is the report on a search, and its folder.
type Tuned struct {
	Report *tuning.Report
	Dir    string
}

// LoadTuning reads and checks a study with a table [tune]. Given holds the texts of its
// scenarios, as the folder of the search keeps them.
func (q *Study) LoadTuning() (t *study.Tuning, text []byte, given []folder.File, err error) {
	text, given, err = q.read(func(text []byte, seed *uint64, read study.Read) (err error) {
		t, err = study.LoadTuning(q.From.Arg, text, q.From.Set, seed, read)
		return err
	})
	return t, text, given, err
}

// Tune searches the study for the best values and writes the folder of the search. If
// ctx ends, it returns Stopped, as Sweep does.
func (q *Study) Tune(ctx context.Context, watch task.Watch) (*Tuned, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	t, text, given, err := q.LoadTuning()
	if err != nil {
		return nil, err
	}
	place, err := q.folder(t.Study, folder.TuningMode)
	if err != nil {
		return nil, err
	}
	dir := place.Dir
	log, err := openProgress(t.Study, q.Program, dir, q.Resume != "", watch)
	if err != nil {
		return nil, err
	}
	defer log.close()
	if n := len(log.runs); n > 0 {
		watch.Note("continuing after %d runs", n)
	}
	defer task.ManyRuns()()
	began := time.Now()
	s := &searching{ctx: ctx, of: q, study: t, log: log, watch: watch}
	found, err := s.search()
	var known task.Error
	switch {
	case errors.Is(err, task.ErrStopped):
		if err := log.stop(); err != nil {
			return nil, err
		}
		return nil, task.Stopped{Done: len(log.runs), Total: s.most(), Kept: log.name,
			GoOn: q.replay("tune") + " --resume " + task.Quote(dir)}
	case errors.As(err, &known):
		return nil, err
	case err != nil:
		return nil, task.Fail(task.Invalid, "%s: %w", q.From.Arg, err)
	}
	report := tuning.Gather(searched(found, s.made, q.replay("tune")), task.Host(began))
	if err := task.Unwritten("folder of the search", report.Write(place, text, given)); err != nil {
		return nil, err
	}
	log.done()
	return &Tuned{report, dir}, nil
}

// searching makes the runs that a search asks for, or takes them from the progress log.
type searching struct {
	ctx     context.Context
	of      *Study
	study   *study.Tuning
	log     *progressLog
	watch   task.Watch
	batches sim.Batches
	made    []tuning.Run
	workers *farm.Coordinator // nil: none
	asked   []tune.Job        // of the workers, by the number of the run
}

// search makes the search, by workers if there is a bus. If runs do not hold any more on which it has decided, it makes
// the search again from those runs on.
func (s *searching) search() (*tune.Result, error) {
	if !s.of.Bus.Used() {
		return tune.Search(s.study, s.run)
	}
	co, end, err := s.of.coordinate(s.ctx, s.study.Study, s.watch, func(run int) point {
		j := s.asked[run]
		return point{j.Loaded, scenarios.ID(j.Loaded), j.Scenario, s.study.Settings(j.Values), j.Replication}
	})
	if err != nil {
		return nil, err
	}
	defer end()
	for s.workers = co; ; {
		found, err := tune.Search(s.study, s.run)
		if !errors.Is(err, errAgain) {
			return found, err
		}
		s.watch.Warn("the search goes on from run %d: it had decided on false ones", len(s.log.runs))
		co.Restart() // first, so that no worker asks for a run that is not there any more
		s.made, s.asked = nil, nil
	}
}

// errAgain ends a search that has decided on runs that do not hold any more.
var errAgain = errors.New("runs do not hold any more")

// farmed has jobs done by workers, of which the log may have the first. The runs are in the log then.
func (s *searching) farmed(jobs []tune.Job) error {
	at, total := len(s.made), uint64(s.most())
	s.asked = append(s.asked, jobs...)
	kept := s.log.records()[at:min(len(s.log.runs), at+len(jobs))]
	defer task.BrokenRun(s.broken(s.asked))
	err := s.workers.Do(s.ctx, len(jobs), kept, func(record []byte) error {
		s.log.read(s.study.Study, record)
		s.watch.At(s.study.Name, uint64(len(s.log.runs)), total)
		return s.log.err
	}, func(from int) error {
		if err := s.log.keep(from); err != nil || from >= at {
			return err
		}
		return errAgain
	})
	switch {
	case s.log.err != nil:
		return task.Fail(task.Environment, "--out: %w", s.log.err)
	case s.ctx.Err() != nil:
		return task.ErrStopped
	case errors.Is(err, errAgain):
		return err
	}
	return busKind(err)
}

func (s *searching) run(jobs []tune.Job) ([]study.Run, error) {
	if s.workers != nil {
		if err := s.farmed(jobs); err != nil {
			return nil, err
		}
		return s.take(jobs), nil
	}
	at := len(s.made)
	todo := jobs[min(len(jobs), max(0, len(s.log.runs)-at)):]
	work := make([]sim.Job, len(todo))
	for i, j := range todo {
		work[i] = sim.Job{Scenario: j.Loaded, Replication: j.Replication}
	}
	defer task.BrokenRun(s.broken(todo))
	total := uint64(s.most())
	own := new(task.Recipients) // synthetic lists
	done, err := sim.RunBatch(&s.batches, work, s.of.Workers,
		func(i uint64, world *sim.World, end vt.Time) study.Run {
			r := task.Observe(todo[i].Loaded, own, todo[i].Replication, world, end)
			return study.Run(studies.RunOf(r, s.study.Metrics))
		},
		func(r study.Run) {
			s.log.add(r)
			s.watch.At(s.study.Name, uint64(len(s.log.runs)), total)
		},
		func() bool { return s.ctx.Err() == nil && !s.log.full.Load() })
	switch {
	case err != nil:
		return nil, task.Error{Kind: task.Invalid, Err: err}
	case s.log.err != nil:
		return nil, task.Fail(task.Environment, "--out: %w", s.log.err)
	case done < uint64(len(todo)):
		return nil, task.ErrStopped
	}
	return s.take(jobs), nil
}

// take returns the runs of jobs, which the log has.
func (s *searching) take(jobs []tune.Job) []study.Run {
	at := len(s.made)
	runs := s.log.runs[at : at+len(jobs)]
	for i, r := range runs {
		s.made = append(s.made, tuning.Run{Trial: jobs[i].Trial, Scenario: jobs[i].Scenario,
			Replication: jobs[i].Replication, Run: studies.Run(r)})
	}
	return runs
}

// most returns the greatest number of runs that the search may make.
func (s *searching) most() int {
	return s.study.Tune.Budget + 2*s.study.Tune.HeldOut.Replications*len(s.study.Names)
}

// broken returns a function that describes a broken invariant in one of the jobs.
func (s *searching) broken(jobs []tune.Job) func(sim.Broken) (where, replay string) {
	return func(b sim.Broken) (where, replay string) {
		j := jobs[b.Replication]
		return fmt.Sprintf("trial %d, replication %d, %s", j.Trial, j.Replication, b.Where),
			s.of.replayRun(s.study.Names[j.Scenario], s.study.Settings(j.Values), j.Replication)
	}
}

// searched returns the result of a search in the form that its report needs. Replay is
// the command line that repeats the search.
func searched(r *tune.Result, runs []tuning.Run, replay string) tuning.Report {
	t := r.Study
	out := tuning.Report{Name: t.Name, About: t.About, ID: t.ID, Seed: t.Seed, Scenarios: t.Names[:t.Training],
		Unseen:    t.Names[t.Training:],
		Objective: t.Tune.Objective, Goal: t.Tune.Goal, Constraints: []tuning.Constraint{}, Budget: t.Tune.Budget,
		Spent: r.Spent, Refused: r.Refused,
		Verdict: r.Verdict, Metrics: t.Metrics, Runs: runs, Replay: replay}
	for _, c := range t.Tune.Constraints {
		out.Constraints = append(out.Constraints, tuning.Constraint(c))
	}
	for i := range t.Parameters {
		key := tuning.Key{Keys: t.Axes[i].Keys, From: t.Choices(i), Flat: slices.Contains(r.Flat, i)}
		if r.Winner.Values != nil {
			key.Value = r.Winner.Values[i]
		}
		out.Parameters = append(out.Parameters, key)
	}
	for _, s := range r.Rounds {
		out.Stages = append(out.Stages, tuning.Stage{Round: s.Round, Leader: s.Leader.Number,
			Ratio: tuning.RatioOfLoss(stats.Interval{Value: s.Loss}, t.Tune.Goal).Value, Spent: s.Spent})
	}
	for _, x := range r.Trials {
		trial := tuning.Trial{Number: x.Number, From: x.From, Values: x.Values, Seeds: len(x.Outcomes), Met: x.Met(),
			Ratio: tuning.RatioOfLoss(stats.Mean(x.Losses(), 0.95), t.Tune.Goal).Value, Why: string(x.Dropped.Why)}
		if x.Dropped.Why != tune.Kept {
			trial.Round = x.Dropped.Round + 1
		}
		for k := range t.Tune.Constraints {
			trial.Terms = append(trial.Terms, format.Num(r.Term(x, k)))
		}
		out.Trials = append(out.Trials, trial)
	}
	out.Winner = tuning.Winner{Number: r.Winner.Number, From: r.Winner.From, Set: t.Changes(r.Winner.Values),
		Training: tuning.RatioOfLoss(r.Training, t.Tune.Goal), Met: r.Winner.Met()}
	for i := range t.Names {
		s := r.Winner.Loaded(i)
		out.Best = append(out.Best, tuning.ResolvedFile{Scenario: t.Names[i], Text: scenarios.Resolved(s),
			Expect: s.Expect})
	}
	if r.Winner == r.Baseline {
		return out
	}
	h := &tuning.HeldOut{First: study.FirstHeldOut, Replications: t.Tune.HeldOut.Replications,
		Here: tuning.RatioOfLoss(r.HeldOut.Here, t.Tune.Goal), Gap: tuning.RatioOfLoss(r.HeldOut.Gap, t.Tune.Goal),
		Limits: []tuning.ConstraintResult{}}
	if r.HeldOut.Beyond.N > 0 {
		e := tuning.RatioOfLoss(r.HeldOut.Beyond, t.Tune.Goal)
		h.Beyond = &e
	}
	for _, c := range r.HeldOut.Cells {
		h.Cells = append(h.Cells, tuning.Cell{Scenario: t.Names[c.Scenario], Metric: c.Metric,
			Base: measure.Estimated(c.Base), Winner: measure.Estimated(c.New), Ratio: tuning.RatioOfLog(c.Log)})
	}
	for i, k := range r.HeldOut.Kept {
		e := measure.Estimated(k.Value)
		if k.Constraint.As == study.AsRatio {
			e = tuning.RatioOfLog(k.Value)
		}
		h.Limits = append(h.Limits, tuning.ConstraintResult{Scenario: t.Names[k.Scenario],
			Limit: i % len(t.Tune.Constraints), Value: e, Met: k.Met})
	}
	out.HeldOut = h
	return out
}
