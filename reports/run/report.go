// Package run reports one run: an answer in words, tables, figures, a page and
// the run folder. It runs nothing itself and reads no clock: the same Run gives the same
// bytes, except host.json. It panics if the counts of recipients do not add up. The
// command line calls it, and every report of several runs.
package run

import (
	"cmp"
	"fmt"
	"slices"

	"flyball/internal/hist"
	"flyball/internal/vt"
	"flyball/reports/diagnosis"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/mailings"
	"flyball/reports/measure"
	"flyball/reports/reactions"
	"flyball/reports/runlog"
	"flyball/reports/sensitivity"
	"flyball/reports/traces"
	"flyball/scenarios"
)

// Report is the report of a run. Everything in it is in the files of the run folder too,
// so a report that is read back is the same.
type Report struct {
	Name        string `json:"name"`
	About       string `json:"about"`
	ScenarioID  string `json:"scenario_id"` // SHA-256 of the resolved scenario
	Seed        uint64 `json:"seed"`
	Replication uint64 `json:"replication"` // of the seed; 0 is the run without a replication number
	Mode        string `json:"mode"`        // "sim" or "real"
	// List is the digest of the list of a simulation, unless the list is the scenario's own.
	List        string        `json:"list,omitempty"`
	Receiver    string        `json:"receiver,omitempty"` // of a live run: one that does not follow the model
	Record      string        `json:"record,omitempty"`   // of a live run: the promotion in force at its end, in words
	Partial     bool          `json:"partial"`            // stopped before its end
	Stops       []float64     `json:"stops_s,omitempty"`  // of a live mailing: when its runs stopped and others went on
	TooSlow     bool          `json:"too_slow,omitempty"` // a live run whose machine did not keep its time: not judged
	Digest      string        `json:"digest"`             // of everything that happened, in order
	Law         string        `json:"law"`
	Target      float64       `json:"target_per_h"` // of each governor, at the start
	IntervalSec float64       `json:"interval_s"`   // length S of a full interval; 0 if there was none
	HorizonSec  float64       `json:"horizon_s"`
	EndSec      float64       `json:"end_s"`
	Clock       vt.Clock      `json:"clock,omitzero"` // wall clock beside the run
	Totals      runlog.Totals `json:"totals"`
	DFR         format.Num    `json:"dfr"` // attempts per delivery [0071]; missing without a success
	// Servers are judged by their governors; there is one entry if a single governor controls all.
	Servers      []measure.Server `json:"servers"`
	Expectations []measure.Result `json:"expectations"`
	Outcomes     []Outcome        `json:"outcomes"` // most frequent first
	Latency      Latency          `json:"latency"`
	// Replies are what replies meant to the sender; without a reply table there are none.
	Replies []reactions.Row `json:"replies,omitempty"`

	All          *measure.Destination  `json:"all_destinations,omitempty"` // recipients of all destinations together
	Destinations []measure.Destination `json:"destinations,omitempty"`
	Campaigns    []Campaign            `json:"campaigns,omitempty"`
	// Sending is what the sending server and the sender's other servers did; missing without a sending server.
	Sending *mailings.Report `json:"sending,omitempty"`
	// Findings are the causes why the mailing was refused, slow or late, see package diagnosis.
	Findings []diagnosis.Finding `json:"findings,omitempty"`

	Assumptions []scenarios.Assumption `json:"-"` // assumptions.csv
	Sensitivity *sensitivity.Report    `json:"-"` // sensitivity.csv; nil unless it was asked for

	Rows   []measure.Row `json:"-"` // intervals.csv
	Beside []measure.Row `json:"-"` // simulated.csv: of the simulation of the same live run
	Stages []traces.Row  `json:"-"` // stages.csv; none unless attempts were traced
	Limits []LimitRow    `json:"-"` // limits.csv; none unless destinations have limits
	Bars   []Bar         `json:"-"` // plots/latency.csv
	Course runlog.Course `json:"-"` // plots/replies.csv
	Host   folder.Host   `json:"-"` // host.json
	Replay string        `json:"-"` // manifest.json: the command line that repeats the run

	closes bool // the sender itself may close destinations, see runlog.Sender

	Explain bool `json:"-"` // Text has the governor's own terms too
}

// Campaign is when the recipients of a campaign became final.
type Campaign struct {
	Name        string                `json:"name"`
	StartSec    float64               `json:"start_s"`
	DeadlineSec format.Num            `json:"deadline_s"` // since the start of the run; missing without one
	Recipients  uint64                `json:"recipients"` // without suppressed ones
	Final       uint64                `json:"final"`
	LastSec     format.Num            `json:"last_final_s"` // when the last one of them became final
	Values      map[string]format.Num `json:"metrics"`
	Curve       []Point               `json:"-"` // plots/final.csv
}

// campaign returns the report of a campaign.
func campaign(c *runlog.Campaign) Campaign {
	out := Campaign{Name: c.Name, StartSec: c.Start.Seconds(), DeadlineSec: format.Missing, Recipients: c.Recipients,
		Final: c.Ends.Count(), LastSec: format.Missing,
		Values: measure.NewCampaign(measure.Ended{Ends: &c.Ends, Recipients: c.Recipients, Late: c.Missed()}),
		Curve:  curve(&c.Ends, c.Recipients)}
	if c.Deadline != vt.Never {
		out.DeadlineSec = format.Num(c.Deadline.Seconds())
	}
	if at, any := c.Ends.At(1, out.Final); any {
		out.LastSec = format.Num(at.Seconds())
	}
	return out
}

