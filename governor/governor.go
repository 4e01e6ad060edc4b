// Package governor decides how many MTA processes a server makes available
// ([0063]-[0070]). A governor is told what happened in the last interval and
// answers with the new number; it is a pure state machine without clock,
// goroutine or randomness, so simulation, live runs and recorded logs share
// it. The patent contradicts itself in places and leaves cases undefined: each
// reading stands at the line that implements it, and an interval that met one
// says so in its Flags.
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

// Sample is what a server measured during one interval.
type Sample struct {
	Span      vt.Span // length S of the interval
	Delivered uint64  // successful deliveries ([0066])
	Attempts  uint64  // all attempts that ended; no law of this package looks at it
	Allocated float64 // time-average of allocated MTA processes
}

// Decision is the governor's answer, with every term of Table 2.
type Decision struct {
	Rate        float64 // M_s, messages per hour
	Allocated   float64 // P_a, processes
	Efficiency  float64 // E_a, messages per hour and process; +Inf or NaN where undefined
	Utilization float64 // U_s, P_a / Previous
	Previous    float64 // C in force during the interval
	Target      float64 // T / E_a, the processes that would give the target rate; +Inf or NaN where undefined
	Step        float64 // the change that was allowed in this interval: d, d x U_s, or 0 where C is held
	Available   float64 // C from now on
	Flags       Flags
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
