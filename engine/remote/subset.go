package remote

import (
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
)

// grant keeps the processes that the governor lets the server reserve ([0033], [0068]).
func (s *Server) grant(h engine.Hire) {
	s.hired = h
	switch kept := s.now < s.keptTill; {
	case kept && s.kept.Job == h.Job:
		s.send(s.kept)
		return
	case kept:
		s.send(engine.Granted{Job: h.Job})
		return
	}
	s.kept = engine.Granted{Job: h.Job, Processes: min(h.Processes, s.machine.Reservable())}
	if s.kept.Processes > 0 {
		s.keptTill = s.now.Add(s.cfg.Hold)
	}
	s.send(s.kept)
}

// seek grants processes that have become free, if the list is fetched in chunks.
func (s *Server) seek() {
	if s.hired.Fetch && s.hired.Processes > 0 && s.now >= s.keptTill && s.machine.Reservable() > 0 {
		s.grant(s.hired)
	}
}

// take begins a subset whose part of the list is here now. A part that does not fit its digest is
// not taken; it will be transferred again; so is one with places that the list does not have yet.
func (s *Server) take(t engine.Transfer) {
	v := s.find(t.Subset)
	if v == nil {
		if engine.DigestOf(t.Part) != t.Digest || s.beyond(t.Part) {
			return
		}
		took := engine.Took{Subset: t.Subset, Part: t.Part, Terms: t.Terms}
		s.write(took)
		v = s.add(took)
		s.keptTill = s.now // what was kept for the mailing is used now
	}
	s.tell(v)
}

// beyond reports whether some places of a part are not in the list.
func (s *Server) beyond(part string) bool {
	return slices.ContainsFunc(engine.UnpackParts(part), func(p engine.Part) bool { return int(p.To) > s.list.Len() })
}

// add has the recipients of a subset from now on. A recipient of an older subset that is final
// here stays so.
func (s *Server) add(t engine.Took) *subset {
	v := &subset{Subset: t.Subset, took: t, point: engine.P500}
	s.subsets = append(s.subsets, v)
	if s.cfg.Counts {
		for _, p := range engine.UnpackParts(t.Part) {
			v.left += int(p.To - p.From)
		}
		v.size = v.left
		return v
	}
	for _, p := range engine.UnpackParts(t.Part) {
		s.grow(p.To)
		for r := p.From; r < p.To; r++ {
			w := &s.rows[r]
			if w.of != nil && w.of.Job == v.Job && w.of.Epoch > v.Epoch {
				continue // the transfer was overtaken by a later plan
			}
			w.of = v
			v.left++
			if w.status != mail.Pending {
				s.count(r)
			}
		}
	}
	return v
}

// count counts recipient r among the final ones of its subset.
func (s *Server) count(r mail.Recipient) {
	w := &s.rows[r]
	w.of.left--
	w.of.outcomes = append(w.of.outcomes, engine.Final{Rcpt: r, Status: w.status, Ambiguous: w.ambiguous})
}

func (s *Server) find(id engine.Subset) *subset {
	for _, v := range s.subsets {
		if v.Subset == id {
			return v
		}
	}
	return nil
}

// start begins a subset or renews its lease, and takes what the sending server has beside it.
func (s *Server) start(b engine.Start) {
	for i, c := range engine.UnpackChanges(b.Bars) {
		if n := b.First + uint64(i); n == s.barred+1 {
			s.write(c.Fact(s.cfg.Sender, n))
			s.bar(n, c)
		}
	}
	v := s.find(b.Subset)
	if v == nil || v.dropped {
		s.send(engine.Progress{Subset: b.Subset, Sent: s.now, Barred: s.barred})
		return
	}
	if v.point == engine.P500 {
		s.write(engine.Began{Subset: v.Subset})
		v.point = engine.P600
	}
	if until := b.Echo.Add(s.cfg.Lease); b.Echo > 0 && until > s.now { // not a late answer
		v.until = max(v.until, until)
	}
	v.imported = max(v.imported, b.Imported)
	s.hand(v)
	s.close(v)
	s.tell(v)
}

