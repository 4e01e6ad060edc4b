package netmodel

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

// Paths describes what lies between every server and every destination.
type Paths struct {
	DNS      DNS     `toml:"dns" doc:"name resolution, once per new connection"`
	Hops     Hops    `toml:"hops" doc:"routers on the path"`
	PerHop   vt.Span `toml:"per_hop" doc:"round-trip time that each hop adds to the destination's rtt" default:"0s" range:"0s..1s" source:"measured: Fei et al.: hops do not predict delay"`
	HopLoss  float64 `toml:"hop_loss" doc:"probability that one hop loses one exchange" range:"0..0.5" default:"0" source:"assumed: a clean path"`
	Retrans  vt.Span `toml:"retransmit_after" doc:"first retransmission time-out; doubles (RFC 6298)" default:"1s" range:"1ms..1m" source:"derived: RFC 6298 2.1"`
	GiveUpAt int     `toml:"retransmissions" doc:"losses in one attempt after which the connection is lost" default:"6" range:"1..16" source:"assumed: about a minute of silence"`
	Down     []Down  `toml:"down,omitdefault" doc:"planned outages of all destinations together"`

	Drift []PathDrift `toml:"drift,omitdefault" doc:"permanent changes of all paths; several add up"`

	Distances []Distance `toml:"distance,omitdefault" doc:"longer paths from some servers to some destinations; several add up"`
}

// DNS describes the sender's resolver.
type DNS struct {
	HitRatio float64       `toml:"hit_ratio" doc:"share of look-ups answered from the cache" range:"0..1" default:"0.9" source:"assumed: TTL 300-3600 s at bulk rates"`
	Hit      delay.Dist    `toml:"hit" doc:"time of a cached answer" default:"1ms" source:"assumed: local resolver"`
	Miss     delay.Dist    `toml:"miss" doc:"time of an uncached answer; beyond the dialogue's dns time-out the look-up fails" default:"lognormal median 22.4ms sigma 1.957" source:"derived: Brandhorst & Pras: mean 152 ms, 90 % within 275 ms"`
	ServFail float64       `toml:"servfail" doc:"share of uncached look-ups that fail temporarily" range:"0..1" default:"0.005" source:"assumed: 0.5 % of uncached look-ups"`
	Drift    []delay.Drift `toml:"drift,omitdefault" doc:"permanent changes of the time of a look-up; several multiply"`
}

// Hops is the distribution of the number of routers on a path: round(Normal(Mean,
// SD)), limited to Min..Max.
type Hops struct {
	Mean float64 `toml:"mean" range:"1..64" default:"14" source:"derived: Fei et al.: 90 % of US hosts within 18 hops"`
	SD   float64 `toml:"sd" range:"0..32" default:"3.1" source:"derived: Fei et al.: 90 % of US hosts within 18 hops"`
	Min  int     `toml:"min" range:"1..64" default:"4" source:"derived: Fei et al.: 90 % of US hosts within 18 hops"`
	Max  int     `toml:"max" range:"1..64" default:"32" source:"derived: Fei et al.: 90 % of US hosts within 18 hops"`
}

