package governor

import (
	"math"

	"flyball/internal/snap"
)

// The regulator is our own law. Like the patent's it makes C = T / E, but it
// asks what E is rather than taking the last interval's word for it:
//
//   - E is filtered: while nothing but noise happens, the estimate is the mean of
//     the last intervals; a deviation that noise does not explain starts it anew.
//   - C moves only by what is significant, but then by all of it: there is no d.
//   - Nothing is learned and nothing moved while messages stall or work runs
//     out; a decision taken just before a stall is taken back.
//   - Work that is counted late is told from work that is slow: several lags are
//     held against what followed the last large moves.
//   - More processes must deliver more. Where a climb did not pay, C goes back:
//     that is the ceiling (see climb).
//   - The day's cycle is learned and moves C ahead of time (see cycle).
//
// It computes with logarithms, in which an efficiency and a number of processes
// add up to a rate. It has no parameters: these are for all servers. They were
// chosen with the trials of TestRegulatorAgainstHindsight.
const (
	firstNoise  = 0.03  // relative noise of E in one interval, before any is seen
	leastNoise  = 0.002 // and never less than this, beside what counting explains
	noiseMemory = 20    // intervals that the noise is learned over
	memory      = 16    // intervals that E is the mean of, while it does not change
	surprise    = 3.5   // standard deviations that start the estimate anew
	doubt       = 0.8   // standard errors below which C does not move
	firstYield  = 0.9   // part of a growth of C that becomes growth of the rate, before any is seen
	firstUnsure = 0.3   // and the standard deviation of that
	halfStall   = -0.45 // ln of the least efficiency, by that before, that is taken for such at once
	lagMove     = 0.2   // growth of ln P in one interval that tells lags apart
	lagPrior    = 6.0   // evidence that a lag needs against none
	lagMemory   = 0.9   // part of the evidence that is left after an interval
)

// lags are what is tried, in intervals.
var lags = [...]float64{0, 0.5, 1, 1.5, 2}

type regulator struct {
	gauge
	now    belief
	before belief             // at the last decision
	undo   float64            // C before it; 0: nothing to take back
	wait   int                // intervals to let pass, after a stall or an idle spell
	used   [4]float64         // processes allocated in the last intervals, the latest first; 0: not known
	still  int                // intervals since they last moved
	rate   float64            // ln of the last rate, without the day's cycle
	lag    int                // index of the lag that is believed in
	lagged [len(lags)]float64 // ln of the processes that the last rate is the work of, by each lag
	score  [len(lags)]float64 // how badly each lag foretold the rates
	moved  float64            // growth of lagged, by the lag believed in
	day    cycle
}

// belief is what the regulator thinks of the server.
type belief struct {
	known   bool
	level   float64 // ln E at the present C, without the day's cycle
	error2  float64 // variance of that
	noise   float64 // variance of ln E in one interval, beside counting
	seen    int     // samples that the noise was learned from
	off     float64 // last deviation from the level
	drift   float64 // smoothed deviation
	size    float64 // and its smoothed size
	doubted bool    // the last interval delivered so little that it may have been half a stall
	suspect float64 // ln E in it
	climb   climb
}

func newRegulator(g gauge) *regulator {
	return &regulator{gauge: g, day: newCycle(g.cfg.Interval),
		now: belief{noise: float64(firstNoise * firstNoise), climb: newClimb()}}
}

func (g *regulator) Decide(s Sample) Decision {
	d := g.measure(s)
	if d.Flags&NoTime != 0 {
		return d
	}
	knew, before := len(g.day.profile) > 0, g.day.part
	part, next, shift := g.day.pass(s.Span)
	if shift != 0 {
		g.now.level += shift
		g.now.climb.shift(shift)
		g.undo = 0
	}
	appeared := !knew && len(g.day.profile) > 0
	if appeared { // some of what was taken for noise and for yields was the day's cycle
		g.now.noise, g.now.seen = min(g.now.noise, firstNoise*firstNoise), 0
		g.now.climb.yield, g.now.climb.unsure2 = firstYield, firstUnsure*firstUnsure
	}
	switch {
	case d.Flags&NoDeliveries != 0 && g.undo > 0:
		// The interval before was likely cut by the same stall: what it seemed to show is forgotten.
		g.now = g.before
		g.settle(&d, min(g.undo, d.Previous))
		d.Step = math.Abs(d.Available - d.Previous)
		fallthrough
	case d.Flags&(NoDeliveries|Idle) != 0 || !(d.Allocated <= math.MaxInt32 && d.Rate <= math.MaxFloat64):
		g.undo = 0
		g.wait = 1 + int(math.Ceil(lags[g.lag]))
		g.used = [len(g.used)]float64{}
		return d
	}
	g.remember(d.Allocated, g.day.at(part)-g.day.at(before))
	if g.wait > 0 { // the rest of a stall, or work of a time without
		g.wait--
		return d
	}
	if slack(d) && d.Target >= d.Allocated { // more processes would not have been used
		d.Flags |= Slack
		g.undo = 0
		return d
	}
	g.before, g.undo = g.now, g.available
	if g.learn(ln(d.Rate), 1/float64(s.Delivered), before, part) {
		d.Flags |= Shift
	}
	g.move(&d, part, next, appeared)
	d.Step = math.Abs(d.Available - d.Previous)
	return d
}

