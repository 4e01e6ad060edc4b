package netmodel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

const ms = vt.Millisecond

// plain returns a network without randomness: 100 ms a round trip, look-ups and
// receivers without delay, no failures.
func plain() config.Config {
	n := config.DefaultPaths()
	n.DNS = config.DNS{HitRatio: 1, Hit: delay.Constant(0), Miss: delay.Constant(0)}
	d := config.DefaultDestination()
	d.Name, d.Domain = "plain", "plain.example"
	d.RTT, d.Banner, d.RCPT, d.Dot = delay.Constant(100*ms), delay.Constant(0), delay.Constant(0), delay.Constant(0)
	return config.Config{Network: n, Servers: []config.Server{config.DefaultServer()},
		Destinations: []config.Destination{d}, Dialogue: mail.DefaultDialogue(), Size: 2 << 10, Stages: "collapsed"}
}

// eventful returns a network in which everything happens.
func eventful() config.Config {
	c := plain()
	c.Network = config.DefaultPaths()
	c.Network.DNS.HitRatio, c.Network.DNS.ServFail = 0.5, 0.1
	c.Network.HopLoss = 0.005
	second := config.DefaultServer()
	second.Name, second.ExtraRTT, second.ExtraHops, second.Contention, second.Coherency = "b2", 30*ms, 4, 0.01, 1e-4
	c.Servers = append(c.Servers, second)
	d := config.DefaultDestination()
	d.Name, d.Domain = "eventful", "eventful.example"
	d.Cap = 6
	d.Greylist.Share, d.Greylist.Delay = 0.3, delay.Dist{Dist: "exponential", Mean: vt.Minute}
	d.Dead = []config.Dead{{Share: 0.05, At: "rcpt", Reply: 550}, {Share: 0.02, At: "data", Reply: 452}}
	d.Fail = []config.Fail{
		{At: "connect", Fault: "drop", P: 0.02}, {At: "connect", Fault: "timeout", P: 0.01},
		{At: "banner", Reply: 421, P: 0.01}, {At: "ehlo", Reply: 554, P: 0.02}, {At: "ehlo", Fault: "drop", P: 0.01},
		{At: "mail", Reply: 421, P: 0.02}, {At: "rcpt", Reply: 450, P: 0.05}, {At: "rcpt", Fault: "drop", P: 0.02},
		{At: "data", Reply: 452, P: 0.03}, {At: "dot", Reply: 451, P: 0.02}, {At: "dot", Fault: "drop", P: 0.01},
		{At: "dot", Fault: "timeout", P: 0.005},
	}
	c.Destinations = append(c.Destinations, d)
	return c
}

var testKey = rng.New(11, 0)

func valid(t *testing.T, c config.Config) *Network {
	t.Helper()
	if errs := c.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	return NewNetwork(c, testKey)
}

// near4 fails if hits of n trials with probability p are more than 4 standard
// deviations off.
func near4(t *testing.T, what string, hits, n int, p float64) {
	t.Helper()
	want, sd := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	if math.Abs(float64(hits)-want) > 4*sd+1e-9 {
		t.Errorf("%s: %d of %d, want %.0f +- %.0f", what, hits, n, want, 4*sd)
	}
}

// luck returns every draw of a network for a few names.
func luck(w *Network, order []int) []any {
	all := make([]any, len(order))
	for _, i := range order {
		s, d := mail.Server(i%2), mail.Destination(i/2%2)
		n := uint32(i / 4)
		switch i % 3 {
		case 0:
			took, fault := w.Lookup(s, d, n, 0)
			all[i] = fmt.Sprint(took, fault)
		case 1:
			all[i] = w.Connect(s, d, n)
		case 2:
			all[i] = w.Message(d, mail.Recipient(n), mail.Try(n%5))
		}
	}
	return all
}

