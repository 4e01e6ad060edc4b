// Package ensemble reports independent replications of one scenario: means with
// their intervals, the mean course, steady state, and when runs settled. It
// keeps little of each run, and panics on replications that are out of order.
// The command line calls it, and the comparison of two sides.
package ensemble

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/internal/stats"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// Observation is the part of one run that an ensemble keeps. It has no attempts.
type Observation struct {
	Replication uint64
	Digest      string
	Metrics     map[string]float64
	expected    []measure.Result
	attempts    uint64
	tracks      []series // of each server
}

// series is the course of one server over its full intervals.
type series struct {
	points  []seriesPoint
	settled float64 // intervals that had passed; +Inf if never, NaN if it was not judged
	watched int     // intervals that had passed at the end of the last judged one
	runaway bool
}

// seriesPoint is one interval of a series. Where there was none all numbers are NaN.
type seriesPoint struct {
	end, rate, target              float64
	previous, available            float64 // C in force, and from the end on
	delivered, attempts, processes float64 // processes: allocated, times hours
	judged                         bool
}

// Observe returns the part of a report that an ensemble keeps.
func Observe(r *run.Report) Observation {
	o := Observation{Replication: r.Replication, Digest: r.Digest, Metrics: r.Metrics(), expected: r.Expectations,
		attempts: r.Totals.Attempts}
	for _, s := range r.Servers {
		t := series{settled: math.NaN(), runaway: s.Runaway}
		for _, row := range measure.RowsOf(r.Rows, s.Name) {
			if row.Partial {
				continue
			}
			for len(t.points) <= row.Number {
				nan := math.NaN()
				t.points = append(t.points, seriesPoint{nan, nan, nan, nan, nan, nan, nan, nan, false})
			}
			t.points[row.Number] = seriesPoint{row.End, float64(row.Rate), float64(row.Target), float64(row.Previous),
				float64(row.Available),
				float64(row.Delivered), float64(row.Attempts), float64(row.Allocated) * row.Hours, row.Judged()}
			if row.Judged() {
				t.watched = row.Number + 1
			}
		}
		if s.Judged > 0 {
			t.settled = math.Inf(1)
			if s.Settling5.Known() {
				t.settled = float64(s.Settling5)
			}
		}
		o.tracks = append(o.tracks, t)
	}
	// A server that was not judged has neither settled nor failed to settle.
	if slices.ContainsFunc(o.tracks, func(t series) bool { return math.IsNaN(t.settled) }) {
		o.Metrics[measure.SettlingMetric], o.Metrics[measure.SettlingMetric2] = math.NaN(), math.NaN()
	}
	return o
}

// Asked holds the settings of an ensemble.
type Asked struct {
	Replications int     // with Precision the greatest number; 0 if Precision alone decides
	Precision    float64 // greatest half width wanted, as a share of the mean; 0 if none
	Of           string  // the measure that is to be so precise
	Partial      bool    // stopped before its end
	List         string  // digest of a list that is not the scenario's own; else empty
}

// Report has the results of independent replications of one scenario.
type Report struct {
	Name         string `json:"name"`
	About        string `json:"about"`
	ScenarioID   string `json:"scenario_id"`
	Seed         uint64 `json:"seed"`
	Mode         string `json:"mode"`
	List         string `json:"list,omitempty"` // digest of the list, unless it is the scenario's own
	Kind         string `json:"kind"`           // "terminating" or "steady-state"
	Replications int    `json:"replications"`   // how many there are, counted from 0
	// Asked is the number of replications to make; with a precision the greatest number, 0 if the precision alone
	// decided.
	Asked   int     `json:"replications_asked"`
	Partial bool    `json:"partial"` // stopped before its end
	Digest  string  `json:"digest"`  // of the digests of all replications, in order
	Law     string  `json:"law"`
	Target  float64 `json:"target_per_h"` // at the start
	// LastTarget is the target in the last interval that can be judged, if the target ever changes.
	LastTarget  float64 `json:"last_target_per_h,omitempty"`
	IntervalSec float64 `json:"interval_s"`
	HorizonSec  float64 `json:"horizon_s"`
	Level       float64 `json:"level"` // confidence of all intervals

	Measures     []Measure       `json:"measures"`     // the metrics of a run and of the steady state, by name
	Course       []CourseMeasure `json:"mean_course"`  // metrics of the mean of all replications
	Settling     []Settling      `json:"settling"`     // of each server
	Steady       *Steady         `json:"steady_state"` // of a steady-state scenario
	Precision    *Precision      `json:"precision"`    // if one was asked for
	Expectations []Expectation   `json:"expectations"`
	Finished     int             `json:"finished"`      // replications that left no recipient pending at the horizon
	WithFailures int             `json:"with_failures"` // replications in which some recipient failed
	Warnings     []string        `json:"warnings"`      // reasons to doubt the numbers

	Assumptions []scenarios.Assumption `json:"-"` // assumptions.csv

	Host   folder.Host `json:"-"` // host.json
	Replay string      `json:"-"` // manifest.json

	Start   float64 `json:"-"` // C before the first decision
	servers []string
	rare    bool // outages come by chance
	runs    []Observation
	Means   []MeanPoint `json:"-"`
}

