// Package ensemble reports independent replications of one scenario: means with
// their intervals, the mean course, steady state, and when runs settled. It
// keeps little of each run, and panics on replications that are out of order.
// The command line calls it, and the comparison of two sides.
package ensemble

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

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
	LastTarget  float64  `json:"last_target_per_h,omitempty"`
	IntervalSec float64  `json:"interval_s"`
	HorizonSec  float64  `json:"horizon_s"`
	Clock       vt.Clock `json:"clock,omitzero"` // wall clock beside the runs
	Level       float64  `json:"level"`          // confidence of all intervals

	Measures     []Measure       `json:"measures"`     // the metrics of a run and of the steady state, by name
	Course       []CourseMeasure `json:"mean_course"`  // metrics of the mean of all replications
	Settling     []Settling      `json:"settling"`     // of each server
	Steady       *Steady         `json:"steady_state"` // of a steady-state scenario
	Precision    *Precision      `json:"precision"`    // if one was asked for
	Expectations []Expectation   `json:"expectations"`
	Findings     []Found         `json:"findings,omitempty"`
	Deadlines    bool            `json:"deadlines,omitempty"` // whether some campaign has one
	WithLate     int             `json:"with_late,omitempty"` // replications in which a recipient missed a deadline
	Finished     int             `json:"finished"`            // replications that left no recipient pending
	WithFailures int             `json:"with_failures"`       // replications in which some recipient failed
	Warnings     []string        `json:"warnings"`            // reasons to doubt the numbers

	Assumptions []scenarios.Assumption `json:"-"` // assumptions.csv

	Host   folder.Host `json:"-"` // host.json
	Replay string      `json:"-"` // manifest.json

	Start        float64 `json:"-"` // C before the first decision
	servers      []string
	destinations []string
	rare         bool // outages come by chance
	runs         []Observation
	Means        []MeanPoint `json:"-"`
}

// Precision is the result of sequential stopping.
type Precision struct {
	Of       string     `json:"of"`
	Goal     float64    `json:"goal"`     // relative half width
	Relative format.Num `json:"relative"` // relative half width that was reached
	Reached  bool       `json:"reached"`
}

// Gather folds replications 0, 1 and so on of a scenario into an ensemble.
// Replay is the command line that repeats it.
func Gather(s *scenarios.Scenario, runs []Observation, asked Asked, host runlog.Host, replay string) *Report {
	e := &Report{
		Name: s.Name, About: s.About, ScenarioID: scenarios.ID(s), Seed: s.Seed, Mode: "sim", List: asked.List,
		Kind:         s.Analysis.Kind,
		Replications: len(runs), Asked: asked.Replications, Partial: asked.Partial, Law: s.Governor.Law,
		Target:      s.TargetRate(),
		IntervalSec: s.Governor.Interval.Seconds(), HorizonSec: s.Horizon.Seconds(), Clock: s.Clock(),
		Level:    measure.Confidence,
		Settling: []Settling{}, Expectations: []Expectation{}, Warnings: []string{}, Replay: replay,
		Start: s.StartOfC(), runs: runs,
	}
	for _, d := range s.Destinations {
		e.destinations = append(e.destinations, d.Name)
	}
	for _, c := range s.Campaigns {
		e.Deadlines = e.Deadlines || c.Deadline > 0
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
		if o.Metrics["late_recipients"] > 0 {
			e.WithLate++
		}
		if o.Metrics["failed"] > 0 {
			e.WithFailures++
		}
	}
	e.Digest = hex.EncodeToString(sum.Sum(nil))[:16]
	e.Findings = found(runs)
	e.Host = folder.NewHost(host, format.Num(attempts))
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
