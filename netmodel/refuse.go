package netmodel

import (
	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// Refuse is an event during which a destination refuses connections or messages,
// such as an entry in a block list, a broken filter or a full disk.
type Refuse struct {
	// when it begins
	// Source: scenario
	From vt.Span `toml:"from" range:"0s..3650d" unit:"moment"`
	// when it ends; not given: it lasts until the end of the run
	// Source: scenario
	To vt.Span `toml:"to" range:">0s..3650d" unit:"moment"`
	// stage: new connections are refused at banner and ehlo, messages at the others
	At string `toml:"at" oneof:"banner ehlo mail rcpt data dot" default:"mail"`
	// reply code
	Reply int `toml:"reply" range:"400..599" required:"true"`
	// share of connections or messages that are refused
	// Source: scenario
	Share float64 `toml:"share" range:"0..1" default:"1"`

	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced,omitdefault"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`
}

func (v Refuse) validate() []error {
	var l conf.List
	l.Check(v.To == 0 || v.To > v.From, "to", "got %s, want more than from = %s", v.To, v.From)
	mail.CheckStatus(&l, "enhanced", v.Reply, v.Enhanced)
	return l
}

// event is a prepared Refuse.
type event struct {
	from, to vt.Time
	share    float64
	reply    ending
}

// events returns the prepared events at the stages of connections and at the stages
// of messages, in their order.
func events(all []Refuse, a *answers) (connections, messages []event) {
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
