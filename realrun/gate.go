package realrun

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// gate is where attempts wait whose final dot alone is missing. Each of them gets one answer.
type gate struct {
	asks  chan ask
	waits map[slot]ask
	begun map[slot]uint32 // generation of the last attempt
	over  map[slot]uint32 // generation of the last attempt that was given up
	next  []ask           // whose dots are sent when the marks are written
	shut  bool
}

// ask is an attempt that waits for an answer.
type ask struct {
	attempt mail.Attempt
	answer  chan<- bool
}

func newGate() *gate {
	return &gate{waits: map[slot]ask{}, begun: map[slot]uint32{}, over: map[slot]uint32{}}
}

// ask waits for the answer to an attempt. Any goroutine may call it.
func (g *gate) ask(a mail.Attempt) bool {
	answer := make(chan bool, 1)
	g.asks <- ask{a, answer}
	return <-answer
}

// perform notes the attempts that a server gives up or begins.
func (g *gate) perform(server mail.Server, out *engine.Outbox) {
	for _, i := range out.Close {
		id := slot{server, i}
		g.over[id] = g.begun[id]
		if q, ok := g.waits[id]; ok {
			delete(g.waits, id)
			q.answer <- false
		}
	}
	for _, a := range out.Start {
		g.begun[slot{server, a.Slot}] = a.Gen
	}
}

// take lets an attempt wait. It reports whether the attempt waits; one that was given up, or comes when the gate is
// shut, does not pass.
func (g *gate) take(q ask) bool {
	id := slot{q.attempt.Server, q.attempt.Slot}
	if g.shut || q.attempt.Gen <= g.over[id] {
		q.answer <- false
		return false
	}
	g.waits[id] = q
	return true
}

// answer ends the wait of an attempt. It reports whether the final dot will be sent, as soon as its mark is written.
func (g *gate) answer(now vt.Time, id slot, d engine.Dot) bool {
	q, ok := g.waits[id]
	if !ok || q.attempt.Gen != d.Gen {
		return false
	}
	delete(g.waits, id)
	if !d.Send || now >= d.Until {
		q.answer <- false
		return false
	}
	g.next = append(g.next, q)
	return true
}

// open lets the attempts pass whose marks are written, or refuses them.
func (g *gate) open(pass bool) {
	for _, q := range g.next {
		q.answer <- pass
	}
	g.next = g.next[:0]
}

// close refuses all attempts from now on.
func (g *gate) close() {
	g.shut = true
	g.open(false)
	for _, q := range g.waits {
		q.answer <- false
	}
	clear(g.waits)
}
