package remote

import (
	"fmt"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/engine/internal/roletest"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// step is an input of the role and what it asks for.
type step struct {
	at   vt.Span
	in   any
	want string
}

type (
	wake  = roletest.Wake
	end   = roletest.End
	again = roletest.Again
	idle  = roletest.Done
)

func gate(slot mail.Slot) roletest.Gate { return roletest.Gate{Slot: slot} }

func halt(on bool) roletest.Input {
	return func(r engine.Durable, now vt.Time, out *engine.Outbox) {
		r.(*Server).Halt(on)
		r.Wake(now, nil, out)
	}
}

type silent struct{}

func (silent) Ended(vt.Time, *mail.Attempt, *mail.Reply, mail.Status) {}
func (silent) Interval(vt.Time, mail.Server, engine.Interval)         {}

func one(number uint32) engine.Subset { return engine.Subset{Job: 1, Epoch: 1, Number: number} }

func transfer(number uint32, parts ...engine.Part) engine.Transfer {
	p := engine.PackParts(parts)
	return engine.Transfer{Subset: one(number), Part: p, Digest: engine.DigestOf(p),
		Terms: engine.Terms{Processes: 2, Size: 2}}
}

func start(number uint32, echo vt.Span, imported uint64, first uint64, bars ...mail.Recipient) engine.Start {
	return engine.Start{Subset: one(number), Echo: vt.Time(echo), Imported: imported, First: first,
		Bars: roletest.Changes(bars...)}
}

// play gives a role with two processes and a list of eight recipients its inputs.
func play(t *testing.T, change func(*Config), steps []step) {
	t.Helper()
	d := delivery.Config{Retry: retry.Default(), Messages: 1, Servers: 1}
	d.Retry.Limit, d.Retry.Delays, d.Retry.Ambiguous = 3, []vt.Span{10 * vt.Second}, "resend"
	hold := governor.Default()
	hold.Law, hold.Start, hold.Target = "hold", 2, 1
	d.Interval = hold.Interval
	cfg := Default(d)
	cfg.Resend, cfg.Batch = true, 3
	if change(&cfg); cfg.Validate() != nil {
		t.Fatal(cfg.Validate())
	}
	list := mail.SyntheticList(8, []float64{1}, rng.New(1, 0))
	var all []roletest.Step
	for _, v := range steps {
		all = append(all, roletest.Step{At: v.at, In: v.in, Want: v.want})
	}
	roletest.Play(t, func() engine.Durable {
		gov, err := governor.New(hold)
		if err != nil {
			t.Fatal(err)
		}
		return New(cfg, &list, gov, silent{})
	}, all)
}

func plain(*Config) {}

var (
	accepted = func(slot mail.Slot) end { return end{Slot: slot, Code: 250, Stage: mail.StageDot, Fault: mail.NoFault} }
	deferred = func(slot mail.Slot) end {
		return end{Slot: slot, Code: 451, Stage: mail.StageRCPT, Fault: mail.NoFault}
	}
	refused = func(slot mail.Slot) end {
		return end{Slot: slot, Code: 550, Stage: mail.StageRCPT, Fault: mail.NoFault}
	}
	aborted = func(slot mail.Slot) end { return end{Slot: slot, Code: 0, Stage: mail.StageDATA, Fault: mail.Aborted} }
	lost    = func(slot mail.Slot) end { return end{Slot: slot, Code: 0, Stage: mail.StageDot, Fault: mail.Drop} }
)

// A subset has a priority and a rate of its own, after a stop of the server too.
func TestTerms(t *testing.T) {
	slow, mail := transfer(0, engine.Part{From: 0, To: 4}), transfer(1, engine.Part{From: 4, To: 5})
	slow.Rate, mail.Priority = 3600, 1
	play(t, plain, []step{
		{0, slow, "job 1, plan 1, subset 0 taken: r0-r3, 2 processes, 3600/h\n" + told("P500, sent 0s, 0 ended")},
		{0, mail, `job 1, plan 1, subset 1 taken: r4, 2 processes, priority 1
			to sender 0: progress job 1, plan 1, subset 1: P500, sent 0s, 0 ended`},
		{vt.Second, again{}, ""},
		{vt.Second, start(0, vt.Second, 0, 1), "job 1, plan 1, subset 0 begun\nslot 0 begins r0, try 0\n" +
			told("P600, sent 1s, 0 ended")},
		{2 * vt.Second, wake{}, "slot 1 begins r2, try 0"},
		{3 * vt.Second, start(1, 3*vt.Second, 0, 1), `job 1, plan 1, subset 1 begun
			to sender 0: progress job 1, plan 1, subset 1: P600, sent 3s, 0 ended`},
		{3 * vt.Second, refused(0), `outcome r0, try 0: failed
			slot 0 begins r4, try 0`},
	})
}

// Subsets of one mailing share its rate.
func TestRateOfAMailing(t *testing.T) {
	one, two := transfer(0, engine.Part{From: 0, To: 2}), transfer(1, engine.Part{From: 4, To: 6})
	one.Rate, two.Rate = 3600, 3600
	other := "to sender 0: progress job 1, plan 1, subset 1: "
	play(t, plain, []step{
		{0, one, "job 1, plan 1, subset 0 taken: r0-r1, 2 processes, 3600/h\n" + told("P500, sent 0s, 0 ended")},
		{0, two, "job 1, plan 1, subset 1 taken: r4-r5, 2 processes, 3600/h\n" + other + "P500, sent 0s, 0 ended"},
		{vt.Second, start(0, vt.Second, 0, 1), "job 1, plan 1, subset 0 begun\nslot 0 begins r0, try 0\n" +
			told("P600, sent 1s, 0 ended")},
		{vt.Second, start(1, vt.Second, 0, 1), "job 1, plan 1, subset 1 begun\n" + other + "P600, sent 1s, 0 ended"},
		{vt.Second, refused(0), "outcome r0, try 0: failed"},
		{2 * vt.Second, wake{}, "slot 0 begins r1, try 0"},
	})
}

// Progress has the time of the attempts that have ended, whatever became of them.
func TestBusy(t *testing.T) {
	busy := func(want vt.Span) roletest.Input {
		return func(r engine.Durable, now vt.Time, out *engine.Outbox) {
			r.Receive(now, engine.Message{Body: start(0, 0, 0, 1)}, out)
			last := len(out.Send) - 1
			if got := out.Send[last].Body.(engine.Progress).Busy; got != want {
				t.Errorf("at %v attempts took %v, want %v", now, got, want)
			}
			out.Send = out.Send[:last]
		}
	}
	play(t, plain, append(begun[:len(begun):len(begun)],
		step{2 * vt.Second, busy(0), ""},
		step{3 * vt.Second, refused(0), "outcome r0, try 0: failed\nslot 0 begins r1, try 0"},
		step{4 * vt.Second, busy(2 * vt.Second), ""},
		step{5 * vt.Second, deferred(1), "outcome r2, try 0: pending, due 15s\nslot 1 begins r3, try 0"},
		step{5 * vt.Second, busy(6 * vt.Second), ""},
	))
}

// begun is a subset of four recipients, two of them in attempts.
var begun = []step{
	{0, transfer(0, engine.Part{From: 0, To: 4}), `job 1, plan 1, subset 0 taken: r0-r3, 2 processes
` + told("P500, sent 0s, 0 ended")},
	{vt.Second, transfer(0, engine.Part{From: 0, To: 4}), told("P500, sent 1s, 0 ended")},
	{vt.Second, start(0, vt.Second, 0, 1), `job 1, plan 1, subset 0 begun
		slot 0 begins r0, try 0
		slot 1 begins r2, try 0
` + told("P600, sent 1s, 0 ended")},
}

// told is what the sending server gets of the first subset.
func told(state string) string { return "to sender 0: progress job 1, plan 1, subset 0: " + state }

func after(more ...step) []step { return append(begun[:len(begun):len(begun)], more...) }

// An intent comes before each final dot and an outcome after it; a subset ends once.
func TestSubset(t *testing.T) {
	play(t, plain, after(
		step{2 * vt.Second, gate(0), "intent r0, try 0, boot 0\nslot 0 may send until 6s: dot r0, try 0"},
		step{2 * vt.Second, gate(0), ""}, // asked again
		step{2 * vt.Second, accepted(0), "outcome r0, try 0: delivered\nslot 0 begins r1, try 0"},
		step{2 * vt.Second, deferred(1), "outcome r2, try 0: pending, due 12s\nslot 1 begins r3, try 0"},
		step{2 * vt.Second, refused(1), "outcome r3, try 0: failed"},
		step{3 * vt.Second, gate(0), "intent r1, try 0, boot 0\nslot 0 may send until 6s: dot r1, try 0"},
		step{3 * vt.Second, lost(0), "outcome r1, try 0: pending, ambiguous, due 13s"},
		step{4 * vt.Second, start(0, 4*vt.Second, 1, 1),
			told("P600, sent 4s, 2 ended, from 2 on: r3 failed")},
		step{4 * vt.Second, start(0, 2*vt.Second, 0, 1),
			told("P600, sent 4s, 2 ended, from 2 on: r3 failed")}, // overtaken: what is imported stays so
		step{8500 * vt.Millisecond, start(0, 8*vt.Second, 2, 1),
			told("P600, sent 8.5s, 2 ended")},
		step{13 * vt.Second, wake{}, ""}, // the lease has ended
		step{13 * vt.Second, start(0, 13*vt.Second, 2, 1), "slot 0 begins r1, try 1\nslot 1 begins r2, try 1\n" +
			told("P600, sent 13s, 2 ended")},
		step{14 * vt.Second, gate(1), "intent r2, try 1, boot 0\nslot 1 may send until 18s: dot r2, try 1"},
		step{14 * vt.Second, accepted(1), "outcome r2, try 1: delivered"},
		step{15 * vt.Second, refused(0), `outcome r1, try 1: failed
			job 1, plan 1, subset 0 ended
` + told("P650, sent 15s, 4 ended, from 3 on: r2 delivered, r1 failed (ambiguous)")},
		step{16 * vt.Second, again{}, ""},
		step{16 * vt.Second, start(0, 15*vt.Second, 2, 1),
			told("P650, sent 16s, 4 ended, from 3 on: r2 delivered, r1 failed (ambiguous)")},
		step{16 * vt.Second, idle(false), ""},
		step{16 * vt.Second, start(0, 16*vt.Second, 4, 1), told("P650, sent 16s, 4 ended")},
		step{16 * vt.Second, idle(true), ""},
	))
}

// Without an echo there is no lease, and without a lease no attempt. A lease is counted from the echo, not from when
// the Start came, and an old echo does not shorten it.
func TestLease(t *testing.T) {
	play(t, plain, []step{
		begun[0],
		{vt.Second, start(0, 0, 0, 1), `job 1, plan 1, subset 0 begun
` + told("P600, sent 1s, 0 ended")},
		{9 * vt.Second, start(0, 4*vt.Second, 0, 1), told("P600, sent 9s, 0 ended")},
		{9 * vt.Second, start(0, 5*vt.Second, 0, 1), `slot 0 begins r0, try 0
			slot 1 begins r2, try 0
` + told("P600, sent 9s, 0 ended")},
		{9 * vt.Second, start(0, 4500*vt.Millisecond, 0, 1), told("P600, sent 9s, 0 ended")},
		{9 * vt.Second, gate(0), "intent r0, try 0, boot 0\nslot 0 may send until 10s: dot r0, try 0"},
		{10 * vt.Second, gate(1), "slot 1 may not send"},
		{10 * vt.Second, aborted(1), ""},
		{10 * vt.Second, accepted(0), "outcome r0, try 0: delivered"},
		// what the gate refused does not count as a try
		{11 * vt.Second, start(0, 11*vt.Second, 0, 1), `slot 0 begins r1, try 0
			slot 1 begins r3, try 0
` + told("P600, sent 11s, 1 ended, from 1 on: r0 delivered")},
		{12 * vt.Second, refused(0), "outcome r1, try 0: failed\nslot 0 begins r2, try 0"},
		// the disk was slow: the lease ended between the gate and the dot
		{12 * vt.Second, gate(0), "intent r2, try 0, boot 0\nslot 0 may send until 16s: dot r2, try 0"},
		{16 * vt.Second, start(0, 16*vt.Second, 0, 1),
			told("P600, sent 16s, 2 ended, from 1 on: r0 delivered, r1 failed")},
		{16 * vt.Second, aborted(0), "slot 0 begins r2, try 0"},
	})
}

// Dropped is dropped: a later Start renews nothing, and the gate refuses. A new process does not deliver either,
// since it has no lease.
func TestDrop(t *testing.T) {
	play(t, plain, after(
		step{2 * vt.Second, idle(false), ""},
		step{2 * vt.Second, engine.Drop{Subset: one(0)}, ""},
		step{2 * vt.Second, idle(true), ""},
		step{2 * vt.Second, engine.Drop{Subset: one(7)}, ""},
		step{2 * vt.Second, start(0, 2*vt.Second, 0, 1), told("P000, sent 2s, 0 ended")},
		step{2 * vt.Second, gate(0), "slot 0 may not send"},
		step{2 * vt.Second, aborted(0), ""},
		step{2 * vt.Second, refused(1), "outcome r2, try 0: failed"}, // what is known is recorded
		step{3 * vt.Second, again{}, ""},
		step{30 * vt.Second, wake{}, ""},
		step{30 * vt.Second, start(7, 30*vt.Second, 0, 1),
			"to sender 0: progress job 1, plan 1, subset 7: P000, sent 30s, 0 ended"},
	))
}

// Who is added again is tried, also after a stop, unless the mailing has passed the recipient over. What the gate
// refused before does not count as a try.
func TestAdditions(t *testing.T) {
	const added = roletest.Added
	play(t, plain, after(
		step{2 * vt.Second, start(0, 2*vt.Second, 0, 1, 2, 3), `r2 barred, number 1 of sender 0
			r3 barred, number 2 of sender 0
` + told("P600, sent 2s, 0 ended, 2 barred")},
		step{2 * vt.Second, gate(1), "slot 1 may not send"},
		step{2 * vt.Second, start(0, 2*vt.Second, 0, 2, 3, added|2), `r2 barred no longer, number 3 of sender 0
` + told("P600, sent 2s, 0 ended, 3 barred")},
		step{2 * vt.Second, aborted(1), "outcome r3, try 0: suppressed\nslot 1 begins r1, try 0"},
		step{2 * vt.Second, accepted(0), "outcome r0, try 0: delivered\nslot 0 begins r2, try 0"},
		step{3 * vt.Second, again{}, ""},
		step{4 * vt.Second, start(0, 4*vt.Second, 2, 4, added|3), `r3 barred no longer, number 4 of sender 0
			slot 0 begins r1, try 0
` + told("P600, sent 4s, 2 ended, 4 barred")},
		step{4 * vt.Second, refused(0), "outcome r1, try 0: failed\nslot 0 begins r2, try 0"},
		step{4 * vt.Second, gate(0), "intent r2, try 0, boot 0\nslot 0 may send until 9s: dot r2, try 0"},
	))
}

// Bars come in order and at once: an attempt before its final dot sends none, and who waits is not tried.
func TestBars(t *testing.T) {
	play(t, plain, after(
		step{2 * vt.Second, start(0, 2*vt.Second, 0, 2, 1), // number 1 is missing
			told("P600, sent 2s, 0 ended")},
		step{2 * vt.Second, start(0, 2*vt.Second, 0, 1, 2, 3), `r2 barred, number 1 of sender 0
			r3 barred, number 2 of sender 0
` + told("P600, sent 2s, 0 ended, 2 barred")},
		step{2 * vt.Second, start(0, 2*vt.Second, 0, 1, 2, 3, 1), `r1 barred, number 3 of sender 0
` + told("P600, sent 2s, 0 ended, 3 barred")},
		step{2 * vt.Second, gate(1), "slot 1 may not send"},
		step{2 * vt.Second, aborted(1), "outcome r2, try 0: suppressed\nslot 1 begins r3, try 0"},
		step{3 * vt.Second, again{}, ""},
		step{4 * vt.Second, start(0, 4*vt.Second, 1, 4), `outcome r1, try 0: suppressed
			outcome r3, try 0: suppressed
			slot 0 begins r0, try 0
` + told("P600, sent 4s, 3 ended, from 2 on: r1 suppressed, r3 suppressed, 3 barred")},
	))
	play(t, plain, after( // who is refused at the gate as barred does not come up for a resend
		step{2 * vt.Second, start(0, 2*vt.Second, 0, 1, 2), "r2 barred, number 1 of sender 0\n" +
			told("P600, sent 2s, 0 ended, 1 barred")},
		step{2 * vt.Second, gate(1), "slot 1 may not send"},
		step{2 * vt.Second, aborted(1), "outcome r2, try 0: suppressed\nslot 1 begins r3, try 0"},
		step{2 * vt.Second, refused(0), "outcome r0, try 0: failed\nslot 0 begins r1, try 0"},
		step{2 * vt.Second, refused(0), "outcome r1, try 0: failed"},
		step{6 * vt.Second, start(0, 6*vt.Second, 3, 2), told("P600, sent 6s, 3 ended, 1 barred")},
		step{10 * vt.Second, start(0, 10*vt.Second, 3, 2), told("P600, sent 10s, 3 ended, 1 barred")},
		step{12 * vt.Second, wake{}, ""},
	))
	play(t, plain, []step{ // a subset ends at once if all of it is barred
		{0, transfer(0, engine.Part{From: 0, To: 1}), "job 1, plan 1, subset 0 taken: r0, 2 processes\n" +
			told("P500, sent 0s, 0 ended")},
		{vt.Second, start(0, vt.Second, 0, 1, 0), `r0 barred, number 1 of sender 0
			job 1, plan 1, subset 0 begun
			outcome r0, try 0: suppressed
			job 1, plan 1, subset 0 ended
` + told("P650, sent 1s, 1 ended, from 1 on: r0 suppressed, 1 barred") + "\n" +
			told("P650, sent 1s, 1 ended, from 1 on: r0 suppressed, 1 barred")},
	})
}

// A new process waits for the due time of a recipient that was tried, and counts its tries.
func TestTriesAndTimesSurvive(t *testing.T) {
	play(t, plain, after(
		step{2 * vt.Second, deferred(0), "outcome r0, try 0: pending, due 12s\nslot 0 begins r1, try 0"},
		step{2 * vt.Second, refused(0), "outcome r1, try 0: failed"},
		step{3 * vt.Second, again{}, ""},
		step{8 * vt.Second, start(0, 8*vt.Second, 0, 1), `slot 0 begins r2, try 0
` + told("P600, sent 8s, 1 ended, from 1 on: r1 failed")},
		step{9 * vt.Second, refused(0), "outcome r2, try 0: failed\nslot 0 begins r3, try 0"},
		step{9 * vt.Second, refused(0), "outcome r3, try 0: failed"},
		step{11 * vt.Second, wake{}, ""},
		step{12 * vt.Second, wake{}, "slot 0 begins r0, try 1"},
	))
}

// After a stop of the process the mark tells whether the final dot was sent; after a loss of power nothing does.
func TestAttemptsWithoutOutcome(t *testing.T) {
	gates := after(
		step{2 * vt.Second, gate(0), "intent r0, try 0, boot 0\nslot 0 may send until 6s: dot r0, try 0"},
		step{2 * vt.Second, gate(1), "intent r2, try 0, boot 0\nslot 1 may send until 6s: dot r2, try 0"})
	then := func(more ...step) []step { return append(gates[:len(gates):len(gates)], more...) }
	play(t, plain, then(
		step{9 * vt.Second, again{Dotted: []mail.Recipient{2}}, "outcome r2, try 0: pending, ambiguous, due 9s"},
		// its outcome closes the intent: another stop adds nothing
		step{10 * vt.Second, again{}, ""},
		step{10 * vt.Second, start(0, 10*vt.Second, 0, 1), `slot 0 begins r0, try 0
			slot 1 begins r1, try 0
` + told("P600, sent 10s, 0 ended")},
		step{10 * vt.Second, refused(0), "outcome r0, try 0: failed\nslot 0 begins r2, try 1"},
	))
	// an attempt that ended before its dot leaves an intent, which the next one replaces
	play(t, plain, then(
		step{9 * vt.Second, again{}, ""},
		step{10 * vt.Second, start(0, 10*vt.Second, 0, 1), `slot 0 begins r0, try 0
			slot 1 begins r2, try 0
` + told("P600, sent 10s, 0 ended")},
		step{10 * vt.Second, gate(0), "intent r0, try 0, boot 0\nslot 0 may send until 15s: dot r0, try 0"},
		step{11 * vt.Second, again{Dotted: []mail.Recipient{0}}, "outcome r0, try 0: pending, ambiguous, due 11s"},
	))
	// who gives up after the dot does not take it back
	play(t, plain, then(
		step{3 * vt.Second, end{Slot: 0, Stage: mail.StageDot, Fault: mail.Aborted},
			"outcome r0, try 0: pending, ambiguous, due 13s\nslot 0 begins r1, try 0"},
	))
	play(t, plain, then(
		step{9 * vt.Second, again{Boot: 1},
			"outcome r0, try 0: pending, ambiguous, due 9s\noutcome r2, try 0: pending, ambiguous, due 9s"},
	))
	// at most once: what may have been accepted is held
	play(t, func(c *Config) { c.Resend = false }, then(
		step{9 * vt.Second, again{Boot: 1},
			"outcome r0, try 0: ambiguous, ambiguous\noutcome r2, try 0: ambiguous, ambiguous"},
		step{10 * vt.Second, start(0, 10*vt.Second, 0, 1), `slot 0 begins r1, try 0
			slot 1 begins r3, try 0
` + told("P600, sent 10s, 2 ended, from 1 on: r0 ambiguous (ambiguous), ") +
			"r2 ambiguous (ambiguous)"},
	))
}

// While final dots are halted, attempts wait at the gate.
func TestHalt(t *testing.T) {
	play(t, plain, after(
		step{2 * vt.Second, halt(true), ""},
		step{2 * vt.Second, gate(1), ""},
		step{2 * vt.Second, gate(0), ""},
		step{3 * vt.Second, halt(false), `intent r2, try 0, boot 0
			intent r0, try 0, boot 0
			slot 1 may send until 6s: dot r2, try 0
			slot 0 may send until 6s: dot r0, try 0`},
	))
}

// Processes are kept for one mailing at a time, and not for ever. A part that does not fit its digest is not taken.
func TestGrantAndTransfer(t *testing.T) {
	torn := transfer(0, engine.Part{From: 0, To: 4})
	torn.Digest++
	play(t, plain, []step{
		{0, engine.Hire{Job: 1, Processes: 4}, "to sender 0: granted 2 processes for job 1"},
		{0, engine.Hire{Job: 1, Processes: 4}, "to sender 0: granted 2 processes for job 1"},
		{vt.Second, engine.Hire{Job: 2, Processes: 1}, "to sender 0: granted 0 processes for job 2"},
		{vt.Minute, engine.Hire{Job: 2, Processes: 1}, "to sender 0: granted 1 processes for job 2"},
		{vt.Minute, torn, ""},
		{vt.Minute, start(0, vt.Minute, 0, 1), told("P000, sent 1m, 0 ended")},
		// who wants none keeps none from others, and gets no offers
		{vt.Hour, engine.Hire{Job: 2, Fetch: true}, "to sender 0: granted 0 processes for job 2"},
		{vt.Hour, engine.Hire{Job: 1, Processes: 1}, "to sender 0: granted 1 processes for job 1"},
	})
	play(t, plain, append(begun[:len(begun):len(begun)],
		step{2 * vt.Second, engine.Hire{Job: 2, Fetch: true}, "to sender 0: granted 0 processes for job 2"},
		step{2 * vt.Second, refused(0), "outcome r0, try 0: failed\nslot 0 begins r1, try 0"},
		step{2 * vt.Second, refused(0), "outcome r1, try 0: failed"},
		step{2 * vt.Second, engine.Hire{Job: 2, Processes: 2, Fetch: true},
			"to sender 0: granted 1 processes for job 2"},
		step{3 * vt.Second, refused(1), "outcome r2, try 0: failed\nslot 1 begins r3, try 0"}, // one is kept
		step{20 * vt.Second, refused(1), `outcome r3, try 0: failed
			job 1, plan 1, subset 0 ended
` + told("P650, sent 20s, 4 ended, from 1 on: r0 failed, r1 failed, r2 failed") + `
			to sender 0: granted 2 processes for job 2`},
	))
	play(t, plain, []step{ // a subset of the mailing uses what was kept for it
		{0, engine.Hire{Job: 1, Processes: 2}, "to sender 0: granted 2 processes for job 1"},
		begun[0],
		{0, engine.Hire{Job: 2, Processes: 1}, "to sender 0: granted 1 processes for job 2"},
	})
}

// Of a later plan that comes before the older one is dropped, a recipient that the machine has already is not tried.
func TestLaterPlanBeforeDrop(t *testing.T) {
	later := transfer(0, engine.Part{From: 0, To: 2})
	later.Subset.Epoch = 2
	begin := start(0, 2*vt.Second, 0, 1)
	begin.Subset = later.Subset
	play(t, plain, after(
		step{2 * vt.Second, later, `job 1, plan 2, subset 0 taken: r0-r1, 2 processes
			to sender 0: progress job 1, plan 2, subset 0: P500, sent 2s, 0 ended`},
		step{2 * vt.Second, begin, `job 1, plan 2, subset 0 begun
			to sender 0: progress job 1, plan 2, subset 0: P600, sent 2s, 0 ended`},
		step{3 * vt.Second, refused(0), "outcome r0, try 0: failed\nslot 0 begins r1, try 0"},
		step{3 * vt.Second, refused(1), "outcome r2, try 0: failed\nslot 1 begins r3, try 0"},
		step{4 * vt.Second, refused(1), "outcome r3, try 0: failed"},
	))
}

// A recipient that is final here stays so when a later plan brings it again.
func TestFinalOnce(t *testing.T) {
	later := transfer(0, engine.Part{From: 0, To: 2})
	later.Subset.Epoch = 2
	play(t, plain, after(
		step{2 * vt.Second, refused(0), "outcome r0, try 0: failed\nslot 0 begins r1, try 0"},
		step{2 * vt.Second, engine.Drop{Subset: one(0)}, ""},
		step{2 * vt.Second, later, `job 1, plan 2, subset 0 taken: r0-r1, 2 processes
			to sender 0: progress job 1, plan 2, subset 0: P500, sent 2s, 1 ended, from 1 on: r0 failed`},
	))
}

func TestValidate(t *testing.T) {
	c := Config{}
	text := fmt.Sprint(c.Validate())
	for _, want := range []string{"lease", "hold", "batch"} {
		if !strings.Contains(text, want+":") {
			t.Errorf("got %v, want a problem of %s", text, want)
		}
	}
	if c = Default(delivery.Config{}); c.Validate() != nil {
		t.Errorf("default: %v", c.Validate())
	}
}

// A transfer that a later plan overtook takes no recipient from it: the later subset ends all the same.
func TestOvertakenTransfer(t *testing.T) {
	later := transfer(0, engine.Part{From: 0, To: 1})
	later.Subset.Epoch = 2
	begin := start(0, 0, 0, 1)
	begin.Subset, begin.Echo = later.Subset, vt.Time(vt.Second)
	play(t, plain, []step{
		{vt.Second, later, `job 1, plan 2, subset 0 taken: r0, 2 processes
			to sender 0: progress job 1, plan 2, subset 0: P500, sent 1s, 0 ended`},
		{vt.Second, transfer(5, engine.Part{From: 0, To: 1}), `job 1, plan 1, subset 5 taken: r0, 2 processes
			to sender 0: progress job 1, plan 1, subset 5: P500, sent 1s, 0 ended`},
		{vt.Second, begin, `job 1, plan 2, subset 0 begun
			slot 0 begins r0, try 0
			to sender 0: progress job 1, plan 2, subset 0: P600, sent 1s, 0 ended`},
	})
}

// With a window of one, a second final dot waits until the outcome of the first one is imported.
func TestWindow(t *testing.T) {
	play(t, func(c *Config) { c.Window = 1 }, after(
		step{2 * vt.Second, gate(0), "intent r0, try 0, boot 0\nslot 0 may send until 6s: dot r0, try 0"},
		step{2 * vt.Second, gate(1), ""}, // the dot under way counts
		step{3 * vt.Second, accepted(0), `outcome r0, try 0: delivered
			slot 0 begins r1, try 0
` + told("P600, sent 3s, 1 ended, from 1 on: r0 delivered")},
		step{3 * vt.Second, gate(0), ""}, // and so does its outcome
		step{4 * vt.Second, start(0, 3*vt.Second, 1, 1), `intent r2, try 0, boot 0
			slot 1 may send until 8s: dot r2, try 0
` + told("P600, sent 4s, 1 ended")},
		step{5 * vt.Second, lost(1), `outcome r2, try 0: pending, ambiguous, due 15s
			intent r1, try 0, boot 0
			slot 1 begins r3, try 0
			slot 0 may send until 8s: dot r1, try 0`}, // who waits after an ambiguous attempt is not counted
	))
}

// A recipient who is suppressed from outside of the mailing when the message is on its way does not get it, nor one who
// was before.
func TestSuppressed(t *testing.T) {
	asked := 0
	suppressed := func(c *Config) {
		c.Suppressed = func(r mail.Recipient) bool {
			if r == 2 {
				asked++
			}
			return asked > 1 && r >= 2
		}
	}
	play(t, suppressed, after(
		step{2 * vt.Second, gate(1), "slot 1 may not send"},
		step{2 * vt.Second, aborted(1), "outcome r2, try 0: suppressed\nslot 1 begins r3, try 0"},
		step{2 * vt.Second, gate(0), "intent r0, try 0, boot 0\nslot 0 may send until 6s: dot r0, try 0"},
		step{3 * vt.Second, again{}, ""},
		step{4 * vt.Second, start(0, 4*vt.Second, 1, 1), "outcome r3, try 0: suppressed\nslot 0 begins r0, try 0\n" +
			told("P600, sent 4s, 2 ended, from 2 on: r3 suppressed")},
	))
}

// A part of a list that the server does not have yet is not taken, until the list has grown. Who is barred before that
// stays so.
func TestListThatGrows(t *testing.T) {
	list := mail.ReadList([]mail.Destination{})
	cfg := Default(delivery.Config{Retry: retry.Default(), Messages: 1, Servers: 1,
		Interval: governor.Default().Interval})
	hold := governor.Default()
	hold.Law, hold.Start = "hold", 3
	gov, err := governor.New(hold)
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg, &list, gov, silent{})
	at := func(in engine.Body) *engine.Outbox {
		var out engine.Outbox
		s.Receive(vt.Time(vt.Second), engine.Message{Body: in}, &out)
		return &out
	}
	at(start(0, 0, 0, 1, 6))
	part := transfer(0, engine.Part{From: 5, To: 7})
	if out := at(part); len(out.Write)+len(out.Send) > 0 {
		t.Errorf("got %v for a part that the list does not have", out)
	}
	list.Put(5, []mail.Destination{1, 2})
	if out := at(part); len(out.Write) != 1 {
		t.Errorf("got %v for a part that the list has", out)
	}
	out := at(start(0, vt.Second, 0, 2))
	if len(out.Start) != 1 || out.Start[0].Rcpt != 5 || out.Start[0].Dest != 1 {
		t.Errorf("got attempts %v, want one for recipient 5", out.Start)
	}
}
