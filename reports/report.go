// Package reports turns a finished run into what people and programs read: an
// answer in words, tables for a terminal, plots, one page of HTML and a run
// folder. It never runs anything again and reads no clock: the same Run gives
// the same bytes, except host.json. It refuses expectations on metrics it does
// not know, and to overwrite a folder that is not a run folder. The command
// line calls it.
package reports

import (
	"fmt"
	"math"

	"flyball/governor"
	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// Report is a run as it is shown. Everything in it stands in the files of the
// run folder, so a report that is read back shows the same.
type Report struct {
	Name         string    `json:"name"`
	About        string    `json:"about"`
	ScenarioID   string    `json:"scenario_id"` // SHA-256 of the resolved scenario
	Seed         uint64    `json:"seed"`
	Replication  uint64    `json:"replication"`        // of the seed's luck; 0 is the run that the seed names
	Mode         string    `json:"mode"`               // "sim" or "real"
	List         string    `json:"list,omitempty"`     // digest of the list of a simulation, unless it is the scenario's own
	Receiver     string    `json:"receiver,omitempty"` // of a live run: one that does not follow the model
	Partial      bool      `json:"partial"`            // stopped before its end
	Digest       string    `json:"digest"`             // of everything that happened, in order
	Law          string    `json:"law"`
	Target       float64   `json:"target_per_h"` // of each governor, at the start
	IntervalSec  float64   `json:"interval_s"`   // length S of a full interval; 0 if there was none
	HorizonSec   float64   `json:"horizon_s"`
	EndSec       float64   `json:"end_s"`
	Totals       Totals    `json:"totals"`
	DFR          Num       `json:"dfr"`     // attempts per success [0071]; missing without a success
	Servers      []Server  `json:"servers"` // as their governors are judged; where one controls all, it alone
	Expectations []Result  `json:"expectations"`
	Outcomes     []Outcome `json:"outcomes"` // most frequent first
	Latency      Latency   `json:"latency"`

	Assumptions []scenarios.Assumption `json:"-"` // assumptions.csv
	Sensitivity *Sensitivity           `json:"-"` // sensitivity.csv; nil unless it was asked for

	Rows   []Row      `json:"-"` // intervals.csv
	Limits []LimitRow `json:"-"` // limits.csv; none unless destinations have limits
	Bars   []Bar      `json:"-"` // plots/latency.csv
	Host   Host       `json:"-"` // host.json
	Replay string     `json:"-"` // manifest.json: the command line that makes this run again
}

// Totals account for every recipient.
type Totals struct {
	Recipients uint64 `json:"recipients"`
	Delivered  uint64 `json:"delivered"`
	Failed     uint64 `json:"failed"`
	Suppressed uint64 `json:"suppressed"`
	Pending    uint64 `json:"pending"`
	Ambiguous  uint64 `json:"ambiguous"`
	Attempts   uint64 `json:"attempts"`
	Resends    uint64 `json:"resends"` // attempts after a recipient's first
}

// Outcome counts the attempts for a destination that ended in one way.
type Outcome struct {
	Destination string `json:"destination"`
	Stage       string `json:"stage"`
	Code        int    `json:"code"`  // SMTP reply code; 0 when there was no reply
	Fault       string `json:"fault"` // why there was none
	Means       string `json:"means"` // delivered, deferral, bounce or ambiguous
	Count       uint64 `json:"count"`
}

// Latency sums up the times of all attempts, in seconds.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_s"`
	P50   float64 `json:"p50_s"`
	P90   float64 `json:"p90_s"`
	P99   float64 `json:"p99_s"`
}

// Bar is a run of attempt times that are not told apart.
type Bar struct {
	From, To float64 // seconds
	Count    int64
}

// Host is what the run cost on the machine that made it.
type Host struct {
	Wall           float64 `json:"wall_s"`
	AttemptsPerSec Num     `json:"attempts_per_s"`
	MaxRSS         int64   `json:"max_rss_bytes"`
	Go             string  `json:"go"`
	CPU            string  `json:"cpu"`
	LateP50        float64 `json:"late_p50_s"` // of a live run, in virtual time
	LateMax        float64 `json:"late_max_s"`
}

