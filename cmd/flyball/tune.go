package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/run"
	studies "flyball/reports/study"
	"flyball/reports/tuning"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
	"flyball/sim/tune"
)

func (a *app) tuneCommand() *cobra.Command {
	var w sweep
	c := &cobra.Command{
		Use:   "tune STUDY.toml",
		Short: "Search a study for the best values, and judge them by luck that the search has not seen",
		Long: `Search the parameters of a study with a table [tune] for the values that are best
in a metric, under constraints, with a budget of runs (docs/tuning.md): points
that fill the space, a race that doubles the seeds and drops losers by a paired
test, a local search, a last race. Then the winner and the scenarios as they are
run under held-out luck and in held-out scenarios; that decides what is reported,
and how much too good the search had it (the winner's curse) is said.

Writes a folder with tune.json, trials.csv, the Pareto front, report.html, and
best: every scenario with the winner's values, for run, realrun and compare.
flyball promote takes the folder too.

The space is checked before any run is made. A search that a signal stops goes
on where it was, with --resume or the same --out, and ends with the same files.

Exit codes: 0 done, whatever was found, 2 usage, 3 invalid study or scenario, or
a baseline that nothing can be compared with, 7 the folder cannot be written,
130 or 143 stopped by a signal.`,
		Example: "  flyball tune docs/studies/tune-quickstart.toml\n  flyball tune mine.toml --set governor.law=regulator --out tuned\n  flyball promote tuned --by ann",
		Args:    exactlyOne("a study"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := w.take(args[0]); err != nil {
				return err
			}
			return a.tune(&w)
		},
	}
	w.flags(c)
	c.Flags().BoolVar(&w.to.json, "json", false, "print tune.json instead of tables")
	return c
}

func (a *app) tune(w *sweep) error {
	var t *study.Tuning
	text, given, err := a.readStudy(&w.from, func(text []byte, seed *uint64, read study.Read) (err error) {
		t, err = study.LoadTuning(w.from.arg, text, w.from.sets, seed, read)
		return err
	})
	if err != nil {
		return err
	}
	held := 2 * t.Tune.HeldOut.Replications * len(t.Names)
	if w.dry {
		fmt.Fprintf(a.out, "%s: %d parameters, at most %d runs to search and %d to judge, study %.12s\n", t.Name, len(t.Parameters), t.Tune.Budget, held, t.ID)
		return nil
	}
	place, err := w.folder(t.Study, folder.TuningMode)
	if err != nil {
		return err
	}
	dir := place.Dir
	log, err := openProgress(t.Study, dir, w.resume != "", a.errout)
	if err != nil {
		return err
	}
	defer log.close()
	if n := len(log.runs); n > 0 && !a.quiet {
		fmt.Fprintf(a.errout, "going on after %d runs\n", n)
	}

	stop := a.watchSignals()
	defer stop.end()
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // as for replications
	began := time.Now()
	s := &searching{app: a, study: t, from: &w.from, jobs: w.jobs, log: log, stop: stop, bar: a.progress(t.Name)}
	found, err := tune.Search(t, s.run)
	s.bar.end()
	switch {
	case errors.Is(err, errStopped):
		if err := log.stop(); err != nil {
			return err
		}
		sig := stop.signal()
		return fail(signalCode(sig), "stopped by %s after %d runs, which are kept in %s\ngo on with: %s --resume %s", sig, len(log.runs), log.name,
			w.from.studyLine("tune"), quote(dir))
	case err != nil:
		if _, ok := err.(exit); ok {
			return err
		}
		return fail(exitInvalid, "%s: %w", w.from.arg, err)
	}
	report := tuning.Gather(searched(found, s.made, w.from.studyLine("tune")), host(time.Since(began)))
	if err := unwritten("folder of the search", report.Write(place, text, given)); err != nil {
		return err
	}
	log.done()
	if w.to.json {
		return a.printSummary(report)
	}
	if err := report.Text(a.out, a.colored()); err != nil {
		return err
	}
	if report.HeldOut != nil {
		fmt.Fprintf(a.out, "Try it: flyball run %s\n", quote(dir+"/best/00.toml"))
	}
	fmt.Fprintf(a.out, "Folder: %s\n", dir)
	return nil
}

var errStopped = errors.New("stopped by a signal")

// searching makes the runs that a search asks for, or takes them from those
// that were kept.
type searching struct {
	app     *app
	study   *study.Tuning
	from    *source
	jobs    int
	log     *progressLog
	stop    *signals
	bar     *progress
	batches sim.Batches
	made    []tuning.Run
}

