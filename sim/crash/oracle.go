package crash

import (
	"fmt"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Result is what came of a run.
type Result struct {
	Effects   int
	Crashes   int   // servers that stopped
	Hits      []int // see Account
	Violation string
	// recipients who got nothing, though neither their server refused them nor they asked to be deleted
	Missed      int
	Duplicates  int     // messages beyond the first to a recipient
	Unexplained int     // duplicates that follow no recorded ambiguous attempt
	Ambiguous   int     // recorded ambiguous attempts
	Recovery    vt.Span // from when the last server went on to the report
	Reported    vt.Time
}

// oracle sees everything, and checks what must always hold.
type oracle struct {
	w         *World
	violation string
	accepts   []int // by recipient: messages that its receiver accepted
	refused   []bool
	holder    []int // by recipient: host with the right to deliver to it, by the newest plan that is in force
	plan      []engine.Planned
	epoch     uint32
	parts     map[engine.Subset]string
	status    []mail.Status // by recipient, as imported
	losses    []int         // by recipient: plans that it was in when its server was lost
	bars      [2]uint64
	imported  map[engine.Subset]uint64
	point     engine.Checkpoint
	under     int // final dots, returned mail and requests that are on their way
	each      []seen
}

// seen is what is durable on a delivering server, and what it does.
type seen struct {
	intents []int // by recipient: 1 + the try of the last intent
	final   []mail.Status
	due     []vt.Time
	tries   []int
	barred  []bool
	open    []bool
	slots   []mail.Recipient // by slot: of its last attempt
}

func (o *oracle) begin(w *World) {
	n := w.cfg.Recipients
	*o = oracle{w: w, accepts: make([]int, n), refused: make([]bool, n), holder: make([]int, n),
		status: make([]mail.Status, n), losses: make([]int, n), parts: map[engine.Subset]string{},
		imported: map[engine.Subset]uint64{}, under: w.cfg.Requests}
	o.each = make([]seen, len(w.hosts))
	for h := 1; h <= w.cfg.Servers; h++ {
		o.each[h] = seen{make([]int, n), make([]mail.Status, n), make([]vt.Time, n), make([]int, n), make([]bool, n),
			make([]bool, n), make([]mail.Recipient, w.cfg.Processes)}
	}
}

// fail records a violation. Only Ours keeps all promises.
func (o *oracle) fail(format string, args ...any) {
	if o.violation == "" && o.w.cfg.Scheme.intends() {
		o.violation = fmt.Sprintf(format, args...)
	}
}

// began checks an attempt that begins: its time has come, and no other is under way.
func (o *oracle) began(h *host, a *mail.Attempt) {
	v := &o.each[h.number]
	if now := o.w.local(h.number, o.w.now); now < v.due[a.Rcpt] {
		o.fail("recipient %d is tried at %v, due at %v", a.Rcpt, vt.Span(now), vt.Span(v.due[a.Rcpt]))
	}
	if v.final[a.Rcpt] != mail.Pending {
		o.fail("recipient %d is tried after it was %v", a.Rcpt, v.final[a.Rcpt])
	}
	if v.open[a.Rcpt] {
		o.fail("recipient %d has two attempts at a time on %s", a.Rcpt, o.w.cfg.HostName(h.number))
	}
	v.open[a.Rcpt] = true
	v.slots[a.Slot] = a.Rcpt
}

// dotted checks a final dot: the intent is durable, the server has the right, the recipient is not barred.
func (o *oracle) dotted(h *host, d engine.Dotted) {
	v := &o.each[h.number]
	if v.intents[d.Rcpt] != 1+int(d.Try) {
		o.fail("recipient %d: a final dot without a durable intent", d.Rcpt)
	}
	if v.barred[d.Rcpt] {
		o.fail("recipient %d: a final dot after the recipient was barred", d.Rcpt)
	}
	if o.holder[d.Rcpt] != h.number {
		o.fail("recipient %d: a final dot from %s, but the plan has %s", d.Rcpt, o.w.cfg.HostName(h.number),
			o.w.cfg.HostName(o.holder[d.Rcpt]))
	}
}

func (o *oracle) replied(h *host, e *event) {
	o.each[h.number].open[e.rcpt] = false
	if e.completion.Reply.Code >= 500 {
		o.refused[e.rcpt] = true
	}
}

func (o *oracle) stopped(h *host) {
	if h.number >= 1 && h.number <= o.w.cfg.Servers {
		clear(o.each[h.number].open)
	}
}

// durable checks facts that have become durable.
func (o *oracle) durable(h *host, facts []engine.Fact) {
	for _, f := range facts {
		if h.number == 0 {
			o.ofSender(f)
		} else if h.number <= o.w.cfg.Servers {
			o.ofRemote(h, f)
		}
	}
}

func (o *oracle) ofSender(f engine.Fact) {
	switch f := f.(type) {
	case engine.Reached:
		if f.Checkpoint <= o.point {
			o.fail("checkpoint %v after %v", f.Checkpoint, o.point)
		}
		o.point = f.Checkpoint
	case engine.Planned:
		if f.Subset.Number == 0 {
			o.plan = nil
		}
		if o.plan = append(o.plan, f); len(o.plan) == f.Of {
			o.enact()
		}
	case engine.Imported:
		if f.First != o.imported[f.Subset]+1 {
			o.fail("%v: outcomes from %d on are imported after %d", f.Subset, f.First, o.imported[f.Subset])
		}
		for _, r := range engine.UnpackOutcomes(f.Outcomes) {
			o.imported[f.Subset]++
			if r.Status == mail.Done && o.accepts[r.Rcpt] == 0 {
				o.fail("recipient %d counts as delivered, and no receiver has the message", r.Rcpt)
			}
			o.status[r.Rcpt] = r.Status
		}
	case engine.Barred:
		o.bars[f.From.Role-engine.Bounces] = f.Number
	case engine.Closed:
		o.point = engine.P699
	}
}

// enact checks a plan that comes into force: its subsets have all recipients that are not final, each once.
func (o *oracle) enact() {
	instead := o.plan[0].Instead
	want := map[mail.Recipient]bool{}
	if o.plan[0].Subset.Epoch != o.epoch+1 {
		o.fail("plan %d comes into force after plan %d", o.plan[0].Subset.Epoch, o.epoch)
	}
	o.epoch = o.plan[0].Subset.Epoch
	if instead == (engine.Subset{}) {
		for r := range o.accepts {
			want[mail.Recipient(r)] = true
		}
	} else {
		for _, p := range engine.UnpackParts(o.parts[instead]) {
			for r := p.From; r < p.To; r++ {
				if o.status[r] == mail.Pending {
					want[r] = true
					o.losses[r]++
				}
			}
		}
	}
	for _, f := range o.plan {
		o.parts[f.Subset] = f.Part
		for _, p := range engine.UnpackParts(f.Part) {
			for r := p.From; r < p.To; r++ {
				if !want[r] {
					o.fail("%v: recipient %d is planned, and should not be", f.Subset, r)
				}
				delete(want, r)
				o.holder[r] = 1 + int(f.Server)
			}
		}
	}
	if len(want) > 0 {
		o.fail("plan %d leaves %d recipients out", o.epoch, len(want))
	}
	o.plan = nil
}

func (o *oracle) ofRemote(h *host, f engine.Fact) {
	v := &o.each[h.number]
	switch f := f.(type) {
	case engine.Intent:
		v.intents[f.Rcpt] = 1 + int(f.Try)
	case engine.Outcome:
		if v.final[f.Rcpt] != mail.Pending {
			o.fail("recipient %d is %v after it was %v", f.Rcpt, f.Status, v.final[f.Rcpt])
		}
		v.final[f.Rcpt] = f.Status
		v.due[f.Rcpt] = f.Due
		v.tries[f.Rcpt]++
		if f.Status == mail.Done && o.accepts[f.Rcpt] == 0 {
			o.fail("recipient %d counts as delivered, and no receiver has the message", f.Rcpt)
		}
		if f.Status == mail.Failed && !o.refused[f.Rcpt] && v.tries[f.Rcpt] <= resends {
			o.fail("recipient %d counts as failed after %d tries, and was not refused", f.Rcpt, v.tries[f.Rcpt])
		}
		if v.tries[f.Rcpt] > resends+1 {
			o.fail("recipient %d has %d tries, want at most %d", f.Rcpt, v.tries[f.Rcpt], resends+1)
		}
	case engine.Barred:
		v.barred[f.Rcpt] = true
	}
}

// told checks a message that is sent: what it tells is durable.
func (o *oracle) told(h *host, m *engine.Message) {
	switch b := m.Body.(type) {
	case engine.Progress:
		for _, r := range engine.UnpackOutcomes(b.Outcomes) {
			if o.each[h.number].final[r.Rcpt] != r.Status {
				o.fail("%s tells that recipient %d is %v, and has no durable fact of it",
					o.w.cfg.HostName(h.number), r.Rcpt, r.Status)
			}
		}
	case engine.Got:
		if h.number == 0 && b.UpTo > o.bars[m.To.Role-engine.Bounces] {
			o.fail("A acknowledges change %d, and has %d", b.UpTo, o.bars[m.To.Role-engine.Bounces])
		}
	case engine.Start:
		if b.Imported > o.imported[b.Subset] {
			o.fail("%v: A tells that %d outcomes are imported, and has %d", b.Subset, b.Imported, o.imported[b.Subset])
		}
	case engine.Summary:
		if o.point != engine.P699 {
			o.fail("A reports the mailing before it is closed")
		}
	}
}

// result checks what must hold at the end.
func (o *oracle) result() Result {
	w := o.w
	r := Result{Effects: w.effects, Crashes: w.crashes, Hits: w.hits, Reported: w.reported}
	ambiguous := append([]int(nil), o.losses...)
	suppressed := make([]bool, len(o.accepts))
	limit := make([]bool, len(o.accepts))
	for h := 1; h <= w.cfg.Servers; h++ {
		for _, f := range w.hosts[h].disk.facts {
			if f, ok := f.(engine.Outcome); ok {
				if f.Ambiguous {
					ambiguous[f.Rcpt]++
					r.Ambiguous++
				}
				suppressed[f.Rcpt] = suppressed[f.Rcpt] || f.Status == mail.Suppressed
				limit[f.Rcpt] = limit[f.Rcpt] || f.Status == mail.Failed
			}
		}
	}
	for i, n := range o.accepts {
		if n == 0 && !o.refused[i] && !suppressed[i] && !limit[i] {
			r.Missed++
		}
		if n > 1 {
			r.Duplicates += n - 1
			r.Unexplained += max(0, n-1-ambiguous[i])
		}
	}
	s := w.summary
	switch {
	case o.violation != "":
	case r.Missed > 0:
		o.fail("%d recipients are missed", r.Missed)
	case r.Unexplained > 0:
		o.fail("%d duplicates follow no ambiguous attempt", r.Unexplained)
	case s.Delivered+s.Failed+s.Held+s.Suppressed != uint64(w.cfg.Recipients):
		o.fail("the report has %+v of %d recipients", s, w.cfg.Recipients)
	}
	r.Violation = o.violation
	if w.reported != vt.Never && w.lastHeal > 0 {
		r.Recovery = max(0, w.reported.Sub(w.lastHeal))
	}
	return r
}
