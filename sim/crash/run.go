package crash

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Kind is a kind of effect.
type Kind int

const (
	Write   Kind = iota // a fact is written
	Intents             // the fact before a final dot is written
	Ends                // the fact after an attempt is written
	Sync                // facts are made durable
	Name                // the name of their file is made durable
	Begin               // an attempt begins
	Mark                // a final dot is marked
	Dots                // a final dot is sent
	Accept              // a receiver accepts a message
	Reply               // the reply to a final dot or a refusal arrives
	Send                // a message to another server is sent
	Receive             // a message arrives
	kinds
)

func (k Kind) String() string {
	return [...]string{"fact written", "intent written", "outcome written", "facts durable", "file's name durable",
		"attempt begun", "dot marked", "dot sent", "message accepted", "reply read", "message sent",
		"message received"}[k]
}

// handle lets an event happen. What belongs to a process that has stopped does not, but for the
// decision of a receiver that has the final dot already.
func (w *World) handle(e *event) {
	h := &w.hosts[e.host]
	now := w.local(e.host, w.now)
	switch paused := w.now < h.until && h.until != vt.Never; {
	case e.kind == accept:
		w.accept(e)
		return
	case e.kind == strike:
		w.hit(h, w.wrong.Crashes[e.rcpt])
		return
	case e.kind == restart:
		w.restart(h)
		return
	case e.kind == message && e.message.To.Role == engine.Operator:
		w.report(e.message.Body.(engine.Summary))
		return
	case e.kind == message && e.message.To.Role == engine.Recipients:
		w.question(e.message.Body.(engine.Confirm))
		return
	case paused:
		w.at(h.until, *e)
		return
	}
	switch e.kind {
	case submit, returned, request, confirmed:
		life := h.life
		if h.up {
			w.outside(h, e)
		}
		w.at(max(w.now, h.safe), event{kind: kept, host: e.host, life: life, then: &event{kind: e.kind, host: e.host,
			rcpt: e.rcpt, try: e.try}})
	case kept:
		if !h.up || h.life != e.life { // the other side tries again until the server has it
			w.at(w.now.Add(vt.Second), *e.then)
			return
		}
		if h.sent++; e.then.kind != submit {
			w.kept(e.then)
		}
	case message:
		if h.up && w.effect(h, Receive) {
			h.role.Receive(now, e.message, &w.out)
			w.done(h, Receive)
			w.perform(h)
		}
	case gate:
		if h.up && h.life == e.life && !h.gaveUp(e) {
			h.remote.Gate(now, e.completion.Slot, e.completion.Gen, &w.out)
			w.perform(h)
		}
	case reply:
		if h.up && h.life == e.life && !h.gaveUp(e) && w.effect(h, Reply) {
			w.oracle.replied(h, e)
			w.tell(h.number, "reply", e)
			h.remote.Complete(now, &e.completion, &w.out)
			w.done(h, Reply)
			w.perform(h)
		}
	case synced:
		if h.up && h.life == e.life {
			h.waits--
			w.out = *e.rest
			w.durable(h, e.upTo)
		}
	}
}

// tell tells a story what a host does.
func (w *World) tell(host int, what string, of any) {
	if w.note != nil {
		w.note(host, what, of)
	}
}

// effect counts an effect of a host and lets the crashes before it happen. It reports whether the host
// goes on.
func (w *World) effect(h *host, k Kind) bool {
	w.effects++
	if w.trace != nil {
		w.trace(h.number, k)
	}
	return w.strike(h, k, false)
}

// perform does what a role asks for: facts first.
func (w *World) perform(h *host) {
	if h.up && (len(w.out.Write) > 0 || h.waits > 0) {
		for _, f := range w.cfg.Scheme.Writes(&w.out) {
			if !w.effect(h, kindOf(f)) {
				break
			}
			h.disk.write(f)
			h.ends = append(h.ends, len(h.disk.facts))
			w.tell(h.number, "writes", f)
			if !w.done(h, kindOf(f)) {
				break
			}
		}
		upTo := len(h.disk.facts)
		if len(w.out.Write) > 0 {
			h.safe = w.now.Add(w.cfg.Commit)
		}
		if h.up && w.cfg.Commit > 0 {
			if w.cfg.Ahead > 0 {
				w.hurry(h)
			}
			rest := engine.Outbox{Close: w.out.Close, Start: w.out.Start, Dots: w.out.Dots, Send: w.out.Send}
			w.out = engine.Outbox{}
			h.waits++
			w.at(max(w.now, h.safe), event{kind: synced, host: h.number, life: h.life, rest: &rest, upTo: upTo})
			return
		} else if h.up {
			w.durable(h, upTo)
			return
		}
	}
	if h.up {
		w.act(h)
	}
	w.out.Clear()
}

