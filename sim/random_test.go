package sim_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/engine/proximity"
	"flyball/governor"
	"flyball/governor/feedback"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/netmodel/limits"
	"flyball/scenarios"
)

// Random scenarios have two levels of chance: which features a scenario has at
// all, then how strong each is. So some scenarios mix everything, and in
// others a few features meet alone, where nothing hides what they do.

// seedOfScenarios is FLYBALL_SEED, a number or the hash of a commit, so that
// every commit can try new scenarios; 1 if it is not set.
func seedOfScenarios(t *testing.T) uint64 {
	text := os.Getenv("FLYBALL_SEED")
	if text == "" {
		return 1
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	n, err := strconv.ParseUint(text[:min(len(text), 16)], 16, 64)
	if err != nil {
		t.Fatalf("FLYBALL_SEED: got %q, want a number or the hash of a commit", text)
	}
	return n
}

// howMany returns the number of random scenarios of a test: FLYBALL_SWARM if
// it is set, else quick, or long where long tests are asked for.
func howMany(t *testing.T, quick, long int) int {
	text := os.Getenv("FLYBALL_SWARM")
	if text == "" {
		return longtest.Or(quick, long)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("FLYBALL_SWARM: got %q, want a number of scenarios", text)
	}
	return n
}

// eachScenario calls a test with its random scenarios, one by one, until one
// fails. The name of a subtest has the seed and the number, which reproduce the
// scenario: FLYBALL_SEED=7 go test ./sim -run TestTwinOnRandomScenarios/seed-7/31$
func eachScenario(t *testing.T, n int, test func(t *testing.T, d *dice, s *scenarios.Scenario)) {
	t.Helper()
	seed := seedOfScenarios(t)
	var failed atomic.Bool
	t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) {
		for i := range n {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				if failed.Load() {
					t.SkipNow()
				}
				d := &dice{rand.New(rand.NewPCG(seed, uint64(i)))}
				s := d.scenario()
				for _, problem := range s.Validate() {
					t.Fatalf("a bad random scenario: %v\n%s", problem, scenarios.Resolved(s))
				}
				defer func() {
					if t.Failed() {
						failed.Store(true)
						t.Logf("FLYBALL_SEED=%d, number %d, scenario:\n%s", seed, i, scenarios.Resolved(s))
					}
				}()
				test(t, d, s)
			})
		}
	})
}

// dice draws scenarios.
type dice struct{ *rand.Rand }

// features that a scenario has or has not.
type features struct {
	ties, families, servers, destinations, campaigns, contention, governed, shortDay, caps, greylist, dead,
	failConnection,
	failMessage, loss, hops, dns, pipelining, startTLS, reuse, impatient, few, bigMessage, idle, moving, scheduled,
	aging, freeing, yielding,
	retargeted, misled, lookupDrift, pathDrift, cutOff, shared, whitelist, bucket, allowance, refuse, penalty, hangsUp,
	resetReply, complaints, throttle, reputation, tarpit, knee, outage, down, daily, drift, weather bool
}

func (d *dice) coin() bool             { return d.IntN(2) == 0 }
func (d *dice) between(lo, hi int) int { return lo + d.IntN(hi-lo+1) }

// pick one of some.
func pick[T any](d *dice, from ...T) T { return from[d.IntN(len(from))] }

func (d *dice) features() (f features) {
	for _, on := range []*bool{&f.ties, &f.families, &f.servers, &f.destinations, &f.campaigns, &f.contention,
		&f.governed, &f.shortDay,
		&f.caps, &f.greylist, &f.dead, &f.failConnection, &f.failMessage, &f.loss, &f.hops, &f.dns, &f.pipelining,
		&f.startTLS,
		&f.reuse, &f.impatient, &f.few, &f.bigMessage, &f.idle, &f.moving, &f.scheduled, &f.aging, &f.freeing} {
		*on = d.coin()
	}
	for _, on := range []*bool{&f.retargeted, &f.misled, &f.lookupDrift, &f.pathDrift, &f.cutOff, &f.shared} {
		*on = d.IntN(4) == 0
	}
	f.yielding = d.IntN(8) == 0
	if d.coin() { // many scenarios have receivers without habits
		return f
	}
	for _, on := range []*bool{&f.allowance, &f.refuse, &f.penalty, &f.hangsUp, &f.resetReply, &f.complaints} {
		*on = d.IntN(4) == 0
	}
	for _, on := range []*bool{&f.whitelist, &f.bucket, &f.throttle, &f.reputation, &f.tarpit, &f.knee, &f.outage,
		&f.down, &f.daily,
		&f.drift, &f.weather} {
		*on = d.coin()
	}
	return f
}

