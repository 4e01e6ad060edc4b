package delivery_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/governor/feedback"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Random inputs keep every invariant. The referee keeps separate accounts and
// shares no code with the machine.
func TestInvariants(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newReferee(t, seed).play() })
	}
}

// referee plays a machine's governor, observer, shell and receivers, and
// checks it.
type referee struct {
	*testing.T
	r     *rand.Rand
	m     *delivery.Machine
	out   engine.Outbox
	cfg   delivery.Config
	list  mail.List
	now   vt.Time
	input string // the last one, for messages

	c          float64 // C
	allocated  int     // after the last input
	recipients []recipient
	slots      map[mail.Slot]*process
	campaigns  []reservation
	handed     int
	final      int

	began, accounted    vt.Time // of the interval
	delivered, attempts uint64
	slotTime            float64
	idle                bool // for some time fewer were allocated than available
	intervals           int
	asked               int // number of decisions of the governor

	low, high int                  // bounds of the retry limit
	limits    []governor.Limiter   // of the destinations; none: no limits
	busyAt    [3]int               // attempts under way to them
	revivals  [3]vt.Time           // of the dead ones
	ending    map[mail.Slot]uint32 // attempts under way when C was last set, if processes beyond it must go then
}

type recipient struct {
	handed, busy bool
	status       mail.Status
	tries        int
	first        vt.Time // its first try began
	due          vt.Time // of the next try
	campaign     int
}

type process struct {
	a       mail.Attempt
	busy    bool
	began   vt.Time
	open    bool
	refused bool // the last message
	sent    int
}

type reservation struct {
	from, to, processes, subset int
	slots                       map[mail.Slot]bool
}

func newReferee(t *testing.T, seed uint64) *referee {
	f := &referee{T: t, r: rand.New(rand.NewPCG(seed, 1)), slots: map[mail.Slot]*process{}}
	f.recipients = make([]recipient, 50+f.r.IntN(400))
	dest := make([]mail.Destination, len(f.recipients))
	for i := range dest {
		dest[i] = mail.Destination(f.r.IntN(3) * f.r.IntN(2))
	}
	f.list = mail.ReadList(dest)
	delays := [][]vt.Span{{10 * vt.Second}, {vt.Second, vt.Minute, vt.Hour}, {30 * vt.Minute, 3 * vt.Hour, 5 * vt.Day},
		{vt.Millisecond}}
	f.cfg = delivery.Config{Server: 3, Interval: []vt.Span{vt.Minute, vt.Hour, vt.Day}[f.r.IntN(3)],
		Messages: 1 + f.r.IntN(6), Retry: retry.Config{
			Policy: "fixed", Limit: f.r.IntN(5), Delays: delays[f.r.IntN(len(delays))],
			Bounce: []string{"fail", "resend"}[f.r.IntN(2)], Ambiguous: []string{"hold", "resend"}[f.r.IntN(2)]}}
	f.moveLimit()
	if f.r.IntN(2) == 0 {
		f.cfg.Freeing = delivery.Freeing{Policy: []string{"at-interval", "continuous"}[f.r.IntN(2)],
			Victim:  []string{"ahead-of-schedule", "lowest-priority", "most-complete", "newest"}[f.r.IntN(4)],
			Shorten: f.r.IntN(2) * f.r.IntN(5)}
	}
	f.limit()
	f.c = 1 + 9*f.r.Float64()
	f.m = delivery.New(f.cfg, &f.list, f, f)
	return f
}