// hurry performs what need not wait for the facts of its Outbox: attempts begin, and final dots are sent as soon as the
// facts are durable on which they rest.
func (w *World) hurry(h *host) {
	now := engine.Outbox{Close: w.out.Close, Start: w.out.Start}
	rest := engine.Outbox{Send: w.out.Send}
	for _, d := range w.out.Dots {
		if !d.Send || h.ends[d.After-1] <= h.sure {
			now.Dots = append(now.Dots, d)
		} else {
			rest.Dots = append(rest.Dots, d)
		}
	}
	w.out = now
	w.act(h)
	w.out = rest
}

func kindOf(f engine.Fact) Kind {
	switch f.(type) {
	case engine.Intent:
		return Intents
	case engine.Outcome:
		return Ends
	}
	return Write
}

// durable makes the first facts of a host durable and performs the rest of the Outbox.
func (w *World) durable(h *host, upTo int) {
	if !w.cfg.Scheme.Waits(&w.out) || w.sync(h, upTo) {
		w.act(h)
	}
	w.out.Clear()
}

// sync makes the first facts of a host durable: what their files have, and then the names of new files. It reports
// whether the host goes on.
func (w *World) sync(h *host, upTo int) bool {
	if !w.effect(h, Sync) {
		return false
	}
	last := Sync
	if h.disk.sync(upTo); h.disk.unnamed(upTo) {
		if !w.done(h, Sync) || !w.effect(h, Name) {
			return false
		}
		h.disk.name(upTo)
		last = Name
	}
	w.rely(h, upTo)
	return w.done(h, last)
}

// rely lets everything rest on the first facts of a host from now on.
func (w *World) rely(h *host, upTo int) {
	if from := h.sure; upTo > from {
		h.sure = upTo
		w.oracle.durable(h, h.disk.facts[from:upTo])
	}
}

// act performs all but the facts of the Outbox.
func (w *World) act(h *host) {
	for _, slot := range w.out.Close {
		h.over[slot] = h.begun[slot]
		w.oracle.gaveUp(h, slot)
	}
	for i := range w.out.Start {
		if !w.effect(h, Begin) {
			return
		}
		w.begin(h, &w.out.Start[i])
		if !w.done(h, Begin) {
			return
		}
	}
	for _, d := range w.out.Dots {
		if !w.dot(h, d) {
			return
		}
	}
	for i := range w.out.Send {
		if !w.effect(h, Send) {
			return
		}
		w.oracle.told(h, &w.out.Send[i])
		w.send(w.out.Send[i])
		if !w.done(h, Send) {
			return
		}
	}
}

// begin begins an attempt: the receiver refuses it at RCPT, or it comes to the gate.
func (w *World) begin(h *host, a *mail.Attempt) {
	w.oracle.began(h, a)
	h.begun[a.Slot] = a.Gen
	w.tell(h.number, "begins", a)
	took := w.span(w.cfg.Open, uint64(a.Rcpt), uint32(a.Try))
	e := event{kind: gate, host: h.number, life: h.life, rcpt: a.Rcpt, try: a.Try}
	e.completion = mail.Completion{Slot: a.Slot, Gen: a.Gen, Reply: mail.Reply{Took: took, Stage: mail.StageRCPT}}
	switch p := w.chance(uint64(a.Rcpt), 0, outcomes); {
	case p < w.cfg.Refused:
		e.kind, e.completion.Reply.Code = reply, 550
	case p < w.cfg.Refused+w.cfg.Deferred && a.Try == 0:
		e.kind, e.completion.Reply.Code = reply, 451
	}
	if !w.hangs() {
		w.at(w.now.Add(took), e)
	}
}

// hangs draws whether a process hangs.
func (w *World) hangs() bool { return w.cfg.Hang > 0 && w.next(hangs) < w.cfg.Hang }

