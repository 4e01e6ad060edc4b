package delivery

import (
	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// How many attempts may be under way to each destination ([0063]). A process
// passes over a recipient whose destination has no room: it is parked with its
// campaign, behind those of the same destination, and is taken by the next
// process of the campaign that may try it. A process that finds nobody it may
// try is freed, and allocated again when there is room. So a full destination
// keeps no process and stands in nobody's way, until as many recipients are
// parked as may be: then the list waits at the next one that would have to be.

// room is one destination.
type room struct {
	limiter governor.Limiter
	busy    int     // attempts under way
	revives vt.Time // if it is dead; vt.Never if not
	parked  int     // recipients of all campaigns

	// of the interval
	accounted           vt.Time // busyTime is summed up to here
	busyTime            slotTime
	limits              uint64 // see DestinationInterval
	attempts, delivered uint64
	refusals, timeouts  uint64
	took                vt.Span
}

type rooms struct {
	cfg    governor.Destination
	each   []room
	parked int
}

// newRooms is nil if destinations have no limits.
func newRooms(cfg governor.Destination, destinations int) *rooms {
	if !cfg.Limits() {
		return nil
	}
	r := &rooms{cfg: cfg}
	for range destinations {
		r.each = append(r.each, room{limiter: cfg.Limiter(), revives: vt.Never})
	}
	return r
}

func (r *rooms) open(d mail.Destination) bool { return r.each[d].busy < r.each[d].limiter.Limit() }

// mayPark reports whether one more recipient may be passed over.
func (r *rooms) mayPark() bool { return r.parked < r.cfg.Parked }

func (v *room) account(now vt.Time) {
	v.busyTime.add(v.busy, now.Sub(v.accounted))
	v.accounted = now
}

// enter counts an attempt that begins.
func (m *Machine) enter(d mail.Destination) {
	v := &m.rooms.each[d]
	v.account(m.interval.accounted)
	v.busy++
}

// leave counts an attempt that has ended, and tells the limit of it.
func (m *Machine) leave(now vt.Time, d mail.Destination, r mail.Reply, s mail.Status) {
	v := &m.rooms.each[d]
	v.account(now)
	lost := r.Fault != mail.NoFault
	refused := r.Code == 421
	if lost || refused || r.Stage < mail.StageMAIL {
		v.limiter.Failure(v.busy)
	} else {
		v.limiter.Success(v.busy)
	}
	v.busy--
	v.limits += uint64(v.limiter.Limit())
	v.attempts++
	v.took += r.Took
	if s == mail.Done {
		v.delivered++
	}
	if refused {
		v.refusals++
	}
	if lost {
		v.timeouts++
	}
	switch dead := v.limiter.Limit() == 0; {
	case dead && v.revives == vt.Never:
		v.revives = now.Add(m.rooms.cfg.Revive)
		m.revival = min(m.revival, v.revives)
	case !dead && v.revives != vt.Never: // an attempt from before its death has revived it
		v.revives = vt.Never
		m.revival = m.rooms.nextRevival()
	}
}

// revive gives dead destinations whose time has come another chance.
func (m *Machine) revive(now vt.Time) {
	for d := range m.rooms.each {
		if v := &m.rooms.each[d]; v.revives <= now {
			v.revives = vt.Never
			v.limiter.Revive()
		}
	}
	m.revival = m.rooms.nextRevival()
}

func (r *rooms) nextRevival() vt.Time {
	next := vt.Never
	for d := range r.each {
		next = min(next, r.each[d].revives)
	}
	return next
}

// mayTry reports whether a free process would find somebody of a campaign whose
// destination has room, or could pass over somebody to look on.
func (m *Machine) mayTry(c *campaign) bool {
	if _, ok := m.opening(c, 0); ok || !c.due.empty() {
		return true
	}
	next, ok := c.ahead()
	return ok && (m.rooms.mayPark() || m.rooms.open(m.list.Destination(next)))
}

// opening is the first destination with room for which the campaign has parked
// recipients, from one on in a circle.
func (m *Machine) opening(c *campaign, from mail.Destination) (mail.Destination, bool) {
	if c.passed == 0 {
		return 0, false
	}
	d := int(from)
	for range c.parked {
		if !c.parked[d].empty() && m.rooms.open(mail.Destination(d)) {
			return mail.Destination(d), true
		}
		if d++; d == len(c.parked) {
			d = 0
		}
	}
	return 0, false
}

// ahead is the recipient with which the next subset begins.
func (c *campaign) ahead() (mail.Recipient, bool) {
	if len(c.back) > 0 {
		return c.back[0].from, true
	}
	return c.next, c.next < c.to
}

// seek is proceed where destinations have limits. Parked recipients go first,
// those of the destination that the slot tried last before others, as it may
// still have a connection there. Who takes one keeps no subset, or a slow
// destination would keep the others' recipients in it waiting.
func (m *Machine) seek(i mail.Slot, out *engine.Outbox) {
	s := &m.slots[i]
	c := &m.campaigns[s.campaign]
	within := m.allocated-m.leaving <= m.available && !s.leaving
	if (s.next < s.to || within) && !s.leaving {
		if d, ok := m.opening(c, s.attempt.Dest); ok {
			m.giveBack(i) // it may be long before the slot comes back to it
			c.passed--
			m.rooms.each[d].parked--
			m.rooms.parked--
			m.resend(i, &c.parked[d], out)
			return
		}
		for !c.due.empty() {
			d := m.list.Destination(m.waiting.resends[c.due.first].rcpt)
			c.ready--
			m.follow(c)
			if m.rooms.open(d) {
				m.resend(i, &c.due, out)
				return
			}
			m.park(s.campaign, d, m.waiting.unlink(&c.due))
		}
	}
	for {
		if s.next == s.to {
			next, ok := c.ahead()
			if !ok || !within || !m.rooms.mayPark() && !m.rooms.open(m.list.Destination(next)) {
				break
			}
			m.takeSubset(i)
		}
		d := m.list.Destination(s.next)
		if m.rooms.open(d) {
			s.first = m.interval.accounted
			s.next++
			m.start(i, s.next-1, 0, out)
			return
		}
		if !m.rooms.mayPark() {
			m.giveBack(i)
			break
		}
		m.park(s.campaign, d, m.waiting.hold(resend{rcpt: s.next, campaign: s.campaign}))
		s.next++
	}
	m.release(i, out)
}

// resend begins the next try of the first recipient of a chain, or the first
// try of one that was passed over.
func (m *Machine) resend(i mail.Slot, from *chain, out *engine.Outbox) {
	if m.cfg.Retry.MaxAge > 0 {
		s := &m.slots[i]
		s.first = m.interval.accounted
		if m.waiting.resends[from.first].try > 0 {
			s.first = m.firsts[from.first]
		}
	}
	r := m.waiting.take(from)
	m.start(i, r.rcpt, r.try, out)
}

// giveBack returns the rest of a slot's subset to its campaign.
func (m *Machine) giveBack(i mail.Slot) {
	s := &m.slots[i]
	if s.next == s.to {
		return
	}
	c := &m.campaigns[s.campaign]
	c.back = append(c.back, part{from: s.next, to: s.to})
	c.ready++
	m.follow(c)
	s.next = s.to
	m.oldest = min(m.oldest, int(s.campaign))
}

// park lets a recipient wait for room.
func (m *Machine) park(campaign uint32, d mail.Destination, place uint32) {
	c := &m.campaigns[campaign]
	m.waiting.link(&c.parked[d], place)
	c.passed++
	m.rooms.each[d].parked++
	m.rooms.parked++
	m.oldest = min(m.oldest, int(campaign))
}

// measureDestinations closes the account of every destination for an interval.
func (m *Machine) measureDestinations(now vt.Time) []engine.DestinationInterval {
	if m.rooms == nil {
		return nil
	}
	all := make([]engine.DestinationInterval, len(m.rooms.each))
	for d := range all {
		v := &m.rooms.each[d]
		v.account(now)
		all[d] = engine.DestinationInterval{Limit: v.limiter.Limit(), Limits: v.limits,
			Busy:     v.busyTime.mean(now.Sub(m.interval.began)),
			Attempts: v.attempts, Delivered: v.delivered, Refusals: v.refusals, Timeouts: v.timeouts, Parked: v.parked}
		if v.attempts > 0 {
			all[d].AttemptTime = v.took / vt.Span(v.attempts)
		}
		v.busyTime, v.limits, v.attempts, v.delivered, v.refusals, v.timeouts, v.took = slotTime{}, 0, 0, 0, 0, 0, 0
	}
	return all
}

// decideDestinations tells the limits that go by intervals what one was like.
func (m *Machine) decideDestinations(span vt.Span, all []engine.DestinationInterval) {
	for d, i := range all {
		m.rooms.each[d].limiter.Interval(governor.Sample{Span: span, Delivered: i.Delivered, Attempts: i.Attempts,
			Allocated: i.Busy,
			Refusals:  i.Refusals, Timeouts: i.Timeouts, AttemptTime: max(i.AttemptTime, 1)}) // 0 would not be known
	}
}

func (r *rooms) state(c *snap.Codec) {
	for d := range r.each {
		v := &r.each[d]
		v.limiter.State(c)
		snap.Int(c, &v.busy)
		snap.Int(c, &v.revives)
		snap.Int(c, &v.parked)
		snap.Int(c, &v.accounted)
		v.busyTime.state(c)
		for _, n := range []*uint64{&v.limits, &v.attempts, &v.delivered, &v.refusals, &v.timeouts} {
			snap.Int(c, n)
		}
		snap.Int(c, &v.took)
	}
	snap.Int(c, &r.parked)
}
