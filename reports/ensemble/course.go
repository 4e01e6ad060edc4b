package ensemble

import (
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// MeanSeries is the mean of all runs on one server, over the intervals by which it
// can be judged in every run. Where a single run never settles for the noise in
// it, the mean of some may.
type MeanSeries struct {
	server string
	runs   int
	At     []MeanRow
}

// MeanRow are all runs in one interval.
type MeanRow struct {
	measure.Row // all that the runs have in common
	points      []seriesPoint
	sum         seriesPoint
}

// NewMeanSeries server i, without the intervals that skip tells to leave out.
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

// NoRun is left out of the mean of all runs.
const NoRun = -1

// Without is the course of the mean of the runs but one, or of all.
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

// CourseMeasure is a metric of the mean course of all replications. Its interval
// is the jackknife's over the replications; that of a time of settling is where
// the band of the mean allows it first, and where it lies within for good.
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

// MetricsOf measures the mean courses of all servers of some runs: the worst of
// them counts, as in a run. Without is each metric without one of the runs.
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

// CourseMeasures are those metrics with their intervals.
func CourseMeasures(courses []MeanSeries, metrics map[string]float64, without map[string][]float64) []CourseMeasure {
	measures := []CourseMeasure{}
	for _, name := range courseMetrics() {
		known, _ := measure.MetricNamed(name)
		m := CourseMeasure{Metric: name, Unit: known.Unit}
		if measure.MayNeverCome(name) {
			m.Estimate = SettledLast(courses, map[string]float64{measure.SettlingMetric: 0.05,
				measure.SettlingMetric2: 0.02}[name], -1)
		} else {
			m.Estimate = measure.Estimated(stats.Jackknife(metrics[name], without[name], measure.Confidence))
		}
		measures = append(measures, m)
	}
	return measures
}

// settled is when the mean course came within a share of its target for good;
// earliest when its band begins to allow that, latest when the band lies within
// entirely. They are counted from interval from, or, if that is negative, from
// the last change of the target.
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

// SettledLast is that of the server that settled last, or never.
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

// ShareAbove is the part of the judged intervals with more than so many
// available processes, in the mean of the runs; missing without any.
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

// Greatest number of available processes of any run in some judged interval.
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
