package laws

import (
	"fmt"
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/reports/ensemble"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// ours is the law that the goals are about.
const ours = "regulator"

// Verdicts.
const (
	isMet       = "met"
	isMissed    = "MISSED"
	notMeasured = "not measured"
)

// Goal is a requirement on the regulator.
type Goal struct {
	Name     string           `json:"name"`
	Noise    string           `json:"noise"`
	Op       string           `json:"op"`
	Limit    float64          `json:"limit"`
	Measured measure.Estimate `json:"measured"` // missing: no trial of this kind, or never
	Verdict  string           `json:"verdict"`  // "met", "MISSED" or "not measured"
	Where    string           `json:"where"`    // what it was measured in, or where it is worst
}

func (g Goal) judged(tried bool) Goal {
	v := float64(g.Measured.Value)
	switch {
	case !tried:
		g.Verdict = notMeasured
	case g.Op == "<=" && v <= g.Limit, g.Op == ">=" && v >= g.Limit:
		g.Verdict = isMet
	default:
		g.Verdict = isMissed
	}
	return g
}

// goals returns the goals of the regulator with what was measured: first over all
// scenarios with noise, then, at each level of noise, the goals for a peak, outages,
// lags and the day's cycle.
func (l *Report) goals() []Goal {
	noisy := func(t Trial) bool { return t.Noise > 0 }
	iae, n := l.iaeOver(ours, noisy)
	tv, _ := l.tvOver(ours, noisy)
	all := []Goal{
		Goal{Name: "lost target-hours / hindsight's, geometric mean", Noise: "on", Op: "<=", Limit: 0.75,
			Measured: iae, Where: format.Plural(uint64(n), "trial")}.judged(n > 0),
		l.worst(Goal{Name: "the same, worst trial", Noise: "on", Op: "<=", Limit: 1.15}, noisy,
			func(_ Trial, c Cell) (measure.Estimate, bool) { return c.Ratio, true }),
		Goal{Name: "total variation / hindsight's, geometric mean", Noise: "on", Op: "<=", Limit: 0.3, Measured: tv,
			Where: format.Plural(uint64(n), "trial")}.judged(n > 0),
	}
	for _, level := range l.Noise {
		at := func(families ...string) func(Trial) bool {
			return func(t Trial) bool { return t.Noise == level && slices.Contains(families, t.Family) }
		}
		said := noiseWords(level)
		all = append(all,
			l.worst(Goal{Name: "target above the peak: rate / rate at the peak, after 30 intervals", Noise: said,
				Op: ">=", Limit: 0.97}, at("peak"), Trial.rateOfPeak),
			l.worst(Goal{Name: "target above the peak: greatest C of all runs / C at the peak", Noise: said,
				Op: "<=", Limit: 1.1}, at("peak"), Trial.climbOfPeak),
			l.worst(Goal{Name: "outage: intervals from its end until within 5 % for good", Noise: said, Op: "<=",
				Limit: 1}, at("outage"),
				func(_ Trial, c Cell) (measure.Estimate, bool) { return measured(c.Course, recoveryMeasure), true }),
			l.swings(Goal{Name: "lag of up to two intervals: scenarios whose mean course oscillates", Noise: said,
				Op: "<=", Limit: 0}, at("lag")),
			l.worst(Goal{Name: "day's cycle after three days: lost target-hours / hold's", Noise: said,
				Op: "<=", Limit: 0.4}, at("cycle"), Trial.lateByHold),
		)
	}
	return all
}

// worst returns g with the worst result of all trials that count. A missing number
// is a time that never came, which is the worst of all.
func (l *Report) worst(g Goal, counts func(Trial) bool, of func(Trial, Cell) (measure.Estimate, bool)) Goal {
	tried := false
	for _, t := range l.Trials {
		c, ok := t.cell(ours)
		if !ok || !counts(t) {
			continue
		}
		e, ok := of(t, c)
		if !ok {
			continue
		}
		worse := !e.Value.Known() || g.Op == "<=" && e.Value > g.Measured.Value || g.Op == ">=" &&
			e.Value < g.Measured.Value
		if !tried || g.Measured.Value.Known() && worse {
			g.Measured, g.Where = e, t.Scenario
			if g.Noise == "on" {
				g.Where = t.name()
			}
		}
		tried = true
	}
	if !tried {
		g.Measured = measure.Estimate{Value: format.Missing, Low: format.Missing, High: format.Missing,
			Level: measure.Confidence}
	}
	return g.judged(tried)
}

// outOfReach returns two sets of intervals: those in which the target is above the
// rate at the peak, and of these the ones after the first 30, when a law has had time
// to react.
func (t Trial) outOfReach() (climbing func(measure.Row) bool, settled func(int) bool) {
	const patience = 30 // intervals
	beyond := map[int]int{}
	count, last := 0, -1
	for _, r := range t.probe.Without(ensemble.NoRun) {
		if r.Target <= r.Rate {
			count = 0
			continue
		}
		if r.Number != last+1 {
			count = 0
		}
		count, last = count+1, r.Number
		beyond[r.Number] = count
	}
	return func(r measure.Row) bool { return beyond[r.Number] > 0 },
		func(number int) bool { return beyond[number] > patience }
}

// rateOfPeak returns the mean rate of the law, after 30 intervals, divided by the rate
// that the number of processes of the peak has in the same intervals.
func (t Trial) rateOfPeak(c Cell) (measure.Estimate, bool) {
	if t.probe == nil {
		return measure.Estimate{}, false
	}
	_, settled := t.outOfReach()
	of := func(without int) float64 {
		var ours, peak float64
		at := map[int]float64{}
		for _, r := range t.probe.Without(without) {
			at[r.Number] = float64(r.Rate)
		}
		for _, r := range c.courses[0].Without(without) {
			if rate, ok := at[r.Number]; ok && settled(r.Number) {
				ours += float64(r.Rate)
				peak += rate
			}
		}
		return ours / peak
	}
	value := of(ensemble.NoRun)
	if math.IsNaN(value) {
		return measure.Estimate{}, false
	}
	var without []float64
	for r := range c.without {
		without = append(without, of(r))
	}
	return measure.Estimated(stats.Jackknife(value, without, measure.Confidence)), true
}

// climbOfPeak returns the greatest C of any run while the target is out of reach,
// divided by the number of processes of the peak.
func (t Trial) climbOfPeak(c Cell) (measure.Estimate, bool) {
	if t.probe == nil {
		return measure.Estimate{}, false
	}
	climbing, _ := t.outOfReach()
	most := c.courses[0].Greatest(climbing)
	if math.IsNaN(most) {
		return measure.Estimate{}, false
	}
	return measure.Estimate{Value: format.Num(most) / t.Peak, Low: format.Missing, High: format.Missing,
		Level: measure.Confidence, N: len(c.without)}, true
}

// lateByHold returns the target-hours that the law lost after three days, divided by
// those that hold lost.
func (t Trial) lateByHold(c Cell) (measure.Estimate, bool) {
	hold, ok := t.cell("hold")
	if !ok {
		return measure.Estimate{}, false
	}
	var without []float64
	for r := range c.lateLess {
		without = append(without, math.Log(c.lateLess[r]/hold.lateLess[r]))
	}
	return geometric(math.Log(c.late/hold.late), without), true
}

// swings counts the trials in which the mean course oscillates.
func (l *Report) swings(g Goal, counts func(Trial) bool) Goal {
	tried, swinging, most := 0, 0, 0.0
	for _, t := range l.Trials {
		c, ok := t.cell(ours)
		if !ok || !counts(t) {
			continue
		}
		tried++
		if c.Swings {
			swinging++
		}
		rows := c.courses[0].Without(ensemble.NoRun)
		if len(rows) == 0 {
			continue
		}
		swing, _ := measure.Swing(rows)
		tail := measure.Mean(rows[len(rows)/2:], func(r measure.Row) format.Num { return r.Available })
		if share := float64(swing / tail); share >= most {
			most, g.Where = share, fmt.Sprintf("%s: C of the mean course moves by %s", t.Scenario,
				format.Percent(share))
		}
	}
	g.Measured = measure.Estimate{Value: format.Num(swinging), Low: format.Missing, High: format.Missing,
		Level: measure.Confidence, N: l.Replications}
	if tried == 0 {
		g.Measured.Value = format.Missing
	}
	return g.judged(tried > 0)
}
