package crash

import (
	"flyball/engine"
	"flyball/engine/sender"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Tokens of requests: each recipient has at most one to be deleted and one to be added.
const (
	deletion mail.Try = 1 + iota
	addition
)

// outside passes a host what comes from outside the system.
func (w *World) outside(h *host, e *event) {
	now := w.local(h.number, w.now)
	if role, ok := h.role.(*sender.Server); ok {
		role.Submit(now, w.mailings[e.try].Submitted, &w.out)
	} else {
		body := w.body(e)
		w.tell(h.number, "gets", body)
		h.role.Receive(now, engine.Message{Body: body}, &w.out)
	}
	w.perform(h)
}

func (w *World) body(e *event) engine.Body {
	token := uint64(e.try)
	switch {
	case e.kind == returned: // two hard ones and a soft one
		return engine.Returned{Token: uint64(e.rcpt)<<16 | token, Rcpt: e.rcpt, Hard: e.try < 2}
	case e.kind == confirmed:
		return engine.Confirmed{Rcpt: e.rcpt, Token: token}
	case e.try == addition:
		return engine.Join{Rcpt: e.rcpt, Token: token}
	case w.cfg.Rejoins(e.rcpt):
		return engine.Letter{Rcpt: e.rcpt, Token: token, Text: "Please UNSUBSCRIBE me.\n> subscribe"}
	}
	return engine.Request{Rcpt: e.rcpt, Token: token}
}

// comeBack lets a message come back three times, hard and soft.
func (w *World) comeBack(r mail.Recipient) {
	for n := range 3 {
		w.oracle.under++
		w.at(w.now.Add(vt.Span(n+1)*vt.Second/2), event{kind: returned, host: w.cfg.BounceHost(), rcpt: r,
			try: mail.Try(n)})
	}
}

// kept ends what came from outside, once its server has it. It may come again. Whose request has to be confirmed
// waits for a question, and asks again without one. A deletion that counts may be followed by an addition.
func (w *World) kept(e *event) {
	confirms := e.try == addition || w.cfg.Confirm
	switch {
	case w.next(messages) < w.wrong.Repeat, e.kind == request && confirms && !w.oracle.rcpts[e.rcpt].told[e.try]:
		w.at(w.now.Add(w.span(vt.Second, w.draws, 1)), *e)
	case e.try == deletion && w.cfg.Rejoins(e.rcpt) && (e.kind == confirmed || e.kind == request && !confirms):
		w.at(w.now.Add(vt.Second/5), event{kind: request, host: e.host, rcpt: e.rcpt, try: addition})
	default:
		w.oracle.under--
	}
}

// question lets a recipient confirm a request.
func (w *World) question(b engine.Confirm) {
	if told := &w.oracle.rcpts[b.Rcpt].told[b.Token]; !*told {
		*told = true
		w.oracle.under++
		w.at(w.now.Add(vt.Second/5), event{kind: confirmed, host: w.cfg.AskHost(), rcpt: b.Rcpt,
			try: mail.Try(b.Token)})
	}
}
