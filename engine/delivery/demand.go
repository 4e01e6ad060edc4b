package delivery

// follow updates the demand for the campaign c: the processes that it has and
// could begin, up to those it wants. Demand changes only when a subset or a resend
// is taken, returned or falls due, so attempts within a subset do not call follow.
func (m *Machine) follow(c *campaign) {
	if d := min(c.processes, c.allocated+c.ready) - c.demand; d != 0 {
		m.change(c, d)
	}
}

// change adds by to the demand. It is not inlined, so that follow is.
//
//go:noinline
func (m *Machine) change(c *campaign, by int) {
	i := &m.interval
	i.demandTime.add(m.demand, i.accounted.Sub(i.demanded))
	i.demanded = i.accounted
	m.demand += by
	c.demand += by
}

// mature moves the resends that are due to their campaigns.
func (m *Machine) mature() {
	from := m.waiting.release(m.interval.accounted, m.campaigns)
	m.oldest = min(m.oldest, from)
	for i := from; i < len(m.campaigns); i++ {
		m.follow(&m.campaigns[i])
	}
}