// Outcome counts the attempts for a destination that ended in the same way.
type Outcome struct {
	Destination string `json:"destination"`
	Stage       string `json:"stage"`
	Code        int    `json:"code"`  // SMTP reply code; 0 without a reply
	Fault       string `json:"fault"` // reason if a reply is missing
	Means       string `json:"means"` // delivered, deferral, bounce or ambiguous
	// what the reply is about by the sender's reply table
	Class string `json:"class,omitempty"`
	Count uint64 `json:"count"`
}

// Latency sums up the times of all attempts, in seconds.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_s"`
	P50   float64 `json:"p50_s"`
	P90   float64 `json:"p90_s"`
	P99   float64 `json:"p99_s"`
}

// Bar is one bar of the histogram of attempt times.
type Bar struct {
	From, To float64 // seconds
	Count    int64
}

// Fold returns the report of a run. Replay is the command line that repeats the run. A
// missed expectation is a Result, not an error. Fold panics if the counts of recipients
// do not add up.
func Fold(run *runlog.Run, expectations []measure.Expectation, replay string) *Report {
	if !run.Totals.Balanced() {
		panic(fmt.Sprintf("run: recipients do not add up: %+v", run.Totals))
	}
	t := run.Totals
	r := &Report{
		Name: run.Name, About: run.About, ScenarioID: run.ScenarioID, Seed: run.Seed, Replication: run.Replication,
		Mode: run.Mode, List: run.List, Receiver: run.Receiver, Partial: run.Partial,
		Digest: fmt.Sprintf("%016x", run.Digest), Law: run.Law, Target: run.TargetRate,
		HorizonSec: run.Horizon.Seconds(), EndSec: run.End.Seconds(), Clock: run.Clock,
		Totals: t, Course: run.Course, closes: run.Sender.Closes,
		DFR: format.Ratio(t.Attempts, t.Delivered), Replay: replay,
		Servers: []measure.Server{}, Expectations: []measure.Result{}, Outcomes: []Outcome{}, // never null in JSON
	}
	for _, i := range run.Intervals {
		r.Limits = append(r.Limits, limitRows(run, i)...)
		target := run.TargetRate
		// a server under a common governor has no rows of its own
		if run.OneGovernor && int(i.Server) < len(run.Servers)-1 {
			target = float64(format.Missing)
		}
		r.Rows = append(r.Rows, measure.NewRow(run.Servers[i.Server], i, target))
		if !i.Partial && r.IntervalSec == 0 {
			r.IntervalSec = i.Sample.Span.Seconds()
		}
	}
	r.stopped(run.Stops)
	governed := run.Servers
	if run.OneGovernor {
		governed = governed[len(governed)-1:]
	}
	for _, name := range governed {
		r.Servers = append(r.Servers, measure.Judge(name, measure.RowsOf(r.Rows, name)))
	}
	for _, c := range run.Replies {
		for _, m := range reactions.Meanings(run, c) {
			r.Outcomes = append(r.Outcomes, Outcome{
				Destination: run.Destinations[c.Destination], Stage: c.Stage.String(), Code: c.Code,
				Fault: c.Fault.String(), Means: m.Fate.String(), Class: m.Class, Count: m.Count,
			})
		}
	}
	slices.SortStableFunc(r.Outcomes, func(a, b Outcome) int { return cmp.Compare(b.Count, a.Count) })
	if len(run.ByDestination) > 0 {
		together := runlog.Together(run.ByDestination)
		together.Recipients = t.Recipients - t.Suppressed
		var late uint64
		for i := range run.Campaigns {
			r.Campaigns = append(r.Campaigns, campaign(&run.Campaigns[i]))
			late += run.Campaigns[i].Missed()
		}
		all := measure.NewDestination("all", &together, late)
		r.All = &all
		for i := range run.ByDestination {
			d := &run.ByDestination[i]
			r.Destinations = append(r.Destinations, measure.NewDestination(run.Destinations[i], d, d.Ends.Late))
		}
	}
	if h := run.Latency; h != (hist.Hist{}) && h.Count() > 0 {
		r.Latency = Latency{Count: h.Count(), Mean: h.Mean().Seconds(), P50: h.Quantile(0.5).Seconds(),
			P90: h.Quantile(0.9).Seconds(), P99: h.Quantile(0.99).Seconds()}
		for _, b := range h.Bars() {
			r.Bars = append(r.Bars, Bar{b.From.Seconds(), b.To.Seconds(), b.Count})
		}
	}
	r.Replies = reactions.Of(run)
	r.Sending = mailings.Of(run.Control)
	r.Host = folder.NewHost(run.Host, format.Num(t.Attempts))
	if r.TooSlow = run.Host.Pace.TooSlow(); r.TooSlow {
		return r
	}
	r.Findings = (&diagnosis.Facts{Run: run, Rows: r.Rows, Servers: r.Servers}).Find()
	r.Expectations = measure.Evaluate(run.Mode, r.Metrics(), expectations)
	if r.Partial { // what the rest would have brought is not known
		for i := range r.Expectations {
			r.Expectations[i].OK = nil
		}
	}
	return r
}

// OK reports whether every expectation was met; false if the run was stopped.
func (r *Report) OK() bool {
	for _, e := range r.Expectations {
		if !e.Met() {
			return false
		}
	}
	return true
}
