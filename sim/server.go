package sim

import (
	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// server is one delivering server and the world as it meets it. No two servers
// share anything that changes, so each may be run by itself, unless a
// destination is shared. What they send each other waits until they meet.
//
//	what comes next       is given by    and what the machine wants is done:
//	an attempt ends       Complete       an attempt begins, and its end is in the queue,
//	a part of a list      Receive        or a connection is closed
//	a time it asked for   Wake
type server struct {
	number   mail.Server
	machine  *delivery.Machine
	model    *netmodel.Model
	ends     evq.Queue // of attempts, by slot
	arrivals []scenarios.Arrival
	load     engine.Load
	out      engine.Outbox // Send is kept until the servers meet
	rec      *runlog.Recorder
	now      vt.Time
	events   uint64
}

// idle reports that no mail is left and none will come. The machine would
// still end its intervals.
func (s *server) idle() bool { return len(s.arrivals) == 0 && s.machine.Done() }

// next is the time of the next event.
func (s *server) next() vt.Time {
	next := min(s.ends.PeekTime(), s.machine.NextWake())
	if len(s.arrivals) > 0 {
		next = min(next, s.arrivals[0].At)
	}
	return next
}

// deliver handles all events up to and including a time, while there is mail.
func (s *server) deliver(until vt.Time) {
	for !s.idle() {
		next := s.next()
		if next > until {
			break
		}
		s.handle(next)
	}
}

// wait handles all events up to and including a time.
func (s *server) wait(until vt.Time) {
	for next := s.next(); next <= until; next = s.next() {
		s.handle(next)
	}
}

// handle tells the machine the next event, and does what it wants.
func (s *server) handle(now vt.Time) {
	s.now = now
	s.events++
	switch { // the order of simultaneous inputs, in both shells
	case s.ends.PeekTime() == now:
		at, slot := s.ends.Pop()
		c, ended := s.model.Handle(at, mail.Slot(slot), &s.ends)
		if !ended {
			return
		}
		s.machine.Complete(now, c, &s.out)
	case len(s.arrivals) > 0 && s.arrivals[0].At == now:
		m := s.arrivals[0].Message()
		s.arrivals = s.arrivals[1:]
		s.machine.Receive(now, m, &s.out)
	default:
		s.machine.Wake(now, s.load, &s.out)
	}
	s.perform(now)
}

// receive gives the machine a message of another role.
func (s *server) receive(now vt.Time, m engine.Message) {
	s.machine.Receive(now, m, &s.out)
	s.perform(now)
}

// stop ends the machine's run.
func (s *server) stop(now vt.Time) {
	to := engine.Address{Role: engine.Delivery, Server: s.number}
	s.machine.Receive(now, engine.Message{To: to, Body: engine.Stop{}}, &s.out)
	s.machine.Wake(now, s.load, &s.out)
}

// perform begins and closes what the machine wants.
func (s *server) perform(now vt.Time) {
	for _, slot := range s.out.Close {
		s.model.HangUp(slot)
	}
	for i := range s.out.Start {
		s.model.Begin(now, &s.out.Start[i], &s.ends)
	}
	s.out.Close, s.out.Start = s.out.Close[:0], s.out.Start[:0]
}
