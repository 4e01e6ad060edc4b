package crash

import (
	"cmp"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/sim/crash/scope"
)

// This file checks the facts of the sending server: mailings, their plans, and the outcomes that it imports.

func (o *oracle) ofSender(f engine.Fact) {
	switch f := f.(type) {
	case engine.Reached:
		m := o.w.mailing(f.Job)
		if f.Checkpoint != m.point+engine.P100 {
			o.fail("checkpoint %v after %v", f.Checkpoint, m.point)
		}
		m.point = f.Checkpoint
	case engine.Planned:
		m := o.w.mailing(f.Subset.Job)
		if f.Subset.Number == 0 {
			m.plan = nil
		}
		if m.plan = append(m.plan, f); len(m.plan) == f.Of {
			o.enact(m)
		}
	case engine.Imported:
		if f.First != o.imported[f.Subset]+1 {
			o.fail("%v: outcomes from %d on are imported after %d", f.Subset, f.First, o.imported[f.Subset])
		}
		for _, r := range engine.UnpackOutcomes(f.Outcomes) {
			o.imported[f.Subset]++
			if o.rcpts[r.Rcpt].of != f.Subset || o.rcpts[r.Rcpt].by == f.Subset.Epoch {
				o.fail("%v: the end of recipient %d is imported twice, or after its subset was lost", f.Subset, r.Rcpt)
			}
			if r.Status == mail.Done && o.rcpts[r.Rcpt].accepts == 0 {
				o.fail("recipient %d counts as delivered, and no receiver has the message", r.Rcpt)
			}
			o.rcpts[r.Rcpt].by, o.rcpts[r.Rcpt].status = f.Subset.Epoch, r.Status
		}
	case engine.Finished:
		delete(o.parts, f.Subset)
		for r := range o.rcpts {
			if v := &o.rcpts[r]; v.of == f.Subset && v.status == mail.Pending {
				o.fail("%v is finished, and the end of recipient %d is not imported", f.Subset, r)
			}
		}
	case engine.Barred:
		o.changed(f, false)
	case engine.Unbarred:
		o.changed(engine.Barred(f), true)
	case engine.Closed:
		o.closed(&f.Summary)
	case engine.Reported:
		o.w.mailing(f.Job).recorded = true
	}
}

// enact checks a plan that comes into force: its subsets have all recipients that are not final, each once.
func (o *oracle) enact(m *mailing) {
	instead := m.plan[0].Instead
	want := map[mail.Recipient]bool{}
	accepted, later := 0, 0 // later: those that a later plan is to have
	if m.plan[0].Subset.Epoch != m.epoch+1 {
		o.fail("plan %d comes into force after plan %d", m.plan[0].Subset.Epoch, m.epoch)
	}
	m.epoch = m.plan[0].Subset.Epoch
	if instead == (engine.Subset{}) {
		if m.point != engine.P400 && (o.w.cfg.Chunk+o.w.cfg.Daily == 0 || m.point != engine.P450) {
			o.fail("the first plan comes into force after checkpoint %v", m.point)
		}
		m.point = engine.P450
		for r := m.First; r < m.end(); r++ {
			if o.rcpts[r].of == (engine.Subset{}) {
				want[r] = true
			}
		}
		later = max(0, len(want)-o.most())
	} else {
		if _, open := o.parts[instead]; !open {
			o.fail("%v is planned anew, and is finished, lost or unknown", instead)
		}
		for _, p := range engine.UnpackParts(o.parts[instead].Part) {
			for r := p.From; r < p.To; r++ {
				if o.rcpts[r].status == mail.Pending {
					want[r] = true
					o.rcpts[r].losses++
					host := 1 + int(o.servers[instead])
					if o.rcpts[r].accepts > 0 && o.rcpts[r].from == host && !o.each[host].rows[r].ambiguous {
						accepted++
					}
				}
			}
		}
	}
	if accepted > o.w.cfg.Window && o.w.cfg.Scheme == scope.Ours {
		o.fail("%v is lost, and %d of its recipients have the message unseen, want at most %d", instead, accepted,
			o.w.cfg.Window)
	}
	for _, f := range m.plan {
		o.parts[f.Subset], o.servers[f.Subset] = f, f.Server
		for _, p := range engine.UnpackParts(f.Part) {
			for r := p.From; r < p.To; r++ {
				if !want[r] {
					o.fail("%v: recipient %d is planned, and should not be", f.Subset, r)
				}
				delete(want, r)
				if o.rcpts[r].of == (engine.Subset{}) {
					o.today.recipients++
				}
				o.rcpts[r].of = f.Subset
			}
		}
	}
	if len(want) != later {
		o.fail("plan %d leaves %d recipients out, want %d", m.epoch, len(want), later)
	}
	m.plan = nil
	delete(o.parts, instead)
	processes := 0
	for _, p := range o.parts {
		processes += p.Processes
	}
	if processes > o.w.cfg.Licence && o.w.cfg.Licence > 0 {
		o.fail("after plan %d there are %d processes, and the licence has %d", m.epoch, processes, o.w.cfg.Licence)
	}
}

// most returns how many recipients that were in no plan a plan may have: by the size of a chunk, and by what the
// account has left of its day.
func (o *oracle) most() int {
	n := cmp.Or(o.w.cfg.Chunk, o.w.cfg.Recipients)
	if o.w.cfg.Daily == 0 {
		return n
	}
	if day := int(vt.Span(o.w.now) / (24 * vt.Hour)); o.today.day != day {
		o.today.day, o.today.recipients = day, 0
	}
	return min(n, o.w.cfg.Daily-o.today.recipients)
}

// closed checks the end of a mailing: all subsets are finished, and the report has every recipient.
func (o *oracle) closed(s *engine.Summary) {
	m := o.w.mailing(s.Job)
	m.point = engine.P699
	for part := range o.parts {
		if part.Job == s.Job {
			o.fail("the mailing is closed, and %v is not finished", part)
		}
	}
	var count [mail.Statuses]uint64
	var repeated uint64
	for i := m.First; i < m.end(); i++ {
		if count[o.rcpts[i].status]++; o.rcpts[i].accepts > 1 {
			repeated++
		}
	}
	if s.Delivered != count[mail.Done] || s.Failed != count[mail.Failed] || s.Held != count[mail.Held] ||
		s.Suppressed != count[mail.Suppressed] || repeated > s.Ambiguous {
		o.fail("the report has %+v; by status there are %v, and %d got the message more than once", *s, count, repeated)
	}
}
