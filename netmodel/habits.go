package netmodel

import (
	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// What a receiver may do beside drawing delays and failures. Each is off
// unless the scenario says otherwise, is kept for each server by itself, or for
// all together where the destination is shared, and is decided when an attempt begins. docs/model.md tells each rule exactly.

// Bucket is a token bucket: so many messages at once, and the rate in the long
// run; what comes beyond is deferred at MAIL.
type Bucket struct {
	Rate  unit.PerHour `toml:"rate" doc:"messages that it takes from each server in the long run; 0: any"`
	Burst int          `toml:"burst" doc:"messages that it takes at once after a pause" range:"1..1000000000"`
	Reply int          `toml:"reply" doc:"reply code to MAIL beyond that" range:"400..499"`
}

// Throttle defers messages at MAIL the more often, the more of them the server
// has lately sent.
type Throttle struct {
	Soft  unit.PerHour `toml:"soft" doc:"recent rate from which messages are deferred"`
	Hard  unit.PerHour `toml:"hard" doc:"recent rate from which all are; 0: no throttle"`
	Curve string       `toml:"curve" doc:"probability between soft and hard: a straight line from 0 to 1, or a logistic curve from 0.05 to 0.95 that goes on beyond them" oneof:"linear logistic"`
	Reply int          `toml:"reply" doc:"reply code to MAIL" range:"400..499"`
}

// Reputation makes a receiver trust a server less after each bad thing that it
// did: with a sum of p points its rate counts (1 + p)-fold with throttle and
// tarpit.
type Reputation struct {
	PerRefusal float64 `toml:"per_refusal" doc:"points for a message that bucket or throttle refused" range:"0..1000"`
	PerDead    float64 `toml:"per_dead" doc:"points for a message to a dead recipient" range:"0..1000"`
	Heals      vt.Span `toml:"heals" doc:"half-life of points"`
}

// Tarpit delays the reply to MAIL.
type Tarpit struct {
	Soft     unit.PerHour `toml:"soft" doc:"recent rate from which the reply is delayed"`
	Hard     unit.PerHour `toml:"hard" doc:"recent rate from which it is delayed by all of delay; 0: the rate does not count"`
	Delay    vt.Span      `toml:"delay" doc:"delay by rate, growing in a straight line from soft to hard"`
	PerPoint vt.Span      `toml:"per_point" doc:"further delay for each point of bad reputation"`
	Most     vt.Span      `toml:"most" doc:"longest delay of both together"`
}

// Knee is the number of connections from one server above which the receiver's
// own work waits for its machines.
type Knee struct {
	Connections int     `toml:"connections" doc:"open connections of the server above which delays grow; 0: they never do"`
	Slope       float64 `toml:"slope" doc:"growth: delays are 1 + slope x (open - connections) / connections times as long" range:"0..1000"`
}

// Outage is a destination's going down by chance, for all servers at once.
type Outage struct {
	Up    vt.Span `toml:"up" doc:"mean time between outages, exponential; 0: none"`
	Down  vt.Span `toml:"down" doc:"mean length of an outage, exponential"`
	Fault string  `toml:"fault" doc:"how a connection meanwhile ends: refused or reset, or without an answer" oneof:"drop timeout"`
}

// Down is an outage that the scenario orders.
type Down struct {
	From  vt.Span `toml:"from" doc:"when it begins"`
	For   vt.Span `toml:"for" doc:"how long it lasts" required:"true"`
	Fault string  `toml:"fault" doc:"how a connection meanwhile ends: refused or reset, or without an answer" oneof:"drop timeout"`
}

// Daily is a receiver's day: delays follow a sinusoid around what they are.
type Daily struct {
	Amplitude float64 `toml:"amplitude" doc:"part by which delays are longer at the peak and shorter half a day later; 0: no cycle" range:"0..0.95"`
	Peak      vt.Span `toml:"peak" doc:"time of the day with the longest delays; a run begins at midnight"`
}

// Drift multiplies a receiver's delays from a time on.
type Drift struct {
	At     vt.Span `toml:"at" doc:"when it begins"`
	Factor float64 `toml:"factor" doc:"of delays, once it is complete" range:"0.01..100" required:"true"`
	Over   vt.Span `toml:"over" doc:"time in which it becomes complete, in a straight line; 0: at once"`
}

// PathDrift changes the paths between all servers and destinations from a time
// on.
type PathDrift struct {
	At     vt.Span `toml:"at" doc:"when it begins"`
	Factor float64 `toml:"factor" doc:"of round-trip times, once it is complete" range:"0.01..100"`
	Hops   int     `toml:"hops" doc:"routers more on every path, once it is complete" range:"0..64"`
	Over   vt.Span `toml:"over" doc:"time in which it becomes complete, in a straight line; 0: at once"`
}

// Weather is what all delays of a destination have in common: a lognormal
// factor of median 1, drawn anew in every period.
type Weather struct {
	Sigma       float64 `toml:"sigma" doc:"standard deviation of the factor's logarithm; 0: none" range:"0..2"`
	Period      vt.Span `toml:"period" doc:"time for which a factor holds"`
	Correlation float64 `toml:"correlation" doc:"of the logarithms of one period and the next" range:"0..0.999"`
}

// DefaultDown is an outage in which connections get no answer.
func DefaultDown() Down { return Down{Fault: "timeout"} }

// DefaultDrift becomes complete at once.
func DefaultDrift() Drift { return Drift{} }

// DefaultPathDrift changes nothing.
func DefaultPathDrift() PathDrift { return PathDrift{Factor: 1} }

func (v PathDrift) ofTime() Drift { return Drift{At: v.At, Factor: v.Factor, Over: v.Over} }

func (t Throttle) on() bool   { return t.Hard > 0 }
func (r Reputation) on() bool { return r.PerRefusal > 0 || r.PerDead > 0 }
func (t Tarpit) on() bool     { return t.Delay > 0 || t.PerPoint > 0 }
func (o Outage) on() bool     { return o.Up > 0 }

// Idle reports whether a key holds what the destination does not have: it is
// no part of what it means.
func (d Destination) Idle(key string) bool {
	switch key {
	case "shared":
		return !d.Shared
	case "messages_per_connection":
		return d.Messages == 0
	case "recent":
		return !d.Throttle.on() && !d.Tarpit.on()
	case "bucket":
		return d.Bucket.Rate == 0
	case "throttle":
		return !d.Throttle.on()
	case "reputation":
		return !d.Reputation.on()
	case "tarpit":
		return !d.Tarpit.on()
	case "knee":
		return d.Knee.Connections == 0
	case "outage":
		return !d.Outage.on()
	case "down":
		return len(d.Down) == 0
	case "daily":
		return d.Daily.Amplitude == 0
	case "drift":
		return len(d.Drift) == 0
	case "weather":
		return d.Weather.Sigma == 0
	}
	return false
}

// HasHabits reports whether the receiver does anything beside drawing delays
// and failures, counting connections and greylisting.
func (d Destination) HasHabits() bool {
	for _, key := range []string{"recent", "bucket", "throttle", "tarpit", "knee", "outage", "down", "daily", "drift", "weather"} {
		if !d.Idle(key) {
			return true
		}
	}
	return d.Greylist.WhitelistAfter > 0
}

// WithoutHabits is the same destination without them.
func (d Destination) WithoutHabits() Destination {
	plain := DefaultDestination()
	d.Greylist.WhitelistAfter = 0
	d.Bucket, d.Throttle, d.Reputation, d.Tarpit, d.Knee = plain.Bucket, plain.Throttle, plain.Reputation, plain.Tarpit, plain.Knee
	d.Outage, d.Down, d.Daily, d.Drift, d.Weather = plain.Outage, nil, plain.Daily, nil, plain.Weather
	return d
}

// Idle reports whether a key holds what the network does not have.
func (n Network) Idle(key string) bool {
	return key == "down" && len(n.Down) == 0 || key == "drift" && len(n.Drift) == 0
}

// Idle reports whether a key holds what the resolver does not do.
func (d DNS) Idle(key string) bool { return key == "drift" && len(d.Drift) == 0 }

// Idle reports whether a key holds what the server does not suffer.
func (s Server) Idle(key string) bool { return key == "down" && len(s.Down) == 0 }

// Idle reports whether a key holds what the greylist does not have.
func (g Greylist) Idle(key string) bool {
	return (key == "whitelist_after" || key == "whitelist_for") && g.WhitelistAfter == 0
}

// highestRate of mail that a receiver may be told to look for: a message in a
// microsecond.
const highestRate = 3.6e9

func (d Destination) validateHabits() []error {
	var l conf.List
	span := func(key string, v, least, most vt.Span) {
		l.Check(v >= least && v <= most, key, "got %s, want %s to %s", v, least, most)
	}
	g := d.Greylist
	l.Check(g.WhitelistAfter == 0 || g.Share > 0, "greylist.whitelist_after", "got %d without share, want a greylist for it", g.WhitelistAfter)
	if g.WhitelistAfter > 0 {
		span("greylist.whitelist_for", g.WhitelistFor, vt.Second, 3650*vt.Day)
	}
	span("recent", d.Recent, vt.Second, 30*vt.Day)
	if b := d.Bucket; b.Rate > 0 {
		l.Check(b.Rate <= highestRate, "bucket.rate", "got %s, want at most %s", b.Rate, unit.PerHour(highestRate))
		l.Check(float64(b.Burst)/float64(b.Rate) <= (3650*vt.Day).Hours(), "bucket.burst", "got %d, which %s fills in more than 3650d, want less", b.Burst, b.Rate)
	}
	ramp := func(key string, soft, hard unit.PerHour) {
		l.Check(hard == 0 && soft == 0 || soft < hard, key+".hard", "got %s, want more than soft = %s", hard, soft)
		l.Check(hard <= highestRate, key+".hard", "got %s, want at most %s", hard, unit.PerHour(highestRate))
	}
	ramp("throttle", d.Throttle.Soft, d.Throttle.Hard)
	ramp("tarpit", d.Tarpit.Soft, d.Tarpit.Hard)
	l.Check(d.Tarpit.Delay == 0 || d.Tarpit.Hard > 0, "tarpit.delay", "got %s without hard, want the rates that it grows with", d.Tarpit.Delay)
	l.Check(d.Tarpit.PerPoint == 0 || d.Reputation.on(), "tarpit.per_point", "got %s without a reputation, want per_refusal or per_dead there", d.Tarpit.PerPoint)
	span("tarpit.most", d.Tarpit.Most, vt.Millisecond, vt.Hour)
	l.Check(!d.Reputation.on() || d.Throttle.on() || d.Tarpit.on(), "reputation", "got no throttle and no tarpit, want one for it to work on")
	span("reputation.heals", d.Reputation.Heals, vt.Second, 365*vt.Day)
	l.Check(d.Knee.Connections >= 0 && d.Knee.Connections <= 1_000_000, "knee.connections", "got %d, want 0 to 1000000", d.Knee.Connections)
	if o := d.Outage; o.Up > 0 || o.Down > 0 {
		span("outage.up", o.Up, vt.Second, 3650*vt.Day)
		span("outage.down", o.Down, vt.Second, 3650*vt.Day)
	}
	l = append(l, validateDown("down", d.Down)...)
	span("daily.peak", d.Daily.Peak, 0, vt.Day)
	l = append(l, validateDrift("drift", d.Drift)...)
	span("weather.period", d.Weather.Period, vt.Second, 3650*vt.Day)
	return l
}

func validateDrift(key string, all []Drift) []error {
	var l conf.List
	for i, v := range all {
		key := conf.Index(key, i)
		l.Check(v.At >= 0 && v.At <= 3650*vt.Day, key+".at", "got %s, want 0s to 3650d", v.At)
		l.Check(v.Over >= 0 && v.Over <= 3650*vt.Day, key+".over", "got %s, want 0s to 3650d", v.Over)
		l.Check(v.Factor > 0, key+".factor", "got none, want 0.01 to 100")
	}
	return l
}

func validateDown(key string, all []Down) []error {
	var l conf.List
	for i, v := range all {
		key := conf.Index(key, i)
		l.Check(v.From <= 3650*vt.Day, key+".from", "got %s, want at most 3650d", v.From)
		l.Check(v.For > 0 && v.For <= 3650*vt.Day, key+".for", "got %s, want more than 0s, at most 3650d", v.For)
	}
	return l
}
