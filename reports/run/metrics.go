package run

import (
	"math"
	"slices"

	"flyball/reports/format"
	"flyball/reports/measure"
)

// Class returns the worst class of the servers.
func (r *Report) Class() measure.Class {
	worst := []measure.Class{measure.Collapsed, measure.WoundUp, measure.Oscillating, measure.Unsettled,
		measure.NotJudged, measure.Stable}
	class := measure.Stable
	for _, s := range r.Servers {
		if c := measure.ClassOf(measure.Judged(measure.RowsOf(r.Rows, s.Name))); slices.Index(worst,
			c) < slices.Index(worst, class) {
			class = c
		}
	}
	return class
}

// Metric returns a metric of a report; +Inf for a time that the run did not reach.
func (r *Report) Metric(name string) float64 {
	all := r.Metrics()
	if !measure.Reached(name, all) {
		return math.Inf(1)
	}
	return all[name]
}

// Metrics returns the metrics of a report by the names of measure.Metrics.
func (r *Report) Metrics() map[string]float64 {
	facts := measure.Facts{
		Totals: r.Totals, EndHours: r.EndSec / 3600, Servers: r.Servers, Rows: r.Rows, All: r.All,
	}
	facts.Parts = append(facts.Parts, r.Destinations...)
	for _, c := range r.Campaigns {
		facts.Parts = append(facts.Parts, measure.Destination{Name: c.Name, Values: c.Values})
	}
	for _, o := range r.Outcomes {
		facts.Replies = append(facts.Replies, measure.Reply{Code: o.Code, Count: o.Count})
	}
	return facts.Compute()
}

// Headline returns the metric that the answer of a run is about: the settling time; or
// the rate if the run did not settle; or attempts per delivery if neither can be judged.
func (r *Report) Headline() string {
	m := r.Metrics()
	for _, name := range []string{measure.SettlingMetric, "rate_per_h"} {
		if format.Num(m[name]).Known() {
			return name
		}
	}
	return "dfr"
}
