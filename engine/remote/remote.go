// Package remote keeps what a delivering server has to know when it stops and begins
// again: the remote side of a mailing ([0033]-[0037], [0085]-[0088]). It drives the machine
// of package delivery, which decides whom to try and when, writes a fact before and after
// each final dot, and lets a final dot pass only while the server holds the lease of the
// subset and the recipient is not barred.
//
//	subset:    taken (P500) -> begun (P600) -> ended (P650)
//	recipient: waiting -> in an attempt -> at the gate -> dot sent -> waiting or final
//
// After a stop, an attempt with an Intent and no Outcome may have been accepted. It counts as
// ambiguous, unless the operating system did not stop and the dot was not marked.
package remote

import (
	"fmt"
	"slices"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Config configures the server.
type Config struct {
	Delivery delivery.Config
	Sender   engine.Address // the sending server
	Lease    vt.Span        // for which a Start lets the server deliver, from the Progress that it answers
	Hold     vt.Span        // for which processes are kept after Granted
	Batch    int            // most outcomes in a Progress
	Window   int            // most recipients of a subset who may have the message without an imported outcome
	Resend   bool           // an ambiguous attempt is resent; otherwise its recipient is held
}

// Default returns the configuration with the given delivery machine.
func Default(d delivery.Config) Config {
	return Config{Delivery: d, Sender: engine.Address{Role: engine.Sender}, Lease: 5 * vt.Second,
		Hold: 10 * vt.Second, Batch: 1000, Window: 1000}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name string
		span vt.Span
	}{{"lease", c.Lease}, {"hold", c.Hold}} {
		if v.span <= 0 {
			errs = append(errs, fmt.Errorf("%s: got %v, want more than 0", v.name, v.span))
		}
	}
	if c.Batch < 1 {
		errs = append(errs, fmt.Errorf("batch: got %d, want at least 1", c.Batch))
	}
	if c.Window < 1 {
		errs = append(errs, fmt.Errorf("window: got %d, want at least 1", c.Window))
	}
	return errs
}

// Server is the role of one delivering server.
type Server struct {
	cfg     Config
	list    *mail.List
	machine *delivery.Machine
	out     *engine.Outbox // of the input that is being processed
	boot    uint64
	now     vt.Time

	subsets []*subset
	rows    []row // by recipient; nil until a subset comes
	slots   []attempt
	queue   []mail.Slot // at the gate, the longest waiting first

	barred   uint64         // number of the last bar of the sender
	handed   uint64         // number of the last reservation of the machine
	kept     engine.Granted // processes kept for a mailing
	keptTill vt.Time
	hired    engine.Hire // the last one
	halted   bool
	stray    bool // a recipient waits and the machine does not have it
}

// subset is a part of a list that was transferred.
type subset struct {
	engine.Subset
	took     engine.Took
	point    engine.Checkpoint
	dropped  bool
	until    vt.Time // end of the lease
	left     int     // number of recipients that are not final
	outcomes []engine.Final
	imported uint64
	told     int // number of outcomes that were sent
	dots     int // number of attempts between the final dot and its outcome
}

// row is one recipient of the newest subset that has it.
type row struct {
	of        *subset // nil: the server does not have the recipient
	due       vt.Time
	tries     mail.Try // attempts that are charged to the recipient
	status    mail.Status
	ambiguous bool // an attempt was
	open      bool // an attempt is under way
	given     bool // the machine has the recipient
	barred    bool
}

// attempt is what a slot does.
type attempt struct {
	gen   uint32
	rcpt  mail.Recipient
	busy  bool
	asked bool // is at the gate
	sent  bool // the final dot is sent
	shut  bool // the gate refused
}

// New returns a server at time 0 without any facts.
func New(cfg Config, list *mail.List, gov governor.Governor, obs engine.Observer) *Server {
	s := &Server{cfg: cfg, list: list}
	s.machine = delivery.New(cfg.Delivery, list, gov, watcher{s, obs})
	return s
}

