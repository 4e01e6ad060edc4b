package netmodel

import (
	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Model is a World as one server meets it, with the receivers' memory of that
// server, in virtual time. It turns each attempt into one event, its end, or
// with full stages into one event per stage; both end at the same times with
// the same replies. Events go by their slot, which is their lane in the queue.
//
//	Begin -> look-up -> connect -> banner -> EHLO -> MAIL -> RCPT -> DATA -> dot -> end
//	           (fresh connections only)        any stage may end the attempt
//
// Receivers count each server for itself, so models of one World share nothing
// that changes, but for destinations that are shared: see NewModels. Not safe
// for concurrent use.
type Model struct {
	*World
	server mail.Server
	trips  []trip   // by slot
	met    []memory // by destination
	busy   int      // attempts under way
}

// memory is what stands between the server and a destination.
type memory struct {
	lookups, connections uint32 // ordinals
	*door
}

// door is where a receiver meets a server, or all servers.
type door struct {
	open     int // connections, under way or kept
	receiver Memory
}

// trip is an attempt under way on a slot, and the connection that the slot
// keeps between attempts.
type trip struct {
	start   vt.Time
	stretch float64 // of the server when the attempt began
	seen    vt.Time // as told with the attempt
	lookup  vt.Span // that the look-up took, if there was one
	gen     uint32
	kind    mail.Conn
	reply   mail.Reply
	conn    Connection
	msg     Message
	dest    mail.Destination // of the connection
	step    uint8            // of the dialogue, the next
	open    bool             // the slot holds a connection
	refused bool             // by the receiver's cap
	passed  bool             // a greylist
	ended   bool             // the event that is coming is the end
}

// NewModel gives a world a memory of one of its servers, as if there were no
// other.
func NewModel(w *World, s mail.Server) *Model {
	m := &Model{World: w, server: s, met: make([]memory, len(w.destinations))}
	doors := make([]door, len(m.met))
	for d := range m.met {
		m.met[d].door = &doors[d]
	}
	return m
}

// NewModels gives a world a memory of each of its servers. Where a destination
// is shared they have one memory of it, so they must be asked in the order of
// time.
func NewModels(w *World) []*Model {
	var all []*Model
	for s := range w.servers {
		m := NewModel(w, mail.Server(s))
		for d, r := range w.destinations {
			if r.shared && s > 0 {
				m.met[d].door = all[0].met[d].door
			}
		}
		all = append(all, m)
	}
	return all
}

// Begin starts an attempt; its end comes out of Handle.
func (m *Model) Begin(now vt.Time, a *mail.Attempt, q *evq.Queue) {
	for int(a.Slot) >= len(m.trips) {
		m.trips = append(m.trips, trip{})
	}
	t := &m.trips[a.Slot]
	m.busy++
	t.gen, t.seen, t.kind = a.Gen, a.Seen, a.Conn
	t.start, t.step, t.refused, t.ended = now, 0, false, false
	t.passed = false
	t.stretch = m.Stretch(m.server, m.busy)
	m.message(&t.msg, a.Dest, a.Rcpt, a.Try)
	at := now
	if a.Conn == mail.Fresh {
		m.HangUp(a.Slot)
		at = m.dial(now, t, a.Dest)
	}
	if len(m.pathDrift) > 0 && !t.ended {
		m.Reroute(&t.conn, now)
	}
	if m.destinations[a.Dest].habits != nil && !t.ended {
		m.meet(now, t, a)
	}
	if !m.full && !t.ended {
		at = m.converse(at, t)
	}
	q.Push(at, int(a.Slot))
}

// dial looks a destination up and takes a connection there, if the name is
// found. The receiver counts the connection against its cap from now on.
func (m *Model) dial(now vt.Time, t *trip, d mail.Destination) vt.Time {
	met := &m.met[d]
	took, fault := m.Lookup(m.server, d, met.lookups, now)
	met.lookups++
	took = stretched(took, t.stretch)
	if patience := m.Patience(mail.StageDNS); took > patience {
		took, fault = patience, mail.Timeout
	}
	t.lookup = took
	if fault != mail.NoFault {
		t.ended, t.reply = true, mail.Reply{Took: took, Stage: mail.StageDNS, Fault: fault}
		return now.Add(took)
	}
	m.connect(&t.conn, m.server, d, met.connections)
	t.dest = d
	met.connections++
	if fault := m.Outage(&met.receiver, m.server, d, now); fault != mail.NoFault {
		t.conn.Lose(mail.StageConnect, fault)
		return now.Add(took)
	}
	t.refused = m.Cap(d) > 0 && met.open >= m.Cap(d)
	if !t.refused {
		t.open = true
		met.open++
	}
	return now.Add(took)
}

// meet is what the receiver makes of an attempt out of its habits and its
// memory of the server. It sees a message that gets as far as MAIL, and
// remembers it from the beginning of the attempt.
func (m *Model) meet(now vt.Time, t *trip, a *mail.Attempt) {
	met := &m.met[a.Dest]
	slow := m.Slowness(&met.receiver, a.Dest, now, met.open)
	t.msg.Slow(slow)
	if a.Conn == mail.Fresh {
		t.conn.Slow(slow)
		if t.refused || t.conn.fail != (ending{}) {
			return
		}
	} else if fault := m.Outage(&met.receiver, m.server, a.Dest, now); fault != mail.NoFault {
		t.conn.Lose(mail.StageEHLO, fault)
		t.msg.Lose(fault)
		return
	}
	m.Offer(&met.receiver, a.Dest, now, a.Rcpt, a.Try, &t.msg)
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
	if v.fail != (ending{}) || v.Grey != 0 || v.Tarpit != 0 || t.stretch != 1 || c.RTT > e.rtt || v.RCPT > e.rcpt || v.Dot > e.dot {
		return 0, false
	}
	took = c.RTT*e.roundTrips + v.RCPT + v.Dot
	if t.kind == mail.Fresh {
		if c.fail != (ending{}) || t.refused || c.Banner > e.banner {
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
	listed := step.Stage == mail.StageRCPT && t.msg.Grey > 0
	grey := listed && (t.seen == vt.Never || now.Sub(t.seen) < t.msg.Grey)
	t.passed = t.passed || listed && !grey
	e := m.Exchange(step, &t.conn, &t.msg, t.refused, grey, t.stretch)
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
	if t.passed {
		m.Passed(&m.met[t.dest].receiver, t.dest, at)
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
func (m *Model) Load(busy float64) float64 { return m.World.Load(m.server, busy) }

// HangUp closes the connection that a slot holds, if any.
func (m *Model) HangUp(slot mail.Slot) {
	if t := &m.trips[slot]; t.open {
		t.open = false
		m.met[t.dest].open--
	}
}
