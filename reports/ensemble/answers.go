package ensemble

import (
	"fmt"
	"slices"
	"strings"

	"flyball/reports/diagnosis"
	"flyball/reports/format"
)

// Found is a cause that some replications have.
type Found struct {
	diagnosis.Finding     // of the first replication that has it
	Replications      int `json:"replications"`
}

// find adds the findings of a replication.
func (e *Report) find(o Observation) {
	for _, f := range o.findings {
		i := slices.IndexFunc(e.Findings, func(v Found) bool { return v.Cause == f.Cause && v.Where == f.Where })
		if i < 0 {
			i = len(e.Findings)
			e.Findings = append(e.Findings, Found{Finding: f})
		}
		e.Findings[i].Replications++
	}
	slices.SortStableFunc(e.Findings, func(a, b Found) int {
		return slices.Index(diagnosis.Causes(), a.Cause) - slices.Index(diagnosis.Causes(), b.Cause)
	})
}

// times returns sentences on when recipients were final and on deadlines.
func (e *Report) times() []string {
	if e.Measure("t50_h").N == 0 {
		return nil
	}
	var parts []string
	for _, q := range []struct{ share, metric string }{{"50 %", "t50_h"}, {"90 %", "t90_h"}, {"99 %", "t99_h"}} {
		if m := e.Measure(q.metric); m.Never > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", q.share, m.Words("")))
			continue
		}
		parts = append(parts, q.share+" after "+e.Hours(q.metric))
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