// Halt stops or resumes all final dots, whatever the leases say.
func (s *Server) Halt(on bool) { s.halted = on }

func (s *Server) address() engine.Address {
	return engine.Address{Role: engine.Remote, Server: s.cfg.Delivery.Server}
}

func (s *Server) send(b engine.Body) {
	s.out.Send = append(s.out.Send, engine.Message{From: s.address(), To: s.cfg.Sender, Body: b})
}

func (s *Server) write(f engine.Fact) { s.out.Write = append(s.out.Write, f) }

// Receive processes Hire, Transfer, Start, Drop and Stop of the sending server.
func (s *Server) Receive(now vt.Time, m engine.Message, out *engine.Outbox) {
	s.now, s.out = now, out
	switch b := m.Body.(type) {
	case engine.Hire:
		s.grant(b)
	case engine.Transfer:
		s.take(b)
	case engine.Start:
		s.start(b)
	case engine.Drop:
		s.drop(b.Subset)
	case engine.Stop:
		s.machine.Receive(now, engine.Message{Body: engine.Withdraw{}}, out)
		s.machine.Receive(now, m, out)
	default:
		panic(fmt.Sprintf("remote: server %d: got %v, want Hire, Transfer, Start, Drop or Stop",
			s.cfg.Delivery.Server, m))
	}
	s.ask()
}

// grant keeps the processes that the governor lets the server reserve ([0033], [0068]).
func (s *Server) grant(h engine.Hire) {
	s.hired = h
	switch kept := s.now < s.keptTill; {
	case kept && s.kept.Job == h.Job:
		s.send(s.kept)
		return
	case kept:
		s.send(engine.Granted{Job: h.Job})
		return
	}
	s.kept = engine.Granted{Job: h.Job, Processes: min(h.Processes, s.machine.Reservable())}
	if s.kept.Processes > 0 {
		s.keptTill = s.now.Add(s.cfg.Hold)
	}
	s.send(s.kept)
}

// seek grants processes that have become free, if the list is fetched in chunks.
func (s *Server) seek() {
	if s.hired.Fetch && s.now >= s.keptTill && s.machine.Reservable() > 0 {
		s.grant(s.hired)
	}
}

// take begins a subset whose part of the list is here now. A part that does not fit its digest is
// not taken; it will be transferred again.
func (s *Server) take(t engine.Transfer) {
	v := s.find(t.Subset)
	if v == nil {
		if engine.DigestOf(t.Part) != t.Digest {
			return
		}
		took := engine.Took{Subset: t.Subset, Part: t.Part, Processes: t.Processes, Size: t.Size}
		s.write(took)
		v = s.add(took)
		s.keptTill = s.now // what was kept for the mailing is used now
	}
	s.tell(v)
}

// add has the recipients of a subset from now on. A recipient of an older subset that is final
// here stays so.
func (s *Server) add(t engine.Took) *subset {
	v := &subset{Subset: t.Subset, took: t, point: engine.P500}
	s.subsets = append(s.subsets, v)
	if s.rows == nil {
		s.rows = make([]row, s.list.Len())
	}
	for _, p := range engine.UnpackParts(t.Part) {
		for r := p.From; r < p.To; r++ {
			w := &s.rows[r]
			if w.of != nil && w.of.Job == v.Job && w.of.Epoch > v.Epoch {
				continue // the transfer was overtaken by a later plan
			}
			w.of = v
			v.left++
			if w.status != mail.Pending {
				s.end(r)
			}
		}
	}
	return v
}

// end counts recipient r among the final ones of its subset.
func (s *Server) end(r mail.Recipient) {
	w := &s.rows[r]
	w.of.left--
	w.of.outcomes = append(w.of.outcomes, engine.Final{Rcpt: r, Status: w.status, Ambiguous: w.ambiguous})
}

func (s *Server) find(id engine.Subset) *subset {
	for _, v := range s.subsets {
		if v.Subset == id {
			return v
		}
	}
	return nil
}

