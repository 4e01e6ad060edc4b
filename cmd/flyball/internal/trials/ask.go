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
	"flyball/internal/tomlfile"
	"flyball/internal/vt"
	"flyball/reports/answer"
	"flyball/reports/diagnosis"
	"flyball/reports/measure"
	"flyball/scenarios"
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
	w := &asking{ctx: ctx, of: q, from: from, base: s, watch: watch, free: free, few: few}
	if s.Recipients() > large {
		w.few = 1
	}
	question := ask.Question{Refused: q.Refused, Replications: w.few}
	for _, f := range free {
		question.Axes = append(question.Axes, f.Axis)
	}
	judging := q.Replications + (4+2*len(free))*w.few
	w.total = question.Most() + judging
	found, err := ask.Search(question, w.search)
	if err != nil {
		return nil, err
	}
	w.total = w.done + judging
	return w.report(found)
}

// load returns the scenario with the deadline of the question, and where it comes from.
func (q *Ask) load() (task.Source, *scenarios.Scenario, error) {
	from := q.From
	s, _, err := from.Load()
	if err != nil || q.Deadline == "" {
		return from, s, err
	}
	campaigns := s.Campaigns
	from.Set = slices.Clone(from.Set)
	for i := range s.Campaigns {
		from.Set = append(from.Set, fmt.Sprintf("campaign[%d].deadline=%s", i, q.Deadline))
	}
	s, _, err = from.Load()
	return from, s, q.ofDeadline(err, campaigns)
}

// ofDeadline returns an error about the deadline of one of the campaigns as one about
// --deadline; other errors unchanged.
func (q *Ask) ofDeadline(err error, campaigns []scenarios.Campaign) error {
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
			return task.Fail(task.Usage, "--deadline %s, campaign %s: %s", task.Quote(q.Deadline),
				campaigns[i].Name, p.Text)
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
	free    []freeKey
	watch   task.Watch
	batches sim.Batches
	done    int // runs
	total   int // runs, about
	few     int // runs with which settings are compared
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
		set = append(set, w.free[i].key+"="+w.free[i].Values[v])
	}
	return set
}

// hash returns the digest of the run as a number.
func (r result) hash() uint64 {
	n, err := strconv.ParseUint(r.digest, 16, 64)
	if err != nil {
		panic(err) // digests have 16 hexadecimal digits
	}
	return n
}

// runs makes one run of each job.
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

// search makes the runs that the search asks for. A run that is sure to miss its bar ends
// there.
func (w *asking) search(jobs []ask.Job) ([]ask.Outcome, error) {
	work := make([]sim.Job, len(jobs))
	lost := make([]bool, len(jobs))
	for i, j := range jobs {
		s, err := w.base.With(w.settings(j.At)...)
		if err != nil {
			return nil, task.Error{Kind: task.Invalid, Err: err}
		}
		work[i] = sim.Job{Scenario: s, Replication: j.Replication, Branches: true}
		if j.Bar != nil {
			work[i].Enough = func(run sim.Standing) bool {
				lost[i] = missed(j.Bar, s, run)
				return lost[i]
			}
		}
	}
	results, err := w.runs(work)
	if err != nil {
		return nil, err
	}
	all := make([]ask.Outcome, len(jobs))
	for i, r := range results {
		if lost[i] {
			all[i].Lost = true
			continue
		}
		all[i] = ask.Outcome{Refused: r.refused(), Late: r.lateShare(), End: r.end(), Digest: r.hash()}
	}
	return all, nil
}

// missed reports whether a run of s will miss the bar, however it goes on: at most, each
// recipient that is not final is tried as often as the retry limit allows, and not refused
// once.
func missed(bar *ask.Bar, s *scenarios.Scenario, run sim.Standing) bool {
	tries := float64(s.Retry.Spelled().Limit + 1)
	attempts := float64(run.Attempts) + tries*float64(run.Recipients-run.Final)
	return bar.Missed(float64(run.Refused)/attempts, float64(run.Late)/float64(run.Recipients), run.Now.Sub(0).Hours())
}

// several makes the first n runs of each scenario from a replication on, all of them in one batch.
func (w *asking) several(all []*scenarios.Scenario, first uint64, n int) ([][]result, error) {
	var work []sim.Job
	for _, s := range all {
		for i := range n {
			work = append(work, sim.Job{Scenario: s, Replication: first + uint64(i), Branches: i < w.few})
		}
	}
	results, err := w.runs(work)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(results, n)), nil
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
