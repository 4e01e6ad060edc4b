package ensemble

import (
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// MeanSeries is the mean of all runs on one server, over the intervals that can be
// judged in every run. The mean of several runs may settle even if noise keeps each of
// them from settling.
type MeanSeries struct {
	server string
	runs   int
	At     []MeanRow
}

// MeanRow is one interval of all runs.
type MeanRow struct {
	measure.Row // what the runs have in common
	points      []seriesPoint
	sum         seriesPoint
}

// NewMeanSeries returns the mean of runs on server i, without the intervals for which
// skip returns true.
func NewMeanSeries(server string, runs []Observation, i int, span float64, skip func(measure.Row) bool) MeanSeries {
	c := MeanSeries{server: server, runs: len(runs)}
	if len(runs) == 0 {
		return c
	}
next:
	for k, first := range runs[0].tracks[i].points {
		t := MeanRow{Row: measure.Row{Server: server, Number: k, End: first.end, Hours: span / 3600,
			Target: format.Num(first.target)}}
		for _, o := range runs {
			points := o.tracks[i].points
			if k >= len(points) || !points[k].judged {
				continue next
			}
			p := points[k]
			t.points = append(t.points, p)
			t.sum.rate += p.rate
			t.sum.available += p.available
			t.sum.previous += p.previous
			t.sum.processes += p.processes
		}
		if skip == nil || !skip(t.Row) {
			c.At = append(c.At, t)
		}
	}
	return c
}

// NoRun is the argument of Without for the mean of all runs.
const NoRun = -1

// Without returns the mean course of all runs except one, or of all for NoRun.
func (c MeanSeries) Without(run int) []measure.Row {
	rows := make([]measure.Row, len(c.At))
	for k, t := range c.At {
		n, sum := float64(c.runs), t.sum
		if run != NoRun {
			p := t.points[run]
			n--
			sum.rate, sum.available, sum.previous, sum.processes = sum.rate-p.rate, sum.available-p.available,
				sum.previous-p.previous, sum.processes-p.processes
		}
		r := t.Row
		r.Rate, r.Available, r.Previous = format.Num(sum.rate/n), format.Num(sum.available/n),
			format.Num(sum.previous/n)
		r.Allocated = format.Num(sum.processes / n / r.Hours)
		rows[k] = r
	}
	return rows
}

// CourseMeasure is a metric of the mean course of all replications. Its interval is a
// jackknife over the replications. The interval of a settling time reaches from when the
// band of the mean first allows it to when the band lies within the limits for good.
type CourseMeasure struct {
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	measure.Estimate
}

// courseMetrics returns the metrics of a run that a mean course has.
func courseMetrics() []string {
	var all []string
	for _, m := range measure.Metrics() {
		if m.OfServer != nil && !m.NoMean {
			all = append(all, m.Name)
		}
	}
	return all
}

// MetricsOf returns the metrics of the mean courses of all servers, of which the worst
// counts, as in a run. Without has, for each metric, its values without one of the runs.
func MetricsOf(courses []MeanSeries) (metrics map[string]float64, without map[string][]float64) {
	metrics = measure.WorstOf(judgeCourses(courses, NoRun))
	without = map[string][]float64{}
	for r := range courses[0].runs {
		if courses[0].runs < 2 {
			break
		}
		m := measure.WorstOf(judgeCourses(courses, r))
		for _, name := range courseMetrics() {
			without[name] = append(without[name], m[name])
		}
	}
	return metrics, without
}

func judgeCourses(courses []MeanSeries, without int) []measure.Server {
	servers := make([]measure.Server, len(courses))
	for i, c := range courses {
		servers[i] = measure.Judge(c.server, c.Without(without))
	}
	return servers
}

// CourseMeasures returns the results of MetricsOf with their intervals.
func CourseMeasures(courses []MeanSeries, metrics map[string]float64, without map[string][]float64) []CourseMeasure {
	measures := []CourseMeasure{}
	for _, name := range courseMetrics() {
		known, _ := measure.MetricNamed(name)
		m := CourseMeasure{Metric: name, Unit: known.Unit}
		if measure.MayNeverCome(name) {
			m.Estimate = SettledLast(courses, map[string]float64{measure.SettlingMetric: 0.05,
				measure.SettlingMetric2: 0.02}[name], -1)
		} else {
			i := stats.Jackknife(metrics[name], without[name], measure.Confidence)
			if !known.Signed && i.N > 0 {
				i.Low = max(i.Low, 0)
			}
			m.Estimate = measure.Estimated(i)
		}
		measures = append(measures, m)
	}
	return measures
}

// settled returns when the mean course came within a share of its target for good;
// earliest is when its band begins to allow that, latest when the whole band lies
// within. They are counted from interval from or, if from is negative, from the last
// change of the target.
func (c MeanSeries) settled(within float64, from int) (mean, earliest, latest format.Num) {
	middle := c.Without(NoRun)
	nearest, farthest := slices.Clone(middle), slices.Clone(middle)
	for k, t := range c.At {
		rates := make([]float64, len(t.points))
		for i, p := range t.points {
			rates[i] = p.rate
		}
		band, target := stats.Mean(rates, measure.Confidence), float64(t.Target)
		nearest[k].Rate, farthest[k].Rate = format.Num(min(max(target, band.Low), band.High)), format.Num(band.High)
		if target-band.Low > band.High-target {
			farthest[k].Rate = format.Num(band.Low)
		}
	}
	if from < 0 {
		from = measure.LastChange(middle)
	}
	return measure.SettlingSince(from, middle, within), measure.SettlingSince(from, nearest, within),
		measure.SettlingSince(from, farthest, within)
}

// SettledLast returns the settling time of the server that settled last, with its
// bounds; missing if a server never settled.
func SettledLast(courses []MeanSeries, within float64, from int) measure.Estimate {
	e := measure.Estimate{Level: measure.Confidence, N: courses[0].runs}
	for _, c := range courses {
		mean, earliest, latest := c.settled(within, from)
		for _, x := range []struct {
			to *format.Num
			v  format.Num
		}{{&e.Value, mean}, {&e.Low, earliest}, {&e.High, latest}} {
			if !x.v.Known() || !x.to.Known() {
				*x.to = format.Missing
			} else {
				*x.to = max(*x.to, x.v)
			}
		}
	}
	return e
}

// ShareAbove returns the share of the judged intervals of all runs with more than n
// available processes; missing without an interval.
func (c MeanSeries) ShareAbove(n float64) format.Num {
	above, count := 0, 0
	for _, t := range c.At {
		for _, p := range t.points {
			if count++; p.previous > n {
				above++
			}
		}
	}
	if count == 0 {
		return format.Missing
	}
	return format.Num(float64(above) / float64(count))
}

// Greatest returns the greatest number of available processes of any run in the judged
// intervals for which in returns true.
func (c MeanSeries) Greatest(in func(measure.Row) bool) float64 {
	most := math.NaN()
	for _, t := range c.At {
		if !in(t.Row) {
			continue
		}
		for _, p := range t.points {
			if !(p.previous <= most) {
				most = p.previous
			}
		}
	}
	return most
}
