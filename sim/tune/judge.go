package tune

import (
	"fmt"
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/reports/measure"
	"flyball/scenarios"
	"flyball/scenarios/study"
)

// level is the confidence level of all intervals.
const level = 0.95

// Job is one run that a search requests.
type Job struct {
	Trial       int // its Number
	Scenario    int // index into the study's Names
	Loaded      *scenarios.Scenario
	Values      []string // of the parameters; nil for the baseline
	Replication uint64
}

// Runner makes the runs and returns their results in the order of the jobs. It
// returns fewer results only with an error.
type Runner func([]Job) ([]study.Run, error)

// Result is the result of a search.
type Result struct {
	Study    *study.Tuning
	Trials   []*Trial // by Number
	Rounds   []Round
	Baseline *Trial
	Winner   *Trial // the baseline, if no trial was better
	Spent    int    // runs of the search
	Refused  int    // places of the space that the scenarios refuse
	// Flat lists the parameters that made no difference around any of the best
	// trials: over the whole range the runs were the same, attempt for attempt.
	Flat []int

	// HeldOut holds the results with held-out draws. It and the following fields
	// are zero if the baseline won.
	HeldOut  HeldOut
	Training stats.Interval // of the winner's losses in the search
	Verdict  study.Verdict
}

// HeldOut holds the results of the winner and the baseline on replications and
// scenarios that the search did not use.
type HeldOut struct {
	Base, New [][]study.Run  // [replication][scenario], for all Names of the study
	Here      stats.Interval // mean loss in the scenarios of the search
	Beyond    stats.Interval // mean loss in the held-out scenarios; N = 0 if there are none
	Gap       stats.Interval // loss here - loss in the search: the winner's curse
	Cells     []Cell
	Kept      []Constrained
}

// Cell is one metric in one scenario.
type Cell struct {
	Scenario  int
	Metric    string
	Base, New stats.Interval // of the means; a time that never came counts as the time watched
	// Log is the interval of the mean of ln(new / base), with the resolution added
	// to both where one is below it; N = 0 where it is undefined.
	Log stats.Interval
}

// Constrained is one constraint in one scenario.
type Constrained struct {
	Scenario   int
	Constraint study.Constraint
	Value      stats.Interval // of the compared quantity; for a ratio, of its logarithm
	Met        bool           // by the mean
}

// Search searches the space of a study within its budget and judges the winner
// on held-out runs. It returns the errors of the runner unchanged.
func Search(t *study.Tuning, run Runner) (*Result, error) {
	b := &bench{Tuning: t, run: run}
	s := &search{lab: laboratory{cost: t.Training, sides: t.Sides, values: t.Values, same: b.same, admit: b.admit,
		measure: b.measure}, budget: t.Tune.Budget,
		baseline: &Trial{admitted: t.Bases}}
	for i := range t.Parameters {
		s.lab.ranged = append(s.lab.ranged, t.Ranged(i))
	}
	winner, err := s.run()
	if err != nil {
		return nil, err
	}
	r := &Result{Study: t, Trials: s.trials, Rounds: s.rounds, Baseline: s.baseline, Winner: winner, Spent: s.spent,
		Refused:  s.refused,
		Training: stats.Mean(winner.Losses(), level), Verdict: study.NothingBetter}
	for i := range t.Parameters {
		if s.probed[i] && !s.matters[i] {
			r.Flat = append(r.Flat, i)
		}
	}
	if winner == s.baseline {
		return r, nil
	}
	if err := b.holdOut(r); err != nil {
		return nil, err
	}
	return r, nil
}

// Term returns the mean of the quantity that constraint k compares, for a trial
// of the search in the trial's worst scenario. For a ratio it is the geometric
// mean.
func (r *Result) Term(t *Trial, k int) float64 {
	b := &bench{Tuning: r.Study}
	c := r.Study.Tune.Constraints[k]
	worst := math.Inf(-1)
	value := math.NaN()
	for i := range r.Study.Training {
		sum := 0.0
		for n, runs := range t.Runs {
			sum += b.compared(c, runs[i], r.Baseline.Runs[n][i])
		}
		v := sum / float64(len(t.Runs))
		if over := b.over(c, v); over > worst || math.IsNaN(over) {
			worst, value = over, v
		}
		if math.IsNaN(v) {
			break
		}
	}
	if c.As == study.AsRatio {
		return math.Exp(value)
	}
	return value
}

// Loaded returns a scenario with the values of the trial.
func (t *Trial) Loaded(scenario int) *scenarios.Scenario {
	return t.admitted.([]*scenarios.Scenario)[scenario]
}

