package ensemble

import (
	"fmt"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Expectation is an expectation that was judged in every replication.
type Expectation struct {
	Metric      string           `json:"metric"`
	Op          string           `json:"op"`
	Limit       float64          `json:"limit"`
	Met         int              `json:"met"` // replications
	Share       measure.Estimate `json:"met_share"`
	FirstMissed format.Num       `json:"first_missed"` // replication; missing if none
	// Never is the number of replications that missed it because they did not reach the time.
	Never int `json:"never"`
}

func expectation(runs []Observation, i int) Expectation {
	first := runs[0].expected[i]
	e := Expectation{Metric: first.Metric, Op: first.Op, Limit: first.Limit, FirstMissed: format.Missing}
	for _, o := range runs {
		if !measure.Reached(e.Metric, o.Metrics) {
			e.Never++
		}
		if o.expected[i].Met() {
			e.Met++
		} else if !e.FirstMissed.Known() {
			e.FirstMissed = format.Num(o.Replication)
		}
	}
	e.Share = measure.Estimated(stats.Share(e.Met, len(runs), measure.Confidence))
	return e
}

// verdict returns the verdict in words, "ok" if every replication met the expectation.
func (x Expectation) verdict() string {
	if !x.FirstMissed.Known() {
		return "ok"
	}
	text := fmt.Sprintf("missed first in replication %.0f", x.FirstMissed)
	if x.Never > 0 {
		text += fmt.Sprintf(", %s in %d", measure.NeverWord(x.Metric), x.Never)
	}
	return text
}
