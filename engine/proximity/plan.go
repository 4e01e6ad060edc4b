package proximity

import (
	"cmp"
	"math"
	"slices"

	"flyball/engine/partition"
)

// View is what a Database has about the servers and sites of one list.
type View struct {
	Cost   []int64   // estimate for each pair, for a partition.Problem: milliseconds, by site and then server
	Weight []float64 // of what is known of each pair: attempts for which it stands now; 0: nothing

	cfg   Config
	known []bool // by site: something is known of it
}

// guess is for how many attempts the mean of a site's pairs stands beside what was measured of one of them.
const guess = 1

// perHop is the distance of a hop in milliseconds, if hops count as distance.
const perHop = 10

// Look returns what is known of the pairs of p. A pair is estimated by its own average and that of all pairs of its
// site, which stands for one attempt: a pair of which nothing is known is thought to be as far as the others, and one
// that was measured a few times, or long ago, nearly so. A site of which nothing is known is as far as all pairs are on
// average.
func (d *Database) Look(p *partition.Problem, c Config) *View {
	servers := len(p.Servers)
	v := &View{cfg: c, Cost: make([]int64, servers*len(p.Sites)), Weight: make([]float64, servers*len(p.Sites)),
		known: make([]bool, len(p.Sites))}
	distance := make([]float64, len(v.Cost))
	var all, allWeights float64
	for s, site := range p.Sites {
		for i, server := range p.Servers {
			k, found := d.find(server.Name, site.Name)
			if !found || c.By == "hops" && d.Pairs[k].Hops == 0 {
				continue
			}
			at := p.At(s, i)
			v.Weight[at] = c.weight(d.Pairs[k], len(d.Mailings)-d.Pairs[k].Mailing)
			distance[at] = d.Pairs[k].Delay
			if c.By == "hops" {
				distance[at] = float64(d.Pairs[k].Hops * perHop)
			}
			all += float64(v.Weight[at] * distance[at])
			allWeights += v.Weight[at]
			v.known[s] = true
		}
	}
	for s := range p.Sites {
		row := v.Weight[p.At(s, 0):p.At(s+1, 0)]
		mean, weights := all, allWeights
		if v.known[s] {
			mean, weights = 0, 0
			for i, w := range row {
				mean += float64(w * distance[p.At(s, i)])
				weights += w
			}
		}
		mean /= max(weights, math.SmallestNonzeroFloat64)
		for i, w := range row {
			est := average(distance[p.At(s, i)], w, mean, guess)
			v.Cost[p.At(s, i)] = min(int64(math.Round(est)), partition.MostCost)
		}
	}
	return v
}

// Class is how good a server is for a site ([0058]).
type Class int

const (
	Unknown     Class = iota // measured by less than one attempt, old ones counted by their weight
	Preferred                // estimated at most 1.1 times as far as the nearest known server of the site
	Acceptable               // at most 1.5 times
	Undesirable              // farther
)

func (c Class) String() string {
	return [...]string{"unknown", "preferred", "acceptable", "undesirable"}[c]
}

// Classes returns the class of each pair, by site and then server.
func (v *View) Classes() []Class {
	all := make([]Class, len(v.Cost))
	servers := len(v.Cost) / max(len(v.known), 1)
	for first := 0; first < len(all); first += servers {
		nearest := int64(math.MaxInt64)
		for at := first; at < first+servers; at++ {
			if v.Weight[at] >= 1 {
				nearest = min(nearest, v.Cost[at])
			}
		}
		for at := first; at < first+servers; at++ {
			switch {
			case v.Weight[at] < 1:
			case 10*v.Cost[at] <= 11*nearest:
				all[at] = Preferred
			case 10*v.Cost[at] <= 15*nearest:
				all[at] = Acceptable
			default:
				all[at] = Undesirable
			}
		}
	}
	return all
}

