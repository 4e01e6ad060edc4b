// Package config has what a user may say about names, paths, servers and receivers, the
// defaults, and the checks.
//
// It says what values mean and which fit together; package netmodel makes them happen.
package config

import (
	"slices"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/delay"
	"flyball/netmodel/limits"
)

// Config describes the network and the receivers that attempts meet.
type Config struct {
	Network      Paths         `toml:"network"`
	Servers      []Server      `toml:"server"`
	Destinations []Destination `toml:"destination"`
	Dialogue     mail.Dialogue `toml:"dialogue"`
	Replies      []replies.Row // the sender's reading of the replies of all destinations; the scenario checks it
	Clock        vt.Clock      // wall clock, which daily cycles follow; none: the run begins at midnight
	Size         unit.Bytes    // size of a message; the scenario checks it
	SizeSigma    float64       // standard deviation of the logarithm of sizes around Size; 0: all are alike
	Campaigns    []Campaign    // parts of the list, in their order; none: all messages are alike
	Stages       string        // "collapsed": one event per attempt; "full": one per stage; the scenario checks it
}

// Campaign describes the messages of a part of the list.
type Campaign struct {
	End     mail.Recipient // the first recipient that belongs to a later campaign
	Size    unit.Bytes     // median size of a message
	Domain  string         // sending domain
	Account string         // that the messages are sent for
	Pool    string         // of source addresses from which they come
}

// Paths describes what lies between every server and every destination.
type Paths struct {
	// name resolution, once per new connection
	DNS DNS `toml:"dns"`
	// routers on the path
	Hops Hops `toml:"hops"`
	// round-trip time that each hop adds to the destination's rtt
	// Source: measured: Fei et al.: hops do not predict delay
	PerHop vt.Span `toml:"per_hop" default:"0s" range:"0s..1s"`
	// probability that one hop loses one exchange
	// Source: assumed: a clean path
	HopLoss float64 `toml:"hop_loss" range:"0..0.5" default:"0"`
	// first retransmission time-out; doubles (RFC 6298)
	// Source: derived: RFC 6298 2.1
	Retrans vt.Span `toml:"retransmit_after" default:"1s" range:"1ms..1m"`
	// losses in one attempt after which the connection is lost
	// Source: assumed: about a minute of silence
	GiveUpAt int `toml:"retransmissions" default:"6" range:"1..16"`
	// planned outages of all destinations together
	Down []Down `toml:"down,omitdefault"`

	// permanent changes of all paths; several add up
	Drift []PathDrift `toml:"drift,omitdefault"`

	// longer paths from some servers to some destinations; several add up
	Distances []Distance `toml:"distance,omitdefault"`
}

// DNS describes the sender's resolver.
type DNS struct {
	// share of look-ups answered from the cache
	// Source: assumed: TTL 300-3600 s at bulk rates
	HitRatio float64 `toml:"hit_ratio" range:"0..1" default:"0.9"`
	// time of a cached answer
	// Source: assumed: local resolver
	Hit delay.Dist `toml:"hit" default:"1ms"`
	// time of an uncached answer; beyond the dialogue's dns time-out the look-up fails
	// Source: derived: Brandhorst & Pras: mean 152 ms, 90 % within 275 ms
	Miss delay.Dist `toml:"miss" default:"lognormal median 22.4ms sigma 1.957"`
	// share of uncached look-ups that fail temporarily
	// Source: assumed: 0.5 % of uncached look-ups
	ServFail float64 `toml:"servfail" range:"0..1" default:"0.005"`
	// permanent changes of the time of a look-up; several multiply
	Drift []delay.Drift `toml:"drift,omitdefault"`
}

// Hops is the distribution of the number of routers on a path: round(Normal(Mean,
// SD)), limited to Min..Max.
type Hops struct {
	// Source: derived: Fei et al.: 90 % of US hosts within 18 hops
	Mean float64 `toml:"mean" range:"1..64" default:"14"`
	// Source: derived: Fei et al.: 90 % of US hosts within 18 hops
	SD float64 `toml:"sd" range:"0..32" default:"3.1"`
	// Source: derived: Fei et al.: 90 % of US hosts within 18 hops
	Min int `toml:"min" range:"1..64" default:"4"`
	// Source: derived: Fei et al.: 90 % of US hosts within 18 hops
	Max int `toml:"max" range:"1..64" default:"32"`
}