func (d *dice) scenario() *scenarios.Scenario {
	f := d.features()
	s := scenarios.Default()
	s.Name, s.Seed = "random", d.Uint64N(1<<63)
	s.Stages = pick(d, "collapsed", "full")
	if f.bigMessage {
		s.Message.Size = pick(d, unit.Bytes(1), 14_600, 14_601, 43_800, 43_801, 102_200, 102_201,
			unit.Bytes(d.between(1, 1<<21)))
	}
	d.dialogue(f, &s.Dialogue)
	d.network(f, &s.Network)
	d.retry(f, &s.Retry)
	d.freeing(f, &s.Freeing)
	d.governor(f, &s)
	s.Servers = d.servers(f)
	s.Destinations = d.destinations(f)
	s.Campaigns = d.campaigns(f)
	if f.yielding {
		d.yielding(&s)
	}
	if d.coin() {
		d.cluster(&s)
	}
	if s.Horizon = longDay(&s) / 10; f.shortDay { // few runs reach it, and those that do go on with nothing to do
		// Mostly in the middle of things; sometimes with the end of an interval.
		s.Horizon = pick(d, vt.Millisecond, 20*vt.Millisecond, vt.Second) * vt.Span(d.between(1, 2000))
		if d.coin() {
			s.Horizon = s.Governor.Interval * vt.Span(d.between(1, 5))
		}
		for i := range s.Campaigns {
			s.Campaigns[i].Start %= s.Horizon
		}
	}
	if d.IntN(5) == 0 {
		s.Governor.Destination = d.limits()
	}
	if d.IntN(4) == 0 {
		for i := range s.Destinations {
			s.Destinations[i].Send = d.policy()
		}
	}
	if d.IntN(6) == 0 {
		f.daily = true
	}
	if f.daily && d.coin() {
		s.StartAt = vt.Civil(d.between(1_000_000_000, 2_000_000_000))
		s.UTCOffsets = []vt.Offset{{}, {From: 1 + d.span(60_000), Ahead: vt.Span(d.between(-12, 14)) * vt.Hour}}
	}
	if d.IntN(6) == 0 {
		s.Quiet = d.quiet(s.StartAt)
	}
	if d.IntN(4) == 0 {
		d.ranks(s.Campaigns)
	}
	if d.coin() {
		d.replies(&s)
	}
	d.places(&s)
	if d.IntN(4) == 0 {
		d.partition(&s)
	}
	if s.Dispatch.Plain() && d.IntN(4) == 0 {
		d.sender(&s)
	}
	// Last, so that the scenarios are what they were before there was a login: what they meet is counted.
	if s.Dialogue.StartTLS {
		s.Dialogue.Auth = pick(d, "none", "plain", "login")
	}
	return &s
}

// sender has a sending server hand the lists over, which nothing stops.
func (d *dice) sender(s *scenarios.Scenario) {
	v := &s.Dispatch
	v.Partition, v.Imbalance = "shares", scenarios.Default().Dispatch.Imbalance
	v.Proximity = scenarios.Default().Dispatch.Proximity
	v.Check = pick(d, 100*vt.Millisecond, vt.Second, 10*vt.Second, vt.Minute)
	v.Lease, v.Patience = 6*v.Check, 60*v.Check
	s.Bus.Delay = pick(d, 1, vt.Millisecond, v.Check)
	for i := range s.Campaigns {
		s.Campaigns[i].Deadline = 0
	}
}

// ranks makes some campaigns more urgent than others, and gives some a rate.
func (d *dice) ranks(all []scenarios.Campaign) {
	for i := range all {
		all[i].Priority = d.between(0, 3)
		if d.coin() {
			all[i].Rate = d.rate()
		}
	}
}

// rate returns a rate that holds some processes back.
func (d *dice) rate() unit.PerHour {
	return unit.PerHour(pick(d, 1000.0, 20_000, 300_000) * (0.5 + d.Float64()))
}

// replies gives receivers words, and the sender a reading of them.
func (d *dice) replies(s *scenarios.Scenario) {
	var all []replies.Row
	for i := range s.Destinations {
		v := &s.Destinations[i]
		var said []replies.Row // what the receiver may reply, as rows that match it
		say := func(says bool, code int, status *mail.Enhanced, text *string) {
			*text = pick(d, "", "", "[TSS04] wait", "too MANY connections (AS761)", "TSS045 wait",
				"RP-001 unusual rate of 10.0.0.1")
			if *status = pick(d, 0, mail.Enhanced(4_007_028), 4_002_001); d.coin() && code >= 500 {
				*status = 5_004_005
			} else if code >= 500 {
				*status = 0
			}
			if says {
				said = append(said, replies.Row{Code: code, Enhanced: *status, Text: *text})
			}
		}
		say(v.Cap > 0, 421, &v.CapEnhanced, &v.CapText)
		say(v.Bucket.Rate > 0, v.Bucket.Reply, &v.Bucket.Enhanced, &v.Bucket.Text)
		say(v.Throttle.Hard > 0, v.Throttle.Reply, &v.Throttle.Enhanced, &v.Throttle.Text)
		say(v.Penalty.Rate > 0, v.Penalty.Reply, &v.Penalty.Enhanced, &v.Penalty.Text)
		say(v.Greylist.Share > 0, v.Greylist.Reply, &v.Greylist.Enhanced, &v.Greylist.Text)
		for k := range v.Allowances {
			say(true, v.Allowances[k].Reply, &v.Allowances[k].Enhanced, &v.Allowances[k].Text)
		}
		for k := range v.Refuse {
			say(true, v.Refuse[k].Reply, &v.Refuse[k].Enhanced, &v.Refuse[k].Text)
		}
		for k := range v.Dead {
			say(true, v.Dead[k].Reply, &v.Dead[k].Enhanced, &v.Dead[k].Text)
		}
		for k := range v.Fail {
			if v.Fail[k].Reply > 0 {
				say(true, v.Fail[k].Reply, &v.Fail[k].Enhanced, &v.Fail[k].Text)
			}
		}
		if all = append(all, said...); d.coin() {
			v.Replies = d.rows(said)
		}
		if v.Messages == 0 && d.coin() {
			v.Send.Messages = d.between(1, 5)
		}
	}
	if d.IntN(4) > 0 {
		s.Replies = d.rows(all)
	}
}

