package crash

import (
	"cmp"
	"fmt"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/sim/crash/scope"
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

// oracle sees everything, and checks what must always hold.
type oracle struct {
	w         *World
	violation string
	rcpts     []truth
	servers   map[engine.Subset]mail.Server    // of subsets whose plan is in force, or was
	parts     map[engine.Subset]engine.Planned // that are neither finished nor lost
	imported  map[engine.Subset]uint64         // number of outcomes
	bars      [2]uint64                        // number of the last bar, from C and from D
	barred    []engine.Change                  // in their order
	changes   [2][]engine.Change               // of the servers for returned mail and for requests
	tokens    map[uint64]bool                  // of returned mail
	over      bool                             // what other schemes break on the way is their nature
	under     int                              // final dots, returned mail and requests that are on their way
	each      []seen
	today     struct{ day, recipients int } // of the account
}

// truth is what became of a recipient, and what the sending server has of it.
type truth struct {
	accepts int             // messages that its receiver accepted
	from    int             // host whose message was accepted first
	refused bool            // by its receiver
	of      engine.Subset   // the newest one with the recipient
	by      uint32          // number of the plan under which its end was imported
	status  mail.Status     // as imported
	losses  int             // plans that it was in when its server was lost
	hard    int             // hard returned mails of the person, since its last deletion
	soft    int             // soft ones
	wants   map[uint64]bool // requests, by token; true: to be confirmed
	told    [3]bool         // a question for confirmation came, by token
	ended   bool            // a delivering server has given it up, or sent it nothing as it was barred
	doubts  int             // ambiguous attempts
	barred  bool
}

// seen is what is durable on a delivering server, and what it does.
type seen struct {
	rows   []seenRow        // by recipient
	slots  []mail.Recipient // by slot: of its last attempt
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

func (o *oracle) begin(w *World) {
	n := w.cfg.Recipients
	*o = oracle{w: w, rcpts: make([]truth, n), servers: map[engine.Subset]mail.Server{},
		parts: map[engine.Subset]engine.Planned{}, imported: map[engine.Subset]uint64{}, tokens: map[uint64]bool{},
		under: w.cfg.Requests}
	for i := range w.cfg.Requests {
		o.rcpts[w.cfg.Asker(i)].wants = map[uint64]bool{}
	}
	o.each = make([]seen, len(w.hosts))
	for h := 1; h <= w.cfg.Servers; h++ {
		o.each[h] = seen{rows: make([]seenRow, n), slots: make([]mail.Recipient, w.cfg.Processes),
			points: map[engine.Subset]engine.Checkpoint{}}
	}
}

// fail records a violation. Only Ours keeps all promises.
func (o *oracle) fail(format string, args ...any) {
	if o.violation == "" && (o.w.cfg.Scheme.Intends() || o.over) {
		o.violation = fmt.Sprintf(format, args...)
	}
}

// began checks an attempt that begins: its time has come, no other is under way, and it has the right number.
func (o *oracle) began(h *host, a *mail.Attempt) {
	v := &o.each[h.number]
	r := &v.rows[a.Rcpt]
	if now := o.w.local(h.number, o.w.now); now < r.due {
		o.fail("recipient %d is tried at %v, due at %v", a.Rcpt, vt.Span(now), vt.Span(r.due))
	}
	if r.final != mail.Pending {
		o.fail("recipient %d is tried after it was %v", a.Rcpt, r.final)
	}
	if r.open {
		o.fail("recipient %d has two attempts at a time on %s", a.Rcpt, o.w.cfg.HostName(h.number))
	}
	if int(a.Try) != r.tries {
		o.fail("recipient %d begins try %d on %s after %d tries", a.Rcpt, a.Try, o.w.cfg.HostName(h.number), r.tries)
	}
	r.open, r.answered = true, false
	v.slots[a.Slot] = a.Rcpt
}

// planned reports whether a plan with the subset is in force, or was.
func (o *oracle) planned(s engine.Subset) bool {
	_, ok := o.servers[s]
	return ok
}

// holder returns the host with the right to deliver to a recipient, by the newest plan that is in force; 0: none.
func (o *oracle) holder(r mail.Recipient) int {
	if of := o.rcpts[r].of; o.planned(of) {
		return 1 + int(o.servers[of])
	}
	return 0
}

func (o *oracle) marked(h *host, d engine.Dotted) {
	o.each[h.number].rows[d.Rcpt].marked = 1 + int(d.Try)
}

// dotted checks a final dot: the intent is durable, the server has the right, the recipient is not barred.
func (o *oracle) dotted(h *host, d engine.Dotted) {
	r := &o.each[h.number].rows[d.Rcpt]
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
	for i := range o.each[h.number].rows {
		o.each[h.number].rows[i].open = false
	}
}

// durable checks facts that have become durable.
func (o *oracle) durable(h *host, facts []engine.Fact) {
	for _, f := range facts {
		switch {
		case h.number == 0:
			o.ofSender(f)
		case h.number <= o.w.cfg.Servers:
			o.ofRemote(h, f)
		default:
			o.ofInbox(f)
		}
	}
}

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

// changed checks a change that the sending server has: it comes once and in order.
func (o *oracle) changed(f engine.Barred, add bool) {
	n := f.From.Role - engine.Bounces
	c := engine.Change{Rcpt: f.Rcpt, Add: add}
	if o.bars[n]++; f.Number != o.bars[n] || f.Number > uint64(len(o.changes[n])) || o.changes[n][f.Number-1] != c {
		o.fail("A has %+v as change %d from %v, after %d of %v", c, f.Number, f.From, o.bars[n]-1, o.changes[n])
	}
	if r := &o.rcpts[f.Rcpt]; r.barred == add {
		r.barred = !add
		o.barred = append(o.barred, c)
	}
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

// ofInbox counts what servers for returned mail and requests have.
func (o *oracle) ofInbox(f engine.Fact) {
	switch f := f.(type) {
	case engine.Counted:
		if o.tokens[f.Token] {
			o.fail("a returned mail of recipient %d is counted twice", f.Rcpt)
		}
		o.tokens[f.Token] = true
		v := &o.rcpts[o.w.cfg.Places(f.Rcpt)[0]]
		if f.Hard {
			v.hard++
		} else {
			v.soft++
		}
		if due := v.hard == 2 || v.soft == 2; due != (f.Changes != "") {
			o.fail("returned mail %d of recipient %d, after %d hard and %d soft ones of the person, makes changes %v",
				f.Token, f.Rcpt, v.hard, v.soft, engine.UnpackChanges(f.Changes))
		} else if due {
			v.hard, v.soft = 0, 0
			o.makes(0, f.Rcpt, false, f.Changes)
		}
	case engine.Wanted:
		wants := o.rcpts[f.Rcpt].wants
		if _, ok := wants[f.Token]; ok {
			o.fail("a request of recipient %d is counted twice", f.Rcpt)
		}
		if wants[f.Token] = f.Changes == ""; wants[f.Token] != (f.Add || o.w.cfg.Confirm) {
			o.fail("request %d of recipient %d has to be confirmed: %v", f.Token, f.Rcpt, wants[f.Token])
		}
		if !wants[f.Token] {
			o.makes(1, f.Rcpt, f.Add, f.Changes)
		}
	case engine.Agreed:
		wants := o.rcpts[f.Rcpt].wants
		if !wants[f.Token] {
			o.fail("recipient %d confirms request %d, of %v", f.Rcpt, f.Token, wants)
		}
		wants[f.Token] = false
		o.makes(1, f.Rcpt, f.Token == uint64(addition), f.Changes)
	}
}

// makes checks the changes that a fact makes: they are those of all places of a person.
func (o *oracle) makes(source int, r mail.Recipient, add bool, changes string) {
	var want []engine.Change
	for _, p := range o.w.cfg.Places(r) {
		want = append(want, engine.Change{Rcpt: p, Add: add})
	}
	if got := engine.UnpackChanges(changes); !slices.Equal(got, want) {
		o.fail("recipient %d makes changes %v, want %v", r, got, want)
	}
	o.changes[source] = append(o.changes[source], want...)
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
		o.ended(h, &v.rows[f.Rcpt], &f)
	case engine.Barred:
		o.barredAt(h, f, false)
	case engine.Unbarred:
		o.barredAt(h, engine.Barred(f), true)
	}
}

// barredAt checks a change that a delivering server has.
func (o *oracle) barredAt(h *host, f engine.Barred, add bool) {
	v := &o.each[h.number]
	c := engine.Change{Rcpt: f.Rcpt, Add: add}
	if v.bars++; f.Number != v.bars || f.Number > uint64(len(o.barred)) || o.barred[f.Number-1] != c {
		o.fail("%s has %+v as bar %d after %d of %v", o.w.cfg.HostName(h.number), c, f.Number, v.bars-1, o.barred)
	}
	v.rows[f.Rcpt].barred = !add
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

// told checks a message that is sent: what it tells is durable.
func (o *oracle) told(h *host, m *engine.Message) {
	name := o.w.cfg.HostName(h.number)
	switch b := m.Body.(type) {
	case engine.Progress:
		v := &o.each[h.number]
		for _, r := range engine.UnpackOutcomes(b.Outcomes) {
			if v.rows[r.Rcpt].final != r.Status {
				o.fail("%s tells that recipient %d is %v, and has no durable fact of it", name, r.Rcpt, r.Status)
			}
		}
		if b.Checkpoint > v.points[b.Subset] || b.Barred > v.bars {
			o.fail("%s tells checkpoint %v and %d bars, and has %v and %d", name, b.Checkpoint, b.Barred,
				v.points[b.Subset], v.bars)
		}
	case engine.Changes:
		all, first := o.changes[m.From.Role-engine.Bounces], b.First-1
		for i, c := range engine.UnpackChanges(b.Entries) {
			if n := first + uint64(i); n >= uint64(len(all)) || all[n] != c {
				o.fail("%s tells %+v as change %d, and has %v", name, c, n+1, all)
			}
		}
	case engine.Confirm:
		if !o.rcpts[b.Rcpt].wants[b.Token] {
			o.fail("%s asks recipient %d to confirm request %d, and none waits for it", name, b.Rcpt, b.Token)
		}
	case engine.Got:
		if h.number == 0 {
			o.acknowledges(m.To.Role, b.UpTo)
		}
	case engine.Pull:
		o.acknowledges(m.To.Role, b.UpTo)
	case engine.Transfer:
		if !o.planned(b.Subset) {
			o.fail("A transfers %v, and no durable plan has it", b.Subset)
		}
	case engine.Start:
		if b.Imported > o.imported[b.Subset] {
			o.fail("%v: A tells that %d outcomes are imported, and has %d", b.Subset, b.Imported,
				o.imported[b.Subset])
		}
		if last := b.First - 1 + uint64(len(b.Bars)/4); !o.planned(b.Subset) || last > uint64(len(o.barred)) {
			o.fail("%v: A starts it with bars up to %d, and has %d, or no durable plan", b.Subset, last, len(o.barred))
		}
	case engine.Drop:
		if _, open := o.parts[b.Subset]; open {
			o.fail("%v: A drops it, and it is in force", b.Subset)
		}
	case engine.Summary:
		if m := o.w.mailing(b.Job); m.point != engine.P699 || m.recorded {
			o.fail("A reports the mailing at checkpoint %v, reported: %v", m.point, m.recorded)
		}
	}
}

func (o *oracle) acknowledges(source engine.Kind, upTo uint64) {
	if has := o.bars[source-engine.Bounces]; upTo > has {
		o.fail("A acknowledges change %d of %v, and has %d", upTo, source, has)
	}
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