// Server describes a delivering server as the network sees it: its distance, and
// how it slows down under its own load.
type Server struct {
	// name in tables and files
	Name string `toml:"name" default:"b1"`
	// added to every round trip of this server
	// Source: assumed: located where the round-trip times were measured
	ExtraRTT vt.Span `toml:"extra_rtt" range:"0s..1m"`
	// added to the hops of every path of this server
	// Source: assumed: located where the hops were counted
	ExtraHops int `toml:"extra_hops" range:"0..64"`
	// sigma of the universal scalability law: share of work that is serialized
	// Source: assumed: no fit for an MTA was found: it never slows down
	Contention float64 `toml:"contention" range:"0..1"`
	// kappa of the universal scalability law: cost of each pair of busy slots
	// Source: assumed: no fit for an MTA was found: it never slows down
	Coherency float64 `toml:"coherency" range:"0..1"`
	// share of every list that this server delivers, relative to the other servers
	// Source: assumed: equal parts
	Share float64 `toml:"share" range:"0..1000000" default:"1"`
	// times at which this server is cut off from all destinations
	Down []Down `toml:"down,omitdefault"`

	// region that it is located in ([0055]): sender.partition = "region" and network.distance ask for it; not given:
	// none
	Region string `toml:"region,omitdefault"`
	// network that it is located in ([0054]), such as a provider's own: sender.partition = "network" asks for it; not
	// given: none
	Network string `toml:"network,omitdefault"`
	// most recipients of a campaign that sender.partition = "optimal" gives it; 0: as many as sender.imbalance allows
	// Source: scenario
	Quota int `toml:"quota,omitdefault" range:"0..1000000000"`
	// source addresses, which the server's connections to a destination take in turn; not given: one
	// Source: assumed: one address
	Addresses int `toml:"addresses,omitdefault" range:"1..1000"`
	// named pools of more source addresses, for campaigns with that pool
	Pools []Pool `toml:"pool,omitdefault"`
	// name of the netblock that its addresses lie in, as other servers may; not given: a netblock of its own
	Block string `toml:"block,omitdefault"`
	// most MTA processes, and so the most open connections, whatever C is; 0: no limit of its own
	// Source: assumed: no limit of its own
	Connections int `toml:"connections,omitdefault" range:"0..1000000"`
	// attempts that it can begin, by its disk, processor or licence: they take turns; 0/h: no limit of its own
	// Source: assumed: no limit of its own
	Rate unit.PerHour `toml:"rate,omitdefault" range:"0/h..3600000000/h"`
	// bytes of messages that it can send in a second, over all its connections: messages take turns; 0B: no limit of
	// its own
	// Source: assumed: no limit of its own
	Bandwidth unit.Bytes `toml:"bandwidth,omitdefault" range:"0B..1000GB"`
}

// Idle reports whether a key has no meaning beside the other values of s.
func (s Server) Idle(key string) bool {
	switch key {
	case "quota":
		return s.Quota == 0
	case "addresses":
		return s.Addresses == 0
	case "connections":
		return s.Connections == 0
	case "rate":
		return s.Rate == 0
	case "bandwidth":
		return s.Bandwidth == 0
	}
	return false
}

