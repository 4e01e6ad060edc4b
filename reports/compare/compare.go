// Package compare reports two sides, run under the same draws, metric by metric
// as ratios of pairs, and judges the regression gate. It refuses sides that
// come from different scenarios. The command line calls it.
package compare

import (
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

// Metric is a number by which two candidates are compared. Less is better in all of
// them.
//
// The logarithm of the ratio is compared, log((new + Resolution) / (base +
// Resolution)), so that a half and a double weigh the same, that 0 can be compared, and
// that a change below the resolution counts for little.
type Metric struct {
	Name, Unit string
	Doc        string
	// Resolution is the smallest change that counts, in the unit of the metric; 0 for a metric that is never 0.
	Resolution float64
	// In a gate NEW may have up to BASE x (1 + Margin) + Floor in the geometric mean over
	// the scenarios, and 3 times Margin in a single scenario. Without Gated any value
	// passes.
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
}

// Replicate is one run of a trial.
type Replicate struct {
	Replication uint64
	Digest      string
	recipients  float64
	watched     int                // intervals
	unfinished  bool               // recipients are pending at the horizon
	values      map[string]float64 // by the names of Metrics; NaN: undefined; +Inf: never
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
	for i, name := range servers {
		t.courses = append(t.courses, ensemble.MeanPoints(name, runs, i, t.IntervalSec)...)
	}
}

// sample returns the metrics of a run that are compared.
func (t *Trial) sample(replication uint64, digest string, watched int, metrics map[string]float64) Replicate {
	return Replicate{Replication: replication, Digest: digest, recipients: metrics["recipients"], watched: watched,
		unfinished: metrics["pending"] > 0, values: map[string]float64{
			"iae": metrics["iae_target_hours"], "tv": metrics["total_variation"],
			"settling":  metrics[measure.SettlingMetric] * t.IntervalSec / 3600,
			"overshoot": metrics["overshoot"], "steady-error": math.Abs(metrics["steady_state_error"]),
			"end":         metrics["end_h"],
			"dfr":         metrics["dfr"],
			"undelivered": metrics["recipients"] - metrics["delivered"] - metrics["suppressed"],
			"deferrals":   metrics["deferrals"],
		}}
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

	pairs []pairs
}

// Uncompared is a scenario of BASE without a partner in NEW.
type Uncompared struct {
	Scenario string `json:"scenario"`
	Why      string `json:"why"` // as in "NEW has no runs of it"
}

// ErrNothing means that no run of BASE has a partner in NEW.
var ErrNothing = errors.New("nothing to compare: no run of BASE has a partner in NEW")

// ScenarioResult is a scenario in which both candidates were tried.
type ScenarioResult struct {
	Name    string   `json:"name"`
	Seed    uint64   `json:"seed"`
	Pairs   int      `json:"pairs"`
	Differs []string `json:"differs"` // keys of the scenario, as in governor.d
	Same    bool     `json:"same"`    // every pair has the same digest
}

// MetricResult is one metric in all scenarios.
type MetricResult struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Cells []Cell `json:"cells"` // in the order of the scenarios
	Mean  Cell   `json:"mean"`  // geometric, over the scenarios that have it
	Worst string `json:"worst"` // the scenario with the greatest ratio; empty if there is none
}

// Cell is one metric in one scenario.
type Cell struct {
	Scenario string           `json:"scenario"` // empty for the mean
	Base     format.Num       `json:"base"`     // arithmetic mean over the pairs
	New      format.Num       `json:"new"`
	Ratio    measure.Estimate `json:"ratio"`  // geometric mean of new / base, with the resolution added to both
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
	horizon    float64 // hours that every run was watched for
}

