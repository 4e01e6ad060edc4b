package crash

import (
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// This file checks what a delivering server does: its attempts, and its facts about them and its subsets.

// seen is what is durable on a delivering server, and what it does.
type seen struct {
	rows   []seenRow          // by recipient
	slots  []mail.Recipient   // by slot: of its last attempt
	dots   [][]mail.Recipient // by slot: of its final dots whose outcomes are not durable
	points map[engine.Subset]engine.Checkpoint
	bars   uint64
}

type seenRow struct {
	intent    int    // 1 + the try of the last intent
	boot      uint64 // of the last intent
	marked    int    // 1 + the try of the last mark
	final     mail.Status
	due       vt.Time
	tries     int
	barred    bool
	open      bool
	ambiguous bool // an attempt was
	answered  bool // the receiver replied to the attempt
}

// began checks an attempt that begins: its time has come, no other is under way, and it has the right number.
func (o *oracle) began(h *host, a *mail.Attempt) {
	v := &o.each[h.number]
	r := &v.rows[a.Rcpt]
	due, final, tries := r.due, r.final, r.tries
	for _, f := range h.disk.facts[h.sure:] { // an attempt need not wait until they are durable
		if f, ok := f.(engine.Outcome); ok && f.Rcpt == a.Rcpt {
			due, final, tries = f.Due, f.Status, tries+1
		}
	}
	if now := o.w.local(h.number, o.w.now); now < due {
		o.fail("recipient %d is tried at %v, due at %v", a.Rcpt, vt.Span(now), vt.Span(due))
	}
	if final != mail.Pending {
		o.fail("recipient %d is tried after it was %v", a.Rcpt, final)
	}
	if r.open {
		o.fail("recipient %d has two attempts at a time on %s", a.Rcpt, o.w.cfg.HostName(h.number))
	}
	if int(a.Try) != tries {
		o.fail("recipient %d begins try %d on %s after %d tries", a.Rcpt, a.Try, o.w.cfg.HostName(h.number), tries)
	}
	r.open, r.answered = true, false
	v.slots[a.Slot] = a.Rcpt
}

func (o *oracle) marked(h *host, d engine.Dotted) {
	o.each[h.number].rows[d.Rcpt].marked = 1 + int(d.Try)
}

// dotted checks a final dot: the intent is durable, the server has the right, the recipient is not barred.
func (o *oracle) dotted(h *host, slot mail.Slot, d engine.Dotted) {
	r := &o.each[h.number].rows[d.Rcpt]
	dots := &o.each[h.number].dots[slot]
	if *dots = append(*dots, d.Rcpt); len(*dots) > max(1, o.w.cfg.Ahead) {
		o.fail("slot %d: a final dot while %d outcomes are not durable", slot, len(*dots)-1)
	}
	if r.intent != 1+int(d.Try) {
		o.fail("recipient %d: a final dot without a durable intent", d.Rcpt)
	}
	if r.barred {
		o.fail("recipient %d: a final dot after the recipient was barred", d.Rcpt)
	}
	if o.holder(d.Rcpt) != h.number {
		o.fail("recipient %d: a final dot from %s, but the plan has %s", d.Rcpt, o.w.cfg.HostName(h.number),
			o.w.cfg.HostName(o.holder(d.Rcpt)))
	}
}

func (o *oracle) replied(h *host, e *event) {
	r := &o.each[h.number].rows[e.rcpt]
	r.open = false
	r.answered = e.completion.Reply.Fault == mail.NoFault
	if e.completion.Reply.Code >= 500 {
		o.rcpts[e.rcpt].refused = true
	}
}

// gaveUp ends the attempt of a slot that is given up without a reply.
func (o *oracle) gaveUp(h *host, slot mail.Slot) {
	v := &o.each[h.number]
	v.rows[v.slots[slot]].open = false
}

func (o *oracle) stopped(h *host) {
	clear(o.each[h.number].dots)
	for i := range o.each[h.number].rows {
		o.each[h.number].rows[i].open = false
	}
}

func (o *oracle) ofRemote(h *host, f engine.Fact) {
	v := &o.each[h.number]
	switch f := f.(type) {
	case engine.Took:
		o.follows(h, f.Subset, engine.P000, engine.P500)
	case engine.Began:
		o.follows(h, f.Subset, engine.P500, engine.P600)
	case engine.Ended:
		o.follows(h, f.Subset, engine.P600, engine.P650)
	case engine.Intent:
		r := &v.rows[f.Rcpt]
		r.intent, r.boot = 1+int(f.Try), f.Boot
	case engine.Outcome:
		for i := range v.dots {
			v.dots[i] = slices.DeleteFunc(v.dots[i], func(r mail.Recipient) bool { return r == f.Rcpt })
		}
		o.ended(h, &v.rows[f.Rcpt], &f)
	case engine.Barred:
		o.barredAt(h, f, false)
	case engine.Unbarred:
		o.barredAt(h, engine.Barred(f), true)
	}
}

// follows checks a checkpoint of a subset: it comes once, after the one before it.
func (o *oracle) follows(h *host, s engine.Subset, last, next engine.Checkpoint) {
	points := o.each[h.number].points
	if points[s] != last {
		o.fail("%s: %v: checkpoint %v after %v", o.w.cfg.HostName(h.number), s, next, points[s])
	}
	points[s] = next
}

// ended checks the end of an attempt: what is recorded is what the receiver did.
func (o *oracle) ended(h *host, r *seenRow, f *engine.Outcome) {
	if r.final != mail.Pending {
		o.fail("recipient %d is %v after it was %v", f.Rcpt, f.Status, r.final)
	}
	if int(f.Try) != r.tries {
		o.fail("recipient %d: an outcome of try %d after %d tries", f.Rcpt, f.Try, r.tries)
	}
	r.final, r.due = f.Status, f.Due
	r.ambiguous = r.ambiguous || f.Ambiguous
	r.tries++
	if f.Status == mail.Done && o.rcpts[f.Rcpt].accepts == 0 {
		o.fail("recipient %d counts as delivered, and no receiver has the message", f.Rcpt)
	}
	if f.Status == mail.Failed && !o.rcpts[f.Rcpt].refused && r.tries <= resends {
		o.fail("recipient %d counts as failed after %d tries, and was not refused", f.Rcpt, r.tries)
	}
	if f.Status == mail.Suppressed && !r.barred {
		o.fail("recipient %d is suppressed, and was not barred", f.Rcpt)
	}
	if r.tries > resends+1 {
		o.fail("recipient %d has %d tries, want at most %d", f.Rcpt, r.tries, resends+1)
	}
	switch {
	case !f.Ambiguous && !r.answered && f.Status != mail.Suppressed:
		o.fail("recipient %d is %v by try %d, and its receiver did not reply", f.Rcpt, f.Status, f.Try)
	case f.Ambiguous && r.intent != 1+int(f.Try):
		o.fail("recipient %d: try %d is ambiguous, and there was no intent", f.Rcpt, f.Try)
	case f.Ambiguous && r.boot == h.boot && r.marked != 1+int(f.Try):
		o.fail("recipient %d: try %d is ambiguous, and its final dot was never sent", f.Rcpt, f.Try)
	}
}
