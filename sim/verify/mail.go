package verify

import (
	"fmt"
	"math"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
)

// plain returns a scenario in which nothing takes time or fails and C stays, for
// a model to extend.
func plain(r run) *scenarios.Scenario {
	s := scenarios.Default()
	s.Name, s.Seed, s.Horizon = "verify", r.seed, 3650*vt.Day
	s.Governor.Law = "hold"
	s.Governor.Interval = 30 * vt.Day
	s.Message.Size = 2 << 10
	s.Dialogue.Messages = 1
	t := &s.Dialogue.Timeouts
	t.DNS, t.Connect, t.Banner, t.Command, t.Data, t.Dot = vt.Hour, vt.Hour, vt.Hour, vt.Hour, vt.Hour, vt.Hour
	s.Network.DNS = config.DNS{HitRatio: 1, Hit: delay.Constant(0), Miss: delay.Constant(0)}
	d := config.DefaultDestination()
	d.Name, d.Domain = "d", "d.example"
	d.RTT, d.Banner, d.Dot = delay.Constant(0), delay.Constant(0), delay.Constant(0)
	s.Destinations = []config.Destination{d}
	s.Campaigns = []scenarios.Campaign{{Name: "c", Recipients: 1, Processes: 1_000_000, Subset: 1}}
	return &s
}

// simulate runs a scenario and returns its record, as the command line does.
func simulate(r run, s *scenarios.Scenario, watch runlog.Watch) *runlog.Recorder {
	w, err := sim.New(s, r.replication, nil, watch)
	if err != nil {
		panic(err)
	}
	w.Run(nil)
	return w.Record()
}

// world verifies that the kernel of this package gives the same results as
// sim.World. The customers of a two-server queue, given to sim.World in advance
// as campaigns of one recipient each, must leave at the same nanosecond.
func world() model {
	l := line{load: 1.7, servers: 2, service: lognormal, counted: 1000}
	return model{
		name: "world", runs: 4,
		about:      "the kernel that these models run on, against sim.World with the same customers",
		quantities: []quantity{always("customers that leave at another time", 0, 0)},
		once: func(r run) []float64 {
			customers := l.run(r).measured // the first ones: later customers do not delay them
			s := plain(r)
			s.Destinations[0].Dot = l.service
			s.Governor.Start = float64(l.servers)
			s.Campaigns = nil
			for i, v := range customers {
				s.Campaigns = append(s.Campaigns, scenarios.Campaign{
					Name: fmt.Sprint(i), Recipients: 1, Start: vt.Span(v.arrived), Processes: 1, Subset: 1})
			}
			left := len(customers)
			simulate(r, s, func(now vt.Time, a mail.Attempt, _ mail.Reply, _ mail.Status) {
				if customers[a.Rcpt].ended == now {
					left--
				}
			})
			return []float64{float64(left)}
		},
	}
}

// ties verifies simultaneous events: on a lattice of whole seconds each result
// depends on which event comes first.
func ties() model {
	return model{
		name: "ties", runs: 10,
		about: "simultaneous events: ends come before arrivals and before wake-ups, and in the order of their " +
			"beginnings",
		quantities: []quantity{
			always("D/D/2/2, one comes as one ends: refused", 0, 0),
			always("simultaneous ends out of order", 0, 0),
			always("fewest ends per 10 s, 20 at 1 s each", 200, 0),
			always("most ends per 10 s, 20 at 1 s each", 200, 0),
		},
		once: func(r run) []float64 {
			least, most := lattice(r)
			return []float64{refusedAtTheBrim(r), outOfOrder(r), least, most}
		},
	}
}

