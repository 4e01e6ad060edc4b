package partition

import (
	"cmp"
	"math"
	"slices"
)

// MostExact is the greatest number of sites times servers for which Optimal is exact: 10,000 sites by 50
// servers.
const MostExact = 500_000

// mostPrice bounds prices: times and prices of all recipients fit into 64 bits.
const mostPrice = 10 * MostCost

// Optimal returns the plan of the least total time within rooms and quotas, with prices that prove it
// or, beyond MostExact, bound how far it may be from that. ok is false if quotas leave some
// recipients without a server.
//
// It is a min-cost flow from sites to servers. Every site begins at its cheapest servers, at prices;
// then servers with more recipients than room pass some on, each time along the cheapest chain
// of servers to one that has room: from each server of the chain some recipients of one site move
// to the next. Of equal chains the one of the first servers and sites is taken, so the plan is the
// same everywhere.
func Optimal(p *Problem) (plan Plan, ok bool) {
	return solve(p, len(p.Sites)*len(p.Servers) <= MostExact)
}

func solve(p *Problem, exact bool) (plan Plan, ok bool) {
	plan = newPlan(p, "optimal")
	if !p.quotasSuffice() {
		return plan, false
	}
	plan.Prices = make([]int64, len(p.Servers))
	if !exact {
		plan.Prices = findPrices(p)
	}
	for i, room := range p.Rooms() {
		if room == 0 { // no site begins there, so plans of equal time are chosen as if the server were not there
			plan.Prices[i] = mostPrice
		}
	}
	f := newFlow(p, plan.Counts, plan.Prices)
	if !exact {
		f.repair()
	}
	if !f.settle() {
		return plan, false
	}
	if exact {
		plan.Prices = f.prices()
	}
	plan.Bound = Bound(p, plan.Prices)
	return plan.costed(p), true
}

// quotasSuffice reports whether the quotas of each site have room for its recipients.
func (p *Problem) quotasSuffice() bool {
	for d, s := range p.Sites {
		var sum int64
		for i := range p.Servers {
			sum += min(p.quota(p.At(d, i)), s.Recipients)
		}
		if sum < s.Recipients {
			return false
		}
	}
	return true
}

// flow is a plan that is being made.
type flow struct {
	*Problem
	n     int     // servers
	has   []int64 // recipients by site and server
	load  []int64 // recipients by server
	room  []int64
	sites [][]int32 // by server: sites of which it has recipients
	where []int32   // by site and server: 1 + position in sites; 0: not there
	best  []int32   // by server and next server: site that moves most cheaply; -1: none can
}

// newFlow returns the flow in which every site is at its cheapest servers, with prices.
func newFlow(p *Problem, counts, prices []int64) *flow {
	n := len(p.Servers)
	f := &flow{Problem: p, n: n, has: counts, load: make([]int64, n), room: p.Rooms(), sites: make([][]int32, n),
		where: make([]int32, len(counts)), best: make([]int32, n*n)}
	order := make([]int, n)
	for d, s := range p.Sites {
		if p.Quota != nil {
			cheapest(p, d, prices, order, func(i int, got int64) { f.put(d, i, got) })
			continue
		}
		to := 0
		for i := range n {
			if p.Cost[p.At(d, i)]+prices[i] < p.Cost[p.At(d, to)]+prices[to] {
				to = i
			}
		}
		f.put(d, to, s.Recipients)
	}
	return f
}

// repair moves recipients from servers with too many to servers with room, those first that lose least,
// while some can move.
func (f *flow) repair() {
	type way struct {
		loss     int64
		site     int32
		from, to int
	}
	for moved := true; moved; {
		moved = false
		var ways []way
		for from := range f.n {
			if f.load[from] <= f.room[from] {
				continue
			}
			for _, d := range f.sites[from] {
				found := way{loss: math.MaxInt64}
				for to := range f.n {
					at := f.At(int(d), to)
					if c := f.step(d, from, to); c < found.loss && f.load[to] < f.room[to] && f.has[at] < f.quota(at) {
						found = way{c, d, from, to}
					}
				}
				if found.loss < math.MaxInt64 {
					ways = append(ways, found)
				}
			}
		}
		slices.SortFunc(ways, func(a, b way) int {
			return cmp.Or(cmp.Compare(a.loss, b.loss), cmp.Compare(a.site, b.site), cmp.Compare(a.from, b.from))
		})
		for _, v := range ways {
			at := f.At(int(v.site), v.to)
			n := min(f.load[v.from]-f.room[v.from], f.room[v.to]-f.load[v.to], f.has[f.At(int(v.site), v.from)],
				f.quota(at)-f.has[at])
			if n > 0 {
				f.put(int(v.site), v.from, -n)
				f.put(int(v.site), v.to, n)
				moved = true
			}
		}
	}
}

