// Package compare reports two sides, run under the same draws, metric by metric
// as ratios of pairs, and judges the regression gate. It refuses sides that
// come from different scenarios. The command line calls it.
package compare

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/reports/ensemble"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios"
)

// Metric is a number by which two candidates are compared.
//
// The logarithm of the ratio is compared, log(new / base), so that a half and a double
// weigh the same. Where one of the two is below the resolution, the resolution is added to
// both, so that 0 can be compared and small numbers count for little.
type Metric struct {
	Name, Unit string
	Doc        string
	More       bool // more is better; less is in most metrics
	// Resolution is the smallest change that counts, in the unit of the metric; 0 for a metric that is never 0.
	Resolution float64
	// In a gate NEW may have up to BASE x (1 + Margin) + Floor in the geometric mean over
	// the scenarios, and 3 times Margin in a single scenario; at least BASE x (1 - Margin) -
	// Floor if More is better. Without Gated any value passes.
	Gated  bool
	Margin float64
	Floor  float64
	// FloorShare, if not 0, sets the floor as a share of the recipients.
	FloorShare float64
}

// Guard is the margin of a single scenario / the margin of the mean.
const Guard = 3

// Metrics lists what is compared, with the margins that a gate has
// unless others are asked for.
func Metrics() []Metric {
	return []Metric{
		{Name: "iae", Unit: "target-hours", Doc: "hours of the target rate that were missed or exceeded",
			Resolution: 0.001, Gated: true, Margin: 0.03},
		{Name: "tv", Unit: "processes", Doc: "sum of all changes of C", Resolution: 1, Gated: true, Margin: 0.05},
		{Name: "settling", Unit: "h", Doc: "until the rate stayed within 5 % of the target; what never settled " +
			"counts as the time that it was watched for", Resolution: math.NaN()},
		{Name: "overshoot", Unit: "1", Doc: "greatest (rate - target) / target", Resolution: 0.001},
		{Name: "steady-error", Unit: "1", Doc: "|rate - target| / target in the last quarter", Resolution: 0.001},
		{Name: "end", Unit: "h", Doc: "until the last recipient ended; a run that leaves some pending counts as its " +
			"horizon", Resolution: 0.001},
		{Name: "dfr", Unit: measure.AttemptsPerDelivery, Doc: "delivery failure rate", Gated: true, Floor: 0.005},
		{Name: "undelivered", Unit: "recipients", Doc: "neither delivered nor suppressed", Resolution: 1, Gated: true,
			FloorShare: 0.0005},
		{Name: "deferrals", Unit: "attempts", Doc: "attempts that a 4yz reply ended, 421 among them", Resolution: 1,
			Gated: true, FloorShare: 0.005},
	}
}

// Names returns the names of all metrics that can be compared: those of Metrics, then all others.
func Names() []string {
	var all []string
	for _, m := range Metrics() {
		all = append(all, m.Name)
	}
	for _, name := range measure.MetricNames() {
		if shortNames[name] == "" {
			all = append(all, name)
		}
	}
	return all
}

// shortNames has the metrics of a run that Metrics compares by another name or in another unit.
var shortNames = map[string]string{"iae_target_hours": "iae", "total_variation": "tv",
	measure.SettlingMetric: "settling", "overshoot": "overshoot", "steady_state_error": "steady-error",
	measure.EndMetric: "end", "dfr": "dfr", "deferrals": "deferrals"}

// MetricNamed returns the metric called name, which any metric of a run has, and whether there is one. One that is
// not among Metrics is not gated.
func MetricNamed(name string) (Metric, bool) {
	if short := shortNames[name]; short != "" {
		name = short
	}
	if i := slices.IndexFunc(Metrics(), func(m Metric) bool { return m.Name == name }); i >= 0 {
		return Metrics()[i], true
	}
	m, found := measure.MetricNamed(name)
	return Metric{Name: m.Name, Unit: m.Unit, Doc: m.Doc, More: m.More, Resolution: m.Resolution}, found
}

