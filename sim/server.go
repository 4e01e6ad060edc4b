package sim

import (
	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/remote"
	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/reports/runlog"
	"flyball/scenarios/work"
)

// server is one delivering server with its own model of the network. Servers
// share no mutable state, so each may run by itself, unless a destination is
// shared. Their messages to each other wait until they meet.
//
//	next event              call        actions of the machine
//	an attempt ends         Complete    an attempt begins, and its end goes into the queue;
//	a part of a list        Receive     a connection is closed
//	the machine's NextWake  Wake
type server struct {
	number   mail.Server
	machine  *delivery.Machine
	model    *netmodel.Model
	ends     evq.Queue // of attempts, by slot
	arrivals []work.Arrival
	coming   bool // a campaign may come that has no plan yet
	load     engine.Load
	end      mail.Completion // of the attempt that ended last
	out      engine.Outbox   // Send is kept until the servers meet
	rec      *runlog.Recorder
	now      vt.Time
	events   uint64

	// of a run with a sending server; else nil
	system *system
	node   *node
	remote *remote.Server // the role, around the machine
	build  func() *remote.Server
	under  []under // by slot, if the system keeps facts: what is under way
}

// role returns the machine, or the role around it.
func (s *server) role() engine.Role {
	if s.remote != nil {
		return s.remote
	}
	return s.machine
}

// idle reports whether no mail is left and none will come. The intervals of the
// machine may still end.
func (s *server) idle() bool { return len(s.arrivals) == 0 && !s.coming && s.machine.Done() }

// next returns the time of the next event.
func (s *server) next() vt.Time {
	next := min(s.ends.PeekTime(), s.machine.NextWake())
	if len(s.arrivals) > 0 {
		next = min(next, s.arrivals[0].At)
	}
	if s.node != nil {
		next = s.node.next(next)
	}
	return next
}

// deliver handles all events up to and including until, while there is mail.
func (s *server) deliver(until vt.Time) {
	for !s.idle() {
		next := s.next()
		if next > until {
			break
		}
		s.handle(next)
	}
}

// runTo handles all events before until, while there is mail, and the ends of attempts at until.
func (s *server) runTo(until vt.Time) {
	for !s.idle() {
		next := s.next()
		if next > until || next == until && s.ends.PeekTime() > until {
			break
		}
		s.handle(next)
	}
}

// wait handles all events up to and including until.
func (s *server) wait(until vt.Time) {
	for next := s.next(); next <= until; next = s.next() {
		s.handle(next)
	}
}

// catchUp handles all events before now.
func (s *server) catchUp(now vt.Time) {
	for next := s.next(); next < now; next = s.next() {
		s.handle(next)
	}
	s.now = now
}

// handle passes the next event to the machine and performs the resulting actions.
func (s *server) handle(now vt.Time) {
	s.now = now
	s.events++
	switch { // the order of simultaneous inputs, in both shells
	case s.ends.PeekTime() <= now: // before now only after a pause
		at, slot := s.ends.Pop()
		if s.node != nil {
			s.endOf(at, mail.Slot(slot))
			return
		}
		if !s.model.Handle(at, mail.Slot(slot), &s.ends, &s.end) {
			return
		}
		s.machine.Complete(now, &s.end, &s.out)
	case len(s.arrivals) > 0 && s.arrivals[0].At == now:
		m := s.arrivals[0].Message()
		s.rec.HandsOver(now, uint64(s.arrivals[0].Reserve.To-s.arrivals[0].Reserve.From))
		s.arrivals = s.arrivals[1:]
		s.machine.Receive(now, m, &s.out)
	default:
		s.role().Wake(now, s.load, &s.out)
	}
	s.perform(now)
}

// receive passes the machine a message from another role.
func (s *server) receive(now vt.Time, m engine.Message) {
	s.role().Receive(now, m, &s.out)
	s.perform(now)
}

// stop ends the machine's run.
func (s *server) stop(now vt.Time) {
	if s.node != nil && !s.node.up {
		return // it has stopped
	}
	to := engine.Address{Role: engine.Delivery, Server: s.number}
	s.role().Receive(now, engine.Message{To: to, Body: engine.Stop{}}, &s.out)
	s.role().Wake(now, s.load, &s.out)
}

// perform begins the attempts and closes the connections in the outbox. What a server of a system writes and sends is
// the system's.
func (s *server) perform(now vt.Time) {
	if s.node != nil && (s.system.keeps || len(s.out.Write)+len(s.out.Send) > 0) {
		s.system.perform(s.node, now)
		return
	}
	s.begin(now)
}

// begin closes connections and begins attempts.
func (s *server) begin(now vt.Time) {
	for _, slot := range s.out.Close {
		s.model.HangUp(slot)
	}
	for i := range s.out.Start {
		s.model.Begin(now, &s.out.Start[i], &s.ends)
	}
	s.out.Close, s.out.Start = s.out.Close[:0], s.out.Start[:0]
}
