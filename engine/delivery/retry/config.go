// Package retry decides how often and when a failed recipient is tried again ([0071]): by delays,
// named schedules, and a retry limit that policies move ([0072]-[0077]). The delivery machine asks
// its Limits at every failure and tells them what an interval has shown.
package retry

import (
	"slices"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Config is the resend policy of a server: how often and when messages are resent, and how the
// retry limit moves.
type Config struct {
	// how the retry limit moves between limit and low
	Policy string `toml:"policy" default:"fixed"`
	// number of resends before giving up; 0 never resends; the highest limit of a policy that moves it
	// Source: derived: [0073]: from ten to five
	Limit int `toml:"limit" range:"0..1000" default:"10"`
	// the lowest limit, of a policy that moves it
	// Source: derived: [0073]: from ten to five
	Low int `toml:"low" range:"0..999" default:"5"`
	// when alloc and the stages adjust the limit: at the end of every interval, or continuously, at every failure that
	// the limit decides
	When string `toml:"when" oneof:"interval continuous" default:"interval"`
	// what dfr and dfr-fn count attempts per delivery of: the server, each MTA process separately, or all servers
	// together
	Scope string `toml:"scope" oneof:"server mta cluster" default:"server"`
	// share of C above which allocated processes (alloc, both-a) or utilization (util) set the low limit
	// Source: derived: [0073]: C itself; [0077]: over 100 %
	LoadAbove float64 `toml:"load_above" default:"1" range:">0..1000"`
	// share of C below which allocated processes or utilization restore the high limit
	// Source: derived: [0073], [0077]: 80 %
	LoadBelow float64 `toml:"load_below" range:"0..1000" default:"0.8"`
	// number of processes to use instead of C as the first limit of alloc, both-a and both-fn ([0073]); not given: C
	// Source: derived: [0073]: C is the first limit
	Processes int `toml:"processes,omitdefault" range:"1..1000000"`
	// attempts per delivery above which the low limit is set
	// Source: derived: [0074]: seven
	DFRAbove float64 `toml:"dfr_above" range:"1..1000000" default:"7"`
	// attempts per delivery below which the high limit is restored
	// Source: derived: [0074]: four
	DFRBelow float64 `toml:"dfr_below" range:"1..1000000" default:"4"`
	// share of a campaign's recipients on the server; with fewer remaining the stage is late
	// Source: assumed: half of the list
	Late float64 `toml:"late" default:"0.5" range:">0..1"`
	// low limit in the early stage and high limit in the late one: the tail often has processes to spare
	Inverse bool `toml:"inverse"`
	// rows of policy both-fn; the lowest limit of the rows whose values are exceeded is in force, or limit if there are
	// none
	Table []Row `toml:"table"`
	// CSV file with the columns allocated, dfr and limit, instead of table; path from the scenario's folder. A resolved
	// scenario has the rows
	TableFile string `toml:"table_file"`
	// attempts in an interval below which attempts per delivery are too uncertain and the limit stays
	// Source: assumed: then 1/DFR is known to 0.03
	MinAttempts int `toml:"min_attempts" range:"1..1000000000" default:"1000"`
	// greatest share of the deliverable messages that yield may lose
	// Source: assumed: half a point
	Loss float64 `toml:"loss" default:"0.005" range:">0..0.5"`
	// with yield, one recipient in this many, by its number, keeps the high limit, so that later tries are still
	// measured
	// Source: assumed: they cost a twentieth of what is saved
	Probe int `toml:"probe" range:"2..1000000" default:"20"`
	// how far yield looks back: at the end of each interval S its counts fade by S / memory
	// Source: assumed: longer than most schedules, so that all tries of a recipient are seen
	Memory vt.Span `toml:"memory" default:"7d" range:"1s..3650d"`
	// least number of ends of intervals from one move of the limit to the next; 0 and 1 let it move at every end
	// Source: assumed: the limit may move at the end of every interval
	Dwell int `toml:"dwell" range:"0..1000000" default:"1"`
	// consecutive intervals without need of the low limit after which the high limit is restored, even if no value fell
	// below its lower bound; 0: never
	// Source: derived: [0073], [0077]: only below the second value
	RestoreAfter int `toml:"restore_after" range:"0..1000000"`
	// time after the start of the first try; a failed recipient whose resend would be later is given up; 0s: no such
	// time
	// Source: derived: [0071]: the number of resends alone
	MaxAge vt.Span `toml:"max_age" range:"0s..3650d"`
	// named schedule instead of delays, with its limit and age; gmail and yahoo are as observed and have neither
	Schedule string `toml:"schedule"`
	// waits before the resends; the last one repeats
	// Source: derived: RFC 5321 4.5.4.1: at least 30 minutes, two tries in the first hour, then every 2 or 3 hours
	Delays []vt.Span `toml:"delays" default:"30m, 30m, 2h, 3h" range:"1ms..30d"`
	// wait before the first resend if the first failure is 450 or 451 to RCPT, as from greylisting; 0s: as after any
	// failure
	// Source: derived: [0071] does not distinguish failures
	GreylistDelay vt.Span `toml:"greylist_delay,omitdefault" range:"1ms..30d"`
	// effect of a 5yz reply: give the recipient up (RFC 5321 4.2.1), or resend as after any failure ([0071])
	Bounce string `toml:"bounce" oneof:"fail resend" default:"fail"`
	// effect of an attempt without reply after the final dot: hold (no duplicate) or resend (no loss)
	Ambiguous string `toml:"ambiguous" oneof:"hold resend" default:"hold"`
}

// Row is one row of the table of policy both-fn ([0075]): a limit that applies
// while both a load and a delivery failure rate are exceeded.
type Row struct {
	// share of C that the allocated processes must exceed
	// Source: scenario
	Allocated float64 `toml:"allocated" range:"0..1000" required:"true"`
	// attempts per delivery that must be exceeded
	// Source: scenario
	DFR float64 `toml:"dfr" range:"0..1000000" required:"true"`
	// retry limit in that case
	// Source: scenario
	Limit int `toml:"limit" range:"0..1000" required:"true"`
}

var keys = declare()

// declare reads the tags of Config. It depends on the policies, which Choices lists, so that Go
// initializes them first.
func declare() *conf.Keys {
	_ = policies
	return conf.Declare[Config]()
}

// Default returns a policy that resends ten times ([0073]) over about a day.
func Default() Config {
	r := conf.DefaultOf[Config](keys)
	r.Delays = slices.Clone(r.Delays)
	return r
}

// Idle reports whether a key has no meaning under the policy and the schedule
// that r names, or has a value that turns something off.
func (r Config) Idle(key string) bool {
	s, _ := scheduleNamed(r.Schedule)
	switch key {
	case "limit":
		return s.limit > 0
	case "table_file":
		return true // its rows have become the table
	case "max_age":
		return r.MaxAge == 0 || s.age > 0
	case "delays":
		return r.Schedule != ""
	}
	return ofSomePolicy(key) && !policyNamed(r.Policy).uses(key)
}

// OfCluster reports whether the limit depends on the attempts of all servers.
func (r Config) OfCluster() bool { return !r.Idle("scope") && r.Scope == "cluster" }

// Validate reports every problem. A key that the policy or the schedule does not
// use may be left at its default or at zero; any other value is a problem.
func (r Config) Validate() []error {
	var l conf.List
	keys.Check(&l, r)
	keys.CheckIdle(&l, r, func(key string) string {
		switch key {
		case "table_file":
			return "" // checked below
		case "limit", "max_age", "delays":
			return "schedule = \"" + r.Schedule + "\" has no use for it"
		}
		return "policy = \"" + r.Policy + "\" has no use for it"
	})
	l.Check(r.TableFile == "", "table_file", "got %q, want rows in table: no file is read here", r.TableFile)
	plan := r.Spelled()
	l.Check(plan.Limit == 0 || len(plan.Delays) > 0, "delays", "got none, want at least one for limit = %d", r.Limit)
	uses := policyNamed(r.Policy).uses
	switch {
	case uses("low") && plan.Limit == 0:
		l.Check(false, "limit", "got 0, want 1 to 1000: policy %q lowers it", r.Policy)
	case uses("low"):
		l.Check(r.Low < plan.Limit, "low", "got %d, want 0 to %d, less than limit", r.Low, plan.Limit-1)
	}
	if uses("load_below") {
		l.Check(r.LoadBelow < r.LoadAbove, "load_below", "got %g, want 0 or more, less than load_above = %g",
			r.LoadBelow, r.LoadAbove)
	}
	if uses("dfr_above") {
		l.Check(r.DFRBelow < r.DFRAbove, "dfr_below", "got %g, want 1 or more, less than dfr_above = %g", r.DFRBelow,
			r.DFRAbove)
	}
	if uses("table") {
		l.Check(len(r.Table) > 0 || r.TableFile != "", "table", "got none, want at least one row for policy = %q",
			r.Policy)
		for i, row := range r.Table {
			l.Check(row.Limit <= plan.Limit, conf.Index("table", i)+".limit", "got %d, want 0 to limit = %d", row.Limit,
				plan.Limit)
		}
	}
	return l
}
