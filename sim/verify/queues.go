package verify

import (
	"flyball/engine"
	"fmt"
	"math"

	"flyball/internal/vt"
	"flyball/netmodel/delay"
)

// line is a queue with Poisson arrivals at one node; the mean service is a
// second.
type line struct {
	load    float64 // erlangs
	servers int
	cap     int // connections that the receiver allows; 0: any
	service delay.Dist
	start   func(n int) float64 // distribution of the number there at time 0
	warm    int                 // customers before the first one that counts
	counted int
}

// warmUp is the number of customers that do not count in a queue that starts
// empty: many times more than the memory of the queue.
//
// A queue whose state is its number of customers needs none. It starts with a
// number drawn from its stationary distribution and an arrival at time 0. So the
// first counted customer finds the same as every Poisson arrival, and a mean over
// a fixed number of customers has no bias. (The first customer after time 0 would
// find less: the queue drains until then.) The additional customer at the start
// changes time-averages by 10^-4 of their values.
const warmUp = 4000

// counted is the number of counted customers of a replication.
const counted = 40000

// many is a number of servers that stands for infinitely many.
const many = 1_000_000

// stay is a replication of a line with its counted visits.
type stay struct {
	*kernel
	measured []visit
}

func (l line) run(r run) stay {
	s := plain(r)
	s.Destinations[0].Dot = l.service
	s.Destinations[0].Cap = l.cap
	s.Retry.Limit = 0
	warm, count := l.warm, r.many(l.counted)
	gap := 1 / l.load
	from, to := float64(warm)*gap, float64(warm+count)*gap
	s.Governor.Interval = max(vt.Second, seconds((to-from)/16))
	k := newKernel(r, s, l.servers)
	k.from, k.to = vt.Time(seconds(from)), vt.Time(seconds(to))

	there := 0
	if l.start != nil {
		there = k.number(0, purposeStart, l.start)
	}
	for i := range there {
		k.send(0, 0, uint32(i))
	}
	k.feed(0, uint32(there), gap)
	first, last := there+warm, there+warm+count
	left := count
	k.leaves = func(i int, _ visit) {
		if i >= first && i < last {
			left--
		}
	}
	k.runUntil(func() bool { return left <= 0 && k.now >= k.to })
	return stay{k, k.visits[first:last]}
}

// mean returns the mean of a quantity over the visits.
func (s stay) mean(of func(v visit) float64) float64 {
	var sum float64
	for _, v := range s.measured {
		sum += of(v)
	}
	return sum / float64(len(s.measured))
}

// share returns the share of the visits for which holds returns true.
func (s stay) share(holds func(v visit) bool) float64 {
	n := 0
	for _, v := range s.measured {
		if holds(v) {
			n++
		}
	}
	return float64(n) / float64(len(s.measured))
}

func found(n int) func(v visit) bool { return func(v visit) bool { return v.found == n } }

func waited(v visit) bool { return v.began > v.arrived }

// Services with a mean of one second.
var (
	exponential = delay.Dist{Dist: "exponential", Mean: vt.Second}
	constant    = delay.Constant(vt.Second)
	lognormal   = delay.Dist{Dist: "lognormal", Median: seconds(math.Exp(-0.5)), Sigma: 1}
	uniform     = delay.Dist{Dist: "uniform", Min: 200 * vt.Millisecond, Max: 1800 * vt.Millisecond}
)

// pareto returns a distribution with mean 1 s and a tail x^-alpha.
func pareto(alpha float64) delay.Dist {
	return delay.Dist{Dist: "pareto", Min: seconds((alpha - 1) / alpha), Alpha: alpha}
}

func mm1() model {
	const rho = 0.7
	p := geometric(rho)
	l := line{load: rho, servers: 1, service: exponential, start: p, counted: 2 * counted}
	return model{
		name: "mm1", runs: replications,
		about: fmt.Sprintf("M/M/1 at a load of %g: one MTA process, Poisson arrivals, exponential attempts", rho),
		quantities: []quantity{
			estimate("time in system W, s", 1/(1-rho)),
			estimate("wait Wq, s", rho/(1-rho)),
			estimate("P(W > 2 mean W)", math.Exp(-2)),
			estimate("number in system L", rho/(1-rho)),
			estimate("P(0 there)", p(0)),
			estimate("P(1 there)", p(1)),
			estimate("P(5 there)", p(5)),
			estimate("utilization, from P_a", rho),
			estimate("arrivals that find 3, less time with 3", 0), // PASTA
		},
		once: func(r run) []float64 {
			s := l.run(r)
			return []float64{
				s.mean(visit.sojourn), s.mean(visit.wait),
				s.share(func(v visit) bool { return v.sojourn() > 2/(1-rho) }),
				s.meanHeld(0), s.timeShare(0, 0), s.timeShare(0, 1), s.timeShare(0, 5), s.meanAllocated(0),
				s.share(found(3)) - s.timeShare(0, 3),
			}
		},
	}
}