// refusedAtTheBrim returns the share of refused customers where one customer a
// second comes to a provider that allows two connections of 2 s: a connection
// ends just as the third customer comes.
func refusedAtTheBrim(r run) float64 {
	s := plain(r)
	s.Destinations[0].Dot, s.Destinations[0].Cap = delay.Constant(2*vt.Second), 2
	s.Retry.Limit = 0
	k := newKernel(r, s, 3)
	const customers = 1000
	for i := range customers {
		k.send(vt.Time(vt.Span(i)*vt.Second), 0, uint32(i))
	}
	left, refused := customers, 0
	k.leaves = func(_ int, v visit) {
		left--
		if v.lost {
			refused++
		}
	}
	k.runUntil(func() bool { return left <= 0 })
	return float64(refused)
}

// outOfOrder returns the number of attempts that end after a later attempt of the
// same moment. Attempts begin in the order of the list.
func outOfOrder(r run) float64 {
	s := plain(r)
	d := s.Destinations[0]
	s.Destinations = nil
	for i := range 3 {
		d.Name, d.Domain = fmt.Sprint("d", i), fmt.Sprintf("d%d.example", i)
		d.Dot = delay.Constant(vt.Span(i+1) * vt.Second)
		s.Destinations = append(s.Destinations, d)
	}
	s.Governor.Start = 20
	s.Campaigns[0].Recipients = r.many(5000)
	var at vt.Time
	var last mail.Recipient
	wrong := 0
	simulate(r, s, func(now vt.Time, a mail.Attempt, _ mail.Reply, _ mail.Status) {
		if now == at && a.Rcpt < last {
			wrong++
		}
		at, last = now, a.Rcpt
	})
	return float64(wrong)
}

// lattice returns the fewest and the most messages in an interval of 10 s, where
// 20 processes take a second for each message. A message that ends together with
// an interval counts in it.
func lattice(r run) (least, most float64) {
	s := plain(r)
	s.Destinations[0].Dot = delay.Constant(vt.Second)
	s.Governor.Start, s.Governor.Interval = 20, 10*vt.Second
	s.Campaigns[0].Recipients = 20 * 100
	least = math.Inf(1)
	for _, i := range simulate(r, s, nil).Intervals {
		if !i.Partial {
			n := float64(i.Sample.Delivered)
			least, most = min(least, n), max(most, n)
		}
	}
	return least, most
}

// dialogue returns a scenario in which every part of an attempt takes a random
// time: look-up, seven round trips, greeting, RCPT and final dot.
func dialogue(r run) *scenarios.Scenario {
	s := plain(r)
	s.Network.DNS = config.DNS{HitRatio: 0.6, Hit: delay.Constant(2 * vt.Millisecond),
		Miss: delay.Dist{Dist: "exponential", Mean: 150 * vt.Millisecond}}
	d := &s.Destinations[0]
	d.RTT = delay.Dist{Dist: "gamma", Mean: 80 * vt.Millisecond, Shape: 2.3}
	d.Banner = delay.Dist{Dist: "lognormal", Median: 200 * vt.Millisecond, Sigma: 0.6}
	d.RCPT = delay.Dist{Dist: "uniform", Max: vt.Second}
	d.Dot = delay.Dist{Dist: "lognormal", Median: 400 * vt.Millisecond, Sigma: 0.7}
	return s
}

// attempt returns the mean and the variance of the time of an attempt in the
// scenario of dialogue with the given number of round trips, with or without the
// final dot.
func attempt(s *scenarios.Scenario, trips float64, dot bool) (mean, variance float64) {
	add := func(d delay.Dist, times float64) {
		m, v := moments(d)
		mean += times * m
		variance += times * times * v
	}
	d := s.Destinations[0]
	add(d.RTT, trips)
	add(d.Banner, 1)
	add(d.RCPT, 1)
	if dot {
		add(d.Dot, 1)
	}
	hit, _ := moments(s.Network.DNS.Hit)
	miss, v := moments(s.Network.DNS.Miss)
	h := s.Network.DNS.HitRatio
	lookup := h*hit + (1-h)*miss
	return mean + lookup, variance + h*hit*hit + (1-h)*(miss*miss+v) - lookup*lookup
}

