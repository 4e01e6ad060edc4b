package partition

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/internal/rng"
)

// Equal returns the plan that gives each server recipients in proportion to its resources ([0062]),
// and of each site as nearly so as whole recipients allow.
func Equal(p *Problem) Plan {
	all := newPlan(p, "equal")
	all.fill(p, p.Fair(), nil)
	return all.costed(p)
}

// Network returns the plan that leaves the recipients inside a server's own network to the servers
// there ([0054]); what is left is divided so that all servers come as near to their fair share as
// possible.
func Network(p *Problem) Plan {
	return byName(p, "network", func(s *Site) string { return s.Network }, func(v *Server) string { return v.Network })
}

// Region returns the plan that leaves the recipients of a region to the servers of that region
// ([0055]); what is left is divided as Network does.
func Region(p *Problem) Plan {
	return byName(p, "region", func(s *Site) string { return s.Region }, func(v *Server) string { return v.Region })
}

func byName(p *Problem, name string, of func(*Site) string, at func(*Server) string) Plan {
	all := newPlan(p, name)
	home := map[string][]int{}
	for i := range p.Servers {
		if n := at(&p.Servers[i]); n != "" && p.Servers[i].Resources > 0 {
			home[n] = append(home[n], i)
		}
	}
	owed := make([]float64, len(p.Servers))
	rest := make([]bool, len(p.Sites))
	for d := range p.Sites {
		servers := home[of(&p.Sites[d])]
		if rest[d] = of(&p.Sites[d]) == "" || len(servers) == 0; rest[d] {
			continue
		}
		weights := make([]float64, len(p.Servers))
		for _, i := range servers {
			weights[i] = p.Servers[i].Resources
		}
		all.deal(p, d, weights, owed)
	}
	left := p.Fair()
	for i, n := range all.Loads(p) {
		left[i] -= float64(n)
	}
	all.fill(p, left, rest)
	return all.costed(p)
}

// fill deals the sites with rest[d], or all if rest is nil, in proportion to what each server lacks.
func (p *Plan) fill(of *Problem, lacks []float64, rest []bool) {
	weights := make([]float64, len(lacks))
	var sum float64
	for i, v := range lacks {
		weights[i] = max(v, 0)
		sum += weights[i]
	}
	if sum == 0 {
		for i, v := range of.Servers {
			weights[i] = v.Resources
		}
	}
	owed := make([]float64, len(lacks))
	for d := range of.Sites {
		if rest == nil || rest[d] {
			p.deal(of, d, weights, owed)
		}
	}
}

// deal gives the recipients of a site to servers in proportion to weights. Those that are left over
// by rounding go one by one to the server with a weight to which most is owed, the first of equals.
// owed is carried from site to site: what rounding has kept from each server.
func (p *Plan) deal(of *Problem, site int, weights, owed []float64) {
	var sum float64
	for _, w := range weights {
		sum += w
	}
	n := of.Sites[site].Recipients
	rest := n
	for i, w := range weights {
		due := float64(n) * (w / sum)
		got := min(int64(math.Floor(due)), rest)
		p.Counts[of.At(site, i)] = got
		owed[i] += due - float64(got)
		rest -= got
	}
	for ; rest > 0; rest-- {
		to := -1
		for i, w := range weights {
			if w > 0 && (to < 0 || owed[i] > owed[to]+1e-6) {
				to = i
			}
		}
		p.Counts[of.At(site, to)]++
		owed[to]--
	}
}

// Segment returns the plan that keeps recipients of the same content together ([0036]): the sites are
// put in order of their segments, as these first appear, and the whole is cut into one piece for
// each server, in proportion to resources.
func Segment(p *Problem) Plan {
	all := newPlan(p, "segment")
	var order []string
	for _, s := range p.Sites {
		if !slices.Contains(order, s.Segment) {
			order = append(order, s.Segment)
		}
	}
	var ends []int64
	var sum float64
	for _, fair := range p.Fair() {
		sum += fair
		ends = append(ends, int64(math.Round(sum)))
	}
	ends[len(ends)-1] = p.Total()
	server, before := 0, int64(0)
	for _, segment := range order {
		for d, s := range p.Sites {
			if s.Segment != segment {
				continue
			}
			for n := s.Recipients; n > 0; {
				for before == ends[server] {
					server++
				}
				got := min(n, ends[server]-before)
				all.Counts[p.At(d, server)] += got
				before += got
				n -= got
			}
		}
	}
	return all.costed(p)
}

const purposeRandom rng.Purpose = 2

// Random returns the plan in which each recipient's server is drawn, in proportion to resources: what
// a sender does that heeds no distance.
func Random(p *Problem, key rng.Key) Plan {
	all := newPlan(p, "random")
	for d, s := range p.Sites {
		left := s.Recipients
		var weight float64
		for _, v := range p.Servers {
			weight += v.Resources
		}
		for i, v := range p.Servers {
			got := left
			if v.Resources < weight*(1-1e-9) {
				got = binomial(left, v.Resources/weight, key.At(uint64(d)<<32|uint64(i), 0, purposeRandom))
			}
			all.Counts[p.At(d, i)] = got
			left -= got
			weight -= v.Resources
		}
	}
	return all.costed(p)
}

// binomial returns how many of n draws with probability q succeed: by inversion up to 1000 draws,
// with a normal distribution beyond.
func binomial(n int64, q float64, word rng.Block) int64 {
	q = min(q, 1)
	u := (float64(word[0]) + 0.5) / (1 << 32)
	if n > 1000 {
		mean, sd := float64(n)*q, math.Sqrt(float64(n)*q*(1-q))
		if sd == 0 {
			return int64(math.Round(mean))
		}
		return min(max(int64(math.Round(distuv.Normal{Mu: mean, Sigma: sd}.Quantile(u))), 0), n)
	}
	var k int64
	odds := 0.0
	for ; k < n; k++ {
		odds += distuv.Binomial{N: float64(n), P: q}.Prob(float64(k))
		if u < odds {
			break
		}
	}
	return k
}
