package realrun

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"flyball/engine"
	"flyball/engine/remote"
	"flyball/engine/sender"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/scenarios"
	"flyball/scenarios/work"
)

// Keeping is how a run keeps the facts of its mailing, so that another run goes on after this one has stopped in any
// way.
type Keeping struct {
	Journal *journal.Journal
	Before  []journal.Entry  // what the journal had when it was opened
	Late    []mail.Recipient // who get nothing any more, though they are recipients
	Boot    uint64           // names the time from the last start of the operating system to the next
	// Ahead is the number of messages of a session whose intents may be durable while their outcomes are not. 0: 1.
	Ahead int
	// Zero is time zero of a server alone (NewServer) whose journal is new; the zero value: now. Where one governor
	// decides for several servers, these and the governor have the same time zero, and so the same intervals.
	Zero   time.Time
	window int         // most recipients of a subset in doubt, see remote.Config; 0: its default
	Broken func(error) // called when a fact cannot be kept; must stop the run
	// Suppressed reports whether a recipient must get nothing, for a reason that came from outside of the run. It is
	// asked at the gate, for each final dot. nil: no recipient is.
	Suppressed func(mail.Recipient) bool
}

// kept has the roles of a run that keeps its facts: the sending server, and delivering servers that know what they must
// know after a stop. They run in one process, and each message between them arrives at once. Whatever rests on a fact
// waits until the fact is durable: final dots and messages. All facts that wait become durable together.
type kept struct {
	Keeping
	sender  *sender.Server   // nil: it is elsewhere
	remotes []*remote.Server // nil: it is elsewhere
	roles   *roles
	list    *mail.List
	work    []engine.Submitted
	gate    *gate
	doubts  []Doubt
	paused  bool

	barred     map[mail.Recipient]bool // by earlier runs
	bars       uint64                  // number of them
	suppressed uint64                  // recipients who got nothing since they are barred
	handed     uint64                  // recipients of all subsets that were taken

	memories []memory // by role: the delivering servers, and the governing role if there is one
	runs     []Begun  // of the mailing, this one too
	forgot   bool     // what earlier runs have learned is in another form

	group  *journal.Group
	held   []held
	dots   []heldDot
	waits  []int    // by role: held outboxes
	places []places // by role: where its facts are
}

// Doubt is an attempt that may have been accepted, though no reply to its final dot is known.
type Doubt struct {
	Rcpt   mail.Recipient
	Try    mail.Try
	Server mail.Server
	Status mail.Status // what became of the recipient: Pending, to be resent, or Held
}

// held are messages that wait until a record is durable.
type held struct {
	role   mail.Server
	record uint64
	send   []engine.Message
}

// heldDot is an answer to an attempt at the gate that waits until a record is durable.
type heldDot struct {
	role   mail.Server
	record uint64
	dot    engine.Dot
}

// keep replaces the delivering servers of roles by those that keep their facts, with a sending server unless it is
// elsewhere, and has them recover. They go on at a time, or at the time of the last fact if it is later. opened, unless
// it is nil, begins the journal.
func (r *roles) keep(s *scenarios.Scenario, list *mail.List, parts []work.Arrival, scale float64, k Keeping,
	from vt.Time, opened engine.Fact) (now vt.Time, err error) {
	v := &kept{Keeping: k, roles: r, barred: map[mail.Recipient]bool{}, list: list, gate: newGate(),
		remotes: make([]*remote.Server, len(r.machines)), memories: make([]memory, len(r.machines))}
	governors, cluster, err := s.Governors(witness{r.shared, v, mail.Server(len(r.machines))}, r.nearly)
	if err != nil {
		return 0, err
	}
	r.governors = governors
	if r.cluster = nil; r.elsewhere == nil && cluster != nil {
		r.cluster = cluster
		v.memories = append(v.memories, memory{})
	}
	wall := vt.Span(max(1, scale)) // the roles' own times are times of the clock on the wall
	for i := range r.machines {
		if !r.has(engine.Address{Role: engine.Remote, Server: mail.Server(i)}) {
			continue
		}
		cfg := remote.Default(s.Engine(mail.Server(i)))
		if r.elsewhere != nil {
			cfg.Delivery.Most = min(cmp.Or(cfg.Delivery.Most, mostProcesses), mostProcesses)
		}
		cfg.Resend, cfg.Stall = s.Retry.Spelled().Ambiguous == "resend", max(cfg.Stall*wall, s.Stall())
		cfg.Lease, cfg.Hold = cfg.Lease*wall, cfg.Hold*wall
		cfg.Suppressed = k.Suppressed
		cfg.Ahead, cfg.Window = max(1, k.Ahead), cmp.Or(k.window, cfg.Window)
		v.remotes[i] = remote.New(cfg, list, governors[i], witness{r.observer(i), v, mail.Server(i)})
		r.machines[i] = v.remotes[i]
	}
	if r.elsewhere == nil {
		v.work, v.sender = s.Submissions(list.Len()), v.sends(s, parts, wall)
	}
	r.kept = v
	if r.elsewhere == nil {
		r.here = upTo(r.number())
	}
	v.waits, v.places = make([]int, r.number()), make([]places, r.number())
	if n := len(k.Before); n > 0 {
		from = max(from, k.Before[n-1].At)
	}
	v.group = journal.NewGroup(k.Journal, from)
	first := r.here[len(r.here)-1] // the sending server, if it is here
	if opened != nil {
		v.note(from, first, opened)
	}
	if err = v.recover(from); err != nil {
		return 0, err
	}
	v.runs = append(v.runs, Begun{from, scale})
	v.note(from, first, engine.Run{Scale: scale})
	return from, nil
}

