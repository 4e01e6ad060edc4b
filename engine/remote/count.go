package remote

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
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
	v.reservation = len(s.counts)
	s.counts = append(s.counts, count{})
	s.reserve(v, parts[0], others)
}

// count sums up attempts of a reservation.
type count struct {
	delivered, held uint64  // recipients
	busy            vt.Span // time of the attempts
}

// counter counts what the machine observes.
type counter struct {
	engine.Observer
	s *Server
}

// Ended counts an attempt.
func (c *counter) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, status mail.Status) {
	reservation := c.s.machine.Reservation(a.Slot)
	n := &c.s.counts[reservation]
	n.busy += r.Took
	switch status {
	case mail.Done:
		n.delivered++
	case mail.Held, mail.Unreached:
		n.held++
	}
	if status != mail.Pending && c.s.machine.LeftOf(reservation) == 0 {
		c.s.emptied = true
	}
	c.Observer.Ended(now, a, r, status)
}

// completeCounted processes the end of an attempt.
func (s *Server) completeCounted(c *mail.Completion) {
	s.machine.Complete(s.now, c, s.out)
	if s.emptied {
		s.emptied = false
		for _, v := range s.unfinished() {
			if v.handed && s.machine.LeftOf(v.reservation) == 0 {
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
	n := &s.counts[v.reservation]
	ended := uint64(v.size) - s.machine.LeftOf(v.reservation)
	if v.point < engine.P650 {
		s.send(engine.Progress{Subset: v.Subset, Checkpoint: v.point, Sent: s.now, Ended: ended, First: 1,
			Busy: n.busy})
		return
	}
	s.send(engine.Tally{Subset: v.Subset, Delivered: n.delivered, Failed: ended - n.delivered - n.held, Held: n.held,
		Busy: n.busy})
}
