package delivery

import (
	"cmp"
	"math"
	"slices"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Cluster decides for several servers at once, at the ends of intervals: one
// governor over all of them ([0063]), or one delivery failure rate for their
// retry limits ([0074]). Machines of a Config that says Together report to it,
// and go on when they are told its Verdict:
//
//	Wake     the machine closes its interval and wants OpReport    of each machine
//	Decide   takes the reports of all and gives each its verdict   once
//	Adjust   the machine takes it                                  of each machine
//
// all at the same time. In between a machine takes no other input. Like a
// Machine it has no clock, I/O, goroutine or randomness.
type Cluster struct {
	gov      governor.Governor // nil: every server has its own
	target   func(vt.Time) float64
	obs      engine.Observer
	rate     float64  // messages per hour to attain in the interval under way
	weights  []weight // of the servers, by which C is divided
	parts    []int    // of C, whole processes
	verdicts []Verdict
}

// Verdict is what a cluster has decided for one of its servers.
type Verdict struct {
	Attempts, Delivered uint64 // of all servers in the interval
	Available           int    // the server's part of C; 0 if it has a governor of its own
}

// NewCluster makes the cluster of so many servers. Gov governs them all, target
// is what it is to attain in an interval that begins at a time, and obs is told
// of its intervals, as those of a server after the last one; all three are nil
// where each server has a governor of its own.
func NewCluster(servers int, gov governor.Governor, target func(vt.Time) float64, obs engine.Observer) *Cluster {
	c := &Cluster{gov: gov, target: target, obs: obs, weights: make([]weight, servers), parts: make([]int, servers), verdicts: make([]Verdict, servers)}
	if gov != nil {
		c.rate = target(0)
		c.divide(make([]int, servers))
	}
	return c
}

// Part is the governor of a machine whose C is the cluster's to decide, by its
// number among the servers.
func (c *Cluster) Part(server mail.Server) governor.Governor {
	return &portion{available: c.parts[server], next: c.parts[server]}
}

// Governs reports whether the cluster decides about C.
func (c *Cluster) Governs() bool { return c.gov != nil }

// Decide takes the reports of all servers in their order, and has a verdict for
// each. The verdicts are good until the next call.
func (c *Cluster) Decide(now vt.Time, reports []Report) []Verdict {
	all := together(reports)
	if c.gov != nil {
		all.target, c.rate = c.rate, c.target(now)
		all.Sample.TargetRate = c.rate
		d := c.gov.Decide(all.Sample)
		c.obs.Interval(now, mail.Server(len(reports)), all.row(d))
		c.weigh(reports, &all)
		needs := make([]int, len(reports))
		for i := range reports {
			needs[i] = reports[i].need()
		}
		c.divide(needs)
	}
	for i := range c.verdicts {
		c.verdicts[i] = Verdict{Attempts: all.Sample.Attempts, Delivered: all.Sample.Delivered}
		if c.gov != nil {
			c.verdicts[i].Available = c.parts[i]
		}
	}
	return c.verdicts
}

// Finish ends the run with the partial intervals of the machines.
func (c *Cluster) Finish(now vt.Time, reports []Report) {
	if all := together(reports); c.gov != nil && all.Sample.Span > 0 {
		all.target = c.rate
		c.obs.Interval(now, mail.Server(len(reports)), all.row(all.Sample.Undecided(c.gov.Available())))
	}
}

func together(reports []Report) Report {
	all := Report{limit: math.MaxInt}
	for i := range reports {
		all.add(&reports[i])
	}
	return all
}

// need is the number of processes that a server has a use for: those that it
// wants now, or wanted on the average of the interval if these are more, since
// resends that wait now will fall due.
func (r *Report) need() int { return max(r.wanted, int(math.Ceil(r.Sample.Demand)), 1) }

// weigh lets the weights of the servers follow their efficiencies, half the way
// at each interval. The whole way would swing for ever where a server slows
// down by the square of its processes, which is the most that contention does;
// half the way comes to rest. An interval in which nobody delivers says nothing
// about who does it better.
func (c *Cluster) weigh(reports []Report, all *Report) {
	if all.Sample.Delivered == 0 {
		return
	}
	for i := range reports {
		s, w := &reports[i].Sample, &c.weights[i]
		if s.Allocated == 0 {
			continue
		}
		e := float64(s.Delivered) / s.Span.Hours() / s.Allocated
		if w.known {
			e = (w.efficiency + e) / 2
		}
		*w = weight{e, true}
	}
}

// weight is what is known of the efficiency of a server.
type weight struct {
	efficiency float64 // messages per hour and process
	known      bool    // it has had a process in an interval
}

// divide hands C out. Everybody gets one process, so that a server can show
// what it is worth; then what he needs, by the weights; then what nobody needs,
// likewise.
func (c *Cluster) divide(needs []int) {
	room := make([]int, len(needs))
	for i := range needs {
		c.parts[i] = 1
		room[i] = max(needs[i]-1, 0)
	}
	left := governor.Published(c.gov.Available()) - len(needs)
	left = c.handOut(left, room)
	for i := range room {
		room[i] = math.MaxInt
	}
	c.handOut(left, room)
}

// handOut hands out so many processes in proportion to the weights, to each at
// most what he has room for: who would get more is filled first. What is left
// of whole processes goes to the largest remainders, of equals to the lower
// server. It returns what nobody had room for.
func (c *Cluster) handOut(left int, room []int) int {
	type share struct {
		server int
		weight float64
		quota  float64
	}
	var open []share
	for left > 0 {
		open = open[:0]
		var known, all float64
		n := 0
		for _, w := range c.weights {
			if w.known {
				known += w.efficiency
				n++
			}
		}
		for i, w := range c.weights {
			switch {
			case room[i] == 0:
				continue
			case !w.known && n > 0: // as good as the others
				w.efficiency = known / float64(n)
			}
			open = append(open, share{server: i, weight: w.efficiency})
			all += w.efficiency
		}
		if len(open) == 0 {
			break
		}
		filled, toDivide := false, float64(left)
		for i := range open {
			s := &open[i]
			s.quota = toDivide / float64(len(open))
			if all > 0 {
				s.quota = float64(toDivide*s.weight) / all
			}
			if r := room[s.server]; s.quota >= float64(r) {
				r = min(r, left)
				c.parts[s.server] += r
				left -= r
				room[s.server] = 0
				filled = true
			}
		}
		if filled {
			continue
		}
		for i := range open {
			s := &open[i]
			whole := math.Floor(s.quota)
			c.parts[s.server] += int(whole)
			left -= int(whole)
			s.quota -= whole
		}
		slices.SortStableFunc(open, func(a, b share) int { return cmp.Compare(b.quota, a.quota) })
		for _, s := range open[:min(max(left, 0), len(open))] {
			c.parts[s.server]++
			left--
		}
		break
	}
	return left
}

// State saves or restores a cluster that was built in the same way.
func (c *Cluster) State(s *snap.Codec) {
	if c.gov == nil {
		return
	}
	c.gov.(governor.Keeper).State(s)
	snap.Float(s, &c.rate)
	for i := range c.weights {
		snap.Float(s, &c.weights[i].efficiency)
		snap.Bool(s, &c.weights[i].known)
	}
}

// portion is the governor of a machine whose C is a part of the cluster's.
type portion struct{ available, next int }

func (p *portion) Available() float64 { return float64(p.available) }

// Decide takes what the cluster has decided. There is no target for a part.
func (p *portion) Decide(s governor.Sample) governor.Decision {
	d := s.Undecided(p.Available())
	d.Efficiency, d.Step = d.Rate/d.Allocated, math.NaN()
	p.available = p.next
	d.Available = p.Available()
	return d
}

func (p *portion) State(c *snap.Codec) {
	snap.Int(c, &p.available)
	snap.Int(c, &p.next)
}