// remember keeps the processes of the last intervals, the latest first. Moves
// with the day's cycle, by which E has grown so much, are none.
func (g *regulator) remember(processes, cycle float64) {
	if g.used[0] > 0 && math.Abs(ln(processes)-ln(g.used[0])+cycle) < tellable/2 {
		g.still++
	} else {
		g.still = 0
	}
	copy(g.used[1:], g.used[:])
	g.used[0] = processes
	for i := range g.used { // what came before a gap is taken to have been the same
		if g.used[i] == 0 {
			g.used[i] = g.used[i-1]
		}
	}
}

// processes is ln of those that the present deliveries are the work of, by
// that lag.
func (g *regulator) processes(lag float64) float64 {
	whole := int(lag)
	part := lag - float64(whole)
	return ln(float64((1-part)*g.used[whole]) + float64(part*g.used[whole+1]))
}

// learn takes in ln of the rate, whose count has that relative variance, in
// that part of the day after the one before. It reports whether E has shifted.
func (g *regulator) learn(rate, counting float64, before, part int) (shifted bool) {
	b := &g.now
	variance := b.noise + counting
	if !b.known {
		b.known = true
		processes := g.processes(lags[g.lag])
		for i := range lags {
			g.lagged[i] = processes
		}
		g.rate = rate - g.day.at(part)
		b.level, b.error2 = g.rate-processes, variance
		b.climb.begin(processes, b.level, b.error2)
		g.day.learn(part, rate-processes)
		return false
	}
	changed := g.judgeLags(rate-g.day.at(part), variance)
	g.moved += g.day.at(part) - g.day.at(before) // moves with the day's cycle are in its profile
	efficiency := rate - g.processes(lags[g.lag])
	g.day.learn(part, efficiency)
	efficiency -= g.day.at(part)
	if changed {
		b.restart(efficiency, variance)
		return false
	}

	// E changes where C does, as climbs have told, and slowly by itself.
	b.level -= float64((1 - b.climb.yield) * g.moved)
	b.error2 += float64(b.climb.unsure2*g.moved*g.moved) + variance/(memory*memory)
	off := efficiency - b.level
	spread := b.error2 + variance
	shifted = float64(off*off) > float64(surprise*surprise*spread)
	// Half a stall looks like a server that has become half as good, but not twice.
	again := b.doubted && math.Abs(efficiency-b.suspect) < float64(surprise*math.Sqrt(2*variance))
	b.doubted = shifted && !again && math.Abs(g.moved) < tellable/2 && (off < halfStall || b.doubted && off < 0)
	b.suspect = efficiency
	if b.doubted {
		return true
	}
	// Noise is what changes from one interval to the next while C stands; a day's cycle or a drift is none.
	if math.Abs(g.moved) < tellable {
		b.seen++
		jump := off - b.off
		learned := min(float64(jump*jump)/2, 9*variance)
		b.noise += (learned - counting - b.noise) / float64(min(b.seen+3, noiseMemory))
		b.noise = max(b.noise, float64(leastNoise*leastNoise))
	}
	if shifted {
		b.restart(efficiency, variance)
		return true
	}
	b.off = off
	gain := b.error2 / spread
	// Deviations to one side that add up make the memory shorter (after Trigg and Leach 1967).
	b.drift += float64(0.2 * (off - b.drift))
	b.size += float64(0.2 * (math.Abs(off) - b.size))
	if b.size > 0 {
		gain = min(max(gain, float64(1.5*(math.Abs(b.drift)/b.size-0.5))), 1)
	}
	b.level += float64(gain * off)
	b.error2 = float64(gain * variance)
	return false
}

