package mail

import (
	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Send is the sender's own policy for one destination: the most that each server
// asks of it, whatever the receiver would take, and when failed recipients are
// resent. Each server follows it by itself.
type Send struct {
	// most attempts of each server under way at once, and so the most open connections; 0: no limit of the sender's own
	// Source: assumed: no limit of the sender's own
	Connections int `toml:"connections" range:"0..1000000"`
	// messages that each server offers in the long run; 0/h: no limit of the sender's own
	// Source: assumed: no limit of the sender's own
	Rate unit.PerHour `toml:"rate" range:"0/h..3600000000/h"`
	// connections that each server opens in the long run; 0/h: no limit of the sender's own
	// Source: assumed: no limit of the sender's own
	ConnectionRate unit.PerHour `toml:"connection_rate" range:"0/h..3600000000/h"`
	// messages (with rate) and connections (with connection_rate) that may begin at once after a pause
	// Source: assumed: evenly spaced
	Burst int `toml:"burst" range:"1..1000000000" default:"1"`
	// messages that each server sends over one connection before it closes it; not given: the destination's
	// messages_per_connection
	// Source: derived: the destination's messages_per_connection
	Messages int `toml:"messages_per_connection,omitdefault" range:"1..1000000"`
	// waits before the resends to this destination, of which the last repeats; not given: those of [retry], which also
	// has the end of resends
	// Source: derived: as retry.delays
	Delays []vt.Span `toml:"delays,omitdefault" range:"1ms..30d"`
}

// Gates reports whether s limits when an attempt may begin.
func (s Send) Gates() bool { return s.Connections > 0 || s.Rate > 0 || s.ConnectionRate > 0 }

// Off reports whether the destination has no policy of its own.
func (s Send) Off() bool { return !s.Gates() && len(s.Delays) == 0 && s.Messages == 0 }

// Idle reports whether a key has no meaning beside the others.
func (s Send) Idle(key string) bool {
	switch key {
	case "connections":
		return s.Connections == 0
	case "rate":
		return s.Rate == 0
	case "connection_rate":
		return s.ConnectionRate == 0
	case "burst":
		return s.Rate == 0 && s.ConnectionRate == 0
	}
	return false
}

// Problems reports every problem beside the ranges of the keys; see CheckBurst.
func (s Send) Problems() []error {
	var l conf.List
	for _, rate := range []unit.PerHour{s.Rate, s.ConnectionRate} {
		CheckBurst(&l, "burst", s.Burst, rate)
	}
	return l
}
