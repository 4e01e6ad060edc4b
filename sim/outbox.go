package sim

import (
	"cmp"
	"slices"

	"flyball/engine"
	"flyball/internal/vt"
)

// This file has what becomes of what roles ask for: facts become durable, messages travel.

// letter is a message with the time at which it is sent.
type letter struct {
	at      vt.Time
	message engine.Message
}

// gather posts what delivering servers have sent while they ran by themselves.
func (y *system) gather() {
	type of struct {
		letter
		from *node
	}
	var all []of
	for _, n := range y.nodes[1:] {
		for _, l := range n.late {
			all = append(all, of{l, n})
		}
		n.late = n.late[:0]
	}
	slices.SortStableFunc(all, func(a, b of) int { return cmp.Compare(a.at, b.at) })
	for _, l := range all {
		y.post(l.from, l.message, l.at)
	}
}

// perform does what the role of a node asks for: facts first.
func (y *system) perform(n *node, now vt.Time) {
	out := n.out
	if len(out.Write) == 0 && n.waits == 0 {
		y.act(n, now)
		return
	}
	for _, f := range out.Write {
		y.heed(n, f, now)
	}
	commit := y.scenario.Disk.Commit
	if y.keeps {
		n.facts = append(n.facts, out.Write...)
	}
	if commit == 0 {
		n.durable = len(n.facts)
		y.act(n, now)
		return
	}
	if len(out.Write) > 0 {
		n.safe = now.Add(commit)
	}
	rest := engine.Outbox{Close: out.Close, Start: out.Start, Dots: out.Dots, Send: out.Send}
	*out = engine.Outbox{}
	n.waits++
	y.agenda.Add(max(now, n.safe), happening{what: y.written, node: n, life: n.life, rest: rest, upTo: len(n.facts)})
}

// written makes facts durable and does what waited for them.
func (y *system) written(n *node, h *happening) {
	n.waits--
	n.durable = h.upTo
	n.out.Clear()
	*n.out = h.rest
	y.act(n, y.now)
}

// act does all that is in the outbox of a node but its facts.
func (y *system) act(n *node, now vt.Time) {
	if n.server != nil {
		n.server.act(now)
	}
	kept := n.out.Send[:0]
	for _, m := range n.out.Send {
		switch m.To.Role {
		case engine.Sender, engine.Remote, engine.Bounces, engine.Requests:
			if n.server != nil && y.apart {
				n.late = append(n.late, letter{now, m})
			} else {
				y.post(n, m, now)
			}
		case engine.Recipients:
			y.confirm(m.Body.(engine.Confirm), now)
		case engine.Operator:
			y.report(m.Body.(engine.Summary))
		default:
			kept = append(kept, m) // to other delivering machines, or to their governor
		}
	}
	n.out.Write, n.out.Send = n.out.Write[:0], kept
	n.out.Dots = n.out.Dots[:0]
}

// post lets a message travel. It may be lost or come twice: what a server sends to another one at a moment has one
// luck.
func (y *system) post(from *node, m engine.Message, now vt.Time) {
	to := y.nodes[0]
	switch m.To.Role {
	case engine.Remote:
		to = y.nodes[1+m.To.Server]
	case engine.Bounces:
		to = y.returns
	case engine.Requests:
		to = y.requests
	}
	y.account.Messages++
	luck := y.key.At(uint64(now), uint32(from.number)<<16|uint32(to.number), purposeDelay)
	bus := &y.scenario.Bus
	if now < from.cut || now < to.cut || share(luck[1]) < bus.Loss {
		return
	}
	after := func(times float64) vt.Time { return now.Add(vt.Span(float64(bus.Delay) * times)) }
	h := happening{what: y.receive, node: to, message: m}
	y.agenda.Add(after(1+share(luck[0])), h)
	if share(luck[2]) < bus.Repeat {
		y.agenda.Add(after(5+5*share(luck[3])), h)
	}
}

// receive passes a message to its receiver, if that is up.
func (y *system) receive(n *node, h *happening) {
	switch {
	case !n.up:
	case y.now < n.until:
		y.agenda.Add(n.until, *h)
	default:
		if n.server != nil {
			n.server.catchUp(y.now)
		}
		n.role.Receive(y.now, h.message, n.out)
		y.perform(n, y.now)
	}
}
