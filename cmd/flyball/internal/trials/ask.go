package trials

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/stats"
	"flyball/internal/tomlfile"
	"flyball/internal/vt"
	"flyball/reports/answer"
	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
	"flyball/sim/ask"
)

// Ask asks with which setting a mailing ends soonest within its limits.
type Ask struct {
	From         task.Source
	Deadline     string   // of all campaigns; empty: their own
	Refused      float64  // greatest share of attempts that receivers refuse
	Free         []string // KEY, or KEY=FROM..TO; empty: the keys of the law
	Replications int      // runs with new draws that judge the best setting
	Workers      int      // runs at the same time; changes no result
}

// DefaultAsk returns a question with the limit of refusals at 2 % and 20 runs to judge.
func DefaultAsk() Ask {
	return Ask{Refused: 0.02, Replications: 20, Workers: runtime.GOMAXPROCS(0)}
}

// few is the number of runs with which settings are compared. With more than large
// recipients one run does: their draws average out, and the answer is to come within a
// minute.
const (
	few   = 4
	large = 1_000_000
)

// leastJudges is the least number of runs that can judge: fewer say nothing about a
// chance.
const leastJudges = 5

// Validate returns an error with everything in the question that makes no sense for
// any scenario.
func (q *Ask) Validate() error {
	var refused, replications error
	if !(q.Refused >= 0 && q.Refused <= 1) {
		refused = task.Fail(task.Usage, "--refused: got %g, want a share from 0 to 1, such as 2%%", q.Refused)
	}
	if q.Replications < leastJudges || q.Replications > task.MostReplications {
		replications = task.Fail(task.Usage, "--replications: got %d, want %d to %d", q.Replications, leastJudges,
			task.MostReplications)
	}
	return errors.Join(refused, replications, task.CheckWorkers(q.Workers))
}

// Do searches and judges. If ctx ends, it returns Stopped.
func (q *Ask) Do(ctx context.Context, watch task.Watch) (*answer.Report, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	from, s, err := q.load()
	if err != nil {
		return nil, err
	}
	free, err := q.free(s)
	if err != nil {
		return nil, err
	}
	defer task.ManyRuns()()
	w := &asking{ctx: ctx, of: q, from: from, base: s, watch: watch, free: free, few: few,
		kept: map[string][]result{}}
	if s.Recipients() > large {
		w.few = 1
	}
	question := ask.Question{Axes: axesOf(free), Refused: q.Refused, Replications: w.few}
	w.axes = question.Axes
	judging := q.Replications + 3*w.few
	w.total = 2*question.Most() + judging
	coarse, err := ask.Search(question, w.search)
	if err != nil {
		return nil, err
	}
	question.Axes = finer(question.Axes, coarse.Best.At)
	w.axes = question.Axes
	w.total = w.done + question.Most() + judging
	found, err := ask.Search(question, w.search)
	if err != nil {
		return nil, err
	}
	return w.report(found, coarse.Flat)
}

// load returns the scenario with the deadline of the question, and where it comes from.
func (q *Ask) load() (task.Source, *scenarios.Scenario, error) {
	from := q.From
	s, _, err := from.Load()
	if err != nil || q.Deadline == "" {
		return from, s, err
	}
	from.Set = slices.Clone(from.Set)
	for i := range s.Campaigns {
		from.Set = append(from.Set, fmt.Sprintf("campaign[%d].deadline=%s", i, q.Deadline))
	}
	s, _, err = from.Load()
	return from, s, ofDeadline(err)
}

// ofDeadline returns an error about the deadline of a campaign as one about
// --deadline; other errors unchanged.
func ofDeadline(err error) error {
	var all tomlfile.Problems
	if !errors.As(err, &all) {
		return err
	}
	for _, p := range all {
		if strings.HasSuffix(p.Key, "].deadline") {
			return task.Fail(task.Usage, "--deadline: %s", p.Text)
		}
	}
	return err
}

// asking makes the runs of a question.
type asking struct {
	ctx     context.Context
	of      *Ask
	from    task.Source // of the scenario with its deadlines
	base    *scenarios.Scenario
	free    []freeKey  // with all their values
	axes    []ask.Axis // of the search under way
	watch   task.Watch
	batches sim.Batches
	done    int                 // runs
	total   int                 // runs, about
	few     int                 // runs with which settings are compared
	kept    map[string][]result // by setting; of replications from 0
}

// result is what the report needs of a run.
type result struct {
	metrics map[string]float64
	digest  string

	findings []diagnosis.Finding
}

