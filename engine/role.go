// Package engine defines what all roles share: the contract between a role and
// the shell that drives it, the messages between roles, and the events for an
// Observer. Each role is a package below this one and imports no other role:
//
//	delivery   tries recipients on MTA processes ("B server")
//	governing  decides for several delivering servers at once
//	sender     cuts a mailing into subsets and sees that all of it is delivered ("A server")
//	remote     keeps what a delivering server has to know when it stops and begins again
//	inbox      turns returned mail and requests into changes of the list ("C" and "D server")
//
// A role is a state machine without clock, I/O, goroutine, randomness or global
// state. It never blocks and is not safe for concurrent use.
package engine

import (
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Role is the contract of every role. A shell calls Receive or Wake, or a method of one of the
// interfaces below, for each input and then performs what the call appended to out. now never falls
// from one call to the next. Among inputs at the same time, completions come
// first, then messages, then Wake.
//
// Lost, repeated and late inputs do no harm: a role drops completions of an older
// generation of a slot, repeated messages, and messages about matters already
// decided. Each Body documents its case. A message of a type that the role does
// not accept is a mistake in the program: the role panics.
type Role interface {
	// Receive processes a message of another role.
	Receive(now vt.Time, m Message, out *Outbox)

	// Wake advances the role to the time now. Before NextWake it has no visible
	// effect. The role evaluates load at most once, and only if the call ends an
	// interval; a nil load counts as 0.
	Wake(now vt.Time, load Load, out *Outbox)

	// NextWake returns the time at which the shell must call Wake, or vt.Never if
	// the role waits for another input only. After a Wake at that time NextWake
	// is later.
	NextWake() vt.Time

	// Done reports whether the role has no work left. NextWake may still return a
	// time, to close intervals.
	Done() bool
}

// Trier is a Role that begins attempts.
type Trier interface {
	Role

	// Complete processes the end of an attempt that the Outbox asked for. Slot
	// and generation identify the attempt.
	Complete(now vt.Time, c *mail.Completion, out *Outbox)
}

// Saver is a Role without facts.
type Saver interface {
	Role

	// State saves the role's state, or restores it in a role built from the same
	// configuration. A restored role continues exactly like the saved one.
	State(c *snap.Codec)
}

// Load returns the load of a role's server, from 0 to 1, over an interval with
// the given time-average of allocated MTA processes (governor.Sample.Load). The
// simulator computes it from the average; a live run measures it and ignores the
// average.
type Load func(allocated float64) float64

// Of returns l(allocated), or 0 if l is nil.
func (l Load) Of(allocated float64) float64 {
	if l == nil {
		return 0
	}
	return l(allocated)
}

// Outbox collects the actions that a role asks for, by kind. A shell performs them
// in the order of the fields: facts are durable before anything is done or sent, and
// one input may free a slot and use it again.
type Outbox struct {
	Write []Fact         // of a Durable role
	Close []mail.Slot    // slots whose connections to close, and whose attempts to give up, if any; without answer
	Start []mail.Attempt // of a Trier: attempts to begin; the shell answers each with Complete
	Dots  []Dot          // of a Gate
	Send  []Message
}

// Clear empties the Outbox and keeps its memory.
func (o *Outbox) Clear() {
	o.Write, o.Close, o.Start, o.Dots, o.Send = o.Write[:0], o.Close[:0], o.Start[:0], o.Dots[:0], o.Send[:0]
}
