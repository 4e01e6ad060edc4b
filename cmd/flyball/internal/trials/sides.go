package trials

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/vt"
	"flyball/reports/compare"
	"flyball/reports/ensemble"
	"flyball/scenarios"
	"flyball/sim"
)

// candidate is Base or New: a folder, or changes to every scenario.
type candidate struct {
	arg    string
	folder bool
	set    []string
}

// noCandidate stands for the side that is missing where one alone is run.
var noCandidate compare.Candidate

// parseSide reads BASE or NEW.
func parseSide(arg string) (candidate, error) {
	s := candidate{arg: arg}
	kind, text, _ := strings.Cut(arg, ":")
	entries := task.Entries(text)
	switch kind {
	case "law":
		if len(entries) == 0 {
			return s, task.Fail(task.Usage, "got %q, want a law such as law:patent-dynamic", arg)
		}
		s.set = []string{"governor.law=" + entries[0]}
		for _, e := range entries[1:] {
			s.set = append(s.set, "governor."+e)
		}
	case "set":
		s.set = entries
	default:
		s.folder = true
		if _, builtin := scenarios.Builtin(arg); builtin {
			return s, task.Fail(task.Usage, "got the scenario %q, want a folder, or law:NAME, or set:key=value, with "+
				"--scenario %s", arg, arg)
		}
		if err := task.WrongFile(arg); err != nil {
			return s, err
		}
		if info, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			return s, task.Fail(task.Usage, "no folder %q; want one, or law:NAME, or set:key=value", arg)
		}
	}
	return s, nil
}

// toTry loads the scenarios for side s, which is not a folder. If the other side is a
// folder, they are the scenarios in there.
func (q *Compare) toTry(s, other candidate, there compare.Candidate) ([]*trying, error) {
	var all []*trying
	if other.folder {
		for _, t := range there.Trials {
			from := task.Source{Arg: filepath.Join(other.arg, "scenario.resolved.toml"),
				Set: slices.Concat(q.Set, s.set)}
			loaded, err := scenarios.Load(from.Arg, t.Resolved, from.Set)
			if err != nil {
				return nil, task.Error{Kind: task.Invalid, Err: err}
			}
			some := &trying{scenario: loaded, from: from}
			for _, r := range t.Runs {
				some.only = append(some.only, r.Replication)
			}
			slices.Sort(some.only)
			all = append(all, some)
		}
		return all, nil
	}
	for _, f := range q.sources(s) {
		loaded, _, err := f.Load()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(t *trying) bool { return t.scenario.Name == loaded.Name }) {
			return nil, task.Fail(task.Usage, "--scenario: %s is there twice", loaded.Name)
		}
		all = append(all, &trying{scenario: loaded, from: f})
	}
	return all, nil
}

// sources returns the scenarios to run, with the changes of side s.
func (q *Compare) sources(s candidate) []task.Source {
	var from []task.Source
	for _, name := range q.Scenarios {
		from = append(from, task.Source{Arg: name})
	}
	if from == nil {
		for _, t := range scenarios.Suite() {
			from = append(from, task.Source{Arg: t.Name, Set: t.Set})
		}
	}
	for i := range from {
		from[i].Set = slices.Concat(from[i].Set, q.Set, s.set)
		from[i].Seed = q.Seed
	}
	return from
}

// trying is a scenario that is being tried on one side.
type trying struct {
	scenario *scenarios.Scenario
	from     task.Source
	only     []uint64 // replications that the other side's folder has; nil: as many as the look needs
	runs     []ensemble.Observation
	sameAs   *trying // the other side's, if the scenarios are equal; nil otherwise
}

// soFar returns the side with the runs that a look at n pairs has: those tried, or, of the folder there, the first n;
// all of the folder if n is 0.
func (s candidate) soFar(tried []*trying, there compare.Candidate, n int) compare.Candidate {
	if s.folder {
		if n > 0 {
			return there.First(n)
		}
		return there
	}
	c := compare.Candidate{Name: s.arg}
	for _, t := range tried {
		runs := t.runs
		if t.sameAs != nil {
			runs = t.sameAs.runs
		}
		c.Trials = append(c.Trials, compare.Tried(t.scenario, runs))
	}
	return c
}

// try makes the runs that are missing for a look at n pairs.
func (q *Compare) try(ctx context.Context, all []*trying, n int, watch task.Watch) error {
	type batch struct {
		t       *trying
		from, n uint64
	}
	var todo []batch
	total, done := uint64(0), uint64(0)
	for _, t := range all {
		switch {
		case t.sameAs != nil:
		case t.only == nil:
			todo = append(todo, batch{t, uint64(len(t.runs)), uint64(n - len(t.runs))})
		default:
			for i := len(t.runs); i < min(n, len(t.only)); i++ { // successive ones together
				if last := len(todo) - 1; last >= 0 && todo[last].t == t && todo[last].from+todo[last].n == t.only[i] {
					todo[last].n++
					continue
				}
				todo = append(todo, batch{t, t.only[i], 1})
			}
		}
	}
	for _, b := range todo {
		total += b.n
	}
	own := new(task.Recipients) // candidates are compared on synthetic lists
	for _, b := range todo {
		err := func() error {
			defer task.BrokenRun(alone(&b.t.from, own, b.t.scenario.Seed))
			_, err := sim.Replicate(b.t.scenario, own.List(), b.from, b.n, q.Workers,
				func(replication uint64, w *sim.World, end vt.Time) ensemble.Observation {
					return ensemble.Observe(task.Observe(b.t.scenario, own, replication, w, end))
				},
				func(o ensemble.Observation) {
					b.t.runs = append(b.t.runs, o)
					done++
					watch.At("compare", done, total)
				},
				task.Going(ctx))
			return err
		}()
		if err != nil {
			return task.Fail(task.Invalid, "%s: %w", b.t.scenario.Name, err)
		}
		if ctx.Err() != nil {
			return task.Stopped{Done: int(done), Total: int(total)}
		}
	}
	return nil
}
