package ensemble

import (
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
}

func expectation(runs []Observation, i int) Expectation {
	first := runs[0].expected[i]
	e := Expectation{Metric: first.Metric, Op: first.Op, Limit: first.Limit, FirstMissed: format.Missing}
	for _, o := range runs {
		if o.expected[i].Met() {
			e.Met++
		} else if !e.FirstMissed.Known() {
			e.FirstMissed = format.Num(o.Replication)
		}
	}
	e.Share = measure.Estimated(stats.Share(e.Met, len(runs), measure.Confidence))
	return e
}
