package sim

import (
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// This file has what a delivering server does besides if it is one of a system.

// under is an attempt under way on a slot.
type under struct {
	gen  uint32
	rcpt mail.Recipient
	dest mail.Destination
	busy bool
}

// endOf passes the role around the machine the next event of an attempt.
func (s *server) endOf(at vt.Time, slot mail.Slot) {
	now := s.now
	switch {
	case s.under != nil && s.model.AtGate(slot):
		s.remote.Gate(now, slot, s.under[slot].gen, &s.out)
	case s.model.Handle(at, slot, &s.ends, &s.end):
		if s.under != nil {
			s.ended(int(slot))
		}
		s.remote.Complete(now, &s.end, &s.out)
	default:
		if s.under != nil {
			s.remote.Moved(now, slot, s.under[slot].gen)
		}
		return
	}
	s.perform(now)
}

// act performs all of the outbox of a server of a system but facts and messages.
func (s *server) act(now vt.Time) {
	if !s.system.keeps {
		s.begin(now)
		return
	}
	for _, slot := range s.out.Close {
		if int(slot) < len(s.under) && s.under[slot].busy { // the role has given the attempt up
			s.breakOff(now, slot)
		}
	}
	for i := range s.out.Start {
		a := &s.out.Start[i]
		for int(a.Slot) >= len(s.under) {
			s.under = append(s.under, under{})
		}
		s.under[a.Slot] = under{a.Gen, a.Rcpt, a.Dest, true}
	}
	s.begin(now)
	for _, d := range s.out.Dots {
		if !d.Send || now >= d.Until {
			s.model.Refuse(now, d.Slot, &s.ends)
			continue
		}
		s.node.facts = append(s.node.facts, d.Mark)
		s.model.Pass(now, d.Slot, &s.ends)
	}
}

// ended notes the end of the attempt of a slot.
func (s *server) ended(slot int) {
	v := &s.under[slot]
	if v.busy = false; s.end.Reply.Class() == mail.Delivered {
		s.system.accepted(v.rcpt, v.dest, s.now)
	}
}

// renew gives the server a new role.
func (s *server) renew() {
	s.remote = s.build()
	s.machine = s.remote.Machine()
}

// crash ends the process of the server: all connections break.
func (s *server) crash(now vt.Time) {
	s.catchUp(now)
	s.stop(now)
	for slot := range s.under {
		if s.under[slot].busy {
			s.breakOff(now, mail.Slot(slot))
		}
	}
}

// breakOff breaks the connection of an attempt under way.
func (s *server) breakOff(now vt.Time, slot mail.Slot) {
	v := &s.under[slot]
	v.busy = false
	s.ends.Remove(int(slot))
	if s.model.Cut(now, slot) {
		s.system.accepted(v.rcpt, v.dest, now)
	}
}