func mmc() model {
	const load, servers = 4, 5
	c := waiting(load, servers)
	p := manyServers(load, servers)
	l := line{load: load, servers: servers, service: exponential, start: p, counted: 2 * counted}
	return model{
		name: "mmc", runs: replications,
		about: fmt.Sprintf("M/M/c with %d MTA processes at %d erlangs: Erlang's C", servers, load),
		quantities: []quantity{
			estimate("P(wait), Erlang C", c),
			estimate("wait Wq, s", c/(servers-load)),
			estimate("number in system L", meanManyServers(load, servers)),
			estimate("P(2 there)", p(2)),
			estimate("allocated processes P_a", load),
		},
		once: func(r run) []float64 {
			s := l.run(r)
			return []float64{s.share(waited), s.mean(visit.wait), s.meanHeld(0), s.timeShare(0, 2), s.meanAllocated(0)}
		},
	}
}

func erlangB() model {
	const load, circuits = 10, 10
	b := blocking(load, circuits)
	l := line{load: load, servers: many, cap: circuits, service: exponential, start: lossSystem(load, circuits),
		counted: counted}
	other := l
	other.service, other.start, other.warm = lognormal, nil, warmUp
	lost := func(v visit) bool { return v.lost }
	return model{
		name: "erlang-b", runs: replications,
		about: fmt.Sprintf("M/G/c/c: a provider that allows %d connections, %d erlangs, no resends: Erlang's B "+
			"whatever the attempts are like", circuits, load),
		quantities: []quantity{
			estimate("share refused with 421, exponential", b),
			estimate("share refused with 421, lognormal", b),
			estimate("connections, exponential", load*(1-b)),
			estimate("arrivals refused, less time at the cap", 0), // PASTA
		},
		once: func(r run) []float64 {
			s, o := l.run(r), other.run(r)
			return []float64{s.share(lost), o.share(lost), s.meanAllocated(0), o.share(lost) - o.timeShare(0, circuits)}
		},
	}
}

func mginf() model {
	const load = 20
	// Empty at first, it is stationary after the longest attempt: here no later than after 337 times the least one.
	l := line{load: load, servers: many, service: pareto(2.5), warm: 250 * load, counted: counted}
	other := l
	other.service = uniform
	p := poisson(load)(load)
	return model{
		name: "mginf", runs: replications,
		about: fmt.Sprintf("M/G/inf: MTA processes for all, %d erlangs: Poisson whatever the attempts are like", load),
		quantities: []quantity{
			estimate("allocated processes P_a, Pareto", load),
			estimate("allocated processes P_a, uniform", load),
			estimate("P(20 allocated), Pareto", p),
			estimate("P(20 allocated), uniform", p),
		},
		once: func(r run) []float64 {
			s, o := l.run(r), other.run(r)
			return []float64{s.meanAllocated(0), o.meanAllocated(0), s.timeShare(0, load), o.timeShare(0, load)}
		},
	}
}

func md1() model {
	const rho = 0.7
	l := line{load: rho, servers: 1, service: constant, warm: warmUp, counted: counted}
	return model{
		name: "md1", runs: replications,
		about: fmt.Sprintf("M/D/1 at a load of %g: all attempts take the same time", rho),
		quantities: []quantity{
			estimate("wait Wq, s", meanWait(rho, constant)),
			estimate("number in system L", rho*(1+meanWait(rho, constant))),
			estimate("arrivals that find none, less time idle", 0), // PASTA
		},
		once: func(r run) []float64 {
			s := l.run(r)
			return []float64{s.mean(visit.wait), s.meanHeld(0), s.share(found(0)) - s.timeShare(0, 0)}
		},
	}
}

func mg1() model {
	l := line{load: 0.6, servers: 1, service: lognormal, warm: warmUp, counted: 2 * counted}
	other := line{load: 0.7, servers: 1, service: pareto(3.5), warm: warmUp, counted: 2 * counted}
	return model{
		name: "mg1", runs: replications,
		about: fmt.Sprintf("M/G/1 at loads of %g and %g: the formula of Pollaczek and Khinchine", l.load, other.load),
		quantities: []quantity{
			estimate("wait Wq, lognormal, s", meanWait(l.load, l.service)),
			estimate("wait Wq, Pareto, s", meanWait(other.load, other.service)),
			estimate("P(wait), lognormal", l.load),
		},
		once: func(r run) []float64 {
			s, o := l.run(r), other.run(r)
			return []float64{s.mean(visit.wait), o.mean(visit.wait), s.share(waited)}
		},
	}
}

