package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"flyball/reports/runlog"
	"flyball/scenarios"
)

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
	Settling5 Num `json:"settling_intervals_5pct"`
	Settling2 Num `json:"settling_intervals_2pct"`
	// Greatest (rate - target) / target, 0 if the target was never exceeded. A
	// run that starts above its target counts its start.
	Overshoot float64 `json:"overshoot"`
	// (Mean rate - mean target) / mean target over the last quarter of the judged
	// intervals, rounded up; at least -1.
	SteadyStateError Num `json:"steady_state_error"`
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
	Swing       Num `json:"swing_processes"`
	SwingPeriod Num `json:"swing_period_intervals"`
	// C after the last judged interval, or in force at the end if none was.
	AvailableFinal Num `json:"available_final"`
	// Mean rate over the last quarter of the judged intervals.
	Rate Num `json:"rate_per_h"`
	// The law added processes while the rate fell; see runsAway.
	Runaway bool `json:"runaway"`
}

// judge measures one server against its targets.
func judge(name string, rows []Row) Server {
	s := Server{Name: name, Settling5: missing, Settling2: missing, SteadyStateError: missing, Rate: missing, AvailableFinal: missing, Swing: missing, SwingPeriod: missing}
	if n := len(rows); n > 0 {
		if s.AvailableFinal = rows[n-1].Available; !s.AvailableFinal.Known() {
			s.AvailableFinal = rows[n-1].Previous
		}
	}
	rows = judged(rows)
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
	s.Rate = mean(lastQuarter(rows), Row.rate)
	s.SteadyStateError = Num(float64(s.Rate)/meanTarget(lastQuarter(rows)) - 1)
	s.AvailableFinal = rows[len(rows)-1].Available
	s.Swing, s.SwingPeriod = swing(rows)
	s.Runaway = runsAway(rows)
	return s
}

func judged(rows []Row) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !r.judged() })
}

// settling is the number of intervals that passed, since the last change of the
// target or else since the start, before the rate stayed within a share of the
// target.
func settling(rows []Row, within float64) Num { return settlingSince(lastChange(rows), rows, within) }

// settlingSince is that, counted from an interval.
func settlingSince(from int, rows []Row, within float64) Num {
	k := missing
	for _, r := range slices.Backward(rows) {
		if math.Abs(float64(r.Rate)-float64(r.Target)) > within*float64(r.Target) {
			break
		}
		k = max(Num(r.Number-from), 0)
	}
	return k
}

// lastChange is the number of the first interval in which the last target was in
// force: 0 if it never changed, the interval after a ramp's last.
func lastChange(rows []Row) int {
	for i := len(rows) - 1; i > 0; i-- {
		if rows[i].Target != rows[i-1].Target {
			return rows[i].Number
		}
	}
	return 0
}

// meanTarget of one or more rows; of equal ones exactly that.
func meanTarget(rows []Row) float64 {
	first := rows[0].Target
	return float64(first + mean(rows, func(r Row) Num { return r.Target - first }))
}

// lastQuarter is the last quarter of some intervals, rounded up.
func lastQuarter(rows []Row) []Row { return rows[len(rows)-(len(rows)+3)/4:] }

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
	grew := func(of func(Row) Num, factor Num) bool { return mean(last, of) > factor*mean(before, of) }
	rate := mean(last, Row.rate)
	return grew(func(r Row) Num { return r.Available }, 1.01) && grew(func(r Row) Num { return r.Allocated }, 1.01) &&
		rate < 0.998*mean(before, Row.rate) && float64(rate) < 0.95*meanTarget(last)
}

func (r Row) rate() Num { return r.Rate }

// mean of a column over one or more rows.
func mean(rows []Row, of func(Row) Num) Num {
	var sum Num
	for _, r := range rows {
		sum += of(r)
	}
	return sum / Num(len(rows))
}

// Metrics of a run by the names of scenarios.Metrics; with several servers, the
// metrics of a server are those of the worst one. Settling is +Inf if a server
// never settles; what is undefined is NaN. It panics as Fold does.
func Metrics(run *runlog.Run) map[string]float64 { return Fold(run, nil, "").Metrics() }

