// Package governor decides how many MTA processes a server makes available
// ([0063]-[0070]). A governor is told what happened in the last interval and
// answers with the new number; it is a pure state machine without clock,
// goroutine or randomness, so simulation, live runs and recorded logs share
// it. The patent contradicts itself in places and leaves cases undefined: each
// reading stands at the line that implements it, and an interval that met one
// says so in its Flags.
//
// Beside the patent's laws stand its rivals. Trackers (pi, regulator, and the
// patent's) steer the rate to the target; seekers (aimd, gradient2, corr-vegas)
// find how much the far side takes and know no target. A Config may set a
// seeker as the ceiling of a tracker.
//
// It refuses an invalid Config and bad rows of recorded samples, every problem
// at once. It never refuses a Sample: what the formula leaves undefined holds.
// It frees no process ([0070]); that is the server's business.
//
// Not safe for concurrent use. May be called from the delivery machine and
// from a replay of recorded intervals.
package governor

import (
	"math"

	"flyball/internal/vt"
)

// Governor turns one interval's sample into the number of available MTA
// processes.
type Governor interface {
	// Available is C now: the start value, then the last decision; 1 to 2^31 - 1.
	Available() float64
	// Decide is called once at the end of every interval S.
	Decide(Sample) Decision
}

// Sample is what a server measured during one interval, of the conditions that
// [0063] names. The patent's laws look at the first four fields less Attempts.
// Every other field but Span may be left 0: not measured, which is not distinguished
// from none. "Attempts" are those that ended in the interval, whenever they
// began.
type Sample struct {
	Span vt.Span // length S of the interval
	// T, messages per hour to attain in the coming interval; 0, or no rate at all: that of the
	// Config
	TargetRate float64
	Delivered  uint64  // successful deliveries ([0066])
	Attempts   uint64  // all attempts that ended
	Allocated  float64 // time-average of allocated MTA processes

	// How the attempts ended that delivered nothing. A recipient may be among them several times.
	Retries   uint64 // attempts that were resends: the recipient had been tried before; however they ended
	Deferrals uint64 // attempts ended by a 4yz reply, at whatever stage
	Bounces   uint64 // attempts ended by a 5yz reply, at whatever stage
	Refusals  uint64 // of the Deferrals those that say "you send too much": 421, or any 4yz with an enhanced code 4.7.x
	Timeouts  uint64 // attempts ended without a reply: out of patience, refused or broken connection, no address

	// What the way and the receivers were like.
	AttemptTime vt.Span // mean time from an attempt's start to its end; laws take P_a x S / attempts where it is 0
	LookupTime  vt.Span // mean time of the DNS look-ups that ended, answers from the cache included
	Hops        float64 // mean number of Internet hops to the destination of an attempt

	// What was asked of the server.
	Load   float64 // share of its scarcest resource that was in use, 0 to 1; of several servers the greatest
	Demand float64 // time-average of the processes that would be allocated at each moment if C had no limit
}

// Decision is the governor's answer, with every term of Table 2.
type Decision struct {
	Rate        float64 // M_s, messages per hour
	Allocated   float64 // P_a, processes
	Efficiency  float64 // E_a, messages per hour and process; +Inf or NaN where undefined
	Utilization float64 // U_s, P_a / Previous
	Previous    float64 // C in force during the interval
	TargetRate  float64 // T, messages per hour to attain in the coming interval
	Target      float64 // T / E_a, the processes that would give the target rate; +Inf or NaN where undefined
	// the change that was allowed in this interval: d, d x U_s, or 0 where C is held; of laws
	// without d the change itself
	Step      float64
	Available float64 // C from now on
	Flags     Flags
}

// Undecided is the decision of nobody: C stays, and only what was measured is
// told.
func (s Sample) Undecided(c float64) Decision {
	d := Decision{TargetRate: s.TargetRate, Allocated: s.Allocated, Utilization: s.Allocated / c, Previous: c,
		Available: c,
		Rate:      math.NaN(), Efficiency: math.NaN(), Target: math.NaN()}
	if s.Span > 0 {
		d.Rate = float64(s.Delivered) / s.Span.Hours()
	}
	return d
}

// Published is the number of processes that a server announces: C rounded
// down. The patent has no rounding rule; the state itself is never rounded,
// or the dynamic law would freeze at steps below half a process.
func Published(available float64) int { return int(math.Floor(available)) }

// Reservable is the number of processes that may still be reserved ([0068]):
// none while more are allocated than available, since nothing is freed ([0070]).
func Reservable(available float64, allocated int) int {
	return max(0, Published(available)-allocated)
}

// done is the work of the attempts that ended, in processes that would do it
// in the interval: P_a, less what is still under way and was not before.
func (s Sample) done() float64 {
	if s.AttemptTime <= 0 || s.Attempts == 0 {
		return s.Allocated
	}
	return float64(s.Attempts) * float64(s.AttemptTime.Hours()/s.Span.Hours())
}

// attemptTime is the mean time of an attempt, in seconds; 0 if it is not known.
// Where it was not measured it is what Little's law makes of P_a: a process has
// one attempt under way at a time. Recorded intervals without attempts count
// deliveries instead.
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
