package crash

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/sim/crash/scope"
)

// mailing is one mailing: what its requestor has of it, and what the sending server has durably.
type mailing struct {
	engine.Submitted
	at vt.Time // when it is submitted

	point    engine.Checkpoint
	epoch    uint32           // of the newest plan
	plan     []engine.Planned // that is being written
	recorded bool             // that the requestor has the report

	summary engine.Summary
	reports int     // how often the report came
	came    vt.Time // when it came first; vt.Never: not yet
}

// gap is the time from one mailing to the next: they overlap.
const gap = 300 * vt.Millisecond

// mailingsOf divides the recipients into mailings. Several share the processes of the servers.
func mailingsOf(c *scope.Config) []mailing {
	all := make([]mailing, c.Mailings)
	place := func(i int) mail.Recipient { return mail.Recipient(c.Recipients * i / c.Mailings) }
	for i := range all {
		v := &all[i]
		v.at, v.came = vt.Time(gap)*vt.Time(i), vt.Never
		v.Submitted = engine.Submitted{Job: engine.Job(i + 1), First: place(i), Recipients: place(i+1) - place(i)}
		if c.Due > 0 {
			v.Due = v.at.Add(c.Due)
		}
		if c.Deadline > 0 {
			v.Deadline = v.at.Add(c.Deadline)
		}
		if c.Daily > 0 {
			v.Account = 1
		}
		if c.Mailings > 1 {
			v.Processes = max(1, c.Processes/c.Mailings)
		}
	}
	return all
}

// end returns the place behind the last recipient.
func (m *mailing) end() mail.Recipient { return m.First + m.Recipients }

func (w *World) mailing(j engine.Job) *mailing { return &w.mailings[j-1] }

// reported returns when the last report came; vt.Never: some did not come.
func (w *World) reported() (last vt.Time) {
	for i := range w.mailings {
		last = max(last, w.mailings[i].came)
	}
	return last
}

// report takes the report on a mailing.
func (w *World) report(s engine.Summary) {
	m := w.mailing(s.Job)
	if m.came == vt.Never {
		m.came, m.summary = w.now, s
	} else if m.summary != s {
		w.oracle.fail("two reports differ: %+v and %+v", m.summary, s)
	}
	m.reports++
	w.send(engine.Message{To: engine.Address{Role: engine.Sender}, Body: engine.Got{UpTo: uint64(s.Job)}})
}