// Destination describes a mailbox provider, or a class of similar providers.
type Destination struct {
	// name in tables and files
	Name string `toml:"name"`
	// mail domain; rows of a list are matched by it; not given: the first of domains
	Domain string `toml:"domain"`
	// more domains whose rows of a list belong to this destination, and patterns: *.example for all domains below
	// example, * for every domain that no destination has
	Domains []string `toml:"domains,omitdefault"`
	// region that its receivers are located in ([0055]), see server.region; not given: none
	Region string `toml:"region,omitdefault"`
	// network that its recipients are in ([0054]), see server.network; not given: none
	Network string `toml:"network,omitdefault"`
	// content that its recipients get ([0036]): sender.partition = "segment" keeps those of one content together; not
	// given: none
	Segment string `toml:"segment,omitdefault"`
	// share of a synthetic list, relative to the other destinations
	// Source: assumed: equal parts
	Share float64 `toml:"share" range:"0..1000000" default:"1"`
	// embedded receiver of a live run
	Receiver string `toml:"receiver" oneof:"go-smtp smtpd" default:"go-smtp"`
	// round-trip time, drawn once per connection
	// Source: derived: Fei et al.: 90 % of US hosts within 153 ms; PlanetLab: Gamma fits best
	RTT delay.Dist `toml:"rtt" default:"gamma mean 80.5ms shape 2.3"`
	// receiver's delay before its greeting
	// Source: assumed: not calibrated
	Banner delay.Dist `toml:"banner" default:"lognormal median 40ms sigma 1"`
	// receiver's delay before its reply to RCPT
	// Source: assumed: not calibrated
	RCPT delay.Dist `toml:"rcpt" default:"0s"`
	// receiver's delay before its reply to the final dot
	// Source: assumed: not calibrated
	Dot delay.Dist `toml:"dot" default:"lognormal median 400ms sigma 0.9"`
	// name of the destination whose receivers take the mail of this one too, as the hosts of a provider do for all its
	// brands: limits, outages and slowness are written there, and count both together
	LimitsOf string `toml:"limits_of,omitdefault"`
	// treats all servers as one: cap, bucket, throttle, reputation, tarpit, knee and whitelist count all servers
	// together
	Shared bool `toml:"shared,omitdefault"`
	// what these count apart, if not shared: each source address, or each netblock of the servers with all its
	// addresses
	By string `toml:"by,omitdefault" oneof:"address block" default:"address"`
	// most open connections of each server; one more is greeted with 421; 0: no cap
	// Source: assumed: no cap
	Cap int `toml:"cap" range:"0..1000000"`
	// text of the 421 beyond the cap
	CapText string `toml:"cap_text,omitdefault" pattern:"^[ -~]{0,400}$"`
	// most messages that a server offers over one connection; not given: as dialogue.messages_per_connection
	// Source: derived: as dialogue.messages_per_connection
	Messages int `toml:"messages_per_connection,omitdefault" range:"1..1000000"`
	// messages over one connection after which the receiver closes it without a reply, or ends it by hangs_up_reply;
	// 0: never
	// Source: assumed: never
	HangsUp int `toml:"hangs_up_after,omitdefault" range:"0..1000000"`
	// reply to MAIL over a connection that has carried hangs_up_after messages: 421, 452 or 503; 0: the connection is
	// closed
	// Source: assumed: it closes without a reply
	HangsUpReply int `toml:"hangs_up_reply,omitdefault" range:"0..599"`
	// reply to RSET, which a sender sends after a refused message before it goes on over the connection; 0: it is
	// accepted
	// Source: assumed: RSET is accepted, as RFC 5321 4.1.1.5 asks for
	ResetReply int `toml:"reset_reply,omitdefault" range:"0..599"`
	// first tries are deferred (RFC 6647)
	Greylist Greylist `toml:"greylist"`
	// recipients that can never be delivered
	// Source: assumed: every address exists
	Dead []Dead `toml:"dead"`
	// messages that are accepted and come back later; needs sender.check
	Returned Returned `toml:"returned,omitdefault"`
	// states of single mailboxes in which they take no mail for a time, such as full ones; at most 4
	Mailboxes []Mailbox `toml:"mailbox,omitdefault"`
	// failures drawn for every attempt (mail, rcpt, data, dot) or connection (connect, banner, ehlo)
	// Source: assumed: the receiver never fails
	Fail []Fail `toml:"fail"`

	// enhanced status of the 421 beyond the cap (RFC 3463)
	CapEnhanced mail.Enhanced `toml:"cap_enhanced,omitdefault"`

	// the sender's reading of this destination's replies, before the general table of replies: of the rows that match,
	// one with a text alone goes before one with an enhanced status and a text, that before one with the status alone,
	// and that before one with the code alone; of equals the first
	Replies []replies.Row `toml:"reply,omitdefault"`

	// the sender's own policy for the destination: the most that each server sends there, and when it resends
	Send mail.Send `toml:"send"`

	// half-life of the average of each server's recent rate, for throttle and tarpit
	// Source: assumed: no provider publishes its window
	Recent vt.Span `toml:"recent" default:"10m" range:"1s..30d"`
	// token bucket for each server: messages beyond the rate are deferred
	Bucket Bucket `toml:"bucket"`
	// limits of messages in an hour or a day: further messages are refused; several allowances hold at once
	Allowances []limits.Allowance `toml:"allowance,omitdefault"`
	// events that begin and end at a time and refuse connections or messages, such as a block list
	Refuse []Refuse `toml:"refuse,omitdefault"`
	// too high a rate is punished: nothing for a time, then one connection, then one more at a time
	Penalty limits.Penalty `toml:"penalty,omitdefault"`
	// messages are deferred more often the higher the server's recent rate is
	Throttle Throttle `toml:"throttle"`
	// refusals, dead recipients and complaints count against the server and fade; throttle, penalty and tarpit become
	// stricter
	Reputation Reputation `toml:"reputation"`
	// replies to MAIL come later with a high recent rate or a bad reputation
	Tarpit Tarpit `toml:"tarpit"`
	// the receiver's own capacity: its delays grow with the server's open connections
	Knee Knee `toml:"knee"`
	// random outages, the same for all servers
	Outage Outage `toml:"outage"`
	// planned outages
	Down []Down `toml:"down,omitdefault"`
	// delays follow the time of day
	Daily delay.Daily `toml:"daily"`
	// permanent changes of the delays; several multiply
	Drift []delay.Drift `toml:"drift,omitdefault"`
	// all delays have a common factor, drawn in every period
	Weather Weather `toml:"weather"`
}

