package ensemble

import (
	"fmt"
	"slices"
	"strings"

	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Found is a cause that some replications have.
type Found struct {
	diagnosis.Finding     // of the first replication that has it
	Replications      int `json:"replications"`
}

// found returns the causes of all replications in the order of diagnosis.Causes.
func found(runs []Observation) []Found {
	var all []Found
	for _, o := range runs {
		for _, f := range o.findings {
			i := slices.IndexFunc(all, func(v Found) bool { return v.Cause == f.Cause && v.Where == f.Where })
			if i < 0 {
				i = len(all)
				all = append(all, Found{Finding: f})
			}
			all[i].Replications++
		}
	}
	slices.SortStableFunc(all, func(a, b Found) int { return a.Cause.Place() - b.Cause.Place() })
	return all
}

// times returns sentences on when recipients were final and on deadlines.
func (e *Report) times() []string {
	if e.Measure("t50_h").N == 0 {
		return nil
	}
	var parts []string
	for _, share := range measure.Milestones() {
		if m := e.Measure(share.Metric); m.Never > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", share, m.Words("")))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s after %s", share, e.Hours(share.Metric)))
	}
	if e.Finished == e.Replications {
		parts = append(parts, "all after "+e.Hours("end_h"))
	}
	all := []string{"Recipients were final: " + strings.Join(parts, ", ") + "."}
	if e.Deadlines {
		verdict := fmt.Sprintf("missed in %s, by %s recipients in the mean", e.of(e.WithLate),
			e.MeasureInWords("late_recipients"))
		if e.WithLate == 0 {
			verdict = "met in every replication"
		}
		all = append(all, "Deadlines: "+verdict+".")
	}
	return all
}

// causes returns the words of the findings, as in the first replication that has each.
func (e *Report) causes() []string {
	const most = 3
	var all []string
	count := map[diagnosis.Cause]int{}
	for _, f := range e.Findings {
		if count[f.Cause]++; count[f.Cause] > most || f.Cause == diagnosis.Runaway {
			continue
		}
		text := format.Upper(e.of(f.Replications)) + ": "
		if f.Replications == e.Replications {
			text = ""
		}
		all = append(all, text+f.Words)
	}
	return all
}
