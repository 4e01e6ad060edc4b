package netmodel

import (
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// event is a prepared config.Refuse.
type event struct {
	from, to vt.Time
	share    float64
	reply    ending
}

// events returns the prepared events at the stages of connections and at the stages
// of messages, in their order.
func events(all []config.Refuse, a *answers) (connections, messages []event) {
	for _, v := range all {
		at, _ := mail.StageNamed(v.At)
		e := event{vt.Time(v.From), vt.Never, v.Share, a.refusal(at, v.Reply, v.Enhanced, v.Text)}
		if v.To > 0 {
			e.to = vt.Time(v.To)
		}
		if at <= mail.StageEHLO {
			connections = append(connections, e)
		} else {
			messages = append(messages, e)
		}
	}
	return connections, messages
}

// refuses returns the reply of the event that refuses at the time now, or noEnding:
// the first of those under way whose share, with the shares before it, is above what
// word draws.
func refuses(all []event, now vt.Time, word func() uint32) ending {
	upTo, drawn := 0.0, uint64(0)
	for i := range all {
		e := &all[i]
		if now < e.from || now >= e.to || e.share == 0 {
			continue
		}
		if upTo == 0 && e.share < 1 {
			drawn = uint64(word())
		}
		if upTo += e.share; drawn < rng.Threshold(min(1, upTo)) {
			return e.reply
		}
	}
	return noEnding
}

// before returns the ending that comes first, and a of two at one stage. noEnding
// comes last.
func (a ending) before(b ending) ending {
	if a == noEnding || b != noEnding && b.stage() < a.stage() {
		return b
	}
	return a
}
