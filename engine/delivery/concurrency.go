package delivery

import (
	"math"
	"slices"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// This file limits the attempts to each destination ([0063]): how many may be under
// way, by a law or by the sender's own policy, and how often attempts and connections
// may begin, by that policy and by reactions to replies (reaction.go). So each destination
// is a gate. A closed gate opens when an attempt ends, or at a time for which the machine
// asks to be woken. A process parks a
// recipient whose destination has no room: the recipient waits in its campaign, behind
// others of the same destination, and the next process of the campaign that may try it
// takes it. A process that finds no recipient it may try is freed, and allocated again
// when there is room. So a full destination occupies no process and does not block
// others, until the greatest number of its recipients is parked: then the list waits.

// endpoint is the state of one destination.
type endpoint struct {
	limiter governor.Limiter // nil if no law limits destinations
	busy    int              // attempts under way
	most    int              // greatest busy by the sender's own policy
	offers  mail.Pace        // of messages
	dials   mail.Pace        // of connections
	brake   replies.Brake    // by reactions to replies
	tallies []replies.Tally  // of replies, by row of the table; nil if each reply is enough
	revives vt.Time          // when a dead destination is tried again; vt.Never if it is not dead
	parked  int              // number of parked recipients of all campaigns

	// counts of the interval
	accounted           vt.Time // busyTime is summed up to here
	busyTime            slotTime
	limits              uint64 // see DestinationInterval
	attempts, delivered uint64
	refusals, timeouts  uint64
	took                vt.Span
}

// concurrency holds the limits of all destinations.
type concurrency struct {
	cfg    governor.Destination
	each   []endpoint
	parked int

	brakes  bool          // some reply slows or suspends
	account replies.Brake // of all attempts of this server
	busy    int           // all attempts under way, if brakes
}

// newConcurrency returns the limits of all destinations, nil if cfg sets none.
func newConcurrency(cfg *Config) *concurrency {
	brakes := slices.ContainsFunc(cfg.Replies, replies.Table.Gates)
	if !cfg.Destination.Limits() && !slices.ContainsFunc(cfg.Send, mail.Send.Gates) && !brakes {
		return nil
	}
	r := newEndpoints(cfg)
	r.brakes = brakes
	return r
}

// newEndpoints returns the limits of all destinations without brakes.
func newEndpoints(cfg *Config) *concurrency {
	r := &concurrency{cfg: cfg.Destination}
	for d := range cfg.Destinations {
		v := endpoint{most: math.MaxInt, revives: vt.Never}
		if cfg.Destination.Limits() {
			v.limiter = cfg.Destination.Limiter()
		}
		if d < len(cfg.Send) {
			s := &cfg.Send[d]
			if s.Connections > 0 {
				v.most = s.Connections
			}
			v.offers, v.dials = mail.NewPace(s.Rate, s.Burst), mail.NewPace(s.ConnectionRate, s.Burst)
		}
		if d < len(cfg.Replies) && cfg.Replies[d].Counts() {
			v.tallies = make([]replies.Tally, len(cfg.Replies[d]))
		}
		r.each = append(r.each, v)
	}
	return r
}

// open reports whether an attempt to d may begin now on the slot s, or on a free slot
// if s is nil. If only time can open the destination, the machine will be woken then.
func (m *Machine) open(d mail.Destination, s *slot) bool {
	v := &m.concurrency.each[d]
	if v.busy >= v.most || v.limiter != nil && v.busy >= v.limiter.Limit() {
		return false
	}
	opens := v.offers.Opens()
	if m.concurrency.brakes {
		if v.busy >= v.brake.Room() || m.concurrency.busy >= m.concurrency.account.Room() {
			return false
		}
		opens = max(opens, v.brake.Opens(), m.concurrency.account.Opens())
	}
	if dials := v.dials.Opens(); dials > opens && (s == nil || !m.reuses(s, d)) {
		opens = dials
	}
	if opens > m.interval.accounted {
		m.revival = min(m.revival, opens)
		return false
	}
	return true
}

// mayPark reports whether one more recipient of the campaign c may be parked.
func (m *Machine) mayPark(c *campaign) bool { return c.parkedCount < m.concurrency.cfg.Parked }

func (v *endpoint) account(now vt.Time) {
	v.busyTime.add(v.busy, now.Sub(v.accounted))
	v.accounted = now
}

// enter counts the beginning of an attempt to d.
func (m *Machine) enter(d mail.Destination, conn mail.Conn) {
	v := &m.concurrency.each[d]
	now := m.interval.accounted
	if v.limiter != nil {
		v.account(now)
	}
	v.busy++
	v.offers.Pass(now)
	if m.concurrency.brakes {
		m.concurrency.busy++
		v.brake.Pass(now)
		m.concurrency.account.Pass(now)
	}
	if conn == mail.Fresh {
		v.dials.Pass(now)
	}
}

// leave counts the end of an attempt to d and adjusts the limit.
func (m *Machine) leave(now vt.Time, d mail.Destination, r *mail.Reply, s mail.Status) {
	v := &m.concurrency.each[d]
	if m.concurrency.brakes {
		m.concurrency.busy--
		if row := m.row(d, r); r.Fault == mail.NoFault && !r.Refused() && (row == nil || !row.Gates()) {
			began := now.Add(-r.Took)
			v.brake.Works(began)
			m.concurrency.account.Works(began)
		}
	}
	if v.limiter == nil {
		v.busy--
		return
	}
	v.account(now)
	if s == mail.Unreached { // which says nothing about the destination
		v.busy--
		return
	}
	if r.Fault != mail.NoFault || r.Code == 421 || r.Stage < mail.StageMAIL {
		v.limiter.Failure(v.busy)
	} else {
		v.limiter.Success(v.busy)
	}
	v.busy--
	v.count(r, s)
	switch dead := v.limiter.Limit() == 0; {
	case dead && v.revives == vt.Never:
		m.reactions++
		v.revives = now.Add(m.concurrency.cfg.Revive)
		m.revival = min(m.revival, v.revives)
	case !dead && v.revives != vt.Never: // an attempt that began before the destination died has revived it
		v.revives = vt.Never
		m.revival = m.concurrency.nextRevival()
	}
}

// count counts the end of an attempt in the interval.
func (v *endpoint) count(r *mail.Reply, s mail.Status) {
	v.limits += uint64(v.limiter.Limit())
	v.attempts++
	v.took += r.Took
	if s == mail.Done {
		v.delivered++
	}
	if r.Code == 421 {
		v.refusals++
	}
	if r.Fault != mail.NoFault {
		v.timeouts++
	}
}

// revive makes dead destinations usable again when their time has come. A rate opens a
// destination or a campaign by itself; the next search for a recipient finds it open.
func (m *Machine) revive(now vt.Time) {
	m.revival = vt.Never
	if m.concurrency == nil || !m.concurrency.cfg.Limits() {
		return
	}
	for d := range m.concurrency.each {
		if v := &m.concurrency.each[d]; v.revives <= now {
			v.revives = vt.Never
			v.limiter.Revive()
		}
	}
	m.revival = m.concurrency.nextRevival()
}

// nextRevival returns the time at which the next dead destination is tried again.
func (r *concurrency) nextRevival() vt.Time {
	next := vt.Never
	for d := range r.each {
		next = min(next, r.each[d].revives)
	}
	return next
}

// mayTry reports whether a free process would find a recipient of campaign c whose
// destination has room, or could park one and look further.
func (m *Machine) mayTry(c *campaign) bool {
	if _, ok := m.opening(c, 0, nil); ok || !c.due.empty() {
		return true
	}
	next, ok := c.ahead()
	return ok && (m.mayPark(c) || m.open(m.destination(c, next), nil))
}

// opening returns the first destination with room for the slot s (nil: a free one) for
// which campaign c has parked recipients, beginning at from and wrapping around.
func (m *Machine) opening(c *campaign, from mail.Destination, s *slot) (mail.Destination, bool) {
	if c.parkedCount == 0 {
		return 0, false
	}
	d := int(from)
	for range c.parked {
		if !c.parked[d].empty() && m.open(mail.Destination(d), s) {
			return mail.Destination(d), true
		}
		if d++; d == len(c.parked) {
			d = 0
		}
	}
	return 0, false
}

// destination returns the destination of the recipient at a place of campaign c. While a list
// waits, every search asks for the same recipient, and a draw is a tenth of the cost of
// an attempt.
func (m *Machine) destination(c *campaign, place mail.Recipient) mail.Destination {
	if c.asked != place+1 {
		c.asked, c.answer = place+1, m.list.Destination(m.list.At(place))
	}
	return c.answer
}

// ahead returns the place of the recipient with which the next subset begins; false if none.
func (c *campaign) ahead() (mail.Recipient, bool) {
	if len(c.back) > 0 {
		return c.back[0].from, true
	}
	return c.next, c.next < c.to
}

// seek replaces proceed if destinations have limits. Parked recipients go first,
// beginning with the destination that the slot tried last, to which it may still
// have a connection. A slot that takes a parked recipient gives its subset back:
// otherwise a slow destination would delay the subset's other recipients.
func (m *Machine) seek(i mail.Slot, out *engine.Outbox) {
	s := &m.slots[i]
	c := &m.campaigns[s.campaign]
	within := m.allocated-m.leaving <= m.available && !s.leaving
	if (s.next < s.to || within) && !s.leaving {
		if d, ok := m.opening(c, s.attempt.Dest, s); ok {
			m.giveBack(i) // it may take long until the slot continues its subset
			c.parkedCount--
			m.concurrency.each[d].parked--
			m.concurrency.parked--
			m.resend(i, &c.parked[d], d, out)
			return
		}
		for !c.due.empty() {
			d := m.list.Destination(m.waiting.resends[c.due.first].rcpt)
			c.ready--
			m.follow(c)
			if m.open(d, s) {
				m.resend(i, &c.due, d, out)
				return
			}
			m.park(s.campaign, d, m.waiting.unlink(&c.due))
		}
	}
	for {
		if s.next == s.to {
			next, ok := c.ahead()
			if !ok || !within || !m.mayPark(c) && !m.open(m.destination(c, next), s) {
				break
			}
			m.takeSubset(i)
		}
		d := m.destination(c, s.next)
		if m.open(d, s) {
			s.first = m.interval.accounted
			s.next++
			m.start(i, m.list.At(s.next-1), d, 0, out)
			return
		}
		if !m.mayPark(c) {
			m.giveBack(i)
			break
		}
		place := m.waiting.hold(resend{rcpt: m.list.At(s.next), campaign: s.campaign})
		m.date(place, vt.Never)
		m.park(s.campaign, d, place)
		s.next++
	}
	m.release(i, out)
}

// resend begins the next try of the first recipient of the chain from, at destination d,
// which may be the first try of a parked recipient.
func (m *Machine) resend(i mail.Slot, from *chain, d mail.Destination, out *engine.Outbox) {
	if m.cfg.Retry.MaxAge > 0 {
		m.slots[i].first = min(m.firsts[from.first], m.interval.accounted)
	}
	r := m.waiting.take(from)
	m.start(i, r.rcpt, d, r.try, out)
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

// park makes the recipient at place wait until destination d has room.
func (m *Machine) park(campaign uint32, d mail.Destination, place uint32) {
	c := &m.campaigns[campaign]
	m.waiting.link(&c.parked[d], place)
	c.parkedCount++
	m.concurrency.each[d].parked++
	m.concurrency.parked++
	m.oldest = min(m.oldest, int(campaign))
}

// measureDestinations returns the measurements of every destination in the
// interval and clears its counts.
func (m *Machine) measureDestinations(now vt.Time) []engine.DestinationInterval {
	if m.concurrency == nil || !m.concurrency.cfg.Limits() {
		return nil
	}
	all := make([]engine.DestinationInterval, len(m.concurrency.each))
	for d := range all {
		v := &m.concurrency.each[d]
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

// decideDestinations adjusts the limits that depend on intervals.
func (m *Machine) decideDestinations(span vt.Span, all []engine.DestinationInterval) {
	for d, i := range all {
		m.concurrency.each[d].limiter.Interval(governor.Sample{Span: span, Delivered: i.Delivered, Attempts: i.Attempts,
			Allocated: i.Busy,
			Refusals:  i.Refusals, Timeouts: i.Timeouts, AttemptTime: max(i.AttemptTime, 1)}) // 0 would mean unknown
	}
}

func (r *concurrency) state(c *snap.Codec) {
	for d := range r.each {
		v := &r.each[d]
		c.Fields(&v.busy, &v.parked)
		v.offers.State(c)
		v.dials.State(c)
		v.brake.State(c)
		for i := range v.tallies {
			v.tallies[i].State(c)
		}
		if v.limiter == nil {
			continue
		}
		v.limiter.State(c)
		c.Fields(&v.revives, &v.accounted)
		v.busyTime.state(c)
		c.Fields(&v.limits, &v.attempts, &v.delivered, &v.refusals, &v.timeouts, &v.took)
	}
	c.Fields(&r.parked, &r.brakes, &r.busy)
	r.account.State(c)
}
