package run

import (
	"fmt"
	"strings"

	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Times returns sentences on when recipients were final, of each campaign if there are several and of all, and on
// each deadline.
func (r *Report) Times() []string {
	if r.All == nil || r.Totals.Recipients == r.Totals.Suppressed {
		return nil
	}
	var all []string
	who := format.Plural(r.Totals.Recipients-r.Totals.Suppressed, "recipient")
	if len(r.Campaigns) > 1 {
		for _, c := range r.Campaigns {
			if c.Recipients > 0 {
				of := fmt.Sprintf("%s: of %s", c.Name, format.Plural(c.Recipients, "recipient"))
				all = append(all, r.final(of, c.Values, float64(c.LastSec), c.Final == c.Recipients))
			}
		}
		who = "In all: of " + who
	} else {
		who = "Of " + who
	}
	all = append(all, r.final(who, r.All.Values, r.lastFinal(), r.Totals.Pending == 0))
	for _, c := range r.Campaigns {
		if c.DeadlineSec.Known() {
			all = append(all, r.deadline(c))
		}
	}
	return all
}

// lastFinal returns when the last recipient was final, in seconds. A run that suppresses recipients may end later.
func (r *Report) lastFinal() float64 {
	if r.Sending == nil {
		return r.EndSec
	}
	last := 0.0
	for _, c := range r.Campaigns {
		if c.LastSec.Known() {
			last = max(last, float64(c.LastSec))
		}
	}
	return last
}

// final returns a sentence on when shares of recipients were final; the end is in seconds.
func (r *Report) final(who string, values map[string]format.Num, end float64, whole bool) string {
	var parts []string
	verb := " were final "
	for _, m := range measure.Milestones() {
		at := values[m.Metric]
		if !at.Known() {
			parts = append(parts, "fewer than "+m.String()+verb+"before the end of the run")
			break
		}
		parts = append(parts, m.String()+verb+r.moment(3600*float64(at)))
		verb = " " // once is enough
	}
	if whole {
		parts = append(parts, "all "+r.moment(end))
	} else if values["t99_h"].Known() {
		parts = append(parts, "not all before the end of the run")
	}
	return fmt.Sprintf("%s %s.", who, strings.Join(parts, ", "))
}

// deadline returns a sentence on whether a campaign met its deadline.
func (r *Report) deadline(c Campaign) string {
	due := float64(c.DeadlineSec)
	when := format.Duration(due) + " after the start"
	if r.Clock.Given() {
		when = r.moment(due)
	}
	text := fmt.Sprintf("Deadline of %s, %s", c.Name, when)
	late := uint64(c.Values["late_recipients"])
	if late == 0 {
		return fmt.Sprintf("%s: met, with %s to spare.", text, format.Duration(due-float64(c.LastSec)))
	}
	text += fmt.Sprintf(": missed by %s (%s)", format.Plural(late, "recipient"),
		format.PercentOfCount(late, c.Recipients))
	if c.LastSec.Known() && float64(c.LastSec) > due {
		text += fmt.Sprintf(", the last of them final %s late", format.Duration(float64(c.LastSec)-due))
	}
	if pending := c.Recipients - c.Final; pending > 0 {
		text += fmt.Sprintf(", %s of them not final when the run ended", format.Grouped(float64(pending), 0))
	}
	return text + "."
}

// causes returns the words of the findings: of each cause the first few, and where else it was found. A runaway has
// sentences of its own.
func (r *Report) causes() []string {
	const most = 3
	var all []string
	count := map[diagnosis.Cause]int{}
	for i, f := range r.Findings {
		if f.Cause == diagnosis.Runaway {
			continue
		}
		if count[f.Cause]++; count[f.Cause] <= most {
			all = append(all, f.Words)
		}
		last := i == len(r.Findings)-1 || r.Findings[i+1].Cause != f.Cause
		if more := count[f.Cause] - most; last && more > 0 {
			all = append(all, fmt.Sprintf("%s: the same at %d more places.", format.Upper(string(f.Cause)), more))
		}
	}
	return all
}