// moveLimit makes the retry limit move in half of the cases, and gives
// recipients up by age in some. The referee checks the bounds of a moving limit.
func (f *referee) moveLimit() {
	r := &f.cfg.Retry
	if f.r.IntN(3) == 0 {
		r.MaxAge = vt.Span(f.r.Int64N(int64(10 * vt.Hour)))
	}
	if f.r.IntN(3) == 0 {
		r.GreylistDelay = vt.Span(1+f.r.IntN(100)) * vt.Second
	}
	f.low, f.high = r.Limit, r.Limit
	if r.Limit == 0 || f.r.IntN(2) == 0 {
		return
	}
	usual := retry.Default()
	r.Policy = []string{"alloc", "dfr", "dfr-fn", "both-a", "both-fn", "stage", "stage-fn", "util",
		"util-fn"}[f.r.IntN(9)]
	r.When, r.Scope = []string{"interval", "continuous"}[f.r.IntN(2)], []string{"server", "mta"}[f.r.IntN(2)]
	r.LoadAbove, r.LoadBelow, r.DFRAbove, r.DFRBelow, r.Late = usual.LoadAbove, usual.LoadBelow, 2, 1.2, usual.Late
	r.Low, r.MinAttempts, r.Dwell, r.RestoreAfter, r.Inverse =
		f.r.IntN(r.Limit), 1+f.r.IntN(9), f.r.IntN(3), f.r.IntN(3), f.r.IntN(2) == 0
	r.Table = []retry.Row{{Allocated: 0.3, DFR: 1.1, Limit: r.Low}}
	f.low = r.Low
}

// limit sets limits for destinations in half of the cases.
func (f *referee) limit() {
	f.revivals = [3]vt.Time{vt.Never, vt.Never, vt.Never}
	if f.r.IntN(2) == 0 {
		return
	}
	d := governor.DefaultDestination()
	d.Law, d.Initial, d.Cohorts = "postfix-feedback", 1+f.r.IntN(4), []float64{0, 1, 3}[f.r.IntN(3)]
	d.Max, d.Revive = d.Initial+f.r.IntN(6), vt.Span(1+f.r.IntN(300))*vt.Second
	d.Parked = []int{0, 1, 20, 20000, 20000}[f.r.IntN(5)]
	d.Positive.Per, d.Negative.Per = feedback.Per(f.r.IntN(3)), feedback.Per(f.r.IntN(3))
	f.cfg.Destination, f.cfg.Destinations = d, len(f.busyAt)
	for range f.busyAt {
		f.limits = append(f.limits, d.Limiter())
	}
}

// room reports whether one more attempt may be under way to the destination of
// a recipient.
func (f *referee) room(r mail.Recipient) bool {
	d := f.list.Destination(r)
	return f.limits == nil || f.busyAt[d] < f.limits[d].Limit()
}

// revive revives the destinations whose time came before the given moment.
func (f *referee) revive(before vt.Time) {
	for d, l := range f.limits {
		if f.revivals[d] < before {
			f.revivals[d] = vt.Never
			l.Revive()
		}
	}
}

// play hands the list over in parts and answers until all is final.
func (f *referee) play() {
	parts := 1 + f.r.IntN(4)
	for step := 0; ; step++ {
		if step > 100000 {
			f.Fatal("it does not end")
		}
		if f.handed < len(f.recipients) && (f.m.Done() || f.r.IntN(20) == 0) {
			f.receive(parts)
			continue
		}
		if f.m.Done() && f.handed == len(f.recipients) {
			break
		}
		if slot, ok := f.anyBusy(); ok && f.r.IntN(10) > 0 {
			f.pass(vt.Span(f.r.Int64N(int64(10 * vt.Second))))
			if f.r.IntN(30) == 0 {
				f.stale(slot)
			}
			f.complete(slot)
			continue
		}
		f.wake()
	}
	f.pass(f.cfg.Interval / 7)
	before := f.asked
	f.input = "finish"
	f.m.Receive(f.now, engine.Message{Body: engine.Stop{}}, &f.out)
	f.m.Wake(f.now, nil, &f.out)
	if at := f.m.NextWake(); at != vt.Never {
		f.Errorf("stopped, and wants to be woken at %s", at)
	}
	if f.asked != before {
		f.Error("finish asks the governor")
	}
	if f.attempts != 0 || f.delivered != 0 {
		f.Errorf("after the last interval %d attempts are in no interval", f.attempts)
	}
	for i, r := range f.recipients {
		if r.status == mail.Pending || r.busy {
			f.Errorf("recipient %d ends %v", i, r.status)
		}
	}
}

// pass lets time pass; mostly as a punctual shell, which wakes on the way,
// sometimes as one that oversleeps.
func (f *referee) pass(d vt.Span) {
	until := f.now.Add(d)
	for f.m.NextWake() <= until && f.r.IntN(8) > 0 {
		f.at(max(f.now, f.m.NextWake()))
		f.wakeNow()
	}
	f.at(until)
}