// renewal verifies the counts of attempts. The attempts of an MTA process form a
// renewal process, whose count over t has the mean t/mu and the variance sigma^2
// t / mu^3 (Feller II, XI.6; the neglected terms are less than one event).
func renewal() model {
	const processes, settle, watched = 400, 60 * vt.Second, 500 * vt.Second
	mean, variance := attempt(dialogue(run{}), 7, true)
	t := watched.Seconds()
	return model{
		name: "renewal", runs: replications,
		about: fmt.Sprintf("%d MTA processes, each attempt a look-up, 7 round trips and three delays at random: "+
			"deliveries as renewals", processes),
		quantities: []quantity{
			estimate("deliveries per s and process", 1/mean),
			estimate("variance of a process's deliveries", t*variance/(mean*mean*mean)),
		},
		once: func(r run) []float64 {
			s := dialogue(r)
			s.Governor.Start = processes
			s.Horizon = settle + watched
			s.Campaigns[0].Recipients = processes * 1000 // more than the processes can deliver
			counts := make([]float64, processes)
			simulate(r, s, func(now vt.Time, a mail.Attempt, _ mail.Reply, _ mail.Status) {
				if now > vt.Time(settle) {
					counts[a.Slot]++
				}
			})
			var sum, squares float64
			for _, n := range counts {
				sum += n
			}
			for _, n := range counts {
				squares += (n - sum/processes) * (n - sum/processes)
			}
			return []float64{sum / processes / t, squares / (processes - 1)}
		},
	}
}

// resends verifies the rate with failures at RCPT: the cycle is a mixture, and
// resends take as long as first tries, so a saturated server delivers C p /
// E[cycle].
func resends() model {
	const processes, p, limit = 50, 0.7, 3
	const settle, watched = 60 * vt.Second, 1000 * vt.Second
	full, _ := attempt(dialogue(run{}), 7, true)
	short, _ := attempt(dialogue(run{}), 5, false)
	cycle := p*full + (1-p)*short
	return model{
		name: "resends", runs: replications,
		about: fmt.Sprintf("the same, a share of %g refused at RCPT and resent up to %d times: renewal reward", 1-p,
			limit),
		quantities: []quantity{
			estimate("deliveries per s, C p / E[cycle]", processes*p/cycle),
			estimate("attempts per s, C / E[cycle]", processes/cycle),
			estimate("time of a resend, s", cycle),
		},
		once: func(r run) []float64 {
			s := dialogue(r)
			s.Destinations[0].Fail = []config.Fail{{At: "rcpt", Reply: 450, P: 1 - p}}
			s.Retry.Limit, s.Retry.Delays = limit, []vt.Span{5 * vt.Second}
			s.Governor.Start = processes
			s.Horizon = settle + watched
			s.Campaigns[0].Recipients = processes * 2000
			var done, attempts, again float64
			var took vt.Span
			simulate(r, s, func(now vt.Time, a mail.Attempt, reply mail.Reply, status mail.Status) {
				if now <= vt.Time(settle) {
					return
				}
				attempts++
				if status == mail.Done {
					done++
				}
				if a.Try > 0 {
					again++
					took += reply.Took
				}
			})
			return []float64{done / watched.Seconds(), attempts / watched.Seconds(), took.Seconds() / again}
		},
	}
}

// listed runs a list to its end and returns attempts per delivery and the share
// delivered.
func listed(r run, dead, p float64, limit int) (dfr, share float64) {
	s := plain(r)
	s.Retry.Limit, s.Retry.Delays = limit, []vt.Span{vt.Second, 3 * vt.Second}
	s.Governor.Start = 200
	d := &s.Destinations[0]
	d.Dot = delay.Constant(vt.Second)
	d.Fail = []config.Fail{{At: "rcpt", Reply: 450, P: 1 - p}}
	if dead > 0 {
		d.Dead = []config.Dead{{Share: dead, At: "rcpt", Reply: 450}} // 4yz for ever: resent to the last
	}
	n := r.many(12000)
	s.Campaigns[0].Recipients = n
	rec := simulate(r, s, nil)
	done := float64(rec.Count(mail.Done))
	return float64(rec.Attempts()) / done, done / float64(n)
}

