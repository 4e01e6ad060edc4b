// Package trials makes many runs and judges them together: replications of a scenario,
// comparisons of two candidates, studies and searches of parameters, and governor laws
// on the disturbance suite. Its questions are tasks, under the contract of package task,
// which has the single runs. The commands call it.
package trials

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/reports/compare"
	"flyball/reports/folder"
	"flyball/reports/measure"
	"flyball/scenarios"
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
	if err := missingPart(metrics, slices.Concat(tried[0], tried[1]), candidates); err != nil {
		return nil, err
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
		compared := [2]compare.Candidate{}
		for i, side := range sides {
			compared[i] = side.soFar(tried[i], candidates[i], n)
		}
		found, err = compare.Sides(compared[0], compared[1], q.Unlike, metrics[len(compare.Metrics()):]...)
		for i, one := range found.Scenarios {
			found.Scenarios[i].Replay = q.replayOf(one.Name, one.Pairs, sides, tried[0])
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

// missingPart returns an error if a metric is of a campaign or a destination that no scenario
// has, of those that are tried and those that the candidates, which are folders, have tried.
func missingPart(metrics []compare.Metric, tried []*trying, candidates [2]compare.Candidate) error {
	var all []*scenarios.Scenario
	for _, t := range tried {
		all = append(all, t.scenario)
	}
	for _, c := range candidates {
		for _, t := range c.Trials {
			s, err := scenarios.Load(t.Scenario, t.Resolved, nil)
			if err != nil {
				return nil // another revision's; what it lacks shows when the sides are compared
			}
			all = append(all, s)
		}
	}
	var wrong []error
	for _, m := range metrics {
		metric, of := measure.Split(m.Name)
		has := func(s *scenarios.Scenario) bool { return s.CheckMetric(m.Name) == nil }
		if of != "" && !slices.ContainsFunc(all, has) {
			wrong = append(wrong, task.Fail(task.Usage, "--of: got %q, want a campaign or a destination of a "+
				"scenario that is compared, and a metric that it has: none has %s of %q", m.Name, metric, of))
		}
	}
	return errors.Join(wrong...)
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

// replayOf returns the command line that compares one of the tried scenarios alone; where a side is a folder, all
// in it.
func (q *Compare) replayOf(scenario string, pairs int, sides [2]candidate, tried []*trying) string {
	one := *q
	i := slices.IndexFunc(tried, func(t *trying) bool { return t.scenario.Name == scenario })
	if i >= 0 && !sides[1].folder {
		from := tried[i].from
		one.Scenarios, one.Set, one.Pairs = []string{from.Arg}, from.Set[:len(from.Set)-len(sides[0].set)], pairs
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
