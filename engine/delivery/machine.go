// Package delivery decides who is tried, when, on which slot, and how each
// recipient ends: the delivery machine of one server ("B server", [0032]-[0036],
// [0063]-[0071]).
//
// It is a state machine without clock, I/O, goroutine, randomness or global:
// what it wants done it returns as Actions, what happened it is told. Time is
// an argument and must never fall. Both shells drive it in the same way:
//
//	Receive  another role says something     handle
//	Complete an attempt has ended            handle
//	Wake     a time it asked for has come    handle
//	NextWake when it wants to be woken       poll
//	Done     nothing is left to do           poll
//
// Simultaneous inputs come in that order of Complete, Receive, Wake. Not safe
// for concurrent use; never blocks.
package delivery

import (
	"fmt"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Op is what the machine wants done.
type Op uint8

const (
	OpStart  Op = iota // begin the attempt; answer with Complete
	OpHangUp           // close the connection that the slot holds; no answer
	OpReport           // the interval has ended: take Report to the Cluster, answer with Adjust at the same time
)

// Action is something that the shell must do, in the order returned.
type Action struct {
	Attempt mail.Attempt // of OpHangUp only Server and Slot are set, of OpReport only Server
	Op      Op
}

// Config is what one machine needs to know.
type Config struct {
	Server   mail.Server
	Retry    Retry
	Freeing  Freeing
	Messages int                   // per connection
	Offers   []int                 // the same for a destination that takes another number; 0 or beyond the end: Messages
	Interval vt.Span               // S, between decisions of the governor
	Target   func(vt.Time) float64 // messages per hour to attain in an interval that begins then; nil: what the governor was built with
	Together bool                  // intervals end by Adjust, for all servers of a Cluster at once

	Destination  governor.Destination // the law of each
	Destinations int                  // their number; of no account where there is no such law
}

func (c *Config) messagesTo(d mail.Destination) int {
	if int(d) < len(c.Offers) && c.Offers[d] > 0 {
		return c.Offers[d]
	}
	return c.Messages
}

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

	slots     []slot
	free      []mail.Slot // stack: the last one freed is taken first
	allocated int
	demand    int // of all campaigns
	campaigns []campaign
	oldest    int // no campaign before this one has work for a process now
	waiting   waiting
	firsts    []vt.Time // when the first try of a waiting recipient began, by its place; only where an age ends it
	left      uint64    // recipients handed over and not final
	rooms     *rooms    // where destinations have limits
	revival   vt.Time   // when the next dead destination is tried again; vt.Never if none is

	moves      moves
	limit      limiter
	slotLimits []limiter // where each process has its own
	tallies    []tallies // where each destination has its own

	frees   bool        // processes beyond C
	tenures []tenure    // of slots, where frees
	leaving int         // allocated slots that were told to go
	turns   uint64      // allocations so far
	chosen  []mail.Slot // memory of freeExcess

	interval interval
	closed   Report // of the last interval
	reported bool   // to the cluster, which has not answered
}

// campaign is one reservation and what is left of its part of the list.
type campaign struct {
	next, to  mail.Recipient // untried and in no subset
	back      []part         // untried too: rests of subsets that were cut
	subset    mail.Recipient // length of a subset
	processes int            // wanted
	allocated int            // granted
	ready     int            // what a further process could begin with: subsets, what came back, resends that are due
	demand    int            // processes that it would have if C had no limit: has, and has work for, up to those that it wants
	due       chain          // resends whose time has come
	parked    []chain        // recipients passed over, by destination; only where destinations have limits
	passed    int            // their number
	left      uint64         // recipients not final
	total     uint64         // recipients handed over
	limit     int            // retry limit, where each campaign has its own
	priority  int
}

// slot is one MTA process.
type slot struct {
	attempt  mail.Attempt
	first    vt.Time        // when the first try of its recipient began; only where an age ends it
	next, to mail.Recipient // the rest of its subset
	campaign uint32
	sent     int32 // messages offered over the connection
	busy     bool
	open     bool // it holds a connection to attempt.Dest; the world keeps count of it for itself
	reset    bool // the last message on the connection was refused
	leaving  bool // it was told to go
}