// Returned describes messages that a receiver accepts and returns later.
type Returned struct {
	// share of the recipients whose mail comes back: each message to such a recipient does
	// Source: assumed: refusals come at once
	Share float64 `toml:"share" range:"0..1"`
	// least time after which a message comes back; the longest is twice as long
	// Source: assumed: the receiver tries at once
	After vt.Span `toml:"after" range:"0s..30d" default:"1m"`
	// share of these recipients whose returns are soft: the mailbox exists, and the reason passes
	// Source: assumed: none
	Soft float64 `toml:"soft" range:"0..1"`
}

// Off reports whether no message comes back.
func (r Returned) Off() bool { return r.Share == 0 }

// ReceiversOf returns the number of the destination that d names in limits_of; -1 if it
// names none.
func (c Config) ReceiversOf(d Destination) int {
	if d.LimitsOf == "" {
		return -1
	}
	return slices.IndexFunc(c.Destinations, func(v Destination) bool { return v.Name == d.LimitsOf })
}

// Greylist defers a recipient's tries at a stage until Delay after the first try
// that the receiver saw.
type Greylist struct {
	// share of recipients that are greylisted
	// Source: assumed: no greylisting
	Share float64 `toml:"share" range:"0..1"`
	// time from the first deferral until a try is accepted, drawn once per recipient
	// Source: derived: Postgrey default 300 s; RFC 6647
	Delay delay.Dist `toml:"delay" default:"5m"`
	// reply code
	Reply int `toml:"reply" range:"400..499" default:"451"`
	// command that gets this reply: RCPT, or the end of data
	At string `toml:"at,omitdefault" oneof:"rcpt dot" default:"rcpt"`

	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced,omitdefault"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`

	// number of recipients let in after which the server is whitelisted; 0: never
	// Source: scenario
	WhitelistAfter int `toml:"whitelist_after,omitdefault" range:"0..1000000000"`
	// how long the server stays whitelisted
	// Source: derived: Postgrey --max-age: 35 days
	WhitelistFor vt.Span `toml:"whitelist_for" default:"35d" range:"1s..3650d"`
}

// Dead is a share of recipients that fail in the same way at every try.
type Dead struct {
	// share of recipients
	// Source: scenario
	Share float64 `toml:"share" range:"0..1"`
	// stage
	At string `toml:"at" oneof:"mail rcpt data dot" default:"rcpt"`
	// reply code
	Reply int `toml:"reply" range:"400..599" default:"550"`

	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced,omitdefault"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`
}