// gaveUp reports whether an event belongs to an attempt that its server has given up.
func (h *host) gaveUp(e *event) bool {
	return e.completion.Gen <= h.over[e.completion.Slot]
}

// span returns a time between least and twice as long, which a name draws.
func (w *World) span(least vt.Span, entity uint64, try uint32) vt.Span {
	return least + vt.Span(float64(least)*w.chance(entity, try, times))
}

// dot sends a final dot, or ends the attempt without one. It reports whether the host goes on.
func (w *World) dot(h *host, d engine.Dot) bool {
	e := event{host: h.number, life: h.life, dot: d}
	e.completion = mail.Completion{Slot: d.Slot, Gen: d.Gen,
		Reply: mail.Reply{Stage: mail.StageDATA, Fault: mail.Aborted}}
	if !d.Send || w.local(h.number, w.now) >= d.Until {
		e.kind, e.rcpt = reply, w.oracle.each[h.number].slots[d.Slot]
		w.at(w.now, e)
		return true
	}
	mark := d.Mark.(engine.Dotted)
	if w.cfg.Scheme.Intends() {
		if !w.effect(h, Mark) {
			return false
		}
		h.disk.write(mark)
		w.oracle.marked(h, mark)
		if !w.done(h, Mark) {
			return false
		}
	}
	if !w.effect(h, Dots) {
		return false
	}
	w.oracle.dotted(h, d.Slot, mark)
	w.tell(h.number, "dot", d.Mark)
	e.kind, e.rcpt, e.try = accept, mark.Rcpt, mark.Try
	w.oracle.under++
	w.at(w.now.Add(w.cfg.Accept), e)
	return w.done(h, Dots)
}

// accept lets the receiver accept a message whose final dot it has. The reply may be lost: in one half of
// the cases because the connection breaks before the message is accepted.
func (w *World) accept(e *event) {
	h := &w.hosts[e.host]
	w.effect(h, Accept)
	w.oracle.under--
	e.kind = reply
	e.completion.Reply = mail.Reply{Took: w.cfg.Accept + w.cfg.Answer, Code: 250, Stage: mail.StageDot}
	luck := w.next(replies)
	if luck < w.wrong.Lost {
		e.completion.Reply.Code, e.completion.Reply.Fault = 0, mail.Drop
	}
	if luck >= w.wrong.Lost/2 {
		w.take(e)
	}
	if !w.hangs() {
		w.at(w.now.Add(w.cfg.Answer), *e)
	}
	w.done(h, Accept)
}

// take lets a receiver have a message. Some messages come back later.
func (w *World) take(e *event) {
	w.tell(e.host, "accepted", e)
	first := w.oracle.rcpts[e.rcpt].accepts == 0
	if first {
		w.oracle.rcpts[e.rcpt].from = e.host
	}
	if first || !w.cfg.Scheme.Remembers() {
		w.oracle.rcpts[e.rcpt].accepts++
	}
	if first && int(e.rcpt) < w.cfg.Returned {
		w.comeBack(e.rcpt)
	}
}

// send lets a message travel. It may be lost or come twice; between servers of which one is cut off it is lost.
func (w *World) send(m engine.Message) {
	e := event{kind: message, host: w.hostOf(m.To), message: m}
	lost := w.next(messages) < w.wrong.Loss || w.apart(m)
	if w.note != nil {
		w.note(w.hostOf(m.From), map[bool]string{false: "sends", true: "loses"}[lost], m)
	}
	if lost {
		return
	}
	w.at(w.now.Add(w.span(w.cfg.Message, w.draws, 1)), e)
	if w.next(messages) < w.wrong.Repeat {
		w.at(w.now.Add(5*w.span(w.cfg.Message, w.draws, 1)), e)
	}
}

// apart reports whether a message is one between servers of which one is cut off.
func (w *World) apart(m engine.Message) bool {
	for _, a := range []engine.Address{m.From, m.To} {
		if a.Role == engine.Operator || a.Role == engine.Recipients {
			return false
		}
	}
	return w.now < w.hosts[w.hostOf(m.From)].cut || w.now < w.hosts[w.hostOf(m.To)].cut
}

func (w *World) hostOf(a engine.Address) int {
	switch a.Role {
	case engine.Remote:
		return 1 + int(a.Server)
	case engine.Bounces:
		return w.cfg.BounceHost()
	case engine.Requests:
		return w.cfg.AskHost()
	}
	return 0
}
