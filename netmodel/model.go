package netmodel

import (
	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// Model is a World with the receivers' memory, in virtual time. It turns each
// attempt into one event, its end, or with full stages into one event per
// stage; both end at the same times with the same replies.
//
//	Begin -> look-up -> connect -> banner -> EHLO -> MAIL -> RCPT -> DATA -> dot -> end
//	           (fresh connections only)        any stage may end the attempt
//
// Not safe for concurrent use.
type Model struct {
	*World
	full  bool
	trips [][]trip // by server and slot
	lanes [][]memory
	busy  []int // attempts under way, by server
}

// memory is what stands between a server and a destination.
type memory struct {
	lookups, connections uint32 // ordinals
	open                 int    // connections, under way or kept
}

// trip is an attempt under way on a slot, and the connection that the slot
// keeps between attempts.
type trip struct {
	a       mail.Attempt
	start   vt.Time
	reply   mail.Reply
	conn    Connection
	msg     Message
	steps   []mail.Step
	dest    mail.Destination // of the connection
	open    bool             // the slot holds a connection
	refused bool             // by the receiver's cap
	load    int              // busy slots of the server when the attempt began
}

// NewModel builds the world of a valid Config and gives it a memory.
func NewModel(c Config, key rng.Key) *Model {
	m := &Model{World: NewWorld(c, key), full: c.Stages == "full",
		trips: make([][]trip, len(c.Servers)), lanes: make([][]memory, len(c.Servers)), busy: make([]int, len(c.Servers))}
	for s := range m.lanes {
		m.lanes[s] = make([]memory, len(c.Destinations))
	}
	return m
}

// Begin starts an attempt; its end comes out of Handle.
func (m *Model) Begin(now vt.Time, a mail.Attempt, q *evq.Queue) {
	for int(a.Slot) >= len(m.trips[a.Server]) {
		m.trips[a.Server] = append(m.trips[a.Server], trip{})
	}
	t := &m.trips[a.Server][a.Slot]
	m.busy[a.Server]++
	t.a, t.start, t.load, t.refused = a, now, m.busy[a.Server], false
	t.msg = m.Message(a.Dest, a.Rcpt, a.Try)
	t.steps = m.Steps(a.Conn)
	at, ended := now, false
	if a.Conn == mail.Fresh {
		at, ended = m.dial(now, t)
	}
	if !m.full {
		for !ended {
			at, ended = m.advance(at, t)
		}
	}
	q.Push(evq.Event{At: at, A: uint32(a.Slot), B: event(a.Server, ended)})
}

// event packs whose event it is, and whether it is the end of an attempt.
func event(s mail.Server, ended bool) uint32 {
	if ended {
		return uint32(s)<<1 | 1
	}
	return uint32(s) << 1
}

// dial hangs up what the slot held, looks the destination up and takes a
// connection there, if the name is found. The receiver counts the connection
// against its cap from now on.
func (m *Model) dial(now vt.Time, t *trip) (at vt.Time, ended bool) {
	s, d := t.a.Server, t.a.Dest
	m.HangUp(s, t.a.Slot)
	lane := &m.lanes[s][d]
	took, fault := m.Lookup(s, d, lane.lookups)
	lane.lookups++
	took = m.stretch(took, s, t.load)
	if patience := m.Patience(mail.StageDNS); took > patience {
		took, fault = patience, mail.Timeout
	}
	if fault != mail.NoFault {
		t.reply = mail.Reply{Took: took, Stage: mail.StageDNS, Fault: fault}
		return now.Add(took), true
	}
	t.conn, t.dest = m.Connect(s, d, lane.connections), d
	lane.connections++
	t.refused = m.Cap(d) > 0 && lane.open >= m.Cap(d)
	if !t.refused {
		t.open = true
		lane.open++
	}
	return now.Add(took), false
}

// advance passes one step of the dialogue.
func (m *Model) advance(now vt.Time, t *trip) (at vt.Time, ended bool) {
	step := t.steps[0]
	t.steps = t.steps[1:]
	grey := step.Stage == mail.StageRCPT && t.msg.Grey > 0 && (t.a.Seen == vt.Never || now.Sub(t.a.Seen) < t.msg.Grey)
	e := m.Exchange(step, t.a.Server, &t.conn, &t.msg, t.refused, grey, t.load)
	at = now.Add(e.Took)
	switch {
	case e.Ends():
		t.reply = mail.Reply{Took: at.Sub(t.start), Code: e.Code, Stage: step.Stage, Fault: e.Fault}
	case len(t.steps) == 0:
		t.reply = mail.Reply{Took: at.Sub(t.start), Code: 250, Stage: step.Stage}
	default:
		return at, false
	}
	return at, true
}

// Handle takes the event that is due. If an attempt has ended it returns the
// server and the completion.
func (m *Model) Handle(e evq.Event, q *evq.Queue) (s mail.Server, c mail.Completion, ended bool) {
	s = mail.Server(e.B >> 1)
	t := &m.trips[s][e.A]
	if e.B&1 == 0 {
		e.At, ended = m.advance(e.At, t)
		e.B = event(s, ended)
		q.PushAgain(e)
		return s, c, false
	}
	m.busy[s]--
	if !t.reply.Open() {
		m.HangUp(s, t.a.Slot)
	}
	return s, mail.Completion{Reply: t.reply, Slot: t.a.Slot, Gen: t.a.Gen}, true
}

// HangUp closes the connection that a slot holds, if any.
func (m *Model) HangUp(s mail.Server, slot mail.Slot) {
	if t := &m.trips[s][slot]; t.open {
		t.open = false
		m.lanes[s][t.dest].open--
	}
}
