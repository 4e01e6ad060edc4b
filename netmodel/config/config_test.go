package config

import (
	"math"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/delay"
	"flyball/netmodel/limits"
)

// plain returns a valid configuration of one server and one destination.
func plain() Config {
	n := DefaultPaths()
	n.DNS.Miss = delay.Constant(0)
	d := DefaultDestination()
	d.Name, d.Domain = "plain", "plain.example"
	return Config{Network: n, Servers: []Server{DefaultServer()}, Destinations: []Destination{d},
		Dialogue: mail.DefaultDialogue(), Size: 2 << 10, Stages: "collapsed"}
}

// allow returns an allowance of each server.
func allow(limit int, window vt.Span, reply int) limits.Allowance {
	return limits.Allowance{Limit: limit, Window: window, Kind: "fixed", Scope: "server", Growth: 1, Reply: reply}
}

func TestPlainConfigIsValid(t *testing.T) {
	if errs := plain().Validate(); len(errs) > 0 {
		t.Error(errs)
	}
}

// Each change makes one problem, which is reported with its key in a scenario
// file.
func TestValidateMessages(t *testing.T) {
	dest := func(change func(*Destination)) func(*Config) {
		return func(c *Config) { change(&c.Destinations[0]) }
	}
	for _, v := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Servers = nil }, `server: got none, want at least one [[server]]`},
		{func(c *Config) { c.Servers[0].Name = "" }, `server[0].name: got an empty name, want one such as "b1"`},
		{func(c *Config) { c.Servers = append(c.Servers, c.Servers[0]) },
			`server[1].name: got "b1" a second time, want a name of its own`},
		{func(c *Config) { c.Servers[0].ExtraRTT = 2 * vt.Minute }, `server[0].extra_rtt: got 2m, want 0s to 1m`},
		{func(c *Config) { c.Servers[0].Share = 0 }, `server: got shares that add up to 0, want more`},
		{func(c *Config) { c.Destinations = nil }, `destination: got none, want at least one [[destination]]`},
		{dest(func(d *Destination) { d.Share = 0 }), `destination: got shares that add up to 0, want more`},
		{dest(func(d *Destination) { d.Name = "" }),
			`destination[0].name: got an empty name, want one such as "provider"`},
		{dest(func(d *Destination) { d.Domain = "" }),
			`destination[0].domain: got an empty domain, want one such as "provider.example"`},
		{func(c *Config) {
			c.Destinations = append(c.Destinations, c.Destinations[0])
			c.Destinations[1].Name = "other"
		}, `destination[1].domain: got "plain.example" a second time, want a domain of its own`},
		{dest(func(d *Destination) {
			d.Dead = []Dead{{Share: 0.7, At: "rcpt", Reply: 550}, {Share: 0.4, At: "rcpt", Reply: 550}}
		}),
			`destination[0].dead: got shares that add up to 1.1, want at most 1`},
		{dest(func(d *Destination) { d.Fail = []Fail{{Reply: 450, P: 0.1}} }),
			`destination[0].fail[0].at: got none, want one of connect, banner, ehlo, mail, rcpt, data, dot`},
		{dest(func(d *Destination) { d.Fail = []Fail{{At: "rcpt", P: 0.1}} }),
			`destination[0].fail[0]: got reply = 0 and fault = "", want exactly one of them`},
		{dest(func(d *Destination) { d.Fail = []Fail{{At: "rcpt", P: 0.1, Reply: 450, Fault: "drop"}} }),
			`destination[0].fail[0]: got reply = 450 and fault = "drop", want exactly one of them`},
		{dest(func(d *Destination) { d.Fail = []Fail{{At: "connect", P: 0.1, Reply: 450}} }),
			`destination[0].fail[0].reply: got 450 at connect, want a fault: SMTP begins after it`},
		{dest(func(d *Destination) {
			d.Fail = []Fail{{At: "connect", P: 0.6, Fault: "drop"}, {At: "ehlo", P: 0.6, Reply: 421}}
		}), `destination[0].fail: got probabilities at connect, banner and ehlo that add up to 1.2, want at most 1`},
		{dest(func(d *Destination) {
			d.Fail = []Fail{{At: "mail", P: 0.6, Fault: "drop"}, {At: "dot", P: 0.6, Reply: 421}}
		}), `destination[0].fail: got probabilities at mail, rcpt, data and dot that add up to 1.2, want at most 1`},
		{dest(func(d *Destination) { d.RTT = delay.Dist{} }),
			`destination[0].rtt.dist: got "", want one of constant, uniform, exponential, lognormal, gamma, weibull, ` +
				`pareto`},
		{dest(func(d *Destination) { d.Greylist.Delay = delay.Constant(101 * vt.Day) }),
			`destination[0].greylist.delay.mean: got 101d, want at most 100d`},
		{dest(func(d *Destination) { d.Greylist.WhitelistAfter = 3 }),
			`destination[0].greylist.whitelist_after: got 3 without share, want a greylist for it`},
		{dest(func(d *Destination) {
			d.Greylist.Share, d.Greylist.WhitelistAfter, d.Greylist.WhitelistFor = 1, 3, 0
		}), `destination[0].greylist.whitelist_for: got 0s, want 1s to 3650d`},
		{dest(func(d *Destination) { d.Recent = 31 * vt.Day }), `destination[0].recent: got 31d, want 1s to 30d`},
		{dest(func(d *Destination) { d.Bucket.Rate = 4e9 }),
			`destination[0].bucket.rate: got 4e+09/h, want 0/h to 3600000000/h`},
		{dest(func(d *Destination) { d.Bucket.Rate, d.Bucket.Burst = 0.001, 100 }),
			`destination[0].bucket.burst: got 100, which 0.001/h fills in more than 3650d, want less`},
		{dest(func(d *Destination) { d.Send.Rate = 4e9 }),
			`destination[0].send.rate: got 4e+09/h, want 0/h to 3600000000/h`},
		{dest(func(d *Destination) { d.Send.ConnectionRate = 4e9 }),
			`destination[0].send.connection_rate: got 4e+09/h, want 0/h to 3600000000/h`},
		{dest(func(d *Destination) { d.Send.Delays = []vt.Span{vt.Minute, 0} }),
			`destination[0].send.delays[1]: got 0s, want 1ms to 30d`},
		{dest(func(d *Destination) { d.Send.Rate, d.Send.Burst = 0.001, 100 }),
			`destination[0].send.burst: got 100, which 0.001/h fills in more than 3650d, want less`},
		{dest(func(d *Destination) { d.Allowances = []limits.Allowance{allow(0, vt.Day, 450)} }),
			`destination[0].allowance[0].limit: got 0, want 1 to 1000000000`},
		{dest(func(d *Destination) { a := allow(5, vt.Day, 450); a.Most = 9; d.Allowances = []limits.Allowance{a} }),
			`destination[0].allowance[0].most: got 9, want growth or more beside it`},
		{dest(func(d *Destination) {
			a := allow(5, vt.Day, 450)
			a.Most, a.More = 4,
				1
			d.Allowances = []limits.Allowance{a}
		}),
			`destination[0].allowance[0].most: got 4, want at least limit = 5`},
		{dest(func(d *Destination) {
			d.Refuse = []Refuse{{From: vt.Hour, To: vt.Hour, At: "mail", Reply: 550, Share: 1}}
		}),
			`destination[0].refuse[0].to: got 1h, want more than from = 1h`},
		{dest(func(d *Destination) { d.Refuse = []Refuse{{At: "connect", Reply: 550, Share: 1}} }),
			`destination[0].refuse[0].at: got "connect", want one of banner, ehlo, mail, rcpt, data, dot`},
		{dest(func(d *Destination) { d.Penalty.Rate, d.Penalty.Pause = 1, 2*vt.Day }),
			`destination[0].penalty.most: got 1d, want at least pause = 2d`},
		{dest(func(d *Destination) { d.Throttle.Hard, d.Reputation.Complaints = 1, 0.1 }),
			`destination[0].reputation.complaints: got 0.1 with per_complaint = 0, want both or neither`},
		{dest(func(d *Destination) { d.Throttle.Soft = 1 }),
			`destination[0].throttle.hard: got 0/h, want more than soft = 1/h`},
		{dest(func(d *Destination) { d.Throttle.Soft, d.Throttle.Hard = 2, 2 }),
			`destination[0].throttle.hard: got 2/h, want more than soft = 2/h`},
		{dest(func(d *Destination) { d.Throttle.Hard = 4e9 }),
			`destination[0].throttle.hard: got 4e+09/h, want 0/h to 3600000000/h`},
		{dest(func(d *Destination) { d.Tarpit.Delay = vt.Second }),
			`destination[0].tarpit.delay: got 1s without hard, want the rates that it grows with`},
		{dest(func(d *Destination) { d.Tarpit.PerPoint = vt.Second }),
			`destination[0].tarpit.per_point: got 1s without a reputation, want per_refusal, per_dead or ` +
				`per_complaint there`},
		{dest(func(d *Destination) { d.Tarpit.Most = 2 * vt.Hour }),
			`destination[0].tarpit.most: got 2h, want 1ms to 1h`},
		{dest(func(d *Destination) { d.Reputation.PerDead = 1 }),
			`destination[0].reputation: got no throttle, no penalty and no tarpit, want one for it to work on`},
		{dest(func(d *Destination) { d.Reputation.PerDead, d.Throttle.Hard, d.Reputation.Heals = 1, 1, 0 }),
			`destination[0].reputation.heals: got 0s, want 1s to 365d`},
		{dest(func(d *Destination) { d.Knee.Connections = -1 }),
			`destination[0].knee.connections: got -1, want 0 to 1000000`},
		{dest(func(d *Destination) { d.Outage.Up = vt.Hour }),
			`destination[0].outage.down: got 0s with up = 1h, want the length of an outage`},
		{dest(func(d *Destination) { d.Outage.Down = vt.Hour }),
			`destination[0].outage.up: got 0s with down = 1h, want the time between outages`},
		{dest(func(d *Destination) { d.Down = []Down{{Fault: "timeout"}} }),
			`destination[0].down[0].for: got 0s, want more than 0s, at most 3650d`},
		{func(c *Config) { c.Network.Down = []Down{{From: 4000 * vt.Day, For: 1, Fault: "drop"}} },
			`network.down[0].from: got 4000d, want 0s to 3650d`},
		{dest(func(d *Destination) { d.Daily.Peak = 25 * vt.Hour }),
			`destination[0].daily.peak: got 25h, want 0s to 1d`},
		{dest(func(d *Destination) { d.Drift = []delay.Drift{{}} }),
			`destination[0].drift[0].factor: got 0, want 0.01 to 100`},
		{dest(func(d *Destination) { d.Weather.Sigma, d.Weather.Period = 1, 0 }),
			`destination[0].weather.period: got 0s, want 1s to 3650d`},
		{func(c *Config) { c.Network.Hops.Min = 40 }, `network.hops.min: got 40, want at most max = 32`},
		{func(c *Config) { c.Network.PerHop = 2 * vt.Second }, `network.per_hop: got 2s, want 0s to 1s`},
		{func(c *Config) { c.Network.Retrans = 0 }, `network.retransmit_after: got 0s, want 1ms to 1m`},
		{func(c *Config) { c.Network.GiveUpAt = 17 }, `network.retransmissions: got 17, want 1 to 16`},
		{func(c *Config) { c.Network.DNS.Miss.Mean = 101 * vt.Day },
			`network.dns.miss.mean: got 101d, want at most 100d`},
		{func(c *Config) { c.Dialogue.Messages = 0 }, `dialogue.messages_per_connection: got 0, want 1 to 1000000`},
		{func(c *Config) { c.Dialogue.Timeouts.Data = 0 }, `dialogue.timeouts.data: got 0s, want 1ms to 1h`},
	} {
		c := plain()
		v.change(&c)
		if errs := c.Validate(); len(errs) != 1 || errs[0].Error() != v.want {
			t.Errorf("got  %v\nwant %s", errs, v.want)
		}
	}
}

