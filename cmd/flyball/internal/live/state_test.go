package live

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
	"flyball/scenarios"
)

// What a rehearsal delivered has not reached the receivers of another kind: the mailing does not go on with these.
func TestAMailingGoesOnWithOneKindOfReceivers(t *testing.T) {
	s := scenarios.Default()
	open := func(q Run) error {
		st, err := q.openState(&s)
		st.Close()
		return err
	}
	kinds := []Run{{}, {Receiver: "127.0.0.1:2525"},
		{Receiver: "127.0.0.1:2525", Outside: Outside{Allow: "allow.toml"}}}
	for i, q := range kinds {
		q.State = filepath.Join(t.TempDir(), "state")
		if err := open(q); err != nil {
			t.Fatal(err)
		}
		for j, other := range kinds {
			other.State, other.Resume = q.State, true
			err := open(other)
			var wrong task.Error
			refused := errors.As(err, &wrong) && wrong.Kind == task.Usage &&
				strings.Contains(err.Error(), "another mailing")
			if i == j && err != nil || i != j && !refused {
				t.Errorf("begun with kind %d, goes on with kind %d: got %v", i, j, err)
			}
		}
	}
	q := kinds[1]
	q.State = filepath.Join(t.TempDir(), "state")
	if err := open(q); err != nil {
		t.Fatal(err)
	}
	q.Receiver, q.Resume = "127.0.0.1:2526", true // the mailing moves to another relay
	if err := open(q); err != nil {
		t.Errorf("with another receiver of the same kind: got %v", err)
	}
}
