package crash

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// event is something that will happen.
type event struct {
	kind       eventKind
	host       int
	life       uint64 // of the host: the event belongs to it
	message    engine.Message
	completion mail.Completion
	rcpt       mail.Recipient
	try        mail.Try
	dot        engine.Dot
	rest       *engine.Outbox // what is performed when facts are durable
	upTo       int            // number of facts that are durable then
	then       *event         // what happens again if it is not kept
}

type eventKind int

const (
	submit eventKind = iota
	message
	gate
	accept
	reply
	synced
	restart
	returned
	request
	confirmed
	kept   // what submit, returned or request brought is durable
	strike // of the case's crash with the number rcpt
)

// at lets an event happen at a time.
func (w *World) at(t vt.Time, e event) {
	w.draws++ // so that what is drawn later depends on what was asked for before
	w.events.AddRanked(t, e.rank(), e)
}

// rank orders simultaneous events, of which there are many after a pause, as roles are promised: what was asked for
// before ends first, and messages come last.
func (e *event) rank() uint8 {
	switch e.kind {
	case synced:
		return 0
	case reply:
		return 1
	case message:
		return 3
	}
	return 2
}