// Measure is the mean of a number over all replications, and its extremes.
type Measure struct {
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	// "mean", or "median" of a time that some replication did not reach.
	Statistic string `json:"statistic"`
	measure.Estimate
	Least     format.Num `json:"least"`
	LeastIn   uint64     `json:"least_in"` // the first replication with the least value
	Most      format.Num `json:"greatest"`
	MostIn    uint64     `json:"greatest_in"`
	Undefined int        `json:"undefined"` // replications without a value, left out of the mean
	Never     int        `json:"never"`     // censored: never reached, counted as the horizon
	// Horizon is, for a time that may never come, how long all replications watched for it.
	Horizon format.Num `json:"censoring_horizon"`
}

// Settling is when one server settled within 5 % of its target.
type Settling struct {
	Server string `json:"server"`
	Judged int    `json:"judged_intervals"` // in every replication
	// OfMean is the number of intervals before the mean of all replications settled;
	// missing if it never did. Earliest is when the pointwise band of the mean begins
	// to touch the 5 %, Latest when the whole band lies within them.
	OfMean   format.Num `json:"of_mean_intervals"` // counted from the last change of the target
	Earliest format.Num `json:"of_mean_earliest"`
	Latest   format.Num `json:"of_mean_latest"`
	// Runs and the fields below are for the replications one by one.
	Runs      int              `json:"runs"`  // in which the server was judged
	Never     int              `json:"never"` // of them, censored at the horizon
	Share     measure.Estimate `json:"settled_share"`
	Median    measure.Estimate `json:"median_intervals"`  // a missing High may be never
	NinetyPct measure.Estimate `json:"p90_intervals"`     // as above
	Horizon   int              `json:"censoring_horizon"` // intervals that every replication watched
	// Runaways counts the replications in which the law added processes while the rate fell.
	Runaways int `json:"runaways"`
}

// Precision is the result of sequential stopping.
type Precision struct {
	Of       string     `json:"of"`
	Goal     float64    `json:"goal"`     // relative half width
	Relative format.Num `json:"relative"` // relative half width that was reached
	Reached  bool       `json:"reached"`
}

// Expectation is an expectation that was judged in every replication.
type Expectation struct {
	Metric      string           `json:"metric"`
	Op          string           `json:"op"`
	Limit       float64          `json:"limit"`
	Met         int              `json:"met"` // replications
	Share       measure.Estimate `json:"met_share"`
	FirstMissed format.Num       `json:"first_missed"` // replication; missing if none
}

// Measures returns what an ensemble of a scenario measures: the metrics of a run and,
// for a steady-state scenario, the metrics without the start-up.
func Measures(s *scenarios.Scenario) []measure.Metric {
	all := measure.Metrics()
	if s.Analysis.Kind == scenarios.SteadyState {
		all = append(all, steadyMetrics()...)
		slices.SortFunc(all, func(a, b measure.Metric) int { return strings.Compare(a.Name, b.Name) })
	}
	return all
}

// Headline returns the measure that an ensemble is judged by if no other is asked for:
// the rate in steady state, or the rate in the last quarter of the judged intervals, or
// attempts per success if no replication has judged intervals.
func Headline(s *scenarios.Scenario, runs []Observation) string {
	name := "rate_per_h"
	if s.Analysis.Kind == scenarios.SteadyState {
		name = "steady_rate_per_h"
	}
	if Measured(s, runs, name).N == 0 {
		return "dfr"
	}
	return name
}

