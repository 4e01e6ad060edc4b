// Package trials makes many runs and judges them together: replications of a scenario,
// comparisons of two candidates, studies and searches of parameters, and governor laws
// on the disturbance suite. Its questions are tasks, under the contract of package task,
// which has the single runs. The commands call it.
package trials

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/vt"
	"flyball/reports/compare"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/scenarios"
	"flyball/sim"
)

// DefaultPairs is the default number of pairs of runs of each scenario.
const DefaultPairs = 20

// A gate looks at its pairs of runs up to gateLooks times, a quick one quickLooks times, each
// time at morePairs times the number of pairs before.
const (
	morePairs  = 3
	gateLooks  = 3
	quickLooks = 2
)

// Compare asks for a comparison of two candidates under the same draws.
type Compare struct {
	Base, New  string   // law:NAME[,key=value...], set:key=value[,...] or a folder
	Scenarios  []string // to compare on; nil: the suite
	Set        []string // path.to.key=value, on both sides
	Seed       string   // of all draws; empty: the scenarios' own
	Pairs      int      // pairs of runs of each scenario; with Gate, at the first look
	Gate       bool     // judge New by the margins
	Allow      bool     // let an inconclusive gate pass
	Strict     bool     // what could not be compared makes the gate inconclusive
	Missing    []string // scenarios of Base that New may lack
	Quick      bool     // fewer looks of a gate
	Of         []string // metrics that are compared besides compare.Metrics
	Margins    []string // metric=5%, metric=5%+FLOOR or metric=none
	Unlike     bool     // compare scenarios that differ in more than their policy
	Workers    int      // runs at the same time; changes no result
	task.Place          // by default runs/compare-KEY, KEY from the content
}

// DefaultCompare returns a question without candidates.
func DefaultCompare() Compare {
	return Compare{Pairs: DefaultPairs, Workers: runtime.GOMAXPROCS(0)}
}

// noCandidate stands for the side that is missing where one alone is run.
var noCandidate compare.Candidate

// Compared is a comparison and its folder.
type Compared struct {
	Report  *compare.Report
	Replay  string // command line that repeats the comparison
	Dir     string
	Nothing error // set if a gate had nothing to compare: there is a verdict but no folder
	place   folder.Place
	began   time.Time
}

// ErrNoGate is the error of flags that need a gate.
var ErrNoGate = task.Fail(task.Usage, "--margin, --quick, --junit, --annotations, --strict, --allow-inconclusive and "+
	"--allow-missing belong to a gate: want --gate with them")

// Write writes the folder.
func (c *Compared) Write() error {
	return task.Unwritten("folder", c.Report.Write(c.place, c.Replay, task.Host(c.began)))
}

// candidate is Base or New: a folder, or changes to every scenario.
type candidate struct {
	arg    string
	folder bool
	set    []string
}

// Validate returns an error with everything in the question that makes no sense for
// any candidates.
func (q *Compare) Validate() error {
	_, bad := margins(q.Of, q.Margins)
	var both error
	if q.Strict && q.Allow {
		both = task.Fail(task.Usage, "--strict wants more to be shown, --allow-inconclusive less: want one of them")
	}
	return errors.Join(checkReplications(q.Pairs), task.CheckWorkers(q.Workers), bad, both)
}

// validate returns the metrics of the gate, or an error if the question makes no sense
// for these candidates.
func (q *Compare) validate(base, next candidate) ([]compare.Metric, error) {
	pairs := q.Pairs != DefaultPairs
	var ungated error
	if !q.Gate && (q.Margins != nil || q.Quick || q.Allow || q.Strict || q.Missing != nil) {
		ungated = ErrNoGate
	}
	var folders error
	switch {
	case base.folder && next.folder && (q.Scenarios != nil || q.Set != nil || q.Seed != "" || pairs):
		folders = task.Fail(task.Usage, "--scenario, --set, --seed and --replications are for new runs: two folders "+
			"have their runs")
	case (base.folder || next.folder) && (q.Scenarios != nil || q.Seed != "" || pairs):
		folders = task.Fail(task.Usage, "--scenario, --seed and --replications: the folder decides these")
	}
	if err := errors.Join(ungated, folders, q.Validate()); err != nil {
		return nil, err
	}
	return margins(q.Of, q.Margins)
}