// rows of a reply table. Half of them match something that receivers may reply: few of the
// others ever match a reply.
func (d *dice) rows(said []replies.Row) (all []replies.Row) {
	for range d.between(1, 6) {
		r := replies.Row{Class: "busy", Share: pick(d, 0.5, 0.1, 0.9), After: 1, Within: vt.Hour,
			Reaction: pick(d, "none", "defer", "reconnect", "slow", "slow", "suspend", "suspend", "suspend", "hold",
				"bounce", "bounce"),
			Scope: pick(d, "source", "source", "domain", "domain", "campaign", "account", "account"),
		}
		texts := []string{"tss04", "connections", "the model", "unusual rate", "AS761"}
		if d.coin() && len(said) > 0 {
			r.Code, r.Enhanced, r.Text = d.sign(pick(d, said...))
		} else {
			switch d.IntN(7) {
			case 0, 1, 6:
				r.Code = pick(d, 421, 421, 450, 451, 550)
			case 2:
				r.Code, r.Text = pick(d, 421, 450, 550), pick(d, texts...)
			case 3:
				r.Enhanced = pick(d, mail.Enhanced(4_007_028), 4_002_001, 5_004_005)
			case 4:
				r.Enhanced, r.Text = pick(d, mail.Enhanced(4_007_028), 4_002_001), pick(d, texts...)
			case 5:
				r.Text = pick(d, texts...)
			}
		}
		if d.IntN(4) == 0 {
			r.At = pick(d, "banner", "mail", "rcpt")
		}
		if r.Reaction == "slow" && r.Scope == "campaign" {
			r.Scope = "account"
		}
		if r.Gates() && d.IntN(3) == 0 {
			r.After, r.Within = d.between(2, 4), pick(d, vt.Second, vt.Minute, vt.Hour)
		}
		if r.Reaction == "suspend" && r.Scope != "campaign" && d.coin() {
			r.Return = d.between(1, 4)
		}
		if r.Gates() || r.Reaction == "hold" {
			r.For = pick(d, vt.Second, 10*vt.Second, 5*vt.Minute) * vt.Span(d.between(1, 3))
		}
		all = append(all, r)
	}
	return all
}

// sign returns by what a row recognizes a reply: by one of what the reply has, or by all.
func (d *dice) sign(of replies.Row) (code int, status mail.Enhanced, text string) {
	switch n := d.IntN(4); {
	case n == 0 && of.Enhanced != 0:
		return 0, of.Enhanced, ""
	case n == 1 && of.Text != "":
		return 0, 0, of.Text
	case n == 2:
		return of.Code, of.Enhanced, of.Text
	}
	return of.Code, 0, ""
}

// places gives servers addresses and limits, and receivers other ways to count.
func (d *dice) places(s *scenarios.Scenario) {
	may := func() bool { return d.IntN(4) == 0 }
	if may() {
		for i := range s.Servers {
			v := &s.Servers[i]
			v.Addresses, v.Block = d.between(0, 4), pick(d, "", "a", "a", "c")
			for _, name := range []string{"bulk", "urgent"} {
				if d.IntN(2) == 0 {
					v.Pools = append(v.Pools, config.Pool{Name: name, Addresses: d.between(1, 3)})
				}
			}
		}
	}
	if may() {
		for i := range s.Servers {
			v := &s.Servers[i]
			v.Connections = pick(d, 0, d.between(1, 20))
			v.Rate = pick(d, 0, unit.PerHour(pick(d, 1000.0, 20_000, 300_000)*(0.5+d.Float64())))
			v.Bandwidth = pick(d, 0, unit.Bytes(pick(d, 20_000, 300_000, 10_000_000)*d.between(1, 9)))
		}
	}
	for i := range s.Destinations {
		v := &s.Destinations[i]
		if may() {
			v.By = "block"
		}
		for k := range v.Allowances {
			v.Allowances[k].Scope = pick(d, "server", "block", "domain", "account", "fleet")
		}
		if may() {
			for range d.between(1, 3) {
				m := config.Mailbox{Share: pick(d, 0.1, 0.5, 1), At: pick(d, "rcpt", "data", "dot"),
					For:   pick(d, vt.Second, vt.Minute, vt.Hour) * vt.Span(d.between(1, 5)),
					Reply: pick(d, 450, 452, 552)}
				if m.Reply < 500 {
					m.Enhanced, m.Text = pick(d, 0, mail.Enhanced(4_002_001)), pick(d, "", "the model is FULL")
				}
				v.Mailboxes = append(v.Mailboxes, m)
			}
		}
	}
	if n := len(s.Destinations); n > 1 && may() {
		of, v := d.IntN(n), d.IntN(n)
		if of != v {
			brand := s.Destinations[v].WithoutBehaviour()
			brand.Cap, brand.By, brand.Shared, brand.LimitsOf = 0, "address", false, s.Destinations[of].Name
			brand.CapText, brand.CapEnhanced = "", 0
			s.Destinations[v] = brand
		}
	}
	if may() {
		for i := range s.Campaigns {
			s.Campaigns[i].Domain = pick(d, "", "a.example", "b.example")
			s.Campaigns[i].Account = pick(d, "", "a", "b")
			s.Campaigns[i].Size = pick(d, 0, unit.Bytes(d.between(1, 200_000)))
		}
	}
	for i := range s.Campaigns {
		s.Campaigns[i].Pool = d.pool(s)
	}
	if may() {
		s.Message.SizeSigma = pick(d, 0.3, 1, 3)
	}
}