// resolution returns the resolution of a metric; for a time it is the governor's interval.
func (m Metric) resolution(t Trial) float64 {
	if math.IsNaN(m.Resolution) {
		return t.IntervalSec / 3600
	}
	return m.Resolution
}

// Candidate has the runs of one side: of a law, a set of parameters or a revision.
type Candidate struct {
	Name   string
	Trials []Trial // one for each scenario
}

// Trial is the runs of one candidate in one scenario.
type Trial struct {
	Scenario    string
	Seed        uint64
	Mode        string
	List        string  // digest of a list that is not the scenario's own
	Target      float64 // messages per hour
	IntervalSec float64
	Resolved    []byte // the scenario with every default
	Runs        []Replicate
	courses     []ensemble.MeanPoint // mean courses of all servers
	mean        int                  // of that many runs are the courses
}

// Replicate is one run of a trial.
type Replicate struct {
	Replication uint64
	Digest      string
	recipients  float64
	watched     int                // intervals
	unfinished  bool               // recipients are pending at the horizon
	values      map[string]float64 // by the names that Names returns; NaN: undefined; +Inf: never
}

// Tried returns the trial with the given replications of a scenario.
func Tried(s *scenarios.Scenario, runs []ensemble.Observation) Trial {
	t := Trial{Scenario: s.Name, Seed: s.Seed, Mode: "sim", Target: s.TargetRate(),
		IntervalSec: s.Governor.Interval.Seconds(), Resolved: scenarios.Resolved(s)}
	t.take(s.Governed(), runs)
	return t
}

func (t *Trial) take(servers []string, runs []ensemble.Observation) {
	for _, o := range runs {
		t.Runs = append(t.Runs, t.sample(o.Replication, o.Digest, ensemble.Horizon([]ensemble.Observation{o}),
			o.Metrics))
	}
	t.mean = len(runs)
	for i, name := range servers {
		t.courses = append(t.courses, ensemble.MeanPoints(name, runs, i, t.IntervalSec)...)
	}
}

// First returns the candidate with the first n runs of each trial.
func (c Candidate) First(n int) Candidate {
	c.Trials = slices.Clone(c.Trials)
	for i, t := range c.Trials {
		c.Trials[i] = t.First(n)
	}
	return c
}

// First returns the trial with its first n runs alone, by replication. The courses are still of all runs.
func (t Trial) First(n int) Trial {
	t.Runs = slices.Clone(t.Runs)
	slices.SortFunc(t.Runs, func(a, b Replicate) int { return cmp.Compare(a.Replication, b.Replication) })
	t.Runs = t.Runs[:min(n, len(t.Runs))]
	return t
}

// sample returns the metrics of a run that are compared.
func (t *Trial) sample(replication uint64, digest string, watched int, metrics map[string]float64) Replicate {
	r := Replicate{Replication: replication, Digest: digest, recipients: metrics["recipients"], watched: watched,
		unfinished: metrics["pending"] > 0, values: map[string]float64{
			"iae": metrics["iae_target_hours"], "tv": metrics["total_variation"],
			"settling":  metrics[measure.SettlingMetric] * t.IntervalSec / 3600,
			"overshoot": metrics["overshoot"], "steady-error": math.Abs(metrics["steady_state_error"]),
			"end":         metrics["end_h"],
			"dfr":         metrics["dfr"],
			"undelivered": metrics["recipients"] - metrics["delivered"] - metrics["suppressed"],
			"deferrals":   metrics["deferrals"],
		}}
	for _, name := range measure.MetricNames() {
		if v, ok := metrics[name]; ok && shortNames[name] == "" {
			r.values[name] = v
		}
	}
	return r
}

