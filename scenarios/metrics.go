package scenarios

import (
	"slices"

	"flyball/netmodel"
)

// Metric is a number that a run ends with and an [[expect]] can hold it to.
type Metric struct {
	Name, Unit string
	Doc        string // what it is; of several servers, which one counts
}

// Resolution is what the metric cannot tell apart, in its unit; it is added to
// both sides of a ratio, so that 0 can be compared. 0 for what is never 0.
func (m Metric) Resolution() float64 {
	switch m.Unit {
	case "1", "h", "h2":
		return 0.001
	case "attempts per success":
		return 0
	}
	return 1
}

// Signed reports whether the metric may be below 0, and so has no ratios.
func (m Metric) Signed() bool { return m.Name == "steady_state_error" }

// Metrics lists every metric, by name. Reports compute exactly these. Judged
// are the whole intervals in which there was work for every available process.
// The target is that which was in force in each of them.
func Metrics() []Metric {
	return []Metric{
		{"ambiguous", "recipients", "final dot sent, no reply known, not resent"},
		{"attempts", "attempts", "all attempts that ended"},
		{"available_final", "processes", "C after the last judged interval; least of all servers"},
		{"deferrals", "attempts", "attempts that a 4yz reply ended"},
		{"delivered", "recipients", "delivered"},
		{"delivered_share", "1", "delivered / recipients"},
		{"dfr", "attempts per success", "delivery failure rate ([0071])"},
		{"end_h", "h", "when the last recipient ended, or the horizon"},
		{"failed", "recipients", "bounced, or given up at the retry limit"},
		{"iae_target_hours", "h", "sum of |rate - target| x S / target, of each interval against the target in force in it; greatest of all servers"},
		{"ise_target_hours", "h", "sum of ((rate - target) / target)^2 x S; greatest of all servers"},
		{"itae_target_hours2", "h2", "sum of |rate - target| x S x t / target, t hours after the first judged interval began; greatest of all servers"},
		{"overshoot", "1", "greatest (rate - target) / target, 0 or more; greatest of all servers"},
		{"peak_available", "processes", "greatest C of any server at any time"},
		{"pending", "recipients", "not finished at the end"},
		{"rate_per_h", "messages/h", "mean rate over the last quarter of the judged intervals; least of all servers"},
		{"recipients", "recipients", "length of all lists"},
		{"retries_per_recipient", "attempts", "resends / recipients that are not suppressed"},
		{"settling_intervals_2pct", "intervals", "passed before the rate stayed within 2 % of the target; as settling_intervals_5pct"},
		{"settling_intervals_5pct", "intervals", "passed before the rate stayed within 5 % of the target in force, counted from the last change of the target or else from the start; greatest of all servers; a server that never settles misses every expectation"},
		{"steady_state_error", "1", "(rate_per_h - mean target of the same intervals) / that target, of the server that is farthest off, with its sign"},
		{"suppressed", "recipients", "on the suppression list, never tried"},
		{"swing_period_intervals", "intervals", "twice the mean distance of the changes of sign of swing; of the server that swings most; undefined with fewer than three, or below one process"},
		{"swing_processes", "processes", "peak to peak of C over the last half of the judged intervals, less its trend; greatest of all servers"},
		{"throttled", "attempts", "attempts that a 421 reply ended: the receiver closes, as at its cap"},
		{"total_variation", "processes", "sum of all changes of C; greatest of all servers"},
	}
}

// MetricNamed finds a metric.
func MetricNamed(name string) (Metric, bool) {
	all := Metrics()
	i := slices.IndexFunc(all, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return all[i], true
}

// OutagesByChance reports whether some destination goes down by chance: then what
// few runs meet may decide the mean of all.
func (s *Scenario) OutagesByChance() bool {
	return slices.ContainsFunc(s.Destinations, func(d netmodel.Destination) bool { return d.Outage.Up > 0 })
}

func metricNames() []string {
	var all []string
	for _, m := range Metrics() {
		all = append(all, m.Name)
	}
	return all
}
