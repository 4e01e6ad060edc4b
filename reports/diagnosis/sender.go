package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"flyball/reports/format"
	"flyball/reports/measure"
)

// own returns the findings of the sender's own limits. Refused are the findings so far: neither the target nor
// the step of C counts as a limit while receivers refuse.
func (f *Facts) own(refused []Finding) []Finding {
	var all []Finding
	atTarget := 0
	limited := slices.ContainsFunc(refused, func(v Finding) bool { return isRefusal(v.Cause) })
	bound := map[string]bool{} // by server
	for _, own := range f.Run.Sender.Servers {
		if found := f.binds(own); found != nil {
			all = append(all, *found)
			bound[own.Name] = true
		}
	}
	if f.Run.OneGovernor && len(bound) == len(f.Run.Sender.Servers) {
		bound[f.Run.Servers[len(f.Run.Servers)-1]] = true
	}
	for _, s := range f.Servers {
		switch {
		case bound[s.Name]:
		case s.Runaway:
			all = append(all, Finding{Runaway, s.Name, fmt.Sprintf("Runaway: %s was given more processes while its "+
				"rate fell; set governor.max below the number at which it was best.", s.Name)})
		case s.Ordered(f.Rows):
			all = append(all, Finding{Max, s.Name, fmt.Sprintf("%s stayed at governor.max = %s processes, below its "+
				"target, as ordered; a higher max ends this mailing earlier.", s.Name,
				format.Grouped(float64(s.AvailableFinal), 0))})
		case f.requested(s):
			all = append(all, Finding{Processes, s.Name, fmt.Sprintf("%s could have used more than the %d processes "+
				"that its campaigns request; more of them (campaign.processes) end this mailing earlier.", s.Name,
				f.Run.Sender.Requested)})
		case !limited && f.rises(s):
			all = append(all, Finding{Ramp, s.Name, fmt.Sprintf("C of %s still rose by its step at the end, to %s "+
				"processes and %s messages an hour: a higher governor.start, a shorter governor.interval or a greater "+
				"step ends this mailing earlier.", s.Name, format.Grouped(float64(s.AvailableFinal), 0),
				format.Grouped(float64(s.Rate), 0))})
		case s.Judged > 0 && math.Abs(float64(s.SteadyStateError)) <= 0.05:
			atTarget++
		}
	}
	if atTarget > 0 && atTarget == len(f.Servers) && !limited {
		all = append(all, Finding{Target, "", "The rate was at its target and nothing else limited it: a higher " +
			"governor.target ends this mailing earlier, as long as receivers take it."})
	}
	return all
}

// isRefusal reports whether a cause is a limit of receivers on the sender.
func isRefusal(c Cause) bool { return c.Place() <= Contention.Place() }

// requested reports whether the campaigns' requests bound a server: in at least half of its full
// intervals that had work for it all requested processes were allocated, and C was higher.
func (f *Facts) requested(s measure.Server) bool {
	if f.Run.Sender.Requested == 0 || f.Run.OneGovernor {
		return false
	}
	want := float64(f.Run.Sender.Requested)
	full, bound := 0, 0
	for _, row := range measure.RowsOf(f.Rows, s.Name) {
		if row.Partial || float64(row.Demand) < 0.5*want {
			continue
		}
		full++
		if float64(row.Previous) >= want+1 && float64(row.Allocated) >= 0.95*want && row.Rate < row.Target {
			bound++
		}
	}
	return full > 0 && 2*bound >= full
}

// rises reports whether the step of C bound a server: in the last quarter of its judged intervals, of which there
// are at least leastRising in all, C rose by its full step each time, the law wanted more, and the rate was at least
// 5 % below the target.
func (f *Facts) rises(s measure.Server) bool {
	rows := measure.Judged(measure.RowsOf(f.Rows, s.Name))
	if len(rows) < leastRising || !(s.SteadyStateError < -0.05) {
		return false
	}
	return !slices.ContainsFunc(measure.LastQuarter(rows), func(row measure.Row) bool {
		bound := row.Step > 0 && row.Available-row.Previous >= 0.99*row.Step && row.Wanted > row.Available
		return !bound
	})
}

// leastRising is the number of judged intervals from which a rise of C is more than a start.
const leastRising = 4
