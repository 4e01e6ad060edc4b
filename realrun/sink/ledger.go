package sink

import (
	"sync/atomic"

	"flyball/internal/mail"
)

// Ledger is what the receivers know they have: the independent account of a
// live run. Safe for concurrent use.
type Ledger struct {
	got   []atomic.Uint32 // messages accepted, by recipient
	gone  []atomic.Uint32 // messages received whose reply was lost, by recipient
	bytes atomic.Int64
}

// NewLedger is an empty ledger for a list of that length.
func NewLedger(recipients int) *Ledger {
	return &Ledger{got: make([]atomic.Uint32, recipients), gone: make([]atomic.Uint32, recipients)}
}

func (l *Ledger) accepted(r mail.Recipient, size int64) {
	l.got[r].Add(1)
	l.bytes.Add(size)
}

func (l *Ledger) lost(r mail.Recipient) { l.gone[r].Add(1) }

// Account compares the ledger with what the sender believes. A message that
// was received although its reply was lost is ambiguous, not an error.
type Account struct {
	Accepted int   `json:"accepted"` // recipients with a message received at least once
	Bytes    int64 `json:"bytes"`
	// of these, how many the sender does not count as delivered, knowing that it cannot know
	LostReply  int `json:"lost_reply"`
	Duplicates int `json:"duplicates"` // received more often than ambiguous attempts explain
	Missing    int `json:"missing"`    // believed delivered, never received
	Unknown    int `json:"unknown"`    // received, neither believed delivered nor ambiguous
}

// Clean reports that both sides agree.
func (a Account) Clean() bool { return a.Duplicates == 0 && a.Missing == 0 && a.Unknown == 0 }

// Account closes the books against the final status of every recipient and the
// number of its attempts that were ambiguous: each of these may have left a
// message.
func (l *Ledger) Account(status []mail.Status, ambiguous []uint16) Account {
	a := Account{Bytes: l.bytes.Load()}
	for r := range l.got {
		n := l.got[r].Load() + l.gone[r].Load()
		if n > 0 {
			a.Accepted++
		}
		switch {
		case n > 1+uint32(ambiguous[r]):
			a.Duplicates++
		case n > 0 && status[r] != mail.Done && ambiguous[r] > 0:
			a.LostReply++
		case n > 0 && status[r] != mail.Done:
			a.Unknown++
		case n == 0 && status[r] == mail.Done:
			a.Missing++
		}
	}
	return a
}