func TestConfigsOfTestsAreValid(t *testing.T) {
	for name, c := range map[string]config.Config{"plain": plain(), "eventful": eventful(),
		"everything": everything()} {
		if errs := c.Validate(); len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

func TestLuckIsNamed(t *testing.T) {
	forth := make([]int, 3000)
	for i := range forth {
		forth[i] = i
	}
	back := slices.Clone(forth)
	slices.Reverse(back)
	w := valid(t, eventful())
	first := luck(w, forth)
	for name, again := range map[string][]any{
		"asked again": luck(w, forth), "asked backwards": luck(w, back),
		"another world of the same key": luck(valid(t, eventful()), back),
	} {
		if !slices.Equal(first, again) {
			t.Errorf("%s: other answers", name)
		}
	}
	if slices.Equal(first, luck(NewNetwork(eventful(), rng.New(12, 0)), forth)) {
		t.Error("another seed: the same answers")
	}
}

// Additions to a network do not change the draws of what was there before.
func TestLuckSurvivesChanges(t *testing.T) {
	before := valid(t, eventful())
	c := eventful()
	c.Destinations = append(c.Destinations, c.Destinations[0])
	c.Destinations[2].Name, c.Destinations[2].Domain = "third", "third.example"
	c.Destinations[1].Fail, c.Destinations[1].Dead = nil, nil
	c.Destinations[1].Greylist.Share = 0
	c.Network.DNS.ServFail = 0
	after := valid(t, c)
	for n := range uint32(2000) {
		a, b := before.Connect(1, 1, n), after.Connect(1, 1, n)
		if a.RTT != b.RTT || a.Hops != b.Hops || a.Banner != b.Banner {
			t.Fatalf("connection %d: %+v, then %+v", n, a, b)
		}
		x, y := before.Message(1, mail.Recipient(n), 1), after.Message(1, mail.Recipient(n), 1)
		if x.RCPT != y.RCPT || x.Dot != y.Dot {
			t.Fatalf("recipient %d: %+v, then %+v", n, x, y)
		}
		p, _ := before.Lookup(1, 1, n, 0)
		q, _ := after.Lookup(1, 1, n, 0)
		if p != q {
			t.Fatalf("look-up %d: %s, then %s", n, p, q)
		}
	}
}

// What alone varies at a destination, or in look-ups, varies as beside everything else: nothing that matters
// is left undrawn.
func TestWhatAloneVariesIsDrawn(t *testing.T) {
	waits := delay.Dist{Dist: "exponential", Mean: vt.Second}
	for name, vary := range map[string]func(*config.Config){
		"hit":  func(c *config.Config) { c.Network.DNS.Hit = waits },
		"miss": func(c *config.Config) { c.Network.DNS.HitRatio, c.Network.DNS.Miss = 0.5, delay.Constant(vt.Second) },
		"rcpt": func(c *config.Config) { c.Destinations[0].RCPT = waits },
		"dot":  func(c *config.Config) { c.Destinations[0].Dot = waits },
		"fail": func(c *config.Config) { c.Destinations[0].Fail = []config.Fail{{At: "data", Reply: 452, P: 0.5}} },
	} {
		alone, among := plain(), plain()
		among.Network.DNS = config.DNS{HitRatio: 0.5, Hit: waits, Miss: waits}
		among.Destinations[0].RCPT, among.Destinations[0].Dot = waits, waits
		if name == "hit" {
			among.Network.DNS.HitRatio = 1
		}
		vary(&alone)
		vary(&among)
		one, other := valid(t, alone), valid(t, among)
		seen := map[string]bool{}
		for n := range uint32(100) {
			took, _ := one.Lookup(0, 0, n, 0)
			beside, _ := other.Lookup(0, 0, n, 0)
			a, b := one.Message(0, mail.Recipient(n), 0), other.Message(0, mail.Recipient(n), 0)
			got := map[string][2]any{"hit": {took, beside}, "miss": {took == vt.Second, beside == vt.Second},
				"rcpt": {a.RCPT, b.RCPT}, "dot": {a.Dot, b.Dot}, "fail": {a.fail, b.fail}}[name]
			if got[0] != got[1] {
				t.Fatalf("%s, draw %d: alone %v, among others %v", name, n, got[0], got[1])
			}
			seen[fmt.Sprint(got[0])] = true
		}
		if len(seen) < 2 {
			t.Errorf("%s: always %v", name, seen)
		}
	}
}

// Failures of two names are independent: both fail with probability p x p.
func TestEntitiesAreIndependent(t *testing.T) {
	const n, p = 200000, 0.1
	c := plain()
	c.Servers = append(c.Servers, config.Server{Name: "b2", Share: 1})
	c.Destinations[0].Fail = []config.Fail{{At: "rcpt", Reply: 450, P: p}, {At: "connect", Fault: "drop", P: p}}
	c.Destinations[0].Dead = nil
	c.Destinations = append(c.Destinations, c.Destinations[0])
	c.Destinations[1].Name, c.Destinations[1].Domain = "other", "other.example"
	w := valid(t, c)
	message := func(d mail.Destination, r mail.Recipient, try mail.Try) bool {
		return w.Message(d, r, try).fail.code() != 0
	}
	connect := func(s mail.Server, d mail.Destination, n uint32) bool { return w.Connect(s, d, n).fail.fault() != 0 }
	for name, pair := range map[string]func(i uint32) (bool, bool){
		"a recipient and the next": func(i uint32) (bool, bool) {
			return message(0, mail.Recipient(i), 0), message(0, mail.Recipient(i+1), 0)
		},
		"a try and the next": func(i uint32) (bool, bool) {
			return message(0, mail.Recipient(i), 2),
				message(0, mail.Recipient(i), 3)
		},
		"a connection and the next": func(i uint32) (bool, bool) { return connect(0, 0, i), connect(0, 0, i+1) },
		"two servers":               func(i uint32) (bool, bool) { return connect(0, 0, i), connect(1, 0, i) },
		"two destinations":          func(i uint32) (bool, bool) { return connect(0, 0, i), connect(0, 1, i) },
		"a recipient and a connection": func(i uint32) (bool, bool) {
			return message(0, mail.Recipient(i), 0),
				connect(0, 0, i)
		},
		"a failure and a late greeting": func(i uint32) (bool, bool) {
			return connect(0, 0, i), w.key.At(lane(0, 0, i), 0, purposeConnection)[2] < 429496730
		},
	} {
		both := 0
		for i := range uint32(n) {
			if a, b := pair(i); a && b {
				both++
			}
		}
		near4(t, name, both, n, p*p)
	}
}

// Hops are round(Normal(mean, sd)), cut to min..max, plus the server's own.
func TestHops(t *testing.T) {
	const n = 200000
	for _, h := range []config.Hops{config.DefaultPaths().Hops, {Mean: 10, SD: 6, Min: 8, Max: 13},
		{Mean: 18, SD: 0.4, Min: 1, Max: 64}} {
		c := plain()
		c.Network.Hops = h
		c.Servers[0].ExtraHops = 5
		w := valid(t, c)
		seen := map[int]int{}
		for i := range uint32(n) {
			seen[w.Connect(0, 0, i).Hops-5]++
		}
		phi := func(x float64) float64 { return 0.5 * math.Erfc(-(x-h.Mean)/(h.SD*math.Sqrt2)) }
		total := 0
		for k := h.Min; k <= h.Max; k++ {
			lo, hi := phi(float64(k)-0.5), phi(float64(k)+0.5)
			if k == h.Min {
				lo = 0
			}
			if k == h.Max {
				hi = 1
			}
			near4(t, fmt.Sprintf("%+v: %d hops", h, k), seen[k], n, hi-lo)
			total += seen[k]
		}
		if total != n {
			t.Errorf("%+v: %d of %d paths are outside", h, n-total, n)
		}
	}
	c := plain()
	c.Network.Hops, c.Network.PerHop, c.Servers[0].ExtraRTT = config.Hops{Mean: 14.2, Min: 4, Max: 32}, 2*ms, 7*ms
	if got := valid(t, c).Connect(0, 0, 0); got.Hops != 14 || got.RTT != 100*ms+7*ms+14*2*ms {
		t.Errorf("without spread: %+v", got)
	}
}

// The losses of k exchanges, each of which gets through with probability
// q = (1 - loss)^hops, are negative binomial: C(k+n-1, n) q^k (1-q)^n.
func TestLosses(t *testing.T) {
	const words = 1 << 20
	for _, v := range []struct {
		loss    float64
		hops, k int
	}{{0.01, 14, 1}, {0.004, 30, 4}, {0.05, 10, 2}, {0.5, 1, 1}, {0.5, 64, 2}} {
		c := plain()
		c.Network.HopLoss, c.Network.Hops.Max = v.loss, 64
		w := valid(t, c)
		var seen [7]int
		for i := range uint32(words) {
			seen[w.losses(i<<12+1<<11, v.k, v.hops)]++
		}
		q := math.Pow(1-v.loss, float64(v.hops))
		rest := 1.0
		for n := range 7 {
			p := rest // the last count has all the rest
			if n < 6 {
				lk, _ := math.Lgamma(float64(v.k + n))
				l1, _ := math.Lgamma(float64(v.k))
				ln, _ := math.Lgamma(float64(n + 1))
				p = math.Exp(lk-l1-ln+float64(v.k)*math.Log(q)) * math.Pow(1-q, float64(n))
			}
			rest -= p
			if got := float64(seen[n]) / words; math.Abs(got-p) > 2e-6 {
				t.Errorf("loss %g, %d hops, %d exchanges: %d losses with probability %g, want %g", v.loss, v.hops, v.k,
					n, got, p)
			}
		}
	}
}

// A retransmission waits 1 s, the next one 2 s, then 4 s (RFC 6298 5.5); after
// six the connection is lost, 63 s of silence.
func TestRetransmissions(t *testing.T) {
	c := plain()
	c.Network.HopLoss, c.Network.Hops = 0.5, config.Hops{Mean: 1, Min: 1, Max: 1}
	c.Dialogue.Timeouts.Connect = vt.Hour
	w := valid(t, c)
	step := mail.Step{Stage: mail.StageConnect, RoundTrips: 1}
	silence := []vt.Span{0, 1, 3, 7, 15, 31, 63}
	var seen [7]int
	const n = 100000
	for i := range uint32(n) {
		conn := w.Connect(0, 0, i)
		e := w.Exchange(step, &conn, &Message{}, false, w.Stretch(0, 1))
		lost := slices.Index(silence, (e.Took-100*ms)/vt.Second)
		if lost < 0 || e.Took != 100*ms+silence[lost]*vt.Second || (lost == 6) != (e.Fault == mail.Drop) ||
			e.Code != 0 {
			t.Fatalf("connection %d: %+v", i, e)
		}
		seen[lost]++
	}
	for lost, k := range seen {
		p := math.Pow(0.5, float64(min(lost+1, 6)))
		near4(t, fmt.Sprint(lost, " lost"), k, n, p)
	}
}

// Gunther's law: N busy slots slow everything down by 1 + sigma (N-1) +
// kappa N (N-1).
func TestStretch(t *testing.T) {
	c := plain()
	c.Servers = []config.Server{{Name: "free", Share: 1}, {Name: "busy", Share: 1, Contention: 0.001, Coherency: 4e-6},
		{Name: "worst", Share: 1, Contention: 1, Coherency: 1}}
	w := valid(t, c)
	step := mail.Step{Stage: mail.StageMAIL, RoundTrips: 1}
	for _, v := range []struct {
		server mail.Server
		load   int
		want   float64 // factor
	}{{0, 1, 1}, {0, 500, 1}, {1, 1, 1}, {1, 2, 1.001008}, {1, 101, 1.1404}, {1, 1001, 6.004}, {2, 3, 9}} {
		conn, msg := w.Connect(v.server, 0, 0), w.Message(0, 0, 0)
		got := w.Exchange(step, &conn, &msg, false, w.Stretch(v.server, v.load)).Took
		if want := vt.Span(math.Round(v.want * 1e8)); got != want && got != want-1 {
			t.Errorf("server %d with %d busy slots: a round trip of 100ms takes %s, want %s", v.server, v.load, got,
				want)
		}
	}
	conn, msg := w.Connect(2, 0, 0), w.Message(0, 0, 0)
	if e := w.Exchange(step, &conn, &msg, false, w.Stretch(2, 10_000_000)); e.Took != 5*vt.Minute ||
		e.Fault != mail.Timeout {
		t.Errorf("ten million busy slots: %+v, want a time-out", e)
	}
}

// A step that takes longer than the client's patience ends when the patience
// does, without a reply; load does not make the client more patient.
func TestPatience(t *testing.T) {
	to := mail.Timeouts{DNS: 1 * vt.Second, Connect: 2 * vt.Second, Banner: 3 * vt.Second, Command: 4 * vt.Second,
		Data: 5 * vt.Second, Dot: 6 * vt.Second}
	for _, v := range []struct {
		stage    mail.Stage
		patience vt.Span
		class    mail.Class
	}{
		{mail.StageConnect, to.Connect, mail.Deferral}, {mail.StageBanner, to.Banner, mail.Deferral},
		{mail.StageEHLO, to.Command, mail.Deferral},
		{mail.StageMAIL, to.Command, mail.Deferral}, {mail.StageRCPT, to.Command, mail.Deferral},
		{mail.StageDATA, to.Data, mail.Deferral},
		{mail.StageDot, to.Dot, mail.Ambiguous},
	} {
		for _, long := range []bool{false, true} {
			c := plain()
			c.Dialogue.Timeouts = to
			c.Destinations[0].RTT = delay.Constant(v.patience)
			c.Servers[0].Contention = 1e-9
			if long {
				c.Destinations[0].RTT.Mean++
			}
			w := valid(t, c)
			conn, msg := w.Connect(0, 0, 0), w.Message(0, 0, 0)
			e := w.Exchange(mail.Step{Stage: v.stage, RoundTrips: 1}, &conn, &msg, false, w.Stretch(0, 1))
			if e.Took != v.patience || (e.Fault == mail.Timeout) != long || e.Ends() != long {
				t.Errorf("%s, too long %v: %+v", v.stage, long, e)
			}
			if long {
				if class := (&mail.Reply{Stage: v.stage, Fault: e.Fault}).Class(); class != v.class {
					t.Errorf("%s: a time-out is a %s, want %s", v.stage, class, v.class)
				}
			}
			if !long {
				e = w.Exchange(mail.Step{Stage: v.stage, RoundTrips: 1}, &conn, &msg, false, w.Stretch(0, 1000))
				if e.Took != v.patience || e.Fault != mail.Timeout {
					t.Errorf("%s under load: %+v", v.stage, e)
				}
			}
		}
	}
}

// A failure by time-out takes all of the patience, and hides delays.
func TestTimeoutFaultTakesThePatience(t *testing.T) {
	c := plain()
	c.Destinations[0].Fail = []config.Fail{{At: "dot", Fault: "timeout", P: 1}}
	w := valid(t, c)
	conn, msg := w.Connect(0, 0, 0), w.Message(0, 0, 0)
	e := w.Exchange(mail.Step{Stage: mail.StageDot, RoundTrips: 1}, &conn, &msg, false, w.Stretch(0, 1))
	if e != (Exchange{Took: 10 * vt.Minute, Fault: mail.Timeout}) {
		t.Errorf("%+v", e)
	}
}

// The load is the utilization of the shared resource in the queue behind the
// universal scalability law: throughput times the time for which each attempt
// holds it.
func TestLoad(t *testing.T) {
	c := plain()
	c.Servers = []config.Server{{Name: "free", Share: 1}, {Name: "busy", Share: 1, Contention: 0.02},
		{Name: "chatty", Share: 1, Coherency: 0.001}, {Name: "worst", Share: 1, Contention: 1, Coherency: 1}}
	w := NewNetwork(c, rng.New(1, 0))
	for server := range c.Servers {
		before := 0.0
		for n := 0; n <= 400; n++ {
			load := w.Load(mail.Server(server), float64(n))
			if load < before || load > 1 || load > 0 && (server == 0 || n == 0) {
				t.Fatalf("%s with %d attempts: load %v after %v", c.Servers[server].Name, n, load, before)
			}
			before = load
		}
	}
	for n := 1; n <= 100; n++ {
		throughput := float64(n) / w.Stretch(1, n)
		if got, want := w.Load(1, float64(n)), 0.02*throughput; math.Abs(got-want) > 1e-12 {
			t.Errorf("%d attempts: load %v, want %v", n, got, want)
		}
		if got, want := w.Load(2, float64(n)), 0.001*float64(n*(n-1))/w.Stretch(2, n); math.Abs(got-want) > 1e-12 {
			t.Errorf("%d attempts: load %v, want %v", n, got, want)
		}
	}
	if got := w.Load(1, 0.5); math.Abs(got-0.01) > 1e-15 {
		t.Errorf("half an attempt: load %v, want 0.01", got)
	}
}