// Metrics of a report; see the function of that name.
func (r *Report) Metrics() map[string]float64 {
	t := r.Totals
	m := map[string]float64{
		"recipients": float64(t.Recipients), "delivered": float64(t.Delivered), "failed": float64(t.Failed),
		"suppressed": float64(t.Suppressed), "pending": float64(t.Pending), "ambiguous": float64(t.Ambiguous),
		"attempts": float64(t.Attempts), "dfr": float64(ratio(t.Attempts, t.Delivered)),
		"delivered_share":       float64(ratio(t.Delivered, t.Recipients)),
		"retries_per_recipient": float64(ratio(t.Resends, t.Recipients-t.Suppressed)),
		"end_h":                 r.EndSec / 3600,
		"throttled":             0, "deferrals": 0,
	}
	for _, o := range r.Outcomes {
		if o.Code == 421 {
			m["throttled"] += float64(o.Count)
		}
		if o.Code/100 == 4 {
			m["deferrals"] += float64(o.Count)
		}
	}
	peak := missing
	for _, row := range r.Rows {
		for _, c := range []Num{row.Previous, row.Available} {
			if c.Known() && !(c <= peak) {
				peak = c
			}
		}
	}
	m["peak_available"] = float64(peak)
	maps.Copy(m, worstOf(r.Servers))
	return m
}

// worstOf are the metrics of servers, those of the worst one for each.
func worstOf(servers []Server) map[string]float64 {
	m := map[string]float64{}
	worst := func(name string, of func(Server) float64, least bool) {
		m[name] = math.NaN()
		for i, s := range servers {
			if s.Judged == 0 { // nothing is known of it, so no expectation can be met
				m[name] = math.NaN()
				return
			}
			if v := of(s); i == 0 {
				m[name] = v
			} else if least {
				m[name] = min(m[name], v)
			} else {
				m[name] = max(m[name], v)
			}
		}
	}
	everOr := func(n Num) float64 {
		if !n.Known() {
			return math.Inf(1)
		}
		return float64(n)
	}
	worst("settling_intervals_5pct", func(s Server) float64 { return everOr(s.Settling5) }, false)
	worst("settling_intervals_2pct", func(s Server) float64 { return everOr(s.Settling2) }, false)
	worst("overshoot", func(s Server) float64 { return s.Overshoot }, false)
	worst("ise_target_hours", func(s Server) float64 { return s.ISE }, false)
	worst("itae_target_hours2", func(s Server) float64 { return s.ITAE }, false)
	worst("swing_processes", func(s Server) float64 { return float64(s.Swing) }, false)
	m["steady_state_error"], m["swing_period_intervals"] = math.NaN(), math.NaN()
	for _, s := range servers {
		if e := float64(s.SteadyStateError); !(math.Abs(e) <= math.Abs(m["steady_state_error"])) {
			m["steady_state_error"] = e
		}
		if float64(s.Swing) == m["swing_processes"] {
			m["swing_period_intervals"] = float64(s.SwingPeriod)
		}
	}
	worst("iae_target_hours", func(s Server) float64 { return s.IAE }, false)
	worst("total_variation", func(s Server) float64 { return s.TotalVariation }, false)
	worst("available_final", func(s Server) float64 { return float64(s.AvailableFinal) }, true)
	worst("rate_per_h", func(s Server) float64 { return float64(s.Rate) }, true)
	return m
}

// Result is an expectation that was held against a run.
type Result struct {
	Metric string  `json:"metric"`
	Op     string  `json:"op"`
	Limit  float64 `json:"limit"`
	Value  Num     `json:"value"` // missing if undefined or never reached; then the expectation is missed
	OK     *bool   `json:"ok"`    // null where nothing is judged: the run was stopped
}

// Met reports whether it is judged, and was met.
func (e Result) Met() bool { return e.OK != nil && *e.OK }

// verdict is a word for that: the given one for what was met or missed.
func (e Result) verdict(met, missed string) string {
	switch {
	case e.OK == nil:
		return "not judged"
	case *e.OK:
		return met
	}
	return missed
}

// evaluate holds those expectations that speak of a mode against the metrics,
// in their order. It panics on a metric or an operator that no valid scenario
// has.
func evaluate(mode string, metrics map[string]float64, expectations []scenarios.Expectation) []Result {
	results := []Result{}
	for _, e := range expectations {
		if e.In != "any" && e.In != mode {
			continue
		}
		v, known := metrics[e.Metric]
		if !known {
			panic(fmt.Sprintf("reports: unknown metric %q", e.Metric))
		}
		r := Result{Metric: e.Metric, Op: e.Op, Limit: e.Value, Value: Num(v)}
		ok := false
		switch e.Op {
		case "<":
			ok = v < e.Value
		case "<=":
			ok = v <= e.Value
		case ">":
			ok = v > e.Value
		case ">=":
			ok = v >= e.Value
		case "==":
			ok = v == e.Value
		case "!=":
			ok = v != e.Value
		default:
			panic(fmt.Sprintf("reports: unknown operator %q", e.Op))
		}
		ok = ok && r.Value.Known()
		r.OK = &ok
		results = append(results, r)
	}
	return results
}