// Validate reports all problems at once, in the order of the file.
func TestValidateTellsEverything(t *testing.T) {
	c := plain()
	c.Network.GiveUpAt, c.Servers[0].Name, c.Destinations[0].Domain = 0, "", ""
	want := []string{"network.retransmissions: got 0, want 1 to 16",
		`server[0].name: got an empty name, want one such as "b1"`,
		`destination[0].domain: got an empty domain, want one such as "provider.example"`}
	errs := c.Validate()
	for i := range max(len(errs), len(want)) {
		if i >= len(errs) || i >= len(want) || errs[i].Error() != want[i] {
			t.Fatalf("got %v\nwant %v", errs, want)
		}
	}
}

// The defaults' sources: Brandhorst & Pras (mean 152 ms, 90 % within 275 ms)
// and Fei et al. (90 % within 153 ms).
func TestDefaultsMatchTheirSources(t *testing.T) {
	for _, v := range []struct {
		name      string
		d         delay.Dist
		mean, q90 float64 // ms; 0: not published
	}{
		{"uncached look-up", DefaultPaths().DNS.Miss, 152, 275},
		{"round trip", DefaultDestination().RTT, 0, 153},
	} {
		if got := v.d.ExactMean() / 1e6; v.mean > 0 && math.Abs(got/v.mean-1) > 0.01 {
			t.Errorf("%s: mean %.1f ms, want %g", v.name, got, v.mean)
		}
		if got := v.d.Quantile(0.9) / 1e6; math.Abs(got/v.q90-1) > 0.01 {
			t.Errorf("%s: 90 %% within %.1f ms, want %g", v.name, got, v.q90)
		}
	}
}
