package partition

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"flyball/internal/conf"
)

// Plan is a divided list. Its bound holds for every plan of the same Problem that keeps to the
// servers' rooms and quotas.
type Plan struct {
	Strategy string
	Counts   []int64 // recipients, by site and then server: see Problem.At
	Prices   []int64 // milliseconds for a place on each server, from which Bound follows; nil: no bound
	Bound    int64   // total milliseconds that no plan can beat
	Cost     int64   // total milliseconds of this plan
}

func newPlan(p *Problem, strategy string) Plan {
	return Plan{Strategy: strategy, Counts: make([]int64, len(p.Servers)*len(p.Sites))}
}

// Given returns the plan that has counts by site and then server, without prices.
func Given(p *Problem, strategy string, counts []int64) Plan {
	return Plan{Strategy: strategy, Counts: counts}.costed(p)
}

// costed returns the plan with its cost.
func (p Plan) costed(of *Problem) Plan {
	p.Cost = costOf(of, p.Counts)
	return p
}

func costOf(p *Problem, counts []int64) (sum int64) {
	for i, n := range counts {
		sum += n * p.Cost[i]
	}
	return sum
}

// Loads returns the recipients of each server.
func (p *Plan) Loads(of *Problem) []int64 {
	all := make([]int64, len(of.Servers))
	for i, n := range p.Counts {
		all[i%len(all)] += n
	}
	return all
}

// Imbalance returns the greatest ratio of a server's recipients to its fair share; 0 for an empty list.
func (p *Plan) Imbalance(of *Problem) (most float64) {
	fair := of.Fair()
	for i, n := range p.Loads(of) {
		if n > 0 {
			most = max(most, float64(n)/fair[i])
		}
	}
	return most
}

// Mean returns the mean time of an attempt in milliseconds.
func (p *Plan) Mean(of *Problem) float64 { return float64(p.Cost) / float64(max(of.Total(), 1)) }

// Gap returns by what part the plan's cost may exceed the best one; 0 if it is the best.
func (p *Plan) Gap() float64 {
	if p.Cost <= p.Bound {
		return 0
	}
	return float64(p.Cost-p.Bound) / float64(max(p.Bound, 1))
}

// Finish returns after how many milliseconds each server is done if every one of its processes is
// always busy and every recipient takes one attempt.
func (p *Plan) Finish(of *Problem) []float64 {
	all := make([]float64, len(of.Servers))
	for i, n := range p.Counts {
		all[i%len(all)] += float64(n * of.Cost[i])
	}
	for i := range all {
		all[i] /= float64(of.Servers[i].Processes)
	}
	return all
}

// Bound returns the total milliseconds that no plan of the problem can beat, if a place on each server
// has a price of at least 0. A plan pays its times; if it also paid the prices of its places, each site
// would choose its cheapest servers, and the prices can be worth no more than that of all room. So
// the cheapest choices less the worth of all room are at most any plan's times, whatever the prices are.
func Bound(p *Problem, prices []int64) int64 {
	return choose(p, prices, p.Rooms(), make([]int64, len(prices)))
}

// choose returns the bound and sets how many recipients each server gets if every site is at its cheapest
// servers.
func choose(p *Problem, prices, rooms, load []int64) (sum int64) {
	clear(load)
	order := make([]int, len(prices))
	for d, s := range p.Sites {
		if p.Quota != nil {
			sum += cheapest(p, d, prices, order, func(i int, got int64) { load[i] += got })
			continue
		}
		to, row := 0, p.Cost[p.At(d, 0):p.At(d+1, 0)]
		least := row[0] + prices[0]
		for i, c := range row {
			if c += prices[i]; c < least {
				to, least = i, c
			}
		}
		load[to] += s.Recipients
		sum += s.Recipients * least
	}
	for i, room := range rooms {
		sum -= room * prices[i]
	}
	return sum
}

// cheapest gives the recipients of a site to its cheapest servers, prices included, within the site's
// quotas and without regard to rooms. It returns the sum of times and prices.
func cheapest(p *Problem, site int, prices []int64, order []int, give func(server int, n int64)) (sum int64) {
	for i := range order {
		order[i] = i
	}
	price := func(i int) int64 { return p.Cost[p.At(site, i)] + prices[i] }
	slices.SortStableFunc(order, func(a, b int) int { return int(price(a) - price(b)) })
	left := p.Sites[site].Recipients
	for _, i := range order {
		if n := min(left, p.quota(p.At(site, i))); n > 0 {
			give(i, n)
			sum += n * price(i)
			left -= n
		}
	}
	return sum
}

// Verify recomputes all that the plan states: that every recipient has a server, that rooms and quotas
// hold if the plan has prices, what the plan costs, and the bound that follows from its prices.
// It returns what differs.
func (p *Plan) Verify(of *Problem) []error {
	var l conf.List
	cells := len(of.Sites) * len(of.Servers)
	l.Check(len(p.Counts) == cells, "counts", "got %d, want %d: one for each site and server", len(p.Counts), cells)
	l.Check(len(p.Prices) == 0 || len(p.Prices) == len(of.Servers), "prices", "got %d, want %d: one for each server",
		len(p.Prices), len(of.Servers))
	if len(l) > 0 {
		return l
	}
	for d, s := range of.Sites {
		var sum int64
		for i := range of.Servers {
			n := p.Counts[of.At(d, i)]
			l.Check(n >= 0, conf.Index("counts", of.At(d, i)), "got %d, want at least 0", n)
			l.Check(len(p.Prices) == 0 || n <= of.quota(of.At(d, i)), conf.Index("counts", of.At(d, i)),
				"got %d, want at most its quota of %d", n, of.quota(of.At(d, i)))
			sum += n
		}
		l.Check(sum == s.Recipients, "site "+s.Name, "got %d recipients on all servers, want %d", sum, s.Recipients)
	}
	cost := costOf(of, p.Counts)
	l.Check(cost == p.Cost, "cost", "got %d ms, want %d: the sum over all recipients", p.Cost, cost)
	if len(p.Prices) == 0 {
		l.Check(p.Bound == 0, "bound", "got %d ms without prices, want none", p.Bound)
		return l
	}
	loads := p.Loads(of)
	for i, room := range of.Rooms() {
		l.Check(loads[i] <= room, "server "+of.Servers[i].Name, "got %d recipients, want at most %d", loads[i], room)
		l.Check(p.Prices[i] >= 0 && p.Prices[i] <= mostPrice, conf.Index("prices", i), "got %d ms, want 0 to %d",
			p.Prices[i], int64(mostPrice))
	}
	if len(l) == 0 {
		bound := Bound(of, p.Prices)
		l.Check(bound == p.Bound, "bound", "got %d ms, want %d: what follows from the prices", p.Bound, bound)
		l.Check(p.Bound <= p.Cost, "bound", "got %d ms, want at most the plan's %d", p.Bound, p.Cost)
	}
	return l
}

// Digest returns a digest of all that the plan states: 32 hexadecimal digits of SHA-256. It differs for
// every changed count or price, even one that leaves cost and bound as they are.
func (p *Plan) Digest() string {
	sum := sha256.New()
	sum.Write([]byte(p.Strategy))
	var word [8]byte
	write := func(all ...int64) {
		binary.LittleEndian.PutUint64(word[:], uint64(len(all)))
		sum.Write(word[:])
		for _, v := range all {
			binary.LittleEndian.PutUint64(word[:], uint64(v))
			sum.Write(word[:])
		}
	}
	write(p.Counts...)
	write(p.Prices...)
	write(p.Bound, p.Cost)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
