package remote

import (
	"flyball/engine"
	"flyball/internal/mail"
)

// This file is for a server that counts its recipients (Config.Counts): nothing comes between it and its memory.

// deliver hands the machine all recipients of a subset.
func (s *Server) deliver(v *subset, parts []engine.Part) {
	var others []engine.Resend
	for _, p := range parts[1:] {
		for r := p.From; r < p.To; r++ {
			others = append(others, engine.Resend{Rcpt: r, Due: s.now})
		}
	}
	v.reservation = int(s.handed)
	s.reserve(v, parts[0], others)
}

// completeCounted processes the end of an attempt.
func (s *Server) completeCounted(c *mail.Completion) {
	s.machine.Complete(s.now, c, s.out)
	if n := s.machine.Emptied(); n != s.emptied {
		s.emptied = n
		for _, v := range s.unfinished() {
			if left, _ := s.machine.Tally(v.reservation); v.handed && left == 0 {
				v.left = 0
				s.close(v)
			}
		}
	}
	s.seek()
}

// tally sends how far a subset is.
func (s *Server) tally(v *subset) {
	if !v.handed {
		s.send(engine.Progress{Subset: v.Subset, Checkpoint: v.point, Sent: s.now})
		return
	}
	left, n := s.machine.Tally(v.reservation)
	ended := uint64(v.size) - left
	if v.point < engine.P650 {
		s.send(engine.Progress{Subset: v.Subset, Checkpoint: v.point, Sent: s.now, Ended: ended, First: 1,
			Busy: n.Busy})
		return
	}
	s.send(engine.Tally{Subset: v.Subset, Delivered: n.Delivered, Failed: ended - n.Delivered - n.Held, Held: n.Held,
		Busy: n.Busy})
}
