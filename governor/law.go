package governor

import "math"

// gauge is what every law of C has: what it is told to attain, C, and the terms
// of Table 2.
type gauge struct {
	cfg       Config
	step      float64 // d; no other law than the patent's looks at it
	available float64 // C, at least 1
	begun     bool
	target    float64 // T, of the last sample
}

func (g *gauge) Available() float64 { return g.available }

// force sets C where something outside the law has cut its decision, so that
// the next one starts from what was in force.
func (g *gauge) force(c float64) { g.available = c }

// patent is hold and the laws of [0067] and [0069]: they differ only in the
// step that they allow.
type patent struct{ gauge }

// Decide is Table 2: C = min(C + step, max(C - step, T / E_a)).
func (g *patent) Decide(s Sample) Decision {
	d := g.measure(s)
	// 0/0 and x/0: the patent is silent. A number that nothing supports moves nothing.
	if g.cfg.Law == "hold" || d.Flags&(NoTime|Idle) != 0 {
		return d
	}
	c := g.available
	d.Step = g.allowed(d.Utilization)
	// E_a is per allocated process but T / E_a is compared with available ones, so a server that is partly
	// idle may lose processes below its target rate, against [0065]. The formula is followed.
	// With no deliveries T / E_a is +Inf and C grows by the step, as it does when they come close to none.
	next := min(c+d.Step, max(c-d.Step, d.Target))
	switch {
	case d.Target > c+d.Step:
		d.Flags |= StepLimitUp
	case d.Target < c-d.Step:
		d.Flags |= StepLimitDown
	}
	g.settle(&d, next)
	return d
}

// allowed is the most that C may move: d ([0067]), or d x U_s ([0069]).
func (g *patent) allowed(utilization float64) float64 {
	if g.cfg.Law == "patent-damped" {
		return g.step
	}
	// U_s may exceed 1, since nothing is freed ([0070], [0077]); to the letter it then enlarges the step.
	if g.cfg.CapUtilization {
		utilization = min(utilization, 1)
	}
	return float64(g.step * utilization) // rounded before it is added: no fused multiply-add
}

// measure fills in what does not depend on the law; C stands as it is.
func (g *gauge) measure(s Sample) Decision {
	if g.target = s.TargetRate; !(g.target > 0 && g.target <= math.MaxFloat64) {
		g.target = float64(g.cfg.Target)
	}
	d := Decision{
		TargetRate: g.target,
		Allocated:  s.Allocated,
		Efficiency: math.NaN(),
		Previous:   g.available,
		Target:     math.NaN(),
		Available:  g.available,
	}
	if !g.begun {
		d.Flags |= First
	}
	g.begun = true
	if s.Span <= 0 {
		d.Flags |= NoTime
		return d
	}
	if off := s.Span - g.cfg.Interval; max(off, -off) > g.cfg.Interval/100 {
		d.Flags |= OffInterval
	}
	hours := s.Span.Hours()
	d.Rate = float64(s.Delivered) / hours // successes only ([0065], [0066])
	if g.cfg.Allocated == "as-printed" {
		d.Allocated = s.Allocated / hours // Table 2: "average / S"; by [0066] it is the average
	}
	d.Utilization = d.Allocated / g.available
	if d.Utilization > 1 {
		d.Flags |= UtilizationAbove1
	}
	switch {
	case !(d.Allocated > 0):
		d.Flags |= Idle
		if s.Delivered > 0 {
			d.Flags |= CountedLate
		}
	case s.Delivered == 0:
		d.Flags |= NoDeliveries
	}
	d.Efficiency = d.Rate / d.Allocated
	d.Target = g.target / d.Efficiency
	return d
}

// settle makes next the new C, within what C may be. What is no number moves
// nothing.
func (g *gauge) settle(d *Decision, next float64) {
	if math.IsNaN(next) {
		next = g.available
	}
	if next < 1 { // the patent names no least C; without one 0 would be final, since P_a = 0 holds
		next = 1
		d.Flags |= FlooredAt1
	}
	next = min(next, math.MaxInt32) // nor is there a greatest C; this only keeps absurd samples from making it infinite
	g.available, d.Available = next, next
	d.narrate()
}

// narrate flags what the words of [0065] would not have done.
func (d *Decision) narrate() {
	d.Flags &^= NarrativeViolation
	if (d.Rate < d.TargetRate && d.Available < d.Previous) || (d.Rate > d.TargetRate && d.Available > d.Previous) {
		d.Flags |= NarrativeViolation
	}
}