// put gives a server recipients of a site, or takes some if got is negative.
func (f *flow) put(site, server int, got int64) {
	if got == 0 {
		return
	}
	at := f.At(site, server)
	f.has[at] += got
	f.load[server] += got
	switch {
	case f.has[at] > 0 && f.where[at] == 0:
		f.sites[server] = append(f.sites[server], int32(site))
		f.where[at] = int32(len(f.sites[server]))
	case f.has[at] == 0:
		all, i := f.sites[server], f.where[at]-1
		last := all[len(all)-1]
		all[i], f.where[f.At(int(last), server)] = last, i+1
		f.sites[server], f.where[at] = all[:len(all)-1], 0
	}
}

// step returns how much longer an attempt to a site takes after it moves.
func (f *flow) step(site int32, from, to int) int64 {
	row := int(site) * f.n
	return f.Cost[row+to] - f.Cost[row+from]
}

// seek finds the site that moves most cheaply from one server to another, the first of equals.
func (f *flow) seek(from, to int) {
	found := int32(-1)
	if from != to {
		least := int64(math.MaxInt64)
		for _, d := range f.sites[from] {
			if f.Quota != nil && f.has[f.At(int(d), to)] >= f.Quota[f.At(int(d), to)] {
				continue
			}
			if c := f.step(d, from, to); c < least || c == least && d < found {
				found, least = d, c
			}
		}
	}
	f.best[from*f.n+to] = found
}

// offer makes a site, which has become able to move from a server, the best one where it is.
func (f *flow) offer(site int32, from, to int) {
	if from == to || f.Quota != nil && f.has[f.At(int(site), to)] >= f.Quota[f.At(int(site), to)] {
		return
	}
	b := &f.best[from*f.n+to]
	if *b >= 0 {
		if c, least := f.step(site, from, to), f.step(*b, from, to); c > least || c == least && site > *b {
			return
		}
	}
	*b = site
}

// move moves recipients of a site, and finds the best sites again where that has changed them.
func (f *flow) move(site int32, from, to int, n int64) {
	had := f.has[f.At(int(site), to)]
	full := f.Quota != nil && f.has[f.At(int(site), from)] >= f.Quota[f.At(int(site), from)]
	f.put(int(site), from, -n)
	f.put(int(site), to, n)
	if f.has[f.At(int(site), from)] == 0 {
		for next := range f.n {
			if f.best[from*f.n+next] == site {
				f.seek(from, next)
			}
		}
	}
	if had == 0 {
		for next := range f.n {
			f.offer(site, to, next)
		}
	}
	if f.Quota == nil {
		return
	}
	for other := range f.n {
		if full && f.has[f.At(int(site), other)] > 0 { // the site may come back
			f.offer(site, other, from)
		}
		if f.best[other*f.n+to] == site && f.has[f.At(int(site), to)] >= f.Quota[f.At(int(site), to)] {
			f.seek(other, to)
		}
	}
}

// settle moves recipients until every server has room for its own. It returns false if that is
// impossible.
func (f *flow) settle() bool {
	for from := range f.n {
		for to := range f.n {
			f.seek(from, to)
		}
	}
	dist, via := make([]int64, f.n), make([]int, f.n)
	var path []int
	for {
		to := f.nearest(dist, via)
		if to == -1 {
			return true
		}
		if to == -2 {
			return false
		}
		path = append(path[:0], to)
		amount := f.room[to] - f.load[to]
		at := to
		for ; via[at] >= 0; at = via[at] {
			d := int(f.best[via[at]*f.n+at])
			amount = min(amount, f.has[f.At(d, via[at])], f.quota(f.At(d, at))-f.has[f.At(d, at)])
			path = append(path, via[at])
		}
		amount = min(amount, f.load[at]-f.room[at])
		sites := make([]int32, len(path)-1)
		for i := range sites {
			sites[i] = f.best[path[i+1]*f.n+path[i]]
		}
		for i, d := range sites {
			f.move(d, path[i+1], path[i], amount)
		}
	}
}