// Report compares two candidates with the same draws.
type Report struct {
	Base      string           `json:"base"`
	New       string           `json:"new"`
	Level     float64          `json:"level"` // confidence of all intervals
	Scenarios []ScenarioResult `json:"scenarios"`
	Metrics   []MetricResult   `json:"metrics"`
	Notes     []string         `json:"notes"` // what was left out, and reasons to doubt the numbers
	Verdict   *Verdict         `json:"gate"`  // nil unless a gate was asked for
	// Uncompared has the scenarios of BASE that are not compared. They fail a gate: a change must
	// not hide what it breaks.
	Uncompared []Uncompared `json:"uncompared"`

	pairs   []pairs
	metrics []Metric
	replay  string   // command line that repeats the comparison
	gaps    []string // what else is not compared, in words
}

// Uncompared is a scenario of BASE without a partner in NEW.
type Uncompared struct {
	Scenario string `json:"scenario"`
	Why      string `json:"why"`     // as in "NEW has no runs of it"
	Allowed  bool   `json:"allowed"` // NEW may lack it

	lacks bool // NEW has no runs of it at all
}

// ErrNothing means that no run of BASE has a partner in NEW.
var ErrNothing = errors.New("nothing to compare: no run of BASE has a partner in NEW")

// ScenarioResult is a scenario in which both candidates were tried.
type ScenarioResult struct {
	Name    string       `json:"name"`
	Seed    uint64       `json:"seed"`
	Pairs   int          `json:"pairs"`
	Differs []Difference `json:"differs"`
	Same    bool         `json:"same"`   // every pair has the same digest
	Replay  string       `json:"replay"` // command line that compares this scenario alone
}

// Difference is a key of the scenario in which the sides differ.
type Difference struct {
	Key  string `json:"key"`  // as in governor.d
	Base string `json:"base"` // as in a file; empty if the side does not have the key
	New  string `json:"new"`
}

// MetricResult is one metric in all scenarios.
type MetricResult struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	More  bool   `json:"more_is_better"`
	Cells []Cell `json:"cells"` // in the order of the scenarios
	Mean  Cell   `json:"mean"`  // geometric, over the scenarios that have it
	Worst string `json:"worst"` // the scenario in which NEW is worst beside BASE; empty if there is none

	unlike bool // each side is held against a target of its own, so neither is better
}

// Cell is one metric in one scenario.
type Cell struct {
	Scenario string           `json:"scenario"` // empty for the mean
	Base     format.Num       `json:"base"`     // arithmetic mean over the pairs
	New      format.Num       `json:"new"`
	Ratio    measure.Estimate `json:"ratio"`  // geometric mean of new / base; see compare.Metric
	RankP    format.Num       `json:"rank_p"` // two-sided, of the signed-rank test
	// Lost is the number of pairs in which BASE has the metric and NEW does not.
	Lost  int `json:"lost"`
	Pairs int `json:"pairs"` // whether they have it or not
	Never int `json:"never"` // runs of either side that never reached the time

	neverBase, neverNew int
	late                int // pairs in which BASE reached the time and NEW did not
}

// Shown reports whether a cell shows a change: Student's interval excludes 1, and the
// rank test agrees if there are enough pairs for it.
func (c Cell) Shown() bool {
	return c.Ratio.N > 1 && !(c.Ratio.Low <= 1 && 1 <= c.Ratio.High) && (c.Ratio.N < 6 || c.RankP < 0.05)
}

// pairs has the runs of one scenario, paired by replication.
type pairs struct {
	base, next Trial
	runs       [][2]Replicate
	watched    int     // intervals that every run was watched for
	horizon    float64 // the same in hours
}

