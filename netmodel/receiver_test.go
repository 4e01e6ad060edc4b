package netmodel

import (
	"bytes"
	"math"
	"testing"

	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/netmodel/limits"
)

// everything returns the eventful network with a receiver that has every
// behaviour.
func everything() config.Config {
	c := eventful()
	c.Network.DNS.Drift = []delay.Drift{{At: vt.Minute, Factor: 2, Over: vt.Minute}}
	c.Network.Drift = []config.PathDrift{{At: 30 * vt.Second, Factor: 1.4, Hops: 3, Over: 2 * vt.Minute}}
	c.Servers[1].Down = []config.Down{{From: 90 * vt.Second, For: 7 * vt.Second, Fault: "drop"}}
	d := &c.Destinations[1]
	d.Greylist.WhitelistAfter, d.Greylist.WhitelistFor = 4, vt.Minute
	d.Recent = 10 * vt.Second
	d.Allowances = []limits.Allowance{{Limit: 5, Window: 10 * vt.Second, Kind: "sliding", Scope: "fleet", Growth: 1,
		Reply: 550},
		{Limit: 20, Window: vt.Minute, Kind: "fixed", Scope: "server", Growth: 1, Reply: 451}}
	d.Bucket = config.Bucket{Rate: 20_000, Burst: 30, Reply: 450}
	d.Refuse = []config.Refuse{{From: 20 * vt.Second, To: 50 * vt.Second, At: "rcpt", Reply: 554, Share: 0.3},
		{From: 10 * vt.Second, At: "banner", Reply: 421, Share: 0.1}}
	d.HangsUp = 3
	d.Penalty.Rate, d.Penalty.Pause, d.Penalty.Insist, d.Penalty.Escalate = 40_000, 10*vt.Second, 20, 1.5
	d.Throttle = config.Throttle{Soft: 5_000, Hard: 60_000, Curve: "logistic", Reply: 421}
	d.Reputation = config.Reputation{PerRefusal: 0.01, PerDead: 0.05, PerComplaint: 0.2, Complaints: 0.3,
		Heals: 30 * vt.Second}
	d.Tarpit = config.Tarpit{Soft: 1_000, Hard: 80_000, Delay: 3 * vt.Second, PerPoint: 500 * ms, Most: 20 * vt.Second}
	d.Knee = config.Knee{Connections: 2, Slope: 0.7}
	d.Outage = config.Outage{Up: vt.Minute, Down: 10 * vt.Second, Fault: "drop"}
	d.Down = []config.Down{{From: 40 * vt.Second, For: 20 * vt.Second, Fault: "timeout"}}
	d.Daily = delay.Daily{Amplitude: 0.4, Peak: vt.Hour}
	d.Drift = []delay.Drift{{At: vt.Minute, Factor: 1.5, Over: vt.Minute}, {At: 3 * vt.Minute, Factor: 0.8}}
	d.Weather = config.Weather{Sigma: 0.4, Period: 7 * vt.Second, Correlation: 0.8}
	return c
}

// receiver returns the only receiver of the plain network, with a behaviour.
func receiver(t *testing.T, behave func(*config.Destination)) *Receiver {
	t.Helper()
	c := plain()
	behave(&c.Destinations[0])
	return &valid(t, c).Receivers()[0][0]
}

// offered returns the receiver's reply to MAIL, 0 if it accepts the message.
func (r *Receiver) offered(now vt.Time, to int) uint16 {
	v := r.message(now, to)
	if v.fail.stage() == mail.StageMAIL {
		return v.fail.code()
	}
	return 0
}

// message offers a message over a new connection.
func (r *Receiver) message(now vt.Time, to int) (v Message) {
	var c Connection
	r.Connect(now, &c)
	r.Offer(now, &c, &v, mail.Recipient(to), 0)
	r.Close(&c)
	return v
}

