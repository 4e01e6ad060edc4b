package remote

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// withdraw takes from the machine all recipients that are in no attempt.
func (s *Server) withdraw() {
	s.machine.Receive(s.now, engine.Message{Body: engine.Withdraw{}}, s.out)
	for i := range s.rows {
		s.rows[i].given = false
	}
	for _, v := range s.unfinished() {
		v.handed = false
		s.hand(v)
	}
}

// unfinished returns the subsets from the first one on that may have recipients who are not final.
func (s *Server) unfinished() []*subset {
	for s.oldest < len(s.subsets) && (s.subsets[s.oldest].left == 0 || s.subsets[s.oldest].dropped) {
		s.oldest++
	}
	return s.subsets[s.oldest:]
}

// lapse ends the leases whose time has come.
func (s *Server) lapse() {
	lapsed := false
	for _, v := range s.unfinished() {
		if v.until > 0 && s.now >= v.until {
			v.until, lapsed = 0, lapsed || v.left > 0
		}
	}
	if lapsed {
		s.withdraw()
		s.swept = s.now
	}
	if s.now >= s.swept {
		s.sweep()
	}
}

// Gate asks whether the attempt of a slot may send its final dot.
func (s *Server) Gate(now vt.Time, slot mail.Slot, gen uint32, out *engine.Outbox) {
	s.now, s.out = now, out
	if a := &s.slots[slot]; a.busy && a.gen == gen && !a.asked {
		a.asked = true
		s.step(a)
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
		case s.bars(a.rcpt), s.now >= w.of.until:
			a.shut = true
			s.out.Dots = append(s.out.Dots, engine.Dot{Slot: slot, Gen: a.gen})
		case s.halted, w.of.exposed() >= s.cfg.Window:
			rest = append(rest, slot)
		default:
			a.sent = true
			w.of.dots++
			s.step(a)
			after := max(s.intend(a.rcpt), s.common)
			if full := s.cfg.Ahead; full > 0 && len(a.ends) == full {
				after = max(after, a.ends[0])
			}
			s.out.Dots = append(s.out.Dots, engine.Dot{Slot: slot, Gen: a.gen, Send: true, Until: w.of.until,
				Mark: engine.Dotted{Rcpt: a.rcpt, Try: w.tries}, After: after})
		}
	}
	s.queue = rest
}

// bars reports whether a recipient must get nothing.
func (s *Server) bars(r mail.Recipient) bool {
	w := &s.rows[r]
	w.barred = w.barred || s.cfg.Suppressed != nil && s.cfg.Suppressed(r)
	return w.barred
}

// exposed returns the number of recipients of a subset who may have the message while the sending server has no
// outcome, but for those that wait after an ambiguous attempt: they need the gate to end.
func (v *subset) exposed() int { return len(v.outcomes) - int(v.imported) + v.dots }
