package governor

import (
	"slices"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Destination names the law of every single destination ([0063]: "performance
// of recipient mail servers") and its parameters. C holds beside it, for all of
// them together.
type Destination struct {
	Law      string  `toml:"law" doc:"how many attempts a server may have under way to one destination: none sets no limit; postfix-feedback moves it after every attempt, aimd at the end of every interval" oneof:"none postfix-feedback aimd"`
	Initial  int     `toml:"initial" doc:"attempts under way to begin with" range:"1..1000000"`
	Max      int     `toml:"max" doc:"most attempts under way, of postfix-feedback" range:"1..1000000"`
	Positive Amount  `toml:"positive" doc:"part of a step up for each attempt that did not fail to connect, N being the limit: \"1/N\", \"1/sqrt N\", \"1\", or another number instead of 1"`
	Negative Amount  `toml:"negative" doc:"part of a step down for each attempt that failed to connect, in the handshake, with 421 or without a reply"`
	Cohorts  float64 `toml:"cohorts" doc:"a destination is dead after so many cohorts of such failures without another end between; 0: never" range:"0..1000000"`
	Revive   vt.Span `toml:"revive" doc:"after that time a dead destination is tried again, with initial attempts"`
	Parked   int     `toml:"parked" doc:"recipients of a server that may be passed over because their destinations have no room; with as many the list waits at the next" range:"0..100000000"`
	AIMD     AIMD    `toml:"aimd" doc:"parameters of aimd"`
}

// DefaultDestination sets no limit; its parameters are what Postfix does if
// nothing is configured.
func DefaultDestination() Destination {
	return Destination{
		Law:      "none",
		Initial:  5,                // Postfix initial_destination_concurrency
		Max:      20,               // Postfix default_destination_concurrency_limit
		Positive: Amount{Value: 1}, // Postfix default_destination_concurrency_positive_feedback
		Negative: Amount{Value: 1}, // Postfix default_destination_concurrency_negative_feedback
		Cohorts:  1,                // Postfix default_destination_concurrency_failed_cohort_limit
		Revive:   300 * vt.Second,  // Postfix minimal_backoff_time
		Parked:   20000,            // Postfix qmgr_message_active_limit, qmgr_message_recipient_limit
		AIMD: AIMD{
			Backoff: 0.9,           // Netflix AIMDLimit
			Timeout: 5 * vt.Second, // Netflix AIMDLimit
			Drops:   0.01,          // assumed
			Min:     1,             // Postfix: the limit of a destination that is not dead
			Max:     20,            // Postfix default_destination_concurrency_limit
		},
	}
}

// Limits reports whether there is a limit.
func (d Destination) Limits() bool { return d.Law != "none" && d.Law != "" }

// Idle reports whether a key has no meaning under the law that d names.
func (d Destination) Idle(key string) bool {
	switch key {
	case "law":
		return false
	case "max", "positive", "negative", "cohorts", "revive":
		return d.Law != "postfix-feedback"
	case "aimd":
		return d.Law != "aimd"
	}
	return !d.Limits()
}

var limiters = []string{"none", "postfix-feedback", "aimd"}

// Validate reports every problem. What the law has no use for may be left at
// its default or at zero; to set it is a mistake.
func (d Destination) Validate() []error {
	var l conf.List
	l.Check(d.Law == "" || slices.Contains(limiters, d.Law), "law", "got %q, want one of %s", d.Law, strings.Join(limiters, ", "))
	usual := DefaultDestination()
	uses := func(key string, set bool) bool {
		if d.Idle(key) {
			l.Check(!set, key, "got a value, want none: law = %q has no use for it", d.Law)
			return false
		}
		return true
	}
	if uses("initial", d.Initial != usual.Initial && d.Initial != 0) {
		l.Check(d.Initial >= 1 && d.Initial <= 1e6, "initial", "got %d, want 1 to 1000000", d.Initial)
	}
	if uses("max", d.Max != usual.Max && d.Max != 0) {
		l.Check(d.Max >= 1 && d.Max <= 1e6, "max", "got %d, want 1 to 1000000", d.Max)
		l.Check(d.Initial <= d.Max, "initial", "got %d, want at most max = %d", d.Initial, d.Max)
	}
	for _, a := range []struct {
		key   string
		is    Amount
		usual Amount
	}{{"positive", d.Positive, usual.Positive}, {"negative", d.Negative, usual.Negative}} {
		if uses(a.key, a.is != a.usual && a.is != Amount{}) {
			l.Check(a.is.Value >= 0 && a.is.Value <= 1, a.key, "got %g, want 0 to 1", a.is.Value)
			l.Check(a.is.Per <= PerRoot, a.key, "got %d, want PerDelivery, PerCohort or PerRoot", a.is.Per)
		}
	}
	if uses("cohorts", d.Cohorts != usual.Cohorts && d.Cohorts != 0) {
		l.Check(d.Cohorts >= 0 && d.Cohorts <= 1e6, "cohorts", "got %g, want 0 to 1000000", d.Cohorts)
	}
	if uses("revive", d.Revive != usual.Revive && d.Revive != 0) {
		l.Check(d.Revive >= vt.Millisecond && d.Revive <= 30*vt.Day, "revive", "got %s, want 1ms to 30d", d.Revive)
	}
	if uses("parked", d.Parked != usual.Parked && d.Parked != 0) {
		l.Check(d.Parked >= 0 && d.Parked <= 1e8, "parked", "got %d, want 0 to 100000000", d.Parked)
	}
	if uses("aimd", d.AIMD != usual.AIMD && d.AIMD != AIMD{}) {
		l.Within("aimd", d.AIMD.validate())
		l.Check(float64(d.Initial) >= d.AIMD.Min && float64(d.Initial) <= d.AIMD.Max, "initial", "got %d, want aimd.min = %g to aimd.max = %g", d.Initial, d.AIMD.Min, d.AIMD.Max)
	}
	return l
}

// Limiter bounds how many attempts of a server may be under way to one
// destination. As a Governor it is pure and not safe for concurrent use.
type Limiter interface {
	// Limit is the bound now; 0 while the destination is dead: nobody is to be tried.
	Limit() int
	// Success tells of the end of an attempt that the receiver was ready for, whatever it made of the
	// message. busy counts the attempts that were under way, this one included.
	Success(busy int)
	// Failure tells of one that failed to connect, in the handshake, with 421 or without a reply.
	Failure(busy int)
	// Interval tells what went to the destination in an interval of the server's governor.
	Interval(Sample)
	// Revive gives a dead destination another chance.
	Revive()
	State(*snap.Codec)
}

// Limiter builds the law of one destination, of a valid Destination that has one.
func (d Destination) Limiter() Limiter {
	if d.Law == "aimd" {
		return &atIntervals{aimd{gauge{cfg: Config{AIMD: d.AIMD}, available: float64(d.Initial)}}}
	}
	return &Feedback{cfg: d, limit: d.Initial}
}

// atIntervals makes a law of C that of one destination. It takes each interval's
// attempts there for a sample, those under way for P_a; single attempts tell it
// nothing, and no destination is ever dead.
type atIntervals struct{ aimd }

func (a *atIntervals) Limit() int        { return Published(a.available) }
func (a *atIntervals) Success(int)       {}
func (a *atIntervals) Failure(int)       {}
func (a *atIntervals) Revive()           {}
func (a *atIntervals) Interval(s Sample) { a.Decide(s) }
