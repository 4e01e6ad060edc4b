package sim

import (
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
// destination is shared, and where they decide together to the end of an interval.
//
//	what comes next       is told by     and what the machine wants is done:
//	an attempt ends       Complete       an attempt begins, and its end is in the queue,
//	a part of a list      Receive        or a connection is closed
//	a time it asked for   Wake
type server struct {
	machine  *delivery.Machine
	model    *netmodel.Model
	ends     evq.Queue // of attempts, by slot
	arrivals []scenarios.Arrival
	actions  []delivery.Action
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
	s.actions = s.actions[:0]
	switch { // the order of simultaneous inputs, in both shells
	case s.ends.PeekTime() == now:
		at, slot := s.ends.Pop()
		c, ended := s.model.Handle(at, mail.Slot(slot), &s.ends)
		if !ended {
			return
		}
		s.actions = s.machine.Complete(now, c, s.actions)
	case len(s.arrivals) > 0 && s.arrivals[0].At == now:
		reserve := s.arrivals[0].Reserve
		s.arrivals = s.arrivals[1:]
		s.actions = s.machine.Receive(now, reserve, s.actions)
	default:
		if now == s.machine.IntervalEnds() {
			s.measure(now)
		}
		s.actions = s.machine.Wake(now, s.actions)
	}
	s.perform(now)
}

// measure tells the machine how loaded its server was.
func (s *server) measure(now vt.Time) { s.machine.Loaded(s.model.Load(s.machine.Mean(now))) }

// adjust tells the machine what all servers have decided together.
func (s *server) adjust(now vt.Time, v delivery.Verdict) {
	s.actions = s.machine.Adjust(now, v, s.actions[:0])
	s.perform(now)
}

// perform does what the machine wants done.
func (s *server) perform(now vt.Time) {
	for i := range s.actions {
		switch a := &s.actions[i]; a.Op {
		case delivery.OpStart:
			s.model.Begin(now, &a.Attempt, &s.ends)
		case delivery.OpHangUp:
			s.model.HangUp(a.Attempt.Slot)
		}
	}
}