// Row is one governor interval of one server. A Num that is undefined there is
// missing.
type Row struct {
	Server      string
	Number      int     // 0 is the first
	End         float64 // seconds since the start of the run
	Hours       float64 // length of the interval
	Delivered   uint64
	Attempts    uint64
	Rate        Num    // M_s, messages per hour
	Target      Num    // T in force during the interval, messages per hour
	Allocated   Num    // time-average of allocated MTA processes
	Demand      Num    // time-average of those that would be allocated if C had no limit
	Load        Num    // share of the server's scarcest resource in use; of a cluster that of the server with most
	Efficiency  Num    // E_a
	Utilization Num    // U_s
	Previous    Num    // C in force during the interval
	Wanted      Num    // T / E_a
	Step        Num    // d as applied
	Available   Num    // C from now on
	DFR         Num    // attempts per success in this interval
	RetryLimit  int    // in force at the end of the interval
	Freed       uint64 // MTA processes that had to go before their subset was done
	HandedBack  uint64 // recipients of their subsets that went back
	Conditions
	Flags    string
	Partial  bool // cut short by the end of the run
	Draining bool // short of work: more than 1 % of the available slot-time of the interval was not wanted
}

// Conditions are what the attempts that ended in an interval say of receivers
// and network ([0063]).
type Conditions struct {
	Retries, Deferrals, Bounces, Refusals, Timeouts uint64 // attempts: resends; ended by 4yz, by 5yz, by 421, without a reply
	AttemptTime, LookupTime                         Num    // means, in seconds; missing where there was none
	Hops                                            Num    // mean; missing where none is known
}

func conditions(s governor.Sample) Conditions {
	known := func(v float64) Num {
		if v == 0 {
			return missing
		}
		return Num(v)
	}
	return Conditions{s.Retries, s.Deferrals, s.Bounces, s.Refusals, s.Timeouts,
		known(s.AttemptTime.Seconds()), known(s.LookupTime.Seconds()), known(s.Hops)}
}

// judged reports whether the governor can be judged by this interval: it
// lasted its full length, and there was always work for every process.
func (r Row) judged() bool { return !r.Partial && !r.Draining }

// Fold turns a run into its report. Replay is the command line that makes the
// run again. An expectation that is missed is a Result. Fold panics if the
// recipients do not add up.
func Fold(run *runlog.Run, expectations []scenarios.Expectation, replay string) *Report {
	if !run.Totals.Balanced() {
		panic(fmt.Sprintf("reports: recipients do not add up: %+v", run.Totals))
	}
	t := run.Totals
	r := &Report{
		Name: run.Name, About: run.About, ScenarioID: run.ScenarioID, Seed: run.Seed, Replication: run.Replication, Mode: run.Mode, List: run.List, Receiver: run.Receiver, Partial: run.Partial,
		Digest: fmt.Sprintf("%016x", run.Digest), Law: run.Law, Target: run.TargetRate,
		HorizonSec: run.Horizon.Seconds(), EndSec: run.End.Seconds(),
		Totals: Totals{Recipients: t.Recipients, Delivered: t.Delivered, Failed: t.Failed, Suppressed: t.Suppressed,
			Pending: t.Pending, Ambiguous: t.Ambiguous, Attempts: t.Attempts, Resends: t.Resends},
		DFR: ratio(t.Attempts, t.Delivered), Replay: replay,
		Servers: []Server{}, Expectations: []Result{}, Outcomes: []Outcome{}, // never null in JSON
	}
	for _, i := range run.Intervals {
		r.Limits = append(r.Limits, limitRows(run, i)...)
		target := run.TargetRate
		if run.OneGovernor && int(i.Server) < len(run.Servers)-1 { // a part of what it governs has none
			target = float64(missing)
		}
		r.Rows = append(r.Rows, row(run.Servers[i.Server], i, target))
		if !i.Partial && r.IntervalSec == 0 {
			r.IntervalSec = i.Sample.Span.Seconds()
		}
	}
	governed := run.Servers
	if run.OneGovernor {
		governed = governed[len(governed)-1:]
	}
	for _, name := range governed {
		r.Servers = append(r.Servers, judge(name, rowsOf(r.Rows, name)))
	}
	for _, c := range run.Replies {
		r.Outcomes = append(r.Outcomes, Outcome{
			Destination: run.Destinations[c.Destination], Stage: c.Stage.String(), Code: c.Code, Fault: c.Fault.String(),
			Means: mail.Reply{Code: uint16(c.Code), Stage: c.Stage, Fault: c.Fault}.Class().String(), Count: c.Count,
		})
	}
	if h := run.Latency; h != (hist.Hist{}) && h.Count() > 0 {
		r.Latency = Latency{Count: h.Count(), Mean: h.Mean().Seconds(), P50: h.Quantile(0.5).Seconds(),
			P90: h.Quantile(0.9).Seconds(), P99: h.Quantile(0.99).Seconds()}
		for _, b := range h.Bars() {
			r.Bars = append(r.Bars, Bar{b.From.Seconds(), b.To.Seconds(), b.Count})
		}
	}
	r.Host = newHost(run.Host, t.Attempts)
	r.Expectations = evaluate(run.Mode, r.Metrics(), expectations)
	if r.Partial { // what the rest would have brought is not known
		for i := range r.Expectations {
			r.Expectations[i].OK = nil
		}
	}
	return r
}