// Offered three times its rate, a bucket takes its burst and then its rate, to the
// message; after a pause it takes its burst again. No window of time has more.
func TestBucketThroughput(t *testing.T) {
	r := receiver(t, func(d *config.Destination) { d.Bucket = config.Bucket{Rate: 7200, Burst: 50, Reply: 450} })
	var taken []vt.Time
	offer := func(from, to vt.Time) (n int) {
		for now := from; now < to; now = now.Add(vt.Hour / 21600) {
			switch r.offered(now, len(taken)) {
			case 0:
				taken = append(taken, now)
				n++
			case 450:
			default:
				t.Fatal("another reply")
			}
		}
		return n
	}
	if got, want := offer(0, vt.Time(vt.Hour)), 50+7200; got < want-1 || got > want {
		t.Errorf("%d in the first hour, want %d", got, want)
	}
	if got, want := offer(vt.Time(2*vt.Hour), vt.Time(2*vt.Hour+vt.Minute)), 50+120; got < want-1 || got > want {
		t.Errorf("%d in a minute after a pause, want %d", got, want)
	}
	for i := range taken {
		for j := i; j < min(i+300, len(taken)); j++ {
			if most := 50 + int(taken[j].Sub(taken[i])/(500*ms)); j-i+1 > most {
				t.Fatalf("%d taken from %s to %s, want at most %d", j-i+1, taken[i], taken[j], most)
			}
		}
	}
}

// Under a steady rate, the recent rate equals that rate
// within the half step by which it fades at once.
func TestMemoryFades(t *testing.T) {
	const half = 10 * vt.Minute
	r := receiver(t, func(d *config.Destination) { d.Recent, d.Throttle.Hard = half, 1e9 })
	h := r.facts.behaviour
	var sum float64
	n := 0
	for now := vt.Time(0); now < vt.Time(vt.Day); now = now.Add(vt.Second) {
		r.offered(now, 0)
		if now > vt.Time(12*vt.Hour) {
			sum += (r.states[0].recent.Sum - 0.5) * h.perHour
			n++
		}
	}
	if mean := sum / float64(n); math.Abs(mean-3600) > 3600*1e-3 {
		t.Errorf("a message a second is remembered as %.1f an hour, want 3600", mean)
	}
}

// At a steady rate a throttle defers the share that its curve gives: the logistic
// curve is 1/20 at soft and 19/20 at hard.
func TestThrottleShare(t *testing.T) {
	for _, v := range []struct {
		curve string
		rate  float64
		want  float64
	}{
		{"linear", 900, 0}, {"linear", 1250, 0.25}, {"linear", 1500, 0.5}, {"linear", 2200, 1},
		{"logistic", 1000, 0.05}, {"logistic", 1250, 1 / (1 + math.Sqrt(19))}, {"logistic", 1500, 0.5},
		{"logistic", 2000, 0.95},
		{"logistic", 500, 1 / (1 + 361.0)},
	} {
		r := receiver(t, func(d *config.Destination) {
			d.Recent, d.Throttle = vt.Day, config.Throttle{Soft: 1000, Hard: 2000, Curve: v.curve, Reply: 451}
		})
		h := r.facts.behaviour
		const n = 20000
		deferred := 0
		for i := range n {
			r.states[0].recent = limits.Fading{Sum: v.rate / h.perHour} // as after a day or two at this rate
			if code := r.offered(0, i); code == 451 {
				deferred++
			} else if code != 0 {
				t.Fatal(code)
			}
		}
		near4(t, v.curve, deferred, n, v.want)
	}
}

// With p points a rate counts (1 + p)-fold. Points come from refusals and from
// dead recipients that were not refused, and halve in their half-life.
func TestReputation(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.Dead = []config.Dead{{Share: 0.5, At: "rcpt", Reply: 550}}
		d.Recent, d.Throttle = 30*vt.Day, config.Throttle{Soft: 1000, Hard: 2000, Curve: "linear", Reply: 421}
		d.Reputation = config.Reputation{PerRefusal: 0.25, PerDead: 3, Heals: vt.Hour}
	})
	h := r.facts.behaviour
	at := func(now vt.Time, rate float64, to int) uint16 {
		r.states[0].recent.At(now, h.tick)
		r.states[0].recent.Sum = rate / h.perHour
		return r.offered(now, to)
	}
	var want float64
	dead, refused := 0, 0
	for to := range 400 {
		rate := []float64{0, 5000}[to%2]
		code := at(0, rate, to)
		isDead := r.net.Message(0, mail.Recipient(to), 0).dead
		switch {
		case (code == 421) != (rate > 0):
			t.Fatalf("recipient %d at rate %v: %d", to, rate, code)
		case code == 421:
			want += 0.25
			refused++
		case isDead:
			want += 3
			dead++
		}
	}
	if r.states[0].points.Sum != want || dead < 80 || refused != 200 {
		t.Errorf("%v points after %d refusals and %d dead recipients, want %v", r.states[0].points.Sum, refused, dead,
			want)
	}
	// Heal to one point: a rate of 750 then counts as 1500, of which half is deferred.
	r.states[0].points = limits.Fading{Sum: 2}
	hour := vt.Time(vt.Hour)
	if got := r.states[0].points.At(hour, h.healTick); got != 1 {
		t.Fatalf("an hour leaves %v of 2 points", got)
	}
	const n = 10000
	deferred := 0
	for to := range n {
		r.states[0].points.Sum = 1
		if at(hour, 750, 1000+to) == 421 {
			deferred++
		}
	}
	near4(t, "deferred", deferred, n, 0.5)
}

