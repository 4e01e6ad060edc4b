package delivery

// follow lets the demand follow what a campaign has and could begin. It changes
// where a subset or a resend is taken, comes back or falls due, never within a
// subset, so to follow it costs the plain attempt nothing.
func (m *Machine) follow(c *campaign) {
	if d := min(c.processes, c.allocated+c.ready) - c.demand; d != 0 {
		m.change(c, d)
	}
}

// Not inlined, so that follow is.
//
//go:noinline
func (m *Machine) change(c *campaign, by int) {
	i := &m.interval
	i.demandTime.add(m.demand, i.accounted.Sub(i.demanded))
	i.demanded = i.accounted
	m.demand += by
	c.demand += by
}

// ripen releases the resends that are due.
func (m *Machine) ripen() {
	from := m.waiting.release(m.interval.accounted, m.campaigns)
	m.oldest = min(m.oldest, from)
	for i := from; i < len(m.campaigns); i++ {
		m.follow(&m.campaigns[i])
	}
}
