package governor

import (
	"math"

	"flyball/internal/portable"
	"flyball/internal/snap"
)

// The regulator is our own law. Like the patent's laws it sets C = T / E, but it
// estimates E instead of trusting the last interval:
//
//   - E is filtered. As long as deviations look like noise, the estimate is the
//     mean of the last intervals; a larger deviation restarts it.
//   - C moves only when the change is significant, but then all the way, without
//     a d.
//   - While messages stall or work runs out, nothing is learned and C is held. A
//     decision made just before a stall is undone.
//   - Unfinished work is distinguished from slow work: E is deliveries / time of
//     the attempts that ended, whatever is still under way.
//   - A burst of failures is distinguished from slow work. Its first interval is
//     ignored, since deferred messages come again; attempts that keep timing out
//     mean too many processes.
//   - More processes must deliver more (see scaling), or C goes back (see
//     ceiling).
//   - The daily cycle is learned, and C moves ahead of it (see cycle).
//
// The computation uses logarithms: ln of an efficiency plus ln of a number of
// processes is ln of a rate. The law has no parameters; the constants below
// serve all servers. They were chosen with the trials of
// TestRegulatorAgainstHindsight, the training half of the disturbance suite and
// scenarios like it (docs/laws.md).
const (
	firstNoise  = 0.03  // initial relative noise of E in one interval
	leastNoise  = 0.002 // minimum noise, in addition to the noise of counting
	noiseMemory = 20    // intervals over which the noise is learned
	memory      = 16    // intervals whose mean is E while it does not change
	surprise    = 3.5   // standard deviations that restart the estimate
	doubt       = 0.8   // standard errors below which C does not move
	halfStall   = -0.45 // ln(E / level) below which half a stall is suspected
	leastDone   = 0.5   // share of an interval's work that must be done for the interval to count
	longestLag  = 4.0   // upper bound of lag, in intervals
	moreFail    = 0.1   // growth of the share of failed attempts that counts as a burst
	usualGain   = 0.3   // weight of an interval in the usual share of failed attempts
	settledAt   = 1.1   // utilization below which P_a has followed the last fall of C
	fade        = 0.998 // factor by which the best rate decays per interval
	standing    = 4     // intervals without a move of C after which C cannot have lowered E
	farBeyond   = 0.7   // growth of ln P_a since the best rate above which the two rates give the yield
)

var regulatorLaw = Law{Name: "regulator", Kind: Tracker,
	Doc: "steers by an estimate of efficiency, as far as more processes deliver more " +
		"(not in the patent application)",
	Inputs: []string{"attempts", "timeouts", "attempt_s"},
	build:  func(c Config) law { return newRegulator(newBase(c)) },
}

type regulator struct {
	base
	now    estimate
	before estimate   // now before the last decision
	undo   float64    // C before the last decision; 0: nothing to undo
	wait   int        // intervals still to ignore after a stall or an idle time
	used   [4]float64 // processes allocated in the last intervals, the latest first; 0: unknown
	still  int        // intervals since used last moved
	lag    float64    // mean time of an attempt, in intervals
	during float64    // ln of the mean number of processes while the attempts that just ended were under way
	moved  float64    // change of during in the last interval
	usual  float64    // usual share of attempts that deliver nothing
	bursts int        // consecutive intervals in which that share was far greater
	best   float64    // the greatest rate so far, decaying
	most   float64    // ln of the processes that attained the best rate
	day    cycle
}

// estimate holds what the regulator has learned about the server.
type estimate struct {
	known   bool
	noise   float64 // variance of ln E in one interval, without the noise of counting
	seen    int     // number of samples from which the noise was learned
	off     float64 // last deviation from the level
	drift   float64 // smoothed deviation
	size    float64 // smoothed absolute deviation
	doubted bool    // the last interval delivered so little that it may have been half a stall
	suspect float64 // ln E in the last interval
	scaling
	ceiling ceiling
}

func newRegulator(g base) *regulator {
	return &regulator{base: g, day: newCycle(g.cfg.Interval),
		now: estimate{noise: float64(firstNoise * firstNoise), scaling: newScaling(),
			ceiling: ceiling{wait: firstProbe}}}
}

func (g *regulator) Decide(s Sample) Decision {
	d := g.decide(s)
	d.Step = math.Abs(d.Available - d.Previous)
	return d
}

