package governor

import "strings"

// Flags mark what was special about an interval. They are for people who read
// a trace; no law looks at them.
type Flags uint32

const (
	First  Flags = 1 << iota // C in force was the start value
	NoTime                   // the sample spans no time: C is held
	// the sample's span is more than 1 % off the configured interval, for which d was computed
	OffInterval
	Idle              // P_a = 0, so E_a and T / E_a are undefined: C is held
	CountedLate       // P_a = 0, yet messages were delivered: finished work was counted late
	NoDeliveries      // P_a > 0, nothing was delivered: T / E_a is infinite
	UtilizationAbove1 // more processes allocated than available ([0070])
	StepLimitUp       // T / E_a lay above the step that was allowed
	StepLimitDown     // T / E_a lay below the step that was allowed
	FlooredAt1        // the formula gave less than one process
	// C fell below the target rate, or rose above it: the formula, against the words of [0065]
	NarrativeViolation
	AtCeiling // the law wanted more than what was found to be the most that pays
	AtMax     // the law wanted more than the configured most
	// so few of the processes were used that the sample says nothing about C: it is held
	Slack
	// the interval counts as a loss: too many attempts refused or timed out, or all too slow
	Drop
	// the efficiency has changed by more than its noise explains: what was learned before is
	// forgotten
	Shift
	WithinNoise // the change that was wanted is smaller than what is known about it: C is held
	// no decision at the end of the interval; the next one goes by what happened in both
	Missed
	Duplicate // the law was told the sample twice; what is shown was decided the second time
	Reset     // the counters were lost: the law was told of no delivery and no attempt
)

var flagNames = [...]string{
	"first", "no-time", "off-interval", "idle", "counted-late", "no-deliveries", "utilization-above-1",
	"step-limit-up", "step-limit-down", "floored-at-1", "narrative-violation",
	"at-ceiling", "at-max", "slack", "drop", "shift", "within-noise", "missed", "duplicate", "reset",
}

// String lists the flags in their fixed order, such as "first|step-limit-up";
// it is empty when there is none.
func (f Flags) String() string {
	var names []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}
