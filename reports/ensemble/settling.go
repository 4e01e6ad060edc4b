package ensemble

import (
	"math"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

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
	// Held counts the replications in which the scenario's max kept C below the need, as measure.Server.Ordered.
	Held int `json:"held_at_max"`
	// Waited counts the replications in which the server settled but for up to Waits intervals, see measure.Waited.
	Waited int `json:"waited,omitempty"`
	Waits  int `json:"waits,omitempty"`
	// Runaways counts the replications in which the law added processes while the rate fell.
	Runaways int `json:"runaways"`
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
		if t.waits > 0 {
			s.Waited, s.Waits = s.Waited+1, max(s.Waits, t.waits)
		}
		if t.held {
			s.Held++
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
