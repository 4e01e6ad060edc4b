package compare

import (
	"math"
	"slices"

	"flyball/reports/measure"
)

// Metric is a number by which two candidates are compared.
//
// The logarithm of the ratio is compared, log(new / base), so that a half and a double
// weigh the same. Where one of the two is below the resolution, the resolution is added to
// both, so that 0 can be compared and small numbers count for little.
type Metric struct {
	Name, Unit string
	Doc        string
	More       bool // more is better; less is in most metrics
	Signed     bool // may be below 0: its size is compared
	// Resolution is the smallest change that counts, in the unit of the metric; 0 for a metric that is never 0.
	Resolution float64
	// In a gate NEW may have up to BASE x (1 + Margin) + Floor in the geometric mean over
	// the scenarios, and 3 times Margin in a single scenario; at least BASE x (1 - Margin) -
	// Floor if More is better. Without Gated any value passes.
	Gated  bool
	Margin float64
	Floor  float64
	// FloorShare, if not 0, sets the floor as a share of the recipients.
	FloorShare float64
}

// Guard is the margin of a single scenario / the margin of the mean.
const Guard = 3

// Metrics lists what is compared, with the margins that a gate has
// unless others are asked for.
func Metrics() []Metric {
	return []Metric{
		{Name: "iae", Unit: "target-hours", Doc: "hours of the target rate that were missed or exceeded",
			Resolution: 0.001, Gated: true, Margin: 0.03},
		{Name: "tv", Unit: "processes", Doc: "sum of all changes of C", Resolution: 1, Gated: true, Margin: 0.05},
		{Name: "settling", Unit: "h", Doc: "until the rate stayed within 5 % of the target; what never settled " +
			"counts as the time that it was watched for", Resolution: math.NaN()},
		{Name: "overshoot", Unit: "1", Doc: "greatest (rate - target) / target", Resolution: 0.001},
		{Name: "steady-error", Unit: "1", Doc: "|rate - target| / target in the last quarter", Resolution: 0.001},
		{Name: "end", Unit: "h", Doc: "until the last recipient ended; a run that leaves some pending counts as its " +
			"horizon", Resolution: 0.001},
		{Name: "dfr", Unit: measure.AttemptsPerDelivery, Doc: "delivery failure rate", Gated: true, Floor: 0.005},
		{Name: "undelivered", Unit: "recipients", Doc: "neither delivered nor suppressed", Resolution: 1, Gated: true,
			FloorShare: 0.0005},
		{Name: "deferrals", Unit: "attempts", Doc: "attempts that a 4yz reply ended, 421 among them", Resolution: 1,
			Gated: true, FloorShare: 0.005},
	}
}

// Names returns the names of all metrics that can be compared: those of Metrics, then all others.
func Names() []string {
	var all []string
	for _, m := range Metrics() {
		all = append(all, m.Name)
	}
	for _, name := range measure.MetricNames() {
		if shortNames[name] == "" {
			all = append(all, name)
		}
	}
	return all
}

// shortNames has the metrics of a run that Metrics compares by another name or in another unit.
var shortNames = map[string]string{"iae_target_hours": "iae", "total_variation": "tv",
	measure.SettlingMetric: "settling", "overshoot": "overshoot", "steady_state_error": "steady-error",
	measure.EndMetric: "end", "dfr": "dfr", "deferrals": "deferrals"}

// MetricNamed returns the metric called name, which any metric of a run has, and whether there is one. One that is
// not among Metrics is not gated.
func MetricNamed(name string) (Metric, bool) {
	if short := shortNames[name]; short != "" {
		name = short
	}
	if i := slices.IndexFunc(Metrics(), func(m Metric) bool { return m.Name == name }); i >= 0 {
		return Metrics()[i], true
	}
	m, found := measure.MetricNamed(name)
	return Metric{Name: m.Name, Unit: m.Unit, Doc: m.Doc, More: m.More, Signed: m.Signed, Resolution: m.Resolution},
		found
}

// resolution returns the resolution of a metric; for a time it is the governor's interval.
func (m Metric) resolution(t Trial) float64 {
	if math.IsNaN(m.Resolution) {
		return t.IntervalSec / 3600
	}
	return m.Resolution
}
