package netmodel

import (
	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Config describes the world that the attempts meet.
type Config struct {
	Network      Network
	Servers      []Server
	Destinations []Destination
	Dialogue     mail.Dialogue
	Size         unit.Bytes // of one message
	Stages       string     // "collapsed": one event per attempt; "full": one per stage
}

// Network is what lies between every server and every destination.
type Network struct {
	DNS      DNS     `toml:"dns" doc:"name resolution, once per new connection"`
	Hops     Hops    `toml:"hops" doc:"routers on the path"`
	PerHop   vt.Span `toml:"per_hop" doc:"round-trip time that each hop adds to the destination's rtt"`
	HopLoss  float64 `toml:"hop_loss" doc:"probability that one hop loses one exchange" range:"0..0.5"`
	Retrans  vt.Span `toml:"retransmit_after" doc:"first retransmission time-out; doubles (RFC 6298)"`
	GiveUpAt int     `toml:"retransmissions" doc:"losses in one attempt after which the connection is lost"`
	Down     []Down  `toml:"down" doc:"outages of all destinations together, as ordered"`

	Drift []PathDrift `toml:"drift" doc:"all paths change at a time, for good; several add up"`
}

// DNS is the sender's resolver.
type DNS struct {
	HitRatio float64 `toml:"hit_ratio" doc:"share of look-ups answered from the cache" range:"0..1"`
	Hit      Dist    `toml:"hit" doc:"time of a cached answer"`
	Miss     Dist    `toml:"miss" doc:"time of an uncached answer; beyond the dialogue's dns time-out the look-up fails"`
	ServFail float64 `toml:"servfail" doc:"share of uncached look-ups that fail for now" range:"0..1"`
	Drift    []Drift `toml:"drift" doc:"the time of a look-up changes at a time, for good; several multiply"`
}

// Hops is the number of routers on a path: round(Normal(mean, sd)), cut to
// Min..Max.
type Hops struct {
	Mean float64 `toml:"mean" range:"1..64"`
	SD   float64 `toml:"sd" range:"0..32"`
	Min  int     `toml:"min" range:"1..64"`
	Max  int     `toml:"max" range:"1..64"`
}

// Server is a delivering server as the network sees it: how far it stands and
// how it slows down under its own load.
type Server struct {
	Name       string  `toml:"name" doc:"name in tables and files"`
	ExtraRTT   vt.Span `toml:"extra_rtt" doc:"added to every round trip of this server"`
	ExtraHops  int     `toml:"extra_hops" doc:"added to the hops of every path of this server" range:"0..64"`
	Contention float64 `toml:"contention" doc:"sigma of the universal scalability law: share of work that is serialised" range:"0..1"`
	Coherency  float64 `toml:"coherency" doc:"kappa of the universal scalability law: cost of each pair of busy slots" range:"0..1"`
	Share      float64 `toml:"share" doc:"part of every list that this server delivers, relative to the other servers" range:"0..1000000"`
	Down       []Down  `toml:"down" doc:"times at which this server is cut off from all destinations"`
}

// Destination is a mailbox provider, or a class of like ones.
type Destination struct {
	Name     string   `toml:"name" doc:"name in tables and files"`
	Domain   string   `toml:"domain" doc:"mail domain; rows of a list are matched by it"`
	Share    float64  `toml:"share" doc:"part of a synthetic list, relative to the other destinations" range:"0..1000000"`
	Receiver string   `toml:"receiver" doc:"embedded receiver of a live run" oneof:"go-smtp smtpd"`
	RTT      Dist     `toml:"rtt" doc:"round-trip time, drawn once per connection"`
	Banner   Dist     `toml:"banner" doc:"receiver's delay before its greeting"`
	RCPT     Dist     `toml:"rcpt" doc:"receiver's delay before its reply to RCPT"`
	Dot      Dist     `toml:"dot" doc:"receiver's delay before its reply to the final dot"`
	Shared   bool     `toml:"shared" doc:"all servers are one to it: what it remembers of a server (cap, bucket, throttle, reputation, tarpit, knee, whitelist) it remembers of all together"`
	Cap      int      `toml:"cap" doc:"open connections that it allows each server; one more is greeted with 421; 0: no cap" range:"0..1000000"`
	Messages int      `toml:"messages_per_connection" doc:"messages that a server offers it over one connection; not given: those of dialogue" range:"1..1000000"`
	Greylist Greylist `toml:"greylist" doc:"first tries are deferred (RFC 6647)"`
	Dead     []Dead   `toml:"dead" doc:"recipients that can never be delivered"`
	Fail     []Fail   `toml:"fail" doc:"failures drawn anew for every attempt (mail, rcpt, data, dot) or connection (connect, banner, ehlo)"`

	Recent     vt.Span    `toml:"recent" doc:"half-life of its memory of each server's rate, for throttle and tarpit"`
	Bucket     Bucket     `toml:"bucket" doc:"token bucket for each server: messages beyond the rate are deferred"`
	Throttle   Throttle   `toml:"throttle" doc:"messages are deferred the more often, the higher the server's recent rate"`
	Reputation Reputation `toml:"reputation" doc:"refusals and dead recipients count against the server, and fade; it makes throttle and tarpit stricter"`
	Tarpit     Tarpit     `toml:"tarpit" doc:"replies to MAIL come later with a high recent rate or a bad reputation"`
	Knee       Knee       `toml:"knee" doc:"the receiver's own capacity: its delays grow with the server's open connections"`
	Outage     Outage     `toml:"outage" doc:"outages by chance, the same for all servers"`
	Down       []Down     `toml:"down" doc:"outages as ordered"`
	Daily      Daily      `toml:"daily" doc:"its delays follow the time of the day"`
	Drift      []Drift    `toml:"drift" doc:"its delays change at a time, for good; several multiply"`
	Weather    Weather    `toml:"weather" doc:"its delays have a factor in common that is drawn anew in every period"`
}

// Greylist defers a recipient's tries until Delay after the first one that the
// receiver saw.
type Greylist struct {
	Share float64 `toml:"share" doc:"share of recipients that are greylisted" range:"0..1"`
	Delay Dist    `toml:"delay" doc:"time from the first RCPT until one is accepted, drawn once per recipient"`
	Reply int     `toml:"reply" doc:"reply code" range:"400..499"`

	WhitelistAfter int     `toml:"whitelist_after" doc:"recipients let in after which the server is greylisted no more; 0: it always is" range:"0..1000000000"`
	WhitelistFor   vt.Span `toml:"whitelist_for" doc:"for how long"`
}

// Dead is a share of recipients that fail in the same way at every try.
type Dead struct {
	Share float64 `toml:"share" doc:"share of recipients" range:"0..1"`
	At    string  `toml:"at" doc:"stage" oneof:"mail rcpt data dot"`
	Reply int     `toml:"reply" doc:"reply code" range:"400..599"`
}

// Fail is a way to fail at a stage: with a reply, or without one.
type Fail struct {
	At    string  `toml:"at" doc:"stage" oneof:"connect banner ehlo mail rcpt data dot"`
	Reply int     `toml:"reply" doc:"reply code; not together with fault, not at connect" range:"400..599"`
	Fault string  `toml:"fault" doc:"how it fails without a reply" oneof:"drop timeout"`
	P     float64 `toml:"p" doc:"probability that an attempt (or connection) ends this way" range:"0..1"`
}

// DefaultNetwork is today's Internet as far as public measurements go; see
// docs/model.md for each source.
func DefaultNetwork() Network {
	return Network{
		DNS: DNS{
			HitRatio: 0.9,                      // assumed: TTL 300-3600 s at bulk rates
			Hit:      Constant(vt.Millisecond), // assumed: local resolver
			// Brandhorst & Pras: mean 152 ms, 90 % within 275 ms; both hold for this lognormal
			Miss:     Dist{Dist: "lognormal", Median: 22400 * vt.Microsecond, Sigma: 1.957},
			ServFail: 0.005, // assumed: 0.5 % of uncached look-ups
		},
		Hops:     Hops{Mean: 14, SD: 3.1, Min: 4, Max: 32}, // Fei et al.: 90 % of US hosts within 18 hops
		PerHop:   0,                                        // Fei et al.: hops do not predict delay
		HopLoss:  0,                                        // assumed: a clean path
		Retrans:  vt.Second,                                // RFC 6298 2.1
		GiveUpAt: 6,                                        // assumed: about a minute of silence
	}
}

// DefaultServer is one server without contention.
func DefaultServer() Server { return Server{Name: "b1", Share: 1} }

// DefaultDestination is a plain receiver that accepts everything.
func DefaultDestination() Destination {
	return Destination{
		Share:    1,
		Receiver: "go-smtp",
		// Fei et al.: 90 % of US hosts within 153 ms; PlanetLab: Gamma fits best
		RTT:    Dist{Dist: "gamma", Mean: 80500 * vt.Microsecond, Shape: 2.3},
		Banner: Dist{Dist: "lognormal", Median: 40 * vt.Millisecond, Sigma: 1},    // assumed
		RCPT:   Constant(0),                                                       // assumed
		Dot:    Dist{Dist: "lognormal", Median: 400 * vt.Millisecond, Sigma: 0.9}, // assumed
		Greylist: Greylist{
			Delay: Constant(5 * vt.Minute), // Postgrey default 300 s
			Reply: 451,                     // RFC 6647 2.1

			WhitelistFor: 35 * vt.Day, // Postgrey --max-age
		},
		Recent:     10 * vt.Minute,                        // assumed
		Bucket:     Bucket{Burst: 100, Reply: 421},        // assumed
		Throttle:   Throttle{Curve: "linear", Reply: 421}, // assumed
		Reputation: Reputation{Heals: vt.Day},             // assumed
		Tarpit:     Tarpit{Most: vt.Minute},               // assumed
		Knee:       Knee{Slope: 1},                        // closed queue
		Outage:     Outage{Fault: "timeout"},              // assumed
		Daily:      Daily{Peak: 14 * vt.Hour},             // assumed
		Weather:    Weather{Period: vt.Hour},              // assumed
	}
}

// DefaultDead is a mailbox that does not exist.
func DefaultDead() Dead { return Dead{At: "rcpt", Reply: 550} }

// Validate reports every problem, with keys as in a scenario file.
func (c Config) Validate() []error {
	var l conf.List
	l.Within("network", c.Network.validate())
	l.Check(len(c.Servers) > 0, "server", "got none, want at least one [[server]]")
	l.Check(len(c.Servers) <= 1000, "server", "got %d, want at most 1000", len(c.Servers))
	names := map[string]bool{}
	for i, s := range c.Servers {
		key := conf.Index("server", i)
		l.Check(s.Name != "", key+".name", "got an empty name, want one such as \"b1\"")
		l.Check(s.Name == "" || !names[s.Name], key+".name", "got %q a second time, want a name of its own", s.Name)
		l.Check(conf.Printable(s.Name), key+".name", "got %q, want printable characters, at most 64", s.Name)
		names[s.Name] = true
		l.Check(s.ExtraRTT <= vt.Minute, key+".extra_rtt", "got %s, want at most 1m", s.ExtraRTT)
		l = append(l, validateDown(key+".down", s.Down)...)
	}
	l.Check(len(c.Destinations) > 0, "destination", "got none, want at least one [[destination]]")
	l.Check(len(c.Destinations) <= 1000, "destination", "got %d, want at most 1000", len(c.Destinations))
	var share float64
	names, domains := map[string]bool{}, map[string]bool{}
	for i, d := range c.Destinations {
		key := conf.Index("destination", i)
		l.Within(key, d.validate())
		l.Check(d.Name == "" || !names[d.Name], key+".name", "got %q a second time, want a name of its own", d.Name)
		l.Check(d.Domain == "" || !domains[d.Domain], key+".domain", "got %q a second time, want a domain of its own", d.Domain)
		names[d.Name], domains[d.Domain] = true, true
		share += d.Share
	}
	l.Check(len(c.Destinations) == 0 || share > 0, "destination", "got shares that add up to 0, want more")
	share = 0
	for _, s := range c.Servers {
		share += s.Share
	}
	l.Check(len(c.Servers) == 0 || share > 0, "server", "got shares that add up to 0, want more")
	l.Within("dialogue", c.Dialogue.Validate())
	l.Check(c.Size >= 1 && c.Size <= 1<<30, "message.size", "got %s, want 1B to 1GiB", c.Size)
	l.Check(c.Stages == "collapsed" || c.Stages == "full", "stages", "got %q, want \"collapsed\" or \"full\"", c.Stages)
	return l
}

func (n Network) validate() []error {
	var l conf.List
	l.Within("dns.hit", n.DNS.Hit.Validate())
	l.Within("dns.miss", n.DNS.Miss.Validate())
	l.Check(n.Hops.Min <= n.Hops.Max, "hops.min", "got %d, want at most max = %d", n.Hops.Min, n.Hops.Max)
	l.Check(n.PerHop <= vt.Second, "per_hop", "got %s, want at most 1s", n.PerHop)
	l.Check(n.Retrans >= vt.Millisecond && n.Retrans <= vt.Minute, "retransmit_after", "got %s, want 1ms to 1m", n.Retrans)
	l.Check(n.GiveUpAt >= 1 && n.GiveUpAt <= 16, "retransmissions", "got %d, want 1 to 16", n.GiveUpAt)
	l = append(l, validateDown("down", n.Down)...)
	l = append(l, validateDrift("dns.drift", n.DNS.Drift)...)
	var drift []Drift
	for _, v := range n.Drift {
		drift = append(drift, v.ofTime())
	}
	return append(l, validateDrift("drift", drift)...)
}

func (d Destination) validate() []error {
	var l conf.List
	l.Check(d.Name != "", "name", "got an empty name, want one such as \"provider\"")
	l.Check(conf.Printable(d.Name), "name", "got %q, want printable characters, at most 64", d.Name)
	l.Check(d.Domain != "", "domain", "got an empty domain, want one such as \"provider.example\"")
	for _, v := range []struct {
		key  string
		dist Dist
	}{{"rtt", d.RTT}, {"banner", d.Banner}, {"rcpt", d.RCPT}, {"dot", d.Dot}, {"greylist.delay", d.Greylist.Delay}} {
		l.Within(v.key, v.dist.Validate())
	}
	l.Check(d.Messages >= 0 && d.Messages <= 1e6, "messages_per_connection", "got %d, want 1 to 1000000", d.Messages)
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
		l.Check((f.Reply == 0) != (f.Fault == ""), key, "got reply = %d and fault = %q, want exactly one of them", f.Reply, f.Fault)
		l.Check(f.At != "connect" || f.Reply == 0, key+".reply", "got %d at connect, want a fault: nobody speaks SMTP yet", f.Reply)
		if stage <= mail.StageEHLO {
			onConnection += f.P
		} else {
			onAttempt += f.P
		}
	}
	l.Check(onConnection <= 1+1e-9, "fail", "got probabilities at connect, banner and ehlo that add up to %g, want at most 1", onConnection)
	l.Check(onAttempt <= 1+1e-9, "fail", "got probabilities at mail, rcpt, data and dot that add up to %g, want at most 1", onAttempt)
	return append(l, d.validateHabits()...)
}
