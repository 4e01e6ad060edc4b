package sink

import (
	"testing"

	"flyball/internal/mail"
)

// Each recipient is one case of the account: what was received, what the sender
// takes it for, and how many of its attempts were ambiguous.
func TestAccountByHand(t *testing.T) {
	for _, c := range []struct {
		name         string
		got, gone, n int // messages accepted, received with the reply lost, ambiguous attempts
		status       mail.Status
		want         Account
	}{
		{"delivered", 1, 0, 0, mail.Done, Account{Accepted: 1, Bytes: 10}},
		{"failed", 0, 0, 0, mail.Failed, Account{}},
		{"twice", 2, 0, 0, mail.Done, Account{Accepted: 1, Bytes: 20, Duplicates: 1}},
		{"twice, once ambiguous", 1, 1, 1, mail.Done, Account{Accepted: 1, Bytes: 10}},
		{"three times, once ambiguous", 2, 1, 1, mail.Done, Account{Accepted: 1, Bytes: 20, Duplicates: 1}},
		{"believed delivered, never received", 0, 0, 0, mail.Done, Account{Missing: 1}},
		{"the same with an ambiguous attempt", 0, 0, 1, mail.Done, Account{Missing: 1}},
		{"received, the reply lost", 0, 1, 1, mail.Held, Account{Accepted: 1, LostReply: 1}},
		{"received, believed failed", 1, 0, 0, mail.Failed, Account{Accepted: 1, Bytes: 10, Unknown: 1}},
	} {
		l := newLedger(1)
		for range c.got {
			l.accepted(0, 10)
		}
		for range c.gone {
			l.lost(0)
		}
		got := l.Account([]mail.Status{c.status}, []uint16{uint16(c.n)})
		if got != c.want || got.Clean() != (got.Duplicates+got.Missing+got.Unknown == 0) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