// Sides compares two candidates, whose runs it pairs by scenario and replication. Runs
// without a partner, with another seed or with another network are left out, with a
// note; unlike allows networks to differ. Targets may differ, with a note. The metrics are
// those of Metrics and more. If nothing can be compared, it returns ErrNothing and a report
// that lists the scenarios that are not compared.
func Sides(base, next Candidate, unlike bool, more ...Metric) (*Report, error) {
	c := &Report{metrics: slices.Concat(Metrics(), more), Base: base.Name, New: next.Name,
		Level: measure.Confidence, Scenarios: []ScenarioResult{}, Notes: []string{}, Uncompared: []Uncompared{}}
	for _, b := range base.Trials {
		i := slices.IndexFunc(next.Trials, func(t Trial) bool { return t.Scenario == b.Scenario })
		if i < 0 {
			c.leaveOut(b.Scenario, "NEW has no runs of it")
			c.Uncompared[len(c.Uncompared)-1].lacks = true
			continue
		}
		c.pair(b, next.Trials[i], unlike)
	}
	for _, n := range next.Trials {
		if !slices.ContainsFunc(base.Trials, func(t Trial) bool { return t.Scenario == n.Scenario }) {
			c.note("%s is left out: BASE has no runs of it.", n.Scenario)
		}
	}
	if len(c.pairs) == 0 {
		why := ""
		for _, n := range c.Notes {
			why += "\n" + n
		}
		return c, fmt.Errorf("%w%s", ErrNothing, why)
	}
	for _, m := range c.metrics {
		c.Metrics = append(c.Metrics, c.metric(m))
	}
	return c, nil
}

func (c *Report) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// leaveOut records that a scenario of BASE is not compared.
func (c *Report) leaveOut(scenario, format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	c.Uncompared = append(c.Uncompared, Uncompared{Scenario: scenario, Why: why})
	c.note("%s is left out: %s.", scenario, why)
}

// pair adds one scenario to the report.
func (c *Report) pair(b, n Trial, unlike bool) {
	if b.Seed != n.Seed {
		c.leaveOut(b.Scenario, "BASE has seed %d, NEW %d, which is not the same luck", b.Seed, n.Seed)
		return
	}
	keys, world := differences(b.Resolved, n.Resolved)
	if b.Mode != n.Mode {
		world = append(world, fmt.Sprintf("mode (%s, %s)", b.Mode, n.Mode))
	}
	if b.List != n.List {
		world = append(world, "the list")
	}
	if len(world) > 0 {
		if !unlike {
			c.leaveOut(b.Scenario, "it is not the same question on both sides, which differ in %s",
				format.Listed(world))
			return
		}
		c.note("%s is compared although it is not the same question on both sides: they differ in %s.", b.Scenario,
			format.Listed(world))
	}
	if b.Target != n.Target {
		c.note("%s has two targets, %s/h for BASE and %s/h for NEW: iae, settling, overshoot and steady-error hold "+
			"each side against its own, so neither is said to be better in these.", b.Scenario,
			format.Given(b.Target), format.Given(n.Target))
	}
	p := pairs{base: b, next: n}
	same := true
	least := 0
	for _, x := range b.Runs {
		i := slices.IndexFunc(n.Runs, func(y Replicate) bool { return y.Replication == x.Replication })
		if i < 0 {
			continue
		}
		y := n.Runs[i]
		p.runs = append(p.runs, [2]Replicate{x, y})
		same = same && x.Digest == y.Digest
		for _, watched := range []int{x.watched, y.watched} {
			if watched > 0 && (least == 0 || watched < least) {
				least = watched
			}
		}
	}
	if lone := len(b.Runs) + len(n.Runs) - 2*len(p.runs); lone > 0 {
		left := fmt.Sprintf("%s: %s without a partner of the same replication left out", b.Scenario,
			format.Plural(uint64(lone), "run"))
		c.note("%s.", left)
		c.gaps = append(c.gaps, left)
	}
	if len(p.runs) == 0 {
		c.leaveOut(b.Scenario, "NEW has no run of the same replication")
		return
	}
	p.watched, p.horizon = least, float64(least)*min(b.IntervalSec, n.IntervalSec)/3600
	c.pairs = append(c.pairs, p)
	x, y := valuesOf(b.Resolved), valuesOf(n.Resolved)
	differs := []Difference{}
	for _, key := range append(keys, world...) {
		differs = append(differs, Difference{key, x[key], y[key]})
	}
	c.Scenarios = append(c.Scenarios, ScenarioResult{Name: b.Scenario, Seed: b.Seed, Pairs: len(p.runs),
		Differs: differs, Same: same})
}