// nearest returns the server with room that recipients of the overloaded servers reach most cheaply,
// and the chain to it in via, which is -1 where a chain begins. It returns -1 if no server is
// overloaded, and -2 if there is no chain.
func (f *flow) nearest(dist []int64, via []int) int {
	over := false
	for i := range f.n {
		dist[i], via[i] = math.MaxInt64, -1
		if f.load[i] > f.room[i] {
			dist[i], over = 0, true
		}
	}
	if !over {
		return -1
	}
	for changed := true; changed; {
		changed = false
		for from := range f.n {
			if dist[from] == math.MaxInt64 {
				continue
			}
			for to, d := range f.best[from*f.n : (from+1)*f.n] {
				if d < 0 {
					continue
				}
				if c := dist[from] + f.step(d, from, to); c < dist[to] {
					dist[to], via[to], changed = c, from, true
				}
			}
		}
	}
	to := -2
	for i := range f.n {
		if f.load[i] < f.room[i] && dist[i] < math.MaxInt64 && (to < 0 || dist[i] < dist[to]) {
			to = i
		}
	}
	return to
}

// prices returns what a place on each server is worth: by how much all recipients would get faster, for
// one more place. It is 0 where there is room.
func (f *flow) prices() []int64 {
	all := make([]int64, f.n)
	for i := range all {
		if f.load[i] >= f.room[i] {
			all[i] = mostPrice
		}
	}
	for range 2 * f.n {
		changed := false
		for from := range f.n {
			for to, d := range f.best[from*f.n : (from+1)*f.n] {
				if d < 0 {
					continue
				}
				if c := max(f.step(d, from, to)+all[to], 0); c < all[from] {
					all[from], changed = c, true
				}
			}
		}
		if !changed {
			break
		}
	}
	return all
}

// sampled is the greatest number of sites times servers of a sample whose exact plan gives first prices.
const sampled = 200_000

// findPrices returns prices at which the sites' own choice nearly keeps to the rooms. It begins with the
// prices of the exact plan for a sample of the sites; each round then raises the price of a server by how far its load
// exceeds its room, or lowers it, in steps that shrink with the square root of the rounds. Of all the
// prices with the greatest bound are returned.
func findPrices(p *Problem) []int64 {
	n := len(p.Servers)
	every := (len(p.Sites)*n + sampled - 1) / sampled
	sample := Problem{Servers: slices.Clone(p.Servers), Imbalance: p.Imbalance}
	var spread float64 // of the times to a site, on average
	var number int64
	for d := 0; d < len(p.Sites); d += every {
		row := p.Cost[p.At(d, 0):p.At(d+1, 0)]
		sample.Sites = append(sample.Sites, p.Sites[d])
		sample.Cost = append(sample.Cost, row...)
		if p.Quota != nil {
			sample.Quota = append(sample.Quota, p.Quota[p.At(d, 0):p.At(d+1, 0)]...)
		}
		spread += float64(slices.Max(row) - slices.Min(row))
		number++
	}
	spread /= float64(number)
	for i, v := range p.Servers { // quotas of servers in proportion
		if v.Quota > 0 {
			part := float64(sample.Total()) / float64(max(p.Total(), 1))
			sample.Servers[i].Quota = max(int64(math.Ceil(float64(float64(v.Quota)*part))), 1)
		}
	}
	best := make([]int64, n)
	if first, ok := solve(&sample, true); ok {
		best = first.Prices
	}
	room, load := p.Rooms(), make([]int64, n)
	bound := choose(p, best, room, load)
	prices, value := slices.Clone(best), make([]float64, n)
	for i, price := range prices {
		value[i] = float64(price)
	}
	for round := range 60 {
		step := float64(spread*0.03) / math.Sqrt(float64(round+1))
		for i := range value {
			over := float64(load[i]-room[i]) / float64(max(room[i], 1))
			value[i] = max(value[i]+float64(step*min(max(over, -1), 1)), 0)
			prices[i] = min(int64(math.Round(value[i])), mostPrice)
		}
		if b := choose(p, prices, room, load); b > bound {
			bound = b
			copy(best, prices)
		}
	}
	return best
}
