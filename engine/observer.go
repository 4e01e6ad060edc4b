package engine

import (
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Observer is told what happened, in order, by value, on the engine's
// goroutine. Recorders and tests implement it.
type Observer interface {
	// Ended reports the end of an attempt and where its recipient stands now:
	// Pending if it will be resent.
	Ended(now vt.Time, a mail.Attempt, r mail.Reply, s mail.Status)
	// Interval reports the end of a governor interval.
	Interval(now vt.Time, s mail.Server, i Interval)
}

// Interval is what was measured in one governor interval and what the governor
// made of it.
type Interval struct {
	Number     int     // 0 is the first
	TargetRate float64 // messages per hour to attain in it; 0: the machine was not told
	Sample     governor.Sample
	Decision   governor.Decision // of a partial interval: only the measured terms
	RetryLimit int               // in force at its end, before what the end decides; of several limits the lowest
	Freed      uint64            // MTA processes that were told to go before their subset was done ([0070])
	HandedBack uint64            // recipients of their subsets that went back to their campaigns
	Partial    bool              // cut short by the end of the run; the governor was not asked
	// at some time in the interval fewer processes were wanted than available, and nobody waited
	// for room
	Draining bool

	Destinations []DestinationInterval // one for each; none where destinations have no limits
}

// DestinationInterval is what went to one destination in an interval, under its limit.
type DestinationInterval struct {
	// at the end of the interval, before what the end decides; 0: the destination is dead
	Limit                         int
	Limits                        uint64  // sum of the limit over the ends of attempts, each as it left it
	Busy                          float64 // time-average of the attempts under way
	Attempts                      uint64  // that ended
	Delivered, Refusals, Timeouts uint64  // of the attempts: see governor.Sample
	AttemptTime                   vt.Span // their mean
	// recipients at the end of the interval that were passed over and not tried since
	Parked int
}

// State saves or restores the interval of a destination.
func (d *DestinationInterval) State(c *snap.Codec) {
	snap.Int(c, &d.Limit)
	snap.Int(c, &d.Limits)
	snap.Float(c, &d.Busy)
	snap.Int(c, &d.Attempts)
	snap.Int(c, &d.Delivered)
	snap.Int(c, &d.Refusals)
	snap.Int(c, &d.Timeouts)
	snap.Int(c, &d.AttemptTime)
	snap.Int(c, &d.Parked)
}