// Fail is a way to fail at a stage: with a reply, or without one.
type Fail struct {
	// stage
	At string `toml:"at" oneof:"connect banner ehlo mail rcpt data dot"`
	// reply code; not together with fault, not at connect
	Reply int `toml:"reply" range:"400..599"`
	// how it fails without a reply
	Fault string `toml:"fault" oneof:"drop timeout"`
	// probability that an attempt (or connection) fails this way
	// Source: scenario
	P float64 `toml:"p" range:"0..1"`

	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced,omitdefault"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`
}

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

var keys = conf.Declare[Config]()

// DefaultPaths returns typical paths of the Internet, from public
// measurements.
func DefaultPaths() Paths { return conf.DefaultOf[Paths](keys) }

// DefaultServer returns one server without contention.
func DefaultServer() Server { return conf.DefaultOf[Server](keys) }

// DefaultDestination returns a plain receiver that accepts everything.
func DefaultDestination() Destination { return conf.DefaultOf[Destination](keys) }

// Validate reports every problem, with its key in a scenario file.
func (c Config) Validate() []error {
	var l conf.List
	keys.Check(&l, c)
	n := c.Network
	l.Check(n.Hops.Min <= n.Hops.Max, "network.hops.min", "got %d, want at most max = %d", n.Hops.Min, n.Hops.Max)
	l.Check(len(c.Servers) > 0, "server", "got none, want at least one [[server]]")
	l.Check(len(c.Servers) <= 1000, "server", "got %d, want at most 1000", len(c.Servers))
	names := map[string]bool{}
	for i, s := range c.Servers {
		key := conf.Index("server", i)
		l.Check(s.Name != "", key+".name", "got an empty name, want one such as \"b1\"")
		l.Check(s.Name == "" || !names[s.Name], key+".name", "got %q a second time, want a name of its own", s.Name)
		l.Check(conf.Printable(s.Name), key+".name", "got %q, want printable characters, at most 64", s.Name)
		l.Check(s.Block == "" || conf.Printable(s.Block), key+".block", "got %q, want printable characters, at most 64",
			s.Block)
		names[s.Name] = true
		l.Within(key, s.validatePools())
		checkPlace(&l, key+".region", s.Region)
		checkPlace(&l, key+".network", s.Network)
	}
	l.Check(len(c.Destinations) > 0, "destination", "got none, want at least one [[destination]]")
	l.Check(len(c.Destinations) <= 1000, "destination", "got %d, want at most 1000", len(c.Destinations))
	var share float64
	addresses := 0
	for _, s := range c.Servers {
		addresses += s.Addresses
		for _, p := range s.Pools {
			addresses += p.Addresses
		}
	}
	l.Check(addresses <= 1000, "server", "got %d addresses of all servers, want at most 1000", addresses)
	names, domains := map[string]bool{}, map[string]bool{}
	for i, d := range c.Destinations {
		key := conf.Index("destination", i)
		l.Within(key, d.validate())
		l.Check(d.Name == "" || !names[d.Name], key+".name", "got %q a second time, want a name of its own", d.Name)
		domain := strings.ToLower(d.Domain)
		l.Check(d.Domain == "" || !domains[domain], key+".domain", "got %q a second time, want a domain of its own",
			d.Domain)
		c.checkLimitsOf(&l, key+".limits_of", i)
		names[d.Name], domains[domain] = true, true
		share += d.Share
	}
	l.Check(len(c.Destinations) == 0 || share > 0, "destination", "got shares that add up to 0, want more")
	share = 0
	for _, s := range c.Servers {
		share += s.Share
	}
	l.Check(len(c.Servers) == 0 || share > 0, "server", "got shares that add up to 0, want more")
	c.checkDistances(&l)
	return l
}

// checkPlace checks the name of a region, a network or a segment.
func checkPlace(l *conf.List, key, place string) {
	l.Check(place == "" || conf.Printable(place), key, "got %q, want printable characters, at most 64", place)
}

