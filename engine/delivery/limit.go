package delivery

import (
	"math"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// scope is what each retry limit applies to.
type scope uint8

const (
	ofServer   scope = iota
	ofSlot           // each MTA process
	ofCampaign       // each campaign, by its stage
	ofPolicy         // the policy keeps its own limits
)

// moves holds the machine's view of the retry policy.
type moves struct {
	policy     *Policy
	scope      scope
	fixed      bool
	continuous bool // adjusts at every failure that the limit decides, not at the ends of intervals
	together   bool // depends on the attempts of all servers of a cluster
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

// ownOf returns the limits of a policy that keeps its own limits, else nil.
func ownOf(r *Retry) ownLimits {
	if p := policyNamed(r.Policy); p.own != nil {
		return p.own(r)
	}
	return nil
}

// retryLimit is one retry limit that moves.
type retryLimit struct {
	limit  int  // the limit in force
	stood  int  // ends of intervals since the limit moved
	calm   int  // consecutive intervals that did not need the low limit
	strain bool // the low limit was needed in this interval

	attempts, delivered uint64 // counts of this interval, if the MTA process has its own limit
}

// newRetryLimit returns a limit that begins at the high limit and may move at once.
func newRetryLimit(r *Retry) retryLimit { return retryLimit{limit: r.Limit, stood: r.Dwell} }

// load holds the measurements that a policy uses. The delivery failure rate dfr is
// known if there were enough attempts. At the end of an interval moveLimits fills all
// of them, but of single MTA processes dfr alone; at a failure limitFor fills allocated.
type load struct {
	allocated   float64 // processes / first limit of [0073]
	utilization float64
	dfr         float64
	dfrKnown    bool
}

// look adjusts the limit to the load now by the policy p.
func (l *retryLimit) look(p *Policy, r *Retry, now load) {
	to, strained := p.follow(r, l.limit, now)
	l.strain = l.strain || strained
	l.move(r, to)
}

func (l *retryLimit) move(r *Retry, to int) {
	if to != l.limit && l.stood >= r.Dwell {
		l.limit, l.stood = to, 0
	}
}

// endInterval counts the interval and may restore the high limit. Without that, a
// limit that was lowered while every process was busy would never rise again: with
// all of C allocated, the load does not fall below 80 % of it. So the limit rises
// after RestoreAfter calm intervals. The rate cannot be a criterion: where C is rounded
// down, the rate stays just below the target for ever.
func (l *retryLimit) endInterval(r *Retry) {
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

// between returns the limit of a policy with two thresholds, and whether x needs
// the low limit.
func (r *Retry) between(limit int, x, below, above float64) (to int, strained bool) {
	switch {
	case x > above:
		return r.Low, true
	case x < below:
		return r.Limit, false
	}
	return limit, false
}

// along returns the limit of a policy that falls linearly from Limit at below to
// Low at above, in whole resends. It moves only by one or more: with half a step
// the limit would flicker.
func (r *Retry) along(limit int, x, below, above float64) int {
	t := (min(max(x, below), above) - below) / (above - below)
	f := float64(r.Limit) - float64(float64(r.Limit-r.Low)*t)
	if math.Abs(f-float64(limit)) < 1 {
		return limit
	}
	return int(math.Floor(f + 0.5))
}

// stageLimit returns the limit of a campaign by its share of remaining recipients.
func (m *Machine) stageLimit(c *campaign) int {
	return m.moves.policy.stage(&m.cfg.Retry, float64(c.left)/float64(c.total))
}

// limitFor returns the limit in force for the failure r on slot i. A policy that
// adjusts continuously adjusts the limit first.
func (m *Machine) limitFor(i mail.Slot, r *mail.Reply) int {
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

// pressure returns allocated processes / first limit of [0073], which is the
// published C or the configured number.
func (m *Machine) pressure() float64 {
	first := m.available
	if m.cfg.Retry.Processes > 0 {
		first = m.cfg.Retry.Processes
	}
	return float64(m.allocated) / float64(first)
}

// countFor counts an attempt for the process that made it, or for the policy's
// own limits, if these have separate counts.
func (m *Machine) countFor(i mail.Slot, r *mail.Reply, s mail.Status) {
	switch m.moves.scope {
	case ofSlot:
		m.slotLimits[i].attempts++
		if s == mail.Done {
			m.slotLimits[i].delivered++
		}
	case ofPolicy:
		a := &m.slots[i].attempt
		m.own.count(a, r, m.fate(a.Dest, r))
	}
}

// moveLimits adjusts the limits at the end of an interval, after C has changed.
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

func (m *Machine) moveLimit(l *retryLimit, now load) {
	l.stood++
	if !m.moves.continuous {
		l.look(m.moves.policy, &m.cfg.Retry, now)
	}
	l.endInterval(&m.cfg.Retry)
}

// failureRate returns l with the delivery failure rate of an interval: attempts /
// delivered, +Inf without a delivery.
func (r *Retry) failureRate(attempts, delivered uint64, l load) load {
	l.dfr = float64(attempts) / float64(delivered)
	l.dfrKnown = attempts >= uint64(max(r.MinAttempts, 1))
	return l
}

// limitInForce returns the limit for the trace: the present limit, or the lowest
// of several. Campaigns whose recipients are all final do not count.
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