// jackson verifies a Jackson network: node 1 has arrivals from outside, the others
// only routed customers.
//
//	0.6/s -> 1 -> 2 (0.5) or 3 (0.4) or out;  2 -> 1 (0.2) or 3 (0.6) or out;  3 -> 2 (0.25) or out
func jackson() model {
	const outside = 0.6
	servers := []int{1, 2, 1}
	routes := [][]float64{{0, 0.5, 0.4}, {0.2, 0, 0.6}, {0, 0.25, 0}}
	load := make([]float64, len(servers))
	for range 1000 { // the traffic equations, by iteration
		for to := range load {
			load[to] = 0
			if to == 0 {
				load[to] = outside
			}
			for from := range load {
				load[to] += load[from] * routes[from][to]
			}
		}
	}
	empty := 1.0
	for node, c := range servers {
		empty *= manyServers(load[node], c)(0)
	}
	m := model{
		name: "jackson", runs: replications,
		about: fmt.Sprintf("an open Jackson network of three machines with 1, 2 and 1 MTA processes at %.2f, %.2f "+
			"and %.2f erlangs", load[0], load[1], load[2]),
	}
	for node, c := range servers {
		m.quantities = append(m.quantities, estimate(fmt.Sprintf("number at node %d", node+1),
			meanManyServers(load[node], c)))
	}
	m.quantities = append(m.quantities, estimate("P(all empty), product form", empty))
	m.once = func(r run) []float64 {
		s := plain(r)
		s.Destinations[0].Dot = exponential
		s.Governor.Interval = 30 * vt.Day
		k := newKernel(r, s, servers...)
		k.to = vt.Time(vt.Span(r.many(counted)) * vt.Second)
		customer := uint32(0)
		for node, c := range servers {
			for range k.number(uint64(node), purposeStart, manyServers(load[node], c)) {
				k.send(0, node, customer)
				customer++
			}
		}
		k.feed(vt.Time(k.exponential(uint64(customer), purposeGap, 1/outside)), customer, 1/outside)
		k.leaves = func(i int, v visit) {
			next := k.number(uint64(i), purposeRoute, func(to int) float64 {
				if to < len(servers) {
					return routes[v.node][to]
				}
				return 1 // out
			})
			if next < len(servers) {
				k.send(k.now, next, v.customer)
			}
		}
		k.runUntil(func() bool { return k.now >= k.to })
		return []float64{k.meanHeld(0), k.meanHeld(1), k.meanHeld(2), k.timeShare(len(servers), 0)}
	}
	return m
}

func repair() model {
	const customers, think = 8, 10.0
	p := machineRepair(customers, think)
	return model{
		name: "repair", runs: replications,
		about: fmt.Sprintf("M/M/1//N: %d clients that share one MTA process and think for %g s between two messages",
			customers, think),
		quantities: []quantity{
			estimate("number at the process", meanOf(p, customers)),
			estimate("utilization, from P_a", 1-p(0)),
			estimate("P(4 there)", p(4)),
			// By Little's law the number of thinking clients is the rate times the think time.
			estimate("messages per s", (customers-meanOf(p, customers))/think),
		},
		once: func(r run) []float64 {
			s := plain(r)
			s.Destinations[0].Dot = exponential
			s.Governor.Interval = max(vt.Second, seconds(float64(r.many(counted))/16))
			k := newKernel(r, s, 1)
			k.to = vt.Time(vt.Span(r.many(counted)) * vt.Second)
			broken := k.number(0, purposeStart, p)
			for c := range customers {
				at := vt.Time(0)
				if c >= broken {
					at = at.Add(k.exponential(math.MaxUint32+uint64(c), purposeThink, think))
				}
				k.send(at, 0, uint32(c))
			}
			done := 0
			k.leaves = func(i int, v visit) {
				if k.now <= k.to {
					done++
				}
				k.send(k.now.Add(k.exponential(uint64(i), purposeThink, think)), 0, v.customer)
			}
			k.runUntil(func() bool { return k.now >= k.to })
			return []float64{k.meanHeld(0), k.meanAllocated(0), k.timeShare(0, 4), float64(done) / k.to.Seconds()}
		},
	}
}

// little verifies Little's law: over a run that begins and ends empty, the
// integral of the number in the queue is the sum of the sojourns, to the
// nanosecond.
func little() model {
	l := line{load: 1.8, servers: 2, service: lognormal}
	return model{
		name: "little", runs: 10,
		about: "Little's law on one path that begins and ends empty: two counts of the same time",
		quantities: []quantity{
			always("integral of number - sum of times, ns", 0, 0),
			always("slot time accounted / sum of attempts", 1, 1e-12),
		},
		once: func(r run) []float64 {
			s := plain(r)
			s.Destinations[0].Dot = l.service
			s.Governor.Interval = 97 * vt.Second
			k := newKernel(r, s, l.servers)
			customers := r.many(10000)
			k.feed(0, 0, 1/l.load)
			more := k.arrives
			k.arrives = func(customer uint32) {
				if int(customer) < customers-1 {
					more(customer)
				}
			}
			left := customers
			k.leaves = func(int, visit) { left-- }
			k.runUntil(func() bool { return left <= 0 })
			k.nodes[0].machine.Receive(k.now, engine.Message{Body: engine.Stop{}}, &k.out)
			k.nodes[0].machine.Wake(k.now, nil, &k.out)
			var integral, there, busy vt.Span
			for n, span := range k.held[0] {
				integral += vt.Span(n) * span
			}
			for _, v := range k.visits {
				there += v.ended.Sub(v.arrived)
				busy += v.ended.Sub(v.began)
			}
			var slots float64
			for _, i := range k.rows[0] {
				slots += i.Sample.Allocated * float64(i.Sample.Span)
			}
			return []float64{float64(integral - there), slots / float64(busy)}
		},
	}
}