// checkLimitsOf checks that a destination which has the receivers of another one names it,
// and has no limits beside.
func (c Config) checkLimitsOf(l *conf.List, key string, number int) {
	d := c.Destinations[number]
	if d.LimitsOf == "" {
		return
	}
	of := c.ReceiversOf(d)
	if of < 0 {
		var names []string
		for _, v := range c.Destinations {
			names = append(names, v.Name)
		}
		l.Check(false, key, "got %q, want the name of a destination%s", d.LimitsOf, conf.DidYouMean(d.LimitsOf, names))
		return
	}
	l.Check(of != number && c.Destinations[of].LimitsOf == "", key,
		"got %q, want another destination, which has receivers of its own", d.LimitsOf)
	plain := d.Cap == 0 && d.CapText == "" && d.CapEnhanced == 0 && !d.Shared && d.By != "block" && !d.HasBehaviour()
	l.Check(plain, key,
		"got %q beside limits, outages or slowness of its own, want these at %[1]q alone", d.LimitsOf)
}

// mostDomains is the most domains in a destination's own list. A resolved scenario spells them out.
const mostDomains = 1000

// mostMailboxes is the most states of mailboxes at a destination: a draw has four words.
const mostMailboxes = 4

func (d Destination) validate() []error {
	var l conf.List
	l.Check(d.Name != "", "name", "got an empty name, want one such as \"provider\"")
	l.Check(conf.Printable(d.Name), "name", "got %q, want printable characters, at most 64", d.Name)
	checkPlace(&l, "region", d.Region)
	checkPlace(&l, "network", d.Network)
	checkPlace(&l, "segment", d.Segment)
	l.Check(d.Domain != "", "domain", "got an empty domain, want one such as \"provider.example\"")
	l.Check(len(d.Domains) <= mostDomains, "domains", "got %d, want at most %d: name them in domains_file",
		len(d.Domains), mostDomains)
	l.Check(len(d.Mailboxes) <= mostMailboxes, "mailbox", "got %d, want at most %d", len(d.Mailboxes), mostMailboxes)
	l.Within("send", d.Send.Problems())
	l.Check(d.Messages == 0 || d.Send.Messages == 0, "send.messages_per_connection",
		"got %d with messages_per_connection = %d of the destination, want one of them", d.Send.Messages, d.Messages)
	replies.Check(&l, "reply", d.Replies)
	for i, f := range d.Dead {
		mail.CheckStatus(&l, conf.Index("dead", i)+".enhanced", f.Reply, f.Enhanced)
	}
	for i, v := range d.Mailboxes {
		mail.CheckStatus(&l, conf.Index("mailbox", i)+".enhanced", v.Reply, v.Enhanced)
	}
	var dead float64
	for _, v := range d.Dead {
		dead += v.Share
	}
	l.Check(dead <= 1+1e-9, "dead", "got shares that add up to %g, want at most 1", dead)
	var onConnection, onAttempt float64
	for i, f := range d.Fail {
		key := conf.Index("fail", i)
		stage, _ := mail.StageNamed(f.At)
		l.Check(f.At != "", key+".at", "got none, want one of connect, banner, ehlo, mail, rcpt, data, dot")
		l.Check((f.Reply == 0) != (f.Fault == ""), key, "got reply = %d and fault = %q, want exactly one of them",
			f.Reply, f.Fault)
		mail.CheckStatus(&l, key+".enhanced", f.Reply, f.Enhanced)
		l.Check(f.Reply != 0 || f.Enhanced == 0 && f.Text == "", key,
			"got a text or a status without reply, want neither")
		l.Check(f.At != "connect" || f.Reply == 0, key+".reply",
			"got %d at connect, want a fault: SMTP begins after it", f.Reply)
		if stage <= mail.StageEHLO {
			onConnection += f.P
		} else {
			onAttempt += f.P
		}
	}
	l.Check(onConnection <= 1+1e-9, "fail",
		"got probabilities at connect, banner and ehlo that add up to %g, want at most 1", onConnection)
	l.Check(onAttempt <= 1+1e-9, "fail",
		"got probabilities at mail, rcpt, data and dot that add up to %g, want at most 1", onAttempt)
	return append(l, d.validateBehaviour()...)
}
