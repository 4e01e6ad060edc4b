package verify

import (
	"fmt"

	"flyball/internal/evq"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/delay"
)

// mg1PS verifies a queue that no mail scenario has, built with the same event
// queue and draws: one server works on all customers at once, with equal shares.
// The number in it is distributed as in M/M/1 for any distribution of services.
func mg1PS() model {
	const rho = 0.7
	p := geometric(rho)
	return model{
		name: "mg1-ps", runs: replications,
		about: fmt.Sprintf("M/G/1 with processor sharing at a load of %g: as M/M/1 whatever the services are like "+
			"(event queue and draws alone)", rho),
		quantities: []quantity{
			estimate("time in system W, constant, s", 1/(1-rho)),
			estimate("time in system W, lognormal, s", 1/(1-rho)),
			estimate("P(1 there), constant", p(1)),
			estimate("P(1 there), lognormal", p(1)),
		},
		once: func(r run) []float64 {
			w, one := sharing(r, rho, constant, 1)
			v, other := sharing(r, rho, lognormal, 2)
			return []float64{w, v, one, other}
		},
	}
}

// sharing runs a processor-sharing queue. It returns the mean time in system of
// the counted customers, and the share of them that find one customer.
//
// All present customers get the same work, so one clock serves for all. The
// clock counts the work per customer since the start, and runs at 1/n of the
// speed of time. A customer leaves when the clock has advanced by the customer's
// size. The queue holds the times of departure on that clock.
func sharing(r run, load float64, service delay.Dist, stream uint32) (sojourn, foundOne float64) {
	k := kernel{key: rng.New(r.seed, r.replication)}
	var leaving evq.Queue
	var now, work float64 // seconds
	var total float64
	warm, last := warmUp, warmUp+r.many(counted)
	arrived := make([]float64, 0, last)
	entity := func() uint64 { return uint64(stream)<<32 | uint64(len(arrived)) }
	gap := func() float64 { return k.exponential(entity(), purposeGap, 1/load).Seconds() }
	next := gap()
	ones, left := 0, last-warm
	for left > 0 {
		n := float64(leaving.Len())
		if n > 0 {
			at := leaving.PeekTime().Seconds()
			if end := now + (at-work)*n; end <= next {
				now, work = end, at
				if _, i := leaving.Pop(); i >= warm && i < last {
					total += now - arrived[i]
					left--
				}
				continue
			}
			work += (next - now) / n
		}
		now = next
		if i := len(arrived); i >= warm && i < last && n == 1 {
			ones++
		}
		size := service.Quantile(k.uniform(entity(), purposeSize))
		leaving.Push(vt.Time(work*1e9+size), len(arrived))
		arrived = append(arrived, now)
		next = now + gap()
	}
	return total / float64(last-warm), float64(ones) / float64(last-warm)
}