// sends returns the sending server.
func (v *kept) sends(s *scenarios.Scenario, parts []work.Arrival, wall vt.Span) *sender.Server {
	r := v.roles
	cfg := sender.Default(len(r.machines))
	cfg.Check, cfg.Lease, cfg.Patience, cfg.Stall = cfg.Check*wall, cfg.Lease*wall, cfg.Patience*wall,
		max(cfg.Stall*wall, s.Stall())
	cfg.Plan = func(m engine.Submitted, _ []int) [][]engine.Part {
		all := make([][]engine.Part, len(r.machines))
		for _, a := range parts {
			if engine.Job(a.Campaign+1) == m.Job {
				all[a.Server] = append(all[a.Server], engine.Part{From: a.Reserve.From, To: a.Reserve.To})
			}
		}
		return all
	}
	return sender.New(cfg)
}

// recover gives the roles what they wrote before. They go on at a time.
func (v *kept) recover(now vt.Time) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: its facts do not follow from each other: %v", journal.ErrDamaged, p)
		}
	}()
	facts := make([][]engine.Fact, v.roles.number())
	last := vt.Time(0)
	for _, e := range v.Before {
		if e.At < last {
			return fmt.Errorf("%w: got a fact of %v at %v after %v", journal.ErrDamaged, e.Role, e.At, last)
		}
		last = e.At
		if ours, err := v.saw(e); err != nil {
			return err
		} else if ours {
			continue
		}
		number := v.roles.numberOf(e.Role)
		if _, ok := v.roles.role(number).(engine.Durable); !ok || int(number) >= len(facts) {
			return fmt.Errorf("%w: got a fact of %v", journal.ErrDamaged, e.Role)
		}
		facts[number] = append(facts[number], e.Fact)
		if f, ok := e.Fact.(engine.Barred); ok && e.Role.Role == engine.Sender {
			v.barred[f.Rcpt], v.bars = true, max(v.bars, f.Number)
		}
		v.observe(e)
		if f, ok := e.Fact.(engine.Outcome); ok {
			v.doubt(number, f)
		}
	}
	for _, i := range v.roles.here {
		role, durable := v.roles.role(i).(engine.Durable)
		if durable {
			role.Recover(now, v.Boot, facts[i], &v.roles.out)
		}
		if err := v.remember(now, i); err != nil {
			return err
		}
		if !durable {
			continue
		}
		for _, f := range v.roles.out.Write {
			v.observe(journal.Entry{At: now, Role: v.address(i), Fact: f})
		}
		v.roles.settle(now, i)
	}
	return nil
}

// bar lets those get nothing any more who have asked for that since the last run.
func (v *kept) bar(now vt.Time) {
	var all []engine.Change
	for _, r := range v.Late {
		if !v.barred[r] {
			all = append(all, engine.Change{Rcpt: r})
		}
	}
	if all != nil {
		v.roles.receive(now, engine.Message{From: engine.Address{Role: engine.Requests},
			To: engine.Address{Role: engine.Sender}, Body: engine.Changes{First: v.bars + 1,
				Entries: engine.PackChanges(all)}})
	}
}

// ends counts a recipient who gets nothing since it is barred.
func (v *kept) ends(server mail.Server, f engine.Outcome) {
	if f.Status == mail.Suppressed {
		v.suppressed++
		if rec := v.roles.records[server]; rec.Outcomes != nil {
			rec.Outcomes.Suppress(f.Rcpt)
		}
	}
}

// submit hands all mailings to the sending server, which drops those that it has.
func (v *kept) submit(now vt.Time) {
	for _, m := range v.work {
		if m.Recipients > 0 {
			m.Deadline = 0 // the mailing gets the processes that it asks for
			v.sender.Submit(now, m, &v.roles.out)
			v.roles.settle(now, v.roles.numberOf(engine.Address{Role: engine.Sender}))
		}
	}
}

func (v *kept) address(number mail.Server) engine.Address {
	switch {
	case int(number) < len(v.remotes):
		return engine.Address{Role: engine.Remote, Server: number}
	case int(number) < len(v.memories):
		return engine.Address{Role: engine.Governing}
	}
	return engine.Address{Role: engine.Sender}
}