func newHost(h runlog.Host, attempts uint64) Host {
	return Host{Wall: h.Wall.Seconds(), AttemptsPerSec: Num(float64(attempts) / h.Wall.Seconds()), MaxRSS: h.MaxRSS,
		Go: h.Go, CPU: h.CPU, LateP50: h.LateP50.Seconds(), LateMax: h.LateMax.Seconds()}
}

// row puts an interval into the columns that are shown. The rate is counted
// here, so that it is the same under every reading of P_a. Target is in force
// where the engine was told none.
func row(server string, i runlog.Interval, target float64) Row {
	d, s := i.Decision, i.Sample
	if i.TargetRate > 0 {
		target = i.TargetRate
	}
	r := Row{
		Server: server, Number: i.Number, End: i.End.Seconds(), Hours: s.Span.Hours(),
		Delivered: s.Delivered, Attempts: s.Attempts,
		Rate: Num(float64(s.Delivered) / s.Span.Hours()), Target: Num(target), Allocated: Num(s.Allocated), Demand: Num(s.Demand), Load: Num(s.Load),
		Efficiency: Num(d.Efficiency), Utilization: Num(d.Utilization), Previous: Num(d.Previous),
		Wanted: Num(d.Target), Step: Num(d.Step), Available: Num(d.Available),
		DFR: ratio(s.Attempts, s.Delivered), RetryLimit: i.RetryLimit, Freed: i.Freed, HandedBack: i.HandedBack, Conditions: conditions(s), Flags: d.Flags.String(),
		Partial: i.Partial, Draining: i.Draining && s.Allocated < 0.99*math.Floor(d.Previous),
	}
	if i.Partial { // the governor was not asked
		r.Efficiency, r.Wanted, r.Step, r.Available = missing, missing, missing, missing
	}
	return r
}

// rowsOf returns the rows of one server.
func rowsOf(all []Row, server string) []Row {
	var rows []Row
	for _, row := range all {
		if row.Server == server {
			rows = append(rows, row)
		}
	}
	return rows
}

// OK reports whether every expectation was met; none is where the run was
// stopped.
func (r *Report) OK() bool {
	for _, e := range r.Expectations {
		if !e.Met() {
			return false
		}
	}
	return true
}

// Num is a number that may be missing. What is not finite counts as missing:
// null in JSON, an empty field in CSV.
type Num float64

var missing = Num(math.NaN())

// Known reports whether there is a number.
func (n Num) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// ratio of two counts, missing when there is nothing to divide by.
func ratio(a, b uint64) Num {
	if b == 0 {
		return missing
	}
	return Num(float64(a) / float64(b))
}