// bench implements the laboratory of a study.
type bench struct {
	*study.Tuning
	run  Runner
	base [][]study.Run // runs of the baseline, which is measured first
}

func (b *bench) admit(t *Trial) bool {
	all, err := b.With(t.Values)
	if err == nil {
		t.admitted = all
	}
	return err == nil
}

func (b *bench) measure(all []*Trial, n int) error {
	var jobs []Job
	for _, t := range all {
		for r := len(t.Outcomes); r < n; r++ {
			jobs = append(jobs, b.jobs(t, uint64(r), b.Training)...)
		}
	}
	runs, err := b.run(jobs)
	if err != nil {
		return err
	}
	for _, t := range all {
		for r := len(t.Outcomes); r < n; r++ {
			t.Runs = append(t.Runs, runs[:b.Training:b.Training])
			runs = runs[b.Training:]
			if t.Values == nil {
				b.base = t.Runs
				if err := b.sound(r); err != nil {
					return err
				}
			}
			t.Outcomes = append(t.Outcomes, b.outcome(t.Runs[r], b.base[r]))
		}
	}
	return nil
}

// jobs returns the jobs of one replication of a trial in the first n scenarios.
func (b *bench) jobs(t *Trial, replication uint64, n int) []Job {
	all := make([]Job, n)
	for i := range all {
		all[i] = Job{t.Number, i, t.Loaded(i), t.Values, replication}
	}
	return all
}

// same reports whether the first n replications of two trials have the same
// digests in every scenario of the search.
func (b *bench) same(x, y *Trial, n int) bool {
	for r := range n {
		for i := range b.Training {
			if x.Runs[r][i].Digest != y.Runs[r][i].Digest {
				return false
			}
		}
	}
	return true
}