// Measured returns the mean of one measure over replications of a scenario, with an
// interval within the possible values of the measure; see docs/statistics.md. For a time
// that some replication did not reach it returns the median, because the mean is
// unknown. It panics on a name that Measures does not have.
func Measured(s *scenarios.Scenario, runs []Observation, name string) stats.Interval {
	values := values(s, runs, name)
	if measure.MayNeverCome(name) {
		if never := count(values, func(v float64) bool { return math.IsInf(v, 1) }); never > 0 {
			i := stats.Quantile(values, 0.5, measure.Confidence)
			i.Warnings = append(i.Warnings,
				fmt.Sprintf("not reached in %d of %d replications within %s that all were watched, so the median "+
					"stands for the mean",
					never, i.N, format.Plural(uint64(Horizon(runs)), "interval")))
			return i
		}
	}
	if in, ok := possible(s, runs, name); ok {
		return stats.BoundedMean(values, in, measure.Confidence)
	}
	i := stats.Mean(values, measure.Confidence)
	if m, ok := measure.MetricNamed(name); ok && !m.Signed && i.N > 0 {
		i.Low = max(i.Low, 0)
	}
	if skewed := stats.Skew(values); skewed != "" {
		i.Warnings = append(i.Warnings, skewed)
	}
	return i
}

// possible returns the range of possible values of a count of recipients or attempts,
// or of a share of them. Ok is false for other measures, and for counts that the
// scenario sets.
func possible(s *scenarios.Scenario, runs []Observation, name string) (in stats.Range, ok bool) {
	if len(runs) == 0 || name == "recipients" || name == "suppressed" {
		return in, false
	}
	m, _ := measure.MetricNamed(name)
	mailed, all := 0.0, 0.0 // of the replication that has most, since all must fit
	for _, o := range runs {
		mailed = max(mailed, o.Metrics["recipients"]-o.Metrics["suppressed"])
		all = max(all, o.Metrics["recipients"])
	}
	in = stats.Range{Most: math.Inf(1), Rare: s.OutagesByChance()}
	switch {
	case m.Unit == "recipients":
		in.Most = mailed
	case strings.HasSuffix(name, "_share") && all > 0:
		in.Most = mailed / all
	case m.Unit == "attempts":
	case m.Unit == "attempts per success":
		in.Least = 1
	default:
		return in, false
	}
	return in, true
}

func count(values []float64, of func(float64) bool) int {
	n := 0
	for _, v := range values {
		if of(v) {
			n++
		}
	}
	return n
}

// values returns a measure in each replication; NaN where it is undefined.
func values(s *scenarios.Scenario, runs []Observation, name string) []float64 {
	if of, ok := steadyOf(name); ok {
		return of(newWarmUp(s, runs))
	}
	all := make([]float64, len(runs))
	horizon := float64(Horizon(runs))
	for i, o := range runs {
		v, known := o.Metrics[name]
		if !known {
			panic(fmt.Sprintf("ensemble: unknown measure %q", name))
		}
		// All replications are judged against one horizon.
		if measure.MayNeverCome(name) && v >= horizon {
			v = math.Inf(1)
		}
		all[i] = v
	}
	return all
}

// Horizon returns the number of intervals during which every judged server of every
// replication was watched. Times that never came in them are censored there.
func Horizon(runs []Observation) int {
	least := 0
	for _, o := range runs {
		for _, t := range o.tracks {
			if t.watched > 0 && (least == 0 || t.watched < least) {
				least = t.watched
			}
		}
	}
	return least
}