// pool returns the name of some server's pool, or none.
func (d *dice) pool(s *scenarios.Scenario) string {
	names := []string{""}
	for _, v := range s.Servers {
		for _, p := range v.Pools {
			names = append(names, p.Name)
		}
	}
	return pick(d, names...)
}

// cluster lets servers decide together.
func (d *dice) cluster(s *scenarios.Scenario) {
	if d.IntN(3) > 0 {
		s.Governor.Scope = "cluster"
	}
	if !s.Retry.Idle("scope") && d.coin() {
		s.Retry.Scope = "cluster"
	}
}

// longDay is a horizon that hardly any run reaches, with as many intervals as a
// scenario may have.
func longDay(s *scenarios.Scenario) vt.Span {
	return min(300*vt.Day, s.Governor.Interval*vt.Span(400_000/len(s.Accounts())))
}

func (d *dice) dialogue(f features, c *mail.Dialogue) {
	c.Pipelining, c.StartTLS = f.pipelining, f.startTLS
	if f.reuse {
		c.Messages = pick(d, 1, 2, 3, 10)
	}
	if f.impatient {
		for _, p := range []*vt.Span{&c.Timeouts.DNS, &c.Timeouts.Connect, &c.Timeouts.Banner, &c.Timeouts.Command,
			&c.Timeouts.Data, &c.Timeouts.Dot} {
			if d.coin() {
				*p = vt.Span(d.between(1, 60)) * 10 * vt.Millisecond
			}
		}
	}
}

func (d *dice) network(f features, n *config.Paths) {
	n.DNS.Miss = d.time(f, 200)
	if f.dns {
		n.DNS.HitRatio = pick(d, 0, 0.3, 0.7, 1)
		n.DNS.Hit = d.time(f, 20)
		n.DNS.ServFail = pick(d, 0, 0.05, 0.5, 1)
	}
	if f.hops {
		low := d.between(1, 20)
		n.Hops = config.Hops{Mean: 1 + d.Float64()*30, SD: d.Float64() * 10, Min: low, Max: d.between(low, 64)}
		n.PerHop = pick(d, 0, vt.Millisecond, 2500*vt.Microsecond)
	}
	if f.loss {
		n.HopLoss = pick(d, 0.001, 0.01, 0.1, 0.5) * d.Float64()
		n.Retrans = pick(d, vt.Millisecond, 100*vt.Millisecond, vt.Second)
		n.GiveUpAt = d.between(1, 8)
	}
	if f.down && d.coin() {
		n.Down = d.down()
	}
	if f.lookupDrift {
		n.DNS.Drift = d.drift()
	}
	if f.pathDrift {
		for _, v := range d.drift() {
			n.Drift = append(n.Drift, config.PathDrift{At: v.At, Factor: pick(d, 1, v.Factor), Hops: pick(d, 0, 1, 9),
				Over: v.Over})
		}
	}
}

func (d *dice) drift() (all []delay.Drift) {
	span := func() vt.Span { return pick(d, vt.Second, 10*vt.Second, vt.Minute) * vt.Span(d.between(1, 5)) }
	for range d.between(1, 3) {
		all = append(all, delay.Drift{At: pick(d, 0, span()), Factor: pick(d, 0.3, 1.4, 3, 50),
			Over: pick(d, 0, span())})
	}
	return all
}

func (d *dice) retry(f features, r *retry.Config) {
	r.Limit = d.between(0, 6)
	r.Bounce = pick(d, "fail", "resend")
	r.Ambiguous = pick(d, "hold", "resend")
	r.Delays = nil
	unit := pick(d, vt.Millisecond, 10*vt.Millisecond, vt.Second, vt.Minute, 20*vt.Minute)
	for range d.between(1, 4) {
		r.Delays = append(r.Delays, unit*vt.Span(d.between(1, 6)))
	}
	if d.coin() { // one delay for all
		r.Delays = r.Delays[:1]
	}
	if f.aging {
		r.MaxAge = pick(d, 0, unit) * vt.Span(d.between(1, 20))
		r.GreylistDelay = pick(d, 0, vt.Millisecond, unit, 10*unit)
	}
	if f.scheduled && d.coin() {
		r.Schedule = pick(d, "patent", "rfc5321", "postfix", "kumomta", "haraka", "zonemta", "mox", "chasquid", "gmail",
			"yahoo")
		plain := scenarios.Default().Retry
		r.Limit, r.Delays, r.MaxAge = plain.Limit, plain.Delays, 0
		if r.Idle("limit") == false {
			r.Limit = d.between(1, 10)
		}
	}
	if f.moving && r.Spelled().Limit > 0 {
		d.moving(r)
	}
}

