package netmodel

import (
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Host is what a server can do itself, all its processes together: attempts take turns
// to begin, and messages take turns on its link. Both are decided when an attempt
// begins, or goes on over a new connection.
type Host struct {
	net   *Network
	facts *path
	turns queue // of attempts
	link  queue // of messages
}

// Host returns the host of server s at time 0.
func (net *Network) Host(s mail.Server) Host { return Host{net: net, facts: &net.servers[s]} }

// queue is a line before something that takes one after the other.
type queue struct{ free vt.Time }

// wait returns the time until one that comes now, and takes so long, is done.
func (q *queue) wait(now vt.Time, takes vt.Span) vt.Span {
	q.free = max(q.free, now).Add(takes)
	return q.free.Sub(now)
}

// Turn returns how long an attempt waits that comes now: for the attempts before it, and
// for the server to prepare it.
func (h *Host) Turn(now vt.Time) vt.Span {
	if h.facts.turn == 0 {
		return 0
	}
	return h.turns.wait(now, h.facts.turn)
}

// Load puts the message m on the link, behind the messages that are on it: the reply to
// the final dot comes later by as much. A message of which it is decided that it does not
// get as far as its data is not sent.
func (h *Host) Load(now vt.Time, c *Connection, m *Message) {
	if h.facts.bandwidth > 0 {
		h.load(now, c, m)
	}
}

func (h *Host) load(now vt.Time, c *Connection, m *Message) {
	if c.refused || c.fail != noEnding || m.fail != noEnding && m.fail.stage() <= mail.StageDATA {
		return
	}
	m.Link = h.link.wait(now, vt.Span(h.net.Size(m.to))*vt.Second/h.facts.bandwidth)
}

// State saves or restores the lines.
func (h *Host) State(c *snap.Codec) { c.Fields(&h.turns.free, &h.link.free) }