// The tarpit delays only the reply to MAIL: by a share of delay for the rate, and
// by per_point for each point, in all by at most most.
func TestTarpit(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.Recent = vt.Hour
		d.Tarpit = config.Tarpit{Soft: 1000, Hard: 3000, Delay: 8 * vt.Second, PerPoint: 2 * vt.Second,
			Most: 15 * vt.Second}
		d.Reputation = config.Reputation{PerDead: 1, Heals: vt.Day}
	})
	perHour := r.facts.behaviour.perHour
	for _, v := range []struct {
		rate, points float64
		want         vt.Span
	}{
		{0, 0, 0}, {1000, 0, 0}, {1500, 0, 2 * vt.Second}, {2000, 0, 4 * vt.Second}, {9000, 0, 8 * vt.Second},
		{0, 0.5, vt.Second}, {500, 1, 2 * vt.Second}, // counts as a rate of 1000
		{1000, 1, 4*vt.Second + 2*vt.Second}, {9000, 3, 14 * vt.Second}, {9000, 40, 15 * vt.Second},
	} {
		r.states[0].recent, r.states[0].points = limits.Fading{Sum: v.rate / perHour}, limits.Fading{Sum: v.points}
		msg := r.message(0, 0)
		if d := msg.Tarpit - v.want; d < -1 || d > 1 {
			t.Errorf("rate %v, %v points: %s, want %s", v.rate, v.points, msg.Tarpit, v.want)
		}
		for _, stage := range []mail.Stage{mail.StageBanner, mail.StageEHLO, mail.StageMAIL, mail.StageRCPT,
			mail.StageDATA, mail.StageDot} {
			var c Connection
			r.Connect(0, &c)
			want := vt.Span(0)
			if stage == mail.StageMAIL {
				want = msg.Tarpit
			}
			if e := r.Exchange(0, mail.Step{Stage: stage}, &c, &msg, 1); e.Took != want {
				t.Errorf("%s takes %s, want %s", stage, e.Took, want)
			}
		}
	}
}

// Above its knee a receiver with slope 1 delivers as much as at the knee, for any
// number of connections: the bound of a closed queue, K / service time. Below the
// knee each added connection delivers as much as the others.
func TestKneeBoundsThroughput(t *testing.T) {
	for _, n := range []int{5, 10, 20, 40, 80} {
		c := plain()
		c.Destinations[0].RTT, c.Destinations[0].Dot = delay.Constant(0), delay.Constant(vt.Second)
		c.Destinations[0].Knee = config.Knee{Connections: 10, Slope: 1}
		s := newShell(t, c, n)
		s.run(5000)
		from, to := s.log[1000].at, s.log[4999].at
		rate := 4000 / to.Sub(from).Seconds()
		if want := float64(min(n, 10)); math.Abs(rate-want) > 0.03*want {
			t.Errorf("%d connections: %.2f messages a second, want %v", n, rate, want)
		}
	}
}