// Do makes the runs that the question needs and compares them. If ctx ends, it returns
// an ErrStopped. Write writes the folder later, so that a full disk does not lose the
// answer.
func (q *Compare) Do(ctx context.Context, watch task.Watch) (*Compared, error) {
	var sides [2]candidate
	for i, arg := range []string{q.Base, q.New} {
		var err error
		if sides[i], err = parseSide(arg); err != nil {
			return nil, err
		}
	}
	metrics, err := q.validate(sides[0], sides[1])
	if err != nil {
		return nil, err
	}
	var candidates [2]compare.Candidate
	for i, s := range sides {
		if s.folder {
			if candidates[i], err = compare.ReadCandidate(s.arg); err != nil {
				return nil, task.Error{Kind: task.Invalid, Err: err}
			}
		}
	}
	var tried [2][]*trying
	for i, s := range sides {
		if !s.folder {
			if tried[i], err = q.toTry(s, sides[1-i], candidates[1-i]); err != nil {
				return nil, err
			}
		}
	}
	for i := range min(len(tried[0]), len(tried[1])) {
		if scenarios.ID(tried[0][i].scenario) == scenarios.ID(tried[1][i].scenario) {
			tried[1][i].sameAs = tried[0][i]
		}
	}
	settings := []string{q.replay()}
	for _, t := range slices.Concat(tried[0], tried[1]) {
		settings = append(settings, fmt.Sprintf("scenario %.12s", scenarios.ID(t.scenario)))
	}
	if err := q.Check(folder.Attributes{Name: "comparison", Mode: folder.ComparisonMode}, settings); err != nil {
		return nil, err
	}
	looks := q.looks(sides, candidates)

	defer task.ManyRuns()()
	began := time.Now()
	var found *compare.Report
	for k, n := range looks {
		if err := q.try(ctx, slices.Concat(tried[0], tried[1]), n, watch); err != nil {
			return nil, err
		}
		compared := candidates
		for i, s := range sides {
			if s.folder {
				if n > 0 {
					compared[i] = candidates[i].First(n)
				}
				continue
			}
			compared[i] = compare.Candidate{Name: s.arg}
			for _, t := range tried[i] {
				runs := t.runs
				if t.sameAs != nil {
					runs = t.sameAs.runs
				}
				compared[i].Trials = append(compared[i].Trials, compare.Tried(t.scenario, runs))
			}
		}
		found, err = compare.Sides(compared[0], compared[1], q.Unlike, metrics[len(compare.Metrics()):]...)
		for i, s := range found.Scenarios {
			found.Scenarios[i].Replay = q.replayOf(s.Name, s.Pairs)
		}
		found.AllowMissing(q.Missing)
		switch {
		// a gate that compared nothing has failed
		case q.Gate && errors.Is(err, compare.ErrNothing) && len(found.Unexcused()) > 0:
			found.Verdict = found.Lacking()
			return &Compared{Report: found, Replay: q.replay(), Nothing: err}, nil
		case err != nil:
			return nil, task.Error{Kind: task.Invalid, Err: err}
		}
		if !q.Gate {
			break
		}
		if n == 0 {
			for _, s := range found.Scenarios {
				looks[0] = max(looks[0], s.Pairs)
			}
		}
		found.Verdict = found.Judge(looks, k, metrics)
		found.Verdict.Settle(q.Allow, q.Strict)
		if found.Verdict.Failed || !found.Verdict.Open {
			break
		}
		if k+1 < len(looks) {
			watch.Note("%d pairs of each scenario do not decide: on to %d", n, looks[k+1])
		}
	}
	place := q.At(filepath.Join("runs", "compare-"+found.Key()), settings)
	return &Compared{Report: found, Replay: q.replay(), Dir: place.Dir, place: place, began: began}, nil
}

// looks returns the numbers of pairs at each look; a single 0 for all pairs that two
// folders have. Where one side is a folder, the last look is at all its runs.
func (q *Compare) looks(sides [2]candidate, candidates [2]compare.Candidate) []int {
	most := gateLooks
	if q.Quick {
		most = quickLooks
	}
	if sides[0].folder && sides[1].folder {
		return []int{0}
	}
	for i, s := range sides {
		if !s.folder {
			continue
		}
		runs := 0
		for _, t := range candidates[i].Trials {
			runs = max(runs, len(t.Runs))
		}
		if !q.Gate {
			return []int{runs}
		}
		all := []int{DefaultPairs}
		for len(all) < most && all[len(all)-1] < runs {
			all = append(all, all[len(all)-1]*morePairs)
		}
		if last := len(all) - 1; all[last] > runs {
			all = append(all[:max(0, last-1)], runs) // a look at hardly more pairs than before is worth nothing
		}
		return all
	}
	looks := []int{q.Pairs}
	for q.Gate && len(looks) < most {
		looks = append(looks, min(looks[len(looks)-1]*morePairs, task.MostReplications))
	}
	return looks
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

// replayOf returns the command line that compares one of the scenarios alone; of folders, all in them.
func (q *Compare) replayOf(scenario string, pairs int) string {
	one := *q
	both := true
	for _, side := range []string{q.Base, q.New} {
		s, err := parseSide(side)
		both = both && err == nil && !s.folder
	}
	for _, f := range q.sources(candidate{}) {
		if loaded, _, err := f.Load(); both && err == nil && loaded.Name == scenario {
			one.Scenarios, one.Set, one.Pairs = []string{f.Arg}, f.Set, pairs
		}
	}
	one.Gate, one.Quick, one.Allow, one.Strict, one.Margins, one.Missing = false, false, false, false, nil, nil
	return one.replay()
}

// replay returns the command line that repeats the comparison.
func (q *Compare) replay() string {
	words := []string{"flyball", "compare", task.Quote(q.Base), task.Quote(q.New)}
	for _, s := range q.Scenarios {
		words = append(words, "--scenario", task.Quote(s))
	}
	for _, s := range q.Set {
		words = append(words, "--set", task.Quote(s))
	}
	if q.Seed != "" {
		words = append(words, "--seed", task.Quote(q.Seed))
	}
	if q.Pairs != DefaultPairs {
		words = append(words, "--replications", fmt.Sprint(q.Pairs))
	}
	if q.Unlike {
		words = append(words, "--unlike")
	}
	for _, name := range q.Of {
		words = append(words, "--of", task.Quote(name))
	}
	if q.Gate {
		words = append(words, "--gate")
	}
	if q.Quick {
		words = append(words, "--quick")
	}
	if q.Allow {
		words = append(words, "--allow-inconclusive")
	}
	if q.Strict {
		words = append(words, "--strict")
	}
	for _, name := range q.Missing {
		words = append(words, "--allow-missing", task.Quote(name))
	}
	for _, m := range q.Margins {
		words = append(words, "--margin", task.Quote(m))
	}
	return strings.Join(words, " ")
}

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
