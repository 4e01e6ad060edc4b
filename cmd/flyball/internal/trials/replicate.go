package trials

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/run"
	"flyball/scenarios"
	"flyball/sim"
)

// defaultMost is the greatest number of replications if only a precision is given.
const defaultMost = 1000

// Replicate asks for independent replications of a scenario.
type Replicate struct {
	From         task.Source
	Replications int     // number of replications, counted from 0; with Precision the greatest number, 0: 1000
	Precision    float64 // half width of the 95 % interval as a share of the mean; 0: not asked for
	Precisely    string  // Precision as it was written, for the replay command
	Of           string  // measure that Precision applies to; empty: the headline
	Recipients   task.Recipients
	Workers      int // runs at the same time; changes no result
	Bus          Bus // of workers that make runs too
	task.Place       // by default runs/NAME-KEY, KEY from the content
}

// DefaultReplicate returns a question without a number of replications or precision.
func DefaultReplicate() Replicate { return Replicate{Workers: runtime.GOMAXPROCS(0)} }

// Replicated is the result of replications, and their folder.
type Replicated struct {
	Report *ensemble.Report
	Words  []string // further lines to print
	Dir    string
}

// checkReplications returns an error if n is not a number of replications.
func checkReplications(n int) error {
	if n < task.LeastReplications || n > task.MostReplications {
		return task.Fail(task.Usage, "--replications: got %d, want %d to %d", n, task.LeastReplications,
			task.MostReplications)
	}
	return nil
}

// Validate returns an error with everything in the question that makes no sense for s.
func (q *Replicate) Validate(s *scenarios.Scenario) error {
	var number, precision error
	if q.Replications != 0 || q.Precision == 0 {
		number = checkReplications(q.Replications)
	}
	if number == nil && q.Precision != 0 && q.Replications != 0 && q.Replications < stats.Few {
		number = task.Fail(task.Usage, "--replications: got %d, want at least %d with --precision", q.Replications,
			stats.Few)
	}
	if q.Precision != 0 && !(q.Precision >= 0.00001 && q.Precision < 1) {
		precision = task.Fail(task.Usage, "--precision: got %g, want a share of the mean such as 1%% or 0.01",
			q.Precision)
	}
	return errors.Join(number, precision, q.Bus.check(q.Workers), q.checkMeasure(s), q.checkList())
}

// checkList returns an error if workers elsewhere would need a list.
func (q *Replicate) checkList() error {
	if q.Bus.Used() && q.Recipients.File != "" {
		return task.Fail(task.Usage, "--list: got %s with --bus or --listen, want none: workers read no file",
			q.Recipients.File)
	}
	return nil
}

// checkMeasure returns an error if the precision of Of cannot be found from s.
func (q *Replicate) checkMeasure(s *scenarios.Scenario) error {
	switch {
	case q.Of != "" && q.Precision == 0:
		return task.Fail(task.Usage, "--of: got %q without --precision", q.Of)
	case q.Of == "":
		return nil
	}
	var known []string
	for _, m := range ensemble.Measures(s) {
		if m.Name == q.Of {
			return nil
		}
		known = append(known, m.Name)
	}
	return task.Fail(task.Usage, "--of: got %q, want one of %s%s", q.Of, strings.Join(known, ", "),
		conf.DidYouMean(q.Of, known))
}

// Do makes the replications and writes their folder. If ctx ends, the ensemble has
// the replications that ended before, and is marked partial; without any, Do returns
// ErrStopped.
func (q *Replicate) Do(ctx context.Context, watch task.Watch) (*Replicated, error) {
	s, text, err := q.From.Load()
	if err != nil {
		return nil, err
	}
	if s.Analysis.Kind == "" { // its list ends, and so do its runs
		s.Analysis.Kind = scenarios.Terminating
	}
	if err := q.Validate(s); err != nil {
		return nil, err
	}
	if err := q.Recipients.Read(s); err != nil {
		return nil, err
	}
	settings := append(q.flagged(), q.Recipients.Content()...)
	if err := q.Check(task.Attributes(s, "sim", 0), settings); err != nil {
		return nil, err
	}
	defer task.BrokenRun(alone(&q.From, &q.Recipients, s.Seed))
	defer task.ManyRuns()()
	began := time.Now()
	runs, err := q.runs(ctx, s, watch)
	switch {
	case err != nil:
		return nil, err
	case len(runs) == 0:
		return nil, task.ErrStopped
	}
	asked := ensemble.Asked{Replications: q.Replications, Precision: q.Precision, Of: q.Of, Partial: ctx.Err() != nil,
		List: q.Recipients.Digest()}
	if asked.Of == "" {
		asked.Of = ensemble.Headline(s, runs)
	}
	e := ensemble.Gather(s, runs, asked, task.Host(began), q.replay(s))
	place := q.At(filepath.Join("runs", s.Name+"-"+e.Key()), settings)
	out := &Replicated{Report: e, Dir: place.Dir}
	extra := run.Extra{ScenarioTOML: text, ResolvedTOML: scenarios.Resolved(s), More: q.Recipients.Files()}
	if err := task.Unwritten("run folder", e.Write(place, extra)); err != nil {
		return nil, err
	}
	odd := task.Run{From: q.From, Replication: e.Odd(), Recipients: q.Recipients}
	out.Words = append([]string{"One of them:  " + odd.ReplayAlone(s.Seed)}, q.Recipients.Words()...)
	return out, nil
}

