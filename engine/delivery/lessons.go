package delivery

import (
	"slices"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// LessonsForm is the form of what Lessons saves. A change of what any law, limit or brake saves needs another number.
const LessonsForm = 1

// opening is when attempts of a mailing may begin again.
type opening struct {
	mailing uint32
	at      vt.Time
}

// Lessons saves what the machine has learned from intervals and replies, or restores it in a machine that takes the
// place of one that has stopped, after BeginAt: the state of the law, the limits of resends and of destinations, what
// is slowed or suspended, and which interval is under way. Attempts, recipients and the counts of that interval are not
// among it.
func (m *Machine) Lessons(c *snap.Codec) {
	m.gov.(governor.Keeper).State(c)
	m.limits.State(c)
	i := &m.interval
	c.Fields(&i.number, &i.began, &i.next, &i.target, &m.ranked)
	opens := slices.Clone(m.opens)
	for _, v := range m.campaigns {
		if v.mailing > 0 && v.opens > i.accounted {
			opens = append(opens, opening{v.mailing, v.opens})
		}
	}
	snap.Slice(c, &opens, func(c *snap.Codec, o *opening) { c.Fields(&o.mailing, &o.at) })
	limited := m.concurrency != nil
	if c.Fields(&limited); limited && m.concurrency == nil { // by a reply, see limit
		m.concurrency = newEndpoints(&m.cfg)
	}
	if limited {
		m.concurrency.lessons(c)
	}
	if c.Reading() {
		if i.next == vt.Never { // the server ended when an interval had no decision yet
			m.beginAnew(i.accounted)
		}
		m.opens, m.available = opens, m.cfg.published(m.gov.Available())
		if limited && m.concurrency.cfg.Limits() {
			m.revival = m.concurrency.nextRevival()
		}
	}
}

// Lapse begins the interval under way anew at now, if a whole interval has passed since its end: what was measured in
// it is too old to decide by. It comes between Lessons and Recount.
func (m *Machine) Lapse(now vt.Time) {
	if now.Sub(m.interval.next) >= m.cfg.Interval {
		m.beginAnew(now)
	}
}

// beginAnew begins the interval under way anew at now. It keeps its number.
func (m *Machine) beginAnew(now vt.Time) {
	number := m.interval.number
	m.BeginAt(now)
	m.interval.number = number
}

func (r *concurrency) lessons(c *snap.Codec) {
	c.Fields(&r.brakes)
	r.account.State(c)
	for d := range r.each {
		v := &r.each[d]
		v.offers.State(c)
		v.dials.State(c)
		v.brake.State(c)
		for i := range v.tallies {
			v.tallies[i].State(c)
		}
		if v.limiter != nil {
			v.limiter.State(c)
			c.Fields(&v.revives, &v.accounted)
		}
	}
}

// Reactions returns how often a reply has slowed or suspended something.
func (m *Machine) Reactions() uint64 { return m.reactions }

// Recount counts an attempt that ended before the machine took the place of another one, in the interval that is under
// way by its Lessons. Its process was allocated as long as the attempt took: what else the processes did is not known.
func (m *Machine) Recount(at vt.Time, a *mail.Attempt, c *mail.Completion, s mail.Status) {
	i := &m.interval
	if at < i.began || s == mail.Unreached {
		return
	}
	i.attempts++
	i.conditions.Count(a, c)
	if s == mail.Done {
		i.delivered++
	}
	busy := min(c.Reply.Took, at.Sub(i.began))
	i.slotTime.add(1, busy)
	i.demandTime.add(1, busy)
	if m.concurrency != nil && m.concurrency.cfg.Limits() {
		v := &m.concurrency.each[a.Dest]
		v.busyTime.add(1, busy)
		v.count(&c.Reply, s)
	}
}
