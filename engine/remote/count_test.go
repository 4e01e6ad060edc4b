package remote

import (
	"testing"

	"flyball/engine"
	"flyball/engine/internal/roletest"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Where recipients are counted, the last one ends the subset: its sums are sent, also when the sending server asks
// again, and free processes are offered.
func TestCounts(t *testing.T) {
	ends := func(slot mail.Slot, gen uint32, reply mail.Reply) roletest.Input {
		return func(r engine.Durable, now vt.Time, out *engine.Outbox) {
			r.(*Server).Complete(now, &mail.Completion{Slot: slot, Gen: gen, Reply: reply}, out)
		}
	}
	positive := mail.Reply{Code: 250, Stage: mail.StageDot, Took: vt.Second}
	negative := mail.Reply{Code: 550, Stage: mail.StageRCPT, Took: 2 * vt.Second}
	none := mail.Reply{Stage: mail.StageDot, Fault: mail.Drop, Took: 2 * vt.Second}
	sums := func(in engine.Body, want vt.Span) roletest.Input {
		return func(r engine.Durable, now vt.Time, out *engine.Outbox) {
			t.Helper()
			r.Receive(now, engine.Message{Body: in}, out)
			if got := out.Send[0].Body.(engine.Tally).Busy; got != want {
				t.Errorf("attempts took %v, want %v", got, want)
			}
		}
	}
	tally := "to sender 0: job 1, plan 1, subset 0: 1 delivered, 1 failed, 1 held"
	play(t, func(c *Config) { c.Counts, c.Delivery.Retry.Ambiguous = true, "hold" }, []step{
		{0, transfer(0, engine.Part{From: 0, To: 3}), "job 1, plan 1, subset 0 taken: r0-r2, 2 processes\n" +
			told("P500, sent 0s, 0 ended")},
		{0, transfer(1, engine.Part{From: 4, To: 5}), `job 1, plan 1, subset 1 taken: r4, 2 processes
			to sender 0: progress job 1, plan 1, subset 1: P500, sent 0s, 0 ended`},
		{vt.Second, start(0, vt.Second, 0, 1), `job 1, plan 1, subset 0 begun
			slot 0 begins r0, try 0
			slot 1 begins r2, try 0
` + told("P600, sent 1s, 0 ended")},
		{vt.Second, engine.Hire{Job: 1, Processes: 2, Fetch: true}, "to sender 0: granted 0 processes for job 1"},
		{2 * vt.Second, ends(0, 1, positive), "slot 0 begins r1, try 0"},
		{3 * vt.Second, ends(1, 1, none), "to sender 0: granted 1 processes for job 1"},
		{3 * vt.Second, start(0, vt.Second, 0, 1), told("P600, sent 3s, 2 ended")},
		{4 * vt.Second, ends(0, 2, negative), "job 1, plan 1, subset 0 ended\n" + tally},
		{5 * vt.Second, sums(start(0, vt.Second, 0, 1), 5*vt.Second), tally},
		{5 * vt.Second, start(1, vt.Second, 0, 1), `job 1, plan 1, subset 1 begun
			slot 0 begins r4, try 0
			to sender 0: progress job 1, plan 1, subset 1: P600, sent 5s, 0 ended`},
	})
}