func (f *referee) wake() {
	at := max(f.now, f.m.NextWake())
	if f.r.IntN(10) == 0 { // late, sometimes by days
		at = at.Add(vt.Span(f.r.Int64N(int64(f.cfg.Interval) * (1 + f.r.Int64N(4)))))
	}
	f.at(at)
	f.wakeNow()
}

func (f *referee) wakeNow() {
	f.input = fmt.Sprintf("%s: wake", f.now)
	f.m.Wake(f.now, nil, &f.out)
	f.check()
	if f.m.NextWake() <= f.now {
		f.Fatalf("%s: next wake at %s is not in the future", f.input, f.m.NextWake())
	}
}

// at moves the clock and integrates.
func (f *referee) at(now vt.Time) {
	f.slotTime += float64(now-f.accounted) * float64(f.busy())
	if now > f.accounted && f.busy() < int(f.c) {
		f.idle = true
	}
	f.now, f.accounted = now, now
}

func (f *referee) receive(parts int) {
	n := min(len(f.recipients)/parts+1, len(f.recipients)-f.handed)
	c := reservation{from: f.handed, to: f.handed + n, processes: 1 + f.r.IntN(8), subset: 1 + f.r.IntN(12),
		slots: map[mail.Slot]bool{}}
	for i := c.from; i < c.to; i++ {
		f.recipients[i] = recipient{handed: true, campaign: len(f.campaigns)}
	}
	f.campaigns = append(f.campaigns, c)
	f.handed += n
	f.input = fmt.Sprintf("%s: receive %+v", f.now, c)
	m := message(len(f.campaigns), engine.Reserve{From: mail.Recipient(c.from), To: mail.Recipient(c.to),
		Processes: c.processes, Subset: c.subset})
	f.m.Receive(f.now, m, &f.out)
	f.m.Receive(f.now, m, &f.out) // repeated: without effect
	f.check()
}

// message returns a numbered message of the operator.
func message(number int, b engine.Body) engine.Message {
	return engine.Message{Number: uint64(number), Body: b}
}

