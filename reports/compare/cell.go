package compare

import (
	"fmt"
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

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
	if m.Signed {
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

func known(v float64) bool { return format.Num(v).Known() }
