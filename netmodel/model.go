package netmodel

import (
	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Model drives the receivers of one server in virtual time. It turns each attempt
// into one event, its end, or with full stages into one event per stage. In both
// cases attempts end at the same times with the same replies. The slot of an
// attempt is the lane of its events in the queue.
//
//	Begin -> look-up -> connect -> banner -> EHLO -> MAIL -> RCPT -> DATA -> dot -> end
//	           (fresh connections only)        any stage may end the attempt
//
// With full stages an attempt may be asked before its final dot (AtGate), and a server may stop in the middle of it
// (Cut).
//
// Receivers keep separate state for each server, so models of one Network share
// no mutable state, except for shared destinations: see NewModels. Not safe for
// concurrent use.
type Model struct {
	*Network
	server    mail.Server
	trips     []trip     // by slot
	receivers []Receiver // by destination
	host      Host
	busy      int // attempts under way
	traced    func(*mail.Trace)
}

// trip is an attempt under way on a slot, and the connection that the slot
// keeps between attempts.
type trip struct {
	start   vt.Time
	stretch float64 // the server's stretch when the attempt began
	lookup  vt.Span // time that the look-up took, if there was one
	gen     uint32
	try     mail.Try
	to      mail.Recipient
	kind    mail.Conn
	reply   mail.Reply
	conn    Connection
	msg     Message
	dest    mail.Destination // destination of the connection
	step    uint8            // next step of the dialogue
	ended   bool             // the next event is the end
	helo    bool             // over another new connection, since the first one was closed at EHLO
	trace   *mail.Trace      // nil: traces are not wanted
}

// NewModel returns the model of server s, as if it were the only server.
func NewModel(net *Network, s mail.Server) *Model {
	return &Model{Network: net, server: s, receivers: net.receivers(s), host: net.Host(s)}
}

// NewModels returns the models of all servers. At a shared destination they drive
// the same receiver state, so calls must follow the order of time.
func NewModels(net *Network) []*Model {
	var all []*Model
	for s, receivers := range net.Receivers() {
		all = append(all, &Model{Network: net, server: mail.Server(s), receivers: receivers,
			host: net.Host(mail.Server(s))})
	}
	return all
}

// Trace makes the model call traced with each attempt that has an end. It must be called before Begin.
func (m *Model) Trace(traced func(*mail.Trace)) { m.traced = traced }

// Receiver returns the receiver of d for the model's server.
func (m *Model) Receiver(d mail.Destination) *Receiver { return &m.receivers[d] }

// Begin starts an attempt and pushes its next event to q; Handle returns its end.
// Everything that the receiver decides before the dialogue is decided now, after
// the look-up is drawn.
func (m *Model) Begin(now vt.Time, a *mail.Attempt, q *evq.Queue) {
	for int(a.Slot) >= len(m.trips) {
		m.trips = append(m.trips, trip{})
	}
	t := &m.trips[a.Slot]
	m.busy++
	t.gen, t.kind, t.to, t.try = a.Gen, a.Conn, a.Rcpt, a.Try
	t.start, t.helo = now, false
	t.stretch = m.Stretch(m.server, m.busy)
	if m.traced != nil {
		if t.trace == nil {
			t.trace = new(mail.Trace)
		}
		t.trace.Begin(a, now)
	}
	if a.Conn == mail.Fresh {
		m.HangUp(a.Slot)
		t.dest = a.Dest
	}
	q.Push(m.enter(now, t), int(a.Slot))
}

// enter begins the dialogue over the connection that the trip is to have, and
// returns the time of its first event.
func (m *Model) enter(now vt.Time, t *trip) vt.Time {
	r := &m.receivers[t.dest]
	t.step, t.ended = 0, false
	wait := m.host.Turn(now)
	at := now.Add(wait)
	if t.kind == mail.Fresh {
		if at = m.lookup(now, t, r).Add(wait); t.ended {
			t.reply.Took += wait
			return at
		}
		r.ConnectFrom(now, m.PoolOf(t.to), &t.conn)
	} else {
		r.Reuse(now, t.kind, &t.conn)
	}
	r.Offer(now, &t.conn, &t.msg, t.to, t.try)
	m.host.Load(now, &t.conn, &t.msg)
	if !m.full {
		at = m.converse(at, t)
	}
	return at
}

// lookup looks the destination up and returns the time of the answer. A failed
// look-up ends the attempt.
func (m *Model) lookup(now vt.Time, t *trip, r *Receiver) vt.Time {
	took, fault := r.Lookup(now)
	took = stretched(took, t.stretch)
	if patience := m.Patience(mail.StageDNS); took > patience {
		took, fault = patience, mail.Timeout
	}
	t.lookup = took
	if t.trace != nil {
		t.trace.Stages[mail.StageDNS] += took
	}
	at := now.Add(took)
	if fault != mail.NoFault {
		t.end(mail.StageDNS, at)
		t.reply.Fault = fault
	}
	return at
}

// end ends the attempt at a stage. The reply is set field by field: it is too large to be
// made in registers, and a copy from memory would wait for the parts.
func (t *trip) end(at mail.Stage, now vt.Time) {
	t.ended = true
	r := &t.reply
	r.Took, r.Stage, r.Code, r.Fault, r.Row = now.Sub(t.start), at, 0, mail.NoFault, 0
}

// converse runs the whole dialogue and returns its end.
func (m *Model) converse(now vt.Time, t *trip) vt.Time {
	if took, smooth := m.smooth(t); smooth && t.trace == nil {
		at := now.Add(took)
		t.end(mail.StageDot, at)
		t.reply.Code = 250
		return at
	}
	for !t.ended {
		now = m.advance(now, t)
	}
	return now
}

// smooth returns how long the dialogue takes if it needs no step-by-step
// treatment: without failure, refusal, greylist, loss and stretch by load, and
// with times so short that no step can time out.
func (m *Model) smooth(t *trip) (took vt.Span, ok bool) {
	e := &m.easy[t.kind]
	c, v := &t.conn, &t.msg
	if v.fail != noEnding || c.fail != noEnding || v.Grey != 0 && !v.welcome || v.Tarpit != 0 || v.Link != 0 ||
		v.grown != 0 || t.stretch != 1 || c.RTT > e.rtt || v.RCPT > e.rcpt || v.Dot > e.dot {
		return 0, false
	}
	took = c.RTT*e.roundTrips + v.RCPT + v.Dot
	if t.kind == mail.Fresh {
		if c.refused || c.Banner > e.banner {
			return 0, false
		}
		took += c.Banner
	}
	return took, true
}

// advance runs one step of the dialogue and returns its end.
func (m *Model) advance(now vt.Time, t *trip) vt.Time {
	steps := m.Steps(t.kind, &t.msg)
	step := steps[t.step]
	t.step++
	e := m.receivers[t.dest].Exchange(now, step, &t.conn, &t.msg, t.stretch)
	at := now.Add(e.Took)
	if t.trace != nil {
		m.receivers[t.dest].trace(t.trace, step.Stage, e)
	}
	switch {
	case e.Ends():
		t.end(step.Stage, at)
		if t.reply.Code, t.reply.Fault = e.Code, e.Fault; e.Code != 0 {
			t.reply.Row = m.receivers[t.dest].Row(e)
		}
	case int(t.step) == len(steps):
		t.end(step.Stage, at)
		t.reply.Code = 250
	}
	return at
}

// Handle processes the due event of a slot. It reports whether the attempt has ended,
// and how in c, or else pushes the next event to q. An attempt whose kept connection has
// come to its end goes on over a new one, and an attempt that wants HELO over another one.
func (m *Model) Handle(at vt.Time, slot mail.Slot, q *evq.Queue, c *mail.Completion) (ended bool) {
	t := &m.trips[slot]
	if !t.ended {
		q.PushAgain(m.advance(at, t), int(slot))
		return false
	}
	if t.reply.Stage <= mail.StageMAIL && m.goesOn(t) {
		m.HangUp(slot)
		t.kind = mail.Fresh
		q.PushAgain(m.enter(at, t), int(slot))
		return false
	}
	m.leave(at, t)
	if !t.reply.Open() {
		m.HangUp(slot)
	}
	hops := t.conn.Hops
	if t.reply.Stage == mail.StageDNS {
		hops = 0
	}
	c.Reply, c.Way, c.Slot, c.Gen = t.reply, mail.NewWay(t.lookup, hops), slot, t.gen
	if t.trace != nil && t.reply.Fault != mail.Aborted {
		t.trace.Reply, t.trace.Hops, t.trace.Trip = t.reply, hops, t.conn.RTT
		m.traced(t.trace)
	}
	return true
}

// goesOn reports whether the attempt goes on over a new connection, which the end of the one that it
// had says nothing about.
func (m *Model) goesOn(t *trip) bool {
	if t.kind != mail.Fresh {
		return t.kind.EndedBy(&t.reply)
	}
	again := !t.helo && t.reply.WantsHELO()
	t.helo = t.helo || again
	return again
}

// AtGate reports whether the next step of the attempt of a slot is the transfer of the message, up to and including
// the final dot. Only an attempt with full stages comes to its gate.
func (m *Model) AtGate(slot mail.Slot) bool {
	t := &m.trips[slot]
	return !t.ended && m.Steps(t.kind, &t.msg)[t.step].Stage == mail.StageDot
}

// Pass lets the attempt of a slot, which is at its gate, go on, and pushes its next event to q.
func (m *Model) Pass(now vt.Time, slot mail.Slot, q *evq.Queue) {
	q.PushNext(m.advance(now, &m.trips[slot]), int(slot))
}

// Refuse ends the attempt of a slot, which is at its gate, before the final dot: Handle returns its end.
func (m *Model) Refuse(now vt.Time, slot mail.Slot, q *evq.Queue) {
	t := &m.trips[slot]
	t.end(mail.StageDATA, now)
	t.reply.Fault = mail.Aborted
	q.PushNext(now, int(slot))
}

// Cut ends the attempt of a slot without an end for Handle to return: its server has stopped. Cut reports whether
// the receiver accepts the message: its reply was positive, and on its way.
func (m *Model) Cut(now vt.Time, slot mail.Slot) (accepted bool) {
	t := &m.trips[slot]
	end := t.start.Add(t.reply.Took)
	accepted = t.ended && t.reply.Class() == mail.Delivered && now >= end.Add(-t.conn.RTT/2)
	if !accepted {
		t.reply.Fault = mail.Aborted
	}
	m.leave(now, t)
	m.HangUp(slot)
	return accepted
}

// leave ends the trip of an attempt.
func (m *Model) leave(at vt.Time, t *trip) {
	m.busy--
	if t.msg.Grey != 0 || t.msg.complains {
		m.receivers[t.dest].End(at, &t.conn, &t.msg, t.reply.Class() == mail.Delivered)
	}
}

// Load returns the load of the server with busy attempts under way, 0 to 1.
func (m *Model) Load(busy float64) float64 { return m.Network.Load(m.server, busy) }

// HangUp closes the connection that a slot holds, if any.
func (m *Model) HangUp(slot mail.Slot) {
	t := &m.trips[slot]
	m.receivers[t.dest].Close(&t.conn)
}
