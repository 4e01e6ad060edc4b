package remote

import (
	"flyball/engine"
	"flyball/internal/mail"
)

// ahead writes the intents of an attempt that begins, and of those that will follow it on its slot. Over a kept
// connection the receiver has just taken a message, so the attempt will come to its final dot, and soon. There are
// never more intents without an attempt than Ahead - 1 for each slot.
func (s *Server) ahead(a *mail.Attempt) {
	if s.cfg.Ahead == 0 {
		return
	}
	if _, ok := s.intents[a.Rcpt]; ok {
		s.early--
	} else if a.Conn != mail.Fresh {
		s.intend(a.Rcpt)
	}
	s.machine.Coming(a.Slot, s.cfg.Ahead-1, func(r mail.Recipient) {
		w := &s.rows[r]
		if _, ok := s.intents[r]; ok || !w.given || w.open || w.barred || s.early >= (s.cfg.Ahead-1)*len(s.slots) {
			return
		}
		s.intend(r)
		s.early++
	})
}

// intend writes the intent of a recipient's next final dot, if it is not written, and returns its number among the
// facts.
func (s *Server) intend(r mail.Recipient) uint64 {
	if n, ok := s.intents[r]; ok {
		return n
	}
	s.write(engine.Intent{Rcpt: r, Try: s.rows[r].tries, Boot: s.boot})
	if s.cfg.Ahead > 0 {
		s.intents[r] = s.facts
	}
	return s.facts
}
