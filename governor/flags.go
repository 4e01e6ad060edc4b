package governor

import "strings"

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
)

var flagNames = [...]string{
	"first", "no-time", "off-interval", "idle", "counted-late", "no-deliveries", "utilization-above-1",
	"step-limit-up", "step-limit-down", "floored-at-1", "narrative-violation",
	"at-ceiling", "at-max", "slack", "drop", "shift", "within-noise", "missed", "duplicate", "reset",
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