// start begins a subset or renews its lease, and takes what the sending server has beside it.
func (s *Server) start(b engine.Start) {
	for i, r := range engine.UnpackRecipients(b.Bars) {
		if n := b.First + uint64(i); n == s.barred+1 {
			s.write(engine.Barred{From: s.cfg.Sender, Number: n, Rcpt: r})
			s.bar(r, n)
		}
	}
	v := s.find(b.Subset)
	if v == nil || v.dropped {
		s.send(engine.Progress{Subset: b.Subset, Sent: s.now, Barred: s.barred})
		return
	}
	if v.point == engine.P500 {
		s.write(engine.Began{Subset: v.Subset})
		v.point = engine.P600
	}
	if b.Echo > 0 {
		v.until = max(v.until, b.Echo.Add(s.cfg.Lease))
	}
	v.imported = max(v.imported, b.Imported)
	s.hand(v)
	s.close(v)
	s.tell(v)
}

// bar makes recipient r get nothing any more.
func (s *Server) bar(r mail.Recipient, number uint64) {
	s.barred = number
	if s.rows == nil {
		s.rows = make([]row, s.list.Len())
	}
	s.rows[r].barred = true
}

// drop ends the right to deliver a subset.
func (s *Server) drop(id engine.Subset) {
	if v := s.find(id); v != nil && !v.dropped {
		v.dropped, v.until = true, 0
		s.withdraw()
	}
}

// hand gives the machine the recipients of a subset that it does not have, if the lease lasts.
func (s *Server) hand(v *subset) {
	if s.now >= v.until || v.left == 0 {
		return
	}
	var fresh engine.Part // untried, at the end of the part
	var others []engine.Resend
	for _, p := range engine.UnpackParts(v.took.Part) {
		for r := p.From; r < p.To; r++ {
			w := &s.rows[r]
			if w.of != v || w.status != mail.Pending || w.open || w.given {
				continue
			}
			if w.barred {
				s.charge(engine.Outcome{Rcpt: r, Try: w.tries, Status: mail.Suppressed})
				continue
			}
			w.given = true
			if w.tries == 0 && fresh.To == r && r > p.From {
				fresh.To++
				continue
			}
			for q := fresh.From; q < fresh.To; q++ {
				others = append(others, engine.Resend{Rcpt: q, Due: s.now})
			}
			if fresh = (engine.Part{From: r, To: r + 1}); w.tries > 0 {
				others = append(others, engine.Resend{Rcpt: r, Try: w.tries, Due: w.due})
				fresh = engine.Part{}
			}
		}
	}
	if fresh.From == fresh.To && others == nil {
		return
	}
	s.handed++
	s.machine.Receive(s.now, engine.Message{From: s.cfg.Sender, Number: s.handed, Body: engine.Reserve{From: fresh.From,
		To: fresh.To, Processes: v.took.Processes, Subset: v.took.Size, Resends: engine.PackResends(others)}}, s.out)
	s.began()
}

// began records the attempts that the machine has just asked for.
func (s *Server) began() {
	for i := range s.out.Start {
		a := &s.out.Start[i]
		for int(a.Slot) >= len(s.slots) {
			s.slots = append(s.slots, attempt{})
		}
		v := &s.slots[a.Slot]
		if v.busy && v.gen == a.Gen {
			continue
		}
		*v = attempt{gen: a.Gen, rcpt: a.Rcpt, busy: true}
		s.rows[a.Rcpt].open = true
	}
}

// withdraw takes from the machine all recipients that are in no attempt.
func (s *Server) withdraw() {
	s.machine.Receive(s.now, engine.Message{Body: engine.Withdraw{}}, s.out)
	for i := range s.rows {
		s.rows[i].given = false
	}
	for _, v := range s.subsets {
		s.hand(v)
	}
}

// lapse ends the leases whose time has come.
func (s *Server) lapse() {
	lapsed := false
	for _, v := range s.subsets {
		if v.until > 0 && s.now >= v.until {
			v.until, lapsed = 0, true
		}
	}
	if lapsed {
		s.withdraw()
	}
}

