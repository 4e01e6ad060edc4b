package realrun

import (
	"context"
	"runtime"
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/scenarios"
)

// gated delivers recipient 0 when Run is about to report its progress, and
// recipient 1 when it is let.
type gated struct{ let chan struct{} }

func (g gated) Process(mail.Server, mail.Slot) Process { return g }
func (g gated) HangUp()                                {}
func (g gated) Trace() *mail.Trace                     { return &mail.Trace{} }
func (g gated) Deliver(ctx context.Context, a mail.Attempt) mail.Reply {
	if a.Rcpt == 1 {
		select {
		case <-g.let:
		case <-ctx.Done(): // the machine is too slow for this run to show anything
		}
	} else {
		time.Sleep(105 * time.Millisecond)
	}
	return mail.Reply{Code: 250, Stage: mail.StageDot}
}

const late = `schema_version = 1
name = "late"
horizon = "200ms"
[governor]
law = "hold"
start = 2
interval = "1h"
[[destination]]
name = "d"
domain = "d.example"
[[campaign]]
name = "c"
recipients = 2
processes = 2
subset = 1
`

// A message that was delivered in the last moment counts as delivered, though
// the owner of the machines comes to it after the horizon. The owner is held up
// until the horizon is past and the completion of recipient 1 waits; whether it
// sees that or the timer first is then open, so the run is repeated.
func TestLastCompletionCounts(t *testing.T) {
	for i := range 6 {
		s, err := scenarios.Load("late.toml", []byte(late), nil)
		if err != nil {
			t.Fatal(err)
		}
		list := s.List(rng.New(1, 0))
		g := gated{make(chan struct{})}
		r, err := New(s, &list, 1, g, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		held := false
		r.Run(t.Context(), func(Progress) {
			if held {
				return
			}
			held = true
			for r.now() <= r.horizon {
				runtime.Gosched()
			}
			close(g.let)
			for len(r.ended) == 0 {
				runtime.Gosched()
			}
		})
		if n := r.Record().Count(mail.Done); held && n != 2 {
			t.Fatalf("run %d: %d of 2 messages count as delivered, and both were", i, n)
		}
	}
}
