package governor

import (
	"fmt"

	"flyball/governor/feedback"
	"flyball/internal/conf"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Destination names the law that limits each destination ([0063]: "performance
// of recipient mail servers") and its parameters. C limits all destinations
// together, in addition.
type Destination struct {
	// how a server limits its concurrent attempts to one destination: none sets no limit; postfix-feedback adjusts the
	// limit after every attempt, aimd at the end of every interval
	Law string `toml:"law" oneof:"none postfix-feedback aimd" default:"none"`
	// initial limit of attempts under way
	// Source: derived: Postfix initial_destination_concurrency
	Initial int `toml:"initial" range:"1..1000000" default:"5"`
	// greatest limit of postfix-feedback
	// Source: derived: Postfix default_destination_concurrency_limit
	Max int `toml:"max" range:"1..1000000" default:"20"`
	// part of a step up for each attempt that the receiver served, N being the limit: "1/N", "1/sqrt N", "1", or
	// another number instead of 1
	// Source: derived: Postfix default_destination_concurrency_positive_feedback
	Positive feedback.Amount `toml:"positive" default:"1"`
	// part of a step down for each attempt that failed to connect, in the handshake, with 421 or without a reply
	// Source: derived: Postfix default_destination_concurrency_negative_feedback
	Negative feedback.Amount `toml:"negative" default:"1"`
	// a destination is dead after this many cohorts of consecutive such failures; 0: never
	// Source: derived: Postfix default_destination_concurrency_failed_cohort_limit
	Cohorts float64 `toml:"cohorts" range:"0..1000000" default:"1"`
	// time after which a dead destination is tried again, with the initial limit
	// Source: derived: Postfix minimal_backoff_time
	Revive vt.Span `toml:"revive" default:"5m" range:"1ms..30d"`
	// most recipients of a campaign on a server that may be set aside because their destinations are at their limits;
	// when there are as many, the rest of its list waits
	// Source: derived: Postfix qmgr_message_active_limit, qmgr_message_recipient_limit
	Parked int `toml:"parked" range:"0..100000000" default:"20000"`
	// parameters of aimd
	AIMD DestinationAIMD `toml:"aimd"`
}

// DestinationAIMD is AIMD with the defaults of a single destination.
type DestinationAIMD struct {
	// factor of the limit after a dropped interval
	// Source: derived: Netflix AIMDLimit
	Backoff float64 `toml:"backoff" range:"0.5..0.999" default:"0.9"`
	// an interval whose mean attempt took longer counts as dropped
	// Source: derived: Netflix AIMDLimit
	Timeout vt.Span `toml:"timeout" default:"5s" range:">0s..30d"`
	// an interval with a larger share of its attempts refused or timed out counts as dropped
	// Source: assumed: the library has none: its sample is one request
	Drops float64 `toml:"drops" range:"0..1" default:"0.01"`
	// least limit
	// Source: derived: Postfix: the limit of a destination that is not dead
	Min float64 `toml:"min" range:"1..1000000" default:"1"`
	// greatest limit
	// Source: derived: Postfix default_destination_concurrency_limit
	Max float64 `toml:"max" range:"1..1000000" default:"20"`
}

// Validate reports every problem.
func (a DestinationAIMD) Validate() []error {
	var l conf.List
	keys.Check(&l, a)
	l.Check(!(a.Min > a.Max), "min", "got %g, want at most max = %g", a.Min, a.Max)
	return l
}

// DefaultDestination returns a Destination that sets no limit; its parameters
// are the defaults of Postfix.
func DefaultDestination() Destination { return conf.DefaultOf[Destination](keys) }

// Limits reports whether d sets a limit.
func (d Destination) Limits() bool { return d.Law != "none" && d.Law != "" }

// Off reports whether d sets no limit.
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

// Validate reports every problem. A key that the law does not use may be left at
// its default or at zero; any other value is a problem.
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

// Limiter limits how many attempts of a server may be under way to one
// destination. Like a Governor it is pure and not safe for concurrent use.
type Limiter interface {
	// Limit returns the present limit; 0 while the destination is dead and no recipient may be tried.
	Limit() int
	// Success adjusts the limit after an attempt that the receiver served, whatever it replied to the
	// message. busy is the number of attempts that were under way, including this one.
	Success(busy int)
	// Failure adjusts the limit after an attempt that failed to connect, in the handshake, with 421 or
	// without a reply.
	Failure(busy int)
	// Interval adjusts the limit after an interval of the server's governor, given the destination's sample.
	Interval(Sample)
	// Revive makes a dead destination usable again.
	Revive()
	State(*snap.Codec)
}

// Limiter returns a new limiter for one destination. d must be valid and set a
// limit.
func (d Destination) Limiter() Limiter {
	if d.Law == "aimd" {
		return &atIntervals{aimd{base{cfg: Config{AIMD: AIMD(d.AIMD)}, available: float64(d.Initial)}}}
	}
	return byAttempts{feedback.New(feedback.Config{Initial: d.Initial, Max: d.Max, Positive: d.Positive,
		Negative: d.Negative, Cohorts: d.Cohorts})}
}

// byAttempts is a limit that depends on single attempts alone.
type byAttempts struct{ *feedback.Concurrency }

func (byAttempts) Interval(Sample) {}

// atIntervals applies a law of C to one destination. Its samples are the
// destination's attempts in an interval, with the attempts under way as P_a. It
// ignores single attempts, and no destination is ever dead.
type atIntervals struct{ aimd }

func (a *atIntervals) Limit() int        { return Published(a.available) }
func (a *atIntervals) Success(int)       {}
func (a *atIntervals) Failure(int)       {}
func (a *atIntervals) Revive()           {}
func (a *atIntervals) Interval(s Sample) { a.Decide(s) }