// Plan returns the recipients of each pair, by site and then server, and the number of probes among them. p has the
// estimates as Cost. The plan is the optimal one of what the probes leave. A site of which nothing is known is spread
// over all servers in proportion to their rooms, unless quotas forbid it. ok is false if quotas leave no plan.
func (v *View) Plan(p *partition.Problem) (counts []int64, probes uint64, ok bool) {
	spread := v.spread(p)
	best, ok := partition.Optimal(&spread)
	if !ok { // quotas of sites and the spreading together
		spread = *p
		if best, ok = partition.Optimal(p); !ok {
			return nil, 0, false
		}
	}
	extra := v.probes(&spread, best.Counts)
	rest := spread
	rest.Imbalance = partition.MostImbalance // rooms are quotas now
	rest.Sites, rest.Servers, rest.Quota = slices.Clone(p.Sites), slices.Clone(p.Servers), slices.Clone(spread.Quota)
	for i, room := range spread.Rooms() {
		rest.Servers[i].Quota = room
	}
	for at, n := range extra {
		rest.Sites[at/len(p.Servers)].Recipients -= n
		rest.Servers[at%len(p.Servers)].Quota -= n
		if rest.Quota != nil {
			rest.Quota[at] -= n
		}
		probes += uint64(n)
	}
	if probes == 0 {
		return best.Counts, 0, true
	}
	left, ok := partition.Optimal(&rest)
	if !ok {
		return best.Counts, 0, true
	}
	for at, n := range extra {
		left.Counts[at] += n
	}
	return left.Counts, probes, true
}

// spread returns p with quotas for the sites of which nothing is known.
func (v *View) spread(p *partition.Problem) partition.Problem {
	all := *p
	if !slices.Contains(v.known, false) {
		return all
	}
	rooms, sum := p.Rooms(), int64(0)
	for _, room := range rooms {
		sum += room
	}
	all.Quota = slices.Clone(p.Quota)
	if all.Quota == nil {
		all.Quota = slices.Repeat([]int64{partition.MostRecipients}, len(v.Cost))
	}
	for d, site := range p.Sites {
		for i, room := range rooms {
			if !v.known[d] {
				q := &all.Quota[p.At(d, i)]
				*q = min(*q, int64(math.Ceil(float64(site.Recipients)*(float64(room)/float64(sum)))))
			}
		}
	}
	return all
}

// enough is the number of attempts after which a pair needs no probe in a mailing.
const enough = 200

// probes returns how many recipients of each pair are probes: at most the share of probes of all recipients, and of
// a site's own, rounded up there. Of the servers of a site the one of which least is known comes first: what is
// known weighs less the older it is, and what the plan sends there will be known. The rounding goes to the sites of
// which least is known.
func (v *View) probes(p *partition.Problem, planned []int64) []int64 {
	all := make([]int64, len(planned))
	budget := int64(float64(p.Total()) * v.cfg.Probes)
	if budget == 0 {
		return all
	}
	room := p.Rooms()
	type turn struct {
		site  int
		least float64
	}
	var rounding []turn
	for d, s := range p.Sites {
		if !v.known[d] || s.Recipients == 0 {
			continue
		}
		whole := int64(float64(s.Recipients) * v.cfg.Probes)
		budget -= v.fill(p, d, whole, planned, all, room)
		if row := planned[p.At(d, 0):p.At(d+1, 0)]; slices.Max(row) > 0 {
			rounding = append(rounding, turn{d, slices.Min(v.Weight[p.At(d, 0):p.At(d+1, 0)])})
		}
	}
	slices.SortStableFunc(rounding, func(a, b turn) int { return cmp.Compare(a.least, b.least) })
	for _, t := range rounding {
		if budget <= 0 {
			break
		}
		budget -= v.fill(p, t.site, 1, planned, all, room)
	}
	return all
}

// fill gives up to n probes of a site to the servers of which least is known, and returns how many it gave.
func (v *View) fill(p *partition.Problem, site int, n int64, planned, probes, room []int64) (given int64) {
	for ; given < n; given++ {
		to, least := -1, float64(enough)
		for i, s := range p.Servers {
			at := p.At(site, i)
			known := v.Weight[at] + float64(planned[at]+probes[at])
			if known < least && s.Resources > 0 && room[i] > 1 && (p.Quota == nil || probes[at] < p.Quota[at]) {
				to, least = i, known
			}
		}
		if to < 0 {
			break
		}
		probes[p.At(site, to)]++
		room[to]--
	}
	return given
}
