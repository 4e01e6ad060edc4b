// Package governing decides for several delivering servers at once, at the ends of
// their intervals: by one governor for all of them ([0063]), or by one delivery
// failure rate for their retry limits ([0074]). It is an engine.Saver and
// collects a Report from every server:
//
//	interval: collecting -> decided (all servers have reported, or patience has ended) -> collecting the next
//
// It answers every Report with a Verdict. Between the ends of intervals it does
// nothing, so servers may run independently until NextWake.
package governing

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Config configures a Cluster.
type Config struct {
	Servers  int
	Interval vt.Span           // S, the same as the servers'
	Governor governor.Governor // one for all servers; nil: every server has its own
	// messages per hour to attain in an interval that begins at a time; nil without Governor
	Target func(vt.Time) float64
	// receives the cluster's intervals, under the server number Servers; nil without Governor
	Observer engine.Observer
}

// Cluster is the role that governs all servers of a run.
type Cluster struct {
	cfg     Config
	rate    float64  // messages per hour to attain in the current interval
	weights []weight // by server; C is divided by them
	parts   []int    // parts of C by server, in whole processes

	number  uint64          // number of the interval whose reports are collected
	next    vt.Time         // see NextWake
	reports []engine.Report // by server
	// by server: whether its report on this interval has arrived; if not, reports has an older one
	came     []bool
	verdicts []engine.Verdict // verdicts on the interval before
}

// New returns the cluster at time 0, when the first interval begins.
func New(cfg Config) *Cluster {
	n := cfg.Servers
	c := &Cluster{cfg: cfg, next: vt.Time(cfg.Interval), weights: make([]weight, n), parts: make([]int, n),
		reports: make([]engine.Report, n), came: make([]bool, n), verdicts: make([]engine.Verdict, n)}
	if cfg.Governor != nil {
		c.rate = cfg.Target(0)
		c.divide(make([]int, n))
	}
	return c
}

// Part returns the server's present part of C; 0 if the cluster does not decide on C.
func (c *Cluster) Part(server mail.Server) int { return c.parts[server] }

// Receive processes a Report. When the reports of all servers have arrived, the
// cluster decides and sends each server its Verdict.
func (c *Cluster) Receive(now vt.Time, m engine.Message, out *engine.Outbox) {
	r, ok := m.Body.(engine.Report)
	if !ok {
		panic(fmt.Sprintf("governing: got %v, want a Report", m))
	}
	server := m.From.Server
	switch {
	case m.Number+1 == c.number: // decided already: the verdict may have been lost
		c.send(server, out)
		return
	case m.Number < c.number, m.Number == c.number && c.came[server]:
		return
	case m.Number > c.number: // this server is ahead: reports of others were lost
		if slices.Contains(c.came, true) {
			c.decide(out)
		}
		c.number = m.Number
	}
	if !slices.Contains(c.came, true) {
		c.next = now.Add(c.cfg.Interval / patience)
	}
	c.reports[server], c.came[server] = r, true
	if !slices.Contains(c.came, false) {
		c.decide(out)
	}
}

// patience determines how long the cluster waits for the other reports after the
// first one: Interval / patience. This is longer than any message takes, and short
// enough for the verdict to be useful in the next interval.
const patience = 10

// Wake decides on an interval without the reports that have not arrived in time.
func (c *Cluster) Wake(now vt.Time, _ engine.Load, out *engine.Outbox) {
	switch {
	case now < c.next:
	case slices.Contains(c.came, true):
		c.decide(out)
	default:
		c.next = c.endAfter(now)
	}
}

// NextWake returns the end of the current interval or, once a report has arrived,
// the time until which the cluster waits for the others.
func (c *Cluster) NextWake() vt.Time { return c.next }

// Done returns true: a cluster has no work of its own.
func (c *Cluster) Done() bool { return true }

// Governs reports whether the cluster decides on C.
func (c *Cluster) Governs() bool { return c.cfg.Governor != nil }

// endAfter returns the first end of an interval after now. Intervals are counted from time 0.
func (c *Cluster) endAfter(now vt.Time) vt.Time {
	s := vt.Time(c.cfg.Interval)
	return (now/s + 1) * s
}

