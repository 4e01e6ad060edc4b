package sim

import (
	"cmp"
	"fmt"
	"slices"

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

// letter is a message with the time at which it is sent.
type letter struct {
	at      vt.Time
	message engine.Message
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
		n.server.begin()
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

// gather posts what delivering servers have sent while they ran by themselves.
func (y *system) gather() {
	type of struct {
		letter
		from *node
	}
	var all []of
	for _, n := range y.nodes[1:] {
		for _, l := range n.late {
			all = append(all, of{l, n})
		}
		n.late = n.late[:0]
	}
	slices.SortStableFunc(all, func(a, b of) int { return cmp.Compare(a.at, b.at) })
	for _, l := range all {
		y.post(l.from, l.message, l.at)
	}
}

// perform does what the role of a node asks for: facts first.
func (y *system) perform(n *node, now vt.Time) {
	out := n.out
	if len(out.Write) == 0 && n.waits == 0 {
		y.act(n, now)
		return
	}
	for _, f := range out.Write {
		y.heed(n, f)
	}
	commit := y.scenario.Disk.Commit
	if y.keeps {
		n.facts = append(n.facts, out.Write...)
	}
	if commit == 0 {
		n.durable = len(n.facts)
		y.act(n, now)
		return
	}
	if len(out.Write) > 0 {
		n.safe = now.Add(commit)
	}
	rest := engine.Outbox{Close: out.Close, Start: out.Start, Dots: out.Dots, Send: out.Send}
	*out = engine.Outbox{}
	n.waits++
	y.agenda.Add(max(now, n.safe), happening{what: y.written, node: n, life: n.life, rest: rest, upTo: len(n.facts)})
}

// written makes facts durable and does what waited for them.
func (y *system) written(n *node, h *happening) {
	n.waits--
	n.durable = h.upTo
	n.out.Clear()
	*n.out = h.rest
	y.act(n, y.now)
}

// act does all that is in the outbox of a node but its facts.
func (y *system) act(n *node, now vt.Time) {
	if n.server != nil {
		n.server.act(now)
	}
	kept := n.out.Send[:0]
	for _, m := range n.out.Send {
		switch m.To.Role {
		case engine.Sender, engine.Remote, engine.Bounces, engine.Requests:
			if n.server != nil && y.apart {
				n.late = append(n.late, letter{now, m})
			} else {
				y.post(n, m, now)
			}
		case engine.Recipients:
			y.confirm(m.Body.(engine.Confirm), now)
		case engine.Operator:
			y.report(m.Body.(engine.Summary))
		default:
			kept = append(kept, m) // to other delivering machines, or to their governor
		}
	}
	n.out.Write, n.out.Send = n.out.Write[:0], kept
	n.out.Dots = n.out.Dots[:0]
}

// post lets a message travel. It may be lost or come twice: what a server sends to another one at a moment has one
// luck.
func (y *system) post(from *node, m engine.Message, now vt.Time) {
	to := y.nodes[0]
	switch m.To.Role {
	case engine.Remote:
		to = y.nodes[1+m.To.Server]
	case engine.Bounces:
		to = y.returns
	case engine.Requests:
		to = y.requests
	}
	y.account.Messages++
	luck := y.key.At(uint64(now), uint32(from.number)<<16|uint32(to.number), purposeDelay)
	bus := &y.scenario.Bus
	if now < from.cut || now < to.cut || share(luck[1]) < bus.Loss {
		return
	}
	after := func(times float64) vt.Time { return now.Add(vt.Span(float64(bus.Delay) * times)) }
	h := happening{what: y.receive, node: to, message: m}
	y.agenda.Add(after(1+share(luck[0])), h)
	if share(luck[2]) < bus.Repeat {
		y.agenda.Add(after(5+5*share(luck[3])), h)
	}
}

// receive passes a message to its receiver, if that is up.
func (y *system) receive(n *node, h *happening) {
	switch {
	case !n.up:
	case y.now < n.until:
		y.agenda.Add(n.until, *h)
	default:
		if n.server != nil {
			n.server.catchUp(y.now)
		}
		n.role.Receive(y.now, h.message, n.out)
		y.perform(n, y.now)
	}
}

// report takes the report on a mailing, as who asked for it, and acknowledges it.
func (y *system) report(s engine.Summary) {
	m := &y.account.Mailings[s.Job-1]
	if m.Reported == vt.Never {
		m.Reported = y.now
	}
	a := y.nodes[0]
	y.agenda.Add(y.now, happening{what: y.receive, node: a, message: engine.Message{Body: engine.Got{
		UpTo: uint64(s.Job)}}})
}

// heed counts what a fact means for the account of the run.
func (y *system) heed(n *node, f engine.Fact) {
	switch f := f.(type) {
	case engine.Planned:
		m := &y.account.Mailings[f.Subset.Job-1]
		m.Planned = min(m.Planned, y.now)
		m.Plans = max(m.Plans, int(f.Subset.Epoch))
		m.Subsets++
		if f.Instead != (engine.Subset{}) {
			m.Moved += count(f.Part)
			if f.Subset.Number == 0 {
				m.Lost++
			}
		}
	case engine.Took:
		n.server.rec.HandsOver(y.now, count(f.Part))
	case engine.Outcome:
		if f.Status == mail.Suppressed && !y.final[f.Rcpt] {
			y.final[f.Rcpt] = true
			if all := n.server.rec.Outcomes; all != nil {
				all[f.Rcpt].Status = mail.Suppressed
			}
			y.account.Suppressed++
			if all := y.nodes[1].server.rec.Outcomes; all != nil {
				all.Suppress(f.Rcpt)
			}
			y.account.Mailings[y.mailing(f.Rcpt)].Suppressed++
		}
		if f.Ambiguous {
			y.account.Ambiguous++
		}
	}
}

// count returns the number of recipients in parts of a list.
func count(parts string) (n uint64) {
	for _, p := range engine.UnpackParts(parts) {
		n += uint64(p.To - p.From)
	}
	return n
}

// strike lets a fault happen. Nothing more happens to a server that has stopped, but that it can be cut off.
func (y *system) strike(n *node, h *happening) {
	f := y.scenario.Faults[h.fault]
	if !n.up && f.Kind != scenarios.Cut {
		return
	}
	y.account.Faults = append(y.account.Faults, runlog.Fault{Server: f.Server, Kind: f.Kind, At: y.now, For: f.For})
	end := vt.Never
	if f.For > 0 {
		end = y.now.Add(f.For)
	}
	switch f.Kind {
	case scenarios.Cut:
		n.cut = max(n.cut, end)
	case scenarios.Pause:
		n.until = max(n.until, end)
	default:
		y.stop(n, f.Kind, h.fault)
		if end < vt.Never {
			y.agenda.Add(end, happening{what: y.restart, node: n})
		} else {
			y.account.Ambiguous += uint64(open(n.facts))
		}
	}
}

// open returns the number of attempts whose intents have no outcomes among facts.
func open(facts []engine.Fact) int {
	begun := map[mail.Recipient]bool{}
	for _, f := range facts {
		switch f := f.(type) {
		case engine.Intent:
			begun[f.Rcpt] = true
		case engine.Outcome:
			delete(begun, f.Rcpt)
		}
	}
	return len(begun)
}

// stop ends the process of a node. Its disk keeps what the kind of the fault leaves.
func (y *system) stop(n *node, kind string, fault int) {
	if n.server != nil {
		n.server.crash(y.now)
	}
	n.up, n.until = false, 0
	n.out.Clear()
	if kind != scenarios.Kill {
		n.boot++
		kept := n.durable
		if rest := len(n.facts) - kept; kind == scenarios.PowerAny {
			kept += int(y.chance(uint64(fault), 1, purposeFault) * float64(rest+1))
		}
		n.facts = n.facts[:kept]
	}
	n.durable = len(n.facts)
}

// restart begins the process of a node again, with what its disk kept.
func (y *system) restart(n *node, _ *happening) {
	n.up, n.until = true, y.now // a new role may ask to be woken at a time that has passed
	y.begin(n)
	n.role.Recover(y.now, n.boot, n.facts, n.out)
	y.perform(n, y.now)
	if n == y.nodes[0] {
		y.submit()
	}
}

// accepted counts a message that a receiver has accepted. It may come back, or make its recipient ask for no more.
func (y *system) accepted(r mail.Recipient, d mail.Destination, now vt.Time) {
	y.accepts[r]++
	if y.accepts[r] > 1 {
		y.account.Duplicates++
	}
	person := uint64(r)
	campaign := y.mailing(r)
	if y.scenario.Dispatch.SameList {
		person = uint64(scenarios.Person(y.work, r))
	}
	back := &y.scenario.Destinations[d].Returned
	if luck := y.key.At(person, 0, purposeReturn); share(luck[0]) < back.Share {
		y.account.Returned++
		y.arrives(y.returns, now, back.After, share(luck[2]), engine.Returned{
			Token: uint64(r), Rcpt: r, Hard: share(luck[1]) >= back.Soft})
	}
	if y.asked == nil {
		return
	}
	if y.asked[person] {
		y.account.Unwanted++
	}
	c := &y.scenario.Campaigns[campaign]
	if luck := y.key.At(person, uint32(campaign), purposeAsk); share(luck[0]) < c.Asks.Share && !y.asked[person] {
		y.account.Asked++
		at := y.arrives(y.requests, now, c.Asks.After, share(luck[1]), engine.Letter{Rcpt: r, Token: uint64(campaign),
			Text: c.Asks.Letter})
		y.agenda.Add(at, happening{what: func(*node, *happening) { y.asked[person] = true }})
	}
}

// confirm lets a recipient confirm a request, as quickly as it was made.
func (y *system) confirm(m engine.Confirm, now vt.Time) {
	campaign := y.mailing(m.Rcpt)
	luck := y.key.At(uint64(m.Rcpt), uint32(campaign), purposeAsk)
	y.arrives(y.requests, now, y.scenario.Campaigns[campaign].Asks.After, share(luck[2]), engine.Confirmed{Rcpt: m.Rcpt,
		Token: m.Token})
}

// mailing returns the number of the mailing of a recipient.
func (y *system) mailing(r mail.Recipient) int {
	return slices.IndexFunc(y.work, func(m engine.Submitted) bool { return r < m.First+m.Recipients })
}

// arrives lets something from outside come to a node, between least and twice as long after now, by luck from 0 to
// below 1. It returns when. Without a node nothing reads it.
func (y *system) arrives(n *node, now vt.Time, least vt.Span, luck float64, body engine.Body) vt.Time {
	at := now.Add(least + vt.Span(float64(least)*luck))
	if n != nil {
		y.agenda.Add(at, happening{what: y.comes, node: n, message: engine.Message{Body: body}})
	}
	return at
}

// again is the time after which a sender tries a server again that did not answer.
const again = vt.Minute

// comes gives a node what comes from outside, whose sender tries again until the node has it.
func (y *system) comes(n *node, h *happening) {
	if !n.up {
		y.agenda.Add(y.now.Add(again), *h)
		return
	}
	y.receive(n, h)
}

// once passes attempts to a recorder, and the end of each recipient once.
type once struct {
	*runlog.Recorder
	system *system
}

// Ended records the end of an attempt. A recipient who is final already stays as before.
func (o once) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, status mail.Status) {
	final := &o.system.final[a.Rcpt]
	if !*final {
		*final = status != mail.Pending
		o.Recorder.Ended(now, a, r, status)
		return
	}
	var before runlog.Outcome
	if o.Outcomes != nil {
		before = o.Outcomes[a.Rcpt]
	}
	o.Recorder.Ended(now, a, r, mail.Pending)
	if o.Outcomes != nil {
		o.Outcomes[a.Rcpt] = before
	}
}

// attach makes a server one of the system.
func (y *system) attach(s *server, name string, list *mail.List, gov governor.Governor, obs engine.Observer) {
	n := &node{number: len(y.nodes), name: name, server: s, out: &s.out, up: true}
	y.nodes = append(y.nodes, n)
	if y.keeps {
		obs = once{s.rec, y}
	}
	d := &y.scenario.Dispatch
	cfg := remote.Default(y.scenario.Engine(s.number))
	cfg.Lease, cfg.Window, cfg.Hold, cfg.Resend, cfg.Stall = d.Lease, d.Window, 3*d.Check, true, y.scenario.Stall()
	cfg.Counts = !y.keeps
	s.node, s.system = n, y
	s.build = func() *remote.Server { return remote.New(cfg, list, gov, obs) }
	y.begin(n)
}

// Where returns what the system does, for the report of a panic.
func (y *system) String() string {
	return fmt.Sprintf("%d messages, %d events", y.account.Messages, y.events)
}
