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
//   - Work that is not yet done is told from work that is slow: E is what attempts
//     have delivered by the time that they took, whatever is still under way.
//   - Failures that come in a burst are told from work that is slow: the first
//     interval of them tells nothing, as what was deferred comes again; attempts
//     that go on timing out mean too many processes.
//   - More processes must deliver more (see scaling), or C goes back (see
//     ceiling).
//   - The day's cycle is learned and moves C ahead of time (see cycle).
//
// It computes with logarithms, in which an efficiency and a number of processes
// add up to a rate. It has no parameters: these are for all servers. They were
// chosen with the trials of TestRegulatorAgainstHindsight, the training half of
// the disturbance suite and scenarios like it (docs/laws.md).
const (
	firstNoise  = 0.03  // relative noise of E in one interval, before any is seen
	leastNoise  = 0.002 // and never less than this, beside what counting explains
	noiseMemory = 20    // intervals that the noise is learned over
	memory      = 16    // intervals that E is the mean of, while it does not change
	surprise    = 3.5   // standard deviations that start the estimate anew
	doubt       = 0.8   // standard errors below which C does not move
	halfStall   = -0.45 // ln of the least efficiency, by that before, that is taken for such at once
	leastDone   = 0.5   // part of the work of an interval that must be done for it to tell anything
	longestLag  = 4.0   // intervals that attempts may take, for all that is made of it
	moreFail    = 0.1   // growth of the share of attempts that deliver nothing that is taken for a burst
	usualGain   = 0.3   // weight of an interval in what share usually fails
	settledAt   = 1.1   // utilization below which the last fall of C has been followed
	fade        = 0.998 // part of the best rate that still counts after an interval
	standing    = 4     // intervals for which C has stood when it is not what has made E worse
	farBeyond   = 0.7   // growth of ln P_a from where the rate was best after which the two rates tell the yield
)

var regulatorLaw = Law{Name: "regulator", Kind: Tracker,
	Doc:    "steers by what efficiency really is, as far as more processes deliver more (not in the patent application)",
	Inputs: []string{"attempts", "timeouts", "attempt_s"},
	build:  func(c Config) law { return newRegulator(newGauge(c)) },
}

type regulator struct {
	gauge
	now    belief
	before belief     // at the last decision
	undo   float64    // C before it; 0: nothing to take back
	wait   int        // intervals to let pass, after a stall or an idle spell
	used   [4]float64 // processes allocated in the last intervals, the latest first; 0: not known
	still  int        // intervals since they last moved
	lag    float64    // intervals that an attempt takes
	during float64    // ln of the processes there were while those attempts lasted that have ended
	moved  float64    // growth of that
	usual  float64    // share of attempts that deliver nothing
	bursts int        // intervals in a row in which it was far greater
	best   float64    // the greatest rate, less as time goes by
	most   float64    // ln of the processes that attained it
	day    cycle
}

// belief is what the regulator thinks of the server.
type belief struct {
	known   bool
	noise   float64 // variance of ln E in one interval, beside counting
	seen    int     // samples that the noise was learned from
	off     float64 // last deviation from the level
	drift   float64 // smoothed deviation
	size    float64 // and its smoothed size
	doubted bool    // the last interval delivered so little that it may have been half a stall
	suspect float64 // ln E in it
	scaling
	ceiling ceiling
}

func newRegulator(g gauge) *regulator {
	return &regulator{gauge: g, day: newCycle(g.cfg.Interval),
		now: belief{noise: float64(firstNoise * firstNoise), scaling: newScaling(), ceiling: ceiling{wait: firstProbe}}}
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
	if !knew && len(g.day.profile) > 0 { // some of what was taken for noise was the day's cycle
		g.now.noise, g.now.seen = min(g.now.noise, firstNoise*firstNoise), 0
	}
	overload := g.burst(s)
	switch {
	// no stall comes by and by: there are too many processes
	case d.Flags&NoDeliveries != 0 && g.bursts > 1 && d.Utilization < settledAt:
		g.settle(&d, exp(g.now.ceiling.retreat(ln(d.Previous))))
		return d
	case d.Flags&NoDeliveries != 0 && g.undo > 0:
		// The interval before was likely cut by the same stall: what it seemed to show is forgotten.
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
	if g.wait > 0 { // the rest of a stall, or work of a time without
		g.wait--
		return d
	}
	g.lag = min(s.attemptTime()/(s.Span.Hours()*3600), longestLag)
	done := s.done()
	if done < leastDone*d.Allocated { // as after a start with attempts longer than the interval
		g.undo = 0
		return d
	}
	g.before, g.undo = g.now, g.available
	if g.bursts == 1 {
		d.Flags |= WithinNoise
		return d
	}
	late := max(0, ln(d.Allocated)-ln(done)) / 2 // what is still under way may turn out otherwise
	if g.learn(ln(d.Rate)-ln(done), 1/float64(s.Delivered)+float64(late*late), before, part, g.bursts > 1) {
		d.Flags |= Shift
	}
	if slack(d) && d.Target >= d.Allocated { // more processes would not have been used, but they may be
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
			g.now.tell(ln(d.Rate/g.best) / more)
		}
		g.best, g.most = d.Rate, ln(d.Allocated)
	}
	if !overload {
		g.now.ceiling.recovered(g.now.slope)
	}
	g.move(&d, part, next, overload)
	return d
}

