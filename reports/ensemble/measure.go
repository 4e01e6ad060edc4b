package ensemble

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios"
)

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
	// Horizon is, for a time that may never come, how long all replications watched for it, in the unit of the measure.
	Horizon format.Num `json:"censoring_horizon"`
}

// Words returns the mean in a unit with its interval in brackets. Of a time that some
// replications did not reach it returns the median, and how many they are.
func (m Measure) Words(unit string) string {
	if m.Never == 0 {
		return m.Estimate.Words(unit)
	}
	never := fmt.Sprintf("%s in %s", measure.NeverWord(m.Metric), format.Plural(uint64(m.Never), "replication"))
	if !m.Value.Known() {
		return never
	}
	return fmt.Sprintf("median %s, %s", times(m.Estimate, m.Unit), never)
}

// Measures returns what an ensemble of a scenario measures: the metrics of a run, for a
// steady-state scenario the metrics without the start-up, and last the metrics of single
// campaigns and destinations.
func Measures(s *scenarios.Scenario) []measure.Metric {
	all := measure.Metrics()
	if s.Analysis.Kind == scenarios.SteadyState {
		all = append(all, steadyMetrics()...)
		slices.SortFunc(all, func(a, b measure.Metric) int { return strings.Compare(a.Name, b.Name) })
	}
	return append(all, s.PartMetrics()...)
}

// Headline returns the measure that an ensemble is judged by if no other is asked for:
// the rate in steady state, or the rate in the last quarter of the judged intervals, or
// attempts per delivery if no replication has judged intervals.
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
			within := "the horizon of " + format.Duration(s.Horizon.Seconds())
			if measure.InIntervals(name) {
				within = format.Plural(uint64(Horizon(runs)), "interval") + " that all were watched"
			}
			i.Warnings = append(i.Warnings,
				fmt.Sprintf("not reached in %d of %d replications within %s, so the median stands for the mean",
					never, i.N, within))
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

// values returns a measure in each replication; NaN where it is undefined.
func values(s *scenarios.Scenario, runs []Observation, name string) []float64 {
	if of, ok := steadyOf(name); ok {
		return of(newWarmUp(s, runs))
	}
	all := make([]float64, len(runs))
	horizon := float64(Horizon(runs))
	for i, o := range runs {
		v, known := o.Metrics[name]
		if _, of := measure.Split(name); of != "" && !known { // of a part that the run had no recipients for
			v, known = math.NaN(), true
		}
		if !known {
			panic(fmt.Sprintf("ensemble: unknown measure %q", name))
		}
		// All replications are judged against one horizon: the scenario's, or the intervals that all were watched.
		late := measure.MayNeverCome(name) && measure.InIntervals(name) && v >= horizon
		if late || !measure.Reached(name, o.Metrics) {
			v = math.Inf(1)
		}
		all[i] = v
	}
	return all
}

// possible returns the range of possible values of a count of recipients or attempts,
// or of a share of them. Ok is false for other measures, and for counts that the
// scenario sets.
func possible(s *scenarios.Scenario, runs []Observation, name string) (in stats.Range, ok bool) {
	bychance := s.Dispatch.Sends() // whom a run suppresses
	if len(runs) == 0 || name == "recipients" || name == "suppressed" && !bychance {
		return in, false
	}
	whole, _ := measure.Split(name)
	m, _ := measure.MetricNamed(whole)
	mailed, all := 0.0, 0.0 // of the replication that has most, since all must fit
	for _, o := range runs {
		mailed = max(mailed, o.Metrics["recipients"]-o.Metrics["suppressed"])
		all = max(all, o.Metrics["recipients"])
	}
	if bychance {
		mailed = all
	}
	in = stats.Range{Most: math.Inf(1), Rare: s.OutagesByChance()}
	switch {
	case m.Unit == "recipients":
		in.Most = mailed
	case whole == "refused_share": // of attempts
		in.Most = 1
	case strings.HasSuffix(whole, "_share") && all > 0:
		in.Most = mailed / all
	case m.Unit == "attempts":
	case m.Unit == measure.AttemptsPerDelivery:
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

func measureOf(s *scenarios.Scenario, runs []Observation, of measure.Metric) Measure {
	i := Measured(s, runs, of.Name)
	m := Measure{Metric: of.Name, Unit: of.Unit, Statistic: "mean", Estimate: measure.Estimated(i),
		Least: format.Missing, Most: format.Missing, Horizon: format.Missing}
	switch {
	case !measure.MayNeverCome(of.Name):
	case measure.InIntervals(of.Name):
		m.Horizon = format.Num(Horizon(runs))
	default:
		m.Horizon = format.Num(s.Horizon.Hours())
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
