package remote

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Moved records a step of the attempt of a slot, such as a reply to a command or data that is taken: a slow receiver
// keeps a subset waiting, and its attempts do not stand still.
func (s *Server) Moved(now vt.Time, slot mail.Slot, gen uint32) {
	if a := &s.slots[slot]; a.busy && a.gen == gen {
		s.now = now
		s.step(a)
	}
}

// step counts a step of an attempt.
func (s *Server) step(a *attempt) {
	a.moved = s.now
	s.rows[a.rcpt].of.moves++
}

// waits reports whether the attempt waits at the gate for the server itself.
func (a *attempt) waits() bool { return a.asked && !a.sent && !a.shut }

// open returns the number of attempts of a subset that are under way and do not wait at the gate.
func (s *Server) open(v *subset) (n int) {
	for i := range s.slots {
		if a := &s.slots[i]; a.busy && !a.waits() && s.rows[a.rcpt].of == v {
			n++
		}
	}
	return n
}

// restart gives up the attempts of a subset that stand still, and begins again at its checkpoint ([0035]).
func (s *Server) restart(b engine.Restart) {
	if v := s.find(b.Subset); v != nil && !v.dropped && v.moves == b.Moves {
		s.giveUp(func(a *attempt) bool { return s.rows[a.rcpt].of == v })
		s.tell(v)
	}
}

// sweep gives up the attempts without a lease that stand still: the sending server may not ask about them any more, and
// their processes are to be free for other subsets.
func (s *Server) sweep() {
	s.swept = vt.Never
	s.giveUp(func(a *attempt) bool {
		if s.rows[a.rcpt].of.until > 0 {
			return false
		}
		end := a.moved.Add(s.cfg.Stall)
		if s.now < end {
			s.swept = min(s.swept, end)
		}
		return s.now >= end
	})
}

// giveUp ends some attempts, but for those that wait at the gate. As after a stop, one whose final dot may have been
// sent is ambiguous, and another one is not charged to its recipient.
func (s *Server) giveUp(which func(a *attempt) bool) {
	var all []mail.Completion
	for i := range s.slots {
		if a := &s.slots[i]; a.busy && !a.waits() && which(a) {
			end := mail.Completion{Slot: mail.Slot(i), Gen: a.gen,
				Reply: mail.Reply{Took: s.now.Sub(a.began), Fault: mail.Timeout, Stage: mail.StageDot}}
			if a.shut = !a.sent; a.shut {
				end.Reply.Stage = mail.StageDATA
			}
			s.out.Close = append(s.out.Close, end.Slot)
			all = append(all, end)
		}
	}
	if all == nil {
		return
	}
	s.withdraw()
	for i := range all {
		s.end(&all[i])
	}
}