func (s *searching) run(jobs []tune.Job) ([]study.Run, error) {
	at := len(s.made)
	todo := jobs[min(len(jobs), max(0, len(s.log.runs)-at)):]
	work := make([]sim.Job, len(todo))
	for i, j := range todo {
		work[i] = sim.Job{Scenario: j.Loaded, Replication: j.Replication}
	}
	defer s.broken(todo)
	total := uint64(s.study.Tune.Budget + 2*s.study.Tune.HeldOut.Replications*len(s.study.Names))
	done, err := sim.RunBatch(&s.batches, work, s.jobs,
		func(i uint64, world *sim.World, end vt.Time) study.Run {
			folded := describeAs(todo[i].Loaded, todo[i].ID, "sim", end, false)
			world.Record().Fold(folded, uint64(todo[i].Loaded.Recipients()), 0)
			return study.Run(studies.RunOf(run.Fold(folded, nil, ""), s.study.Metrics))
		},
		func(r study.Run) {
			s.log.add(r)
			s.bar.at(uint64(len(s.log.runs)), total)
		},
		func() bool { return s.stop.signal() == nil && !s.log.full.Load() })
	switch {
	case err != nil:
		return nil, fail(exitInvalid, "%w", err)
	case s.log.err != nil:
		return nil, fail(exitEnvironment, "--out: %w", s.log.err)
	case done < uint64(len(todo)):
		return nil, errStopped
	}
	runs := s.log.runs[at : at+len(jobs)]
	for i, r := range runs {
		s.made = append(s.made, tuning.Run{Trial: jobs[i].Trial, Scenario: jobs[i].Scenario, Replication: jobs[i].Replication, Run: studies.Run(r)})
	}
	return runs, nil
}

// broken reports a broken invariant in one run so that this one can be seen
// again alone.
func (s *searching) broken(jobs []tune.Job) {
	v := recover()
	if b, ok := v.(sim.Broken); ok {
		j := jobs[b.Replication]
		s.app.where = func() string { return fmt.Sprintf("trial %d, replication %d, %s", j.Trial, j.Replication, b.Where) }
		s.app.replay = s.from.runLine(s.study.Names[j.Scenario], s.study.Settings(j.Values), j.Replication)
		if os.Getenv("FLYBALL_TRACE") != "" {
			s.app.errout.Write(b.Stack)
		}
		v = b.Value
	}
	if v != nil {
		panic(v)
	}
}

// searched is a search as its report needs it.
func searched(r *tune.Result, runs []tuning.Run, replay string) tuning.Report {
	t := r.Study
	out := tuning.Report{Name: t.Name, About: t.About, ID: t.ID, Seed: t.Seed, Scenarios: t.Names[:t.Training], Unseen: t.Names[t.Training:],
		Objective: t.Tune.Objective, Goal: t.Tune.Goal, Constraints: []tuning.Constraint{}, Budget: t.Tune.Budget, Spent: r.Spent, Refused: r.Refused,
		Verdict: string(r.Verdict), Metrics: t.Metrics, Runs: runs, Replay: replay}
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
		out.Stages = append(out.Stages, tuning.Stage{Stage: s.Stage, Seeds: s.Seeds, Entered: s.Entered, Worse: s.Worse, Missed: s.Missed, Same: s.Same, Cut: s.Cut,
			Left: s.Left, Leader: s.Leader.Number, Ratio: tuning.RatioOfLoss(stats.Interval{Value: s.Loss}, t.Tune.Goal).Value, Spent: s.Spent})
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
		s, _ := r.Winner.Loaded(i)
		out.Best = append(out.Best, tuning.ResolvedFile{Scenario: t.Names[i], Text: scenarios.Resolved(s), Expect: s.Expect})
	}
	if r.Winner == r.Baseline {
		return out
	}
	h := &tuning.HeldOut{First: study.FirstHeldOut, Replications: t.Tune.HeldOut.Replications,
		Here: tuning.RatioOfLoss(r.HeldOut.Here, t.Tune.Goal), Gap: tuning.RatioOfLoss(r.HeldOut.Gap, t.Tune.Goal), Limits: []tuning.ConstraintResult{}}
	if r.HeldOut.Beyond.N > 0 {
		e := tuning.RatioOfLoss(r.HeldOut.Beyond, t.Tune.Goal)
		h.Beyond = &e
	}
	for _, c := range r.HeldOut.Cells {
		h.Cells = append(h.Cells, tuning.Cell{Scenario: t.Names[c.Scenario], Metric: c.Metric, Base: measure.Estimated(c.Base), Winner: measure.Estimated(c.New), Ratio: tuning.RatioOfLog(c.Log)})
	}
	for i, k := range r.HeldOut.Kept {
		e := measure.Estimated(k.Value)
		if k.Constraint.As == study.AsRatio {
			e = tuning.RatioOfLog(k.Value)
		}
		h.Limits = append(h.Limits, tuning.ConstraintResult{Scenario: t.Names[k.Scenario], Limit: i % len(t.Tune.Constraints), Value: e, Met: k.Met})
	}
	out.HeldOut = h
	return out
}
