package governor

import (
	"fmt"

	"flyball/internal/conf"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Destination names the law of every single destination ([0063]: "performance
// of recipient mail servers") and its parameters. C holds beside it, for all of
// them together.
type Destination struct {
	Law      string          `toml:"law" doc:"how many attempts a server may have under way to one destination: none sets no limit; postfix-feedback moves it after every attempt, aimd at the end of every interval" oneof:"none postfix-feedback aimd" default:"none"`
	Initial  int             `toml:"initial" doc:"attempts under way to begin with" range:"1..1000000" default:"5" source:"derived: Postfix initial_destination_concurrency"`
	Max      int             `toml:"max" doc:"most attempts under way, of postfix-feedback" range:"1..1000000" default:"20" source:"derived: Postfix default_destination_concurrency_limit"`
	Positive Amount          `toml:"positive" doc:"part of a step up for each attempt that did not fail to connect, N being the limit: \"1/N\", \"1/sqrt N\", \"1\", or another number instead of 1" default:"1" source:"derived: Postfix default_destination_concurrency_positive_feedback"`
	Negative Amount          `toml:"negative" doc:"part of a step down for each attempt that failed to connect, in the handshake, with 421 or without a reply" default:"1" source:"derived: Postfix default_destination_concurrency_negative_feedback"`
	Cohorts  float64         `toml:"cohorts" doc:"a destination is dead after so many cohorts of such failures without another end between; 0: never" range:"0..1000000" default:"1" source:"derived: Postfix default_destination_concurrency_failed_cohort_limit"`
	Revive   vt.Span         `toml:"revive" doc:"after that time a dead destination is tried again, with initial attempts" default:"5m" range:"1ms..30d" source:"derived: Postfix minimal_backoff_time"`
	Parked   int             `toml:"parked" doc:"recipients of a server that may be passed over because their destinations have no room; with as many the list waits at the next" range:"0..100000000" default:"20000" source:"derived: Postfix qmgr_message_active_limit, qmgr_message_recipient_limit"`
	AIMD     DestinationAIMD `toml:"aimd" doc:"parameters of aimd"`
}

// DestinationAIMD is AIMD with the defaults of a single destination.
type DestinationAIMD struct {
	Backoff float64 `toml:"backoff" doc:"what remains of the limit after a dropped interval" range:"0.5..0.999" default:"0.9" source:"derived: Netflix AIMDLimit"`
	Timeout vt.Span `toml:"timeout" doc:"an interval whose mean attempt took longer counts as dropped" default:"5s" range:">0s..30d" source:"derived: Netflix AIMDLimit"`
	Drops   float64 `toml:"drops" doc:"an interval with a larger share of its attempts refused or timed out counts as dropped" range:"0..1" default:"0.01" source:"assumed: the library has none: its sample is one request"`
	Min     float64 `toml:"min" doc:"least limit" range:"1..1000000" default:"1" source:"derived: Postfix: the limit of a destination that is not dead"`
	Max     float64 `toml:"max" doc:"greatest limit" range:"1..1000000" default:"20" source:"derived: Postfix default_destination_concurrency_limit"`
}

// Validate reports every problem.
func (a DestinationAIMD) Validate() []error {
	var l conf.List
	keys.Check(&l, a)
	l.Check(!(a.Min > a.Max), "min", "got %g, want at most max = %g", a.Min, a.Max)
	return l
}

// DefaultDestination returns a Destination that sets no limit; its parameters
// are what Postfix does if nothing is configured.
func DefaultDestination() Destination { return conf.DefaultOf[Destination](keys) }

// Limits reports whether there is a limit.
func (d Destination) Limits() bool { return d.Law != "none" && d.Law != "" }

// Off reports whether there is no limit.
func (d Destination) Off() bool { return !d.Limits() }

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

// Validate reports every problem. What the law has no use for may be left at
// its default or at zero; to set it is a mistake.
func (d Destination) Validate() []error {
	var l conf.List
	keys.Check(&l, d)
	keys.CheckIdle(&l, d, func(string) string { return fmt.Sprintf("law = %q has no use for it", d.Law) })
	switch d.Law {
	case "postfix-feedback":
		l.Check(d.Initial <= d.Max, "initial", "got %d, want at most max = %d", d.Initial, d.Max)
	case "aimd":
		l.Check(float64(d.Initial) >= d.AIMD.Min && float64(d.Initial) <= d.AIMD.Max, "initial",
			"got %d, want aimd.min = %g to aimd.max = %g", d.Initial, d.AIMD.Min, d.AIMD.Max)
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
		return &atIntervals{aimd{gauge{cfg: Config{AIMD: AIMD(d.AIMD)}, available: float64(d.Initial)}}}
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