// A destination with random outages is down for the share down / (up + down) of
// the time, and all servers see the same outages at any time.
func TestOutageDutyCycle(t *testing.T) {
	const up, down = 3 * vt.Hour, vt.Hour
	r := receiver(t, func(d *config.Destination) { d.Outage = config.Outage{Up: up, Down: down, Fault: "drop"} })
	rare := &r.net.Receivers()[0][0]
	const years = 10
	const look = 2 * vt.Minute
	downs, looks, starts := 0, 0, 0
	var before mail.Fault
	for now := vt.Time(0); now < vt.Time(years*365*vt.Day); now = now.Add(look) {
		fault := r.outage(now)
		looks++
		if fault != mail.NoFault {
			downs++
			if before == mail.NoFault {
				starts++
			}
		}
		before = fault
		if looks%1009 == 0 && rare.outage(now) != fault {
			t.Fatalf("at %s two servers differ", now)
		}
	}
	if before := r.net.Receivers()[0][0].outage(0); before != mail.NoFault {
		t.Error("down at time 0")
	}
	// The down time of a renewal process has variance T 2 (u d)^2 / (u + d)^3.
	u, d, total := up.Hours(), down.Hours(), float64(years*365*24)
	sd := math.Sqrt(total*2*u*u*d*d/math.Pow(u+d, 3)) / total
	if got, want := float64(downs)/float64(looks), d/(u+d); math.Abs(got-want) > 4*sd {
		t.Errorf("down for %.4f of the time, want %.4f +- %.4f", got, want, 4*sd)
	}
	// Some outages shorter than the period of looking are missed: the share exp(-look / down) is longer.
	if got, want := float64(starts), total/(u+d); math.Abs(got-want) > 0.05*want {
		t.Errorf("%v outages, want %.0f", got, want)
	}
}

// During an outage a new connection cannot be made, a kept one is lost at the
// first command, and the receiver counts neither. The loss of a kept one is not
// the recipient's failure: what a new one meets counts.
func TestDown(t *testing.T) {
	for _, fault := range []mail.Fault{mail.Drop, mail.Timeout} {
		for _, everywhere := range []bool{false, true} {
			c := plain()
			order := []config.Down{{From: 10 * vt.Second, For: vt.Minute, Fault: fault.String()}}
			if c.Destinations[0].Down = order; everywhere {
				c.Destinations[0].Down, c.Network.Down = nil, order
			}
			c.Destinations[0].Cap = 1
			m := newShell(t, c, 1).models[0]
			var q evq.Queue
			try := func(now vt.Time, slot mail.Slot, conn mail.Conn) (vt.Span, mail.Reply) {
				m.Begin(now, &mail.Attempt{Slot: slot, Conn: conn}, &q)
				for {
					if at, done, ended := handle(m, &q); ended {
						done.Reply.Took -= at.Sub(now) // 0
						return at.Sub(now), done.Reply
					}
				}
			}
			const sec = vt.Time(vt.Second)
			connect := mail.Reply{Fault: fault, Stage: mail.StageConnect}
			kept, keptTook := connect, 200*ms // a round trip to MAIL, one to connect
			if fault == mail.Timeout {
				kept = mail.Reply{Fault: fault, Stage: mail.StageMAIL} // a receiver may think long about a sender
			}
			for _, v := range []struct {
				at   vt.Time
				conn mail.Conn
				want mail.Reply
				took vt.Span
			}{
				{10*sec - 1, mail.Fresh, mail.Reply{Code: 250, Stage: mail.StageDot}, 700 * ms},
				{11 * sec, mail.Reused, kept, keptTook},
				{12 * sec, mail.Fresh, mail.Reply{Fault: fault, Stage: mail.StageConnect}, 100 * ms},
				// the cap has not counted the last one
				{13 * sec, mail.Fresh, mail.Reply{Fault: fault, Stage: mail.StageConnect}, 100 * ms},
				{70*sec - 1, mail.Fresh, mail.Reply{Fault: fault, Stage: mail.StageConnect}, 100 * ms},
				{70 * sec, mail.Fresh, mail.Reply{Code: 250, Stage: mail.StageDot}, 700 * ms},
			} {
				took, got := try(v.at, 0, v.conn)
				if fault == mail.Timeout && v.want.Fault != mail.NoFault {
					v.took = m.Patience(v.want.Stage)
				}
				if got != v.want || took != v.took {
					t.Errorf("%s, everywhere %v, %s at %s: %+v after %s, want %+v after %s", fault, everywhere, v.conn,
						v.at, got, took, v.want, v.took)
				}
			}
			m.Begin(0, &mail.Attempt{Slot: 0}, &q) // a kept connection, whose last message was refused
			handle(m, &q)
			want := connect
			if fault == mail.Timeout { // which takes so long that the outage is over
				want = mail.Reply{Code: 250, Stage: mail.StageDot}
			}
			if _, got := try(20*sec, 0, mail.Reset); got != want {
				t.Errorf("after a refusal: %+v, want %+v", got, want)
			}
		}
	}
}