// moving makes the retry limit move.
func (d *dice) moving(r *retry.Config) {
	limit := r.Spelled().Limit
	r.Policy = pick(d, "alloc", "dfr", "dfr-fn", "both-a", "both-fn", "stage", "stage-fn", "util", "util-fn", "yield")
	set := func(key string, value func()) {
		if !r.Idle(key) {
			value()
		}
	}
	set("low", func() { r.Low = d.IntN(limit) })
	set("when", func() { r.When = pick(d, "interval", "continuous") })
	set("scope", func() { r.Scope = pick(d, "server", "mta") })
	set("load_above", func() { r.LoadAbove = pick(d, 1, 1, 0.95, 0.5, 1.1) })
	set("load_below", func() { r.LoadBelow = pick(d, 0.8, 0.3, 0.99) * r.LoadAbove })
	set("processes", func() { r.Processes = pick(d, 0, d.between(1, 30)) })
	set("dfr_above", func() { r.DFRAbove = pick(d, 7, 2, 1.3, 3) })
	set("dfr_below", func() { r.DFRBelow = 1 + (r.DFRAbove-1)*pick(d, 0, 0.5, 0.9) })
	set("late", func() { r.Late = pick(d, 0.5, 0.25, 0.9) })
	set("inverse", func() { r.Inverse = d.coin() })
	set("min_attempts", func() { r.MinAttempts = pick(d, 1, 5, 30) })
	set("loss", func() { r.Loss = pick(d, 0.5, 0.5, 0.2, 0.005) })
	set("probe", func() { r.Probe = pick(d, 2, 3, 20) })
	set("memory", func() { r.Memory = pick(d, vt.Second, 10*vt.Minute, 7*vt.Day) })
	set("dwell", func() { r.Dwell = pick(d, 0, 1, 2, 5) })
	set("restore_after", func() { r.RestoreAfter = pick(d, 0, 1, 2, 4) })
	set("table", func() {
		for range d.between(1, 3) {
			r.Table = append(r.Table, retry.Row{Allocated: pick(d, 0, 0.5, 0.9, 1), DFR: pick(d, 0, 1, 1.2, 2),
				Limit: d.IntN(limit + 1)})
		}
	})
}

// yielding makes the yield policy learn: from many early resends, of which many
// fail.
func (d *dice) yielding(s *scenarios.Scenario) {
	r := scenarios.Default().Retry
	r.Policy, r.Limit, r.Low = "yield", d.between(3, 8), d.IntN(2)
	r.Bounce, r.Delays = s.Retry.Bounce, []vt.Span{pick(d, vt.Millisecond, 100*vt.Millisecond, vt.Second)}
	r.Loss, r.Probe, r.Memory, r.Dwell = pick(d, 0.5, 0.2), pick(d, 2, 5, 20), pick(d, 10*vt.Second, 7*vt.Day),
		d.IntN(3)
	s.Retry = r
	s.Governor.Interval = pick(d, vt.Second, 5*vt.Second)
	for i := range s.Destinations {
		if d.IntN(4) > 0 {
			s.Destinations[i].Dead = []config.Dead{{Share: 0.3 + 0.3*d.Float64(), At: "rcpt",
				Reply: pick(d, 450, 450, 550)}}
		}
	}
	for i := range s.Campaigns {
		s.Campaigns[i].Recipients = d.between(200, 600)
	}
}

func (d *dice) freeing(f features, v *delivery.Freeing) {
	if !f.freeing {
		return
	}
	v.Policy = pick(d, "at-interval", "continuous")
	v.Victim = pick(d, "ahead-of-schedule", "lowest-priority", "most-complete", "newest")
	v.Shorten = pick(d, 0, 0, 1, 5)
}

func (d *dice) governor(f features, s *scenarios.Scenario) {
	g := &s.Governor
	g.Law = "hold"
	g.Start = float64(d.between(1, 30))
	g.Interval = pick(d, vt.Second, 7*vt.Second, 10*vt.Second, vt.Minute, 10*vt.Minute, 333*vt.Second)
	if f.governed {
		g.Law = pick(d, "patent-damped", "patent-dynamic")
		g.Start += d.Float64()
		g.Target = unit.PerHour(pick(d, 100, 3000, 20_000, 100_000))
		g.Factor = unit.PerHour(pick(d, 1.0, 60, 3600) * (1 + d.Float64()))
		g.StepMode = pick(d, "per-day", "as-printed", "explicit")
		if g.StepMode == "explicit" {
			g.D = pick(d, 0.3, 1, 2.5, 20)
		}
		g.Allocated = pick(d, "average", "average", "as-printed")
		g.CapUtilization = d.coin()
	}
	if f.freeing { // C has to fall while there is work
		g.Law, g.Target, g.Interval = "patent-damped", unit.PerHour(pick(d, 100, 3000)), pick(d, vt.Second, 2*vt.Second)
		g.Start, g.StepMode, g.D = float64(d.between(10, 40)), "explicit", pick(d, 2.5, 7, 30)
	}
	if f.misled {
		for i := range d.between(1, 6) {
			if d.coin() {
				g.Faults = append(g.Faults, governor.Fault{Interval: i, Kind: pick(d, "missed", "duplicate", "reset")})
			}
		}
	}
	if f.retargeted && !f.freeing {
		at := vt.Span(0)
		for range d.between(1, 4) {
			at += pick(d, 1, g.Interval/3, g.Interval, g.Interval*vt.Span(d.between(1, 4)))
			g.Changes = append(g.Changes, governor.Change{At: at,
				Target: unit.PerHour(pick(d, 100.0, 3000, 20_000) * pick(d, 1, 1.7)),
				Over:   pick(d, 0, g.Interval/2, g.Interval*vt.Span(d.between(1, 5)))})
			if d.IntN(4) == 0 { // a pause, which the last change may not end
				v := &g.Changes[len(g.Changes)-1]
				v.Target, v.Over = 0, 0
			}
		}
	}
}

