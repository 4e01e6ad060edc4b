package ensemble

import (
	"math"
	"slices"

	"flyball/reports/attempts"
	"flyball/reports/diagnosis"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

// Observation is the part of one run that an ensemble keeps. It has no attempts.
type Observation struct {
	Replication uint64
	Digest      string
	Metrics     map[string]float64
	expected    []measure.Result
	findings    []diagnosis.Finding
	attempts    uint64
	tracks      []series // of each server
	campaigns   []run.Campaign
	course      runlog.Course
}

// series is the course of one server over its full intervals.
type series struct {
	points  []seriesPoint
	settled float64 // intervals that had passed; +Inf if never, NaN if it was not judged
	watched int     // intervals that had passed at the end of the last judged one
	runaway bool
	held    bool // at the scenario's max; see measure.Server.Ordered
	waits   int  // intervals without which the server settled; see run.Report.Waited
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
		findings: r.Findings, attempts: r.Totals.Attempts, campaigns: r.Campaigns,
		course: attempts.Keep(r.Course)}
	for _, s := range r.Servers {
		t := series{settled: math.NaN(), runaway: s.Runaway,
			held: !s.Settling5.Known() && s.Ordered(r.Rows), waits: r.Waited(s)}
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