// retry verifies that with identical recipients the delivery failure rate does
// not depend on the retry limit; only the share of reached recipients does.
func retry() model {
	const p = 1.0 / 7
	return model{
		name: "retry", runs: replications,
		about: "a list on which each attempt succeeds with probability 1/7: DFR = 1/p whatever the retry limit",
		quantities: []quantity{
			estimate("DFR, retry limit 10", 1/p),
			estimate("DFR, retry limit 5", 1/p),
			estimate("share delivered, retry limit 10", delivered(p, 11)),
			estimate("share delivered, retry limit 5", delivered(p, 6)),
		},
		once: func(r run) []float64 {
			high, reached := listed(r, 0, p, 10)
			low, fewer := listed(r, 0, p, 5)
			return []float64{high, low, reached, fewer}
		},
	}
}

// deadShare verifies the DFR with recipients that can never be reached: it then
// depends on the limit, and here it crosses the thresholds 7 and 4 of [0074].
func deadShare() model {
	const dead, p = 0.37, 0.87
	return model{
		name: "dead-share", runs: replications,
		about: fmt.Sprintf("a share of %g dead, the rest delivered with probability %g: DFR = 1/p + dead n / "+
			"((1-dead)(1-(1-p)^n))", dead, p),
		quantities: []quantity{
			estimate("DFR, retry limit 9", failureRate(dead, p, 10)),
			estimate("DFR, retry limit 4", failureRate(dead, p, 5)),
			estimate("share delivered, retry limit 4", (1-dead)*delivered(p, 5)),
		},
		once: func(r run) []float64 {
			high, _ := listed(r, dead, p, 9)
			low, share := listed(r, dead, p, 4)
			return []float64{high, low, share}
		},
	}
}

// reuse verifies the number of round trips: 7 on a new connection, 4 on a used
// one, two more (RSET and EHLO) after a refusal.
func reuse() model {
	const destinations, messages, refused = 3, 5, 0.3
	// A connection goes on while the next recipient has the same destination, for a geometric number of messages
	// cut at 5.
	length := (1 - math.Pow(1.0/destinations, messages)) / (1 - 1.0/destinations)
	return model{
		name: "reuse", runs: replications,
		about: "one MTA process reuses its connections: mean round trips per message",
		quantities: []quantity{
			always("round trips, 4 messages per connection", 4+3.0/4, 1e-12),
			estimate("round trips, 3 destinations, at most 5", 4+3/length),
			estimate("round trips, 0.3 refused at MAIL", 4*(1-refused)+3*refused),
		},
		once: func(r run) []float64 {
			n := r.many(20000) / 4 * 4
			one := plain(r)
			one.Dialogue.Messages = 4
			three := plain(r)
			three.Dialogue.Messages = messages
			d := three.Destinations[0]
			three.Destinations = nil
			for i := range destinations {
				d.Name, d.Domain = fmt.Sprint("d", i), fmt.Sprintf("d%d.example", i)
				three.Destinations = append(three.Destinations, d)
			}
			refusing := plain(r)
			refusing.Dialogue.Messages = 1_000_000
			refusing.Retry.Limit = 0
			refusing.Destinations[0].Fail = []config.Fail{{At: "mail", Reply: 450, P: refused}}
			return []float64{trips(r, one, n), trips(r, three, n), trips(r, refusing, n)}
		},
	}
}

// trips returns the mean number of round trips per attempt of one process.
func trips(r run, s *scenarios.Scenario, recipients int) float64 {
	const rtt = 100 * vt.Millisecond
	s.Governor.Start = 1
	s.Campaigns[0].Recipients = recipients
	for i := range s.Destinations {
		s.Destinations[i].RTT = delay.Constant(rtt)
	}
	var took vt.Span
	simulate(r, s, func(_ vt.Time, _ mail.Attempt, reply mail.Reply, _ mail.Status) { took += reply.Took })
	return float64(took) / float64(rtt) / float64(recipients)
}
