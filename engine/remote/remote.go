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

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Server is the role of one delivering server.
type Server struct {
	cfg     Config
	list    *mail.List // it may grow
	machine *delivery.Machine
	out     *engine.Outbox // of the input that is being processed
	boot    uint64
	now     vt.Time

	subsets []*subset
	oldest  int   // index of the first subset that may have recipients who are not final
	rows    []row // by recipient
	slots   []attempt
	queue   []mail.Slot // at the gate, the longest waiting first

	barred   uint64         // number of the last bar of the sender
	reserved uint64         // number of the last reservation of the machine
	kept     engine.Granted // processes kept for a mailing
	keptTill vt.Time
	facts    uint64                    // written since the process began
	common   uint64                    // number of the last one on which every final dot rests
	intents  map[mail.Recipient]uint64 // without an outcome: the number of the fact; only with Ahead
	early    int                       // number of intents without an attempt
	hired    engine.Hire               // the last one
	halted   bool
	counts   []count             // by reservation, if recipients are counted
	over     map[engine.Job]bool // mailings about which the sending server asks nothing any more
	emptied  bool                // the last recipient of a reservation has become final
	swept    vt.Time             // when the next attempt without a lease stands still
}

// subset is a part of a list that was transferred.
type subset struct {
	engine.Subset
	took     engine.Took
	point    engine.Checkpoint
	dropped  bool
	handed   bool    // the machine has all recipients that are neither final nor in an attempt
	until    vt.Time // end of the lease
	left     int     // number of recipients that are not final
	outcomes []engine.Final
	imported uint64
	told     int     // number of outcomes that were sent
	dots     int     // number of attempts between the final dot and its outcome
	busy     vt.Span // time of attempts that have ended
	moves    uint64  // steps of attempts: begun, further, at the gate, ended

	size, reservation int // number of its recipients, and of its reservation; only if recipients are counted
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
	began vt.Time
	moved vt.Time // its last step
	gen   uint32
	rcpt  mail.Recipient
	busy  bool
	asked bool     // is at the gate
	sent  bool     // the final dot is sent
	shut  bool     // the gate refused
	ends  []uint64 // numbers of the facts that are the last outcomes of the process, at most Ahead
}

// New returns a server at time 0 without any facts. The list may grow later, before a part of it is transferred that it
// did not have.
func New(cfg Config, list *mail.List, gov governor.Governor, obs engine.Observer) *Server {
	s := &Server{cfg: cfg, list: list, swept: vt.Never, intents: map[mail.Recipient]uint64{},
		over: map[engine.Job]bool{}}
	if cfg.Counts {
		obs = &counter{obs, s}
	} else {
		s.grow(mail.Recipient(list.Len()))
		obs = watcher{s, obs}
	}
	s.machine = delivery.New(cfg.Delivery, list, gov, obs)
	return s
}

// grow makes sure that there is a row of each recipient before end.
func (s *Server) grow(end mail.Recipient) {
	if n := int(end) - len(s.rows); n > 0 {
		s.rows = append(s.rows, make([]row, n)...)
	}
}

// Halt stops or resumes all final dots, whatever the leases say.
func (s *Server) Halt(on bool) { s.halted = on }

func (s *Server) address() engine.Address {
	return engine.Address{Role: engine.Remote, Server: s.cfg.Delivery.Server}
}

func (s *Server) send(b engine.Body) {
	s.out.Send = append(s.out.Send, engine.Message{From: s.address(), To: s.cfg.Sender, Body: b})
}

func (s *Server) write(f engine.Fact) {
	s.out.Write = append(s.out.Write, f)
	s.facts++
	switch f.(type) {
	case engine.Intent, engine.Outcome:
	default:
		s.common = s.facts
	}
}

// Receive processes Hire, Transfer, Start, Restart, Drop and Stop of the sending server, and passes the machine what
// is its own.
func (s *Server) Receive(now vt.Time, m engine.Message, out *engine.Outbox) {
	s.now, s.out = now, out
	switch b := m.Body.(type) {
	case engine.Hire:
		s.grant(b)
	case engine.Transfer:
		s.take(b)
	case engine.Start:
		s.start(b)
	case engine.Restart:
		s.restart(b)
	case engine.Drop:
		s.drop(b.Subset)
	case engine.Stop, engine.Verdict, engine.React:
		s.machine.Receive(now, m, out)
		if !s.cfg.Counts {
			s.began()
		}
	default:
		panic(fmt.Sprintf("remote: server %d: got %v, want Hire, Transfer, Start, Restart, Drop, Stop, Verdict or "+
			"React", s.cfg.Delivery.Server, m))
	}
	s.ask()
}

// Complete processes the end of an attempt. What the gate refused is not charged to the recipient.
func (s *Server) Complete(now vt.Time, c *mail.Completion, out *engine.Outbox) {
	s.now, s.out = now, out
	if s.cfg.Counts {
		s.completeCounted(c)
		return
	}
	a := &s.slots[c.Slot]
	if !a.busy || a.gen != c.Gen {
		return
	}
	end := *c
	w := &s.rows[a.rcpt]
	if c.Reply.Fault == mail.Aborted && c.Reply.Stage < mail.StageDot {
		a.shut = true // the lease may have ended between the gate and the final dot
	}
	if a.shut {
		end.Reply = mail.Reply{Took: c.Reply.Took, Code: 451, Stage: mail.StageDATA}
		if w.barred {
			end.Reply.Code = 550
		} else if w.given { // no try: the machine is to get the recipient anew
			s.withdraw()
		}
	}
	s.step(a)
	s.end(&end)
	s.seek()
	s.ask()
}

// end ends an attempt.
func (s *Server) end(c *mail.Completion) {
	rcpt := s.slots[c.Slot].rcpt
	of := s.rows[rcpt].of
	s.machine.Complete(s.now, c, s.out)
	s.began()
	if s.now < of.until && !s.rows[rcpt].given { // a recipient who waits again was withdrawn in the attempt
		s.give(of, []engine.Part{{From: rcpt, To: rcpt + 1}})
	}
	s.close(of)
	if 2*(len(of.outcomes)-of.told) >= s.cfg.Window {
		s.tell(of)
	}
}

// Wake advances the machine, and takes recipients whose lease has ended from it.
func (s *Server) Wake(now vt.Time, load engine.Load, out *engine.Outbox) {
	s.now, s.out = now, out
	if s.cfg.Counts {
		s.machine.Wake(now, load, out)
		return
	}
	s.lapse()
	if now >= s.machine.NextWake() {
		s.machine.Wake(now, load, out)
		s.began()
	}
	s.ask()
}

// NextWake returns the time of the machine's next wake or of the end of a lease.
func (s *Server) NextWake() vt.Time {
	if s.cfg.Counts { // no lease ends
		return s.machine.NextWake()
	}
	next := min(s.machine.NextWake(), s.swept)
	for _, v := range s.unfinished() {
		if v.until > 0 && v.left > 0 {
			next = min(next, v.until)
		}
	}
	return next
}

// Machine returns the server's machine, for what does not change it.
func (s *Server) Machine() *delivery.Machine { return s.machine }

// Done reports whether all subsets have ended and all outcomes are imported.
func (s *Server) Done() bool {
	for _, v := range s.subsets {
		if !v.dropped && (v.point < engine.P650 || v.imported < uint64(len(v.outcomes))) {
			return false
		}
	}
	return true
}
