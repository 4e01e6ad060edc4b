package sim

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// This file counts for the report of the run what the servers of a system do.

// report takes the report on a mailing, as who asked for it, and acknowledges it.
func (y *system) report(s engine.Summary) {
	m := &y.account.Mailings[s.Job-1]
	if m.Reported == vt.Never {
		m.Reported = y.now
	}
	a := y.nodes[0]
	y.agenda.Add(y.now, happening{what: y.receive, node: a, message: engine.Message{Body: engine.Got{
		UpTo: uint64(s.Job)}}})
}

// heed counts what a fact means for the account of the run.
func (y *system) heed(n *node, f engine.Fact, now vt.Time) {
	switch f := f.(type) {
	case engine.Planned:
		m := &y.account.Mailings[f.Subset.Job-1]
		m.Planned = min(m.Planned, now)
		m.Plans = max(m.Plans, int(f.Subset.Epoch))
		m.Subsets++
		if f.Instead != (engine.Subset{}) {
			m.Moved += count(f.Part)
			if f.Subset.Number == 0 {
				m.Lost++
			}
		}
	case engine.Took:
		n.server.rec.HandsOver(now, count(f.Part))
	case engine.Outcome:
		if f.Status == mail.Suppressed && !y.final[f.Rcpt] {
			y.final[f.Rcpt] = true
			if all := n.server.rec.Outcomes; all != nil {
				all.Suppress(f.Rcpt)
			}
			y.account.Suppressed++
			y.account.Mailings[y.mailing(f.Rcpt)].Suppressed++
		}
		if f.Ambiguous {
			y.account.Ambiguous++
		}
	}
}

// count returns the number of recipients in parts of a list.
func count(parts string) (n uint64) {
	for _, p := range engine.UnpackParts(parts) {
		n += uint64(p.To - p.From)
	}
	return n
}

// once passes attempts to a recorder, and the end of each recipient once.
type once struct {
	*runlog.Recorder
	system *system
}

// Ended records the end of an attempt. A recipient who is final already stays as before.
func (o once) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, status mail.Status) {
	final := &o.system.final[a.Rcpt]
	if *final {
		status = mail.Pending
	}
	*final = *final || status != mail.Pending
	o.Recorder.Ended(now, a, r, status)
}