// lateShare returns the share of recipients that were late, or pending at the horizon,
// which is the last deadline of all.
func (r result) lateShare() float64 {
	late := r.metrics["pending"]
	if v := r.metrics["late_recipients"]; v > late {
		late = v
	}
	if n := r.metrics["recipients"]; n > 0 {
		return late / n
	}
	return 0
}

// end returns the hours until the last recipient was final; +Inf if some never were.
func (r result) end() float64 {
	if !measure.Reached(measure.EndMetric, r.metrics) {
		return math.Inf(1)
	}
	return r.metrics[measure.EndMetric]
}

// refused returns the share of attempts that were refused.
func (r result) refused() float64 {
	if v := r.metrics["refused_share"]; !math.IsNaN(v) {
		return v
	}
	return 0
}

// settings returns the entries of --set that make the setting at a place.
func (w *asking) settings(at []int) (set []string) {
	for i, v := range at {
		set = append(set, w.free[i].key+"="+w.axes[i].Values[v])
	}
	return set
}

// runs makes one run of each job, and keeps its result.
func (w *asking) runs(jobs []sim.Job) ([]result, error) {
	defer task.BrokenRun(func(b sim.Broken) (where, replay string) {
		j := jobs[b.Replication]
		return fmt.Sprintf("run %d of the search, %s", b.Replication, b.Where),
			w.from.CommandLine("run", j.Scenario.Seed, "--replication", fmt.Sprint(j.Replication))
	})
	var all []result
	own := new(task.Recipients) // synthetic lists
	n, err := sim.RunBatch(&w.batches, jobs, w.of.Workers,
		func(i uint64, world *sim.World, end vt.Time) result {
			r := task.Observe(jobs[i].Scenario, own, jobs[i].Replication, world, end)
			return result{metrics: r.Metrics(), digest: r.Digest, findings: r.Findings}
		},
		func(r result) {
			all = append(all, r)
			w.done++
			w.watch.At(w.base.Name, uint64(w.done), uint64(max(w.total, w.done)))
		}, task.Going(w.ctx))
	switch {
	case err != nil:
		return nil, task.Error{Kind: task.Invalid, Err: err}
	case n < uint64(len(jobs)):
		return nil, task.Stopped{Done: w.done, Total: w.total}
	}
	return all, nil
}

// search makes the runs that the search asks for, each once.
func (w *asking) search(jobs []ask.Job) ([]ask.Outcome, error) {
	var work []sim.Job
	var of []string
	for _, j := range jobs {
		set := w.settings(j.At)
		if uint64(len(w.kept[name(set)])) > j.Replication {
			continue
		}
		s, err := w.base.With(set...)
		if err != nil {
			return nil, task.Error{Kind: task.Invalid, Err: err}
		}
		work = append(work, sim.Job{Scenario: s, Replication: j.Replication})
		of = append(of, name(set))
	}
	results, err := w.runs(work)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		w.kept[of[i]] = append(w.kept[of[i]], r)
	}
	all := make([]ask.Outcome, len(jobs))
	for i, j := range jobs {
		r := w.kept[name(w.settings(j.At))][j.Replication]
		digest, err := strconv.ParseUint(r.digest, 16, 64)
		if err != nil {
			panic(err) // digests have 16 hexadecimal digits
		}
		all[i] = ask.Outcome{Refused: r.refused(), Late: r.lateShare(), End: r.end(), Digest: digest}
	}
	return all, nil
}

// name returns a name for a setting.
func name(set []string) string { return strings.Join(set, " ") }

// several makes n runs of a scenario, from a replication on.
func (w *asking) several(s *scenarios.Scenario, first uint64, n int) ([]result, error) {
	work := make([]sim.Job, n)
	for i := range work {
		work[i] = sim.Job{Scenario: s, Replication: first + uint64(i)}
	}
	return w.runs(work)
}

