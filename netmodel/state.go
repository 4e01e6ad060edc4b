package netmodel

import "flyball/internal/snap"

// State saves the model's state, or restores it in a model built from the same
// Config and key. Each model saves the state that it shares with others.
func (m *Model) State(c *snap.Codec) {
	snap.Slice(c, &m.trips, func(c *snap.Codec, t *trip) { t.state(c) })
	for i := range m.receivers {
		m.receivers[i].State(c)
	}
	snap.Int(c, &m.busy)
}

func (t *trip) state(c *snap.Codec) {
	snap.Int(c, &t.start)
	snap.Int(c, &t.lookup)
	snap.Int(c, &t.gen)
	snap.Int(c, &t.kind)
	snap.Int(c, &t.to)
	snap.Int(c, &t.try)
	snap.Float(c, &t.stretch)
	t.reply.State(c)
	snap.Int(c, &t.conn.RTT)
	snap.Int(c, &t.conn.Banner)
	snap.Int(c, &t.conn.Hops)
	snap.Int(c, &t.conn.drawn.rtt)
	snap.Int(c, &t.conn.drawn.hops)
	snap.Int(c, &t.conn.fail)
	snap.Bool(c, &t.conn.refused)
	snap.Bool(c, &t.conn.counted)
	snap.Int(c, &t.conn.offered)
	snap.Float(c, &t.conn.slow)
	snap.Int(c, &t.msg.RCPT)
	snap.Int(c, &t.msg.Dot)
	snap.Int(c, &t.msg.Tarpit)
	snap.Int(c, &t.msg.Grey)
	snap.Int(c, &t.msg.to)
	snap.Int(c, &t.msg.GreyCode)
	snap.Bool(c, &t.msg.welcome)
	snap.Bool(c, &t.msg.letIn)
	snap.Bool(c, &t.msg.complains)
	snap.Int(c, &t.msg.fail)
	for i := range t.conn.losses {
		snap.Int(c, &t.conn.losses[i])
		snap.Int(c, &t.msg.losses[i])
	}
	snap.Int(c, &t.step)
	snap.Int(c, &t.dest)
	snap.Bool(c, &t.ended)
}

// State saves or restores a receiver, including state that it shares with others.
func (r *Receiver) State(c *snap.Codec) {
	snap.Int(c, &r.lookups)
	snap.Int(c, &r.connections)
	r.state.state(c)
	for _, w := range r.windows {
		w.state(c)
	}
}

func (m *ReceiverState) state(c *snap.Codec) {
	snap.Int(c, &m.open)
	m.bucket.State(c)
	for _, f := range []*fading{&m.recent, &m.points} {
		snap.Float(c, &f.sum)
		snap.Int(c, &f.tick)
	}
	m.penance.state(c)
	m.greylist.state(c)
	snap.Int(c, &m.passes)
	snap.Int(c, &m.white)
	snap.Int(c, &m.cycles)
	snap.Int(c, &m.downFrom)
	snap.Int(c, &m.upFrom)
	snap.Int(c, &m.periods)
	snap.Float(c, &m.weather)
	snap.Float(c, &m.factor)
}

func (s *penance) state(c *snap.Codec) {
	snap.Int(c, &s.until)
	snap.Int(c, &s.length)
	snap.Int(c, &s.allowed)
	snap.Int(c, &s.passed)
	snap.Int(c, &s.offered)
}

func (w *window) state(c *snap.Codec) {
	snap.Int(c, &w.step)
	snap.Int(c, &w.sum)
	snap.Slice(c, &w.taken, snap.Int)
}

func (t *clocks) state(c *snap.Codec) {
	snap.Slice(c, &t.slots, func(c *snap.Codec, v *clock) {
		snap.Int(c, &v.who)
		snap.Int(c, &v.first)
		snap.Int(c, &v.last)
	})
	snap.Int(c, &t.count)
}