// Gate asks whether the attempt of a slot may send its final dot.
func (s *Server) Gate(now vt.Time, slot mail.Slot, gen uint32, out *engine.Outbox) {
	s.now, s.out = now, out
	if a := &s.slots[slot]; a.busy && a.gen == gen && !a.asked {
		a.asked = true
		s.queue = append(s.queue, slot)
	}
	s.ask()
}

// ask answers those at the gate.
func (s *Server) ask() {
	if len(s.queue) > 0 {
		s.lapse()
	}
	rest := s.queue[:0]
	for _, slot := range s.queue {
		a := &s.slots[slot]
		w := &s.rows[a.rcpt]
		switch {
		case w.barred, s.now >= w.of.until:
			a.shut = true
			s.out.Dots = append(s.out.Dots, engine.Dot{Slot: slot, Gen: a.gen})
		case s.halted, w.of.exposed() >= s.cfg.Window:
			rest = append(rest, slot)
		default:
			a.sent = true
			w.of.dots++
			s.write(engine.Intent{Rcpt: a.rcpt, Try: w.tries, Boot: s.boot})
			s.out.Dots = append(s.out.Dots, engine.Dot{Slot: slot, Gen: a.gen, Send: true, Until: w.of.until,
				Mark: engine.Dotted{Rcpt: a.rcpt, Try: w.tries}})
		}
	}
	s.queue = rest
}

// exposed returns the number of recipients of a subset who may have the message while the sending server has no
// outcome, but for those that wait after an ambiguous attempt: they need the gate to end.
func (v *subset) exposed() int { return len(v.outcomes) - int(v.imported) + v.dots }

// Complete processes the end of an attempt. What the gate refused is not charged to the recipient.
func (s *Server) Complete(now vt.Time, c *mail.Completion, out *engine.Outbox) {
	s.now, s.out = now, out
	a := &s.slots[c.Slot]
	if !a.busy || a.gen != c.Gen {
		return
	}
	end := *c
	if c.Reply.Fault == mail.Aborted && c.Reply.Stage < mail.StageDot && !a.shut {
		a.shut = true // the lease ended between the gate and the final dot
		s.withdraw()
	}
	if a.shut {
		end.Reply = mail.Reply{Took: c.Reply.Took, Code: 451, Stage: mail.StageDATA}
		if s.rows[a.rcpt].barred {
			end.Reply.Code = 550
		}
	}
	of := s.rows[a.rcpt].of
	s.machine.Complete(now, &end, out)
	s.began()
	if s.stray {
		s.stray = false
		s.hand(of)
	}
	s.close(of)
	if 2*(len(of.outcomes)-of.told) >= s.cfg.Window {
		s.tell(of)
	}
	s.seek()
	s.ask()
}

// watcher receives what the machine observes.
type watcher struct {
	s   *Server
	obs engine.Observer
}

// Ended writes the outcome of an attempt.
func (w watcher) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, status mail.Status) {
	w.s.ended(a, r, status)
	w.obs.Ended(now, a, r, status)
}

func (w watcher) Interval(now vt.Time, s mail.Server, i engine.Interval) { w.obs.Interval(now, s, i) }

func (s *Server) ended(a *mail.Attempt, r *mail.Reply, status mail.Status) {
	v := &s.slots[a.Slot]
	w := &s.rows[a.Rcpt]
	v.busy, w.open = false, false
	if v.sent {
		w.of.dots--
	}
	if s.stray = !w.given; v.shut && !w.barred {
		return
	}
	ambiguous := v.sent && r.Class() == mail.Ambiguous
	if v.shut {
		status = mail.Suppressed
	}
	o := engine.Outcome{Rcpt: a.Rcpt, Try: w.tries, Status: status, Ambiguous: ambiguous}
	if status == mail.Pending {
		o.Due = s.machine.Due()
	}
	s.charge(o)
}

// charge records an outcome.
func (s *Server) charge(o engine.Outcome) {
	s.write(o)
	s.settle(o)
}