// Server describes a delivering server as the network sees it: its distance, and
// how it slows down under its own load.
type Server struct {
	Name       string  `toml:"name" doc:"name in tables and files" default:"b1"`
	ExtraRTT   vt.Span `toml:"extra_rtt" doc:"added to every round trip of this server" range:"0s..1m" source:"assumed: located where the round-trip times were measured"`
	ExtraHops  int     `toml:"extra_hops" doc:"added to the hops of every path of this server" range:"0..64" source:"assumed: located where the hops were counted"`
	Contention float64 `toml:"contention" doc:"sigma of the universal scalability law: share of work that is serialized" range:"0..1" source:"assumed: no fit for an MTA was found: it never slows down"`
	Coherency  float64 `toml:"coherency" doc:"kappa of the universal scalability law: cost of each pair of busy slots" range:"0..1" source:"assumed: no fit for an MTA was found: it never slows down"`
	Share      float64 `toml:"share" doc:"share of every list that this server delivers, relative to the other servers" range:"0..1000000" default:"1" source:"assumed: equal parts"`
	Down       []Down  `toml:"down,omitdefault" doc:"times at which this server is cut off from all destinations"`

	Region      string       `toml:"region,omitdefault" doc:"region that it is located in ([0055]): sender.partition = \"region\" and network.distance ask for it; not given: none"`
	Network     string       `toml:"network,omitdefault" doc:"network that it is located in ([0054]), such as a provider's own: sender.partition = \"network\" asks for it; not given: none"`
	Quota       int          `toml:"quota,omitdefault" doc:"most recipients of a campaign that sender.partition = \"optimal\" gives it; 0: as many as sender.imbalance allows" range:"0..1000000000" source:"scenario"`
	Addresses   int          `toml:"addresses,omitdefault" doc:"source addresses, which the server's connections to a destination take in turn; not given: one" range:"1..1000" source:"assumed: one address"`
	Pools       []Pool       `toml:"pool,omitdefault" doc:"named pools of more source addresses, for campaigns with that pool"`
	Block       string       `toml:"block,omitdefault" doc:"name of the netblock that its addresses lie in, as other servers may; not given: a netblock of its own"`
	Connections int          `toml:"connections,omitdefault" doc:"most MTA processes, and so the most open connections, whatever C is; 0: no limit of its own" range:"0..1000000" source:"assumed: no limit of its own"`
	Rate        unit.PerHour `toml:"rate,omitdefault" doc:"attempts that it can begin, by its disk, processor or licence: they take turns; 0/h: no limit of its own" range:"0/h..3600000000/h" source:"assumed: no limit of its own"`
	Bandwidth   unit.Bytes   `toml:"bandwidth,omitdefault" doc:"bytes of messages that it can send in a second, over all its connections: messages take turns; 0B: no limit of its own" range:"0B..1000GB" source:"assumed: no limit of its own"`
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
	Name      string     `toml:"name" doc:"name in tables and files"`
	Domain    string     `toml:"domain" doc:"mail domain; rows of a list are matched by it; not given: the first of domains"`
	Domains   []string   `toml:"domains,omitdefault" doc:"more domains whose rows of a list belong to this destination, and patterns: *.example for all domains below example, * for every domain that no destination has"`
	Region    string     `toml:"region,omitdefault" doc:"region that its receivers are located in ([0055]), see server.region; not given: none"`
	Network   string     `toml:"network,omitdefault" doc:"network that its recipients are in ([0054]), see server.network; not given: none"`
	Segment   string     `toml:"segment,omitdefault" doc:"content that its recipients get ([0036]): sender.partition = \"segment\" keeps those of one content together; not given: none"`
	Share     float64    `toml:"share" doc:"share of a synthetic list, relative to the other destinations" range:"0..1000000" default:"1" source:"assumed: equal parts"`
	Receiver  string     `toml:"receiver" doc:"embedded receiver of a live run" oneof:"go-smtp smtpd" default:"go-smtp"`
	RTT       delay.Dist `toml:"rtt" doc:"round-trip time, drawn once per connection" default:"gamma mean 80.5ms shape 2.3" source:"derived: Fei et al.: 90 % of US hosts within 153 ms; PlanetLab: Gamma fits best"`
	Banner    delay.Dist `toml:"banner" doc:"receiver's delay before its greeting" default:"lognormal median 40ms sigma 1" source:"assumed: not calibrated"`
	RCPT      delay.Dist `toml:"rcpt" doc:"receiver's delay before its reply to RCPT" default:"0s" source:"assumed: not calibrated"`
	Dot       delay.Dist `toml:"dot" doc:"receiver's delay before its reply to the final dot" default:"lognormal median 400ms sigma 0.9" source:"assumed: not calibrated"`
	LimitsOf  string     `toml:"limits_of,omitdefault" doc:"name of the destination whose receivers take the mail of this one too, as the hosts of a provider do for all its brands: limits, outages and slowness are written there, and count both together"`
	Shared    bool       `toml:"shared,omitdefault" doc:"treats all servers as one: cap, bucket, throttle, reputation, tarpit, knee and whitelist count all servers together"`
	By        string     `toml:"by,omitdefault" doc:"what these count apart, if not shared: each source address, or each netblock of the servers with all its addresses" oneof:"address block" default:"address"`
	Cap       int        `toml:"cap" doc:"most open connections of each server; one more is greeted with 421; 0: no cap" range:"0..1000000" source:"assumed: no cap"`
	CapText   string     `toml:"cap_text,omitdefault" doc:"text of the 421 beyond the cap" pattern:"^[ -~]{0,400}$"`
	Messages  int        `toml:"messages_per_connection,omitdefault" doc:"most messages that a server offers over one connection; not given: as dialogue.messages_per_connection" range:"1..1000000" source:"derived: as dialogue.messages_per_connection"`
	HangsUp   int        `toml:"hangs_up_after,omitdefault" doc:"messages over one connection after which the receiver closes it without a reply; 0: never" range:"0..1000000" source:"assumed: never"`
	Greylist  Greylist   `toml:"greylist" doc:"first tries are deferred (RFC 6647)"`
	Dead      []Dead     `toml:"dead" doc:"recipients that can never be delivered" source:"assumed: every address exists"`
	Returned  Returned   `toml:"returned,omitdefault" doc:"messages that are accepted and come back later; needs sender.check"`
	Mailboxes []Mailbox  `toml:"mailbox,omitdefault" doc:"states of single mailboxes in which they take no mail for a time, such as full ones; at most 4"`
	Fail      []Fail     `toml:"fail" doc:"failures drawn for every attempt (mail, rcpt, data, dot) or connection (connect, banner, ehlo)" source:"assumed: the receiver never fails"`

	CapEnhanced mail.Enhanced `toml:"cap_enhanced,omitdefault" doc:"enhanced status of the 421 beyond the cap (RFC 3463)"`

	Replies []replies.Row `toml:"reply,omitdefault" doc:"the sender's reading of this destination's replies, before the general table of replies: of the rows that match, one with a text alone goes before one with an enhanced status and a text, that before one with the status alone, and that before one with the code alone; of equals the first"`

	Send mail.Send `toml:"send" doc:"the sender's own policy for the destination: the most that each server sends there, and when it resends"`

	Recent     vt.Span            `toml:"recent" doc:"half-life of the average of each server's recent rate, for throttle and tarpit" default:"10m" range:"1s..30d" source:"assumed: no provider publishes its window"`
	Bucket     Bucket             `toml:"bucket" doc:"token bucket for each server: messages beyond the rate are deferred"`
	Allowances []limits.Allowance `toml:"allowance,omitdefault" doc:"limits of messages in an hour or a day: further messages are refused; several allowances hold at once"`
	Refuse     []Refuse           `toml:"refuse,omitdefault" doc:"events that begin and end at a time and refuse connections or messages, such as a block list"`
	Penalty    limits.Penalty     `toml:"penalty,omitdefault" doc:"too high a rate is punished: nothing for a time, then one connection, then one more at a time"`
	Throttle   Throttle           `toml:"throttle" doc:"messages are deferred more often the higher the server's recent rate is"`
	Reputation Reputation         `toml:"reputation" doc:"refusals, dead recipients and complaints count against the server and fade; throttle, penalty and tarpit become stricter"`
	Tarpit     Tarpit             `toml:"tarpit" doc:"replies to MAIL come later with a high recent rate or a bad reputation"`
	Knee       Knee               `toml:"knee" doc:"the receiver's own capacity: its delays grow with the server's open connections"`
	Outage     Outage             `toml:"outage" doc:"random outages, the same for all servers"`
	Down       []Down             `toml:"down,omitdefault" doc:"planned outages"`
	Daily      delay.Daily        `toml:"daily" doc:"delays follow the time of day"`
	Drift      []delay.Drift      `toml:"drift,omitdefault" doc:"permanent changes of the delays; several multiply"`
	Weather    Weather            `toml:"weather" doc:"all delays have a common factor, drawn in every period"`
}

