package live

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/realrun/journal"
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

// The status of a mailing whose run was killed counts the attempts that a run that goes on will find ambiguous.
func TestStatusAfterAKillCountsAmbiguousAttempts(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "mailing"), []byte(header+strings.Repeat("0", 64)+"\n"), 0o600)
	j, err := journal.Create(durable.Files(dir), kept{}.id(journal.ID{}))
	if err != nil {
		t.Fatal(err)
	}
	at := func(f engine.Fact) journal.Entry {
		return journal.Entry{Role: engine.Address{Role: engine.Remote}, Fact: f}
	}
	_, err = j.Write([]journal.Entry{
		{Role: engine.Address{Role: engine.Sender}, Fact: engine.Submitted{Recipients: 10}},
		at(engine.Intent{Rcpt: 1, Boot: boot()}), at(engine.Dotted{Rcpt: 1}),
		at(engine.Outcome{Rcpt: 1, Status: mail.Done}),
		at(engine.Intent{Rcpt: 2, Boot: boot()}), at(engine.Dotted{Rcpt: 2}), // no reply
		at(engine.Intent{Rcpt: 3, Boot: boot()}),     // no final dot
		at(engine.Intent{Rcpt: 4, Boot: boot() ^ 1}), // before a loss of power
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := (&Control{Dir: dir, Request: "status"}).Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Ambiguous != 2 || s.Attempts != 3 || s.Delivered != 1 || s.Pending != 9 {
		t.Errorf("got %+v, want 2 of 3 attempts ambiguous, 1 recipient delivered, 9 pending", *s)
	}
}
