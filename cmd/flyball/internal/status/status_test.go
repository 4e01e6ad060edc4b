package status

import (
	"testing"

	"flyball/cmd/flyball/internal/kept"
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/realrun/journal"
)

// The status of a mailing whose run was killed counts the attempts that a run that goes on will find ambiguous.
func TestStatusAfterAKillCountsAmbiguousAttempts(t *testing.T) {
	dir := t.TempDir()
	mailing, err := kept.Open(dir, false, "", journal.ID{}, "no receivers")
	if err != nil {
		t.Fatal(err)
	}
	at := func(f engine.Fact) journal.Entry {
		return journal.Entry{Role: engine.Address{Role: engine.Remote}, Fact: f}
	}
	_, err = mailing.Journal.Write([]journal.Entry{
		{Role: engine.Address{Role: engine.Sender}, Fact: engine.Submitted{Recipients: 10}},
		at(engine.Intent{Rcpt: 1, Boot: kept.Boot()}), at(engine.Dotted{Rcpt: 1}),
		at(engine.Outcome{Rcpt: 1, Status: mail.Done}),
		at(engine.Intent{Rcpt: 2, Boot: kept.Boot()}), at(engine.Dotted{Rcpt: 2}), // no reply
		at(engine.Intent{Rcpt: 3, Boot: kept.Boot()}),     // no final dot
		at(engine.Intent{Rcpt: 4, Boot: kept.Boot() ^ 1}), // before a loss of power
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := mailing.Close(); err != nil {
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
