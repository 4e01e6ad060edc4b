// Package engine has what all roles share: the contract between a role and the
// shell that drives it, the messages that roles send each other, and what an
// Observer is told. Each role is a package of its own below this one, and
// imports no other role:
//
//	delivery   tries recipients on MTA processes ("B server")
//	governing  decides for several delivering servers at once
//
// A role is a state machine without clock, I/O, goroutine, randomness or
// global. It never blocks and is not safe for concurrent use.
package engine

import (
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Role is the contract of every role. A shell calls the first three methods
// when something has happened, and after each call performs what was appended
// to out. now never falls from one call to the next. Of inputs of one time,
// completions come first, then messages, then Wake.
//
// What was lost, repeated or late does no harm: a completion of an older
// generation of a slot and a message that repeats an earlier one are dropped,
// and so is what was settled before it came. Each body documents its case. A
// message that the role cannot take at all is a mistake of the program: the
// role panics.
type Role interface {
	// Receive takes a message of another role.
	Receive(now vt.Time, m Message, out *Outbox)

	// Complete takes the end of something that the Outbox asked for, named by
	// its slot and generation.
	Complete(now vt.Time, c mail.Completion, out *Outbox)

	// Wake takes the time. Before NextWake it changes nothing that can be
	// seen. The role evaluates load at most once, and only where the
	// input ends an interval; nil is a load of 0.
	Wake(now vt.Time, load Load, out *Outbox)

	// NextWake returns the time at which the role must be woken, or vt.Never
	// if only another input can move it on. A Wake at that time moves it on.
	NextWake() vt.Time

	// Done reports whether the role has no work of its own left. It may still
	// want to be woken, to close its intervals.
	Done() bool

	// State saves the role or restores it, into one that was built from the
	// same configuration. A restored role has the same future.
	State(c *snap.Codec)
}

// Load returns the load of a role's server, from 0 to 1, over an interval in
// which it had the given time-average of allocated MTA processes
// (governor.Sample.Load). Simulated it is a function of the average; live it is
// measured, whatever the average.
type Load func(allocated float64) float64

// Of returns the load, and 0 for the nil Load.
func (l Load) Of(allocated float64) float64 {
	if l == nil {
		return 0
	}
	return l(allocated)
}

// Outbox is what a role wants done: a slice for each kind of thing. A shell
// performs Close before Start, as a slot may be freed and taken again in one
// input, and passes Send on in order.
type Outbox struct {
	Close []mail.Slot    // slots whose connections are to be closed; no answer
	Start []mail.Attempt // attempts to begin; each is answered by Complete
	Send  []Message
}

// Clear empties the Outbox and keeps its memory.
func (o *Outbox) Clear() { o.Close, o.Start, o.Send = o.Close[:0], o.Start[:0], o.Send[:0] }
