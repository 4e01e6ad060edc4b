package measure

import (
	"math"
	"slices"
	"strings"

	"flyball/governor"
	"flyball/reports/format"
)

// Server has the measures of the governor of one server.
//
// A governor is judged by the intervals that lasted their full length and in which every
// available process had work all the time. The time before a list begins and after it
// runs out (the rate falls, retries trickle) has no meaning for a governor. Without such
// an interval every measure except AvailableFinal is missing or 0. In each interval the
// target is the target in force in that interval.
type Server struct {
	Name   string `json:"name"`
	Judged int    `json:"judged_intervals"`
	// Settling5 (Settling2) is the number of intervals before the rate came within 5 %
	// (2 %) of the target and stayed there in all later judged intervals; 0 if it was
	// there from the start; missing if the last judged interval was outside. It is
	// counted from the last change of the target, if there was one; see LastChange.
	Settling5 format.Num `json:"settling_intervals_5pct"`
	Settling2 format.Num `json:"settling_intervals_2pct"`
	// Overshoot is the greatest (rate - target) / target, 0 if the target was never
	// exceeded. The start of a run that starts above its target counts too.
	Overshoot float64 `json:"overshoot"`
	// SteadyStateError is (mean rate - mean target) / mean target over the last quarter of
	// the judged intervals, rounded up; at least -1.
	SteadyStateError format.Num `json:"steady_state_error"`
	// IAE is the sum of |rate - target| x S / target, in hours: the hours of the target
	// rate that were missed or exceeded. 0 or more.
	IAE float64 `json:"iae_target_hours"`
	// ISE and ITAE are as IAE, but with the square of the miss, and with the miss times
	// the hours since the first judged interval began.
	ISE  float64 `json:"ise_target_hours"`
	ITAE float64 `json:"itae_target_hours2"`
	// TotalVariation is the sum of the absolute changes of C, in processes. It is at least
	// the distance from the first C to the last, and equal to it if C never turns.
	TotalVariation float64 `json:"total_variation"`
	// The amplitude and the period of C; see Swing.
	Swing       format.Num `json:"swing_processes"`
	SwingPeriod format.Num `json:"swing_period_intervals"`
	// AvailableFinal is C after the last judged interval, or at the end without one.
	AvailableFinal format.Num `json:"available_final"`
	// Rate is the mean rate over the last quarter of the judged intervals.
	Rate format.Num `json:"rate_per_h"`
	// Runaway: the law added processes while the rate fell; see runsAway.
	Runaway bool `json:"runaway"`
}

// Judge returns the measures of one server.
func Judge(name string, rows []Row) Server {
	s := Server{Name: name, Settling5: format.Missing, Settling2: format.Missing, SteadyStateError: format.Missing,
		Rate: format.Missing, AvailableFinal: format.Missing, Swing: format.Missing, SwingPeriod: format.Missing}
	if n := len(rows); n > 0 {
		if s.AvailableFinal = rows[n-1].Available; !s.AvailableFinal.Known() {
			s.AvailableFinal = rows[n-1].Previous
		}
	}
	rows = Judged(rows)
	if s.Judged = len(rows); s.Judged == 0 {
		return s
	}
	s.Settling5, s.Settling2 = settling(rows, 0.05), settling(rows, 0.02)
	var hours float64
	for _, r := range rows {
		miss := float64(r.Rate)/float64(r.Target) - 1
		hours += r.Hours
		s.ISE += float64(float64(miss*miss) * r.Hours)
		s.ITAE += float64(float64(math.Abs(miss)*r.Hours) * hours)
		s.Overshoot = max(s.Overshoot, miss)
		s.IAE += float64(math.Abs(miss) * r.Hours) // rounded before the sum, on every machine
		s.TotalVariation += math.Abs(float64(r.Available - r.Previous))
	}
	s.Rate = Mean(LastQuarter(rows), Row.MessagesPerHour)
	s.SteadyStateError = format.Num(float64(s.Rate)/MeanTarget(LastQuarter(rows)) - 1)
	s.AvailableFinal = rows[len(rows)-1].Available
	s.Swing, s.SwingPeriod = Swing(rows)
	s.Runaway = runsAway(rows)
	return s
}

// Ordered reports whether the server missed its target because the scenario's max limited C in every interval of the
// last quarter of its judged rows. The scenario orders that, so it does not count as a failure to converge.
func (s Server) Ordered(rows []Row) bool {
	rows = LastQuarter(Judged(RowsOf(rows, s.Name)))
	return len(rows) > 0 && float64(s.SteadyStateError) < 0 && !slices.ContainsFunc(rows, func(row Row) bool {
		return !slices.Contains(strings.Split(row.Flags, "|"), governor.AtMax.String())
	})
}

// Waited returns when the server settled within 5 % of its target if the intervals are left out in which it used less
// than 95 % of its processes, because recipients waited for destinations that were closed, and how many of these there
// are; 0 intervals if that does not explain why it never settled.
func (s Server) Waited(rows []Row) (settled format.Num, intervals int) {
	rows = Judged(RowsOf(rows, s.Name))
	worked := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return float64(r.Allocated) < 0.95*math.Floor(float64(r.Previous))
	})
	if settled = SettlingSince(LastChange(rows), worked, 0.05); s.Settling5.Known() || !settled.Known() {
		return settled, 0
	}
	return settled, len(rows) - len(worked)
}

// settling returns the number of intervals that passed, since the last change of the
// target or else since the start, before the rate stayed within a share of the target.
func settling(rows []Row, within float64) format.Num {
	return SettlingSince(LastChange(rows), rows, within)
}

// SettlingSince returns settling counted from the interval from.
func SettlingSince(from int, rows []Row, within float64) format.Num {
	k := format.Missing
	for _, r := range slices.Backward(rows) {
		if math.Abs(float64(r.Rate)-float64(r.Target)) > within*float64(r.Target) {
			break
		}
		k = max(format.Num(r.Number-from), 0)
	}
	return k
}

// runsAway reports whether the law added processes while the rate fell, short
// of the target. It compares the last quarter of the judged intervals with the
// quarter before: C and allocated processes rose by more than 1 %, the rate
// fell by more than 0.2 % and lies more than 5 % below the target. Fewer than
// 8 intervals are too few to tell.
func runsAway(rows []Row) bool {
	if len(rows) < 8 {
		return false
	}
	q := (len(rows) + 3) / 4
	before, last := rows[len(rows)-2*q:len(rows)-q], rows[len(rows)-q:]
	grew := func(of func(Row) format.Num, factor format.Num) bool { return Mean(last, of) > factor*Mean(before, of) }
	rate := Mean(last, Row.MessagesPerHour)
	return grew(func(r Row) format.Num { return r.Available }, 1.01) &&
		grew(func(r Row) format.Num { return r.Allocated }, 1.01) &&
		rate < 0.998*Mean(before, Row.MessagesPerHour) && float64(rate) < 0.95*MeanTarget(last)
}