// observe records what an earlier run saw, as far as its facts have it.
func (v *kept) observe(e journal.Entry) {
	switch f := e.Fact.(type) {
	case engine.Outcome:
		v.ends(e.Role.Server, f)
		if all := v.memories[e.Role.Server].awaited; all[f.Rcpt] { // its attempt is recorded
			delete(all, f.Rcpt)
			return
		}
		rec := v.roles.records[e.Role.Server]
		a := mail.Attempt{Rcpt: f.Rcpt, Try: f.Try, Server: e.Role.Server, Dest: v.list.Destination(f.Rcpt)}
		switch {
		case f.Ambiguous:
			rec.Ended(e.At, &a, &mail.Reply{Stage: mail.StageDot, Fault: mail.Drop}, f.Status)
		case f.Status == mail.Done:
			rec.Ended(e.At, &a, &mail.Reply{Stage: mail.StageDot, Code: 250}, f.Status)
		case f.Status == mail.Failed:
			rec.Ended(e.At, &a, &mail.Reply{Stage: mail.StageRCPT, Code: 550}, f.Status)
		case f.Status == mail.Unreached:
			rec.Ended(e.At, &a, &mail.Reply{Stage: mail.StageDNS, Fault: mail.NotAllowed}, f.Status)
		case f.Status == mail.Pending:
			rec.Ended(e.At, &a, &mail.Reply{Stage: mail.StageRCPT, Code: 450}, f.Status)
		}
	case engine.Took:
		v.took(e.At, e.Role.Server, f)
	}
}

func (v *kept) took(now vt.Time, server mail.Server, f engine.Took) {
	for _, p := range engine.UnpackParts(f.Part) {
		v.handed += uint64(p.To - p.From)
		v.roles.records[server].HandsOver(now, uint64(p.To-p.From))
	}
}

func (v *kept) doubt(server mail.Server, f engine.Outcome) {
	if f.Ambiguous {
		v.doubts = append(v.doubts, Doubt{f.Rcpt, f.Try, server, f.Status})
	}
}

// hold keeps the facts of an outbox, and reports whether its messages wait: for facts of the same role to be durable,
// or for all facts if a receiver is elsewhere, which does not lose the message when this process loses the facts.
func (v *kept) hold(now vt.Time, number mail.Server, out *engine.Outbox) bool {
	v.learned(now, number)
	at := &v.places[number]
	for _, f := range out.Write {
		v.note(now, number, f)
		at.written++
		switch f := f.(type) {
		case engine.Outcome:
			v.doubt(number, f)
			v.ends(number, f)
		case engine.Took:
			v.took(now, number, f)
		}
	}
	for _, d := range out.Dots {
		if record := at.of(d.After, v.Journal.Records()+1); d.Send && record > v.group.Durable() {
			v.dots = append(v.dots, heldDot{number, record, d})
		} else {
			v.decide(now, number, d)
		}
	}
	record := v.group.Record()
	if record <= v.group.Durable() || v.roles.elsewhere == nil && len(out.Write) == 0 && v.waits[number] == 0 {
		return false
	}
	if len(out.Send) > 0 {
		v.waits[number]++
		v.held = append(v.held, held{number, record, slices.Clone(out.Send)})
	}
	return true
}

// decide gives the gate its answer. What is to be written before a dot is written in the next flush, and the dot is
// sent after it.
func (v *kept) decide(now vt.Time, number mail.Server, d engine.Dot) {
	if id := (slot{number, d.Slot}); v.gate.answer(now, id, d) {
		v.note(now, number, d.Mark)
	}
}

// flush writes all facts to the journal in one record, lets dots pass whose marks are among them, and begins to make
// everything durable if something waits for it. An outcome waits for the next attempt that comes to the gate, or for a
// short time.
func (v *kept) flush() {
	if record, err := v.group.Write(); err != nil {
		v.Broken(err)
		v.gate.open(false)
	} else if record > 0 {
		for i := range v.places {
			v.places[i].put(record)
		}
		v.gate.open(true)
	}
	v.group.Sync(len(v.held)+len(v.dots) > 0)
}

// shut refuses all attempts at the gate from now on, also those whose marks are to be written: these are not.
func (v *kept) shut() {
	v.group.DropMarks()
	v.gate.close()
}

// release does what has waited for a Sync that has ended.
func (v *kept) release(now vt.Time, s journal.Synced) {
	if err := v.group.Take(s); err != nil {
		v.Broken(err)
		return
	}
	durable := v.group.Durable()
	for i := range v.places {
		v.places[i].keep(durable)
	}
	rest := v.dots[:0]
	for _, h := range v.dots {
		if h.record <= durable {
			v.decide(now, h.role, h.dot)
		} else {
			rest = append(rest, h)
		}
	}
	v.dots = rest
	for len(v.held) > 0 && v.held[0].record <= durable {
		h := v.held[0]
		v.held = v.held[1:]
		v.waits[h.role]--
		for _, m := range h.send {
			v.roles.receive(now, m)
		}
	}
}

// halt stops or resumes all final dots.
func (v *kept) halt(now vt.Time, on bool) {
	v.paused = on
	for i, r := range v.remotes {
		if r == nil {
			continue
		}
		r.Halt(on)
		if !on {
			v.roles.wake(now, mail.Server(i), nil)
		}
	}
}