func (g *regulator) decide(s Sample) Decision {
	d := g.measure(s)
	if d.Flags&NoTime != 0 {
		return d
	}
	knew, before := len(g.day.profile) > 0, g.day.part
	part, next, shift := g.day.pass(s.Span)
	if shift != 0 {
		g.now.level += shift
		g.undo = 0
	}
	if !knew && len(g.day.profile) > 0 { // part of the learned noise was the daily cycle
		g.now.noise, g.now.seen = min(g.now.noise, firstNoise*firstNoise), 0
	}
	overload := g.burst(s)
	switch {
	// a stall does not come gradually: there are too many processes
	case d.Flags&NoDeliveries != 0 && g.bursts > 1 && d.Utilization < settledAt:
		g.settle(&d, exp(g.now.ceiling.retreat(ln(d.Previous))))
		return d
	case d.Flags&NoDeliveries != 0 && g.undo > 0:
		// The same stall probably cut the interval before, so what was learned from it is dropped.
		g.now = g.before
		g.settle(&d, min(g.undo, d.Previous))
		fallthrough
	case d.Flags&(NoDeliveries|Idle) != 0 || !(d.Allocated <= math.MaxInt32 && d.Rate <= math.MaxFloat64):
		g.undo = 0
		g.wait = 1 + int(math.Round(g.lag))
		g.used = [len(g.used)]float64{}
		return d
	}
	g.remember(d.Allocated, g.day.at(part)-g.day.at(before))
	if g.wait > 0 { // the rest of a stall, or attempts that began in an idle time
		g.wait--
		return d
	}
	g.lag = min(s.attemptTime()/(s.Span.Hours()*3600), longestLag)
	done := s.done()
	if done < leastDone*d.Allocated { // for example after a start, with attempts longer than the interval
		g.undo = 0
		return d
	}
	g.before, g.undo = g.now, g.available
	if g.bursts == 1 {
		d.Flags |= WithinNoise
		return d
	}
	late := max(0, ln(d.Allocated)-ln(done)) / 2 // attempts under way may have another efficiency
	if g.learn(ln(d.Rate)-ln(done), 1/float64(s.Delivered)+float64(late*late), before, part, g.bursts > 1) {
		d.Flags |= Shift
	}
	if slack(d) && d.Target >= d.Allocated { // the last interval would not have used more processes; the next may
		d.Flags |= Slack
		if wanted := min(ln(g.target)-g.now.level-g.day.at(next), ln(d.Allocated)+ln(3)); wanted > ln(d.Previous) {
			g.settle(&d, exp(wanted))
		}
		g.undo = 0
		return d
	}
	g.best *= fade
	if more := ln(d.Allocated) - g.most; d.Rate >= g.best || more > farBeyond {
		if d.Rate < g.best {
			g.now.setYield(ln(d.Rate/g.best) / more)
		}
		g.best, g.most = d.Rate, ln(d.Allocated)
	}
	if !overload {
		g.now.ceiling.recovered(g.now.slope)
	}
	g.move(&d, part, next, overload)
	return d
}

// burst counts consecutive intervals in which far more attempts than usual
// deliver nothing. It reports whether most of the attempts that failed in s timed
// out.
func (g *regulator) burst(s Sample) (overload bool) {
	if s.Attempts < s.Delivered || s.Attempts == 0 {
		return false
	}
	failing := 1 - float64(s.Delivered)/float64(s.Attempts)
	if failing <= g.usual+moreFail+1/math.Sqrt(float64(s.Attempts)) {
		g.bursts = 0
		g.usual += float64(usualGain * (failing - g.usual))
		return false
	}
	if s.Delivered > 0 {
		g.bursts++
	}
	overload = 2*s.Timeouts > s.Attempts-s.Delivered
	switch {
	case overload: // adapt slowly: a provider may be gone for good
		g.usual += float64(usualGain / 3 * (failing - g.usual))
	case g.bursts > 1:
		g.usual = failing
	}
	return overload
}

// remember adds the number of processes of an interval to used and counts the
// intervals without a move. cycle is the growth of ln E by the daily cycle: a
// move that only follows it does not count.
func (g *regulator) remember(processes, cycle float64) {
	if g.used[0] > 0 && math.Abs(ln(processes)-ln(g.used[0])+cycle) < significant/2 {
		g.still++
	} else {
		g.still = 0
	}
	copy(g.used[1:], g.used[:])
	g.used[0] = processes
	for i := range g.used { // assume the same number before a gap
		if g.used[i] == 0 {
			g.used[i] = g.used[i-1]
		}
	}
}

// lately returns ln of the mean number of processes while the attempts that
// ended in the last interval were under way.
func (g *regulator) lately() float64 {
	ago := g.lag / 2
	whole := int(ago)
	part := ago - float64(whole)
	return ln(float64((1-part)*g.used[whole]) + float64(part*g.used[whole+1]))
}