// restart forgets all but the last interval.
func (b *belief) restart(level, variance float64) {
	b.level, b.error2, b.off, b.drift, b.size = level, variance, 0, 0, math.Sqrt(variance)
}

// judgeLags finds out how late work is counted, where the processes have just
// moved far enough to tell: by which lag did the rate go along with them? It
// reports whether it has changed its mind.
func (g *regulator) judgeLags(rate, variance float64) (changed bool) {
	told := false // by one large move: many small ones may follow a cycle, which looks like a lag
	for i, p := range g.used[1:] {
		told = told || math.Abs(ln(g.used[i])-ln(p)) >= lagMove
	}
	l := &g.now.climb
	var moves [len(lags)]float64
	best, least := 0, math.Inf(1)
	for i, lag := range lags {
		now := g.processes(lag)
		moves[i] = now - g.lagged[i]
		g.lagged[i] = now
		if !told {
			continue
		}
		off := rate - g.rate - float64(l.yield*moves[i])
		expected := 2*variance + float64(l.unsure2*moves[i]*moves[i])
		g.score[i] = float64(lagMemory*g.score[i]) + min(float64(off*off)/expected, 50)
		against := g.score[i]
		if lag > 0 {
			against += lagPrior
		}
		if against < least {
			best, least = i, against
		}
	}
	g.rate = rate
	if told && best != g.lag {
		g.lag, changed = best, true
	}
	g.moved = moves[g.lag]
	return changed
}

// move sets C for the next interval, which is that part of the day. anew ends
// the climb under way.
func (g *regulator) move(d *Decision, part, next int, anew bool) {
	b, c := &g.now, ln(d.Previous)
	wanted := ln(g.target) - b.level - g.day.at(next)
	ahead := c + g.day.at(part) - g.day.at(next) // as good in the next part of the day as C is in this one
	if math.Abs(wanted-ahead) <= float64(doubt*math.Sqrt(b.error2)) {
		d.Flags |= WithinNoise
		wanted = ahead
	}
	wanted = max(wanted, c-ln(3))
	if g.still < int(math.Ceil(lags[g.lag])) { // what the last move brought is not yet counted: no climb can be told
		b.climb.age++
		if wanted > c {
			d.Flags |= WithinNoise
			wanted = c
		}
	} else {
		strange := anew || d.Flags&Shift != 0 && math.Abs(g.moved) < tellable/2
		// What the day's cycle does to C is no climb: climbs are counted by the mean day. At the ceiling C stands.
		now, then, capped := g.day.at(part), g.day.at(next), b.climb.ceiling
		if capped {
			now, then = 0, 0
		}
		limited := b.climb.limit(d, c+now, wanted+then, b.level, b.error2, strange, g.still) - then
		switch {
		case b.climb.ceiling:
			wanted = min(wanted, b.climb.foot)
		case capped: // no more
			b.climb.foot += g.day.at(part)
			fallthrough
		default:
			wanted = limited
		}
	}
	if wanted != c {
		g.settle(d, exp(wanted))
	}
}

func (g *regulator) State(c *snap.Codec) {
	g.gauge.State(c)
	g.now.state(c)
	g.before.state(c)
	snap.Float(c, &g.undo)
	snap.Int(c, &g.wait)
	for i := range g.used {
		snap.Float(c, &g.used[i])
	}
	snap.Int(c, &g.still)
	for i := range g.score {
		snap.Float(c, &g.score[i])
	}
	snap.Int(c, &g.lag)
	snap.Float(c, &g.rate)
	for i := range g.lagged {
		snap.Float(c, &g.lagged[i])
	}
	snap.Float(c, &g.moved)
	g.day.state(c)
}

func (b *belief) state(c *snap.Codec) {
	snap.Bool(c, &b.known)
	snap.Float(c, &b.level)
	snap.Float(c, &b.error2)
	snap.Float(c, &b.noise)
	snap.Int(c, &b.seen)
	snap.Float(c, &b.off)
	snap.Float(c, &b.drift)
	snap.Float(c, &b.size)
	snap.Bool(c, &b.doubted)
	snap.Float(c, &b.suspect)
	b.climb.state(c)
}