// policy of the sender for a destination.
func (d *dice) policy() (v mail.Send) {
	v.Burst = pick(d, 1, 1, 2, d.between(3, 20))
	if d.coin() {
		v.Connections = d.between(1, 8)
	}
	if d.coin() {
		v.Rate = d.rate()
	}
	if d.coin() {
		v.ConnectionRate = d.rate()
	}
	if d.coin() {
		v.Delays = []vt.Span{pick(d, vt.Millisecond, vt.Second, 10*vt.Minute),
			vt.Span(d.between(1, 20)) * vt.Second}[:d.between(1, 2)]
	}
	return v
}

// limits of destinations.
func (d *dice) limits() governor.Destination {
	v := governor.DefaultDestination()
	v.Law = pick(d, "postfix-feedback", "postfix-feedback", "aimd")
	v.Initial = d.between(1, 8)
	v.Parked = pick(d, 0, 1, d.between(2, 40), 20000, 20000)
	if v.Law == "aimd" {
		v.AIMD.Backoff, v.AIMD.Drops = pick(d, 0.5, 0.7, 0.9), pick(d, 0, 0.01, 0.3)
		v.AIMD.Timeout = pick(d, 100*vt.Millisecond, vt.Second, 5*vt.Second)
		v.AIMD.Min, v.AIMD.Max = float64(d.between(1, v.Initial)), float64(v.Initial+d.between(0, 20))
		return v
	}
	v.Max = v.Initial + d.between(0, 20)
	amount := func() feedback.Amount {
		return feedback.Amount{Value: pick(d, 1, 1, 0.5, d.Float64()),
			Per: pick(d, feedback.PerDelivery, feedback.PerCohort, feedback.PerRoot)}
	}
	v.Positive, v.Negative = amount(), amount()
	v.Cohorts = pick(d, 0, 1, 1, 0.3, 2.5)
	v.Revive = pick(d, vt.Millisecond, vt.Second, 10*vt.Second, 5*vt.Minute)
	return v
}

func (d *dice) servers(f features) []config.Server {
	all := []config.Server{}
	for i := range d.several(f.servers, 3) {
		v := config.DefaultServer()
		v.Name = fmt.Sprintf("b%d", i+1)
		if f.servers {
			v.ExtraRTT = vt.Span(d.between(0, 3)) * 10 * vt.Millisecond
			v.ExtraHops = d.between(0, 5)
			v.Share = pick(d, 1, 1, 2, 0.5)
			if f.idle && i > 0 {
				v.Share = 0
			}
		}
		if f.cutOff && d.coin() {
			v.Down = d.down()
		}
		if f.contention {
			v.Contention = pick(d, 0, 0.01, 0.1)
			v.Coherency = pick(d, 0, 0.001, 0.01)
		}
		all = append(all, v)
	}
	return all
}

// partition divides lists by one of the strategies, between regions that lie apart.
func (d *dice) partition(s *scenarios.Scenario) {
	s.Dispatch.Partition = pick(d, "equal", "random", "network", "region", "segment", "optimal", "proximity",
		"proximity")
	if s.Dispatch.Learns() {
		s.Dispatch.Proximity = d.learning()
	}
	s.Dispatch.Imbalance = pick(d, 1.05, 1.2, 3)
	if s.Dispatch.Idle("imbalance") {
		s.Dispatch.Imbalance = scenarios.Default().Dispatch.Imbalance
	}
	for i := range s.Servers {
		s.Servers[i].Region, s.Servers[i].Network = pick(d, "", "east", "west"), pick(d, "", "big")
		s.Network.Distances = append(s.Network.Distances, config.Distance{From: s.Servers[i].Name,
			To: s.Destinations[d.IntN(len(s.Destinations))].Name, RTT: d.span(50), Hops: d.IntN(4)})
	}
	for i := range s.Destinations {
		v := &s.Destinations[i]
		v.Region, v.Network, v.Segment = pick(d, "", "east", "west"), pick(d, "", "big"), pick(d, "", "news", "sports")
	}
	from, to := s.Servers[0].Region, s.Destinations[len(s.Destinations)-1].Region
	if from != "" && to != "" {
		s.Network.Distances = append(s.Network.Distances,
			config.Distance{From: from, To: to, RTT: d.span(80), Hops: 2})
	}
}

// learning is how distances are learned.
func (d *dice) learning() proximity.Config {
	return proximity.Config{By: pick(d, "delay", "delay", "hops"), Probes: pick(d, 0, 0.01, 0.1),
		HalfLife: pick(d, 0.5, 1, 3), Memory: pick(d, 1, 10, 100)}
}

// several is more than one only if the feature is on.
func (d *dice) several(on bool, most int) int {
	if on {
		return d.between(2, most)
	}
	return 1
}

