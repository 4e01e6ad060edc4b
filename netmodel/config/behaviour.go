package config

import (
	"slices"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// The types below describe a receiver's optional behaviour, in addition to drawn
// delays and failures. Each is off by default. Its state is kept for each server,
// or for all servers together at a shared destination, and it is decided when an
// attempt begins. docs/model.md states each rule exactly.

// Bucket is a token bucket: it takes Burst messages at once and Rate in the long
// run. Further messages are deferred at MAIL.
type Bucket struct {
	// messages taken from each server in the long run; 0: any
	// Source: scenario
	Rate unit.PerHour `toml:"rate" range:"0/h..3600000000/h"`
	// messages taken at once after a pause
	// Source: assumed: no provider publishes it
	Burst int `toml:"burst" range:"1..1000000000" default:"100"`
	// reply code to MAIL for further messages
	Reply int `toml:"reply" range:"400..499" default:"421"`

	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced,omitdefault"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`
}

// Throttle defers messages at MAIL more often the higher the server's recent rate
// is.
type Throttle struct {
	// recent rate from which messages are deferred
	// Source: scenario
	Soft unit.PerHour `toml:"soft"`
	// recent rate from which all messages are deferred; 0: no throttle
	// Source: scenario
	Hard unit.PerHour `toml:"hard" range:"0/h..3600000000/h"`
	// probability between soft and hard: linear from 0 to 1, or a logistic curve from 0.05 to 0.95 that continues
	// beyond them
	Curve string `toml:"curve" oneof:"linear logistic" default:"linear"`
	// reply code to MAIL
	Reply int `toml:"reply" range:"400..499" default:"421"`

	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced,omitdefault"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`
}

// Reputation makes a receiver trust a server less after refusals, dead recipients
// and complaints: with p points, throttle, penalty and tarpit multiply the server's
// rate by 1 + p.
type Reputation struct {
	// points for a message that the receiver refused by its own rules
	// Source: scenario
	PerRefusal float64 `toml:"per_refusal" range:"0..1000"`
	// points for a message to a dead recipient
	// Source: scenario
	PerDead float64 `toml:"per_dead" range:"0..1000"`
	// points for a complaint
	// Source: scenario
	PerComplaint float64 `toml:"per_complaint,omitdefault" range:"0..1000"`
	// share of delivered recipients who complain
	// Source: scenario
	Complaints float64 `toml:"complaints,omitdefault" range:"0..1"`
	// half-life of points
	// Source: assumed: no provider publishes it
	Heals vt.Span `toml:"heals" default:"1d" range:"1s..365d"`
}

// Tarpit delays the reply to MAIL.
type Tarpit struct {
	// recent rate from which the reply is delayed
	// Source: scenario
	Soft unit.PerHour `toml:"soft"`
	// recent rate from which the reply is delayed by the full delay; 0: the rate has no effect
	// Source: scenario
	Hard unit.PerHour `toml:"hard" range:"0/h..3600000000/h"`
	// greatest delay by rate; it grows linearly from soft to hard
	// Source: scenario
	Delay vt.Span `toml:"delay"`
	// further delay for each point of bad reputation
	// Source: scenario
	PerPoint vt.Span `toml:"per_point"`
	// greatest sum of both delays
	// Source: assumed: well below the client's patience of 5 min
	Most vt.Span `toml:"most" default:"1m" range:"1ms..1h"`
}

// Knee is the number of connections from one server above which the receiver is
// saturated and its delays grow.
type Knee struct {
	// open connections of the server above which delays grow; 0: never
	// Source: scenario
	Connections int `toml:"connections" range:"0..1000000"`
	// growth: delays are multiplied by 1 + slope x (open - connections) / connections
	// Source: derived: closed queue: above saturation the time of each grows with their number
	Slope float64 `toml:"slope" range:"0..1000" default:"1"`
}

// Outage makes a destination go down at random, for all servers at once.
type Outage struct {
	// mean time between outages, exponential; 0: none
	// Source: scenario
	Up vt.Span `toml:"up" range:"1s..3650d"`
	// mean length of an outage, exponential
	// Source: scenario
	Down vt.Span `toml:"down" range:"1s..3650d"`
	// how connections end during the outage: refused or reset (drop), or without a reply (timeout)
	Fault string `toml:"fault" oneof:"drop timeout" default:"timeout"`
}

// Down is a planned outage.
type Down struct {
	// when it begins
	// Source: scenario
	From vt.Span `toml:"from" range:"0s..3650d" unit:"moment"`
	// how long it lasts
	// Source: scenario
	For vt.Span `toml:"for" required:"true" range:">0s..3650d"`
	// how connections end during the outage: refused or reset (drop), or without a reply (timeout)
	Fault string `toml:"fault" oneof:"drop timeout" default:"timeout"`
}

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

// PathDrift changes the paths between all servers and destinations from the time
// At on.
type PathDrift struct {
	// when it begins
	// Source: scenario
	At vt.Span `toml:"at" range:"0s..3650d" unit:"moment"`
	// factor of round-trip times once the drift is complete
	// Source: scenario
	Factor float64 `toml:"factor" range:"0.01..100" default:"1"`
	// additional routers on every path once the drift is complete
	// Source: scenario
	Hops int `toml:"hops" range:"0..64"`
	// time in which the drift grows linearly; 0: at once
	// Source: scenario
	Over vt.Span `toml:"over" range:"0s..3650d"`
}

// Weather multiplies all delays of a destination by a common lognormal factor of
// median 1, drawn in every period.
type Weather struct {
	// standard deviation of the factor's logarithm; 0: none
	// Source: scenario
	Sigma float64 `toml:"sigma" range:"0..2"`
	// time for which a factor holds
	// Source: assumed: not calibrated
	Period vt.Span `toml:"period" default:"1h" range:"1s..3650d"`
	// correlation of the logarithms of successive periods
	// Source: assumed: periods without memory
	Correlation float64 `toml:"correlation" range:"0..0.999"`
}

// Off reports whether the bucket takes messages at any rate.
func (b Bucket) Off() bool { return b.Rate == 0 }

// Off reports whether no message is throttled.
func (t Throttle) Off() bool { return t.Hard == 0 }

// Off reports whether no points count against a server.
func (r Reputation) Off() bool {
	return r.PerRefusal == 0 && r.PerDead == 0 && (r.PerComplaint == 0 || r.Complaints == 0)
}

// Off reports whether no reply is delayed.
func (t Tarpit) Off() bool { return t.Delay == 0 && t.PerPoint == 0 }

// Off reports whether delays do not depend on the open connections.
func (k Knee) Off() bool { return k.Connections == 0 }

// Off reports whether the destination never goes down at random.
func (o Outage) Off() bool { return o.Up == 0 }

// Off reports whether delays have no common factor.
func (w Weather) Off() bool { return w.Sigma == 0 }

// Idle reports whether a key has no meaning beside the other values of d.
func (d Destination) Idle(key string) bool {
	return key == "recent" && !d.UsesRate()
}

// UsesRate reports whether anything depends on a server's recent rate.
func (d Destination) UsesRate() bool { return !d.Throttle.Off() || !d.Tarpit.Off() || !d.Penalty.Off() }

// Idle reports whether a key has no meaning beside the other values of g.
func (g Greylist) Idle(key string) bool { return key == "whitelist_for" && g.WhitelistAfter == 0 }

// HasBehaviour reports whether the receiver does anything in addition to drawing
// delays and failures, counting connections and greylisting.
func (d Destination) HasBehaviour() bool {
	off := d.Bucket.Off() && len(d.Allowances) == 0 && len(d.Refuse) == 0 &&
		d.HangsUp == 0 && d.ResetReply == 0 && d.Penalty.Off() && d.Throttle.Off() && d.Tarpit.Off() &&
		d.Knee.Off() && d.Outage.Off() && len(d.Down) == 0 &&
		d.Daily.Off() && len(d.Drift) == 0 && d.Weather.Off()
	return !off || d.Greylist.WhitelistAfter > 0
}

// WithoutBehaviour returns d with all behaviour that HasBehaviour reports turned
// off.
func (d Destination) WithoutBehaviour() Destination {
	plain := DefaultDestination()
	d.Greylist.WhitelistAfter = 0
	d.Bucket, d.Throttle, d.Reputation, d.Tarpit, d.Knee = plain.Bucket, plain.Throttle, plain.Reputation, plain.Tarpit,
		plain.Knee
	d.Allowances, d.Refuse, d.HangsUp, d.HangsUpReply, d.ResetReply, d.Penalty = nil, nil, 0, 0, 0, plain.Penalty
	d.Outage, d.Down, d.Daily, d.Drift, d.Weather = plain.Outage, nil, plain.Daily, nil, plain.Weather
	return d
}

func (d Destination) validateBehaviour() []error {
	var l conf.List
	g := d.Greylist
	l.Check(g.WhitelistAfter == 0 || g.Share > 0, "greylist.whitelist_after",
		"got %d without share, want a greylist for it", g.WhitelistAfter)
	l.Check(d.HangsUpReply == 0 || d.HangsUp > 0, "hangs_up_reply", "got %d without hangs_up_after, want both",
		d.HangsUpReply)
	l.Check(slices.Contains([]int{0, 421, 452, 503}, d.HangsUpReply), "hangs_up_reply",
		"got %d, want 421, 452 or 503, or 0 for none", d.HangsUpReply)
	l.Check(d.ResetReply == 0 || d.ResetReply >= 400, "reset_reply", "got %d, want 400 to 599, or 0 for none",
		d.ResetReply)
	mail.CheckBurst(&l, "bucket.burst", d.Bucket.Burst, d.Bucket.Rate)
	for i, a := range d.Allowances {
		l.Within(conf.Index("allowance", i), a.Problems())
	}
	for i, v := range d.Refuse {
		l.Within(conf.Index("refuse", i), v.validate())
	}
	l.Within("penalty", d.Penalty.Problems())
	ramp := func(key string, soft, hard unit.PerHour) {
		l.Check(hard == 0 && soft == 0 || soft < hard, key+".hard", "got %s, want more than soft = %s", hard, soft)
	}
	ramp("throttle", d.Throttle.Soft, d.Throttle.Hard)
	ramp("tarpit", d.Tarpit.Soft, d.Tarpit.Hard)
	l.Check(d.Tarpit.Delay == 0 || d.Tarpit.Hard > 0, "tarpit.delay",
		"got %s without hard, want the rates that it grows with", d.Tarpit.Delay)
	l.Check(d.Tarpit.PerPoint == 0 || !d.Reputation.Off(), "tarpit.per_point",
		"got %s without a reputation, want per_refusal, per_dead or per_complaint there", d.Tarpit.PerPoint)
	l.Check(d.Reputation.Off() || d.UsesRate(), "reputation",
		"got no throttle, no penalty and no tarpit, want one for it to work on")
	l.Check((d.Reputation.PerComplaint == 0) == (d.Reputation.Complaints == 0), "reputation.complaints",
		"got %g with per_complaint = %g, want both or neither", d.Reputation.Complaints, d.Reputation.PerComplaint)
	if o := d.Outage; o.Up > 0 || o.Down > 0 {
		l.Check(o.Up > 0, "outage.up", "got 0s with down = %s, want the time between outages", o.Down)
		l.Check(o.Down > 0, "outage.down", "got 0s with up = %s, want the length of an outage", o.Up)
	}
	return l
}

func (v Refuse) validate() []error {
	var l conf.List
	l.Check(v.To == 0 || v.To > v.From, "to", "got %s, want more than from = %s", v.To, v.From)
	mail.CheckStatus(&l, "enhanced", v.Reply, v.Enhanced)
	return l
}