// bar makes a recipient get nothing any more, or lets the recipient get mail again.
func (s *Server) bar(number uint64, c engine.Change) {
	s.barred = number
	s.grow(c.Rcpt + 1)
	s.rows[c.Rcpt].barred = !c.Add
}

// drop ends the right to deliver a subset.
func (s *Server) drop(id engine.Subset) {
	if v := s.find(id); v != nil && !v.dropped {
		v.dropped, v.until = true, 0
		if v.left > 0 {
			s.withdraw()
			s.sweep()
		}
	}
}

// hand gives the machine the recipients of a subset that it does not have, if the lease lasts.
func (s *Server) hand(v *subset) {
	if s.now >= v.until || v.left == 0 || v.handed {
		return
	}
	v.handed = true
	if parts := engine.UnpackParts(v.took.Part); s.cfg.Counts {
		s.deliver(v, parts)
	} else {
		s.give(v, parts)
	}
}

// give gives the machine those recipients in parts of a subset that it does not have, and that are in no attempt.
func (s *Server) give(v *subset, parts []engine.Part) {
	var fresh engine.Part // untried, at the end of the part
	var others []engine.Resend
	for _, p := range parts {
		for r := p.From; r < p.To; r++ {
			w := &s.rows[r]
			if w.of != v || w.status != mail.Pending || w.open || w.given {
				continue
			}
			if s.bars(r) {
				s.charge(engine.Outcome{Rcpt: r, Try: w.tries, Status: mail.Suppressed})
				continue
			}
			w.given = true
			if w.tries == 0 && fresh.To == r && r > p.From {
				fresh.To++
				continue
			}
			for q := fresh.From; q < fresh.To; q++ {
				others = append(others, engine.Resend{Rcpt: q, Due: s.now})
			}
			if fresh = (engine.Part{From: r, To: r + 1}); w.tries > 0 {
				others = append(others, engine.Resend{Rcpt: r, Try: w.tries, Due: w.due})
				fresh = engine.Part{}
			}
		}
	}
	if fresh.From == fresh.To && others == nil {
		return
	}
	s.reserve(v, fresh, others)
	s.began()
}

// reserve hands over untried recipients and others of a subset.
func (s *Server) reserve(v *subset, fresh engine.Part, others []engine.Resend) {
	s.reserved++
	s.machine.Receive(s.now, engine.Message{From: s.cfg.Sender, Number: s.reserved, Body: engine.Reserve{
		From: fresh.From, To: fresh.To, Processes: v.took.Processes, Subset: v.took.Size,
		Priority: v.took.Priority, Rate: v.took.Rate,
		Mailing: uint32(v.Job), Resends: engine.PackResends(others)}}, s.out)
}

// began records the attempts that the machine has just asked for.
func (s *Server) began() {
	for i := range s.out.Start {
		a := &s.out.Start[i]
		for int(a.Slot) >= len(s.slots) {
			s.slots = append(s.slots, attempt{})
		}
		v := &s.slots[a.Slot]
		if v.busy && v.gen == a.Gen {
			continue
		}
		*v = attempt{began: s.now, moved: s.now, gen: a.Gen, rcpt: a.Rcpt, busy: true, ends: v.ends}
		s.rows[a.Rcpt].open = true
		s.rows[a.Rcpt].of.moves++
		s.ahead(a)
	}
}

// close ends a subset whose recipients are all final.
func (s *Server) close(v *subset) {
	if v.left == 0 && v.point == engine.P600 {
		s.write(engine.Ended{Subset: v.Subset})
		v.point = engine.P650
		s.tell(v)
	}
}

// tell sends the state of a subset, with the outcomes that are not imported.
func (s *Server) tell(v *subset) {
	if s.cfg.Counts {
		s.tally(v)
		return
	}
	rest := v.outcomes[min(v.imported, uint64(len(v.outcomes))):]
	rest = rest[:min(len(rest), s.cfg.Batch)]
	v.told = max(v.told, int(v.imported)+len(rest))
	s.send(engine.Progress{Subset: v.Subset, Checkpoint: v.point, Sent: s.now, Ended: uint64(len(v.outcomes)),
		First: v.imported + 1, Outcomes: engine.PackOutcomes(rest), Barred: s.barred, Busy: v.busy,
		Moves: v.moves, Open: s.open(v)})
}