// Sides compares two candidates, whose runs it pairs by scenario and replication. Runs
// without a partner, with another seed or with another network are left out, with a
// note; unlike allows networks to differ. If nothing can be compared, it returns
// ErrNothing and a report that lists the scenarios that are not compared.
func Sides(base, next Candidate, unlike bool) (*Report, error) {
	c := &Report{Base: base.Name, New: next.Name, Level: measure.Confidence, Scenarios: []ScenarioResult{},
		Notes: []string{}, Uncompared: []Uncompared{}}
	for _, b := range base.Trials {
		i := slices.IndexFunc(next.Trials, func(t Trial) bool { return t.Scenario == b.Scenario })
		if i < 0 {
			c.leaveOut(b.Scenario, "NEW has no runs of it")
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
	for _, m := range Metrics() {
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
	c.Uncompared = append(c.Uncompared, Uncompared{scenario, why})
	c.note("%s is left out: %s.", scenario, why)
}

// pair adds one scenario to the report.
func (c *Report) pair(b, n Trial, unlike bool) {
	if b.Seed != n.Seed {
		c.leaveOut(b.Scenario, "BASE has seed %d, NEW %d, which is not the same luck", b.Seed, n.Seed)
		return
	}
	laws, world := differences(b.Resolved, n.Resolved)
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
		c.note("%s: %s without a partner of the same replication left out.", b.Scenario,
			format.Plural(uint64(lone), "run"))
	}
	if len(p.runs) == 0 {
		c.leaveOut(b.Scenario, "NEW has no run of the same replication")
		return
	}
	p.horizon = float64(least) * min(b.IntervalSec, n.IntervalSec) / 3600
	c.pairs = append(c.pairs, p)
	c.Scenarios = append(c.Scenarios, ScenarioResult{b.Scenario, b.Seed, len(p.runs),
		append(append([]string{}, laws...), world...), same})
}

// value returns a metric of a run; NaN if undefined. A time that never came counts as
// the horizon; never is then true.
func (p pairs) value(m Metric, s Replicate) (v float64, never bool) {
	v = s.values[m.Name]
	if math.IsInf(v, 1) {
		return p.horizon, true
	}
	if m.Name == "settling" {
		v = min(v, p.horizon)
	}
	return v, m.Name == "end" && s.unfinished
}

// censored returns a sentence on the runs that never reached a time, and the value that
// they count with.
func (p pairs) censored(m Metric, c Cell) string {
	what, until := "had not settled", fmt.Sprintf("the %s h that all runs were watched", format.Figure(p.horizon))
	if m.Name == "end" {
		what, until = "were not finished", "the horizon"
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
// BASE x (1 + margin) + floor.
func (p pairs) excess(m Metric, margin float64) []float64 {
	return p.each(m, func(base, next, e, recipients float64) float64 {
		floor := m.Floor + float64(m.FloorShare*recipients)
		return math.Log((next + e) / (float64((1+margin)*(base+e)) + floor))
	})
}

func (p pairs) each(m Metric, of func(base, next, e, recipients float64) float64) []float64 {
	e := m.resolution(p.base)
	all := make([]float64, len(p.runs))
	for i, r := range p.runs {
		base, _ := p.value(m, r[0])
		next, _ := p.value(m, r[1])
		all[i] = of(base, next, e, r[0].recipients)
	}
	return all
}

// metric compares one metric in every scenario.
func (c *Report) metric(m Metric) MetricResult {
	out := MetricResult{Name: m.Name, Unit: m.Unit, Cells: []Cell{}}
	worst := format.Missing
	for _, p := range c.pairs {
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
		if cell.Never = cell.neverBase + cell.neverNew; cell.Never > 0 {
			c.note("%s", p.censored(m, cell))
		}
		if cell.Lost > 0 {
			c.note("%s of %s is undefined in NEW in %d of %d pairs where BASE has it, left out.", m.Name, cell.Scenario,
				cell.Lost, cell.Pairs)
		}
		if v := cell.Ratio.Value; v.Known() && !(v <= worst) {
			worst, out.Worst = v, cell.Scenario
		}
		out.Cells = append(out.Cells, cell)
	}
	means, _ := c.overScenarios(func(p pairs) []float64 { return p.logs(m) })
	out.Mean = ratioOf(means)
	return out
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

// side returns the side that is shown to be better in the mean, or neither. A side with more
// runs that never reached a time is not better in it: they count as the time that they were
// watched for.
func (m MetricResult) side() side {
	base, next := 0, 0
	for _, c := range m.Cells {
		base, next = base+c.neverBase, next+c.neverNew
	}
	switch {
	case !m.Mean.Shown():
		return neither
	case m.Mean.Ratio.Value > 1 && base <= next:
		return baseSide
	case m.Mean.Ratio.Value < 1 && next <= base:
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
