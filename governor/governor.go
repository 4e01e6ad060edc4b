// Package governor decides how many MTA processes a server makes available
// ([0063]-[0070]). A governor takes the measurements of the last interval and
// returns the new number. It is a pure state machine without clock, goroutine
// or randomness, so simulation, live runs and recorded logs share it. The
// patent contradicts itself in places and leaves cases undefined: each reading
// is explained at the line that implements it, and the Flags of a decision name
// the cases that occurred.
//
// The package also has rivals of the patent's laws. Trackers (pi, regulator and
// the patent's laws) steer the rate to the target. Seekers (aimd, gradient2,
// corr-vegas) ignore the target and find how much the receivers take. A Config
// may set a seeker as the ceiling of a tracker.
//
// New refuses an invalid Config and reports every problem at once. Decide never
// refuses a Sample: where the formula is undefined, C is held. A governor frees
// no process ([0070]); the server does.
//
// Not safe for concurrent use. The delivery machine, the cluster's governing
// role and the replay of recorded intervals call it.
package governor

import (
	"math"
	"strings"

	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Governor turns one interval's sample into the number of available MTA
// processes.
type Governor interface {
	// Available returns C: the start value before the first decision, then the
	// last decision; 1 to 2^31 - 1.
	Available() float64
	// Decide returns C for the next interval, given the sample of the interval S
	// that has just ended.
	Decide(Sample) Decision
}

// Keeper is a Governor whose state can be saved. Every law of this package is a
// Keeper.
type Keeper interface {
	Governor
	// State saves the governor's state, or restores it in a governor built from the same Config.
	State(*snap.Codec)
}

// Sample holds what a server measured during one interval: the conditions that
// [0063] names. The patent's laws use only Span, TargetRate, Delivered and
// Allocated. Every field except Span may be 0 if it was not measured; a law
// cannot distinguish that from a measured 0. Attempts are counted in the
// interval in which they ended, whenever they began.
type Sample struct {
	Span vt.Span // length S of the interval
	// T, messages per hour to attain in the coming interval. The target of the Config
	// applies if it is not a positive finite number.
	TargetRate float64
	Delivered  uint64  // successful deliveries ([0066])
	Attempts   uint64  // all attempts that ended
	Allocated  float64 // time-average of allocated MTA processes

	// How attempts ended. A recipient counts once for each of its attempts.
	Retries   uint64 // attempts to recipients that had been tried before, whatever their outcome
	Deferrals uint64 // attempts ended by a 4yz reply, at any stage
	Bounces   uint64 // attempts ended by a 5yz reply, at any stage
	Refusals  uint64 // Deferrals because of the sender's rate: 421, or any 4yz with an enhanced code 4.7.x
	Timeouts  uint64 // attempts ended without a reply: time-out, refused or broken connection, no address

	// The network and the receivers.
	AttemptTime vt.Span // mean time from an attempt's start to its end; if it is 0, laws use P_a x S / attempts
	LookupTime  vt.Span // mean time of the DNS look-ups that ended, including answers from the cache
	Hops        float64 // mean number of Internet hops to the destination of an attempt

	// The load of the server.
	Load   float64 // share of its scarcest resource in use, 0 to 1; for several servers, the greatest share
	Demand float64 // time-average of the processes that would be allocated if C were unlimited
}

// Decision is the result of Decide: C with every term of Table 2.
type Decision struct {
	Rate        float64 // M_s, messages per hour
	Allocated   float64 // P_a, processes
	Efficiency  float64 // E_a, messages per hour and process; +Inf or NaN where undefined
	Utilization float64 // U_s, P_a / Previous
	Previous    float64 // C in force during the interval
	TargetRate  float64 // T, messages per hour to attain in the coming interval
	Target      float64 // T / E_a, the processes that would give the target rate; +Inf or NaN where undefined
	// the change allowed in this interval: d, d x U_s, or 0 where C is held; for laws
	// without d, the size of the change itself
	Step      float64
	Available float64 // C for the next interval
	Flags     Flags
}

// Undecided returns a Decision that leaves C at c and fills in only the
// measured terms.
func (s Sample) Undecided(c float64) Decision {
	d := Decision{TargetRate: s.TargetRate, Allocated: s.Allocated, Utilization: s.Allocated / c, Previous: c,
		Available: c,
		Rate:      math.NaN(), Efficiency: math.NaN(), Target: math.NaN()}
	if s.Span > 0 {
		d.Rate = float64(s.Delivered) / s.Span.Hours()
	}
	return d
}

// Published returns the number of processes that a server announces: C rounded
// down. The patent has no rounding rule. The state itself is never rounded:
// otherwise the dynamic law would freeze at steps below half a process.
func Published(available float64) int { return int(math.Floor(available)) }

// Reservable returns the number of processes that may still be reserved
// ([0068]). It is 0 while more are allocated than available, since no process
// is freed ([0070]).
func Reservable(available float64, allocated int) int {
	return max(0, Published(available)-allocated)
}

// done returns the work of the attempts that ended, as the number of processes
// that would do it in the interval. It is P_a without the net growth of work
// under way.
func (s Sample) done() float64 {
	if s.AttemptTime <= 0 || s.Attempts == 0 {
		return s.Allocated
	}
	return float64(s.Attempts) * float64(s.AttemptTime.Hours()/s.Span.Hours())
}

// attemptTime returns the mean time of an attempt, in seconds; 0 if unknown.
// If it was not measured, it follows from P_a by Little's law, since a process
// has one attempt under way at a time. For recorded intervals without attempts,
// deliveries are used in their place.
func (s Sample) attemptTime() float64 {
	t := s.AttemptTime.Hours() * 3600
	if s.AttemptTime <= 0 {
		t = s.Allocated * s.Span.Hours() * 3600 / float64(max(s.Attempts, s.Delivered))
	}
	if !(t > 0 && t <= math.MaxFloat64) {
		return 0
	}
	return t
}

// State saves or restores a sample.
func (s *Sample) State(c *snap.Codec) {
	c.Fields(&s.Span, &s.TargetRate, &s.Delivered, &s.Attempts, &s.Retries, &s.Deferrals, &s.Bounces, &s.Refusals,
		&s.Timeouts, &s.AttemptTime, &s.LookupTime, &s.Allocated, &s.Hops, &s.Load, &s.Demand)
}

// Flags mark what was special about an interval. They are for readers of a
// trace; no law uses them.
type Flags uint32

const (
	First  Flags = 1 << iota // C in force was the start value
	NoTime                   // the sample spans no time: C is held
	// the sample's span is more than 1 % off the configured interval, for which d was computed
	OffInterval
	Idle              // P_a = 0, so E_a and T / E_a are undefined: C is held
	CountedLate       // P_a = 0, yet there were deliveries: finished work was counted late
	NoDeliveries      // P_a > 0 without a delivery: T / E_a is infinite
	UtilizationAbove1 // more processes allocated than available ([0070])
	StepLimitUp       // T / E_a was above C + the allowed step
	StepLimitDown     // T / E_a was below C - the allowed step
	FlooredAt1        // the formula gave less than one process
	// C fell while the rate was below the target, or rose while it was above: the formula
	// contradicts the words of [0065]
	NarrativeViolation
	AtCeiling // the law wanted more processes than were found to be worth it
	AtMax     // the law wanted more than the configured maximum
	// so few of the processes were used that the sample does not count as evidence about C: it is held
	Slack
	// the interval counts as dropped: too many attempts refused or timed out, or attempts too slow
	Drop
	// the efficiency changed by more than its noise explains: the estimate starts again
	Shift
	WithinNoise // the wanted change is within the error of the estimate: C is held
	// the decision at the end of the interval was missed; the next decision covers both intervals
	Missed
	Duplicate // the law got the sample twice; this is its second decision
	Reset     // the counters were lost: the law got 0 deliveries and 0 attempts
	// parameters were tried for as many deliveries as they were to be: from now on those before them count
	CanaryOver
	GuardFailed // parameters were tried, and too many attempts went wrong: from now on those before them count
)

var flagNames = [...]string{
	"first", "no-time", "off-interval", "idle", "counted-late", "no-deliveries", "utilization-above-1",
	"step-limit-up", "step-limit-down", "floored-at-1", "narrative-violation",
	"at-ceiling", "at-max", "slack", "drop", "shift", "within-noise", "missed", "duplicate", "reset",
	"canary-over", "guard-failed",
}

// String returns the names of the flags in their fixed order, such as
// "first|step-limit-up"; it is empty if no flag is set.
func (f Flags) String() string {
	var names []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}
