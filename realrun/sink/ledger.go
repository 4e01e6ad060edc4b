package sink

import (
	"sync"
	"sync/atomic"

	"flyball/internal/mail"
)

// Ledger counts the messages that the receivers have, and what they refused: an account
// of a live run that is independent of the sender's. Safe for concurrent use.
type Ledger struct {
	got   []atomic.Uint32 // messages accepted, by recipient
	gone  []atomic.Uint32 // messages received whose reply was lost, by recipient
	bytes atomic.Int64

	lock    sync.Mutex
	refused map[Refusal]int
}

// Refusal is a reply by which a receiver refuses a server's command.
type Refusal struct {
	Server mail.Server
	Dest   mail.Destination
	Stage  mail.Stage
	Code   uint16
}

// newLedger returns an empty ledger for a list of the given length.
func newLedger(recipients int) *Ledger {
	return &Ledger{got: make([]atomic.Uint32, recipients), gone: make([]atomic.Uint32, recipients),
		refused: map[Refusal]int{}}
}

func (l *Ledger) refuses(r Refusal) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.refused[r]++
}

// Refused returns how often the receivers refused a command so.
func (l *Ledger) Refused(r Refusal) int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.refused[r]
}

// Accepted reports whether a recipient's message was received.
func (l *Ledger) Accepted(r mail.Recipient) bool { return l.got[r].Load()+l.gone[r].Load() > 0 }

func (l *Ledger) accepted(r mail.Recipient, size int64) {
	l.got[r].Add(1)
	l.bytes.Add(size)
}

func (l *Ledger) lost(r mail.Recipient) { l.gone[r].Add(1) }

// Account is the comparison of the ledger with the sender's results. A message
// that was received although its reply was lost is ambiguous, not an error.
type Account struct {
	Accepted int   `json:"accepted"` // recipients whose message was received at least once
	Bytes    int64 `json:"bytes"`
	// LostReply is the number of accepted recipients that the sender counts as
	// ambiguous, not as delivered.
	LostReply  int `json:"lost_reply"`
	Duplicates int `json:"duplicates"` // received more often than ambiguous attempts explain
	Missing    int `json:"missing"`    // delivered according to the sender, never received
	Unknown    int `json:"unknown"`    // received, but neither delivered nor ambiguous according to the sender
}

// Clean reports whether both sides agree.
func (a Account) Clean() bool { return a.Duplicates == 0 && a.Missing == 0 && a.Unknown == 0 }

// Account compares the ledger with the final status of every recipient and the
// number of the recipient's ambiguous attempts, each of which may have left a
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