// value returns a metric of a run; NaN if undefined. A time that never came counts as
// what all runs were watched for if it is counted in intervals, else as the end of its run;
// never is then true.
func (p pairs) value(m Metric, s Replicate) (v float64, never bool) {
	v, ok := s.values[m.Name]
	if !ok {
		return math.NaN(), false
	}
	limit := math.Inf(1)
	switch {
	case m.Name == "settling":
		limit = p.horizon
	case m.Name == measure.SettlingMetric2:
		limit = float64(p.watched)
	case math.IsInf(v, 1):
		limit = s.values["end"]
	}
	if signed, _ := measure.MetricNamed(m.Name); signed.Signed {
		v = math.Abs(v)
	}
	return min(v, limit), math.IsInf(v, 1) || m.Name == "end" && s.unfinished
}

// censored returns a sentence on the runs that never reached a time, and the value that
// they count with.
func (p pairs) censored(m Metric, c Cell) string {
	what, until := "had not settled", fmt.Sprintf("the %s h that all runs were watched", format.Figure(p.horizon))
	switch m.Name {
	case "settling":
	case measure.SettlingMetric2:
		what = "had not settled within 2 %"
	case "end":
		what, until = "were not finished", "the horizon"
	default:
		what, until = "had not reached "+m.Name, "their end"
	}
	return fmt.Sprintf("%s: %d of %d runs of BASE and %d of NEW %s by %s, which they count as.", c.Scenario,
		c.neverBase, c.Pairs, c.neverNew, what, until)
}

// logs returns the log-ratio of a metric for each pair; NaN for a pair without it on
// both sides.
func (p pairs) logs(m Metric) []float64 {
	return p.each(m, func(base, next, e, _ float64) float64 { return math.Log((next + e) / (base + e)) })
}

// excess returns, for each pair, log(NEW / limit), where the limit of NEW is
// BASE x (1 + margin) + floor. If more is better, it is log(limit / NEW), where NEW and floor
// together may not fall below the limit BASE x (1 - margin).
func (p pairs) excess(m Metric, margin float64) []float64 {
	return p.each(m, func(base, next, e, recipients float64) float64 {
		floor := m.Floor + float64(m.FloorShare*recipients)
		if m.More {
			return math.Log(float64((1-margin)*(base+e)) / (next + e + floor))
		}
		return math.Log((next + e) / (float64((1+margin)*(base+e)) + floor))
	})
}

func (p pairs) each(m Metric, of func(base, next, e, recipients float64) float64) []float64 {
	e := m.resolution(p.base)
	all := make([]float64, len(p.runs))
	for i, r := range p.runs {
		base, _ := p.value(m, r[0])
		next, _ := p.value(m, r[1])
		all[i] = of(base, next, measure.Added(e, base, next), r[0].recipients)
	}
	return all
}

// metric compares one metric in every scenario.
func (c *Report) metric(m Metric) MetricResult {
	out := MetricResult{Name: m.Name, Unit: m.Unit, More: m.More, Cells: []Cell{}}
	out.unlike = slices.Contains(ofTarget, m.Name) &&
		slices.ContainsFunc(c.pairs, func(p pairs) bool { return p.base.Target != p.next.Target })
	worst := format.Missing
	for _, p := range c.pairs {
		cell := p.cell(m)
		if cell.Never > 0 {
			c.note("%s", p.censored(m, cell))
		}
		if cell.Lost > 0 {
			c.note("%s of %s is undefined in NEW in %d of %d pairs where BASE has it, left out.", m.Name, cell.Scenario,
				cell.Lost, cell.Pairs)
		}
		v := cell.Ratio.Value
		if m.More {
			v = 1 / v
		}
		if v.Known() && !(v <= worst) {
			worst, out.Worst = v, cell.Scenario
		}
		out.Cells = append(out.Cells, cell)
	}
	means, _ := c.overScenarios(func(p pairs) []float64 { return p.logs(m) })
	out.Mean = ratioOf(means)
	return out
}

