package ensemble

import (
	"math"

	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/measure"
	"flyball/scenarios"
)

// Steady is the result of a steady-state scenario, without the start-up of its runs. It
// counts only intervals that can be judged in every replication.
type Steady struct {
	WarmUp     string  `json:"warm_up"` // "auto", found by MSER-5, or "given"
	Found      bool    `json:"found"`   // false: no steady state was found, so the numbers do not describe one
	Judged     int     `json:"judged_intervals"`
	LeftOut    int     `json:"left_out_intervals"`
	LeftOutSec float64 `json:"left_out_s"` // the end of the last one
	// Twice is the number of intervals left out in a second evaluation, which checks
	// whether the first cut was enough; 0 if too few intervals would remain.
	Twice   int      `json:"twice_intervals"`
	Changes []Change `json:"changes"`

	curves   []curve
	values   map[string][]float64 // of each replication
	warnings []string
}

// Change is the change of a measure when twice as much is left out, paired by
// replication.
type Change struct {
	Metric string           `json:"metric"`
	Twice  measure.Estimate `json:"twice"`
	Change measure.Estimate `json:"change"`
}

// curve is the marginal standard error of the mean course of one number of one server,
// for each number of intervals left out.
type curve struct {
	server, of string
	stats.Truncation
}

// steadyMetrics returns the measures of the steady state.
func steadyMetrics() []measure.Metric {
	return []measure.Metric{
		{Name: "steady_available", Unit: "processes", Doc: "mean C without the start-up; least of all servers"},
		{Name: "steady_dfr", Unit: measure.AttemptsPerDelivery,
			Doc: "delivery failure rate without the start-up; greatest of all servers"},
		{Name: "steady_efficiency", Unit: "messages/h",
			Doc: "deliveries per allocated process and hour without the start-up; least of all servers"},
		{Name: "steady_rate_per_h", Unit: "messages/h", Doc: "mean rate without the start-up; least of all servers"},
	}
}

// steadyOf returns the function that computes a measure of the steady state in each
// replication.
func steadyOf(name string) (of func(*warmUp) []float64, ok bool) {
	switch name {
	case "steady_available":
		return func(w *warmUp) []float64 { return w.means(w.leftOut, pointAvailable, one, math.Min) }, true
	case "steady_dfr":
		return func(w *warmUp) []float64 { return w.means(w.leftOut, pointAttempts, pointDelivered, math.Max) }, true
	case "steady_efficiency":
		return func(w *warmUp) []float64 { return w.means(w.leftOut, pointDelivered, pointProcesses, math.Min) }, true
	case "steady_rate_per_h":
		return func(w *warmUp) []float64 { return w.means(w.leftOut, pointRate, one, math.Min) }, true
	}
	return nil, false
}

func pointRate(p seriesPoint) float64 { return p.rate }

func pointAvailable(p seriesPoint) float64 { return p.available }

func pointDelivered(p seriesPoint) float64 { return p.delivered }

func pointAttempts(p seriesPoint) float64 { return p.attempts }

func pointProcesses(p seriesPoint) float64 { return p.processes }

func one(seriesPoint) float64 { return 1 }

// warmUp is where the start-up of an ensemble ends.
type warmUp struct {
	runs    []Observation
	judged  [][]int // of each server: the numbers of the intervals that are judged in all runs
	least   int     // judged intervals of the server that has fewest
	leftOut int     // intervals at the start of each of them
	end     float64 // of the last one, in seconds
	found   bool
	curves  []curve
}