// Gather folds replications 0, 1 and so on of a scenario into an ensemble.
// Replay is the command line that repeats it.
func Gather(s *scenarios.Scenario, runs []Observation, asked Asked, host runlog.Host, replay string) *Report {
	e := &Report{
		Name: s.Name, About: s.About, ScenarioID: scenarios.ID(s), Seed: s.Seed, Mode: "sim", List: asked.List,
		Kind:         s.Analysis.Kind,
		Replications: len(runs), Asked: asked.Replications, Partial: asked.Partial, Law: s.Governor.Law,
		Target:      s.TargetRate(),
		IntervalSec: s.Governor.Interval.Seconds(), HorizonSec: s.Horizon.Seconds(), Level: measure.Confidence,
		Settling: []Settling{}, Expectations: []Expectation{}, Warnings: []string{}, Replay: replay,
		Start: s.StartOfC(), runs: runs,
	}
	sum := sha256.New()
	var attempts uint64
	for i, o := range runs {
		if o.Replication != uint64(i) {
			panic(fmt.Sprintf("ensemble: replication %d in place %d", o.Replication, i))
		}
		fmt.Fprintf(sum, "%d %s\n", o.Replication, o.Digest)
		attempts += o.attempts
		if o.Metrics["pending"] == 0 {
			e.Finished++
		}
		if o.Metrics["failed"] > 0 {
			e.WithFailures++
		}
	}
	e.Digest = hex.EncodeToString(sum.Sum(nil))[:16]
	e.Host = folder.NewHost(host, attempts)
	e.Assumptions = s.Assumptions()
	in, _ := possible(s, runs, "delivered")
	e.rare = in.Rare

	for _, m := range Measures(s) {
		e.Measures = append(e.Measures, measureOf(s, runs, m))
	}
	var courses []MeanSeries
	for i, name := range s.Governed() {
		courses = append(courses, NewMeanSeries(name, runs, i, e.IntervalSec, nil))
		e.servers = append(e.servers, name)
		steps := MeanPoints(name, runs, i, e.IntervalSec)
		e.Means = append(e.Means, steps...)
		e.Settling = append(e.Settling, settle(name, runs, i))
		for _, t := range steps {
			if t.Judged == len(runs) && (t.Target != e.Target || e.LastTarget > 0) {
				e.LastTarget = t.Target
			}
		}
	}
	metrics, without := MetricsOf(courses)
	e.Course = CourseMeasures(courses, metrics, without)
	if e.Kind == scenarios.SteadyState {
		e.Steady = newSteady(s, runs)
	}
	if asked.Precision > 0 {
		i := Measured(s, runs, asked.Of)
		e.Precision = &Precision{Of: asked.Of, Goal: asked.Precision, Relative: format.Num(i.Relative()),
			Reached: stats.Rule{Relative: asked.Precision}.Enough(i)}
	}
	if len(runs) > 0 {
		for i := range runs[0].expected {
			e.Expectations = append(e.Expectations, expectation(runs, i))
		}
	}
	e.Warnings = append(e.Warnings, e.doubts()...)
	return e
}

func measureOf(s *scenarios.Scenario, runs []Observation, of measure.Metric) Measure {
	i := Measured(s, runs, of.Name)
	m := Measure{Metric: of.Name, Unit: of.Unit, Statistic: "mean", Estimate: measure.Estimated(i),
		Least: format.Missing, Most: format.Missing, Horizon: format.Missing}
	if measure.MayNeverCome(of.Name) {
		m.Horizon = format.Num(Horizon(runs))
	}
	for r, v := range values(s, runs, of.Name) {
		switch {
		case math.IsInf(v, 1):
			m.Never++
			m.Statistic = "median"
		case math.IsNaN(v):
			m.Undefined++
		default:
			if !(float64(m.Least) <= v) {
				m.Least, m.LeastIn = format.Num(v), uint64(r)
			}
			if !(float64(m.Most) >= v) {
				m.Most, m.MostIn = format.Num(v), uint64(r)
			}
		}
	}
	return m
}

// MeanPoint is the mean of one interval of one server over the replications that
// have it.
type MeanPoint struct {
	Server string
	Number int
	End    float64 // seconds
	Span   float64
	Target float64 // the same in all replications
	Judged int     // replications in which it can be judged by
	Rate   Spread
	C      Spread // available processes
}

// Spread is a mean with its interval, and the least and the greatest of the runs.
type Spread struct {
	measure.Estimate
	Least, Most format.Num
}

// MeanPoints returns the mean course of server i.
func MeanPoints(name string, runs []Observation, i int, span float64) []MeanPoint {
	column := func(of func(seriesPoint) float64) []Spread {
		var paths [][]float64
		for _, o := range runs {
			var path []float64
			for _, p := range o.tracks[i].points {
				path = append(path, of(p))
			}
			paths = append(paths, path)
		}
		var all []Spread
		for k, b := range stats.Band(paths, measure.Confidence) {
			s := Spread{measure.Estimated(b), format.Missing, format.Missing}
			for _, path := range paths {
				if k < len(path) && !(float64(s.Least) <= path[k]) && !math.IsNaN(path[k]) {
					s.Least = format.Num(path[k])
				}
				if k < len(path) && !(float64(s.Most) >= path[k]) && !math.IsNaN(path[k]) {
					s.Most = format.Num(path[k])
				}
			}
			all = append(all, s)
		}
		return all
	}
	rates := column(func(p seriesPoint) float64 { return p.rate })
	available := column(func(p seriesPoint) float64 { return p.available })
	var steps []MeanPoint
	for k := range rates {
		s := MeanPoint{Server: name, Number: k, End: math.NaN(), Span: span, Rate: rates[k], C: available[k]}
		for _, o := range runs {
			if points := o.tracks[i].points; k < len(points) && !math.IsNaN(points[k].rate) {
				s.End, s.Target = points[k].end, points[k].target
				if points[k].judged {
					s.Judged++
				}
			}
		}
		if s.Rate.N > 0 {
			steps = append(steps, s)
		}
	}
	return steps
}

