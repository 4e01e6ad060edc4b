package governor

import "math"

// law is every law of this package: they measure alike and differ only in the
// step that they allow.
type law struct {
	cfg       Config
	step      float64 // d
	available float64 // C, at least 1
	begun     bool
}

func (g *law) Available() float64 { return g.available }

// Decide is Table 2: C = min(C + step, max(C - step, T / E_a)).
func (g *law) Decide(s Sample) Decision {
	d := g.measure(s)
	g.begun = true
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
	if next < 1 { // the patent names no least C; without one 0 would be final, since P_a = 0 holds
		next = 1
		d.Flags |= FlooredAt1
	}
	next = min(next, math.MaxInt32) // nor is there a greatest C; this only keeps absurd samples from making it infinite
	target := float64(g.cfg.Target)
	if (d.Rate < target && next < c) || (d.Rate > target && next > c) {
		d.Flags |= NarrativeViolation
	}
	g.available, d.Available = next, next
	return d
}

// measure fills in what does not depend on the law; C stands as it is.
func (g *law) measure(s Sample) Decision {
	d := Decision{
		Allocated:  s.Allocated,
		Efficiency: math.NaN(),
		Previous:   g.available,
		Target:     math.NaN(),
		Available:  g.available,
	}
	if !g.begun {
		d.Flags |= First
	}
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
	d.Target = float64(g.cfg.Target) / d.Efficiency
	return d
}

// allowed is the most that C may move: d ([0067]), or d x U_s ([0069]).
func (g *law) allowed(utilization float64) float64 {
	if g.cfg.Law == "patent-damped" {
		return g.step
	}
	// U_s may exceed 1, since nothing is freed ([0070], [0077]); to the letter it then enlarges the step.
	if g.cfg.CapUtilization {
		utilization = min(utilization, 1)
	}
	return float64(g.step * utilization) // rounded before it is added: no fused multiply-add
}
