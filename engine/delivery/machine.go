// Package delivery decides which recipient is tried, when and on which slot, and
// how each recipient ends: the role of one delivering server ("B server",
// [0032]-[0036], [0063]-[0071]). It is an engine.Trier. The shell answers
// every started attempt with Complete. The role accepts the messages Reserve,
// Verdict, React, Withdraw and Stop. If several servers are governed together, it sends Report;
// if a reply concerns all servers, it sends React.
package delivery

import (
	"fmt"

	"flyball/engine"
	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Machine is the delivery machine of one server.
//
//	slot:      free -> allocated (an attempt is always under way) -> free
//	recipient: untried -> in an attempt -> delivered | failed | held
//	                          ^    |
//	                          |    v
//	                      due <- waiting for a resend
type Machine struct {
	cfg       Config
	list      *mail.List
	gov       governor.Governor
	obs       engine.Observer
	available int // floor(C)

	slots       []slot
	free        []mail.Slot // stack: the last one freed is taken first
	allocated   int
	demand      int // sum over all campaigns
	campaigns   []campaign
	oldest      int // index of the first campaign that may have work now
	waiting     waiting
	firsts      []vt.Time    // when the first try of a waiting recipient began, by its place; only if MaxAge is set
	left        uint64       // recipients handed over and neither final nor withdrawn
	due         vt.Time      // when the last recipient that was to be resent is due; not saved
	concurrency *concurrency // nil if destinations have no limits
	pause       pause
	revival     vt.Time // when a closed destination or campaign for which a recipient waits opens; vt.Never: none
	ranked      bool    // campaigns differ in priority, some has a rate, or one was suspended

	limits retry.Limits

	opens     []opening // of mailings whose campaigns the machine before this one had; see Lessons
	reactions uint64    // by which something was slowed or suspended; not saved

	frees       bool         // processes beyond C may be preempted
	freeing     freeing      // functions of the policy, if frees
	allocations []allocation // by slot, if frees
	leaving     int          // number of preempted slots still allocated
	turns       uint64       // number of allocations so far
	chosen      []mail.Slot  // buffer of freeExcess

	seen     engine.Seen // reservations that arrived
	interval interval
	closed   closed // the last closed interval
	reported bool   // closed waits for the Verdict of the governing role
	stopping bool   // the next Wake ends the run
}

// campaign is one reservation with the rest of its part of the list.
type campaign struct {
	next, to  mail.Recipient // places of untried recipients that were in no subset yet
	back      []part         // untried recipients of returned subsets
	subset    mail.Recipient // length of a subset
	processes int            // wanted
	allocated int            // granted
	ready     int            // number of processes that could begin: subsets, returned parts and due resends
	// processes that the campaign would have if C were unlimited: allocated + ready, at most
	// processes
	demand      int
	due         chain   // resends that are due
	parked      []chain // by destination: recipients whose destination is at its limit; nil without limits
	parkedCount int     // number of parked recipients
	stage       retry.Stage
	priority    int
	withdrawn   bool           // none of its recipients is resent
	every       vt.Span        // time between two attempts by its rate; 0 without one
	opens       vt.Time        // the next attempt may begin from here on
	mailing     uint32         // campaigns of one mailing open together; 0: the campaign is alone
	asked       mail.Recipient // 1 + the place whose recipient's destination is answer; 0: none
	answer      mail.Destination
}

// slot is one MTA process.
type slot struct {
	attempt  mail.Attempt
	first    vt.Time        // when the first try of its recipient began; only if MaxAge is set
	next, to mail.Recipient // the rest of its subset
	campaign uint32
	sent     int32 // number of messages offered over the connection
	busy     bool
	open     bool      // holds a connection to attempt.Dest; the shell keeps its own record
	reset    bool      // the last message on the connection was refused
	leaving  bool      // preempted
	four     mail.Four // destinations of its subset that are read already; not saved
}

// New returns a machine at time 0, when the first interval begins.
func New(cfg Config, list *mail.List, gov governor.Governor, obs engine.Observer) *Machine {
	cfg.Retry = cfg.Retry.Spelled()
	m := &Machine{
		cfg: cfg, list: list, gov: gov, obs: obs,
		available:   cfg.published(gov.Available()),
		waiting:     newWaiting(cfg.longest()),
		concurrency: newConcurrency(&cfg),
		revival:     vt.Never,
		pause:       newPause(cfg.Pauses),
		freeing:     freeingOf(cfg.Freeing),
		frees:       !cfg.Freeing.Off(),
		interval:    interval{next: vt.Time(cfg.Interval), target: cfg.targetAt(0)},
	}
	m.limits = retry.NewLimits(&m.cfg.Retry)
	return m
}

// BeginAt makes the machine begin at the time now, in the middle of an interval: it takes the place of one that has
// stopped. It comes before any other input.
func (m *Machine) BeginAt(now vt.Time) {
	passed := now.Sub(0) / m.cfg.Interval
	m.interval = interval{number: int(passed), began: now, next: vt.Time((passed + 1) * m.cfg.Interval),
		target: m.cfg.targetAt(now), accounted: now, demanded: now}
}

// Retarget gives the interval under way the target of the machine's own Config. It is for a machine
// whose state was saved by a machine with another target.
func (m *Machine) Retarget() { m.interval.target = m.cfg.targetAt(m.interval.began) }

// Available returns the number of MTA processes that may be allocated now.
func (m *Machine) Available() int { return m.available }

// Allocated returns the number of MTA processes that are allocated now. It may
// exceed Available: a process is freed when its subset is done or, depending on
// Freeing, when its attempt is done ([0070]).
func (m *Machine) Allocated() int { return m.allocated }

// Reservable returns the number of processes that may be reserved now ([0068]).
func (m *Machine) Reservable() int { return max(0, m.available-m.allocated) }

// Left returns the number of recipients that were handed over and are neither final nor withdrawn.
func (m *Machine) Left() uint64 { return m.left }

// Reservation returns the number of the reservation that the attempt of a slot belongs to, from 0 on. An attempt that
// the observer is given is still on its slot.
func (m *Machine) Reservation(i mail.Slot) int { return int(m.slots[i].campaign) }

// LeftOf returns the number of recipients of a reservation who are neither final nor withdrawn.
func (m *Machine) LeftOf(reservation int) uint64 { return m.campaigns[reservation].stage.Left }

// Coming calls each for at most n untried recipients that slot i is going to try next, unless a resend, C or a limit
// comes between: the rest of its subset, and then the next one of its reservation.
func (m *Machine) Coming(i mail.Slot, n int, each func(mail.Recipient)) {
	s := &m.slots[i]
	c := &m.campaigns[s.campaign]
	for _, rest := range []part{{s.next, s.to}, {c.next, c.to}} {
		for place := rest.from; place < rest.to && n > 0; place++ {
			each(m.list.At(place))
			n--
		}
	}
}

// Done reports whether every recipient handed over is final.
func (m *Machine) Done() bool { return m.left == 0 }

// Due returns the earliest time of the next try of the recipient that the observer was last told to be Pending.
func (m *Machine) Due() vt.Time { return m.due }

// NextWake returns the next time at which Wake must be called: the end of the
// interval, the first due time of a resend, the opening of a closed destination or
// campaign, or the beginning or end of a pause. A machine that is done still ends its intervals.
func (m *Machine) NextWake() vt.Time {
	return min(m.interval.next, m.waiting.next, m.revival, m.pause.turn)
}

func (m *Machine) address() engine.Address {
	return engine.Address{Role: engine.Delivery, Server: m.cfg.Server}
}

// Receive processes a Reserve, Verdict, React, Withdraw or Stop.
func (m *Machine) Receive(now vt.Time, v engine.Message, out *engine.Outbox) {
	m.account(now)
	switch b := v.Body.(type) {
	case engine.Reserve:
		if m.seen.New(v) {
			m.take(now, b, out)
		}
	case engine.Verdict:
		m.adjust(v.Number, b, out)
	case engine.React:
		m.heed(now, b)
	case engine.Withdraw:
		m.withdraw()
	case engine.Stop:
		m.stopping, m.interval.next = true, now
	default:
		panic(fmt.Sprintf("delivery: server %d: got %v, want Reserve, Verdict, React, Withdraw or Stop", m.cfg.Server,
			v))
	}
}

// take begins a campaign for the reservation r.
func (m *Machine) take(now vt.Time, r engine.Reserve, out *engine.Outbox) {
	if r.From > r.To || r.Processes < 1 || r.Subset < 1 {
		panic(fmt.Sprintf("delivery: impossible reservation %+v", r))
	}
	c := campaign{next: r.From, to: r.To, subset: mail.Recipient(r.Subset), processes: r.Processes,
		priority: r.Priority, every: mail.Every(r.Rate), mailing: r.Mailing, opens: m.opensAt(r.Mailing),
		stage: retry.Stage{Left: uint64(r.To - r.From), Total: uint64(r.To - r.From)},
		ready: (int(r.To-r.From) + r.Subset - 1) / r.Subset}
	resends := engine.UnpackResends(r.Resends)
	c.stage.Left += uint64(len(resends))
	c.stage.Total = c.stage.Left
	m.limits.Adjust(&c.stage)
	if m.concurrency != nil {
		c.parked = make([]chain, len(m.concurrency.each))
	}
	m.follow(&c)
	m.ranked = m.ranked || r.Rate > 0 || len(m.campaigns) > 0 && r.Priority != m.campaigns[0].priority
	m.campaigns = append(m.campaigns, c)
	m.left += c.stage.Left
	m.again(now, resends)
	m.fill(out)
}

// Wake ends the interval, opens closed destinations and releases due resends. A
// machine that reports the interval starts no attempt in the same Wake, since C
// may fall; if the verdict on the interval before never arrived, it continues with
// the C that it has.
func (m *Machine) Wake(now vt.Time, load engine.Load, out *engine.Outbox) {
	m.account(now)
	waits := false
	if now >= m.interval.next {
		if m.stopping {
			m.stop(now, load, out)
			return
		}
		waits = m.cfg.Together && !m.reported
		if m.reported {
			m.hold()
		}
		m.endInterval(now, load)
		if m.cfg.Together {
			m.reported = true
			m.report(out)
		} else {
			m.decide(m.closed.Sample.Attempts, m.closed.Sample.Delivered)
		}
	}
	m.mature()
	if now >= m.revival {
		m.revive(now)
	}
	if !waits {
		m.fill(out)
	}
}

// adjust applies the verdict on the closed interval; any other verdict is late or
// repeated and is dropped.
func (m *Machine) adjust(number uint64, v engine.Verdict, out *engine.Outbox) {
	if !m.reported || number != uint64(m.closed.number) {
		return
	}
	m.reported = false
	if s, ok := m.gov.(*share); ok {
		s.next = v.Available
	}
	if !m.cfg.Retry.OfCluster() {
		v.Attempts, v.Delivered = m.closed.Sample.Attempts, m.closed.Sample.Delivered
	}
	m.decide(v.Attempts, v.Delivered)
	m.fill(out)
}

// Complete processes the end of an attempt. A completion of an older generation
// of the slot is stale and dropped.
func (m *Machine) Complete(now vt.Time, c *mail.Completion, out *engine.Outbox) {
	s := &m.slots[c.Slot]
	if !s.busy || s.attempt.Gen != c.Gen {
		return
	}
	m.account(now)
	s.busy = false
	s.open = c.Reply.Open()
	status, fate := m.settle(now, c.Slot, &c.Reply)
	s.reset = status != mail.Done
	if tried := status != mail.Unreached; tried {
		m.interval.attempts++
		m.interval.conditions.Count(&s.attempt, c)
		m.limits.Count(&s.attempt, &c.Reply, fate)
	}
	if status == mail.Done {
		m.interval.delivered++
	}
	if status != mail.Pending || m.campaigns[s.campaign].withdrawn {
		m.left--
		m.campaigns[s.campaign].stage.Left--
	}
	if m.concurrency != nil {
		m.leave(now, s.attempt.Dest, &c.Reply, status)
	}
	if c.Reply.Row != 0 {
		m.react(now, c.Slot, &c.Reply, out)
	}
	m.obs.Ended(now, &s.attempt, &c.Reply, status)
	if m.frees {
		if status == mail.Done {
			m.allocations[c.Slot].delivered++
		}
		if m.freeing.ended != nil {
			m.freeing.ended(m, c.Slot)
		}
	}
	m.proceed(c.Slot, out)
	m.fill(out)
}

// settle returns the recipient's status after the reply r, with what becomes of the recipient
// but for the limits, and queues a resend if the recipient is pending.
func (m *Machine) settle(now vt.Time, i mail.Slot, r *mail.Reply) (mail.Status, mail.Class) {
	if r.Class() == mail.Delivered {
		return mail.Done, mail.Delivered
	}
	if r.Fault == mail.NotAllowed {
		return mail.Unreached, mail.Deferral
	}
	s := &m.slots[i]
	fate, next := mail.Deferral, s.attempt.Try
	if r.OfSender() && r.Row == 0 {
		m.rest(now, i, r)
	} else {
		fate = m.fate(s.attempt.Dest, r)
		switch {
		case fate == mail.Ambiguous:
			return mail.Held, fate
		case fate == mail.Bounce, int(next) >= m.limits.For(&s.attempt, r, &m.campaigns[s.campaign].stage,
			m.allocated, m.available):
			return mail.Failed, fate
		}
		next++
	}
	due := now.Add(m.wait(i, r))
	m.due = due
	maxAge := m.cfg.Retry.MaxAge
	if maxAge > 0 && due.Sub(s.first) > maxAge {
		return mail.Failed, fate
	}
	if !m.campaigns[s.campaign].withdrawn {
		m.queue(due, resend{rcpt: s.attempt.Rcpt, try: next, campaign: s.campaign}, s.first)
	}
	return mail.Pending, fate
}

// queue makes the recipient r, whose first try began at first, wait for a resend until due.
func (m *Machine) queue(due vt.Time, r resend, first vt.Time) {
	m.date(m.waiting.add(due, r), first)
}

// date records when the first try of the recipient in a place began, vt.Never for one without a try.
func (m *Machine) date(place uint32, first vt.Time) {
	if m.cfg.Retry.MaxAge > 0 {
		for len(m.firsts) <= int(place) {
			m.firsts = append(m.firsts, 0)
		}
		m.firsts[place] = first
	}
}

// proceed gives slot i its next recipient: a due resend, the next of its subset,
// or the first of a new subset if C allows. Otherwise, in a pause, and if it gives way,
// it frees the slot. A preempted slot has only the rest of its subset.
func (m *Machine) proceed(i mail.Slot, out *engine.Outbox) {
	if m.pause.on || m.ranked && m.givesWay(i) {
		m.giveBack(i)
		m.release(i, out)
		return
	}
	if m.concurrency != nil {
		m.seek(i, out)
		return
	}
	s := &m.slots[i]
	c := &m.campaigns[s.campaign]
	within := m.allocated-m.leaving <= m.available && !s.leaving
	switch {
	case !c.due.empty() && (s.next < s.to || within) && !s.leaving:
		if m.cfg.Retry.MaxAge > 0 {
			s.first = m.firsts[c.due.first]
		}
		r := m.waiting.take(&c.due)
		c.ready--
		m.follow(c)
		m.start(i, r.rcpt, m.list.Destination(r.rcpt), r.try, out)
	case s.next < s.to || within && m.takeSubset(i):
		s.first = m.interval.accounted
		s.next++
		rcpt, dest := m.list.InOrder(s.next-1, &s.four)
		m.start(i, rcpt, dest, 0, out)
	default:
		m.release(i, out)
	}
}

// reuses reports whether an attempt of the slot s to d goes over its open connection.
func (m *Machine) reuses(s *slot, d mail.Destination) bool {
	return s.open && s.attempt.Dest == d && int(s.sent) < m.cfg.messagesTo(d)
}

// start begins an attempt on slot i, over the slot's open connection if that leads
// to the destination and has not carried the most messages.
func (m *Machine) start(i mail.Slot, rcpt mail.Recipient, dest mail.Destination, try mail.Try, out *engine.Outbox) {
	s := &m.slots[i]
	conn := mail.Fresh
	if m.reuses(s, dest) {
		conn = mail.Reused
		if s.reset {
			conn = mail.Reset
		}
	} else {
		s.sent = 0
	}
	s.sent++
	s.busy = true
	if m.concurrency != nil {
		m.enter(dest, conn)
	}
	if m.ranked {
		c := &m.campaigns[s.campaign]
		m.postpone(c, m.interval.accounted.Add(c.every))
	}
	// Field by field: a copy of the whole struct would stall on the preceding stores.
	a := &s.attempt
	a.Gen++
	a.Rcpt, a.Dest, a.Try, a.Conn = rcpt, dest, try, conn
	out.Start = append(out.Start, mail.Attempt{})
	started := &out.Start[len(out.Start)-1]
	started.Server, started.Slot, started.Gen = m.cfg.Server, i, a.Gen
	started.Rcpt, started.Dest, started.Try, started.Conn = rcpt, dest, try, conn
}

// fill allocates slots to campaigns until C is reached or no campaign wants more.
func (m *Machine) fill(out *engine.Outbox) {
	if m.pause.on {
		return
	}
	for m.oldest < len(m.campaigns) && !m.campaigns[m.oldest].hasWork() {
		m.oldest++
	}
	for m.allocated < m.available {
		c := m.foremost()
		if c < 0 {
			return
		}
		m.proceed(m.reserve(c), out)
	}
}

// foremost returns the campaign that gets the next process: of those that want one, the
// oldest of the highest priority; -1 if none wants one.
func (m *Machine) foremost() int {
	foremost := -1
	for i := m.oldest; i < len(m.campaigns); i++ {
		c := &m.campaigns[i]
		if (foremost < 0 || c.priority > m.campaigns[foremost].priority) && m.wants(c) {
			if foremost = i; !m.ranked {
				break
			}
		}
	}
	return foremost
}

// givesWay reports whether slot i is to be freed before its next attempt: the rate of
// its campaign lets none begin, or a campaign of higher priority wants a process.
func (m *Machine) givesWay(i mail.Slot) bool {
	c := &m.campaigns[m.slots[i].campaign]
	if c.opens > m.interval.accounted {
		return true
	}
	foremost := m.foremost()
	return foremost >= 0 && m.campaigns[foremost].priority > c.priority
}

// postpone lets no attempt of the mailing of campaign c begin before a time.
func (m *Machine) postpone(c *campaign, until vt.Time) {
	m.reactions++
	c.opens = max(c.opens, until)
	if c.mailing == 0 || until <= m.interval.accounted {
		return
	}
	for i := range m.campaigns {
		if o := &m.campaigns[i]; o.mailing == c.mailing {
			o.opens = max(o.opens, until)
		}
	}
}

// opensAt returns from when on attempts of a mailing may begin.
func (m *Machine) opensAt(mailing uint32) (opens vt.Time) {
	for _, o := range m.opens {
		if o.mailing == mailing {
			opens = max(opens, o.at)
		}
	}
	for i := range m.campaigns {
		if o := &m.campaigns[i]; mailing > 0 && o.mailing == mailing {
			opens = max(opens, o.opens)
		}
	}
	return opens
}

// mayBegin reports whether the rate of the campaign c lets an attempt begin now. If it
// does not, the machine will be woken when it does.
func (m *Machine) mayBegin(c *campaign) bool {
	if c.opens > m.interval.accounted {
		m.revival = min(m.revival, c.opens)
		return false
	}
	return true
}

// hasWork reports whether a recipient waits for a process now.
func (c *campaign) hasWork() bool {
	return c.next < c.to || !c.due.empty() || len(c.back) > 0 || c.parkedCount > 0
}

// wants reports whether the campaign c has work for one more process.
func (m *Machine) wants(c *campaign) bool {
	return c.allocated < c.processes && c.hasWork() && m.mayBegin(c) && (m.concurrency == nil || m.mayTry(c))
}

// reserve allocates a free slot to campaign c and returns the slot.
func (m *Machine) reserve(c int) mail.Slot {
	if len(m.free) == 0 {
		m.free = append(m.free, mail.Slot(len(m.slots)))
		m.slots = append(m.slots, slot{attempt: mail.Attempt{Server: m.cfg.Server, Slot: m.free[0]}})
		m.limits.AddSlot()
		if m.frees {
			m.allocations = append(m.allocations, allocation{})
		}
	}
	i := m.free[len(m.free)-1]
	m.free = m.free[:len(m.free)-1]
	m.slots[i].campaign = uint32(c)
	if m.frees {
		m.turns++
		m.allocations[i] = allocation{began: m.interval.accounted, turn: m.turns}
	}
	m.campaigns[c].allocated++
	m.allocated++
	m.follow(&m.campaigns[c])
	return i
}

// release frees the slot i and closes its connection.
func (m *Machine) release(i mail.Slot, out *engine.Outbox) {
	s := &m.slots[i]
	if s.leaving {
		s.leaving = false
		m.leaving--
	}
	m.campaigns[s.campaign].allocated--
	m.allocated--
	m.follow(&m.campaigns[s.campaign])
	m.free = append(m.free, i)
	if s.open {
		s.open = false
		out.Close = append(out.Close, i)
	}
}
