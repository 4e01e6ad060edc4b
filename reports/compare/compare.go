// Package compare reports two sides, run under the same draws, metric by metric
// as ratios of pairs, and judges the regression gate. It refuses sides that
// come from different scenarios. The command line calls it.
package compare

import (
	"errors"
	"fmt"
	"slices"

	"flyball/reports/format"
	"flyball/reports/measure"
)

// Report compares two candidates with the same draws.
type Report struct {
	Base      string           `json:"base"`
	New       string           `json:"new"`
	Level     float64          `json:"level"` // confidence of all intervals
	Scenarios []ScenarioResult `json:"scenarios"`
	Metrics   []MetricResult   `json:"metrics"`
	Notes     []string         `json:"notes"` // what was left out, and reasons to doubt the numbers
	Verdict   *Verdict         `json:"gate"`  // null unless a gate was asked for
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
