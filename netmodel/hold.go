package netmodel

import (
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// hold is a prepared config.Mailbox.
type hold struct {
	below  uint64 // threshold
	period vt.Span
	reply  ending
}

func newHolds(all []config.Mailbox, a *answers) (holds []hold) {
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