func (d *dice) destinations(f features) []config.Destination {
	all := []config.Destination{}
	for i := range d.several(f.destinations, 4) {
		v := config.DefaultDestination()
		v.Name = fmt.Sprintf("d%d", i+1)
		v.Domain = v.Name + ".example"
		v.Share = pick(d, 1, 1, 3, 0.1)
		v.RTT, v.Banner, v.RCPT, v.Dot = d.time(f, 50), d.time(f, 30), d.time(f, 10), d.time(f, 400)
		v.Shared = f.shared && d.coin()
		if f.reuse && d.coin() {
			v.Messages = pick(d, 1, 2, 5, 1000)
		}
		if f.caps && d.coin() {
			v.Cap = d.between(1, 12)
		}
		if f.greylist && d.coin() {
			v.Greylist.Share, v.Greylist.At = pick(d, 0.3, 1), pick(d, "rcpt", "dot")
			v.Greylist.Delay = d.time(f, pick(d, 100, 10_000, 600_000))
		}
		if f.dead && d.coin() {
			for range d.between(1, 3) {
				v.Dead = append(v.Dead, config.Dead{Share: 0.2 * d.Float64(),
					At: pick(d, "mail", "rcpt", "data", "dot"), Reply: pick(d, 421, 450, 550)})
			}
		}
		if f.failConnection && d.coin() {
			for range d.between(1, 3) {
				v.Fail = append(v.Fail, d.fail(pick(d, "connect", "banner", "ehlo")))
			}
		}
		if f.failMessage && d.coin() {
			for range d.between(1, 4) {
				v.Fail = append(v.Fail, d.fail(pick(d, "mail", "rcpt", "data", "dot")))
			}
			d.Shuffle(len(v.Fail), func(i, j int) { v.Fail[i], v.Fail[j] = v.Fail[j], v.Fail[i] })
		}
		d.habits(f, &v)
		all = append(all, v)
	}
	return all
}

// habits of a receiver.
func (d *dice) habits(f features, v *config.Destination) {
	rate := func() unit.PerHour {
		return unit.PerHour(pick(d, 100.0, 3000, 50_000, 1_000_000) * (0.5 + d.Float64()))
	}
	span := func() vt.Span {
		return pick(d, vt.Second, 10*vt.Second, vt.Minute, 10*vt.Minute) * vt.Span(d.between(1, 5))
	}
	has := func(on bool) bool { return on && d.IntN(3) > 0 }
	if v.Greylist.Share > 0 && has(f.whitelist) {
		v.Greylist.WhitelistAfter, v.Greylist.WhitelistFor = d.between(1, 10), span()
	}
	v.Recent = span()
	if has(f.bucket) {
		v.Bucket = config.Bucket{Rate: rate(), Burst: d.between(1, 30), Reply: pick(d, 421, 450)}
	}
	if has(f.allowance) {
		for range d.between(1, 2) {
			a := limits.Allowance{Limit: d.between(1, 40), Window: span(), Kind: pick(d, "fixed", "sliding"),
				Scope:  pick(d, "server", "fleet"),
				Growth: 1, Reply: pick(d, 421, 451, 550)}
			if d.coin() {
				a.Begins = pick(d, a.Window/3, span(), 23*vt.Hour)
			}
			if d.coin() {
				a.Growth, a.More = pick(d, 1, 1.3, 2), d.between(1, 5)
				a.Most = pick(d, 0, a.Limit+d.IntN(30))
			}
			if a.Most == 0 && d.coin() {
				a.Ladder = []int{a.Limit + d.IntN(5), a.Limit + 5 + d.IntN(20)}
			}
			v.Allowances = append(v.Allowances, a)
		}
	}
	if has(f.refuse) {
		for range d.between(1, 3) {
			e := config.Refuse{From: pick(d, 0, span()), At: pick(d, "banner", "ehlo", "mail", "rcpt", "data", "dot"),
				Reply: pick(d, 421, 450, 554),
				Share: pick(d, 1, 0.7, 0.3)}
			if d.coin() {
				e.To = e.From + span()
			}
			v.Refuse = append(v.Refuse, e)
		}
	}
	if has(f.penalty) {
		v.Penalty = limits.Penalty{Rate: rate() / 3, Pause: pick(d, vt.Second,
			10*vt.Second) * vt.Span(d.between(1, 5)), Connections: pick(d, 0, 1, 2, 5),
			Insist: pick(d, 0, 3, 20), Escalate: pick(d, 1, 1.5, 2), Most: vt.Hour,
			Memory: pick(d, vt.Second, vt.Minute, vt.Hour), Reply: pick(d, 421, 450, 554)}
	}
	if has(f.hangsUp) {
		v.HangsUp = d.between(1, 4)
		v.HangsUpReply = pick(d, 0, 421, 452, 503)
	}
	if has(f.resetReply) {
		v.ResetReply = pick(d, 421, 451, 503)
	}
	if has(f.throttle) {
		v.Throttle = config.Throttle{Soft: pick(d, unit.PerHour(0), rate()), Curve: pick(d, "linear", "logistic"),
			Reply: pick(d, 421, 450)}
		v.Throttle.Hard = v.Throttle.Soft + rate()
	}
	repute := has(f.reputation)
	if has(f.tarpit) {
		v.Tarpit = config.Tarpit{Soft: pick(d, unit.PerHour(0), rate()), Delay: d.span(2000),
			Most: 1 + d.span(5000) + vt.Millisecond}
		v.Tarpit.Hard = v.Tarpit.Soft + rate()
		if repute {
			v.Tarpit.PerPoint = d.span(1000)
		}
	}
	if repute && (v.Throttle.Hard > 0 || v.Tarpit.Delay > 0 || v.Penalty.Rate > 0) {
		v.Reputation = config.Reputation{PerRefusal: pick(d, 0, 0.01, 0.3, 5), PerDead: pick(d, 0, 0.1, 2),
			Heals: span()}
	}
	if has(f.complaints) && (v.Throttle.Hard > 0 || v.Tarpit.Delay > 0 || v.Penalty.Rate > 0) {
		v.Reputation.Complaints, v.Reputation.PerComplaint = pick(d, 0.1, 1), pick(d, 0.1, 2)
	}
	if v.Reputation.Off() {
		v.Tarpit.PerPoint = 0
	}
	if has(f.knee) {
		v.Knee = config.Knee{Connections: d.between(1, 10), Slope: pick(d, 0, 0.5, 1, 10)}
	}
	if has(f.outage) {
		v.Outage = config.Outage{Up: span(), Down: span(), Fault: pick(d, "drop", "timeout")}
	}
	if has(f.down) {
		v.Down = d.down()
	}
	if has(f.daily) {
		v.Daily = delay.Daily{Amplitude: pick(d, 0.1, 0.9) * d.Float64(),
			Peak: vt.Span(d.between(0, 1440)) * vt.Minute}
	}
	if has(f.drift) {
		for range d.between(1, 3) {
			v.Drift = append(v.Drift, delay.Drift{At: pick(d, 0, span()), Factor: pick(d, 0.3, 1.4, 3),
				Over: pick(d, 0, span())})
		}
	}
	if has(f.weather) {
		v.Weather = config.Weather{Sigma: pick(d, 0.1, 0.5, 1), Period: span(), Correlation: pick(d, 0, 0.5, 0.95)}
	}
}