// The mean over a day is 1; the longest delays are at the peak and the
// shortest half a day later.
func TestDailyCycle(t *testing.T) {
	r := receiver(t, func(d *config.Destination) { d.Daily = delay.Daily{Amplitude: 0.3, Peak: 14 * vt.Hour} })
	at := func(now vt.Span) float64 { return r.slowness(vt.Time(now), r.states[0]) }
	var sum float64
	for i := range 1440 {
		f := at(vt.Span(i) * vt.Minute)
		sum += f
		if want := 1 + 0.3*math.Cos(2*math.Pi*(float64(i)+0.5-14*60)/1440); math.Abs(f-want) > 1e-6 {
			t.Fatalf("minute %d: %v, want %v", i, f, want)
		}
	}
	if mean := sum / 1440; math.Abs(mean-1) > 1e-6 {
		t.Errorf("%v on average, want 1", mean)
	}
	if a, b := at(14*vt.Hour), at(2*vt.Hour); math.Abs(a-1.3) > 1e-5 || math.Abs(b-0.7) > 1e-5 || at(38*vt.Hour) != a {
		t.Errorf("%v at the peak, %v half a day later, want 1.3 and 0.7, and the same the next day", a, b)
	}
}

func TestDrift(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.Drift = []delay.Drift{{At: vt.Hour, Factor: 1.5}, {At: 2 * vt.Hour, Factor: 3, Over: 2 * vt.Hour}}
	})
	for _, v := range []struct {
		at   vt.Span
		want float64
	}{{0, 1}, {vt.Hour - 1, 1}, {vt.Hour, 1.5}, {2 * vt.Hour, 1.5}, {3 * vt.Hour, 1.5 * 2}, {4*vt.Hour - 1, 1.5 * 3},
		{4 * vt.Hour, 1.5 * 3}, {vt.Day, 1.5 * 3}} {
		if got := r.slowness(vt.Time(v.at), r.states[0]); math.Abs(got-v.want) > 1e-9 {
			t.Errorf("at %s %v, want %v", v.at, got, v.want)
		}
	}
}

// The logarithms of the weather's factors are Normal(0, sigma); the correlation
// with the factor k periods before is correlation^k.
func TestWeatherIsAutoregressive(t *testing.T) {
	const n, sigma, rho = 200_000, 0.5, 0.7
	r := receiver(t, func(d *config.Destination) {
		d.Weather = config.Weather{Sigma: sigma, Period: vt.Minute, Correlation: rho}
	})
	logs := make([]float64, n)
	for i := range logs {
		now := vt.Time(i) * vt.Time(vt.Minute)
		f := r.slowness(now, r.states[0])
		if late := r.slowness(now.Add(vt.Minute-1), r.states[0]); late != f {
			t.Fatalf("period %d: %v, then %v", i, f, late)
		}
		logs[i] = math.Log(f)
	}
	covariance := func(lag int) (sum float64) {
		for i := lag; i < n; i++ {
			sum += logs[i] * logs[i-lag]
		}
		return sum / float64(n-lag)
	}
	var mean float64
	for _, x := range logs {
		mean += x / n
	}
	// In a first-order autoregression the sd of the mean is sigma sqrt((1+rho)/(1-rho)/n), and the sd of a
	// covariance is at most sigma^2 sqrt(2 (1+rho^2)/(1-rho^2)/n).
	if sd := sigma * math.Sqrt((1+rho)/(1-rho)/n); math.Abs(mean) > 4*sd {
		t.Errorf("mean %v, want 0 +- %v", mean, 4*sd)
	}
	sd := sigma * sigma * math.Sqrt(2*(1+rho*rho)/(1-rho*rho)/n)
	for lag := range 4 {
		if got, want := covariance(lag), sigma*sigma*math.Pow(rho, float64(lag)); math.Abs(got-want) > 4*sd {
			t.Errorf("lag %d: covariance %v, want %v +- %v", lag, got, want, 4*sd)
		}
	}
	// Another destination has independent weather.
	c := plain()
	c.Destinations[0].Weather = config.Weather{Sigma: sigma, Period: vt.Minute}
	c.Destinations = append(c.Destinations, c.Destinations[0])
	c.Destinations[1].Name, c.Destinations[1].Domain = "b", "b.example"
	apart := valid(t, c).Receivers()[0]
	product := 0.0
	for i := range 10_000 {
		now := vt.Time(i) * vt.Time(vt.Minute)
		one, other := apart[0].slowness(now, apart[0].states[0]), apart[1].slowness(now, apart[1].states[0])
		product += math.Log(one) * math.Log(other) / 10_000
	}
	if math.Abs(product) > 4*sigma*sigma/100 {
		t.Errorf("two destinations have covariance %v", product)
	}
}