// burst counts the intervals in a row in which far more attempts deliver
// nothing than usual. It reports whether most of those time out.
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
	case overload: // gets used to it too, but slowly: a provider may be gone for good
		g.usual += float64(usualGain / 3 * (failing - g.usual))
	case g.bursts > 1:
		g.usual = failing
	}
	return overload
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

// lately is ln of the processes of the last intervals, on the average, while
// those attempts lasted that have ended in the last one.
func (g *regulator) lately() float64 {
	ago := g.lag / 2
	whole := int(ago)
	part := ago - float64(whole)
	return ln(float64((1-part)*g.used[whole]) + float64(part*g.used[whole+1]))
}

// learn takes in ln of an efficiency, whose count has that relative variance, in
// that part of the day after the one before. Where it is sure, no second
// interval is asked for. It reports whether E has shifted.
func (g *regulator) learn(efficiency, counting float64, before, part int, sure bool) (shifted bool) {
	b := &g.now
	variance := b.noise + counting
	g.day.learn(part, efficiency)
	efficiency -= g.day.at(part)
	during := g.lately()
	g.moved = during - g.during + g.day.at(part) - g.day.at(before) // moves with the day's cycle are in its profile
	g.during = during
	if !b.known {
		b.known = true
		b.restart(efficiency, variance)
		return false
	}

	b.scaling.moved(g.moved, variance/(memory*memory))
	off := efficiency - b.level
	shifted = float64(off*off) > float64(surprise*surprise*(b.level2+variance))
	// Half a stall looks like a server that has become half as good, but not twice.
	again := b.doubted && math.Abs(efficiency-b.suspect) < float64(surprise*math.Sqrt(2*variance))
	b.doubted = shifted && !again && !sure && math.Abs(g.moved) < tellable/2 &&
		(off < halfStall || b.doubted && off < 0)
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
	switch {
	case shifted && b.answers(off, g.moved):
		b.blame(off, g.moved)
	case shifted:
		b.restart(efficiency, variance+off*off/9) // it was chosen for being far off, so part of that is noise
		b.off, b.drift, b.size = 0, 0, math.Sqrt(variance)
		if g.still >= standing {
			g.best *= exp(off)
		}
		return true
	}
	b.off = off
	// Deviations to one side that add up make the memory shorter (after Trigg and Leach 1967).
	b.drift += float64(0.2 * (off - b.drift))
	b.size += float64(0.2 * (math.Abs(off) - b.size))
	least := 0.0
	if b.size > 0 {
		least = min(float64(1.5*(math.Abs(b.drift)/b.size-0.5)), 1)
	}
	b.scaling.learn(off, variance, least)
	return false
}

// move sets C for the next interval, which is that part of the day.
func (g *regulator) move(d *Decision, part, next int, overload bool) {
	b, c := &g.now, ln(d.Previous)
	wanted := ln(g.target) - b.level - g.day.at(next)
	ahead := c + g.day.at(part) - g.day.at(next) // as good in the next part of the day as C is in this one
	if math.Abs(wanted-ahead) <= float64(doubt*math.Sqrt(b.level2)) {
		d.Flags |= WithinNoise
		wanted = ahead
	}
	wanted = min(max(wanted, c-ln(3)), c+ln(4)) // an interval that delivers next to nothing asks for thousands
	switch {
	case overload && d.Utilization < settledAt:
		wanted = b.ceiling.retreat(c)
	case overload:
		wanted = min(wanted, c)
	case g.still < int(math.Round(g.lag)) && wanted > c: // what the last move brought is not yet counted
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
	g.gauge.State(c)
	g.now.state(c)
	g.before.state(c)
	snap.Float(c, &g.undo)
	snap.Int(c, &g.wait)
	for i := range g.used {
		snap.Float(c, &g.used[i])
	}
	snap.Int(c, &g.still)
	for _, v := range []*float64{&g.lag, &g.during, &g.moved, &g.usual, &g.best, &g.most} {
		snap.Float(c, v)
	}
	snap.Int(c, &g.bursts)
	g.day.state(c)
}

func (b *belief) state(c *snap.Codec) {
	snap.Bool(c, &b.known)
	snap.Int(c, &b.seen)
	snap.Bool(c, &b.doubted)
	for _, v := range []*float64{&b.noise, &b.off, &b.drift, &b.size, &b.suspect} {
		snap.Float(c, v)
	}
	b.scaling.state(c)
	b.ceiling.state(c)
}