// quiet returns hours soon after the start, by a clock that shows start then.
func (d *dice) quiet(start vt.Civil) (all []scenarios.Quiet) {
	after := func(seconds int) vt.TimeOfDay {
		return vt.TimeOfDay((start.OfDay() + vt.Span(seconds)*vt.Second) % vt.Day)
	}
	for range d.between(1, 2) {
		from := pick(d, -30, 1) * d.between(0, 120)
		all = append(all, scenarios.Quiet{From: after(86400 + from),
			To: after(86400 + from + d.between(1, pick(d, 60, 80_000)))})
	}
	return all
}

// span returns up to the given number of milliseconds.
func (d *dice) span(ms int) vt.Span { return vt.Span(d.IntN(ms)) * vt.Millisecond }

func (d *dice) down() (all []config.Down) {
	for range d.between(1, 3) {
		all = append(all, config.Down{From: vt.Span(d.between(0, 10)) * pick(d, vt.Second, vt.Minute),
			For: 1 + d.span(60_000), Fault: pick(d, "drop", "timeout")})
	}
	return all
}

func (d *dice) fail(at string) config.Fail {
	f := config.Fail{At: at, P: 0.25 * d.Float64()}
	if at == "connect" || d.coin() {
		f.Fault = pick(d, "drop", "timeout")
	} else {
		f.Reply = pick(d, 421, 450, 550)
	}
	return f
}

func (d *dice) campaigns(f features) []scenarios.Campaign {
	all := []scenarios.Campaign{}
	for i := range d.several(f.campaigns, 3) {
		c := scenarios.Campaign{Name: fmt.Sprintf("c%d", i+1), Recipients: d.between(1, 200), Processes: 1000,
			Subset: pick(d, 1, 3, 10, 1000)}
		if f.few {
			c.Processes = d.between(1, 12)
		}
		if f.freeing {
			c.Priority, c.Recipients = d.between(0, 3), d.between(1, 600)
		}
		if i > 0 || d.coin() {
			c.Start = vt.Span(d.between(0, 6)) * pick(d, vt.Millisecond, vt.Second, vt.Minute)
		}
		all = append(all, c)
	}
	return all
}

// time draws a distribution of times of about the given number of milliseconds.
// With ties, every time is a multiple of 10 ms, or 0.
func (d *dice) time(f features, about int) delay.Dist {
	const ms = vt.Millisecond
	scale := vt.Span(about)
	if f.ties {
		return delay.Constant(scale / 10 * 10 * ms * vt.Span(d.IntN(3)))
	}
	if !f.families {
		return delay.Constant(vt.Span(d.Int64N(2 * int64(scale*ms))))
	}
	switch d.IntN(12) {
	case 0:
		return delay.Dist{Dist: "gamma", Mean: scale * ms, Shape: 0.5 + 3*d.Float64()}
	case 1:
		return delay.Dist{Dist: "weibull", Scale: scale * ms, Shape: 0.5 + 2*d.Float64()}
	case 2:
		return delay.Dist{Dist: "pareto", Min: scale * ms / 2, Alpha: 1.2 + 2*d.Float64()}
	case 3, 4, 5:
		return delay.Dist{Dist: "exponential", Mean: scale * ms}
	case 6, 7:
		return delay.Dist{Dist: "lognormal", Median: scale * ms, Sigma: 1.5 * d.Float64()}
	}
	return delay.Dist{Dist: "uniform", Min: scale * ms / 3, Max: 2 * scale * ms}
}

// A retry policy that the random scenarios do not draw would never meet the twin.
func TestRandomScenariosDrawEveryRetryPolicy(t *testing.T) {
	drawn := map[string]bool{}
	for i := range 600 {
		d := &dice{rand.New(rand.NewPCG(1, uint64(i)))}
		drawn[d.scenario().Retry.Policy] = true
	}
	for _, p := range retry.Policies() {
		if !drawn[p.Name] {
			t.Errorf("no random scenario has the retry policy %q: add it to moving, and its rule to the twin", p.Name)
		}
	}
}
