package remote

import (
	"slices"
	"testing"

	"flyball/engine"
	"flyball/engine/internal/roletest"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// probe checks the moves and the open attempts that the first subset tells.
func probe(t *testing.T, moves uint64, open int) roletest.Input {
	return func(r engine.Durable, now vt.Time, out *engine.Outbox) {
		t.Helper()
		r.Receive(now, engine.Message{Body: start(0, 0, 0, 1)}, out)
		last := len(out.Send) - 1
		if p := out.Send[last].Body.(engine.Progress); p.Moves != moves || p.Open != open {
			t.Errorf("at %v there are %d moves and %d open attempts, want %d and %d", now, p.Moves, p.Open, moves, open)
		}
		out.Send = out.Send[:last]
	}
}

// restart asks for a new beginning, which closes slots.
func restart(t *testing.T, moves uint64, closes ...mail.Slot) roletest.Input {
	return func(r engine.Durable, now vt.Time, out *engine.Outbox) {
		t.Helper()
		r.Receive(now, engine.Message{Body: engine.Restart{Subset: one(0), Moves: moves}}, out)
		if !slices.Equal(out.Close, closes) {
			t.Errorf("at %v slots %v are closed, want %v", now, out.Close, closes)
		}
	}
}

// Each step of an attempt is a move, also one that only the shell sees. Who waits at the gate for the server itself is
// not open.
func TestMoves(t *testing.T) {
	moved := roletest.Input(func(r engine.Durable, now vt.Time, out *engine.Outbox) {
		r.(*Server).Moved(now, 0, 1)
		r.(*Server).Moved(now, 0, 7) // of another generation
		r.(*Server).Complete(now, &mail.Completion{Slot: 0, Gen: 7}, out)
	})
	play(t, plain, append(begun[:len(begun):len(begun)],
		step{2 * vt.Second, probe(t, 2, 2), ""},
		step{2 * vt.Second, moved, ""},
		step{2 * vt.Second, probe(t, 3, 2), ""},
		step{2 * vt.Second, halt(true), ""},
		step{2 * vt.Second, gate(0), ""},
		step{2 * vt.Second, probe(t, 4, 1), ""},
		step{3 * vt.Second, halt(false), `intent r0, try 0, boot 0
			slot 0 may send until 6s: dot r0, try 0`},
		step{3 * vt.Second, probe(t, 5, 2), ""},
		step{4 * vt.Second, refused(1), "outcome r2, try 0: failed\nslot 1 begins r3, try 0"},
		step{4 * vt.Second, probe(t, 7, 2), ""},
	))
}

// Attempts that stand still are given up: r0 may have been accepted, r2 was not and has its try again. An attempt that
// waits at the gate stays. What the attempts that were given up do later has no effect.
func TestRestart(t *testing.T) {
	late := roletest.Input(func(r engine.Durable, now vt.Time, out *engine.Outbox) {
		r.(*Server).Gate(now, 1, 1, out)
		for slot := range mail.Slot(2) {
			reply := mail.Reply{Code: 250, Stage: mail.StageDot}
			r.(*Server).Complete(now, &mail.Completion{Slot: slot, Gen: 1, Reply: reply}, out)
		}
	})
	hour := step{vt.Hour, start(0, vt.Hour, 0, 1), told("P600, sent 1h, 0 ended")}
	steps := append(begun[:len(begun):len(begun)],
		step{2 * vt.Second, gate(0), "intent r0, try 0, boot 0\nslot 0 may send until 6s: dot r0, try 0"},
		hour,
		step{vt.Hour, restart(t, 3), ""}, // they have moved since
		step{vt.Hour, restart(t, 4, 0, 1), `outcome r0, try 0: pending, ambiguous, due 1h0m10s
			slot 0 begins r1, try 0
			slot 1 begins r3, try 0
` + told("P600, sent 1h, 0 ended")},
		step{vt.Hour, restart(t, 4), ""}, // it came twice
		step{vt.Hour, late, ""},
		step{vt.Hour, accepted(1), "outcome r3, try 0: delivered\nslot 1 begins r2, try 0"},
		step{vt.Hour + 10*vt.Second, accepted(0), "outcome r1, try 0: delivered"},
		step{vt.Hour + 10*vt.Second, start(0, vt.Hour+10*vt.Second, 2, 1), told("P600, sent 1h0m10s, 2 ended")},
		step{vt.Hour + 10*vt.Second, wake{}, "slot 0 begins r0, try 1"},
	)
	play(t, plain, steps)
	// Without a lease the server gives up by itself what stands still: its processes are free.
	ends := roletest.Input(func(r engine.Durable, now vt.Time, out *engine.Outbox) {
		if next := r.NextWake(); next > now {
			t.Errorf("at %v the next wake is at %v", now, next)
		}
		if r.Wake(now, nil, out); !slices.Equal(out.Close, []mail.Slot{0, 1}) {
			t.Errorf("slots %v are closed, want both", out.Close)
		}
	})
	free := vt.Hour + 15*vt.Minute + vt.Second
	play(t, func(c *Config) { c.Stall += vt.Second }, append(steps[:7:7],
		step{vt.Hour + 5*vt.Second, wake{}, ""},
		step{free - 1, wake{}, ""},
		step{free, ends, ""},
		step{free, probe(t, 6, 0), ""},
	))
	// So it does after Drop with one whose final dot was sent. A lease that is renewed keeps the other one.
	play(t, plain, append(begun[:len(begun):len(begun)],
		step{2 * vt.Second, gate(0), "intent r0, try 0, boot 0\nslot 0 may send until 6s: dot r0, try 0"},
		step{6 * vt.Second, wake{}, ""},
		step{vt.Second + 15*vt.Minute - 1, start(0, vt.Second+15*vt.Minute, 0, 1),
			told("P600, sent 15m0.999s, 0 ended")},
		step{2*vt.Second + 15*vt.Minute, wake{}, ""},
		step{2*vt.Second + 15*vt.Minute, engine.Drop{Subset: one(0)},
			"outcome r0, try 0: pending, ambiguous, due 15m12s"},
	))
	play(t, plain, append(begun[:len(begun):len(begun)], // at the gate, and barred meanwhile
		step{2 * vt.Second, halt(true), ""},
		step{2 * vt.Second, gate(0), ""},
		step{vt.Hour, start(0, vt.Hour, 0, 1, 2), "r2 barred, number 1 of sender 0\n" +
			told("P600, sent 1h, 0 ended, 1 barred")},
		step{vt.Hour, restart(t, 3, 1), `outcome r2, try 0: suppressed
			slot 1 begins r1, try 0
` + told("P600, sent 1h, 1 ended, from 1 on: r2 suppressed, 1 barred")},
		step{vt.Hour, halt(false), "intent r0, try 0, boot 0\nslot 0 may send until 1h0m5s: dot r0, try 0"},
		step{vt.Hour, engine.Drop{Subset: one(0)}, ""},
		step{vt.Hour, restart(t, 5), ""}, // of a subset that is not in force
	))
}

// The attempts of other subsets go on.
func TestRestartOfOneSubset(t *testing.T) {
	play(t, plain, []step{
		{0, transfer(0, engine.Part{From: 0, To: 1}), "job 1, plan 1, subset 0 taken: r0, 2 processes\n" +
			told("P500, sent 0s, 0 ended")},
		{0, transfer(1, engine.Part{From: 4, To: 5}), `job 1, plan 1, subset 1 taken: r4, 2 processes
			to sender 0: progress job 1, plan 1, subset 1: P500, sent 0s, 0 ended`},
		{vt.Second, start(0, vt.Second, 0, 1), "job 1, plan 1, subset 0 begun\nslot 0 begins r0, try 0\n" +
			told("P600, sent 1s, 0 ended")},
		{vt.Second, start(1, vt.Second, 0, 1), `job 1, plan 1, subset 1 begun
			slot 1 begins r4, try 0
			to sender 0: progress job 1, plan 1, subset 1: P600, sent 1s, 0 ended`},
		{2 * vt.Second, restart(t, 1, 0), "slot 0 begins r0, try 0\n" + told("P600, sent 2s, 0 ended")},
	})
}
