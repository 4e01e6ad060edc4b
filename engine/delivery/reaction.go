package delivery

import (
	"math"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/vt"
)

// This file does what the sender's reply table asks for. A row of the table decides what
// becomes of the recipient, in fate and wait. Its reaction may also end the connection, or
// put a brake on what begins later: on this server's attempts to the destination, on all
// servers' attempts to it, on all attempts of this server, or on the campaign. A refusal of the
// sender itself that no row is for puts one on this server's attempts to the destination.

// row returns the row of the reply table that a reply of destination d matches; nil if none.
func (m *Machine) row(d mail.Destination, r *mail.Reply) *replies.Row {
	if r.Row == 0 {
		return nil
	}
	return m.cfg.Replies[d].Row(r.Row)
}

// fate returns what becomes of a recipient at destination d after the reply r: a bounce ends it
// at once, a deferral if the retry limit or the age does.
func (m *Machine) fate(d mail.Destination, r *mail.Reply) mail.Class {
	class := r.Class()
	if row := m.row(d, r); row != nil {
		if class = row.ClassOf(r); row.Reaction == "bounce" {
			return mail.Bounce
		}
	}
	retry := &m.cfg.Retry
	if class == mail.Bounce && retry.Bounce != "fail" || class == mail.Ambiguous && retry.Ambiguous != "hold" {
		return mail.Deferral
	}
	return class
}

// wait returns the time after which the recipient of slot i is resent after the reply r.
func (m *Machine) wait(i mail.Slot, r *mail.Reply) vt.Span {
	a := &m.slots[i].attempt
	switch row := m.row(a.Dest, r); {
	case row == nil:
	case row.Reaction == "hold":
		return row.For
	case row.Reaction == "reconnect" && a.Conn != mail.Fresh:
		return 0
	}
	return m.cfg.Retry.Delay(m.cfg.delays(a.Dest), a.Try, r)
}

// react does what the row of the reply r to slot i asks for beyond its recipient.
func (m *Machine) react(now vt.Time, i mail.Slot, r *mail.Reply, out *engine.Outbox) {
	s := &m.slots[i]
	row := m.row(s.attempt.Dest, r)
	began := now.Add(-r.Took)
	switch {
	case row.Reaction == "reconnect":
		s.sent = math.MaxInt32 // no further message goes over the connection
	case !row.Gates() || !m.enough(now, s.attempt.Dest, r.Row):
	case row.Scope == "campaign":
		m.postpone(&m.campaigns[s.campaign], now.Add(row.For))
		m.ranked = true // its processes have to give way
	case row.Scope == "account":
		m.brake(&m.concurrency.account, row, now, began)
	case m.brake(&m.concurrency.each[s.attempt.Dest].brake, row, now, began) && row.Scope == "domain":
		for other := range mail.Server(m.cfg.Servers) {
			if other != m.cfg.Server {
				out.Send = append(out.Send, engine.Message{From: m.address(),
					To:   engine.Address{Role: engine.Delivery, Server: other},
					Body: engine.React{Dest: s.attempt.Dest, Row: r.Row, Began: began}})
			}
		}
	}
}

// enough reports whether as many replies of destination d matched a row as it waits for.
func (m *Machine) enough(now vt.Time, d mail.Destination, row uint16) bool {
	v := &m.concurrency.each[d]
	return v.tallies == nil || v.tallies[row-1].Enough(now, m.cfg.Replies[d].Row(row))
}

// brake lets a row's reaction slow or suspend a place, and reports whether that changes anything.
func (m *Machine) brake(b *replies.Brake, row *replies.Row, now, began vt.Time) (changed bool) {
	if row.Reaction == "slow" {
		changed = b.Slow(now, began, row.Share, row.For)
	} else {
		changed = b.Suspend(now, began, row)
	}
	if changed {
		m.reactions++
	}
	return changed
}

// heed reacts to a reply that another server got. A repeated React changes nothing, see engine.React.
func (m *Machine) heed(now vt.Time, v engine.React) {
	if int(v.Dest) >= len(m.cfg.Replies) || v.Row == 0 || int(v.Row) > len(m.cfg.Replies[v.Dest]) {
		return // the other server has another reply table
	}
	if row := m.cfg.Replies[v.Dest].Row(v.Row); row.Gates() {
		m.brake(&m.concurrency.each[v.Dest].brake, row, now, v.Began)
	}
}

// rest lets no attempt of this server to the destination of slot i begin for a resend delay,
// and then one at first: it refuses the sender itself with r, to which the reply table of the
// destination has no row.
func (m *Machine) rest(now vt.Time, i mail.Slot, r *mail.Reply) {
	row := replies.Row{Reaction: "suspend", For: m.wait(i, r), Return: 1}
	m.limit(i)
	m.brake(&m.concurrency.each[m.slots[i].attempt.Dest].brake, &row, now, now.Add(-r.Took))
}

// limit makes every destination a gate that reactions can close, if destinations are none yet.
// The attempt of slot ended, which is over, still counts as one under way.
func (m *Machine) limit(ended mail.Slot) {
	r := m.concurrency
	if r == nil {
		r = newEndpoints(&m.cfg)
		m.concurrency = r
		for c := range m.campaigns {
			m.campaigns[c].parked = make([]chain, len(r.each))
		}
		for i := range m.slots {
			if s := &m.slots[i]; s.busy || mail.Slot(i) == ended {
				r.each[s.attempt.Dest].busy++
			}
		}
	}
	if !r.brakes {
		r.brakes, r.busy = true, 0
		for d := range r.each {
			r.busy += r.each[d].busy
		}
	}
}
