package mail

import (
	"net/netip"

	"flyball/internal/vt"
)

// Trace is all that is known of an attempt that has ended: what the engine gets, and what people want to know.
type Trace struct {
	Attempt
	Start  vt.Time
	Reply  Reply
	Stages [Stages]vt.Span // time of each stage, over all connections of the attempt
	At     netip.AddrPort  // of the receiver that was connected to last; invalid without one
	Trip   vt.Span         // round trip of its connection; 0: not known
	Hops   int             // to it; 0: not known
	Text   []byte          // of the last reply, one line of printable ASCII, until the next attempt of the slot
}

// Begin clears the trace for an attempt.
func (t *Trace) Begin(a *Attempt, now vt.Time) { *t = Trace{Attempt: *a, Start: now, Text: t.Text[:0]} }

// Waited returns the time that the attempt spent in no stage: it waited for the sender itself, for a permit, for its
// turn, or before the final dot for the disk.
func (t *Trace) Waited() vt.Span {
	rest := t.Reply.Took
	for _, s := range t.Stages {
		rest -= s
	}
	return max(rest, 0)
}

// Way returns what the engine learns of the way.
func (t *Trace) Way() Way { return NewWay(t.Stages[StageDNS], t.Hops) }