// runs makes as many replications as were asked for, or as the precision takes;
// fewer if ctx ends.
func (q *Replicate) runs(ctx context.Context, s *scenarios.Scenario, watch task.Watch) ([]ensemble.Observation, error) {
	if !q.Bus.Used() {
		return q.looks(s, watch, q.here(ctx, s, watch))
	}
	id := scenarios.ID(s)
	o, end, err := q.Bus.observe(ctx, "replications of "+s.Name, q.Workers, watch, func(run int) point {
		return point{loaded: s, id: id, replication: uint64(run)}
	})
	if err != nil {
		return nil, err
	}
	defer end()
	for {
		runs, err := q.looks(s, watch, func(runs []ensemble.Observation, total int) ([]ensemble.Observation, error) {
			err := o.until(ctx, total, func(done int) { watch.At(s.Name, uint64(done), uint64(total)) })
			return append(runs, o.from(len(runs))...), err
		})
		if !errors.Is(err, errAgain) {
			tellStats(o.co, watch)
			return runs, err
		}
		watch.Warn("the precision is judged again from run %d on: it was judged by false ones", len(o.records))
	}
}

// here returns a function that extends replications to a total, on the cores of this machine; fewer if ctx ends.
func (q *Replicate) here(ctx context.Context, s *scenarios.Scenario, watch task.Watch) extend {
	return func(runs []ensemble.Observation, total int) ([]ensemble.Observation, error) {
		_, err := sim.Replicate(s, q.Recipients.List(), uint64(len(runs)), uint64(total-len(runs)), q.Workers,
			func(replication uint64, w *sim.World, end vt.Time) ensemble.Observation {
				return ensemble.Observe(task.Observe(s, &q.Recipients, replication, w, end))
			},
			func(o ensemble.Observation) {
				runs = append(runs, o)
				watch.At(s.Name, uint64(len(runs)), uint64(total))
			}, task.Going(ctx))
		if err != nil {
			return runs, task.Error{Kind: task.Invalid, Err: err}
		}
		return runs, nil
	}
}

// extend makes more replications, so that their number is total, or fewer if the run is stopped.
type extend func(runs []ensemble.Observation, total int) ([]ensemble.Observation, error)

// looks makes replications until there are as many as were asked for, or as the precision takes.
func (q *Replicate) looks(s *scenarios.Scenario, watch task.Watch, more extend) (runs []ensemble.Observation,
	err error) {
	if q.Precision == 0 {
		return more(nil, q.Replications)
	}
	rule := stats.Rule{Relative: q.Precision, Most: q.Replications}
	if rule.Most == 0 {
		rule.Most = defaultMost
	}
	for look := rule.Next(0); look > 0; look = rule.Next(look) {
		if runs, err = more(runs, look); err != nil || len(runs) < look {
			return runs, err
		}
		of := q.Of
		if of == "" {
			of = ensemble.Headline(s, runs)
		}
		i := ensemble.Measured(s, runs, of)
		if i.N == 0 {
			return nil, task.Fail(task.Invalid, "--of: %s is undefined in all of %d replications: want another metric",
				of, len(runs))
		}
		watch.Note("%d replications: %s is known to +- %.2g %%, want %.2g %%", look, of, 100*i.Relative(),
			100*rule.Relative)
		if rule.Enough(i) {
			break
		}
	}
	return runs, nil
}

// replay returns the command that repeats the replications.
func (q *Replicate) replay(s *scenarios.Scenario) string {
	return q.From.CommandLine("run", s.Seed, q.flagged()...)
}

// flagged returns the flags of the replay command.
func (q *Replicate) flagged() []string {
	var words []string
	if q.Replications > 0 {
		words = append(words, "--replications", fmt.Sprint(q.Replications))
	}
	if q.Precision > 0 {
		words = append(words, "--precision", task.Quote(strings.ReplaceAll(q.Precisely, " ", "")))
	}
	if q.Of != "" {
		words = append(words, "--of", q.Of)
	}
	return append(words, q.Recipients.Flags()...)
}

// alone returns a function that describes a broken invariant in one of the
// replications of a scenario.
func alone(from *task.Source, own *task.Recipients, seed uint64) func(sim.Broken) (where, replay string) {
	return func(b sim.Broken) (where, replay string) {
		one := task.Run{From: *from, Replication: b.Replication, Recipients: *own}
		return fmt.Sprintf("replication %d, %s", b.Replication, b.Where), one.ReplayAlone(seed)
	}
}
