package sim_test

import (
	"cmp"
	"container/heap"
	"math"
	"slices"

	"flyball/engine/partition"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// lesson is one attempt that shows how far a destination is from a server: it delivered over a fresh connection.
type lesson struct {
	server mail.Server
	dest   mail.Destination
	took   vt.Span // from the connection to the reply
	hops   int
}

// way is what the twin believes of a pair.
type way struct {
	delay, hops, weight float64
	mailing             int
}

// school plans campaigns as they begin, by what the lessons before have shown (docs/model.md 7.8).
type school struct {
	lessons  []lesson // since the last plan
	ways     map[[2]int]*way
	mailings int
	sent     uint64
}

// learn makes averages of the lessons.
func (c *school) learn(s *scenarios.Scenario) {
	if len(c.lessons) == 0 {
		return
	}
	c.mailings++
	together := map[[2]int][]lesson{}
	for _, l := range c.lessons {
		k := [2]int{int(l.dest), int(l.server)}
		together[k] = append(together[k], l)
	}
	for k, all := range together {
		var took vt.Span
		hops := 0
		for _, l := range all {
			took, hops = took+l.took, hops+l.hops
		}
		n := float64(len(all))
		delay, far := min(float64(took)/n/1e6, partition.MostCost), float64(hops)/n
		w := c.ways[k]
		if w == nil {
			c.ways[k] = &way{delay, far, min(n, float64(s.Dispatch.Proximity.Memory)), c.mailings}
			continue
		}
		old := c.weight(s, w)
		w.delay, w.hops = (w.delay*old+delay*n)/(old+n), (w.hops*old+far*n)/(old+n)
		w.weight, w.mailing = min(old+n, float64(s.Dispatch.Proximity.Memory)), c.mailings
	}
	c.lessons = nil
}

// weight halves with each half-life.
func (c *school) weight(s *scenarios.Scenario, w *way) float64 {
	return w.weight * math.Pow(0.5, float64(c.mailings-w.mailing)/s.Dispatch.Proximity.HalfLife)
}

// schedule orders the plans, each for the campaigns that begin at the same time.
func (t *twin) schedule() {
	list := t.s.List(t.key)
	t.list = &list
	t.school = &school{ways: map[[2]int]*way{}}
	var starts []vt.Span
	for _, c := range t.s.Campaigns {
		starts = append(starts, max(c.Start-1, 0))
	}
	slices.Sort(starts)
	for _, at := range slices.Compact(starts) {
		if at == 0 {
			t.plan(0)
			continue
		}
		heap.Push(&t.events, event{at: vt.Time(at), last: true, happen: func() { t.plan(at) }})
	}
}

// plan deals the campaigns that begin at most a moment after at, and hands the parts over when they begin.
func (t *twin) plan(at vt.Span) {
	t.school.learn(t.s)
	first := 0
	for number, c := range t.s.Campaigns {
		if max(c.Start-1, 0) == at {
			from := first
			counts := t.school.divide(t.s, number, t.list.Groups(number))
			for i, to := range t.list.Deal(number, counts, len(t.s.Servers)) {
				if n := int(to) - from; n > 0 {
					j := &job{next: from, end: int(to), campaign: c, total: n, left: n,
						parked: map[mail.Destination][]*recipient{}}
					arrives := func() { t.servers[i].receive(j) }
					t.at(vt.Time(c.Start), mail.Server(i), listArrives, t.school.sent, arrives)
					t.school.sent++
				}
				from = int(to)
			}
		}
		first += c.Recipients
	}
}

// divide returns how many recipients of each destination each server gets.
func (c *school) divide(s *scenarios.Scenario, campaign int, groups []int64) []int64 {
	cfg, servers := s.Dispatch.Proximity, len(s.Servers)
	times := make([]int64, servers*len(groups))
	weights := make([]float64, len(times))
	far := make([]float64, len(times))
	known := make([]bool, len(groups))
	var sum, of float64
	for at := range times {
		if w := c.ways[[2]int{at / servers, at % servers}]; w != nil {
			known[at/servers] = true
			weights[at], far[at] = c.weight(s, w), w.delay
			if cfg.By == "hops" {
				far[at] = 10 * w.hops
			}
			sum += weights[at] * far[at]
			of += weights[at]
		}
	}
	for at := range times {
		near, by := sum, of
		if d := at / servers; known[d] {
			near, by = 0, 0
			for i := d * servers; i < (d+1)*servers; i++ {
				near += weights[i] * far[i]
				by += weights[i]
			}
		}
		if by > 0 {
			near /= by
		}
		times[at] = min(int64(math.Round((far[at]*weights[at]+near)/(weights[at]+1))), partition.MostCost)
	}
	problem := s.ProblemAt(campaign, groups, times)
	tight := *problem
	var rooms float64
	for _, room := range problem.Rooms() {
		rooms += float64(room)
	}
	if slices.Contains(known, false) {
		tight.Quota = slices.Repeat([]int64{partition.MostRecipients}, len(times))
		copy(tight.Quota, problem.Quota)
	}
	for d := range groups {
		if known[d] {
			continue
		}
		for i, room := range problem.Rooms() {
			most := int64(math.Ceil(float64(groups[d]) * (float64(room) / rooms)))
			tight.Quota[d*servers+i] = min(tight.Quota[d*servers+i], most)
		}
	}
	wanted, ok := partition.Optimal(&tight)
	if !ok {
		tight = *problem
		wanted, _ = partition.Optimal(&tight)
	}
	probes := c.probe(s, &tight, wanted.Counts, weights, known)
	rest := tight
	rest.Imbalance = 10
	rest.Sites, rest.Servers = slices.Clone(tight.Sites), slices.Clone(tight.Servers)
	rest.Quota = slices.Clone(tight.Quota)
	for i, room := range tight.Rooms() {
		rest.Servers[i].Quota = room
	}
	for at, n := range probes {
		rest.Sites[at/servers].Recipients -= n
		rest.Servers[at%servers].Quota -= n
		if rest.Quota != nil {
			rest.Quota[at] -= n
		}
	}
	left, ok := partition.Optimal(&rest)
	if !ok {
		return wanted.Counts
	}
	for at, n := range probes {
		left.Counts[at] += n
	}
	return left.Counts
}

// probe chooses the probes, one at a time.
func (c *school) probe(s *scenarios.Scenario, p *partition.Problem, wanted []int64, weights []float64,
	known []bool) []int64 {
	share, servers := s.Dispatch.Proximity.Probes, len(p.Servers)
	probes, rooms := make([]int64, len(wanted)), p.Rooms()
	most := int64(float64(p.Total()) * share)
	one := func(d int) bool {
		best, least := -1, 200.0
		for i := range servers {
			at := d*servers + i
			if n := weights[at] + float64(wanted[at]+probes[at]); n < least && p.Servers[i].Resources > 0 &&
				rooms[i] > 1 && (p.Quota == nil || probes[at] < p.Quota[at]) {
				best, least = i, n
			}
		}
		if best < 0 {
			return false
		}
		probes[d*servers+best]++
		rooms[best]--
		most--
		return true
	}
	if most == 0 {
		return probes
	}
	var turns []int
	for d, site := range p.Sites {
		if !known[d] || site.Recipients == 0 {
			continue
		}
		turns = append(turns, d)
		for range int64(float64(site.Recipients) * share) {
			one(d)
		}
	}
	slices.SortStableFunc(turns, func(a, b int) int {
		return cmp.Compare(slices.Min(weights[a*servers:(a+1)*servers]), slices.Min(weights[b*servers:(b+1)*servers]))
	})
	for _, d := range turns {
		if most > 0 {
			one(d)
		}
	}
	return probes
}
