package delivery

import (
	"math"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// scope is who has a limit.
type scope uint8

const (
	ofServer   scope = iota
	ofSlot           // of each MTA process
	ofCampaign       // of each campaign, by its stage
	ofPolicy         // as the policy keeps them
)

// moves is the policy in the terms of the machine.
type moves struct {
	policy     *Policy
	scope      scope
	fixed      bool
	continuous bool // looks at every failure that the limit decides, not at the ends of intervals
	together   bool // by the attempts of all servers of a cluster
}

func movesOf(r *Retry) moves {
	p := policyNamed(r.Policy)
	m := moves{policy: p, fixed: p.follow == nil && p.stage == nil && p.own == nil}
	switch {
	case p.own != nil:
		m.scope = ofPolicy
	case p.stage != nil:
		m.scope = ofCampaign
	case p.uses("scope") && r.Scope == "mta":
		m.scope = ofSlot
	}
	m.together = r.OfCluster()
	m.continuous = p.uses("when") && r.When == "continuous"
	return m
}

// ownOf returns the limits of a policy that keeps them by itself, else nil.
func ownOf(r *Retry) ownLimits {
	if p := policyNamed(r.Policy); p.own != nil {
		return p.own(r)
	}
	return nil
}

// limiter is one retry limit that moves.
type limiter struct {
	limit  int  // in force
	stood  int  // ends of intervals since it moved
	calm   int  // intervals in a row that did not ask for the low limit
	strain bool // in this interval the low limit was asked for

	attempts, delivered uint64 // of this interval, of an MTA process that has a limit of its own
}

// newLimiter begins at the high limit and may move at once.
func newLimiter(r *Retry) limiter { return limiter{limit: r.Limit, stood: r.Dwell} }

// load is what a policy looks at. The delivery failure rate is known if there
// were enough attempts.
type load struct {
	allocated   float64 // processes over the first limit of [0073]
	utilization float64
	dfr         float64
	dfrKnown    bool
}

// look lets the limit follow the load, as the policy p does.
func (l *limiter) look(p *Policy, r *Retry, now load) {
	to, strained := p.follow(r, l.limit, now)
	l.strain = l.strain || strained
	l.move(r, to)
}

func (l *limiter) move(r *Retry, to int) {
	if to != l.limit && l.stood >= r.Dwell {
		l.limit, l.stood = to, 0
	}
}

// endInterval counts the interval. A limit that was lowered while every
// process was busy would never rise again: with all of C allocated, the load
// does not fall below 80 % of it. So after calm intervals enough it rises
// without that. The rate is not asked: where C is rounded down, it ends just
// below the target for ever.
func (l *limiter) endInterval(r *Retry) {
	l.calm++
	if l.strain {
		l.calm = 0
	}
	l.strain = false
	l.attempts, l.delivered = 0, 0
	if r.RestoreAfter > 0 && l.limit < r.Limit && l.calm >= r.RestoreAfter {
		l.move(r, r.Limit)
	}
}

// between is a policy of two values.
func (r *Retry) between(limit int, x, below, above float64) (to int, strained bool) {
	switch {
	case x > above:
		return r.Low, true
	case x < below:
		return r.Limit, false
	}
	return limit, false
}

// along is a policy that falls in a straight line from Limit at below to Low at
// above, in whole resends. It moves by steps of one at least: half a step would
// let it flicker.
func (r *Retry) along(limit int, x, below, above float64) int {
	t := (min(max(x, below), above) - below) / (above - below)
	f := float64(r.Limit) - float64(float64(r.Limit-r.Low)*t)
	if math.Abs(f-float64(limit)) < 1 {
		return limit
	}
	return int(math.Floor(f + 0.5))
}

// stageLimit returns the limit of a campaign by what remains of it.
func (m *Machine) stageLimit(c *campaign) int {
	return m.moves.policy.stage(&m.cfg.Retry, float64(c.left)/float64(c.total))
}

// limitFor is the limit in force for a failure on a slot; a policy that looks
// continuously looks now.
func (m *Machine) limitFor(i mail.Slot, r mail.Reply) int {
	if m.moves.fixed {
		return m.cfg.Retry.Limit
	}
	switch m.moves.scope {
	case ofSlot:
		return m.slotLimits[i].limit
	case ofCampaign:
		c := &m.campaigns[m.slots[i].campaign]
		if m.moves.continuous {
			c.limit = m.stageLimit(c)
		}
		return c.limit
	case ofPolicy:
		return m.own.limit(&m.slots[i].attempt, r)
	}
	if m.moves.continuous {
		m.limit.look(m.moves.policy, &m.cfg.Retry, load{allocated: m.pressure()})
	}
	return m.limit.limit
}

// pressure is the number of allocated processes over the first limit of
// [0073]: C as it is published, or another number.
func (m *Machine) pressure() float64 {
	first := m.available
	if m.cfg.Retry.Processes > 0 {
		first = m.cfg.Retry.Processes
	}
	return float64(m.allocated) / float64(first)
}

// countFor adds an attempt to the account of the process that made it, or of
// its destination, where each goes by its own.
func (m *Machine) countFor(i mail.Slot, r mail.Reply, s mail.Status) {
	switch m.moves.scope {
	case ofSlot:
		m.slotLimits[i].attempts++
		if s == mail.Done {
			m.slotLimits[i].delivered++
		}
	case ofPolicy:
		m.own.count(&m.slots[i].attempt, r)
	}
}

// moveLimits takes the end of an interval, when C is the new one already.
func (m *Machine) moveLimits(span vt.Span, attempts, delivered uint64, utilization float64) {
	r := &m.cfg.Retry
	switch {
	case m.moves.fixed:
	case m.moves.scope == ofCampaign:
		for i := range m.campaigns {
			c := &m.campaigns[i]
			c.limit = m.stageLimit(c)
		}
	case m.moves.scope == ofPolicy:
		m.own.interval(span)
	case m.moves.scope == ofSlot:
		for i := range m.slotLimits {
			l := &m.slotLimits[i]
			m.moveLimit(l, r.failureRate(l.attempts, l.delivered, load{}))
		}
	default:
		m.moveLimit(&m.limit, r.failureRate(attempts, delivered,
			load{allocated: m.pressure(), utilization: utilization}))
	}
}

func (m *Machine) moveLimit(l *limiter, now load) {
	l.stood++
	if !m.moves.continuous {
		l.look(m.moves.policy, &m.cfg.Retry, now)
	}
	l.endInterval(&m.cfg.Retry)
}

// failureRate adds the delivery failure rate of an interval to a load. Without
// a success it is infinite.
func (r *Retry) failureRate(attempts, delivered uint64, l load) load {
	l.dfr = float64(attempts) / float64(delivered)
	l.dfrKnown = attempts >= uint64(max(r.MinAttempts, 1))
	return l
}

// limitInForce is what the trace shows: the limit at this moment, of several the
// lowest. Campaigns whose recipients are all final have none.
func (m *Machine) limitInForce() int {
	limit := m.cfg.Retry.Limit
	switch m.moves.scope {
	case ofSlot:
		for i := range m.slotLimits {
			limit = min(limit, m.slotLimits[i].limit)
		}
	case ofCampaign:
		for i := range m.campaigns {
			c := &m.campaigns[i]
			switch {
			case c.left == 0:
			case m.moves.continuous:
				limit = min(limit, m.stageLimit(c))
			default:
				limit = min(limit, c.limit)
			}
		}
	case ofPolicy:
		limit = min(limit, m.own.lowest())
	default:
		limit = m.limit.limit
	}
	return limit
}
