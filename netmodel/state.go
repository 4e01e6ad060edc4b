package netmodel

import "flyball/internal/snap"

// State saves the model's state, or restores it in a model built from the same
// config.Config and key. Each model saves the state that it shares with others.
func (m *Model) State(c *snap.Codec) {
	snap.Slice(c, &m.trips, func(c *snap.Codec, t *trip) { t.state(c) })
	for i := range m.receivers {
		m.receivers[i].State(c)
	}
	c.Fields(&m.busy)
	m.host.State(c)
}

func (t *trip) state(c *snap.Codec) {
	c.Fields(&t.start, &t.lookup, &t.gen, &t.kind, &t.to, &t.try, &t.stretch, &t.step, &t.dest, &t.ended, &t.helo)
	t.reply.State(c)
	v, m := &t.conn, &t.msg
	c.Fields(&v.RTT, &v.Banner, &v.Hops, &v.drawn.RTT, &v.drawn.Hops, &v.fail, &v.from, &v.refused, &v.counted,
		&v.offered, &v.slow, &v.losses)
	c.Fields(&m.RCPT, &m.Dot, &m.Tarpit, &m.Link, &m.grown, &m.Grey, &m.to, &m.GreyCode, &m.welcome,
		&m.letIn, &m.complains, &m.fail, &m.losses)
}

// State saves or restores a receiver, including state that it shares with others.
func (r *Receiver) State(c *snap.Codec) {
	c.Fields(&r.lookups, &r.connections, &r.grey.passes, &r.grey.white)
	r.grey.clocks.State(c)
	for i := range r.turns {
		c.Fields(&r.turns[i])
	}
	for _, s := range r.states {
		s.state(c)
	}
	for _, all := range r.windows {
		for _, w := range all {
			w.State(c)
		}
	}
}

func (m *ReceiverState) state(c *snap.Codec) {
	c.Fields(&m.open, &m.cycles, &m.downFrom, &m.upFrom, &m.periods, &m.weather, &m.factor)
	m.recent.State(c)
	m.points.State(c)
	m.bucket.State(c)
	m.penance.State(c)
}
