package deadlines

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/task"
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
	return Ask{Refused: 0.02, Replications: judges, Workers: runtime.GOMAXPROCS(0)}
}

// Validate returns an error with everything in the question that makes no sense for
// any scenario.
func (q *Ask) Validate() error {
	var refused error
	if !(q.Refused >= 0 && q.Refused <= 1) {
		refused = task.Fail(task.Usage, "--refused: got %g, want a share from 0 to 1, such as 2%%", q.Refused)
	}
	return errors.Join(refused, checkJudges(q.Replications), task.CheckWorkers(q.Workers))
}

// Do searches and judges. If ctx ends, it returns Stopped.
func (q *Ask) Do(ctx context.Context, watch task.Watch) (*answer.Report, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	from, s, err := due(q.From, q.Deadline)
	if err != nil {
		return nil, err
	}
	free, err := q.free(s)
	if err != nil {
		return nil, err
	}
	defer task.ManyRuns()()
	w := &asking{of: q, from: from, base: s, free: free, few: few,
		laboratory: laboratory{ctx: ctx, watch: watch, name: s.Name, workers: q.Workers,
			replay: q.From.CommandLine("ask", s.Seed, q.flags()...)}}
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

// asking makes the runs of a question.
type asking struct {
	laboratory
	of   *Ask
	from task.Source // of the scenario with its deadlines
	base *scenarios.Scenario
	free []freeKey
	few  int // runs with which settings are compared
}

// result is what the report needs of a run.
type result struct {
	metrics map[string]float64
	digest  uint64

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

// resultOf returns the result of a run.
func resultOf(j sim.Job, world *sim.World, end vt.Time) result {
	r := task.Observe(j.Scenario, new(task.Recipients), j.Replication, world, end) // a synthetic list
	digest, err := strconv.ParseUint(r.Digest, 16, 64)
	if err != nil {
		panic(err) // digests have 16 hexadecimal digits
	}
	return result{metrics: r.Metrics(), digest: digest, findings: r.Findings}
}

// search makes the runs that the search asks for. A run that is sure to miss its bar ends
// there.
func (w *asking) search(jobs []ask.Job) ([]ask.Outcome, error) {
	work := make([]sim.Job, len(jobs))
	lost := make([]bool, len(jobs))
	for i, j := range jobs {
		s, err := with(w.base, w.settings(j.At))
		if err != nil {
			return nil, err
		}
		work[i] = sim.Job{Scenario: s, Replication: j.Replication, Branches: true}
		if j.Bar != nil {
			work[i].Enough = func(run sim.Standing) bool {
				lost[i] = missed(j.Bar, s, run)
				return lost[i]
			}
		}
	}
	results, err := runs(&w.laboratory, work, resultOf)
	if err != nil {
		return nil, err
	}
	all := make([]ask.Outcome, len(jobs))
	for i, r := range results {
		if lost[i] {
			all[i].Lost = true
			continue
		}
		all[i] = ask.Outcome{Refused: r.refused(), Late: r.lateShare(), End: r.end(), Digest: r.digest}
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
	results, err := runs(&w.laboratory, work, resultOf)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(results, n)), nil
}

// flags returns the flags that ask the same question.
func (q *Ask) flags() []string {
	own := []string{"--refused", strconv.FormatFloat(q.Refused, 'f', -1, 64)}
	if len(q.Free) > 0 {
		own = append(own, "--free", task.Quote(strings.Join(q.Free, ",")))
	}
	return flags([]string{q.Deadline}, own, q.Replications)
}
