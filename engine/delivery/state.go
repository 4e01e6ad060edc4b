package delivery

import (
	"flyball/engine"
	"flyball/governor"
	"flyball/internal/snap"
)

// State saves the machine's state, or restores it in a machine built from the same
// Config, list and governor, which must be a governor.Keeper. The state includes
// attempts under way and a report that waits for its verdict.
func (m *Machine) State(c *snap.Codec) {
	m.gov.(governor.Keeper).State(c)
	snap.Int(c, &m.available)
	snap.Slice(c, &m.slots, func(c *snap.Codec, s *slot) {
		s.attempt.State(c)
		snap.Int(c, &s.first)
		snap.Int(c, &s.next)
		snap.Int(c, &s.to)
		snap.Int(c, &s.campaign)
		snap.Bool(c, &s.busy)
		snap.Bool(c, &s.open)
		snap.Bool(c, &s.reset)
		snap.Bool(c, &s.leaving)
		snap.Int(c, &s.sent)
	})
	snap.Slice(c, &m.free, snap.Int)
	snap.Int(c, &m.allocated)
	snap.Slice(c, &m.campaigns, func(c *snap.Codec, v *campaign) {
		snap.Int(c, &v.next)
		snap.Int(c, &v.to)
		snap.Int(c, &v.subset)
		snap.Int(c, &v.processes)
		snap.Int(c, &v.allocated)
		snap.Int(c, &v.ready)
		snap.Int(c, &v.demand)
		v.due.state(c)
		snap.Slice(c, &v.back, func(c *snap.Codec, p *part) {
			snap.Int(c, &p.from)
			snap.Int(c, &p.to)
		})
		snap.Int(c, &v.left)
		snap.Int(c, &v.total)
		snap.Int(c, &v.limit)
		snap.Int(c, &v.priority)
		if m.concurrency != nil {
			snap.Slice(c, &v.parked, func(c *snap.Codec, p *chain) { p.state(c) })
			snap.Int(c, &v.parkedCount)
		}
	})
	snap.Int(c, &m.demand)
	snap.Int(c, &m.oldest)
	m.waiting.state(c)
	snap.Slice(c, &m.firsts, snap.Int)
	snap.Int(c, &m.left)
	m.limit.state(c)
	snap.Slice(c, &m.slotLimits, func(c *snap.Codec, l *retryLimit) { l.state(c) })
	if m.own != nil {
		m.own.state(c)
	}
	snap.Slice(c, &m.allocations, func(c *snap.Codec, t *allocation) {
		snap.Int(c, &t.began)
		snap.Int(c, &t.turn)
		snap.Int(c, &t.size)
		snap.Int(c, &t.delivered)
	})
	snap.Int(c, &m.leaving)
	snap.Int(c, &m.turns)
	m.interval.state(c)
	m.pause.pass(m.interval.accounted)
	m.seen.State(c)
	snap.Bool(c, &m.stopping)
	snap.Bool(c, &m.reported)
	if m.reported {
		m.closed.state(c)
	}
	if m.concurrency != nil {
		m.concurrency.state(c)
		snap.Int(c, &m.revival)
	}
}

func (l *retryLimit) state(c *snap.Codec) {
	snap.Int(c, &l.limit)
	snap.Int(c, &l.stood)
	snap.Int(c, &l.calm)
	snap.Bool(c, &l.strain)
	snap.Int(c, &l.attempts)
	snap.Int(c, &l.delivered)
}

func (w *waiting) state(c *snap.Codec) {
	snap.Int(c, &w.next)
	snap.Slice(c, &w.buckets, func(c *snap.Codec, b *chain) { b.state(c) })
	snap.Slice(c, &w.used, snap.Int)
	snap.Slice(c, &w.resends, func(c *snap.Codec, r *resend) {
		snap.Int(c, &r.rcpt)
		snap.Int(c, &r.link)
		snap.Int(c, &r.try)
		snap.Int(c, &r.campaign)
	})
	w.vacant.state(c)
}

func (v *chain) state(c *snap.Codec) {
	snap.Int(c, &v.first)
	snap.Int(c, &v.last)
}

func (t *slotTime) state(c *snap.Codec) {
	snap.Int(c, &t.high)
	snap.Int(c, &t.low)
}

func (i *interval) state(c *snap.Codec) {
	snap.Int(c, &i.number)
	snap.Int(c, &i.began)
	snap.Int(c, &i.next)
	snap.Float(c, &i.target)
	snap.Int(c, &i.accounted)
	i.slotTime.state(c)
	snap.Int(c, &i.demanded)
	i.demandTime.state(c)
	snap.Int(c, &i.delivered)
	snap.Int(c, &i.attempts)
	snap.Bool(c, &i.draining)
	snap.Int(c, &i.freed)
	snap.Int(c, &i.handedBack)
	i.conditions.State(c)
}

func (v *closed) state(c *snap.Codec) {
	v.Report.State(c)
	snap.Int(c, &v.number)
	snap.Slice(c, &v.destinations, func(c *snap.Codec, d *engine.DestinationInterval) { d.State(c) })
}
