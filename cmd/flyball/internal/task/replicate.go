package task

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

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
	From         Source
	Replications int     // number of replications, counted from 0; with Precision the greatest number, 0: 1000
	Precision    float64 // half width of the 95 % interval as a share of the mean; 0: not asked for
	Precisely    string  // Precision as it was written, for the replay command
	Of           string  // measure that Precision applies to; empty: the headline
	Recipients   Recipients
	Workers      int // runs at the same time; changes no result
	Place            // by default runs/NAME-KEY, KEY from the content
}

// DefaultReplicate returns a question without a number of replications or precision.
func DefaultReplicate() Replicate { return Replicate{Workers: runtime.GOMAXPROCS(0)} }

// Replicated is the result of replications, and their folder.
type Replicated struct {
	Report *ensemble.Report
	Words  []string // further lines to print
	Dir    string
}

// Validate returns an error if the question makes no sense for s.
func (q *Replicate) Validate(s *scenarios.Scenario) error {
	switch {
	case q.Replications != 0 || q.Precision == 0:
		if q.Replications < LeastReplications || q.Replications > MostReplications {
			return fail(Usage, "--replications: got %d, want %d to %d", q.Replications, LeastReplications,
				MostReplications)
		}
	}
	switch {
	case q.Precision != 0 && !(q.Precision >= 0.00001 && q.Precision < 1):
		return fail(Usage, "--precision: got %g, want a share of the mean such as 1%% or 0.01", q.Precision)
	case q.Precision != 0 && q.Replications != 0 && q.Replications < stats.Few:
		return fail(Usage, "--replications: got %d, want at least %d with --precision", q.Replications, stats.Few)
	case q.Workers < 1:
		return fail(Usage, "--jobs: got %d, want 1 or more", q.Workers)
	case q.Of != "" && q.Precision == 0:
		return fail(Usage, "--of: got %q without --precision", q.Of)
	case s.Analysis.Kind == "":
		return fail(Invalid, `%s does not define how repeated runs are to be read: want an [analysis] table with `+
			`kind = "terminating" (a campaign, from its start to its end) or kind = "steady-state" (the long run, `+
			`without its start-up); --set analysis.kind=... will do`, s.Name)
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
	return fail(Usage, "--of: got %q, want one of %s%s", q.Of, strings.Join(known, ", "), conf.DidYouMean(q.Of, known))
}

// Do makes the replications and writes their folder. If ctx ends, the ensemble has
// the replications that ended before, and is marked partial; without any, Do returns
// ErrStopped.
func (q *Replicate) Do(ctx context.Context, watch Watch) (*Replicated, error) {
	s, text, err := q.From.Load()
	if err != nil {
		return nil, err
	}
	if err := q.Validate(s); err != nil {
		return nil, err
	}
	if err := q.Recipients.Read(s); err != nil {
		return nil, err
	}
	settings := append(q.flagged(), q.Recipients.content()...)
	if err := q.check(asks(s, "sim", 0), settings); err != nil {
		return nil, err
	}
	defer brokenRun(alone(&q.From, &q.Recipients, s.Seed))
	defer manyRuns()()
	began := time.Now()
	runs, err := q.runs(ctx, s, watch)
	switch {
	case err != nil:
		return nil, err
	case len(runs) == 0:
		return nil, ErrStopped
	}
	asked := ensemble.Asked{Replications: q.Replications, Precision: q.Precision, Of: q.Of, Partial: ctx.Err() != nil,
		List: q.Recipients.digest}
	if asked.Of == "" {
		asked.Of = ensemble.Headline(s, runs)
	}
	e := ensemble.Gather(s, runs, asked, host(began), q.replay(s))
	place := q.at(filepath.Join("runs", s.Name+"-"+e.Key()), settings)
	out := &Replicated{Report: e, Dir: place.Dir}
	more := q.Recipients.files()
	if err := unwritten("run folder", e.Write(place, run.Extra{ScenarioTOML: text, ResolvedTOML: scenarios.Resolved(s),
		More: more})); err != nil {
		return nil, err
	}
	odd := Run{From: q.From, Replication: e.Odd(), Recipients: q.Recipients}
	out.Words = append([]string{"One of them:  " + odd.replayAlone(s.Seed)}, q.Recipients.Words()...)
	return out, nil
}

// runs makes as many replications as were asked for, or as the precision takes;
// fewer if ctx ends.
func (q *Replicate) runs(ctx context.Context, s *scenarios.Scenario, watch Watch) ([]ensemble.Observation, error) {
	var runs []ensemble.Observation
	until := func(total int) error {
		_, err := sim.Replicate(s, q.Recipients.list(), uint64(len(runs)), uint64(total-len(runs)), q.Workers,
			func(replication uint64, w *sim.World, end vt.Time) ensemble.Observation {
				return ensemble.Observe(observe(s, &q.Recipients, replication, w, end))
			},
			func(o ensemble.Observation) {
				runs = append(runs, o)
				watch.at(s.Name, uint64(len(runs)), uint64(total))
			}, going(ctx))
		if err != nil {
			return Error{Invalid, err}
		}
		return nil
	}
	if q.Precision == 0 {
		err := until(q.Replications)
		return runs, err
	}
	rule := stats.Rule{Relative: q.Precision, Most: q.Replications}
	if rule.Most == 0 {
		rule.Most = defaultMost
	}
	for look := rule.Next(0); look > 0; look = rule.Next(look) {
		if err := until(look); err != nil || len(runs) < look {
			return runs, err
		}
		of := q.Of
		if of == "" {
			of = ensemble.Headline(s, runs)
		}
		i := ensemble.Measured(s, runs, of)
		if i.N == 0 {
			return nil, fail(Invalid, "--of: %s is undefined in all of %d replications: want another metric", of,
				len(runs))
		}
		watch.note("%d replications: %s is known to +- %.2g %%, want %.2g %%", look, of, 100*i.Relative(),
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
		words = append(words, "--precision", Quote(strings.ReplaceAll(q.Precisely, " ", "")))
	}
	if q.Of != "" {
		words = append(words, "--of", q.Of)
	}
	return append(words, q.Recipients.flagged()...)
}

// replayAlone returns the command that repeats this replication alone, 0 included.
func (q *Run) replayAlone(seed uint64) string {
	return q.From.CommandLine("run", seed, append([]string{"--replication", fmt.Sprint(q.Replication)},
		q.Recipients.flagged()...)...)
}

// alone returns a function that describes a broken invariant in one of the
// replications of a scenario.
func alone(from *Source, own *Recipients, seed uint64) func(sim.Broken) (where, replay string) {
	return func(b sim.Broken) (where, replay string) {
		one := Run{From: *from, Replication: b.Replication, Recipients: *own}
		return fmt.Sprintf("replication %d, %s", b.Replication, b.Where), one.replayAlone(seed)
	}
}
