package crash

import (
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Result is what came of a run.
type Result struct {
	Counts
	Effects   int
	Violation string // the first promise that was broken
	Reported  vt.Time
}

// Counts are what is counted in a run, or in all runs.
type Counts struct {
	Points      int `json:"points"`                 // servers that stopped
	Missed      int `json:"missed"`                 // recipients who got nothing, and should have
	Duplicates  int `json:"duplicates"`             // messages beyond the first to a recipient
	Unexplained int `json:"unexplained_duplicates"` // of recipients without an ambiguous attempt and a lost server
	Ambiguous   int `json:"ambiguous"`              // attempts whose final dot was sent, and whose end is not recorded
	Replanned   int `json:"replanned"`              // recipients of lost servers, who may have the message

	Hits     []int   `json:"-"` // servers that stopped at an effect of their own: 2 x its Kind, and 1 more after it
	Recovery vt.Span `json:"-"` // the longest, from when the last server went on to the report
}

// Add adds what was counted elsewhere; of recoveries the longest stays.
func (c *Counts) Add(o *Counts) {
	c.Points += o.Points
	c.Missed += o.Missed
	c.Duplicates += o.Duplicates
	c.Unexplained += o.Unexplained
	c.Ambiguous += o.Ambiguous
	c.Replanned += o.Replanned
	c.Recovery = max(c.Recovery, o.Recovery)
	if c.Hits == nil {
		c.Hits = make([]int, len(o.Hits))
	}
	for i, n := range o.Hits {
		c.Hits[i] += n
	}
}

// result checks what must hold at the end.
func (o *oracle) result() Result {
	w := o.w
	r := Result{Counts: w.counts, Effects: w.effects, Reported: w.reported()}
	for h := 1; h <= w.cfg.Servers; h++ {
		for _, f := range w.hosts[h].disk.facts {
			if f, ok := f.(engine.Outcome); ok {
				v := &o.rcpts[f.Rcpt]
				v.ended = v.ended || f.Status == mail.Suppressed || f.Status == mail.Failed
				if f.Ambiguous {
					v.doubts++
					r.Ambiguous++
				}
			}
		}
	}
	for i := range o.rcpts {
		v := &o.rcpts[i]
		r.Replanned += v.losses
		if v.accepts == 0 && !v.refused && !v.ended && v.status != mail.Suppressed && v.status != mail.Failed {
			r.Missed++
		}
		if v.accepts > 1 {
			r.Duplicates += v.accepts - 1
			r.Unexplained += max(0, v.accepts-1-v.doubts-v.losses)
		}
	}
	o.over = true
	switch {
	case o.violation != "":
	case r.Missed > 0:
		o.fail("%d recipients are missed", r.Missed)
	case r.Unexplained > 0:
		o.fail("%d duplicates follow no ambiguous attempt", r.Unexplained)
	default:
		o.settled()
	}
	r.Violation = o.violation
	if r.Reported != vt.Never && w.lastHeal > 0 {
		r.Recovery = max(0, r.Reported.Sub(w.lastHeal))
	}
	return r
}

// settled checks that recipients who asked, or whose message came back twice, are barred, and those who asked to
// be added again are not.
func (o *oracle) settled() {
	for i := range o.w.cfg.Requests {
		asks := o.w.cfg.Asker(i)
		for _, r := range o.w.cfg.Places(asks) {
			if o.rcpts[r].barred == o.w.cfg.Rejoins(asks) {
				o.fail("recipient %d or its person has asked, and it is barred: %v", r, o.rcpts[r].barred)
			}
		}
	}
	for r := range min(o.w.cfg.Returned, len(o.rcpts)) {
		if v := &o.rcpts[r]; v.accepts > 0 && !v.barred {
			o.fail("recipient %d has two returned messages, and is not deleted", r)
		}
	}
	for i := range o.w.mailings {
		m := &o.w.mailings[i]
		if !slices.Contains(o.w.hosts[0].disk.facts, engine.Fact(engine.Reported{Job: m.Job})) {
			o.fail("mailing %d is reported, and A has no fact of it", m.Job)
		}
		s := m.summary
		if s.Delivered+s.Failed+s.Held+s.Suppressed != uint64(m.Recipients) {
			o.fail("the report has %+v of %d recipients", s, m.Recipients)
		}
	}
}
