package netmodel

import "flyball/internal/snap"

// State saves or restores the memory of a model that was built from the same
// Config and key.
func (m *Model) State(c *snap.Codec) {
	snap.Slice(c, &m.trips, func(c *snap.Codec, server *[]trip) {
		snap.Slice(c, server, func(c *snap.Codec, t *trip) { m.trip(c, t) })
	})
	snap.Slice(c, &m.lanes, func(c *snap.Codec, server *[]memory) {
		snap.Slice(c, server, func(c *snap.Codec, l *memory) {
			snap.Int(c, &l.lookups)
			snap.Int(c, &l.connections)
			snap.Int(c, &l.open)
		})
	})
	snap.Slice(c, &m.busy, snap.Int[int])
}

func (m *Model) trip(c *snap.Codec, t *trip) {
	t.a.State(c)
	snap.Int(c, &t.start)
	t.reply.State(c)
	snap.Int(c, &t.conn.RTT)
	snap.Int(c, &t.conn.Hops)
	snap.Int(c, &t.conn.Banner)
	t.conn.fail.state(c)
	snap.Int(c, &t.conn.lane)
	snap.Int(c, &t.msg.RCPT)
	snap.Int(c, &t.msg.Dot)
	snap.Int(c, &t.msg.Grey)
	snap.Int(c, &t.msg.GreyCode)
	t.msg.fail.state(c)
	snap.Int(c, &t.msg.rcpt)
	snap.Int(c, &t.msg.try)
	left := len(t.steps)
	snap.Int(c, &left)
	if all := m.Steps(t.a.Conn); c.Reading() && left >= 0 && left <= len(all) {
		t.steps = all[len(all)-left:]
	}
	snap.Int(c, &t.dest)
	snap.Bool(c, &t.open)
	snap.Bool(c, &t.refused)
	snap.Int(c, &t.load)
}

func (f *failure) state(c *snap.Codec) {
	snap.Int(c, &f.upTo)
	snap.Int(c, &f.stage)
	snap.Int(c, &f.code)
	snap.Int(c, &f.fault)
}