// learn updates the estimate with efficiency, the ln E of an interval in the
// given part of the day; before is the part of the interval before, and
// counting is the relative variance of the count. If sure, a suspected half
// stall is accepted as a shift without a second interval. learn reports whether
// E has shifted.
func (g *regulator) learn(efficiency, counting float64, before, part int, sure bool) (shifted bool) {
	b := &g.now
	variance := b.noise + counting
	g.day.learn(part, efficiency)
	efficiency -= g.day.at(part)
	during := g.lately()
	g.moved = during - g.during + g.day.at(part) - g.day.at(before) // without the daily cycle, which has its profile
	g.during = during
	if !b.known {
		b.known = true
		b.restart(efficiency, variance)
		return false
	}

	b.scaling.moved(g.moved, variance/(memory*memory))
	off := efficiency - b.level
	shifted = float64(off*off) > float64(surprise*surprise*(b.level2+variance))
	// Half a stall looks like a server that has become half as efficient, but not in two intervals in a row.
	again := b.doubted && math.Abs(efficiency-b.suspect) < float64(surprise*math.Sqrt(2*variance))
	b.doubted = shifted && !again && !sure && math.Abs(g.moved) < significant/2 &&
		(off < halfStall || b.doubted && off < 0)
	b.suspect = efficiency
	if b.doubted {
		return true
	}
	// Noise is change from one interval to the next while C stands; a daily cycle or a drift is not noise.
	if math.Abs(g.moved) < significant {
		b.seen++
		jump := off - b.off
		learned := min(float64(jump*jump)/2, 9*variance)
		b.noise += (learned - counting - b.noise) / float64(min(b.seen+3, noiseMemory))
		b.noise = max(b.noise, float64(leastNoise*leastNoise))
	}
	switch {
	case shifted && b.answers(off, g.moved):
		b.blame(off, g.moved)
	case shifted:
		b.restart(efficiency, variance+off*off/9) // selected for being far off, so part of off is noise
		b.off, b.drift, b.size = 0, 0, math.Sqrt(variance)
		if g.still >= standing {
			g.best *= exp(off)
		}
		return true
	}
	b.off = off
	// Deviations that add up on one side shorten the memory (after Trigg and Leach 1967).
	b.drift += float64(0.2 * (off - b.drift))
	b.size += float64(0.2 * (math.Abs(off) - b.size))
	least := 0.0
	if b.size > 0 {
		least = min(float64(1.5*(math.Abs(b.drift)/b.size-0.5)), 1)
	}
	b.scaling.learn(off, variance, least)
	return false
}

// move sets C for the next interval. part and next are the parts of the day of
// the last and the next interval.
func (g *regulator) move(d *Decision, part, next int, overload bool) {
	b, c := &g.now, ln(d.Previous)
	wanted := ln(g.target) - b.level - g.day.at(next)
	ahead := c + g.day.at(part) - g.day.at(next) // equivalent in the next part of the day to C in this part
	if math.Abs(wanted-ahead) <= float64(doubt*math.Sqrt(b.level2)) {
		d.Flags |= WithinNoise
		wanted = ahead
	}
	wanted = min(max(wanted, c-ln(3)), c+ln(4)) // an interval with hardly a delivery would give thousands
	switch {
	case overload && d.Utilization < settledAt:
		wanted = b.ceiling.retreat(c)
	case overload:
		wanted = min(wanted, c)
	case g.still < int(math.Round(g.lag)) && wanted > c: // the effect of the last move is not yet measured
		d.Flags |= WithinNoise
		wanted = c
	default:
		wanted = b.ceiling.limit(d, &b.scaling, c, wanted)
	}
	if wanted != c {
		g.settle(d, exp(wanted))
	}
}

func (g *regulator) State(c *snap.Codec) {
	g.base.State(c)
	g.now.state(c)
	g.before.state(c)
	c.Fields(&g.undo, &g.wait, &g.used, &g.still, &g.lag, &g.during, &g.moved, &g.usual, &g.best, &g.most, &g.bursts)
	g.day.state(c)
}

func (b *estimate) state(c *snap.Codec) {
	c.Fields(&b.known, &b.seen, &b.doubted, &b.noise, &b.off, &b.drift, &b.size, &b.suspect)
	b.scaling.state(c)
	b.ceiling.state(c)
}

// ln and exp make formulas short.
func ln(x float64) float64  { return portable.Log(x) }
func exp(x float64) float64 { return portable.Exp(x) }