// Returned describes messages that a receiver accepts and returns later.
type Returned struct {
	Share float64 `toml:"share" doc:"share of the recipients whose mail comes back: each message to such a recipient does" range:"0..1" source:"assumed: refusals come at once"`
	After vt.Span `toml:"after" doc:"least time after which a message comes back; the longest is twice as long" range:"0s..30d" default:"1m" source:"assumed: the receiver tries at once"`
	Soft  float64 `toml:"soft" doc:"share of these recipients whose returns are soft: the mailbox exists, and the reason passes" range:"0..1" source:"assumed: none"`
}

// Off reports whether no message comes back.
func (r Returned) Off() bool { return r.Share == 0 }

// block returns the number of the netblock of the server with a number, and gives the next
// number to one that is new.
func (s Server) block(number int, known map[string]int) int {
	name := "name " + s.Block
	if s.Block == "" {
		name = "server " + s.Name
	}
	if _, ok := known[name]; !ok {
		known[name] = len(known)
	}
	return known[name]
}

// receiversOf returns the number of the destination that d names in limits_of; -1 if it
// names none.
func (c Config) receiversOf(d Destination) int {
	if d.LimitsOf == "" {
		return -1
	}
	return slices.IndexFunc(c.Destinations, func(v Destination) bool { return v.Name == d.LimitsOf })
}