// newWarmUp finds the start-up of the mean course, or takes the one that the
// scenario gives. The mean course has less noise than any run, so that a
// start-up stands out of it (Hoad, Robinson and Davies, JORS 61, 2010); rate and C
// of every server are looked at, and the longest start-up counts.
func newWarmUp(s *scenarios.Scenario, runs []Observation) *warmUp {
	w := &warmUp{runs: runs, found: true}
	for i, name := range s.Governed() {
		var judged []int
		if len(runs) > 0 {
			for k := range runs[0].tracks[i].points {
				if judgedInAll(runs, i, k) {
					judged = append(judged, k)
				}
			}
		}
		w.judged = append(w.judged, judged)
		if i == 0 || len(judged) < w.least {
			w.least = len(judged)
		}
		for _, of := range []struct {
			name string
			at   func(seriesPoint) float64
		}{{"rate_per_h", pointRate}, {"available", pointAvailable}} {
			c := curve{name, of.name, stats.MSER5(w.meanCourse(i, of.at))}
			w.curves = append(w.curves, c)
			w.leftOut = max(w.leftOut, c.At)
			w.found = w.found && c.Found
		}
	}
	if given := s.Analysis.WarmUp; given != scenarios.AutoWarmUp {
		w.leftOut, w.found = 0, true
		for i := range w.judged {
			n := 0
			for _, k := range w.judged[i] {
				if runs[0].tracks[i].points[k].end-s.Governor.Interval.Seconds() < vt.Span(given).Seconds() {
					n++ // the interval began before the start-up was over
				}
			}
			w.leftOut = max(w.leftOut, n)
		}
	}
	if w.found = w.found && 2*w.leftOut <= w.least; !w.found {
		w.leftOut = min(w.leftOut, w.least/2)
	}
	if w.leftOut > 0 {
		w.end = runs[0].tracks[0].points[w.judged[0][w.leftOut-1]].end
	}
	return w
}

func judgedInAll(runs []Observation, server, k int) bool {
	for _, o := range runs {
		if points := o.tracks[server].points; k >= len(points) || !points[k].judged {
			return false
		}
	}
	return true
}

func (w *warmUp) meanCourse(server int, at func(seriesPoint) float64) []float64 {
	var course []float64
	for _, k := range w.judged[server] {
		var sum float64
		for _, o := range w.runs {
			sum += at(o.tracks[server].points[k])
		}
		course = append(course, sum/float64(len(w.runs)))
	}
	return course
}

// means returns, for each replication, sum of above / sum of below over the judged
// intervals that remain without the first leftOut; of several servers, the worst.
func (w *warmUp) means(leftOut int, above, below func(seriesPoint) float64,
	worst func(a, b float64) float64) []float64 {
	all := make([]float64, len(w.runs))
	for r, o := range w.runs {
		all[r] = math.NaN()
		for i, judged := range w.judged {
			var a, b float64
			for _, k := range judged[min(leftOut, len(judged)):] {
				a += above(o.tracks[i].points[k])
				b += below(o.tracks[i].points[k])
			}
			if v := a / b; i == 0 {
				all[r] = v
			} else {
				all[r] = worst(all[r], v)
			}
		}
	}
	return all
}

func newSteady(s *scenarios.Scenario, runs []Observation) *Steady {
	w := newWarmUp(s, runs)
	t := &Steady{WarmUp: "auto", Found: w.found, Judged: w.least, LeftOut: w.leftOut, LeftOutSec: w.end,
		Changes: []Change{}, curves: w.curves, values: map[string][]float64{}}
	if s.Analysis.WarmUp != scenarios.AutoWarmUp {
		t.WarmUp = "given"
	}
	for _, m := range steadyMetrics() {
		of, _ := steadyOf(m.Name)
		t.values[m.Name] = of(w)
	}
	if !t.Found {
		t.warnings = append(t.warnings,
			"No steady state is in sight in the intervals that were judged: the steady_ measures are not of one.")
	}
	t.Twice = max(2*t.LeftOut, t.LeftOut+leastCut)
	if t.Judged-t.Twice < leastCut {
		t.Twice = 0
		t.warnings = append(t.warnings,
			"Too few intervals remain to leave out twice as many: whether the start-up is over cannot be checked.")
		return t
	}
	later := *w
	later.leftOut = t.Twice
	for _, m := range steadyMetrics() {
		of, _ := steadyOf(m.Name)
		first, second := t.values[m.Name], of(&later)
		t.Changes = append(t.Changes, Change{m.Name, measure.Estimated(stats.Mean(second, measure.Confidence)),
			measure.Estimated(stats.Paired(second, first, measure.Confidence))})
	}
	return t
}

// leastCut is the least number of intervals that MSER-5 leaves out, if it leaves out any.
const leastCut = 5
