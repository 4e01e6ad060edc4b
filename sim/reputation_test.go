package sim

import (
	"testing"

	"flyball/internal/mail"
	"flyball/scenarios"
)

// The provider of the scenario reputation accepts a whole list from a server that
// stays within the provider's limits. From a server that exceeds them it soon
// accepts next to nothing: such a server delivers less, not more.
func TestReputationIsLostByRate(t *testing.T) {
	text, _ := scenarios.Builtin("reputation")
	delivered := func(target string) uint64 {
		s, err := scenarios.Load("reputation", text, []string{"campaign[0].recipients=250000",
			"governor.target=" + target})
		if err != nil {
			t.Fatal(err)
		}
		w, err := New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Run(nil)
		return w.Record().Count(mail.Done)
	}
	if n := delivered("80000/h"); n != 250_000 {
		t.Errorf("%d of 250000 delivered at 80000/h, want all", n)
	}
	if n := delivered("140000/h"); n > 180_000 {
		t.Errorf("%d of 250000 delivered with a target of 140000/h, want a collapse", n)
	}
}
