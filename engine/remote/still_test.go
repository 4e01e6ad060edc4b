package remote

import (
	"slices"
	"testing"

	"flyball/engine"
	"flyball/internal/mail"
)

// Of facts those still count that a mailing under way needs, each attempt without an outcome among them, and those
// about mailings that are over do not.
func TestStill(t *testing.T) {
	one, two := engine.Subset{Job: 1, Epoch: 1}, engine.Subset{Job: 2, Epoch: 1}
	part := func(from, to mail.Recipient) string { return engine.PackParts([]engine.Part{{From: from, To: to}}) }
	all := []struct {
		fact engine.Fact
		want bool
	}{
		{engine.Took{Subset: one, Part: part(0, 2)}, false},
		{engine.Took{Subset: two, Part: part(2, 5)}, true},
		{engine.Took{Subset: engine.Subset{Job: 1, Epoch: 2}, Part: part(5, 6)}, false},
		{engine.Began{Subset: one}, false},
		{engine.Began{Subset: two}, true},
		{engine.Intent{Rcpt: 1}, false}, // of a mailing that is over
		{engine.Dotted{Rcpt: 1}, false},
		{engine.Intent{Rcpt: 2}, false}, // with an outcome
		{engine.Dotted{Rcpt: 2}, false},
		{engine.Outcome{Rcpt: 2, Status: mail.Pending}, true},
		{engine.Intent{Rcpt: 2, Try: 1}, true}, // in doubt
		{engine.Dotted{Rcpt: 2, Try: 1}, true},
		{engine.Intent{Rcpt: 4}, true}, // in doubt too
		{engine.Barred{Number: 1, Rcpt: 0}, true},
		{engine.Ended{Subset: one}, false},
		{engine.Over{Job: 1}, false},
		{engine.Outcome{Rcpt: 5, Status: mail.Done}, false}, // of an attempt that was under way
		{engine.Unbarred{Number: 2, Rcpt: 3}, true},
	}
	var facts []engine.Fact
	var want []bool
	for _, v := range all {
		facts, want = append(facts, v.fact), append(want, v.want)
	}
	got := Still(facts)
	for i := range all {
		if got[i] != want[i] {
			t.Errorf("fact %d, %+v: got %v, want %v", i, facts[i], got[i], want[i])
		}
	}
	var rest []engine.Fact
	for i, f := range facts {
		if got[i] {
			rest = append(rest, f)
		}
	}
	before, after := Doubtful(7, facts), Doubtful(7, rest)
	after = slices.DeleteFunc(after, func(v engine.Intent) bool { return v.Rcpt < 2 })
	before = slices.DeleteFunc(before, func(v engine.Intent) bool { return v.Rcpt < 2 })
	if len(before) != 2 || !slices.Equal(before, after) {
		t.Errorf("in doubt: got %+v, want %+v", after, before)
	}
}
