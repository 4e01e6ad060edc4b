package inbox

import (
	"fmt"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/engine/internal/roletest"
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
	again = roletest.Again
)

// play gives a role that pushes at most two changes at a time its inputs.
func play(t *testing.T, steps []step) {
	t.Helper()
	cfg := Default(engine.Address{Role: engine.Bounces})
	cfg.Batch = 2
	if errs := cfg.Validate(); errs != nil {
		t.Fatal(errs)
	}
	var all []roletest.Step
	for _, v := range steps {
		all = append(all, roletest.Step{At: v.at, In: v.in, Want: v.want})
	}
	roletest.Play(t, func() engine.Durable { return New(cfg) }, all)
}

// A recipient is deleted at the second hard bounce; a returned mail that comes again, also after a stop, counts once,
// and a mailbox that is full does not count.
func TestReturned(t *testing.T) {
	hard := func(token uint64) engine.Returned { return engine.Returned{Token: token, Rcpt: 7, Hard: true} }
	push := "to sender 0: changes from 1 on: r7"
	play(t, []step{
		{0, hard(1), "bounced: hard return 1 of r7"},
		{0, hard(1), ""},
		{0, engine.Returned{Token: 2, Rcpt: 7}, "bounced: soft return 2 of r7"},
		{vt.Second, again{}, ""},
		{vt.Second, hard(1), ""},
		{vt.Second, engine.Returned{Token: 3, Rcpt: 8, Hard: true}, "bounced: hard return 3 of r8"},
		{vt.Second, hard(4), "bounced: hard return 4 of r7\n" + push},
		{2 * vt.Second, hard(5), "bounced: hard return 5 of r7\n" + push}, // it is deleted once
		{3 * vt.Second, engine.Got{UpTo: 1}, ""},
		{9 * vt.Second, wake{}, ""},
	})
}

// Changes are pushed again until they are acknowledged, a few at a time, and after a stop from the first one on.
func TestPush(t *testing.T) {
	play(t, []step{
		{0, engine.Request{Rcpt: 3}, "r3 asked to be deleted\nto sender 0: changes from 1 on: r3"},
		{0, engine.Request{Rcpt: 3}, "to sender 0: changes from 1 on: r3"},
		{vt.Second / 2, wake{}, ""},
		{vt.Second, wake{}, "to sender 0: changes from 1 on: r3"},
		{vt.Second, engine.Request{Rcpt: 1}, "r1 asked to be deleted\nto sender 0: changes from 1 on: r3 r1"},
		{vt.Second, engine.Request{Rcpt: 2}, "r2 asked to be deleted\nto sender 0: changes from 1 on: r3 r1"},
		{2 * vt.Second, engine.Got{UpTo: 2}, "to sender 0: changes from 3 on: r2"},
		{2 * vt.Second, engine.Got{UpTo: 1}, "to sender 0: changes from 3 on: r2"}, // overtaken
		{2 * vt.Second, again{}, "to sender 0: changes from 1 on: r3 r1"},
		{2 * vt.Second, engine.Got{UpTo: 3}, ""},
		{9 * vt.Second, wake{}, ""},
	})
}

func TestValidate(t *testing.T) {
	c := Config{}
	text := fmt.Sprint(c.Validate())
	for _, want := range []string{"hard", "push", "batch"} {
		if !strings.Contains(text, want+":") {
			t.Errorf("got %v, want a problem of %s", text, want)
		}
	}
}