// report judges the best setting and what changes of it would do. Flat reports which free
// keys changed no run over all their values.
func (w *asking) report(found *ask.Answer, flat []bool) (*answer.Report, error) {
	set := w.settings(found.Best.At)
	best, err := w.base.With(set...)
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	r := &answer.Report{Scenario: w.base.Name, ScenarioID: scenarios.ID(w.base), Seed: w.base.Seed,
		Clock: w.base.Clock(), Refused: format.Num(w.of.Refused), Matters: ask.Matters,
		Searched: w.done}
	for _, c := range w.base.Campaigns {
		r.Deadlines = r.Deadlines || c.Deadline > 0
	}
	for i, f := range w.free {
		r.Free = append(r.Free, answer.Free{Key: f.key, From: f.Values[0], To: f.Values[len(f.Values)-1],
			Tried: len(f.Values), Chosen: w.axes[i].Values[found.Best.At[i]], Flat: flat[i]})
	}
	held, err := w.several(best, study.FirstHeldOut, w.of.Replications)
	if err != nil {
		return nil, err
	}
	r.Best = setting(set, held)
	r.Held = answer.Held{Runs: len(held), First: study.FirstHeldOut}
	for _, one := range held {
		if one.refused() <= w.of.Refused && one.lateShare() == 0 {
			r.Held.Kept++
		}
	}
	r.Held.Share = measure.Estimated(stats.Share(r.Held.Kept, r.Held.Runs, 0.95))
	r.Binds = append([]diagnosis.Finding{}, held[0].findings...)
	own, err := w.several(w.base, 0, w.few)
	if err != nil {
		return nil, err
	}
	r.Own = setting(nil, own)
	if err := w.changes(r, found, best); err != nil {
		return nil, err
	}
	show := w.from
	show.Set = append(slices.Clone(show.Set), set...)
	r.Show = show.CommandLine("run", w.base.Seed)
	r.Replay = w.of.From.CommandLine("ask", w.base.Seed, w.flags()...)
	return r, nil
}

// changes adds what one step of each value, an hour and a server would change.
func (w *asking) changes(r *answer.Report, found *ask.Answer, best *scenarios.Scenario) error {
	r.Beside = setting(r.Best.Set, w.kept[name(r.Best.Set)])
	for i, pair := range found.Around {
		for _, t := range pair {
			if t == nil || found.Flat[i] {
				continue
			}
			what := fmt.Sprintf("%s = %s", w.free[i].key, w.axes[i].Values[t.At[i]])
			r.Changes = append(r.Changes, answer.Change{What: what,
				Result: setting(w.settings(t.At), w.kept[name(w.settings(t.At))])})
		}
	}
	type variant struct {
		what string
		make func(*scenarios.Scenario)
	}
	variants := []variant{{"a server more", func(s *scenarios.Scenario) {
		more := s.Servers[len(s.Servers)-1]
		more.Name = fmt.Sprintf("more-%d", len(s.Servers)+1)
		s.Servers = append(s.Servers, more)
	}}}
	if r.Deadlines {
		variants = append(variants, variant{"an hour more", func(s *scenarios.Scenario) {
			for i := range s.Campaigns {
				if c := &s.Campaigns[i]; c.Deadline > 0 {
					c.Deadline = min(c.Deadline+vt.Span(3600e9), s.Horizon)
				}
			}
		}})
	}
	for _, v := range variants {
		s, err := best.Changed(v.make)
		if err != nil {
			continue // the scenario admits no such change: its servers are one
		}
		results, err := w.several(s, 0, w.few)
		if err != nil {
			return err
		}
		r.Changes = append(r.Changes, answer.Change{What: v.what, Result: setting(nil, results)})
	}
	return nil
}

// setting returns the means of a setting's runs.
func setting(set []string, runs []result) answer.Setting {
	mean := func(name string) format.Num {
		sum := 0.0
		for _, r := range runs {
			sum += r.metrics[name] / float64(len(runs))
		}
		return format.Num(sum)
	}
	s := answer.Setting{Set: set, Runs: len(runs), T50: mean("t50_h"), T90: mean("t90_h"), T99: mean("t99_h"),
		Late: mean("late_recipients"), Pending: mean("pending"), Refused: mean("refused_share"),
		Recipients: mean("recipients"), Failed: mean("failed")}
	for _, r := range runs {
		s.End += format.Num(r.end() / float64(len(runs)))
	}
	return s
}

// flags returns the flags that ask the same question.
func (w *asking) flags() (words []string) {
	q := w.of
	if q.Deadline != "" {
		words = append(words, "--deadline", task.Quote(q.Deadline))
	}
	words = append(words, "--refused", strconv.FormatFloat(q.Refused, 'f', -1, 64))
	if len(q.Free) > 0 {
		words = append(words, "--free", task.Quote(strings.Join(q.Free, ",")))
	}
	if q.Replications != DefaultAsk().Replications {
		words = append(words, "--replications", strconv.Itoa(q.Replications))
	}
	return words
}