func (f *referee) anyBusy() (mail.Slot, bool) {
	var all []mail.Slot
	for s := range mail.Slot(len(f.slots)) {
		if p := f.slots[s]; p != nil && p.busy {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return all[f.r.IntN(len(all))], true
}

func (f *referee) busy() (n int) {
	for _, p := range f.slots {
		if p.busy {
			n++
		}
	}
	return n
}

// stale completes another generation of the slot, which must have no effect.
func (f *referee) stale(s mail.Slot) {
	f.input = fmt.Sprintf("%s: stale completion of slot %d", f.now, s)
	left, allocated, attempts := f.m.Left(), f.m.Allocated(), f.attempts
	gen := f.slots[s].a.Gen + uint32(1+f.r.IntN(3))
	if f.r.IntN(2) == 0 {
		gen = f.slots[s].a.Gen - 1
	}
	var out engine.Outbox
	f.m.Complete(f.now, &mail.Completion{Reply: mail.Reply{Code: 250, Stage: mail.StageDot}, Slot: s, Gen: gen}, &out)
	if len(out.Start)+len(out.Close) > 0 || f.m.Left() != left || f.m.Allocated() != allocated ||
		f.attempts != attempts {
		f.Fatalf("%s: has an effect: %v", f.input, out)
	}
}

var ends = []mail.Reply{
	{Code: 250, Stage: mail.StageDot}, {Code: 250, Stage: mail.StageDot}, {Code: 250, Stage: mail.StageDot},
	{Code: 451, Stage: mail.StageRCPT}, {Code: 452, Stage: mail.StageDot}, {Code: 421, Stage: mail.StageMAIL},
	{Code: 450, Stage: mail.StageMAIL},
	{Code: 550, Stage: mail.StageRCPT}, {Code: 554, Stage: mail.StageDATA}, {Code: 554, Stage: mail.StageBanner},
	{Code: 421, Stage: mail.StageBanner},
	{Fault: mail.Timeout, Stage: mail.StageConnect}, {Fault: mail.Drop, Stage: mail.StageRCPT},
	{Fault: mail.Drop, Stage: mail.StageDATA},
	{Fault: mail.Drop, Stage: mail.StageDot}, {Fault: mail.Timeout, Stage: mail.StageDot},
	{Fault: mail.ServFail, Stage: mail.StageDNS}, {Fault: mail.NoName, Stage: mail.StageDNS},
}

// complete ends the attempt of a slot in a random way.
func (f *referee) complete(s mail.Slot) {
	p := f.slots[s]
	reply := ends[f.r.IntN(len(ends))]
	f.input = fmt.Sprintf("%s: slot %d ends with %+v", f.now, s, reply)
	f.m.Complete(f.now, &mail.Completion{Reply: reply, Slot: s, Gen: p.a.Gen}, &f.out)
	f.check()
}

// Ended updates the accounts; it is called before the actions are known.
func (f *referee) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, got mail.Status) {
	p, rcpt := f.slots[a.Slot], &f.recipients[a.Rcpt]
	if !p.busy || *a != p.a || now != f.now {
		f.Fatalf("%s: %+v ended, under way is %+v", f.input, *a, p.a)
	}
	p.busy, rcpt.busy = false, false
	if f.revive(now); f.limits != nil {
		l := f.limits[a.Dest]
		if r.Code == 421 || r.Fault != mail.NoFault || r.Stage < mail.StageMAIL {
			l.Failure(f.busyAt[a.Dest])
		} else {
			l.Success(f.busyAt[a.Dest])
		}
		if l.Limit() > 0 {
			f.revivals[a.Dest] = vt.Never
		} else if f.revivals[a.Dest] == vt.Never {
			f.revivals[a.Dest] = now.Add(f.cfg.Destination.Revive)
		}
		f.busyAt[a.Dest]--
	}
	p.open = r.Fault == mail.NoFault && r.Code != 421 && r.Stage >= mail.StageMAIL
	p.refused = r.Code != 250
	rcpt.tries++
	if rcpt.tries == 1 {
		rcpt.first = p.began
	}
	delay := f.cfg.Retry.Delays[min(rcpt.tries, len(f.cfg.Retry.Delays))-1]
	if g := f.cfg.Retry.GreylistDelay; g > 0 && rcpt.tries == 1 && r.Stage == mail.StageRCPT &&
		(r.Code == 450 || r.Code == 451) {
		delay = g
	}
	old := f.cfg.Retry.MaxAge > 0 && now.Add(delay).Sub(rcpt.first) > f.cfg.Retry.MaxAge
	bounced := r.Code >= 500 || r.Fault == mail.NoName
	unknown := r.Fault != mail.NoFault && r.Stage == mail.StageDot
	switch {
	case r.Code == 250:
		rcpt.status = mail.Done
	case unknown && f.cfg.Retry.Ambiguous == "hold":
		rcpt.status = mail.Held
	case bounced && f.cfg.Retry.Bounce == "fail", rcpt.tries == f.high+1, old, rcpt.tries > f.low && got == mail.Failed:
		rcpt.status = mail.Failed
	default:
		rcpt.due = now.Add(delay)
	}
	f.attempts++
	if rcpt.status == mail.Done {
		f.delivered++
	}
	if rcpt.status != mail.Pending {
		f.final++
	}
	if got != rcpt.status {
		f.Fatalf("%s: recipient %d is %v after %d tries, want %v", f.input, a.Rcpt, got, rcpt.tries, rcpt.status)
	}
}

func (f *referee) Available() float64 { return f.c }

func (f *referee) Decide(governor.Sample) governor.Decision {
	d := governor.Decision{Previous: f.c}
	f.c = max(1, f.c+6*f.r.Float64()-3)
	if f.r.IntN(6) == 0 {
		f.c = 1
	}
	f.asked++
	f.ending = nil
	if v := f.cfg.Freeing; v.Policy == "at-interval" && v.Shorten == 0 {
		f.ending = map[mail.Slot]uint32{}
		for s, p := range f.slots {
			if p.busy {
				f.ending[s] = p.a.Gen
			}
		}
	}
	d.Available = f.c
	return d
}

func (f *referee) Interval(now vt.Time, s mail.Server, i engine.Interval) {
	span := now.Sub(f.began)
	if s != 3 || i.Number != f.intervals || i.Sample.Span != span || i.Sample.Attempts != f.attempts ||
		i.Sample.Delivered != f.delivered ||
		i.RetryLimit < f.low || i.RetryLimit > f.high || (f.cfg.Freeing.Policy == "" && i.Freed+i.HandedBack > 0) ||
		(i.Draining != f.idle && f.limits == nil) || i.Partial != (f.input == "finish") {
		f.Fatalf("%s: interval %+v, want number %d, %s, %d of %d, draining %v", f.input, i, f.intervals, span,
			f.delivered, f.attempts, f.idle)
	}
	if want := f.slotTime / float64(span); math.Abs(i.Sample.Allocated-want) > 1e-9*want {
		f.Fatalf("%s: %g allocated on average, want %g", f.input, i.Sample.Allocated, want)
	}
	var busy float64
	var attempts uint64
	for d, v := range i.Destinations {
		busy += v.Busy
		attempts += v.Attempts
		if f.revive(now); v.Limit != f.limits[d].Limit() {
			f.Fatalf("%s: the limit of destination %d is %d, want %d", f.input, d, v.Limit, f.limits[d].Limit())
		}
	}
	if f.limits != nil && (attempts != f.attempts || math.Abs(busy-i.Sample.Allocated) > 1e-9*busy) {
		f.Fatalf("%s: %d attempts and %g under way to all destinations, want %d and %g", f.input, attempts, busy,
			f.attempts, i.Sample.Allocated)
	}
	f.began, f.delivered, f.attempts, f.slotTime, f.idle = now, 0, 0, 0, false
	f.intervals++
}

// check performs the machine's actions and then checks every invariant.
func (f *referee) check() {
	f.Helper()
	if f.m.Available() != int(f.c) {
		f.Fatalf("%s: %d available, C is %g", f.input, f.m.Available(), f.c)
	}
	if f.revive(f.now); strings.HasSuffix(f.input, "wake") {
		f.revive(f.now + 1)
	}
	for _, s := range f.out.Close {
		f.close(s)
	}
	for _, a := range f.out.Start {
		f.start(a)
	}
	f.out.Clear()
	before := f.allocated
	var allocated int
	for c := range f.campaigns {
		f.campaigns[c].slots = map[mail.Slot]bool{}
	}
	for s, p := range f.slots {
		if p.busy {
			allocated++
			f.campaigns[f.recipients[p.a.Rcpt].campaign].slots[s] = true
		} else if p.open {
			f.Fatalf("%s: slot %d is free and holds a connection", f.input, s)
		}
	}
	if f.m.Allocated() != allocated {
		f.Fatalf("%s: %d allocated, %d attempts under way", f.input, f.m.Allocated(), allocated)
	}
	if allocated > max(int(f.c), before) { // [0070]: no process is freed, but none is added either
		f.Fatalf("%s: %d allocated of %g, %d before", f.input, allocated, f.c, before)
	}
	f.allocated = allocated
	for s, gen := range f.ending {
		if p := f.slots[s]; !p.busy || p.a.Gen != gen {
			delete(f.ending, s)
		}
	}
	if f.ending != nil && len(f.ending) == 0 && allocated > int(f.c) {
		f.Fatalf("%s: %d allocated of %g, and every attempt from before has ended", f.input, allocated, f.c)
	}
	if want := max(0, int(f.c)-allocated); f.m.Reservable() != want {
		f.Fatalf("%s: %d reservable, want %d", f.input, f.m.Reservable(), want)
	}
	if f.m.Left() != uint64(f.handed-f.final) || f.m.Done() != (f.handed == f.final) {
		f.Fatalf("%s: %d left, done %v, want %d", f.input, f.m.Left(), f.m.Done(), f.handed-f.final)
	}
	f.checkCampaigns(allocated)
}

// checkCampaigns: none has more processes than it asked for, and no process
// is left unused that one could use.
func (f *referee) checkCampaigns(allocated int) {
	for i, c := range f.campaigns {
		if len(c.slots) > c.processes {
			f.Fatalf("%s: campaign %d has %d processes, asked for %d", f.input, i, len(c.slots), c.processes)
		}
		if allocated >= int(f.c) || len(c.slots) == c.processes {
			continue
		}
		// A subset belongs to the process that took it, so untried recipients alone prove nothing; but there
		// is none without a process, and none that is due.
		for n := c.from; n < c.to; n++ {
			r := f.recipients[n]
			if r.status != mail.Pending || r.busy {
				continue
			}
			if !f.room(mail.Recipient(n)) {
				continue
			}
			if r.tries == 0 && len(c.slots) == 0 && (f.limits == nil || f.cfg.Destination.Parked >= len(f.recipients)) {
				f.Fatalf("%s: recipient %d is untried, its campaign has no process and %d are reservable", f.input, n,
					int(f.c)-allocated)
			}
			if overdue := f.now.Sub(r.due); r.tries > 0 && overdue > f.grain() && f.m.NextWake() > f.now {
				f.Fatalf("%s: recipient %d was due %s ago and %d processes are reservable", f.input, n, overdue,
					int(f.c)-allocated)
			}
		}
	}
}

// grain returns by how much the due time of a resend may be rounded up.
func (f *referee) grain() vt.Span {
	var longest vt.Span
	for _, d := range append(f.cfg.Retry.Delays, f.cfg.Retry.GreylistDelay) {
		longest = max(longest, d)
	}
	return longest/32768 + vt.Millisecond
}

// close checks that a slot holds a connection and no attempt.
func (f *referee) close(s mail.Slot) {
	p := f.slots[s]
	if p == nil || p.busy || !p.open {
		f.Fatalf("%s: slot %d hangs up without a connection, or within an attempt", f.input, s)
	}
	p.open = false
}

// start checks an attempt and begins it.
func (f *referee) start(a mail.Attempt) {
	s := a.Slot
	p := f.slots[s]
	if p == nil {
		p = &process{}
		f.slots[s] = p
	}
	if p.busy || a.Server != 3 {
		f.Fatalf("%s: %+v, but slot %d is busy with %+v", f.input, a, s, p.a)
	}
	r := &f.recipients[a.Rcpt]
	switch {
	case !r.handed || r.busy || r.status != mail.Pending:
		f.Fatalf("%s: starts recipient %d, which is %+v", f.input, a.Rcpt, *r)
	case int(a.Try) != r.tries || r.tries > f.cfg.Retry.Limit:
		f.Fatalf("%s: try %d of recipient %d after %d attempts", f.input, a.Try, a.Rcpt, r.tries)
	case r.tries > 0 && f.now < r.due:
		f.Fatalf("%s: recipient %d is tried again at %s, due at %s", f.input, a.Rcpt, f.now, r.due)
	case a.Dest != f.list.Destination(a.Rcpt):
		f.Fatalf("%s: recipient %d is sent to destination %d", f.input, a.Rcpt, a.Dest)
	case !f.room(a.Rcpt):
		f.Fatalf("%s: recipient %d is tried, of its destination %d attempts are under way with a limit of %d", f.input,
			a.Rcpt, f.busyAt[a.Dest], f.limits[a.Dest].Limit())
	case a.Gen == p.a.Gen:
		f.Fatalf("%s: slot %d has generation %d again", f.input, s, p.a.Gen)
	}
	want := mail.Fresh
	if p.open && p.a.Dest == a.Dest && p.sent < f.cfg.Messages {
		want = mail.Reused
		if p.refused {
			want = mail.Reset
		}
	}
	if a.Conn != want {
		f.Fatalf("%s: %+v, want a %v connection", f.input, a, want)
	}
	if want == mail.Fresh {
		p.sent, p.open = 0, false
	}
	p.sent++
	f.busyAt[a.Dest]++
	p.a, p.busy, p.began, r.busy = a, true, f.now, true
	p.open = p.open || want != mail.Fresh
}

// Ten thousand processes over the longest interval are more than 2^63
// slot-nanoseconds.
func TestSlotTimeDoesNotOverflow(t *testing.T) {
	const processes, interval = 10_000, 30 * vt.Day
	list := mail.ReadList(make([]mail.Destination, processes))
	var o lastInterval
	m := delivery.New(delivery.Config{Retry: retry.Default(), Messages: 1, Interval: interval}, &list,
		&steady{c: processes}, &o)
	var out engine.Outbox
	m.Receive(0, message(1, engine.Reserve{To: processes, Processes: processes, Subset: 1}), &out)
	m.Wake(vt.Time(interval), nil, &out)
	if o.Allocated != processes {
		t.Errorf("%g processes on average, want %d", o.Allocated, processes)
	}
}

// Attempts allocate no memory once the machine has grown, for any reply. Intervals
// may allocate: the governor and the observer keep what they need.
func TestNoAllocationPerInput(t *testing.T) {
	for _, v := range []struct{ policy, when, scope, free string }{
		{"fixed", "interval", "server", "none"}, {"alloc", "continuous", "server", "at-interval"},
		{"stage-fn", "continuous", "server", "continuous"}, {"dfr", "interval", "mta", "at-interval"},
	} {
		resends := retry.Default()
		resends.Limit, resends.Low, resends.Policy, resends.When, resends.Scope = 4, 2, v.policy, v.when, v.scope
		if v.policy != "fixed" {
			resends.MaxAge, resends.GreylistDelay = 5*vt.Hour, vt.Minute
		}
		t.Run(v.policy, func(t *testing.T) {
			noAllocations(t, resends,
				delivery.Freeing{Policy: v.free, Victim: "newest"})
		})
	}
}

func noAllocations(t *testing.T, resends retry.Config, freeing delivery.Freeing) {
	const processes = 50
	list := mail.ReadList(make([]mail.Destination, 1<<20))
	m := delivery.New(delivery.Config{Retry: resends, Freeing: freeing, Messages: 10, Interval: vt.Hour}, &list,
		&swinging{c: processes}, &lastInterval{})
	var now vt.Time
	underWay := make([]mail.Attempt, 0, processes)
	out := engine.Outbox{Start: make([]mail.Attempt, 0, processes), Close: make([]mail.Slot, 0, processes)}
	m.Receive(now, message(1, engine.Reserve{To: 1 << 20, Processes: processes, Subset: 100}), &out)
	next := 0
	input := func() {
		underWay = append(underWay, out.Start...)
		out.Clear()
		now = now.Add(200 * vt.Millisecond)
		if m.NextWake() <= now {
			m.Wake(now, nil, &out)
			return
		}
		a := underWay[0]
		copy(underWay, underWay[1:])
		underWay = underWay[:len(underWay)-1]
		next++
		m.Complete(now, &mail.Completion{Reply: ends[next%len(ends)], Slot: a.Slot, Gen: a.Gen}, &out)
	}
	for range 200000 { // until the number of waiting resends is at its maximum
		input()
	}
	if n := testing.AllocsPerRun(20000, input); n != 0 {
		t.Errorf("%v allocations per input", n)
	}
	if m.Done() {
		t.Error("the list is too short")
	}
}

// swinging is a governor that takes a fifth away and gives it back.
type swinging struct {
	c    float64
	down bool
}

func (g *swinging) Available() float64 { return g.c }
func (g *swinging) Decide(governor.Sample) governor.Decision {
	d := governor.Decision{Previous: g.c}
	if g.down = !g.down; g.down {
		g.c *= 0.8
	} else {
		g.c /= 0.8
	}
	d.Available = g.c
	return d
}

// steady is a governor that never moves.
type steady struct{ c float64 }

func (g *steady) Available() float64 { return g.c }
func (g *steady) Decide(governor.Sample) governor.Decision {
	return governor.Decision{Previous: g.c, Available: g.c}
}

// lastInterval keeps only the last interval.
type lastInterval struct{ governor.Sample }

func (o *lastInterval) Ended(vt.Time, *mail.Attempt, *mail.Reply, mail.Status) {}
func (o *lastInterval) Interval(_ vt.Time, _ mail.Server, i engine.Interval)   { o.Sample = i.Sample }
