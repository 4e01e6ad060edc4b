// Package measure judges a governor by its intervals: settling, overshoot, lost
// hours, swing and stability, each from rows of numbers. It uses no run, file or
// wording. A number that cannot be judged is missing, never 0. Reports of runs and of
// their means call it.
package measure

import (
	"math"
	"slices"

	"flyball/governor"
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// Judged returns the rows by which a governor can be judged.
func Judged(rows []Row) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !r.Judged() })
}

// LastChange returns the number of the first interval in which the last target was in
// force: 0 if the target never changed, the first interval after the end of a ramp.
func LastChange(rows []Row) int {
	for i := len(rows) - 1; i > 0; i-- {
		if rows[i].Target != rows[i-1].Target {
			return rows[i].Number
		}
	}
	return 0
}

// MeanTarget returns the mean target of one or more rows, exactly if all are equal.
func MeanTarget(rows []Row) float64 {
	first := rows[0].Target
	return float64(first + Mean(rows, func(r Row) format.Num { return r.Target - first }))
}

// LastQuarter returns the last quarter of rows, rounded up.
func LastQuarter(rows []Row) []Row { return rows[len(rows)-(len(rows)+3)/4:] }

// MessagesPerHour returns Rate, for Mean.
func (r Row) MessagesPerHour() format.Num { return r.Rate }

// Mean returns the mean of a column over one or more rows.
func Mean(rows []Row, of func(Row) format.Num) format.Num {
	var sum format.Num
	for _, r := range rows {
		sum += of(r)
	}
	return sum / format.Num(len(rows))
}

// Row is one governor interval of one server. An undefined Num is missing.
type Row struct {
	Server      string
	Number      int     // 0 is the first
	End         float64 // seconds since the start of the run
	Hours       float64 // length of the interval
	Delivered   uint64
	Attempts    uint64
	Rate        format.Num // M_s, messages per hour
	Target      format.Num // T in force during the interval, messages per hour
	Allocated   format.Num // time-average of allocated MTA processes
	Demand      format.Num // time-average of the processes that would be allocated without a limit on C
	Load        format.Num // share of the server's scarcest resource in use; of a cluster, the greatest
	Efficiency  format.Num // E_a
	Utilization format.Num // U_s
	Previous    format.Num // C in force during the interval
	Wanted      format.Num // T / E_a
	Step        format.Num // d as applied
	Available   format.Num // C from now on
	DFR         format.Num // attempts per delivery in this interval
	RetryLimit  int        // in force at the end of the interval
	Freed       uint64     // MTA processes that were freed before their subset was done
	HandedBack  uint64     // recipients of these subsets that were not tried and went back
	Conditions
	Flags string
	// Finish is the estimate of when the last recipient of the server is final, in seconds since the start of the run;
	// with a chance of 90 % it is between FinishLow and FinishHigh. Missing without an estimate.
	Finish, FinishLow, FinishHigh format.Num

	Partial  bool // cut short by the end of the run
	Draining bool // short of work: more than 1 % of the available process time of the interval had no work
}

// Conditions describe receivers and network ([0063]), as seen by the attempts that ended
// in an interval.
type Conditions struct {
	// Attempts: resends (Retries); ended by 4yz, by 5yz, by 421, or without a reply.
	Retries, Deferrals, Bounces, Refusals, Timeouts uint64
	// Means, in seconds; missing without an attempt or a look-up.
	AttemptTime, LookupTime format.Num
	Hops                    format.Num // mean; missing if no number of hops is known
}

func conditions(s governor.Sample) Conditions {
	known := func(v float64) format.Num {
		if v == 0 {
			return format.Missing
		}
		return format.Num(v)
	}
	return Conditions{s.Retries, s.Deferrals, s.Bounces, s.Refusals, s.Timeouts,
		known(s.AttemptTime.Seconds()), known(s.LookupTime.Seconds()), known(s.Hops)}
}

// Judged reports whether the governor can be judged by this interval: it lasted its full
// length, and every process always had work.
func (r Row) Judged() bool { return !r.Partial && !r.Draining }

// NewRow returns an interval as a row. It computes the rate from the deliveries, so that
// the rate is the same under every reading of P_a. Target is used if the engine has no
// target of its own.
func NewRow(server string, i runlog.Interval, target float64) Row {
	d, s := i.Decision, i.Sample
	if i.TargetRate > 0 {
		target = i.TargetRate
	}
	r := Row{
		Server: server, Number: i.Number, End: i.End.Seconds(), Hours: s.Span.Hours(),
		Delivered: s.Delivered, Attempts: s.Attempts,
		Rate: format.Num(float64(s.Delivered) / s.Span.Hours()), Target: format.Num(target),
		Allocated: format.Num(s.Allocated), Demand: format.Num(s.Demand), Load: format.Num(s.Load),
		Efficiency: format.Num(d.Efficiency), Utilization: format.Num(d.Utilization), Previous: format.Num(d.Previous),
		Wanted: format.Num(d.Target), Step: format.Num(d.Step), Available: format.Num(d.Available),
		DFR: format.Ratio(s.Attempts, s.Delivered), RetryLimit: i.RetryLimit, Freed: i.Freed, HandedBack: i.HandedBack,
		Conditions: conditions(s), Flags: d.Flags.String(),
		Partial: i.Partial, Draining: i.Draining && s.Allocated < 0.99*math.Floor(d.Previous),
	}
	r.Finish, r.FinishLow, r.FinishHigh = format.Missing, format.Missing, format.Missing
	if i.Forecast.Known() {
		r.Finish, r.FinishLow, r.FinishHigh = format.Num(i.Finish.Seconds()), format.Num(i.Low.Seconds()),
			format.Num(i.High.Seconds())
	}
	if i.Partial { // the governor made no decision
		r.Efficiency, r.Wanted, r.Step, r.Available = format.Missing, format.Missing, format.Missing, format.Missing
	}
	return r
}

// RowsOf returns the rows of one server.
func RowsOf(all []Row, server string) []Row {
	var rows []Row
	for _, row := range all {
		if row.Server == server {
			rows = append(rows, row)
		}
	}
	return rows
}
