package measure

import (
	"fmt"
	"math"

	"flyball/reports/format"
)

// Times that may never come.
const (
	SettlingMetric  = "settling_intervals_5pct"
	SettlingMetric2 = "settling_intervals_2pct"
	EndMetric       = "end_h"
)

// Milestone is a share of the recipients with the metric that is when they were final.
type Milestone struct {
	Percent float64
	Metric  string
}

// String returns the share in words: "50 %".
func (m Milestone) String() string { return fmt.Sprintf("%g %%", m.Percent) }

// Milestones returns the shares that reports show, in their order.
func Milestones() [3]Milestone { return [3]Milestone{{50, "t50_h"}, {90, "t90_h"}, {99, "t99_h"}} }

// MayNeverCome reports whether a metric is a time that a run may end before.
func MayNeverCome(metric string) bool {
	metric, _ = Split(metric)
	m, _ := MetricNamed(metric)
	return m.MayNever
}

// Reached reports whether a run with these metrics lasted until the time that metric is;
// true for a metric that is not a time. A time that did not come is +Inf, except for the
// end: with recipients pending it is the horizon, which is not an end.
func Reached(metric string, metrics map[string]float64) bool {
	if metric == EndMetric {
		return !(metrics["pending"] > 0)
	}
	return !MayNeverCome(metric) || !math.IsInf(metrics[metric], 1)
}

// InIntervals reports whether a metric is counted in intervals of the governor. A time in
// intervals is known up to the last judged interval of a run, a time in hours up to the
// end of the run.
func InIntervals(metric string) bool {
	metric, _ = Split(metric)
	m, _ := MetricNamed(metric)
	return m.Unit == "intervals"
}

// NeverWord returns what stands for a time that a run did not reach.
func NeverWord(metric string) string {
	if metric == EndMetric {
		return "not finished"
	}
	return "never"
}

// Word writes a value of a metric; what is missing is NeverWord or "undefined".
func Word(metric string, v format.Num) string {
	switch {
	case v.Known():
		return format.Figure(float64(v))
	case MayNeverCome(metric):
		return NeverWord(metric)
	}
	return "undefined"
}

// Unfinished returns what stands for the end of a run that left n recipients pending.
func Unfinished(n uint64) string {
	return fmt.Sprintf("%s, %s pending", NeverWord(EndMetric), format.Plural(n, "recipient"))
}
