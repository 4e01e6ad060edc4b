package delivery_test

import (
	"testing"

	"flyball/engine/delivery"
)

func TestFreeingValidateMessages(t *testing.T) {
	if errs := delivery.DefaultFreeing().Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, v := range []struct {
		f    delivery.Freeing
		want string
	}{
		{delivery.Freeing{Policy: "now", Victim: "newest"},
			`policy: got "now", want one of none, at-interval, continuous`},
		{delivery.Freeing{Policy: "none", Victim: "newest"},
			`victim: got a value, want none: policy = "none" has no use for it`},
		{delivery.Freeing{Policy: "none", Shorten: 1},
			`shorten: got a value, want none: policy = "none" has no use for it`},
		{delivery.Freeing{Policy: "continuous", Victim: "oldest"},
			`victim: got "oldest", want one of ahead-of-schedule, lowest-priority, most-complete, newest`},
		{delivery.Freeing{Policy: "at-interval", Victim: "newest", Shorten: -1},
			`shorten: got -1, want 0 to 1000000000`},
	} {
		if errs := v.f.Validate(); len(errs) != 1 || errs[0].Error() != v.want {
			t.Errorf("got  %v\nwant %s", errs, v.want)
		}
	}
}
