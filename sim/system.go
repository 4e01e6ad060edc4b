package sim

import (
	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/engine/remote"
	"flyball/engine/sender"
	"flyball/governor"
	"flyball/internal/agenda"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// system is the sender's own servers of a run with a sending server: their disks, the messages between them, and
// what happens to them. The delivering servers are driven as in any run; what they write and send comes here.
type system struct {
	scenario *scenarios.Scenario
	key      rng.Key
	nodes    []*node // the sending server, the delivering servers, and returns and requests
	sender   *sender.Server
	returns  *node // takes returned mail; nil: none does
	requests *node // takes requests; nil: none does
	agenda   agenda.Agenda[happening]
	now      vt.Time
	events   uint64

	// keeps means that a server can stop or be out of reach, so that facts are kept and final dots ask at the gate.
	// Without it delivering servers count their recipients, and follow none.
	keeps   bool
	apart   bool // delivering servers run by themselves just now
	work    []engine.Submitted
	accepts []uint8 // by recipient, if keeps: messages that a receiver accepted
	asked   []bool  // by person, if recipients ask
	final   []bool  // by recipient, if keeps: an attempt ended it, or it is suppressed

	account runlog.Control
}

// node is one of the sender's own servers: a role, and the disk with its facts.
type node struct {
	number int
	name   string
	role   engine.Durable
	out    *engine.Outbox
	server *server       // it delivers; else nil
	inbox  *inbox.Config // it takes returned mail or requests; else nil
	up     bool
	until  vt.Time // it pauses until then
	cut    vt.Time // no message comes or goes until then
	boot   uint64  // counts starts of the operating system
	life   uint64  // counts starts of the process

	facts   []engine.Fact
	durable int     // number of facts that are
	safe    vt.Time // when all facts are
	waits   int     // outboxes that wait for the disk

	late []letter // messages of a delivering server that runs by itself
}

// happening is something that is to happen to a node.
type happening struct {
	what    func(n *node, h *happening)
	node    *node
	life    uint64 // of the node; the happening is of its process. 0: of the node itself
	message engine.Message
	rest    engine.Outbox // what is done when facts are durable
	upTo    int           // number of facts that are durable then
	fault   int           // number of a fault
}

const (
	purposeDelay rng.Purpose = iota + 300 // of messages
	purposeFault
	purposeReturn
	purposeAsk
)

// newSystem returns the system of a world whose delivering servers have no roles yet.
func newSystem(s *scenarios.Scenario, key rng.Key, recipients int) *system {
	y := &system{scenario: s, key: key, keeps: s.Guarded(),
		work: s.Submissions(recipients)}
	if y.keeps {
		y.accepts, y.final = make([]uint8, recipients), make([]bool, recipients)
	}
	y.add(&node{name: scenarios.SenderName, out: &engine.Outbox{}})
	for _, c := range s.Campaigns {
		y.account.Mailings = append(y.account.Mailings, runlog.Mailing{Name: c.Name, Planned: vt.Never,
			Reported: vt.Never})
	}
	return y
}

// add makes a node one of the system, and begins it.
func (y *system) add(n *node) *node {
	n.number, n.up = len(y.nodes), true
	y.nodes = append(y.nodes, n)
	y.begin(n)
	return n
}

// chance returns a number from 0 to below 1 that (entity, try, purpose) names.
func (y *system) chance(entity uint64, try uint32, p rng.Purpose) float64 {
	return share(y.key.At(entity, try, p)[0])
}

// share returns a word of a draw as a number from 0 to below 1.
func share(word uint32) float64 { return float64(word) / (1 << 32) }

// begin gives a node a role without facts.
func (y *system) begin(n *node) {
	n.life++
	n.waits = 0
	switch {
	case n.server != nil:
		n.server.renew()
		n.role = n.server.remote
	case n.inbox != nil:
		n.role = inbox.New(*n.inbox)
	default:
		y.sender = sender.New(y.scenario.SendingServer())
		n.role = y.sender
	}
}

// start makes everything ready but the sending and delivering servers: mailings, what comes from outside, and faults.
func (y *system) start(recipients int) {
	returns, requests := y.scenario.Inboxes(recipients)
	if returns != nil {
		y.returns = y.add(&node{name: scenarios.ReturnsName, inbox: returns, out: &engine.Outbox{}})
	}
	if requests != nil {
		y.requests = y.add(&node{name: scenarios.RequestsName, inbox: requests, out: &engine.Outbox{}})
	}
	if y.scenario.AskForLess() {
		y.asked = make([]bool, recipients)
	}
	for i, m := range y.work {
		for _, n := range y.nodes {
			if n.server != nil {
				due := m.Deadline
				if due == 0 {
					due = vt.Never
				}
				n.server.rec.Begins(m.First, i, m.Due, due)
			}
		}
	}
	y.submit()
	for i, f := range y.scenario.Faults {
		at := vt.Time(f.At).Add(vt.Span(float64(f.Within) * y.chance(uint64(i), 0, purposeFault)))
		for _, n := range y.nodes {
			if n.name == f.Server {
				y.agenda.Add(at, happening{what: y.strike, node: n, fault: i})
			}
		}
	}
}

// submit hands all mailings to the sending server, which drops those that it has.
func (y *system) submit() {
	for _, m := range y.work {
		if m.Recipients == 0 { // of a list that is shorter than the scenario's
			continue
		}
		y.sender.Submit(y.now, m, y.nodes[0].out)
		y.perform(y.nodes[0], y.now)
	}
}

// next returns the time of the next event that is not a delivering server's own.
func (y *system) next() vt.Time {
	next := y.agenda.Next()
	for _, n := range y.nodes {
		if n.server == nil {
			next = min(next, n.next(vt.Never))
		}
	}
	return next
}

// next returns when a node is to be called next. The machine and the attempts of a delivering server have their next
// event at the time at.
func (n *node) next(at vt.Time) vt.Time {
	if !n.up {
		return vt.Never
	}
	return max(n.until, min(at, n.role.NextWake()))
}

// comesBefore reports whether the next event of the system comes before the event of a delivering server at the time
// at, which is the end of the time to be run if there is no server. Of simultaneous events the ends of attempts come
// first.
func (y *system) comesBefore(s *server, at vt.Time) bool {
	next := y.next()
	return next < at || next == at && s != nil && s.ends.PeekTime() > at
}

// handle lets the next event happen.
func (y *system) handle(now vt.Time) {
	y.now = now
	y.events++
	if y.agenda.Next() <= now {
		_, h := y.agenda.Pop()
		switch n := h.node; {
		case h.life == 0:
		case !n.up || n.life != h.life:
			return
		case now < n.until:
			y.agenda.Add(n.until, h)
			return
		}
		h.what(h.node, &h)
		return
	}
	for _, n := range y.nodes {
		if n.server == nil && n.next(vt.Never) <= now {
			n.role.Wake(now, nil, n.out)
			y.perform(n, now)
			return
		}
	}
}

// attach makes a server one of the system.
func (y *system) attach(s *server, name string, list *mail.List, gov governor.Governor, obs engine.Observer) {
	if y.keeps {
		obs = once{s.rec, y}
	}
	d := &y.scenario.Dispatch
	cfg := remote.Default(y.scenario.Engine(s.number))
	cfg.Lease, cfg.Window, cfg.Hold, cfg.Resend, cfg.Stall = d.Lease, d.Window, 3*d.Check, true, y.scenario.Stall()
	cfg.Counts = !y.keeps
	s.system = y
	s.build = func() *remote.Server { return remote.New(cfg, list, gov, obs) }
	s.node = y.add(&node{name: name, server: s, out: &s.out})
}
