package retry

import (
	"math"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Limits are the retry limits of one server, which its policy moves.
type Limits struct {
	cfg        *Config
	policy     *Policy
	scope      scope
	fixed      bool
	continuous bool // adjusts at every failure that the limit decides, not at the ends of intervals
	counts     bool // the limits have counts of their own

	server moving
	slots  []moving  // by slot, if each MTA process has its own limit
	own    ownLimits // nil unless the policy keeps its own limits
}

// scope is what each retry limit applies to.
type scope uint8

const (
	ofServer   scope = iota
	ofSlot           // each MTA process
	ofCampaign       // each campaign, by its stage
	ofPolicy         // the policy keeps its own limits
)

// Stage is how far a campaign is, with its retry limit if each campaign has its own.
type Stage struct {
	Left, Total uint64 // recipients that are not final, of those handed over
	limit       int
}

// NewLimits returns the limits at time 0 under a valid Config whose schedule is spelled out.
func NewLimits(r *Config) Limits {
	p := policyNamed(r.Policy)
	l := Limits{cfg: r, policy: p, fixed: p.follow == nil && p.stage == nil && p.own == nil,
		continuous: p.uses("when") && r.When == "continuous", server: newMoving(r)}
	switch {
	case p.own != nil:
		l.scope, l.own = ofPolicy, p.own(r)
	case p.stage != nil:
		l.scope = ofCampaign
	case p.uses("scope") && r.Scope == "mta":
		l.scope = ofSlot
	}
	l.counts = l.scope == ofSlot || l.scope == ofPolicy
	return l
}

// AddSlot gives one more MTA process its limit, if each has its own.
func (l *Limits) AddSlot() {
	if l.scope == ofSlot {
		l.slots = append(l.slots, newMoving(l.cfg))
	}
}

// Adjust sets the limit of a campaign by its stage, if each campaign has its own.
func (l *Limits) Adjust(of *Stage) {
	if l.scope == ofCampaign {
		of.limit = l.policy.stage(l.cfg, float64(of.Left)/float64(of.Total))
	}
}

// For returns the limit in force for the failure r of the attempt a, given the stage of its
// campaign and the numbers of processes that are allocated and available now. A policy that
// adjusts continuously adjusts the limit first.
func (l *Limits) For(a *mail.Attempt, r *mail.Reply, of *Stage, allocated, available int) int {
	if l.fixed {
		return l.cfg.Limit
	}
	switch l.scope {
	case ofSlot:
		return l.slots[a.Slot].limit
	case ofCampaign:
		if l.continuous {
			l.Adjust(of)
		}
		return of.limit
	case ofPolicy:
		return l.own.limit(a, r)
	}
	if l.continuous {
		l.server.look(l.policy, l.cfg, load{allocated: l.cfg.pressure(allocated, available)})
	}
	return l.server.limit
}

// Count counts an attempt that has ended with the reply r, for the process that made it or for
// the policy's own limits, if these have separate counts. fate is what becomes of the recipient.
func (l *Limits) Count(a *mail.Attempt, r *mail.Reply, fate mail.Class) {
	if l.counts {
		l.count(a, r, fate)
	}
}

func (l *Limits) count(a *mail.Attempt, r *mail.Reply, fate mail.Class) {
	if l.scope == ofPolicy {
		l.own.count(a, r, fate)
		return
	}
	of := &l.slots[a.Slot]
	of.attempts++
	if fate == mail.Delivered {
		of.delivered++
	}
}

// Interval is what the end of an interval shows a policy.
type Interval struct {
	Span                 vt.Span
	Attempts, Delivered  uint64  // of the server, or of all servers; see Config.OfCluster
	Utilization          float64 // time-average of allocated processes / C of the interval
	Allocated, Available int     // processes now, and C from now on
}

// Move adjusts the limits at the end of an interval; Adjust does so with limits of campaigns.
func (l *Limits) Move(i Interval) {
	switch {
	case l.fixed, l.scope == ofCampaign:
	case l.scope == ofPolicy:
		l.own.interval(i.Span)
	case l.scope == ofSlot:
		for k := range l.slots {
			of := &l.slots[k]
			l.move(of, l.cfg.failureRate(of.attempts, of.delivered, load{}))
		}
	default:
		l.move(&l.server, l.cfg.failureRate(i.Attempts, i.Delivered,
			load{allocated: l.cfg.pressure(i.Allocated, i.Available), utilization: i.Utilization}))
	}
}

func (l *Limits) move(of *moving, now load) {
	of.stood++
	if !l.continuous {
		of.look(l.policy, l.cfg, now)
	}
	of.endInterval(l.cfg)
}

// InForce returns the limit for the trace: the present limit, or the lowest of several. Limits
// of campaigns are lower still, see InForceAt.
func (l *Limits) InForce() int {
	limit := l.cfg.Limit
	switch l.scope {
	case ofSlot:
		for i := range l.slots {
			limit = min(limit, l.slots[i].limit)
		}
	case ofPolicy:
		limit = min(limit, l.own.lowest())
	case ofServer:
		limit = l.server.limit
	}
	return limit
}

// InForceAt returns the limit for the trace of a campaign at a stage: the high limit if campaigns
// have no limits of their own, or if all its recipients are final.
func (l *Limits) InForceAt(of Stage) int {
	if l.scope != ofCampaign || of.Left == 0 {
		return l.cfg.Limit
	}
	if l.continuous {
		l.Adjust(&of)
	}
	return of.limit
}

// State saves or restores the limits.
func (l *Limits) State(c *snap.Codec) {
	l.server.state(c)
	snap.Slice(c, &l.slots, func(c *snap.Codec, of *moving) { of.state(c) })
	if l.own != nil {
		l.own.state(c)
	}
}

// State saves or restores the stage.
func (of *Stage) State(c *snap.Codec) { c.Fields(&of.Left, &of.Total, &of.limit) }

// moving is one retry limit that moves.
type moving struct {
	limit  int  // the limit in force
	stood  int  // ends of intervals since the limit moved
	calm   int  // consecutive intervals that did not need the low limit
	strain bool // the low limit was needed in this interval

	attempts, delivered uint64 // counts of this interval, if the MTA process has its own limit
}

// newMoving returns a limit that begins at the high limit and may move at once.
func newMoving(r *Config) moving { return moving{limit: r.Limit, stood: r.Dwell} }

func (l *moving) state(c *snap.Codec) {
	c.Fields(&l.limit, &l.stood, &l.calm, &l.strain, &l.attempts, &l.delivered)
}

// load holds the measurements that a policy uses. The delivery failure rate dfr is
// known if there were enough attempts. At the end of an interval Limits.Move fills all
// of them, but of single MTA processes dfr alone; at a failure Limits.For fills allocated.
type load struct {
	allocated   float64 // processes / first limit of [0073]
	utilization float64
	dfr         float64
	dfrKnown    bool
}

// look adjusts the limit to the load now by the policy p.
func (l *moving) look(p *Policy, r *Config, now load) {
	to, strained := p.follow(r, l.limit, now)
	l.strain = l.strain || strained
	l.move(r, to)
}

func (l *moving) move(r *Config, to int) {
	if to != l.limit && l.stood >= r.Dwell {
		l.limit, l.stood = to, 0
	}
}

// endInterval counts the interval and may restore the high limit. Without that, a
// limit that was lowered while every process was busy would never rise again: with
// all of C allocated, the load does not fall below 80 % of it. So the limit rises
// after RestoreAfter calm intervals. The rate cannot be a criterion: where C is rounded
// down, the rate stays just below the target for ever.
func (l *moving) endInterval(r *Config) {
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

// pressure returns allocated processes / first limit of [0073], which is the
// published C or the configured number.
func (r *Config) pressure(allocated, available int) float64 {
	first := available
	if r.Processes > 0 {
		first = r.Processes
	}
	return float64(allocated) / float64(first)
}

// failureRate returns l with the delivery failure rate of an interval: attempts /
// delivered, +Inf without a delivery.
func (r *Config) failureRate(attempts, delivered uint64, l load) load {
	l.dfr = float64(attempts) / float64(delivered)
	l.dfrKnown = attempts >= uint64(max(r.MinAttempts, 1))
	return l
}

// between returns the limit of a policy with two thresholds, and whether x needs
// the low limit.
func (r *Config) between(limit int, x, below, above float64) (to int, strained bool) {
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
func (r *Config) along(limit int, x, below, above float64) int {
	t := (min(max(x, below), above) - below) / (above - below)
	f := float64(r.Limit) - float64(float64(r.Limit-r.Low)*t)
	if math.Abs(f-float64(limit)) < 1 {
		return limit
	}
	return int(math.Floor(f + 0.5))
}