// New builds a machine. The governor's interval is counted from time 0.
func New(cfg Config, list *mail.List, gov governor.Governor, obs engine.Observer) *Machine {
	cfg.Retry = cfg.Retry.Spelled()
	return &Machine{
		cfg: cfg, list: list, gov: gov, obs: obs,
		available: governor.Published(gov.Available()),
		waiting:   newWaiting(cfg.Retry.longest()),
		rooms:     newRooms(cfg.Destination, cfg.Destinations),
		revival:   vt.Never,
		moves:     movesOf(&cfg.Retry),
		limit:     newLimiter(&cfg.Retry),
		frees:     cfg.Freeing.Policy == "at-interval" || cfg.Freeing.Policy == "continuous",
		interval:  interval{next: vt.Time(cfg.Interval), target: cfg.targetAt(0)},
	}
}

func (c *Config) targetAt(now vt.Time) float64 {
	if c.Target == nil {
		return 0
	}
	return c.Target(now)
}

// Available is the number of MTA processes that may be allocated now.
func (m *Machine) Available() int { return m.available }

// Allocated is the number of MTA processes that are allocated now. It may
// exceed Available: nothing is freed before its subset is done, or with
// another Freeing before its attempt is ([0070]).
func (m *Machine) Allocated() int { return m.allocated }

// Reservable is what a sender could reserve now ([0068]).
func (m *Machine) Reservable() int { return max(0, m.available-m.allocated) }

// Left is the number of recipients that were handed over and are not final.
func (m *Machine) Left() uint64 { return m.left }

// Done reports that every recipient handed over is final.
func (m *Machine) Done() bool { return m.left == 0 }

// NextWake is the next time at which Wake must be called: the end of the
// interval, the first resend that is due, or the revival of a dead destination.
// A machine that is done still ends its intervals.
func (m *Machine) NextWake() vt.Time { return min(m.interval.next, m.waiting.next, m.revival) }

// Receive takes a part of a list and reserves MTA processes for it, as many
// as are reservable now and the rest as they become so.
func (m *Machine) Receive(now vt.Time, r engine.Reserve, out []Action) []Action {
	if r.From > r.To || r.Processes < 1 || r.Subset < 1 {
		panic(fmt.Sprintf("delivery: impossible reservation %+v", r))
	}
	m.account(now)
	c := campaign{next: r.From, to: r.To, subset: mail.Recipient(r.Subset), processes: r.Processes, priority: r.Priority,
		left: uint64(r.To - r.From), total: uint64(r.To - r.From), ready: (int(r.To-r.From) + r.Subset - 1) / r.Subset}
	if m.moves.scope == ofCampaign {
		c.limit = m.cfg.Retry.stage(c.left, c.total)
	}
	if m.rooms != nil {
		c.parked = make([]chain, len(m.rooms.each))
	}
	m.follow(&c)
	m.campaigns = append(m.campaigns, c)
	m.left += c.left
	return m.fill(out)
}

// Wake ends the interval, revives dead destinations and releases the resends
// whose time has come.
func (m *Machine) Wake(now vt.Time, out []Action) []Action {
	m.account(now)
	ended := now >= m.interval.next
	if ended {
		m.endInterval(now)
		if !m.cfg.Together {
			m.decide(now, m.closed.Sample.Attempts, m.closed.Sample.Delivered)
		}
	}
	m.ripen()
	if ended && m.cfg.Together {
		m.reported = true
		return append(out, Action{Op: OpReport, Attempt: mail.Attempt{Server: m.cfg.Server}})
	}
	if now >= m.revival {
		m.revive(now)
	}
	return m.fill(out)
}

