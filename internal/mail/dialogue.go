package mail

import (
	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Dialogue is the SMTP conversation of a run: which commands are exchanged, in how
// many round trips, and how long the client waits for each. The real client
// executes it and the network model computes its time, so both measure the same
// protocol.
type Dialogue struct {
	// send MAIL, RCPT and DATA in one round trip (RFC 2920), where a live receiver offers it
	Pipelining bool `toml:"pipelining"`
	// STARTTLS and a second EHLO on every new connection (RFC 3207); simulation only
	StartTLS bool `toml:"starttls"`
	// AUTH on every new connection, within TLS where there is some (RFC 4954): plain in one round trip, login in three;
	// simulation only
	Auth string `toml:"auth,omitdefault" oneof:"none plain login" default:"none"`
	// messages sent over one connection before it is closed; 1 never reuses
	// Source: derived: KumoMTA shaping default
	Messages int `toml:"messages_per_connection" default:"100" range:"1..1000000"`
	// how long the client waits at each stage
	Timeouts Timeouts `toml:"timeouts"`
}

// Timeouts are the times that the client waits at each stage.
type Timeouts struct {
	// all look-ups for one destination
	// Source: assumed: resolver timeout 5 s, two tries
	DNS vt.Span `toml:"dns" default:"10s" range:"1ms..1h"`
	// TCP connection
	// Source: derived: Postfix smtp_connect_timeout
	Connect vt.Span `toml:"connect" default:"30s" range:"1ms..1h"`
	// 220 greeting
	// Source: derived: RFC 5321 4.5.3.2.1
	Banner vt.Span `toml:"banner" default:"5m" range:"1ms..1h"`
	// EHLO, STARTTLS, MAIL, RCPT, RSET
	// Source: derived: RFC 5321 4.5.3.2.2, 4.5.3.2.3
	Command vt.Span `toml:"command" default:"5m" range:"1ms..1h"`
	// 354 after DATA
	// Source: derived: RFC 5321 4.5.3.2.4
	Data vt.Span `toml:"data" default:"2m" range:"1ms..1h"`
	// reply to the final dot
	// Source: derived: RFC 5321 4.5.3.2.6
	Dot vt.Span `toml:"dot" default:"10m" range:"1ms..1h"`
}

var keys = conf.Declare[Dialogue]()

// DefaultDialogue returns a plain client that reuses connections.
func DefaultDialogue() Dialogue { return conf.DefaultOf[Dialogue](keys) }

// Validate reports every problem.
func (d Dialogue) Validate() []error {
	var l conf.List
	keys.Check(&l, d)
	return l
}

// Step is one exchange of the dialogue: a number of round trips that ends with the
// reply of a stage.
type Step struct {
	Stage      Stage
	RoundTrips int
}

// initialWindow is the number of bytes that a new TCP connection sends in its first round trip:
// ten segments of 1460 bytes (RFC 6928). The window doubles each round.
const initialWindow = 10 * 1460

// Steps returns the exchanges of one attempt that carries size bytes.
//
// A fresh connection spends a round trip each on TCP, banner and EHLO;
// STARTTLS adds the command, one TLS 1.3 flight and a second EHLO, and AUTH
// one round trip with an initial response (RFC 4954 4), or three with a
// question each for name and password. A reused one starts at MAIL; after a
// refused message it first sends RSET and, as the real client does, EHLO again.
func (d Dialogue) Steps(c Conn, size int64) []Step {
	var s []Step
	switch c {
	case Fresh:
		ehlo := 1
		if d.StartTLS {
			ehlo = 4
		}
		switch d.Auth {
		case "plain":
			ehlo++
		case "login":
			ehlo += 3
		}
		s = append(s, Step{StageConnect, 1}, Step{StageBanner, 1}, Step{StageEHLO, ehlo})
	case Reset:
		s = append(s, Step{StageEHLO, 2})
	}
	if d.Pipelining {
		s = append(s, Step{StageMAIL, 1}, Step{StageRCPT, 0}, Step{StageDATA, 0})
	} else {
		s = append(s, Step{StageMAIL, 1}, Step{StageRCPT, 1}, Step{StageDATA, 1})
	}
	dot := 1
	if c == Fresh { // a used connection's window has grown past a message
		dot += Doublings(size)
	}
	return append(s, Step{StageDot, dot})
}

// Doublings returns how often the window of a fresh connection doubles before it has carried
// size bytes (RFC 6928).
func Doublings(size int64) (n int) {
	for sent, window := int64(initialWindow), int64(2*initialWindow); sent < size; window *= 2 {
		sent += window
		n++
	}
	return n
}

// BlockPatience is how long the client tries to send a part of a message (RFC 5321 4.5.3.2.5).
const BlockPatience = 3 * vt.Minute

// Patience returns how long the client waits for the reply of a stage.
func (t Timeouts) Patience(s Stage) vt.Span {
	switch s {
	case StageDNS:
		return t.DNS
	case StageConnect:
		return t.Connect
	case StageBanner:
		return t.Banner
	case StageDATA:
		return t.Data
	case StageDot:
		return t.Dot
	}
	return t.Command
}
