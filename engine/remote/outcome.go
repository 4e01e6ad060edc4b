package remote

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// watcher receives what the machine observes.
type watcher struct {
	s   *Server
	obs engine.Observer
}

// Ended writes the outcome of an attempt.
func (w watcher) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, status mail.Status) {
	shut := w.s.slots[a.Slot].shut
	w.s.ended(a, r, status)
	if shut { // the receiver has not replied to the final dot: the machine was given something in its place
		r, status = &mail.Reply{Took: r.Took, Stage: mail.StageDATA, Fault: mail.Aborted}, mail.Pending
	}
	w.obs.Ended(now, a, r, status)
}

func (w watcher) Interval(now vt.Time, s mail.Server, i engine.Interval) { w.obs.Interval(now, s, i) }

func (s *Server) ended(a *mail.Attempt, r *mail.Reply, status mail.Status) {
	v := &s.slots[a.Slot]
	w := &s.rows[a.Rcpt]
	v.busy, w.open = false, false
	w.of.busy += s.now.Sub(v.began)
	if v.sent {
		w.of.dots--
	}
	delete(s.intents, a.Rcpt)
	if v.shut && !w.barred {
		return
	}
	ambiguous := v.sent && r.Class() == mail.Ambiguous
	if v.shut {
		status = mail.Suppressed
	}
	o := engine.Outcome{Rcpt: a.Rcpt, Try: w.tries, Status: status, Ambiguous: ambiguous}
	if status == mail.Pending {
		o.Due = s.machine.Due()
	}
	s.charge(o)
	if full := s.cfg.Ahead; full > 0 {
		if len(v.ends) == full {
			v.ends = v.ends[:copy(v.ends, v.ends[1:])]
		}
		v.ends = append(v.ends, s.facts)
	}
}

// charge records an outcome.
func (s *Server) charge(o engine.Outcome) {
	s.write(o)
	s.settle(o)
}

// settle applies an outcome to its recipient.
func (s *Server) settle(o engine.Outcome) {
	w := &s.rows[o.Rcpt]
	w.tries, w.due, w.status = o.Try+1, o.Due, o.Status
	w.ambiguous = w.ambiguous || o.Ambiguous
	if w.status != mail.Pending {
		s.count(o.Rcpt)
	}
}