// Greylist defers a recipient's tries at a stage until Delay after the first try
// that the receiver saw.
type Greylist struct {
	Share float64    `toml:"share" doc:"share of recipients that are greylisted" range:"0..1" source:"assumed: no greylisting"`
	Delay delay.Dist `toml:"delay" doc:"time from the first deferral until a try is accepted, drawn once per recipient" default:"5m" source:"derived: Postgrey default 300 s; RFC 6647"`
	Reply int        `toml:"reply" doc:"reply code" range:"400..499" default:"451"`
	At    string     `toml:"at,omitdefault" doc:"command that gets this reply: RCPT, or the end of data" oneof:"rcpt dot" default:"rcpt"`

	Enhanced mail.Enhanced `toml:"enhanced,omitdefault" doc:"enhanced status of the reply (RFC 3463)"`
	Text     string        `toml:"text,omitdefault" doc:"text of the reply" pattern:"^[ -~]{0,400}$"`

	WhitelistAfter int     `toml:"whitelist_after,omitdefault" doc:"number of recipients let in after which the server is whitelisted; 0: never" range:"0..1000000000" source:"scenario"`
	WhitelistFor   vt.Span `toml:"whitelist_for" doc:"how long the server stays whitelisted" default:"35d" range:"1s..3650d" source:"derived: Postgrey --max-age: 35 days"`
}

// Dead is a share of recipients that fail in the same way at every try.
type Dead struct {
	Share float64 `toml:"share" doc:"share of recipients" range:"0..1" source:"scenario"`
	At    string  `toml:"at" doc:"stage" oneof:"mail rcpt data dot" default:"rcpt"`
	Reply int     `toml:"reply" doc:"reply code" range:"400..599" default:"550"`

	Enhanced mail.Enhanced `toml:"enhanced,omitdefault" doc:"enhanced status of the reply (RFC 3463)"`
	Text     string        `toml:"text,omitdefault" doc:"text of the reply" pattern:"^[ -~]{0,400}$"`
}

// Fail is a way to fail at a stage: with a reply, or without one.
type Fail struct {
	At    string  `toml:"at" doc:"stage" oneof:"connect banner ehlo mail rcpt data dot"`
	Reply int     `toml:"reply" doc:"reply code; not together with fault, not at connect" range:"400..599"`
	Fault string  `toml:"fault" doc:"how it fails without a reply" oneof:"drop timeout"`
	P     float64 `toml:"p" doc:"probability that an attempt (or connection) fails this way" range:"0..1" source:"scenario"`

	Enhanced mail.Enhanced `toml:"enhanced,omitdefault" doc:"enhanced status of the reply (RFC 3463)"`
	Text     string        `toml:"text,omitdefault" doc:"text of the reply" pattern:"^[ -~]{0,400}$"`
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
	of := c.receiversOf(d)
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
	l.Check(d.Cap == 0 && d.CapText == "" && d.CapEnhanced == 0 && d.countedBy() == byAddress && !d.HasBehaviour(), key,
		"got %q beside limits, outages or slowness of its own, want these at %[1]q alone", d.LimitsOf)
}

// mostDomains is the most domains in a destination's own list. A resolved scenario spells them out.
const mostDomains = 1000

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