// settle applies an outcome to its recipient.
func (s *Server) settle(o engine.Outcome) {
	w := &s.rows[o.Rcpt]
	w.tries, w.due, w.status = o.Try+1, o.Due, o.Status
	w.ambiguous = w.ambiguous || o.Ambiguous
	if w.status != mail.Pending {
		s.end(o.Rcpt)
	}
}

// close ends a subset whose recipients are all final.
func (s *Server) close(v *subset) {
	if v.left == 0 && v.point == engine.P600 {
		s.write(engine.Ended{Subset: v.Subset})
		v.point = engine.P650
		s.tell(v)
	}
}

// tell sends the state of a subset, with the outcomes that are not imported.
func (s *Server) tell(v *subset) {
	rest := v.outcomes[min(v.imported, uint64(len(v.outcomes))):]
	rest = rest[:min(len(rest), s.cfg.Batch)]
	v.told = max(v.told, int(v.imported)+len(rest))
	s.send(engine.Progress{Subset: v.Subset, Checkpoint: v.point, Sent: s.now, Ended: uint64(len(v.outcomes)),
		First: v.imported + 1, Outcomes: engine.PackOutcomes(rest), Barred: s.barred})
}

// Wake advances the machine, and takes recipients whose lease has ended from it.
func (s *Server) Wake(now vt.Time, load engine.Load, out *engine.Outbox) {
	s.now, s.out = now, out
	s.lapse()
	if now >= s.machine.NextWake() {
		s.machine.Wake(now, load, out)
		s.began()
	}
	s.ask()
}

// NextWake returns the time of the machine's next wake or of the end of a lease.
func (s *Server) NextWake() vt.Time {
	next := s.machine.NextWake()
	for _, v := range s.subsets {
		if v.until > 0 && v.left > 0 {
			next = min(next, v.until)
		}
	}
	return next
}

// Done reports whether all subsets have ended and all outcomes are imported.
func (s *Server) Done() bool {
	for _, v := range s.subsets {
		if !v.dropped && (v.point < engine.P650 || v.imported < uint64(len(v.outcomes))) {
			return false
		}
	}
	return true
}

// Recover takes the facts of the server before its stop. An attempt that may have been accepted is
// ambiguous.
func (s *Server) Recover(now vt.Time, boot uint64, facts []engine.Fact, out *engine.Outbox) {
	s.now, s.out, s.boot = now, out, boot
	var begun intents
	for _, f := range facts {
		switch f := f.(type) {
		case engine.Took:
			s.add(f)
		case engine.Began:
			s.find(f.Subset).point = engine.P600
		case engine.Ended:
			s.find(f.Subset).point = engine.P650
		case engine.Barred:
			s.bar(f.Rcpt, f.Number)
		case engine.Intent:
			begun.end(f.Rcpt) // a stop before the final dot left no outcome
			begun = append(begun, intent{Intent: f})
		case engine.Dotted:
			begun.dot(f.Rcpt)
		case engine.Outcome:
			begun.end(f.Rcpt)
			s.settle(f)
		default:
			panic(fmt.Sprintf("remote: server %d: got fact %T, want one of a delivering server",
				s.cfg.Delivery.Server, f))
		}
	}
	for _, v := range begun {
		if v.Boot == boot && !v.dotted {
			continue // the process stopped before the final dot
		}
		o := engine.Outcome{Rcpt: v.Rcpt, Try: v.Try, Status: mail.Pending, Ambiguous: true, Due: now}
		if !s.cfg.Resend {
			o.Status = mail.Held
		}
		s.charge(o)
	}
}

// intent is an attempt without an outcome.
type intent struct {
	engine.Intent
	dotted bool
}

type intents []intent

func (q *intents) end(r mail.Recipient) {
	*q = slices.DeleteFunc(*q, func(v intent) bool { return v.Rcpt == r })
}

func (q intents) dot(r mail.Recipient) {
	for i := range q {
		q[i].dotted = q[i].dotted || q[i].Rcpt == r
	}
}

// State is not saved: facts are.
func (s *Server) State(*snap.Codec) { panic("remote: State: the state of the role is its facts") }