// settle judges the mean course of server i by the intervals that can be judged
// in every replication, and then the replications one by one.
func settle(name string, runs []Observation, i int) Settling {
	s := Settling{Server: name}
	c := NewMeanSeries(name, runs, i, 0, nil)
	s.OfMean, s.Earliest, s.Latest = c.settled(0.05, -1)
	s.Judged = len(c.At)

	var times []float64
	for _, o := range runs {
		t := o.tracks[i]
		if t.runaway {
			s.Runaways++
		}
		if math.IsNaN(t.settled) {
			continue
		}
		times = append(times, t.settled)
		if s.Horizon == 0 || t.watched < s.Horizon {
			s.Horizon = t.watched
		}
	}
	for k, t := range times {
		if t >= float64(s.Horizon) { // unknown for replications that were watched no longer
			times[k] = math.Inf(1)
			s.Never++
		}
	}
	s.Runs = len(times)
	s.Share = measure.Estimated(stats.Share(s.Runs-s.Never, s.Runs, measure.Confidence))
	s.Median = measure.Estimated(stats.Quantile(times, 0.5, measure.Confidence))
	s.NinetyPct = measure.Estimated(stats.Quantile(times, 0.9, measure.Confidence))
	return s
}

func expectation(runs []Observation, i int) Expectation {
	first := runs[0].expected[i]
	e := Expectation{Metric: first.Metric, Op: first.Op, Limit: first.Limit, FirstMissed: format.Missing}
	for _, o := range runs {
		if o.expected[i].Met() {
			e.Met++
		} else if !e.FirstMissed.Known() {
			e.FirstMissed = format.Num(o.Replication)
		}
	}
	e.Share = measure.Estimated(stats.Share(e.Met, len(runs), measure.Confidence))
	return e
}

// OK reports whether every replication met every expectation.
func (e *Report) OK() bool {
	return !slices.ContainsFunc(e.Expectations, func(x Expectation) bool { return x.FirstMissed.Known() })
}

// Measure returns the measure called name.
func (e *Report) Measure(name string) Measure {
	i := slices.IndexFunc(e.Measures, func(m Measure) bool { return m.Metric == name })
	if i < 0 {
		panic(fmt.Sprintf("ensemble: unknown measure %q", name))
	}
	return e.Measures[i]
}

// doubts returns the reasons to doubt the numbers, each of them once.
func (e *Report) doubts() []string {
	var said []string
	var of [][]string
	for _, m := range e.Measures {
		for _, w := range m.Warnings {
			if w == stats.AllEqual {
				continue // the table shows it
			}
			at := slices.Index(said, w)
			if at < 0 {
				at = len(said)
				said, of = append(said, w), append(of, nil)
			}
			of[at] = append(of[at], m.Metric)
		}
	}
	var all []string
	for i, w := range said {
		who := strings.Join(of[i], ", ")
		if len(of[i]) > 3 {
			who = fmt.Sprintf("%s, %s and %d more", of[i][0], of[i][1], len(of[i])-2)
		}
		all = append(all, fmt.Sprintf("%s: %s.", who, w))
	}
	if n := len(e.runs); n > 1 && e.rare {
		all = append(all, fmt.Sprintf("Outages come by chance: what none of %d replications showed happens in up to "+
			"%.3g %% of runs, and the intervals of counts of recipients allow for the worst in those.",
			n, 100*stats.Unseen(n, measure.Confidence)))
	}
	if e.Partial {
		all = append(all, "The ensemble was stopped before its end: what decided when may have chosen the runs.")
	}
	if p := e.Precision; p != nil && !p.Reached {
		all = append(all, fmt.Sprintf("%s is not as precise as was asked for.", p.Of))
	}
	if e.Steady != nil {
		all = append(all, e.Steady.warnings...)
	}
	return all
}

// Odd returns the replication that is most worth a look alone: the first that missed an
// expectation, or else the one farthest from the mean in the headline measure.
func (e *Report) Odd() uint64 {
	for _, x := range e.Expectations {
		if x.FirstMissed.Known() {
			return uint64(x.FirstMissed)
		}
	}
	m := e.Measure("dfr")
	for _, name := range []string{"rate_per_h", "steady_rate_per_h"} {
		if i := slices.IndexFunc(e.Measures, func(m Measure) bool { return m.Metric == name }); i >= 0 &&
			e.Measures[i].N > 0 {
			m = e.Measures[i]
		}
	}
	if m.Value-m.Least > m.Most-m.Value {
		return m.LeastIn
	}
	return m.MostIn
}
