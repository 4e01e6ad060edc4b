package deadlines

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/vt"
	"flyball/netmodel/limits"
	"flyball/sim"
)

// A broken invariant names the run that broke it, and the question, which repeats that run: no
// command makes a run with an added limit or server.
func TestBrokenRun(t *testing.T) {
	s, _, err := (&task.Source{Arg: "quickstart", Set: []string{"campaign[0].recipients=100"}}).Load()
	if err != nil {
		t.Fatal(err)
	}
	l := &laboratory{ctx: context.Background(), name: s.Name, replay: "flyball plan quickstart --seed 1", workers: 1,
		done: 5}
	defer func() {
		b, _ := recover().(task.Broken)
		if b.Value != "time fell" || b.Replay != l.replay || len(b.Stack) == 0 ||
			!strings.HasPrefix(b.Where, "run 7 of the search, replication 3 of quickstart, virtual time ") {
			t.Errorf("got %v at %q, replay with %q", b.Value, b.Where, b.Replay)
		}
	}()
	_, err = runs(l, []sim.Job{{Scenario: s}, {Scenario: s, Replication: 3}},
		func(j sim.Job, _ *sim.World, _ vt.Time) bool {
			if j.Replication == 3 {
				panic("time fell")
			}
			return true
		})
	t.Error("nothing broke:", err)
}

// The words of an added limit name whose messages count, for every scope that an allowance can have.
func TestEveryScopeHasWords(t *testing.T) {
	scope, _ := reflect.TypeFor[limits.Allowance]().FieldByName("Scope")
	for word := range strings.FieldsSeq(scope.Tag.Get("oneof")) {
		text := addition{name: "p", allowance: limits.Allowance{Limit: 9, Growth: 1, Scope: word}}.words()
		if !strings.Contains(text, " a day from each ") && !strings.Contains(text, " a day from all ") {
			t.Errorf("scope %s: got %q", word, text)
		}
	}
}
