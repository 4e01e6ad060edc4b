package netmodel

import (
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// Mailbox is a state of single mailboxes in which they take no mail for a time, such as
// one that is full, or one that receives mail too fast. It holds one recipient, and does not
// count against the sender.
type Mailbox struct {
	// share of the mailboxes that are in this state at any time
	// Source: scenario
	Share float64 `toml:"share" range:"0..1" required:"true"`
	// how long a mailbox stays in it; it may be in it again right after that
	// Source: assumed: no provider publishes it
	For vt.Span `toml:"for" range:"1s..3650d" default:"1d"`
	// command that is refused
	At string `toml:"at" oneof:"rcpt data dot" default:"rcpt"`
	// reply code
	Reply int `toml:"reply" range:"400..599" default:"452"`

	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced" default:"4.2.2"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`
}

// mostMailboxes is the most states of mailboxes at a destination: a draw has four words.
const mostMailboxes = 4

// hold is a prepared Mailbox.
type hold struct {
	below  uint64 // threshold
	period vt.Span
	reply  ending
}

func newHolds(all []Mailbox, a *answers) (holds []hold) {
	for _, v := range all {
		at, _ := mail.StageNamed(v.At)
		holds = append(holds, hold{rng.Threshold(v.Share), v.For, a.refusal(at, v.Reply, v.Enhanced, v.Text)})
	}
	return holds
}

// held returns the reply of the first state that the recipient's mailbox is in at the
// time now, or noEnding. Each mailbox is in a state, or not, for periods of the state's
// length; they begin at a moment of the mailbox's own.
func (r *Receiver) held(now vt.Time, to mail.Recipient) ending {
	_, _, _, phase := r.net.key.Words(uint64(to), 0, purposeMailbox)
	for i := range r.facts.holds {
		h := &r.facts.holds[i]
		began := vt.Span(float64(h.period) * (float64(phase) / (1 << 32)))
		words := r.net.key.At(uint64(to), uint32(now.Add(began)/vt.Time(h.period)), purposeHold)
		if uint64(words[i]) < h.below {
			return h.reply
		}
	}
	return noEnding
}
