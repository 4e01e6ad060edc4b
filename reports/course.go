package reports

import (
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/scenarios"
)

// meanCourse is the mean of all runs on one server, over the intervals by which it
// can be judged in every run. Where a single run never settles for the noise in
// it, the mean of some may.
type meanCourse struct {
	server string
	runs   int
	at     []together
}

// together are all runs in one interval.
type together struct {
	Row    // all that the runs have in common
	points []point
	sum    point
}

// courseOf server i, without the intervals that skip tells to leave out.
func courseOf(server string, runs []Observation, i int, span float64, skip func(Row) bool) meanCourse {
	c := meanCourse{server: server, runs: len(runs)}
	if len(runs) == 0 {
		return c
	}
next:
	for k, first := range runs[0].tracks[i].points {
		t := together{Row: Row{Server: server, Number: k, End: first.end, Hours: span / 3600, Target: Num(first.target)}}
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
			c.at = append(c.at, t)
		}
	}
	return c
}

// nobody is left out of the mean of all runs.
const nobody = -1

// without is the course of the mean of the runs but one, or of all.
func (c meanCourse) without(run int) []Row {
	rows := make([]Row, len(c.at))
	for k, t := range c.at {
		n, sum := float64(c.runs), t.sum
		if run != nobody {
			p := t.points[run]
			n--
			sum.rate, sum.available, sum.previous, sum.processes = sum.rate-p.rate, sum.available-p.available, sum.previous-p.previous, sum.processes-p.processes
		}
		r := t.Row
		r.Rate, r.Available, r.Previous = Num(sum.rate/n), Num(sum.available/n), Num(sum.previous/n)
		r.Allocated = Num(sum.processes / n / r.Hours)
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
	Estimate
}

// courseMetrics are those metrics of a run that a mean course has.
func courseMetrics() []string {
	return []string{settlingMetric, settlingMetric2, "overshoot", "steady_state_error", "rate_per_h", "iae_target_hours", "ise_target_hours", "itae_target_hours2",
		"total_variation", "swing_processes", "swing_period_intervals"}
}

// ofCourses measures the mean courses of all servers of some runs: the worst of
// them counts, as in a run. Without is each metric without one of the runs.
func ofCourses(courses []meanCourse) (metrics map[string]float64, without map[string][]float64) {
	metrics = worstOf(judgeCourses(courses, nobody))
	without = map[string][]float64{}
	for r := range courses[0].runs {
		if courses[0].runs < 2 {
			break
		}
		m := worstOf(judgeCourses(courses, r))
		for _, name := range courseMetrics() {
			without[name] = append(without[name], m[name])
		}
	}
	return metrics, without
}

func judgeCourses(courses []meanCourse, without int) []Server {
	servers := make([]Server, len(courses))
	for i, c := range courses {
		servers[i] = judge(c.server, c.without(without))
	}
	return servers
}

// courseMeasures are those metrics with their intervals.
func courseMeasures(courses []meanCourse, metrics map[string]float64, without map[string][]float64) []CourseMeasure {
	measures := []CourseMeasure{}
	for _, name := range courseMetrics() {
		known, _ := scenarios.MetricNamed(name)
		m := CourseMeasure{Metric: name, Unit: known.Unit}
		if mayNeverCome(name) {
			m.Estimate = settledLast(courses, map[string]float64{settlingMetric: 0.05, settlingMetric2: 0.02}[name], -1)
		} else {
			m.Estimate = Estimated(stats.Jackknife(metrics[name], without[name], confidence))
		}
		measures = append(measures, m)
	}
	return measures
}

// settled is when the mean course came within a share of its target for good;
// earliest when its band begins to allow that, latest when the band lies within
// entirely. They are counted from interval from, or, if that is negative, from
// the last change of the target.
func (c meanCourse) settled(within float64, from int) (mean, earliest, latest Num) {
	middle := c.without(nobody)
	nearest, farthest := slices.Clone(middle), slices.Clone(middle)
	for k, t := range c.at {
		rates := make([]float64, len(t.points))
		for i, p := range t.points {
			rates[i] = p.rate
		}
		band, target := stats.Mean(rates, confidence), float64(t.Target)
		nearest[k].Rate, farthest[k].Rate = Num(min(max(target, band.Low), band.High)), Num(band.High)
		if target-band.Low > band.High-target {
			farthest[k].Rate = Num(band.Low)
		}
	}
	if from < 0 {
		from = lastChange(middle)
	}
	return settlingSince(from, middle, within), settlingSince(from, nearest, within), settlingSince(from, farthest, within)
}

// settledLast is that of the server that settled last, or never.
func settledLast(courses []meanCourse, within float64, from int) Estimate {
	e := Estimate{Level: confidence, N: courses[0].runs}
	for _, c := range courses {
		mean, earliest, latest := c.settled(within, from)
		for _, x := range []struct {
			to *Num
			v  Num
		}{{&e.Value, mean}, {&e.Low, earliest}, {&e.High, latest}} {
			if !x.v.Known() || !x.to.Known() {
				*x.to = missing
			} else {
				*x.to = max(*x.to, x.v)
			}
		}
	}
	return e
}

// shareAbove is the part of the judged intervals with more than so many
// available processes, in the mean of the runs; missing without any.
func (c meanCourse) shareAbove(n float64) Num {
	above, count := 0, 0
	for _, t := range c.at {
		for _, p := range t.points {
			if count++; p.previous > n {
				above++
			}
		}
	}
	if count == 0 {
		return missing
	}
	return Num(float64(above) / float64(count))
}

// greatest number of available processes of any run in some judged interval.
func (c meanCourse) greatest(in func(Row) bool) float64 {
	most := math.NaN()
	for _, t := range c.at {
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