// Adjust takes what the cluster made of the report, at the time of the report.
func (m *Machine) Adjust(now vt.Time, v Verdict, out []Action) []Action {
	if !m.reported || now != m.interval.began {
		panic(fmt.Sprintf("delivery: server %d is adjusted at %s without a report of that time", m.cfg.Server, now))
	}
	m.reported = false
	if p, ok := m.gov.(*portion); ok {
		p.next = v.Available
	}
	if !m.moves.together {
		v.Attempts, v.Delivered = m.closed.Sample.Attempts, m.closed.Sample.Delivered
	}
	m.decide(now, v.Attempts, v.Delivered)
	return m.fill(out)
}

// Report is what was measured in the interval that ended last.
func (m *Machine) Report() Report { return m.closed }

// Reported says that the machine waits for Adjust. It takes no other input
// then.
func (m *Machine) Reported() bool { return m.reported }

// IntervalEnds is when the interval under way ends, if it is woken in time.
func (m *Machine) IntervalEnds() vt.Time { return m.interval.next }

// Mean is the time-average of allocated MTA processes in the interval under
// way; 0 if it has just begun.
func (m *Machine) Mean(now vt.Time) float64 {
	t := m.interval.slotTime
	t.add(m.allocated, now.Sub(m.interval.accounted))
	if now == m.interval.began {
		return 0
	}
	return t.mean(now.Sub(m.interval.began))
}

// Loaded tells the machine the load of its server in the interval under way,
// before the input that ends it; see governor.Sample.
func (m *Machine) Loaded(load float64) { m.interval.load = load }

// Complete takes the end of an attempt. A completion of an older generation
// of the slot is stale and dropped.
func (m *Machine) Complete(now vt.Time, c mail.Completion, out []Action) []Action {
	s := &m.slots[c.Slot]
	if !s.busy || s.attempt.Gen != c.Gen {
		return out
	}
	m.account(now)
	s.busy = false
	s.open = c.Reply.Open()
	s.reset = c.Reply.Class() != mail.Delivered
	status := m.settle(now, c.Slot, c.Reply)
	m.interval.attempts++
	m.interval.conditions.count(&s.attempt, c)
	if status == mail.Done {
		m.interval.delivered++
	}
	if status != mail.Pending {
		m.left--
		m.campaigns[s.campaign].left--
	}
	m.countFor(c.Slot, c.Reply, status)
	if m.rooms != nil {
		m.leave(now, s.attempt.Dest, c.Reply, status)
	}
	m.obs.Ended(now, s.attempt, c.Reply, status)
	if m.frees {
		if status == mail.Done {
			m.tenures[c.Slot].delivered++
		}
		m.freeEnded(c.Slot)
	}
	return m.fill(m.proceed(c.Slot, out))
}

// settle decides what the reply means for the recipient.
func (m *Machine) settle(now vt.Time, i mail.Slot, r mail.Reply) mail.Status {
	s := &m.slots[i]
	retry := &m.cfg.Retry
	class := r.Class()
	switch {
	case class == mail.Delivered:
		return mail.Done
	case class == mail.Ambiguous && retry.Ambiguous == "hold":
		return mail.Held
	case class == mail.Bounce && retry.Bounce == "fail":
		return mail.Failed
	case int(s.attempt.Try) >= m.limitFor(i, r):
		return mail.Failed
	}
	greylisted := r.Stage == mail.StageRCPT && (r.Code == 450 || r.Code == 451)
	due := now.Add(retry.delay(int(s.attempt.Try), greylisted))
	if retry.MaxAge > 0 && due.Sub(s.first) > retry.MaxAge {
		return mail.Failed
	}
	seen := s.attempt.Seen
	if seen == vt.Never && r.Stage >= mail.StageRCPT {
		seen = now
	}
	place := m.waiting.add(due, resend{rcpt: s.attempt.Rcpt, try: s.attempt.Try + 1, campaign: s.campaign, seen: seen})
	if retry.MaxAge > 0 {
		for len(m.firsts) <= int(place) {
			m.firsts = append(m.firsts, 0)
		}
		m.firsts[place] = s.first
	}
	return mail.Pending
}

