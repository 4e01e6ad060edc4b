package limits

import (
	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Penalty is what a receiver does to a server that sends too fast, as Google's
// guidelines for senders describe: it takes nothing for a time, then the messages of
// one connection, and of one connection more at a time while the sender keeps to that number.
type Penalty struct {
	// recent rate of the server above which a penalty begins; 0: none
	// Source: scenario
	Rate unit.PerHour `toml:"rate" range:"0/h..3600000000/h"`
	// time in which all messages are refused
	// Source: derived: Google, sender guidelines: nothing for at least ten minutes
	Pause vt.Span `toml:"pause" range:"1s..30d" default:"10m"`
	// open connections at which the penalty is over: after a pause one is allowed, then one more at a time; 0: the
	// penalty is over after the pause
	// Source: assumed: KumoMTA's default of connections
	Connections int `toml:"connections" range:"0..1000000" default:"10"`
	// messages offered in one pause after which the next message begins the pause again; 0: never
	// Source: assumed: Google publishes no number
	Insist int `toml:"insist" range:"0..1000000000"`
	// length of a pause / length of the last pause, if the last one ended less than memory ago
	// Source: derived: Google, sender guidelines: ten minutes more
	Escalate float64 `toml:"escalate" range:"1..1000" default:"1"`
	// longest pause
	// Source: assumed: no provider publishes it
	Most vt.Span `toml:"most" range:"1s..3650d" default:"1d"`
	// time after a pause in which the receiver remembers how long that pause was
	// Source: assumed: no provider publishes it
	Memory vt.Span `toml:"memory" range:"1s..3650d" default:"1d"`
	// reply code to MAIL
	Reply int `toml:"reply" range:"400..599" default:"421"`
	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced" default:"4.7.28"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`
}

// Off reports whether no rate is punished.
func (p Penalty) Off() bool { return p.Rate == 0 }

// Problems reports every problem beside the ranges of the keys.
func (p Penalty) Problems() []error {
	var l conf.List
	if !p.Off() {
		mail.CheckStatus(&l, "enhanced", p.Reply, p.Enhanced)
	}
	l.Check(p.Most >= p.Pause, "most", "got %s, want at least pause = %s", p.Most, p.Pause)
	return l
}

// Penance is the state of a receiver's penalty for a server. Its zero value is the
// state of a server that was never punished.
type Penance struct {
	until   vt.Time // end of the pause, which is over or not
	length  vt.Span // of the pause; 0: there was none
	allowed int     // open connections, after the pause; 0: any number
	passed  int     // messages let pass since another connection was allowed
	offered int     // messages in the pause
}

// Refuses decides on a message that is offered at the time now, with the server's
// recent rate and its number of open connections.
func (s *Penance) Refuses(p *Penalty, now vt.Time, rate float64, open int) bool {
	switch {
	case now < s.until:
		if s.offered++; p.Insist > 0 && s.offered > p.Insist {
			s.begin(p, now)
		}
		return true
	case s.allowed > 0 && open > s.allowed, s.allowed == 0 && rate > float64(p.Rate):
		s.begin(p, now)
		return true
	case s.allowed > 0:
		if s.passed++; s.passed >= s.allowed {
			s.allowed, s.passed = s.allowed+1, 0
		}
		if s.allowed >= p.Connections {
			s.allowed = 0
		}
	}
	return false
}

// begin begins a pause.
func (s *Penance) begin(p *Penalty, now vt.Time) {
	if s.length > 0 && now.Sub(s.until) < p.Memory {
		s.length = min(p.Most, times(s.length, p.Escalate))
	} else {
		s.length = p.Pause
	}
	s.until, s.passed, s.offered = now.Add(s.length), 0, 0
	s.allowed = min(1, p.Connections)
}

// times returns a length times a factor, rounded down, at most three years.
func times(d vt.Span, by float64) vt.Span { return vt.Span(min(float64(d)*by, 1e17)) }

// State saves or restores what is remembered.
func (s *Penance) State(c *snap.Codec) {
	c.Fields(&s.until, &s.length, &s.allowed, &s.passed, &s.offered)
}
