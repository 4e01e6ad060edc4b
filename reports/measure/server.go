package measure

import (
	"math"
	"slices"

	"flyball/reports/format"
)

// Times that may never come: then they are +Inf, and the horizon in a mean.
const (
	SettlingMetric  = "settling_intervals_5pct"
	SettlingMetric2 = "settling_intervals_2pct"
)

// MayNeverCome reports whether a metric is a time that a run may end before.
func MayNeverCome(metric string) bool {
	m, _ := MetricNamed(metric)
	return m.MayNever
}

// Server says how well the governor of one server did.
//
// It is judged by the intervals that lasted their full length and in which
// every process that it made available was wanted all the time: what happens
// once the list runs out (the rate falls, retries trickle) or before it begins
// says nothing about a governor. With no such interval every measure but
// AvailableFinal is missing or 0. Target is in each interval that which was in
// force in it.
type Server struct {
	Name   string `json:"name"`
	Judged int    `json:"judged_intervals"`
	// Intervals that had passed when the rate came within 5 % (2 %) of the
	// target, never to leave it again while it was judged; 0 if it was there from
	// the start. Missing if the last judged interval was outside. They are counted
	// from the last change of the target, if there was one; see lastChange.
	Settling5 format.Num `json:"settling_intervals_5pct"`
	Settling2 format.Num `json:"settling_intervals_2pct"`
	// Greatest (rate - target) / target, 0 if the target was never exceeded. A
	// run that starts above its target counts its start.
	Overshoot float64 `json:"overshoot"`
	// (Mean rate - mean target) / mean target over the last quarter of the judged
	// intervals, rounded up; at least -1.
	SteadyStateError format.Num `json:"steady_state_error"`
	// Sum of |rate - target| x S / target, in hours: how many hours of the target
	// rate were missed or exceeded. 0 or more.
	IAE float64 `json:"iae_target_hours"`
	// As IAE, of the square of the miss, and of the miss times the hours since
	// the first judged interval began.
	ISE  float64 `json:"ise_target_hours"`
	ITAE float64 `json:"itae_target_hours2"`
	// Sum of the changes of C, up and down, in processes. At least the distance
	// from the first C to the last; equal to it for a path without a turn.
	TotalVariation float64 `json:"total_variation"`
	// How C moves in the end; see swing.
	Swing       format.Num `json:"swing_processes"`
	SwingPeriod format.Num `json:"swing_period_intervals"`
	// C after the last judged interval, or in force at the end if none was.
	AvailableFinal format.Num `json:"available_final"`
	// Mean rate over the last quarter of the judged intervals.
	Rate format.Num `json:"rate_per_h"`
	// The law added processes while the rate fell; see runsAway.
	Runaway bool `json:"runaway"`
}

// Judge measures one server against its targets.
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

// settling is the number of intervals that passed, since the last change of the
// target or else since the start, before the rate stayed within a share of the
// target.
func settling(rows []Row, within float64) format.Num {
	return SettlingSince(LastChange(rows), rows, within)
}

// SettlingSince is that, counted from an interval.
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