// proceed gives a slot its next recipient: a resend that is due, the next of
// its subset, or a new subset if the slot may be reserved again; or frees it.
// A slot that was told to go has only the rest of its subset.
func (m *Machine) proceed(i mail.Slot, out []Action) []Action {
	if m.rooms != nil {
		return m.seek(i, out)
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
		return m.start(i, r.rcpt, r.try, r.seen, out)
	case s.next < s.to || within && m.takeSubset(i):
		s.first = m.interval.accounted
		s.next++
		return m.start(i, s.next-1, 0, vt.Never, out)
	}
	return m.release(i, out)
}

// start begins an attempt on a slot, over the connection it holds if that
// leads to the right place and has not carried too much.
func (m *Machine) start(i mail.Slot, rcpt mail.Recipient, try mail.Try, seen vt.Time, out []Action) []Action {
	s := &m.slots[i]
	dest := m.list.Destination(rcpt)
	conn := mail.Fresh
	if s.open && s.attempt.Dest == dest && int(s.sent) < m.cfg.messagesTo(dest) {
		conn = mail.Reused
		if s.reset {
			conn = mail.Reset
		}
	} else {
		s.sent = 0
	}
	s.sent++
	s.busy = true
	if m.rooms != nil {
		m.enter(dest)
	}
	// Field by field: a copy of the whole would wait for its parts to be written.
	a := &s.attempt
	a.Gen++
	a.Rcpt, a.Dest, a.Try, a.Seen, a.Conn = rcpt, dest, try, seen, conn
	out = append(out, Action{Op: OpStart})
	started := &out[len(out)-1].Attempt
	started.Server, started.Slot, started.Gen = m.cfg.Server, i, a.Gen
	started.Rcpt, started.Dest, started.Try, started.Seen, started.Conn = rcpt, dest, try, seen, conn
	return out
}

// fill allocates slots to campaigns, the oldest first, until C is reached or
// nobody wants more.
func (m *Machine) fill(out []Action) []Action {
	for m.oldest < len(m.campaigns) && !m.campaigns[m.oldest].hasWork() {
		m.oldest++
	}
	for c := m.oldest; c < len(m.campaigns) && m.allocated < m.available; c++ {
		for m.allocated < m.available && m.wants(&m.campaigns[c]) {
			out = m.proceed(m.reserve(c), out)
			if m.rooms != nil { // who is no longer parked may have made way for somebody of an older campaign
				c = m.oldest - 1
				break
			}
		}
	}
	return out
}

// hasWork reports whether a recipient waits for a process right now.
func (c *campaign) hasWork() bool {
	return c.next < c.to || !c.due.empty() || len(c.back) > 0 || c.passed > 0
}

// wants reports whether a campaign has work for one more process.
func (m *Machine) wants(c *campaign) bool {
	return c.allocated < c.processes && c.hasWork() && (m.rooms == nil || m.mayTry(c))
}

// reserve allocates a free slot to a campaign.
func (m *Machine) reserve(c int) mail.Slot {
	if len(m.free) == 0 {
		m.free = append(m.free, mail.Slot(len(m.slots)))
		m.slots = append(m.slots, slot{attempt: mail.Attempt{Server: m.cfg.Server, Slot: m.free[0]}})
		if m.moves.scope == ofSlot {
			m.slotLimits = append(m.slotLimits, newLimiter(&m.cfg.Retry))
		}
		if m.frees {
			m.tenures = append(m.tenures, tenure{})
		}
	}
	i := m.free[len(m.free)-1]
	m.free = m.free[:len(m.free)-1]
	m.slots[i].campaign = uint32(c)
	if m.frees {
		m.turns++
		m.tenures[i] = tenure{began: m.interval.accounted, turn: m.turns}
	}
	m.campaigns[c].allocated++
	m.allocated++
	m.follow(&m.campaigns[c])
	return i
}

// release frees a slot whose subset is done.
func (m *Machine) release(i mail.Slot, out []Action) []Action {
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
		out = append(out, Action{Op: OpHangUp, Attempt: mail.Attempt{Server: m.cfg.Server, Slot: i}})
	}
	return out
}
