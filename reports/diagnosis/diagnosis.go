// Package diagnosis names the causes why a mailing was refused, slow or late, each by a rule over the record of a
// run; docs/diagnoses.md has the rules in a table. It runs nothing and judges no governor. Reports of runs call it.
package diagnosis

import (
	"slices"

	"flyball/reports/measure"
	"flyball/reports/runlog"
)

// Cause is what a finding names.
type Cause string

// Causes, in the order in which findings are listed.
const (
	Cap          Cause = "cap"               // more connections than the receiver takes
	Bucket       Cause = "bucket"            // more messages an hour than it takes
	Window       Cause = "window"            // more messages in an hour or a day than it takes
	Throttle     Cause = "throttle"          // refused more often the higher the rate is
	Reputation   Cause = "reputation"        // refused at rates that were taken before
	Complaints   Cause = "complaints"        // as reputation, lost by complaints
	Penalty      Cause = "penalty"           // a rate was punished: nothing for a time, then a few connections
	Event        Cause = "event"             // refused for a time, whatever the sender does
	Contention   Cause = "contention"        // several servers share one limit
	HangUp       Cause = "hang-up"           // connections closed after some messages
	Reconnects   Cause = "reconnects"        // the sender itself closes connections after some messages
	Greylist     Cause = "greylist"          // first tries deferred
	Dead         Cause = "dead-addresses"    // addresses that do not exist
	Connections  Cause = "connections"       // more processes than the server's connections
	ServerRate   Cause = "server-rate"       // the server begins no more attempts
	Bandwidth    Cause = "bandwidth"         // the server's link is full
	Runaway      Cause = "runaway"           // more processes delivered less
	Max          Cause = "max"               // C held at the scenario's max
	Processes    Cause = "processes"         // campaigns request fewer processes than C
	Ramp         Cause = "ramp"              // C still rises by its step at the end
	CampaignRate Cause = "campaign-rate"     // a campaign is held at its own rate
	Target       Cause = "target"            // the rate is at the target, and nothing else limits it
	TooSlow      Cause = "retries-too-slow"  // resends wait longer than the receiver asks for
	TooFast      Cause = "retries-too-often" // resends come before the receiver takes them
)

// Causes returns all causes in their order.
func Causes() []Cause {
	return []Cause{Cap, Bucket, Window, Throttle, Reputation, Complaints, Penalty, Event, Contention, HangUp,
		Reconnects, Greylist, Dead, Connections, ServerRate, Bandwidth, Runaway, Max, Processes, Ramp, CampaignRate,
		Target, TooSlow, TooFast}
}

// Place returns the place of the cause in the order of Causes.
func (c Cause) Place() int { return slices.Index(Causes(), c) }

// Finding is a cause with its place and words.
type Finding struct {
	Cause Cause `json:"cause"`
	// Where is the destination, the server or the campaign; empty for the whole run.
	Where string `json:"where"`
	Words string `json:"words"` // what happened, why, and what to change
}

// Least shares that a finding needs. What is rarer is not worth a change.
const (
	leastRefused    = 0.02 // refused attempts / attempts for the destination
	leastDistrusted = 0.1  // attempts refused beyond the throttle / attempts
	leastDeferred   = 0.02 // recipients with the reply / recipients tried
	leastClosed     = 0.02 // attempts that found their connection closed / attempts for the destination
	leastConnecting = 0.1  // time of attempts that new connections cost / time of attempts for the destination

	leastAttempts = 30 // with the reply: fewer may be chance
)

// Facts are what findings are made from.
type Facts struct {
	Run     *runlog.Run
	Rows    []measure.Row
	Servers []measure.Server
}

// Find returns the findings of a run in the order of their causes, and of destinations by their
// refusals.
func (f *Facts) Find() []Finding {
	found := []Finding{}
	if len(f.Run.ByDestination) == 0 {
		return found
	}
	for d := range f.Run.ByDestination {
		v := f.destination(d)
		if v.attempts == 0 {
			continue
		}
		refused := v.refusals()
		found = append(found, refused...)
		found = append(found, v.hangUps()...)
		if len(refused) == 0 {
			found = append(found, v.reconnects()...)
		}
		found = append(found, v.addresses()...)
	}
	found = append(found, f.own(found)...)
	found = append(found, f.campaigns()...)
	found = append(found, f.retries()...)
	slices.SortStableFunc(found, func(a, b Finding) int { return a.Cause.Place() - b.Cause.Place() })
	return found
}
