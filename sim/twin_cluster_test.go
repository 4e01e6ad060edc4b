package sim_test

import (
	"container/heap"
	"math"

	"flyball/internal/mail"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// The demand and the load of the twin's servers, and their common decisions:
// docs/model.md, sections 3 and 7.4.

// wanted is how many processes the server would have at this moment if C had no
// limit.
func (v *twinServer) wanted() (n int) {
	for _, j := range v.jobs {
		could := j.processes + len(j.due) + len(j.back)
		for k := j.next; k < j.end; k += j.campaign.Subset {
			could++
		}
		n += min(could, j.campaign.Processes)
	}
	return n
}

// load is the share of the scarcest resource in use with n attempts under way.
func (v *twinServer) load(n float64) float64 {
	sigma, kappa := v.s.Servers[v.number].Contention, v.s.Servers[v.number].Coherency
	if n < 1 {
		return n * sigma
	}
	slowness := 1 + sigma*(n-1) + kappa*n*(n-1)
	return (slowness - (1 - sigma)) / slowness
}

// cluster is all servers under one governor.
type cluster struct {
	available float64 // C
	target    float64 // T of the interval under way
	unheard   []row
	weights   []float64 // not a number: none yet
}

func (t *twin) together() bool { return t.governed() || t.dfrOfAll() }

func (t *twin) governed() bool { return t.s.Governor.Scope == "cluster" }

func (t *twin) dfrOfAll() bool {
	return (t.s.Retry.Policy == "dfr" || t.s.Retry.Policy == "dfr-fn") && t.s.Retry.Scope == "cluster"
}

// found gives each server an equal part of the first C.
func (t *twin) found() {
	if t.together() {
		t.meetAt(vt.Time(t.s.Governor.Interval))
	}
	if !t.governed() {
		return
	}
	t.ours.available = float64(len(t.servers)) * t.s.Governor.Start
	t.ours.target = float64(len(t.servers)) * ordered(t.s.Governor, 0)
	var needs []int
	for range t.servers {
		t.ours.weights = append(t.ours.weights, math.NaN())
		needs = append(needs, 0)
	}
	for i, c := range t.ours.divide(needs) {
		t.servers[i].available = float64(c)
		t.servers[i].target = 0
	}
}

// meetAt lets the servers meet when all else of that moment is over.
func (t *twin) meetAt(at vt.Time) {
	heap.Push(&t.events, event{at: at, last: true, server: mail.Server(len(t.servers)), happen: t.meet})
}

// meet ends the interval of all servers.
func (t *twin) meet() {
	var rows []row
	var needs []int
	for _, v := range t.servers {
		v.count()
		now := v.wanted()
		r := v.measured()
		rows = append(rows, r)
		needs = append(needs, max(now, int(math.Ceil(r.Demand))))
		v.reviveAll()
		v.ripen()
	}
	all := t.sum(rows)
	next := make([]float64, len(rows))
	for i, r := range rows {
		if t.governed() {
			continue
		}
		v := t.servers[i]
		v.target = ordered(v.s.Governor, v.now)
		v.unheard = append(v.unheard, r)
		next[i] = govern(t.s.Governor, &v.unheard, v.available, v.target)
	}
	if t.governed() {
		g, n := t.s.Governor, float64(len(rows))
		t.ours.target = n * ordered(g, t.now)
		g.Factor, g.D = g.Factor*unit.PerHour(n), g.D*n
		t.ours.unheard = append(t.ours.unheard, all)
		t.ours.available = govern(g, &t.ours.unheard, t.ours.available, t.ours.target)
		t.ours.learn(rows, t.s.Governor.Interval.Hours())
		for i, c := range t.ours.divide(needs) {
			next[i] = float64(c)
		}
	}
	for i, v := range t.servers {
		dfrOf := rows[i]
		if t.dfrOfAll() {
			dfrOf = all
		}
		v.goOn(rows[i], next[i], dfrOf)
		v.grant()
	}
	if t.governed() {
		all.Available = t.ours.available
		t.Rows = append(t.Rows, all)
	}
	t.meetAt(t.now.Add(t.s.Governor.Interval))
}

func (t *twin) sum(rows []row) row {
	all := row{Server: mail.Server(len(rows)), Number: rows[0].Number, End: t.now, Target: t.ours.target,
		Previous: t.ours.available, RetryLimit: math.MaxInt}
	for _, r := range rows {
		all.Delivered += r.Delivered
		all.Attempts += r.Attempts
		all.Allocated += r.Allocated
		all.Demand += r.Demand
		all.Load = math.Max(all.Load, r.Load)
		all.RetryLimit = min(all.RetryLimit, r.RetryLimit)
		all.Freed += r.Freed
		all.HandedBack += r.HandedBack
		all.Draining = all.Draining || r.Draining
		all.Partial = r.Partial
	}
	return all
}

// cutIntervals ends the run.
func (t *twin) cutIntervals() {
	var rows []row
	for _, v := range t.servers {
		if v.now > v.began {
			r := v.measured()
			r.Partial = true
			rows = append(rows, r)
		}
	}
	t.Rows = append(t.Rows, rows...)
	if t.governed() && len(rows) > 0 {
		t.Rows = append(t.Rows, t.sum(rows))
	}
}

// learn moves the weights towards the efficiencies.
func (c *cluster) learn(rows []row, hours float64) {
	var delivered uint64
	for _, r := range rows {
		delivered += r.Delivered
	}
	for i, r := range rows {
		if r.Allocated == 0 || delivered == 0 {
			continue
		}
		e := float64(r.Delivered) / hours / r.Allocated
		if math.IsNaN(c.weights[i]) {
			c.weights[i] = e
		} else {
			c.weights[i] = 0.5 * (c.weights[i] + e)
		}
	}
}

// divide returns each server's part of C.
func (c *cluster) divide(needs []int) []int {
	weights := make([]float64, len(needs))
	sum, known := 0.0, 0.0
	for _, w := range c.weights {
		if !math.IsNaN(w) {
			sum += w
			known++
		}
	}
	for i, w := range c.weights {
		if weights[i] = w; math.IsNaN(w) {
			weights[i] = 1
			if known > 0 {
				weights[i] = sum / known
			}
		}
	}
	parts, all := map[int]int{}, map[int]int{}
	lack := map[int]int{}
	for i, n := range needs {
		parts[i] = 1
		all[i] = math.MaxInt
		if n > 1 {
			lack[i] = n - 1
		}
	}
	rest := int(math.Floor(c.available)) - len(needs)
	rest = handOut(rest, weights, lack, parts)
	handOut(rest, weights, all, parts)
	var list []int
	for i := range needs {
		list = append(list, parts[i])
	}
	return list
}

// handOut divides the rest among the servers that lack processes, and returns
// what remains.
func handOut(rest int, weights []float64, lack, parts map[int]int) int {
	if rest <= 0 || len(lack) == 0 {
		return max(rest, 0)
	}
	sum := 0.0
	for i, w := range weights {
		if lack[i] > 0 {
			sum += w
		}
	}
	gets := func(i int) float64 {
		if sum == 0 {
			return float64(rest) / float64(len(lack))
		}
		return float64(rest) * weights[i] / sum
	}
	content := map[int]int{}
	for i, n := range lack {
		if gets(i) >= float64(n) {
			content[i] = n
		}
	}
	if len(content) > 0 {
		for i, n := range content {
			parts[i] += n
			rest -= n
			delete(lack, i)
		}
		return handOut(rest, weights, lack, parts)
	}
	remainders := map[int]float64{}
	left := rest
	for i := range lack {
		whole := math.Floor(gets(i))
		parts[i] += int(whole)
		left -= int(whole)
		remainders[i] = gets(i) - whole
	}
	for ; left > 0; left-- {
		best := -1
		for i := range weights {
			if r, ok := remainders[i]; ok && (best < 0 || r > remainders[best]) {
				best = i
			}
		}
		parts[best]++
		delete(remainders, best)
	}
	return 0
}
