package delivery

import (
	"flyball/engine"
	"flyball/governor"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// State saves the machine's state, or restores it in a machine built from the same
// Config, list and governor, which must be a governor.Keeper. The state includes
// attempts under way and a report that waits for its verdict.
func (m *Machine) State(c *snap.Codec) {
	m.gov.(governor.Keeper).State(c)
	c.Fields(&m.available, &m.free, &m.allocated, &m.demand, &m.oldest, &m.firsts, &m.left, &m.leaving, &m.turns,
		&m.stopping, &m.reported, &m.ranked, &m.revival)
	limited := m.concurrency != nil
	if c.Fields(&limited); limited && m.concurrency == nil { // by a reply, see limit
		m.concurrency = newEndpoints(&m.cfg)
	}
	snap.Slice(c, &m.slots, func(c *snap.Codec, s *slot) {
		s.attempt.State(c)
		c.Fields(&s.first, &s.next, &s.to, &s.campaign, &s.busy, &s.open, &s.reset, &s.leaving, &s.sent)
	})
	snap.Slice(c, &m.campaigns, func(c *snap.Codec, v *campaign) {
		c.Fields(&v.next, &v.to, &v.subset, &v.processes, &v.allocated, &v.ready, &v.demand)
		v.stage.State(c)
		c.Fields(&v.priority, &v.every, &v.opens, &v.mailing, &v.parkedCount, &v.withdrawn)
		v.due.state(c)
		snap.Slice(c, &v.back, func(c *snap.Codec, p *part) { c.Fields(&p.from, &p.to) })
		if m.concurrency != nil {
			snap.Slice(c, &v.parked, func(c *snap.Codec, p *chain) { p.state(c) })
		}
	})
	m.waiting.state(c)
	m.limits.State(c)
	snap.Slice(c, &m.allocations, func(c *snap.Codec, t *allocation) {
		c.Fields(&t.began, &t.turn, &t.size, &t.delivered)
	})
	m.interval.state(c)
	if m.stopping && m.interval.next == vt.Never {
		m.pause = atEnd
	} else {
		m.pause.pass(m.interval.accounted)
	}
	m.seen.State(c)
	if m.reported {
		m.closed.state(c)
	}
	if m.concurrency != nil {
		m.concurrency.state(c)
	}
}

func (w *waiting) state(c *snap.Codec) {
	c.Fields(&w.next, &w.used)
	snap.Slice(c, &w.buckets, func(c *snap.Codec, b *chain) { b.state(c) })
	snap.Slice(c, &w.resends, func(c *snap.Codec, r *resend) { c.Fields(&r.rcpt, &r.link, &r.try, &r.campaign) })
	w.vacant.state(c)
}

func (v *chain) state(c *snap.Codec) { c.Fields(&v.first, &v.last) }

func (t *slotTime) state(c *snap.Codec) { c.Fields(&t.high, &t.low) }

func (i *interval) state(c *snap.Codec) {
	c.Fields(&i.number, &i.began, &i.next, &i.target, &i.accounted, &i.demanded, &i.delivered, &i.attempts, &i.draining,
		&i.freed, &i.handedBack)
	i.slotTime.state(c)
	i.demandTime.state(c)
	i.conditions.State(c)
}

func (v *closed) state(c *snap.Codec) {
	v.Report.State(c)
	c.Fields(&v.number)
	snap.Slice(c, &v.destinations, func(c *snap.Codec, d *engine.DestinationInterval) { d.State(c) })
}
