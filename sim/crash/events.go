package crash

import (
	"cmp"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// event is something that will happen.
type event struct {
	at         vt.Time
	number     uint64
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

// events is a heap by time and number.
type events []event

func (w *World) at(t vt.Time, e event) {
	w.draws++
	e.at, e.number = t, w.draws
	q := append(w.events, e)
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !q[i].before(&q[up]) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
	w.events = q
}

// before orders events by time, and simultaneous ones by rank.
func (e *event) before(o *event) bool {
	return cmp.Or(cmp.Compare(e.at, o.at), cmp.Compare(e.rank(), o.rank()), cmp.Compare(e.number, o.number)) < 0
}

// rank orders simultaneous events, of which there are many after a pause, as roles are promised: what was asked for
// before ends first, and messages come last.
func (e *event) rank() int {
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

func (q *events) pop() event {
	all := *q
	first := all[0]
	last := len(all) - 1
	all[0] = all[last]
	all[last] = event{}
	all = all[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && all[down+1].before(&all[down]) {
			down++
		}
		if !all[down].before(&all[i]) {
			break
		}
		all[i], all[down] = all[down], all[i]
		i = down
	}
	*q = all
	return first
}