// Factors multiply only the receiver's delays.
func TestSlownessStretchesDelays(t *testing.T) {
	c := plain()
	d := &c.Destinations[0]
	d.Banner, d.RCPT, d.Dot = delay.Constant(20*ms), delay.Constant(3*ms), delay.Constant(500*ms)
	d.Drift = []delay.Drift{{Factor: 2.5}}
	m := newShell(t, c, 1).models[0]
	var q evq.Queue
	for _, v := range []struct {
		conn mail.Conn
		want vt.Span
	}{{mail.Fresh, 700*ms + 523*ms*5/2}, {mail.Reused, 400*ms + 503*ms*5/2}, {mail.Reset, 600*ms + 503*ms*5/2}} {
		m.Begin(0, &mail.Attempt{Conn: v.conn}, &q)
		if at, _, _ := handle(m, &q); at != vt.Time(v.want) {
			t.Errorf("%s: %s, want %s", v.conn, at, v.want)
		}
	}
}

// After the greylist has let in four recipients of a server, the server is
// whitelisted for an hour; then counting starts again.
func TestWhitelist(t *testing.T) {
	c := plain()
	c.Destinations[0].Greylist = config.Greylist{Share: 1, Delay: delay.Constant(vt.Minute), At: "rcpt", Reply: 451,
		WhitelistAfter: 4, WhitelistFor: vt.Hour}
	m := newShell(t, c, 1).models[0]
	var q evq.Queue
	try := func(now vt.Time, to mail.Recipient) (vt.Time, uint16) {
		m.Begin(now, &mail.Attempt{Rcpt: to}, &q)
		at, done, _ := handle(m, &q)
		return at, done.Reply.Code
	}
	stranger := mail.Recipient(0)
	now := vt.Time(vt.Hour)
	for round := range 2 {
		for i := range 4 {
			stranger++
			seen, code := try(now, stranger)
			if code != 451 {
				t.Fatalf("round %d: %d for a stranger after %d were let in", round, code, i)
			}
			at, code := try(seen.Add(vt.Minute), stranger)
			if code != 250 {
				t.Fatalf("round %d: %d after the delay", round, code)
			}
			now = at
		}
		for _, v := range []struct {
			at   vt.Time
			want uint16
		}{{now, 250}, {now.Add(vt.Hour - 1), 250}, {now.Add(vt.Hour), 451}} {
			stranger++
			if _, code := try(v.at, stranger); code != v.want {
				t.Errorf("round %d: %d at %s after the last, want %d", round, code, v.at.Sub(now), v.want)
			}
		}
		now = now.Add(2 * vt.Hour)
	}
}

// A model that is saved during a run and restored elsewhere continues exactly like
// the original.
func TestStateIsWhole(t *testing.T) {
	lenient := everything() // so that bucket and whitelist come into play
	d := &lenient.Destinations[1]
	d.Throttle.Soft, d.Throttle.Hard = 0, 0
	d.Greylist.Share, d.Greylist.Delay = 0.9, delay.Constant(ms)
	d.Bucket = config.Bucket{Rate: 100, Burst: 100, Reply: 450}
	strict, full := everything(), everything()
	full.Stages = "full"
	for name, c := range map[string]config.Config{"strict": strict, "in full stages": full, "lenient": lenient} {
		for _, at := range []int{1, 500, 5000} {
			one, other := newShell(t, c, 20), newShell(t, c, 20)
			one.run(at)
			other.run(at)
			restored := NewModels(other.models[0].Network)
			for i, m := range other.models {
				saved := snap.Writer()
				m.State(saved)
				fresh := restored[i]
				reader := snap.Reader(bytes.Clone(saved.Data()))
				fresh.State(reader)
				if err := reader.Err(); err != nil {
					t.Fatal(err)
				}
				other.models[i] = fresh
			}
			one.resume(at + 10_000)
			other.resume(at + 10_000)
			for i := range one.log {
				if one.log[i] != other.log[i] {
					t.Fatalf("%s, saved after %d: end %d is %+v, restored %+v", name, at, i, one.log[i], other.log[i])
				}
			}
		}
	}
}