// cell compares a metric in one scenario.
func (p pairs) cell(m Metric) Cell {
	cell := ratioOf(p.logs(m))
	cell.Scenario, cell.Pairs = p.base.Scenario, len(p.runs)
	var base, next []float64
	for _, r := range p.runs {
		x, neverX := p.value(m, r[0])
		y, neverY := p.value(m, r[1])
		if neverX {
			cell.neverBase++
		}
		if neverY {
			cell.neverNew++
		}
		if neverY && !neverX {
			cell.late++
		}
		if !math.IsNaN(x) && math.IsNaN(y) {
			cell.Lost++
		}
		if !math.IsNaN(x) && !math.IsNaN(y) {
			base, next = append(base, x), append(next, y)
		}
	}
	cell.Base, cell.New = format.Num(stats.Mean(base, measure.Confidence).Value),
		format.Num(stats.Mean(next, measure.Confidence).Value)
	cell.Never = cell.neverBase + cell.neverNew
	return cell
}

// overScenarios returns, for each replication that all scenarios with a defined number
// have, the mean of the number over these scenarios, and the number of these scenarios.
// Scenarios share draws, so only replications are independent values.
func (c *Report) overScenarios(of func(pairs) []float64) (means []float64, in int) {
	type sum struct {
		replication uint64
		total       float64
		n           int
	}
	var sums []sum
	at := map[uint64]int{}
	for _, p := range c.pairs {
		values := of(p)
		if !slices.ContainsFunc(values, known) {
			continue
		}
		in++
		for i, v := range values {
			if !known(v) {
				continue
			}
			r := p.runs[i][0].Replication
			k, ok := at[r]
			if !ok {
				k = len(sums)
				at[r], sums = k, append(sums, sum{replication: r})
			}
			sums[k].total += v
			sums[k].n++
		}
	}
	for _, s := range sums {
		if s.n == in {
			means = append(means, s.total/float64(in))
		}
	}
	return means, in
}

func known(v float64) bool { return format.Num(v).Known() }

// ofTarget are the metrics that hold a rate against the target.
var ofTarget = []string{"iae", "settling", "overshoot", "steady-error", "ise_target_hours", "itae_target_hours2",
	measure.SettlingMetric2}

// side returns the side that is shown to be better in the mean, or neither. A side with more
// runs that never reached a time is not better in it: they count as the time that they were
// watched for.
func (m MetricResult) side() side {
	base, next := 0, 0
	for _, c := range m.Cells {
		base, next = base+c.neverBase, next+c.neverNew
	}
	switch {
	case m.unlike, !m.Mean.Shown():
		return neither
	case m.Mean.Ratio.Value > 1 != m.More && base <= next:
		return baseSide
	case m.Mean.Ratio.Value < 1 != m.More && next <= base:
		return newSide
	}
	return neither
}

type side int

const (
	neither side = iota
	baseSide
	newSide
)

// ratioOf returns the geometric mean of the ratios whose logarithms are given.
func ratioOf(logs []float64) Cell {
	logs = slices.DeleteFunc(slices.Clone(logs), func(v float64) bool { return !known(v) })
	i := stats.Mean(logs, measure.Confidence)
	r := measure.Estimate{Value: format.Num(math.Exp(i.Value)), Low: format.Num(math.Exp(i.Low)),
		High: format.Num(math.Exp(i.High)), Level: i.Level, N: i.N}
	if i.N < 2 {
		r.Low, r.High = format.Missing, format.Missing
	}
	cell := Cell{Ratio: r, RankP: format.Missing, Pairs: len(logs)}
	if i.N > 0 {
		above, below := stats.SignedRank(logs)
		cell.RankP = format.Num(min(1, 2*min(above, below)))
	}
	return cell
}
