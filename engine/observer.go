package engine

import (
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Observer receives events in order on the engine's goroutine. Recorders and tests
// implement it.
type Observer interface {
	// Ended receives the end of the attempt a with its reply r, and the status s of
	// its recipient: Pending if the message will be resent. It keeps and changes neither
	// a nor r.
	Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, s mail.Status)
	// Interval receives the row of a governor interval that has ended.
	Interval(now vt.Time, s mail.Server, i Interval)
}

// Interval holds the measurements of one governor interval and the governor's
// decision.
type Interval struct {
	Number     int     // 0 is the first
	TargetRate float64 // messages per hour to attain in it; 0: the server has no target
	Sample     governor.Sample
	Decision   governor.Decision // in a partial interval, only the measured terms are set
	RetryLimit int               // retry limit at the end, before the decision; of several limits, the lowest
	Freed      uint64            // MTA processes preempted before their subset was done ([0070])
	HandedBack uint64            // recipients of preempted subsets, returned to their campaigns
	Partial    bool              // cut short by the end of the run; the governor made no decision
	// at some time in the interval fewer processes were wanted than available, and no recipient was
	// parked
	Draining bool

	Destinations []DestinationInterval // one per destination; empty if destinations have no limits
}

// DestinationInterval holds the measurements of one destination in an interval.
type DestinationInterval struct {
	// concurrency limit at the end of the interval, before the decision; 0: the destination is dead
	Limit                         int
	Limits                        uint64  // sum of the limits after each end of an attempt
	Busy                          float64 // time-average of the attempts under way
	Attempts                      uint64  // attempts that ended
	Delivered, Refusals, Timeouts uint64  // see governor.Sample
	AttemptTime                   vt.Span // mean time of an attempt
	// number of recipients at the end of the interval that are parked: set aside because the
	// destination is at its limit
	Parked int
}

// State saves or restores the interval of a destination.
func (d *DestinationInterval) State(c *snap.Codec) {
	c.Fields(&d.Limit, &d.Limits, &d.Busy, &d.Attempts, &d.Delivered, &d.Refusals, &d.Timeouts, &d.AttemptTime,
		&d.Parked)
}