// sound returns an error if replication r of the baseline has a value that no
// other can be compared with.
func (b *bench) sound(r int) error {
	for i, run := range b.base[r] {
		check := func(metric string) error {
			if v := b.value(run, metric); math.IsNaN(v) || math.IsInf(v, 0) || v <= 0 && resolution(metric) == 0 {
				return fmt.Errorf("%s: %s of replication %d of the baseline: got %g, want a finite value above 0 "+
					"to compare with", b.Names[i], metric, r, v)
			}
			return nil
		}
		if err := check(b.Tune.Objective); err != nil {
			return err
		}
		for _, c := range b.Tune.Constraints {
			if c.As != study.AsValue {
				if err := check(c.Metric); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// value returns a metric of a run. A time that never came counts as how long the run
// was watched for it: a settling time as the judged intervals, any other as the end.
func (b *bench) value(r study.Run, metric string) float64 {
	v := b.recorded(r, metric)
	switch {
	case !math.IsInf(v, 1) || !measure.MayNeverCome(metric):
		return v
	case measure.InIntervals(metric):
		return float64(r.Watched)
	}
	return b.recorded(r, measure.EndMetric)
}

// recorded returns a metric of a run as it was recorded.
func (b *bench) recorded(r study.Run, metric string) float64 {
	k := slices.Index(b.Metrics, metric)
	if k < 0 {
		panic("tune: metric " + metric + " was not recorded")
	}
	return r.Values[k]
}

// reached reports whether a run lasted until the time in hours that a metric is. A settling
// time is censored instead.
func (b *bench) reached(r study.Run, metric string) bool {
	if measure.InIntervals(metric) {
		return true
	}
	all := map[string]float64{metric: b.recorded(r, metric)}
	if metric == measure.EndMetric {
		all["pending"] = b.recorded(r, "pending")
	}
	return measure.Reached(metric, all)
}

func resolution(metric string) float64 {
	m, _ := measure.MetricNamed(metric)
	return m.Resolution
}

// log returns ln(next / base) of a metric in two runs with the same draws; NaN if
// it is undefined.
func (b *bench) log(next, base study.Run, metric string) float64 {
	x, y := b.value(next, metric), b.value(base, metric)
	e := measure.Added(resolution(metric), x, y)
	v := math.Log((x + e) / (y + e))
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// loss returns the mean loss over the scenarios of next and base.
func (b *bench) loss(next, base []study.Run) float64 {
	sum := 0.0
	for i := range next {
		sum += b.log(next[i], base[i], b.Tune.Objective)
	}
	if b.Tune.Goal == "maximise" {
		sum = -sum
	}
	return sum / float64(len(next))
}

func (b *bench) outcome(next, base []study.Run) Outcome {
	o := Outcome{Loss: b.loss(next, base)}
	for _, c := range b.Tune.Constraints {
		for i := range next {
			o.Over = append(o.Over, b.over(c, b.compared(c, next[i], base[i])))
		}
	}
	return o
}

// compared returns the quantity that a constraint compares; for a ratio, its
// logarithm.
func (b *bench) compared(c study.Constraint, next, base study.Run) float64 {
	switch c.As {
	case study.AsRatio:
		return b.log(next, base, c.Metric)
	case study.AsDifference:
		return b.value(next, c.Metric) - b.value(base, c.Metric)
	}
	return b.value(next, c.Metric)
}

// over returns how far v is beyond the limit of its constraint, as a share of
// the limit.
func (b *bench) over(c study.Constraint, v float64) float64 {
	limit, scale := c.Value, max(math.Abs(c.Value), resolution(c.Metric), 0.001)
	if c.As == study.AsRatio {
		limit, scale = math.Log(c.Value), 1
	}
	if c.Op == ">=" {
		return (limit - v) / scale
	}
	return (v - limit) / scale
}

// holdOut runs the winner and the baseline on the held-out replications and
// scenarios, and sets the verdict.
func (b *bench) holdOut(r *Result) error {
	n := len(b.Names)
	var jobs []Job
	for k := range b.Tune.HeldOut.Replications {
		for _, t := range []*Trial{r.Baseline, r.Winner} {
			jobs = append(jobs, b.jobs(t, study.FirstHeldOut+uint64(k), n)...)
		}
	}
	runs, err := b.run(jobs)
	if err != nil {
		return err
	}
	h := &r.HeldOut
	for range b.Tune.HeldOut.Replications {
		h.Base, h.New = append(h.Base, runs[:n:n]), append(h.New, runs[n:2*n:2*n])
		runs = runs[2*n:]
	}
	losses := func(from, to int) []float64 {
		var all []float64
		for k := range h.New {
			all = append(all, b.loss(h.New[k][from:to], h.Base[k][from:to]))
		}
		return all
	}
	here := losses(0, b.Training)
	h.Here = stats.Mean(here, level)
	h.Gap = stats.Unpaired(here, r.Winner.Losses(), level)
	r.Verdict = judged(here)
	if n > b.Training {
		beyond := losses(b.Training, n)
		h.Beyond = stats.Mean(beyond, level)
		if r.Verdict == study.ShownBetter && judged(beyond) != study.ShownBetter {
			r.Verdict = study.ShownBetterHere
		}
	}

	met := true
	for i := range n {
		for _, c := range b.Tune.Constraints {
			v := h.column(i, func(next, base study.Run) float64 { return b.compared(c, next, base) })
			k := Constrained{Scenario: i, Constraint: c, Value: stats.Mean(v, level)}
			k.Met = k.Value.N == len(v) && b.over(c, k.Value.Value) <= rounding && !slices.ContainsFunc(h.New,
				func(runs []study.Run) bool { return !b.reached(runs[i], c.Metric) })
			met = met && k.Met
			h.Kept = append(h.Kept, k)
		}
		for _, m := range b.Metrics {
			h.Cells = append(h.Cells, Cell{Scenario: i, Metric: m,
				Base: stats.Mean(h.column(i, func(_, base study.Run) float64 { return b.value(base, m) }), level),
				New:  stats.Mean(h.column(i, func(next, _ study.Run) float64 { return b.value(next, m) }), level),
				Log: stats.Mean(h.column(i, func(next, base study.Run) float64 { return b.log(next, base, m) }),
					level)})
		}
	}
	if !met && (r.Verdict == study.ShownBetter || r.Verdict == study.ShownBetterHere) {
		r.Verdict = study.MissesLimit
	}
	return nil
}

func (h *HeldOut) column(scenario int, of func(next, base study.Run) float64) []float64 {
	var all []float64
	for k := range h.New {
		all = append(all, of(h.New[k][scenario], h.Base[k][scenario]))
	}
	return all
}

// judged returns the verdict on losses: ShownBetter or ShownWorse if Student's
// interval excludes 0 and the signed-rank test agrees, as in a comparison.
// Otherwise, or if a loss is undefined, it returns NotShownBetter.
func judged(losses []float64) study.Verdict {
	i := stats.Mean(losses, level)
	above, below := stats.SignedRank(losses)
	switch ranks := 2*min(above, below) < 1-level; {
	case i.N < len(losses) || !ranks:
	case i.High < 0:
		return study.ShownBetter
	case i.Low > 0:
		return study.ShownWorse
	}
	return study.NotShownBetter
}
