package run

import (
	"maps"
	"slices"

	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

// Class of a run is the worst of its servers.
func (r *Report) Class() measure.Class {
	worst := []measure.Class{measure.Collapsed, measure.WoundUp, measure.Oscillating, measure.Unsettled, measure.NotJudged, measure.Stable}
	class := measure.Stable
	for _, s := range r.Servers {
		if c := measure.ClassOf(measure.Judged(measure.RowsOf(r.Rows, s.Name))); slices.Index(worst, c) < slices.Index(worst, class) {
			class = c
		}
	}
	return class
}

// Metrics of a run by the names of scenarios.Metrics; with several servers, the
// metrics of a server are those of the worst one. Settling is +Inf if a server
// never settles; what is undefined is NaN. It panics as Fold does.
func Metrics(run *runlog.Run) map[string]float64 { return Fold(run, nil, "").Metrics() }

// Metrics of a report; see the function of that name.
func (r *Report) Metrics() map[string]float64 {
	t := r.Totals
	m := map[string]float64{
		"recipients": float64(t.Recipients), "delivered": float64(t.Delivered), "failed": float64(t.Failed),
		"suppressed": float64(t.Suppressed), "pending": float64(t.Pending), "ambiguous": float64(t.Ambiguous),
		"attempts": float64(t.Attempts), "dfr": float64(format.Ratio(t.Attempts, t.Delivered)),
		"delivered_share":       float64(format.Ratio(t.Delivered, t.Recipients)),
		"retries_per_recipient": float64(format.Ratio(t.Resends, t.Recipients-t.Suppressed)),
		"end_h":                 r.EndSec / 3600,
		"throttled":             0, "deferrals": 0,
	}
	for _, o := range r.Outcomes {
		if o.Code == 421 {
			m["throttled"] += float64(o.Count)
		}
		if o.Code/100 == 4 {
			m["deferrals"] += float64(o.Count)
		}
	}
	peak := format.Missing
	for _, row := range r.Rows {
		for _, c := range []format.Num{row.Previous, row.Available} {
			if c.Known() && !(c <= peak) {
				peak = c
			}
		}
	}
	m["peak_available"] = float64(peak)
	maps.Copy(m, measure.WorstOf(r.Servers))
	return m
}
