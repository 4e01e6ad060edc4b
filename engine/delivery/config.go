package delivery

import (
	"slices"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Retry is the resend policy of a server ([0071]): how often, when, and how
// the retry limit moves ([0072]-[0077]).
type Retry struct {
	Policy        string    `toml:"policy" doc:"how the retry limit moves between limit and low" default:"fixed"`
	Limit         int       `toml:"limit" doc:"times a message is resent before giving up; 0 never resends; where the limit moves, the highest" range:"0..1000" default:"10" source:"derived: [0073]: from ten to five"`
	Low           int       `toml:"low" doc:"the lowest limit, of a policy that moves it" range:"0..999" default:"5" source:"derived: [0073]: from ten to five"`
	When          string    `toml:"when" doc:"when alloc and the stages look: at the end of every interval, or continuously, at every failure that the limit decides" oneof:"interval continuous" default:"interval"`
	Scope         string    `toml:"scope" doc:"whose attempts per success dfr and dfr-fn go by: of the server, of each MTA process for itself, or of all servers together" oneof:"server mta cluster" default:"server"`
	LoadAbove     float64   `toml:"load_above" doc:"share of C: more allocated processes (alloc, both-a) or a greater utilization (util) ask for the low limit" default:"1" range:">0..1000" source:"derived: [0073]: C itself; [0077]: over 100 %"`
	LoadBelow     float64   `toml:"load_below" doc:"share of C: fewer allocated processes or a lesser utilization give the high limit back" range:"0..1000" default:"0.8" source:"derived: [0073], [0077]: 80 %"`
	Processes     int       `toml:"processes,omitdefault" doc:"another first limit of allocated processes than C, for alloc, both-a and both-fn ([0073]); not given: C" range:"1..1000000" source:"derived: [0073]: C is the first limit"`
	DFRAbove      float64   `toml:"dfr_above" doc:"more attempts per success ask for the low limit" range:"1..1000000" default:"7" source:"derived: [0074]: seven"`
	DFRBelow      float64   `toml:"dfr_below" doc:"fewer attempts per success give the high limit back" range:"1..1000000" default:"4" source:"derived: [0074]: four"`
	Late          float64   `toml:"late" doc:"share of a campaign's recipients on the server: with fewer remaining, its stage is a late one" default:"0.5" range:">0..1" source:"assumed: half of the list"`
	Inverse       bool      `toml:"inverse" doc:"the low limit early and the high one late: the tail often has processes to spare"`
	Table         []Row     `toml:"table" doc:"rows of policy both-fn; the lowest limit of those that are reached is in force, limit if none is"`
	TableFile     string    `toml:"table_file" doc:"CSV file with the columns allocated, dfr and limit instead of table; its path from the scenario's folder. A resolved scenario has the rows"`
	MinAttempts   int       `toml:"min_attempts" doc:"attempts of an interval below which attempts per success say nothing and the limit stays" range:"1..1000000000" default:"1000" source:"assumed: then 1/DFR is known to 0.03"`
	Loss          float64   `toml:"loss" doc:"share of what can be delivered that yield may lose at most" default:"0.005" range:">0..0.5" source:"assumed: half a point"`
	Probe         int       `toml:"probe" doc:"with yield one recipient in so many, by its number, keeps the high limit, so that the later tries go on being seen" range:"2..1000000" default:"20" source:"assumed: they cost a twentieth of what is saved"`
	Memory        vt.Span   `toml:"memory" doc:"how far yield looks back: at the end of each interval S what it has counted fades by S / memory" default:"7d" range:"1s..3650d" source:"assumed: longer than most schedules, so that all tries of a recipient are seen"`
	Dwell         int       `toml:"dwell" doc:"ends of intervals that must pass between two moves of the limit; 0 and 1 let it move at every one" range:"0..1000000" default:"1" source:"assumed: the limit may move at the end of every interval"`
	RestoreAfter  int       `toml:"restore_after" doc:"intervals in a row without need of the low limit after which the high one comes back, though nothing fell below its lower value; 0: never" range:"0..1000000" source:"derived: [0073], [0077]: only below the second value"`
	MaxAge        vt.Span   `toml:"max_age" doc:"give up, at a failure, a recipient whose resend would come later than this after its first try began; 0s: never" range:"0s..3650d" source:"derived: [0071]: the number of resends alone"`
	Schedule      string    `toml:"schedule" doc:"delays by name instead of delays, with the limit and the age that belong to them; gmail and yahoo as observed, without an end"`
	Delays        []vt.Span `toml:"delays" doc:"wait before each resend; the last one repeats" default:"30m, 30m, 2h, 3h" range:"1ms..30d" source:"derived: RFC 5321 4.5.4.1: at least 30 minutes, two tries in the first hour, then every 2 or 3 hours"`
	GreylistDelay vt.Span   `toml:"greylist_delay,omitdefault" doc:"wait before the first resend if the first failure is 450 or 451 to RCPT, as greylisting gives; 0s: as after any failure" range:"1ms..30d" source:"derived: [0071]: failures are not told apart"`
	Bounce        string    `toml:"bounce" doc:"what a 5yz reply does: end the recipient (RFC 5321 4.2.1), or count as any failure ([0071])" oneof:"fail resend" default:"fail"`
	Ambiguous     string    `toml:"ambiguous" doc:"what an attempt without reply after the final dot does: hold (never twice) or resend (never none)" oneof:"hold resend" default:"hold"`
}

// Row is one entry of the table of policy both-fn ([0075]): a limit that is
// reached above a load and above a delivery failure rate at the same time.
type Row struct {
	Allocated float64 `toml:"allocated" doc:"share of C that must be exceeded by the allocated processes" range:"0..1000" required:"true" source:"scenario"`
	DFR       float64 `toml:"dfr" doc:"attempts per success that must be exceeded" range:"0..1000000" required:"true" source:"scenario"`
	Limit     int     `toml:"limit" doc:"retry limit then" range:"0..1000" required:"true" source:"scenario"`
}

var keys = declare()

// declare reads the tags once the tables are there that Choices looks at.
func declare() *conf.Keys {
	_, _, _ = policies, freeings, victims
	return conf.Declare[struct {
		Retry   Retry   `toml:"retry"`
		Freeing Freeing `toml:"freeing"`
	}]()
}

// DefaultRetry returns a policy that resends ten times ([0073]) over about a
// day.
func DefaultRetry() Retry {
	r := conf.DefaultOf[Retry](keys)
	r.Delays = slices.Clone(r.Delays)
	return r
}

// Idle reports whether a key has no meaning under the policy and the schedule
// that r names, or means that there is none of something.
func (r Retry) Idle(key string) bool {
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

// OfCluster reports whether the limit goes by what all servers have done.
func (r Retry) OfCluster() bool { return !r.Idle("scope") && r.Scope == "cluster" }

// Validate reports every problem. What the policy or the schedule has no use
// for may be left at its default or at zero; to set it is a mistake.
func (r Retry) Validate() []error {
	var l conf.List
	keys.Check(&l, r)
	keys.CheckIdle(&l, r, func(key string) string {
		switch key {
		case "table_file":
			return "" // below
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

// Freeing is what happens to MTA processes that are allocated beyond C ([0070]).
type Freeing struct {
	Policy  string `toml:"policy" doc:"what becomes of processes that are too many" default:"none"`
	Victim  string `toml:"victim" doc:"which process goes first" default:"ahead-of-schedule"`
	Shorten int    `toml:"shorten" doc:"recipients of its subset that a process still tries before it goes; the rest goes back to its campaign at once. 0: it goes when its attempt ends" range:"0..1000000000" source:"derived: [0070]: freed"`
}

// DefaultFreeing returns a policy that frees nothing: [0070], "In one
// embodiment, the governor does not free MTAs".
func DefaultFreeing() Freeing { return conf.DefaultOf[Freeing](keys) }

// Off reports whether nothing is freed.
func (f Freeing) Off() bool { return f.Policy == "none" || f.Policy == "" }

// Idle reports whether a key has no meaning under the policy that f names.
func (f Freeing) Idle(key string) bool { return f.Off() && key != "policy" }

// Validate reports every problem.
func (f Freeing) Validate() []error {
	var l conf.List
	keys.Check(&l, f)
	keys.CheckIdle(&l, f, func(string) string { return "policy = \"none\" has no use for it" })
	return l
}
