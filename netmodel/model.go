package netmodel

import (
	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Model drives the receivers of one server in virtual time. It turns each attempt
// into one event, its end, or with full stages into one event per stage; both end
// at the same times with the same replies. Events go by their slot, which is
// their lane in the queue.
//
//	Begin -> look-up -> connect -> banner -> EHLO -> MAIL -> RCPT -> DATA -> dot -> end
//	           (fresh connections only)        any stage may end the attempt
//
// Receivers count each server for itself, so models of one Network share nothing
// that changes, but for destinations that are shared: see NewModels. Not safe
// for concurrent use.
type Model struct {
	*Network
	server    mail.Server
	trips     []trip     // by slot
	receivers []Receiver // by destination
	busy      int        // attempts under way
}

// trip is an attempt under way on a slot, and the connection that the slot
// keeps between attempts.
type trip struct {
	start   vt.Time
	stretch float64 // of the server when the attempt began
	lookup  vt.Span // that the look-up took, if there was one
	gen     uint32
	kind    mail.Conn
	reply   mail.Reply
	conn    Connection
	msg     Message
	dest    mail.Destination // of the connection
	step    uint8            // of the dialogue, the next
	ended   bool             // the event that is coming is the end
}

// NewModel returns the model of one server, as if there were no other.
func NewModel(net *Network, s mail.Server) *Model {
	return &Model{Network: net, server: s, receivers: net.receivers(s)}
}

// NewModels returns the models of all servers. Where a destination is shared they
// drive one receiver, so they must be asked in the order of time.
func NewModels(net *Network) []*Model {
	var all []*Model
	for s, receivers := range net.Receivers() {
		all = append(all, &Model{Network: net, server: mail.Server(s), receivers: receivers})
	}
	return all
}

// Receiver returns a destination as the model's server meets it.
func (m *Model) Receiver(d mail.Destination) *Receiver { return &m.receivers[d] }

// Begin starts an attempt; its end comes out of Handle. All that the receiver is
// asked before the dialogue it is asked now, after the look-up is drawn.
func (m *Model) Begin(now vt.Time, a *mail.Attempt, q *evq.Queue) {
	for int(a.Slot) >= len(m.trips) {
		m.trips = append(m.trips, trip{})
	}
	t := &m.trips[a.Slot]
	r := &m.receivers[a.Dest]
	m.busy++
	t.gen, t.kind = a.Gen, a.Conn
	t.start, t.step, t.ended = now, 0, false
	t.stretch = m.Stretch(m.server, m.busy)
	at := now
	if a.Conn == mail.Fresh {
		m.HangUp(a.Slot)
		if at = m.lookup(now, t, r); !t.ended {
			t.dest = a.Dest
			r.Connect(now, &t.conn)
		}
	} else {
		r.Reuse(now, &t.conn)
	}
	if !t.ended {
		r.Offer(now, &t.conn, &t.msg, a.Rcpt, a.Try)
		if !m.full {
			at = m.converse(at, t)
		}
	}
	q.Push(at, int(a.Slot))
}

// lookup looks the destination up, which ends the attempt if its name is not
// found.
func (m *Model) lookup(now vt.Time, t *trip, r *Receiver) vt.Time {
	took, fault := r.Lookup(now)
	took = stretched(took, t.stretch)
	if patience := m.Patience(mail.StageDNS); took > patience {
		took, fault = patience, mail.Timeout
	}
	t.lookup = took
	if fault != mail.NoFault {
		t.ended, t.reply = true, mail.Reply{Took: took, Stage: mail.StageDNS, Fault: fault}
	}
	return now.Add(took)
}

// converse passes the whole dialogue.
func (m *Model) converse(now vt.Time, t *trip) vt.Time {
	if took, smooth := m.smooth(t); smooth {
		at := now.Add(took)
		t.ended, t.reply = true, mail.Reply{Took: at.Sub(t.start), Code: 250, Stage: mail.StageDot}
		return at
	}
	for !t.ended {
		now = m.advance(now, t)
	}
	return now
}

// smooth is how long the dialogue takes, if nothing can happen in it that one
// must look at step by step: no failure, refusal or greylist, no loss on the
// way, no stretch by load, and times so far below the client's patience that
// no step comes near it.
func (m *Model) smooth(t *trip) (took vt.Span, ok bool) {
	e := &m.easy[t.kind]
	c, v := &t.conn, &t.msg
	if v.fail != (ending{}) || v.Grey != 0 && !v.welcome || v.Tarpit != 0 || t.stretch != 1 || c.RTT > e.rtt ||
		v.RCPT > e.rcpt || v.Dot > e.dot {
		return 0, false
	}
	took = c.RTT*e.roundTrips + v.RCPT + v.Dot
	if t.kind == mail.Fresh {
		if c.fail != (ending{}) || c.refused || c.Banner > e.banner {
			return 0, false
		}
		took += c.Banner
	}
	return took, true
}

// advance passes one step of the dialogue.
func (m *Model) advance(now vt.Time, t *trip) vt.Time {
	steps := m.Steps(t.kind)
	step := steps[t.step]
	t.step++
	e := m.receivers[t.dest].Exchange(now, step, &t.conn, &t.msg, t.stretch)
	at := now.Add(e.Took)
	switch {
	case e.Ends():
		t.ended, t.reply = true, mail.Reply{Took: at.Sub(t.start), Code: e.Code, Stage: step.Stage, Fault: e.Fault}
	case int(t.step) == len(steps):
		t.ended, t.reply = true, mail.Reply{Took: at.Sub(t.start), Code: 250, Stage: step.Stage}
	}
	return at
}

// Handle takes the event of a slot that is due. If an attempt has ended it
// returns the completion.
func (m *Model) Handle(at vt.Time, slot mail.Slot, q *evq.Queue) (c mail.Completion, ended bool) {
	t := &m.trips[slot]
	if !t.ended {
		q.PushAgain(m.advance(at, t), int(slot))
		return c, false
	}
	m.busy--
	if t.msg.Grey != 0 {
		m.receivers[t.dest].End(at, &t.msg, t.reply.Class() == mail.Delivered)
	}
	if !t.reply.Open() {
		m.HangUp(slot)
	}
	hops := t.conn.Hops
	if t.reply.Stage == mail.StageDNS {
		hops = 0
	}
	return mail.Completion{Reply: t.reply, Way: mail.NewWay(t.lookup, hops), Slot: slot, Gen: t.gen}, true
}

// Load is the load of the server at so many attempts under way.
func (m *Model) Load(busy float64) float64 { return m.Network.Load(m.server, busy) }

// HangUp closes the connection that a slot holds, if any.
func (m *Model) HangUp(slot mail.Slot) {
	t := &m.trips[slot]
	m.receivers[t.dest].Close(&t.conn)
}
