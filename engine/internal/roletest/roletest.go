// Package roletest plays inputs against a durable role and compares what the role asks for. Tests alone import it.
package roletest

import (
	"fmt"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Step is an input of a role with what the role then asks for: facts, attempts, dots and messages, one a line.
type Step struct {
	At   vt.Span
	In   any // an engine.Body, an Input, or one of the types below
	From engine.Address
	Want string
}

type (
	// Input passes a role what is neither a message nor one of the types below.
	Input func(r engine.Durable, now vt.Time, out *engine.Outbox)

	// Wake wakes the role. If it then asks for something, it must have asked to be woken by then.
	Wake struct{}

	// Done checks whether the role has work left.
	Done bool

	// Gate brings the attempt of a slot to its final dot.
	Gate struct{ Slot mail.Slot }

	// End ends the attempt of a slot.
	End struct {
		Slot  mail.Slot
		Code  uint16
		Stage mail.Stage
		Fault mail.Fault
	}

	// Again is a new process with all facts written so far, or the first ones, and with the marks of some final dots.
	Again struct {
		Facts  int // 0: all
		Boot   uint64
		Dotted []mail.Recipient
	}
)

// Play gives the steps to a role that build makes, and to another one after each Again.
func Play(t *testing.T, build func() engine.Durable, steps []Step) {
	t.Helper()
	role := build()
	var facts []engine.Fact
	gens := map[mail.Slot]uint32{}
	for i, v := range steps {
		var out engine.Outbox
		now := vt.Time(v.At)
		switch in := v.In.(type) {
		case Input:
			in(role, now, &out)
		case Wake:
			if next := role.NextWake(); next > now && v.Want != "" {
				t.Fatalf("step %d: a wake at %v, and the role asks for one at %v", i, now, next)
			}
			if role.Wake(now, nil, &out); role.NextWake() <= now {
				t.Fatalf("step %d: after a wake at %v the next one is at %v", i, now, role.NextWake())
			}
		case Done:
			if role.Done() != bool(in) {
				t.Fatalf("step %d, at %v: done is %v, want %v", i, v.At, role.Done(), in)
			}
		case Gate:
			role.(engine.Gate).Gate(now, in.Slot, gens[in.Slot], &out)
		case End:
			role.(engine.Trier).Complete(now, &mail.Completion{Slot: in.Slot, Gen: gens[in.Slot],
				Reply: mail.Reply{Code: in.Code, Stage: in.Stage, Fault: in.Fault}}, &out)
		case Again:
			if in.Facts > 0 {
				facts = facts[:in.Facts]
			}
			for _, r := range in.Dotted {
				facts = append(facts, engine.Dotted{Rcpt: r})
			}
			role = build()
			role.Recover(now, in.Boot, facts, &out)
		case engine.Body:
			role.Receive(now, engine.Message{From: v.From, Body: in}, &out)
		default:
			t.Fatalf("step %d: got %T, want an input", i, v.In)
		}
		facts = append(facts, out.Write...)
		for i := range out.Start {
			gens[out.Start[i].Slot] = out.Start[i].Gen
		}
		if got, want := words(&out), strings.ReplaceAll(v.Want, "\t", ""); got != want {
			t.Fatalf("step %d, at %v, %T %+v:\n%s\nwant\n%s", i, v.At, v.In, v.In, got, want)
		}
	}
}

func words(out *engine.Outbox) string {
	var all []string
	for _, f := range out.Write {
		all = append(all, engine.Words(f))
	}
	for i := range out.Start {
		a := &out.Start[i]
		all = append(all, fmt.Sprintf("slot %d begins r%d, try %d", a.Slot, a.Rcpt, a.Try))
	}
	for _, d := range out.Dots {
		if d.Send {
			all = append(all, fmt.Sprintf("slot %d may send until %v: %s", d.Slot, vt.Span(d.Until),
				engine.Words(d.Mark)))
		} else {
			all = append(all, fmt.Sprintf("slot %d may not send", d.Slot))
		}
	}
	for _, m := range out.Send {
		all = append(all, fmt.Sprintf("to %v: %s", m.To, engine.Words(m.Body)))
	}
	return strings.Join(all, "\n")
}

// Added marks a recipient of Changes who is added.
const Added mail.Recipient = 1 << 31

// Changes packs deletions and, of recipients that are marked, additions.
func Changes(all ...mail.Recipient) string {
	var changes []engine.Change
	for _, r := range all {
		changes = append(changes, engine.Change{Rcpt: r &^ Added, Add: r&Added != 0})
	}
	return engine.PackChanges(changes)
}