// decide closes the interval with the reports that have arrived, and sends every
// server its verdict.
func (c *Cluster) decide(out *engine.Outbox) {
	all := c.together()
	governor := c.cfg.Governor
	switch {
	case governor == nil:
	case all.Partial:
		all.Target = c.rate
		c.record(&all, all.Sample.Undecided(governor.Available()))
	default:
		all.Target, c.rate = c.rate, c.cfg.Target(all.Ended)
		all.Sample.TargetRate = c.rate
		c.record(&all, governor.Decide(all.Sample))
		c.weigh(&all)
		needs := make([]int, len(c.reports))
		for i := range c.reports {
			needs[i] = need(&c.reports[i])
		}
		c.divide(needs)
	}
	clear(c.came)
	c.number++
	c.next = c.endAfter(all.Ended)
	if all.Partial {
		c.next = vt.Never
		return
	}
	for i := range c.verdicts {
		c.verdicts[i] = engine.Verdict{Attempts: all.Sample.Attempts, Delivered: all.Sample.Delivered,
			Available: c.parts[i]}
		c.send(mail.Server(i), out)
	}
}

// send sends a server the verdict on the last decided interval.
func (c *Cluster) send(server mail.Server, out *engine.Outbox) {
	out.Send = append(out.Send, engine.Message{From: engine.Address{Role: engine.Governing},
		To: engine.Address{Role: engine.Delivery, Server: server}, Number: c.number - 1, Body: c.verdicts[server]})
}

func (c *Cluster) record(all *engine.Report, d governor.Decision) {
	c.cfg.Observer.Interval(all.Ended, mail.Server(c.cfg.Servers), all.Row(int(c.number), d))
}

// together merges the reports that have arrived.
func (c *Cluster) together() engine.Report {
	all := engine.Report{RetryLimit: math.MaxInt}
	for i := range c.reports {
		if c.came[i] {
			all.Add(&c.reports[i])
		}
	}
	return all
}

// need returns the number of processes that a server can use: the greater of its
// present demand and its mean demand in the interval, since waiting resends will
// fall due; at least 1.
func need(r *engine.Report) int { return max(r.Wanted, int(math.Ceil(r.Sample.Demand)), 1) }

// weigh moves the weights of the servers half the way towards their efficiencies.
// Moving all the way would oscillate for ever if a server slows down by the square
// of its processes, the worst case of contention; half the way converges. An
// interval without deliveries gives no information on efficiency.
func (c *Cluster) weigh(all *engine.Report) {
	if all.Sample.Delivered == 0 {
		return
	}
	for i := range c.reports {
		s, w := &c.reports[i].Sample, &c.weights[i]
		if !c.came[i] || s.Allocated == 0 {
			continue
		}
		e := float64(s.Delivered) / s.Span.Hours() / s.Allocated
		if w.known {
			e = (w.efficiency + e) / 2
		}
		*w = weight{e, true}
	}
}

// weight is the estimated efficiency of a server.
type weight struct {
	efficiency float64 // messages per hour and process
	known      bool    // the server has had a process in some interval
}

// divide divides C. Each server gets one process, so that its efficiency can be
// measured; then up to its demand, by weight; then the remainder, by weight too.
func (c *Cluster) divide(needs []int) {
	room := make([]int, len(needs))
	for i := range needs {
		c.parts[i] = 1
		room[i] = max(needs[i]-1, 0)
	}
	left := governor.Published(c.cfg.Governor.Available()) - len(needs)
	left = c.handOut(left, room)
	for i := range room {
		room[i] = math.MaxInt
	}
	c.handOut(left, room)
}

// handOut distributes left processes in proportion to the weights, to each server
// at most its room: servers that would get more are filled first. The rest after
// rounding down goes to the largest remainders, and among equal ones to the lower
// server. It returns the number of processes for which no server had room.
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
			case !w.known && n > 0: // assume the mean of the others
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

// State saves the cluster's state, or restores it in a cluster built from the same
// Config.
func (c *Cluster) State(s *snap.Codec) {
	if c.cfg.Governor != nil {
		c.cfg.Governor.(governor.Keeper).State(s)
	}
	s.Fields(&c.rate, &c.parts, &c.came, &c.number, &c.next)
	for i := range c.weights {
		v := &c.verdicts[i]
		s.Fields(&c.weights[i].efficiency, &c.weights[i].known, &v.Attempts, &v.Delivered, &v.Available)
		c.reports[i].State(s)
	}
}
