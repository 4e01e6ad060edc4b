package delivery

import (
	"slices"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Retry is the resend policy of a server ([0071]): how often, when, and how
// the retry limit moves ([0072]-[0077]).
type Retry struct {
	Policy        string    `toml:"policy" doc:"how the retry limit moves between limit and low: fixed stays; alloc by allocated processes ([0073]); dfr and dfr-fn by attempts per success ([0074]); both-a and both-fn by both ([0075]); stage and stage-fn by recipients remaining ([0076]); util and util-fn by utilization ([0077]); -fn is a function instead of two values; yield, one limit for each destination, by what the later tries deliver (not in the patent application)" oneof:"fixed alloc dfr dfr-fn both-a both-fn stage stage-fn util util-fn yield" default:"fixed"`
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
	Schedule      string    `toml:"schedule" doc:"delays by name instead of delays, with the limit and the age that belong to them; gmail and yahoo as observed, without an end" oneof:"patent rfc5321 postfix kumomta haraka zonemta mox chasquid gmail yahoo"`
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

// DefaultRetry resends ten times ([0073]) over about a day.
func DefaultRetry() Retry {
	return Retry{
		Policy:       "fixed",
		Limit:        10, // [0073]: "from ten to five"
		Low:          5,  // [0073]: "from ten to five"
		When:         "interval",
		Scope:        "server",
		LoadAbove:    1,          // [0073]: C itself; [0077]: "over 100%"
		LoadBelow:    0.8,        // [0073], [0077]: "80%"
		DFRAbove:     7,          // [0074]: "seven"
		DFRBelow:     4,          // [0074]: "four"
		Late:         0.5,        // assumed
		MinAttempts:  1000,       // assumed: then 1/DFR is known to 0.03
		Loss:         0.005,      // assumed: half a point
		Probe:        20,         // assumed: they cost a twentieth of what is saved
		Memory:       7 * vt.Day, // assumed: longer than most schedules, so that all tries of a recipient are seen
		Dwell:        1,          // assumed
		RestoreAfter: 0,          // [0073], [0077]: to the letter, only below the second value
		MaxAge:       0,          // [0071]: the number of resends alone
		// RFC 5321 4.5.4.1: at least 30 minutes, two tries in the first hour, then every 2 or 3 hours
		Delays:        []vt.Span{30 * vt.Minute, 30 * vt.Minute, 2 * vt.Hour, 3 * vt.Hour},
		GreylistDelay: 0,      // [0071]: failures are not told apart
		Bounce:        "fail", // RFC 5321 4.2.1
		Ambiguous:     "hold", // a message is never sent twice unasked
	}
}

// Idle reports whether a key has no meaning under the policy and the schedule
// that r names, or says that there is none of something.
func (r Retry) Idle(key string) bool {
	of := func(policies ...string) bool { return !slices.Contains(policies, r.Policy) }
	s, _ := scheduleNamed(r.Schedule)
	switch key {
	case "limit":
		return s.limit > 0
	case "low":
		return of("alloc", "dfr", "dfr-fn", "both-a", "stage", "stage-fn", "util", "util-fn", "yield")
	case "when":
		return of("alloc", "stage", "stage-fn")
	case "scope":
		return of("dfr", "dfr-fn")
	case "load_above":
		return of("alloc", "both-a", "util", "util-fn")
	case "load_below":
		return of("alloc", "util", "util-fn")
	case "processes":
		return of("alloc", "both-a", "both-fn")
	case "dfr_above", "dfr_below":
		return of("dfr", "dfr-fn", "both-a")
	case "late":
		return of("stage")
	case "inverse":
		return of("stage", "stage-fn")
	case "table":
		return of("both-fn")
	case "table_file":
		return true // its rows have become the table
	case "min_attempts":
		return of("dfr", "dfr-fn", "both-a", "both-fn")
	case "loss", "probe", "memory":
		return of("yield")
	case "dwell":
		return of("alloc", "dfr", "dfr-fn", "both-a", "both-fn", "util", "util-fn", "yield")
	case "restore_after":
		return of("alloc", "dfr", "both-a", "util")
	case "max_age":
		return r.MaxAge == 0 || s.age > 0
	case "delays":
		return r.Schedule != ""
	case "greylist_delay":
		return r.GreylistDelay == 0
	}
	return false
}

// OfCluster reports whether the limit goes by what all servers have done.
func (r Retry) OfCluster() bool { return !r.Idle("scope") && r.Scope == "cluster" }

var policies = []string{"fixed", "alloc", "dfr", "dfr-fn", "both-a", "both-fn", "stage", "stage-fn", "util", "util-fn", "yield"}

// Validate reports every problem. What the policy or the schedule has no use
// for may be left at its default or at zero; to set it is a mistake.
func (r Retry) Validate() []error {
	var l conf.List
	l.Check(slices.Contains(policies, r.Policy), "policy", "got %q, want one of %s", r.Policy, strings.Join(policies, ", "))
	_, known := scheduleNamed(r.Schedule)
	l.Check(known || r.Schedule == "", "schedule", "got %q, want one of %s", r.Schedule, strings.Join(scheduleNames, ", "))
	r.checkIdle(&l)
	plan := r.Spelled()
	l.Check(r.Limit >= 0 && r.Limit <= 1000, "limit", "got %d, want 0 to 1000", r.Limit)
	l.Check(plan.Limit == 0 || len(plan.Delays) > 0, "delays", "got none, want at least one for limit = %d", r.Limit)
	for i, d := range r.Delays {
		l.Check(d >= vt.Millisecond && d <= 30*vt.Day, conf.Index("delays", i), "got %s, want 1ms to 30d", d)
	}
	l.Check(r.GreylistDelay == 0 || r.GreylistDelay >= vt.Millisecond && r.GreylistDelay <= 30*vt.Day, "greylist_delay", "got %s, want 0s, or 1ms to 30d", r.GreylistDelay)
	l.Check(r.MaxAge >= 0 && r.MaxAge <= 3650*vt.Day, "max_age", "got %s, want 0s to 3650d", r.MaxAge)
	l.Check(r.Bounce == "fail" || r.Bounce == "resend", "bounce", "got %q, want \"fail\" or \"resend\"", r.Bounce)
	l.Check(r.Ambiguous == "hold" || r.Ambiguous == "resend", "ambiguous", "got %q, want \"hold\" or \"resend\"", r.Ambiguous)
	r.checkMoves(&l, plan.Limit)
	return l
}

// checkIdle refuses values that would have no effect.
func (r Retry) checkIdle(l *conf.List) {
	usual := DefaultRetry()
	unused := func(key string, isSet bool) {
		why := "policy = \"" + r.Policy + "\""
		if key == "limit" || key == "max_age" || key == "delays" {
			why = "schedule = \"" + r.Schedule + "\""
		}
		l.Check(!isSet || !r.Idle(key), key, "got a value, want none: %s has no use for it", why)
	}
	unused("limit", r.Limit != usual.Limit && r.Limit != 0)
	unused("low", r.Low != usual.Low && r.Low != 0)
	unused("when", r.When != usual.When && r.When != "")
	unused("scope", r.Scope != usual.Scope && r.Scope != "")
	unused("load_above", r.LoadAbove != usual.LoadAbove && r.LoadAbove != 0)
	unused("load_below", r.LoadBelow != usual.LoadBelow && r.LoadBelow != 0)
	unused("processes", r.Processes != 0)
	unused("dfr_above", r.DFRAbove != usual.DFRAbove && r.DFRAbove != 0)
	unused("dfr_below", r.DFRBelow != usual.DFRBelow && r.DFRBelow != 0)
	unused("late", r.Late != usual.Late && r.Late != 0)
	unused("inverse", r.Inverse)
	unused("table", len(r.Table) > 0)
	l.Check(r.TableFile == "", "table_file", "got %q, want rows in table: no file is read here", r.TableFile)
	unused("min_attempts", r.MinAttempts != usual.MinAttempts && r.MinAttempts != 0)
	unused("loss", r.Loss != usual.Loss && r.Loss != 0)
	unused("probe", r.Probe != usual.Probe && r.Probe != 0)
	unused("memory", r.Memory != usual.Memory && r.Memory != 0)
	unused("dwell", r.Dwell != usual.Dwell && r.Dwell != 0)
	unused("restore_after", r.RestoreAfter != 0)
	unused("max_age", r.MaxAge != 0)
	unused("delays", len(r.Delays) > 0 && !slices.Equal(r.Delays, usual.Delays))
}

// checkMoves checks the parameters of the policies that move the limit.
func (r Retry) checkMoves(l *conf.List, limit int) {
	uses := func(key string) bool { return !r.Idle(key) }
	if uses("low") && limit == 0 {
		l.Check(false, "limit", "got 0, want 1 to 1000: policy %q lowers it", r.Policy)
	} else if uses("low") {
		l.Check(r.Low >= 0 && r.Low < limit, "low", "got %d, want 0 to %d, less than limit", r.Low, limit-1)
	}
	if uses("when") {
		l.Check(r.When == "interval" || r.When == "continuous", "when", "got %q, want \"interval\" or \"continuous\"", r.When)
	}
	if uses("scope") {
		l.Check(r.Scope == "server" || r.Scope == "mta" || r.Scope == "cluster", "scope", "got %q, want \"server\", \"mta\" or \"cluster\"", r.Scope)
	}
	if uses("load_above") {
		l.Check(r.LoadAbove > 0 && r.LoadAbove <= 1000, "load_above", "got %g, want more than 0, at most 1000", r.LoadAbove)
	}
	if uses("load_below") {
		l.Check(r.LoadBelow >= 0 && r.LoadBelow < r.LoadAbove, "load_below", "got %g, want 0 or more, less than load_above = %g", r.LoadBelow, r.LoadAbove)
	}
	if uses("processes") {
		l.Check(r.Processes >= 0 && r.Processes <= 1e6, "processes", "got %d, want 1 to 1000000", r.Processes)
	}
	if uses("dfr_above") {
		l.Check(r.DFRAbove <= 1e6, "dfr_above", "got %g, want at most 1000000", r.DFRAbove)
		l.Check(r.DFRBelow >= 1 && r.DFRBelow < r.DFRAbove, "dfr_below", "got %g, want 1 or more, less than dfr_above = %g", r.DFRBelow, r.DFRAbove)
	}
	if uses("late") {
		l.Check(r.Late > 0 && r.Late <= 1, "late", "got %g, want more than 0, at most 1", r.Late)
	}
	if uses("table") {
		l.Check(len(r.Table) > 0 || r.TableFile != "", "table", "got none, want at least one row for policy = \"both-fn\"")
		for i, row := range r.Table {
			key := conf.Index("table", i)
			l.Check(row.Allocated >= 0 && row.Allocated <= 1000, key+".allocated", "got %g, want 0 to 1000", row.Allocated)
			l.Check(row.DFR >= 0 && row.DFR <= 1e6, key+".dfr", "got %g, want 0 to 1000000", row.DFR)
			l.Check(row.Limit >= 0 && row.Limit <= limit, key+".limit", "got %d, want 0 to limit = %d", row.Limit, limit)
		}
	}
	if uses("min_attempts") {
		l.Check(r.MinAttempts >= 1 && r.MinAttempts <= 1e9, "min_attempts", "got %d, want 1 to 1000000000", r.MinAttempts)
	}
	if uses("loss") {
		l.Check(r.Loss > 0 && r.Loss <= 0.5, "loss", "got %g, want more than 0, at most 0.5", r.Loss)
		l.Check(r.Probe >= 2 && r.Probe <= 1e6, "probe", "got %d, want 2 to 1000000", r.Probe)
		l.Check(r.Memory >= vt.Second && r.Memory <= 3650*vt.Day, "memory", "got %s, want 1s to 3650d", r.Memory)
	}
	if uses("dwell") {
		l.Check(r.Dwell >= 0 && r.Dwell <= 1e6, "dwell", "got %d, want 0 to 1000000", r.Dwell)
	}
	if uses("restore_after") {
		l.Check(r.RestoreAfter >= 0 && r.RestoreAfter <= 1e6, "restore_after", "got %d, want 0 to 1000000", r.RestoreAfter)
	}
}

// Freeing is what happens to MTA processes that are allocated beyond C ([0070]).
type Freeing struct {
	Policy  string `toml:"policy" doc:"none: a process ends its subset; at-interval: as many as are too many are chosen when C falls; continuous: one is let go whenever an attempt ends, for as long as there are too many" oneof:"none at-interval continuous" default:"none"`
	Victim  string `toml:"victim" doc:"which process goes first: the one with most deliveries in its time, of the campaign of least priority, with the least share of its subset left, or allocated last" oneof:"ahead-of-schedule lowest-priority most-complete newest" default:"ahead-of-schedule"`
	Shorten int    `toml:"shorten" doc:"recipients of its subset that a process still tries before it goes; the rest goes back to its campaign at once. 0: it goes when its attempt ends" range:"0..1000000000" source:"derived: [0070]: freed"`
}

// DefaultFreeing frees nothing.
func DefaultFreeing() Freeing {
	return Freeing{
		Policy:  "none",              // [0070]: "In one embodiment, the governor does not free MTAs"
		Victim:  "ahead-of-schedule", // [0070]: the first that it names
		Shorten: 0,                   // [0070]: freed
	}
}

var (
	freeings = []string{"none", "at-interval", "continuous"}
	victims  = []string{"ahead-of-schedule", "lowest-priority", "most-complete", "newest"}
)

// Idle reports whether a key has no meaning under the policy that f names.
func (f Freeing) Idle(key string) bool {
	return (f.Policy == "none" || f.Policy == "") && key != "policy"
}

// Validate reports every problem.
func (f Freeing) Validate() []error {
	var l conf.List
	l.Check(slices.Contains(freeings, f.Policy), "policy", "got %q, want one of %s", f.Policy, strings.Join(freeings, ", "))
	if f.Idle("victim") {
		usual := DefaultFreeing()
		l.Check(f.Victim == usual.Victim || f.Victim == "", "victim", "got %q, want none: policy = \"none\" has no use for it", f.Victim)
		l.Check(f.Shorten == 0, "shorten", "got %d, want none: policy = \"none\" has no use for it", f.Shorten)
		return l
	}
	l.Check(slices.Contains(victims, f.Victim), "victim", "got %q, want one of %s", f.Victim, strings.Join(victims, ", "))
	l.Check(f.Shorten >= 0 && f.Shorten <= 1e9, "shorten", "got %d, want 0 to 1000000000", f.Shorten)
	return l
}
