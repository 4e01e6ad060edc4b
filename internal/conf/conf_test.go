package conf_test

import (
	"errors"
	"testing"

	"flyball/internal/conf"
)

func TestListGathersEverything(t *testing.T) {
	var inner conf.List
	inner.Check(true, "fine", "never told")
	inner.Check(false, "p", "got %g, want %d to %d", 1.5, 0, 1)
	inner.Check(false, conf.Index("delays", 2), "got %s", "nothing")
	var outer conf.List
	outer.Check(false, "name", "got %q", "")
	outer.Within(conf.Index("server", 3), inner)
	outer.Within("file", []error{errors.New("not a Problem: told as it is")})
	outer.Within("none", nil)
	want := []string{`name: got ""`, "server[3].p: got 1.5, want 0 to 1", "server[3].delays[2]: got nothing",
		"not a Problem: told as it is"}
	if len(outer) != len(want) {
		t.Fatalf("%d problems, want %d: %v", len(outer), len(want), outer)
	}
	for i := range want {
		if outer[i].Error() != want[i] {
			t.Errorf("got  %s\nwant %s", outer[i], want[i])
		}
	}
	// The nested list is not changed: it may be asked again.
	if got := inner[0].Error(); got != "p: got 1.5, want 0 to 1" {
		t.Errorf("the nested problem is now %s", got)
	}
}

func TestNoProblem(t *testing.T) {
	var l conf.List
	l.Check(true, "key", "told")
	if l != nil {
		t.Errorf("%v", l)
	}
}

// A Problem is found by errors.As, with its key.
func TestProblemIsAValue(t *testing.T) {
	var l conf.List
	l.Check(false, "a.b", "wrong")
	var p conf.Problem
	if !errors.As(l[0], &p) || p != (conf.Problem{Key: "a.b", Text: "wrong"}) {
		t.Errorf("%+v", p)
	}
}
