package governor

import (
	"math"
	"slices"

	"flyball/internal/snap"
)

// Law describes one law of C. Help, schema, validation, replay and the trials
// on the suite of disturbances are derived from it.
type Law struct {
	Name   string
	Kind   Kind
	Doc    string   // what the law does, as the end of a sentence that its name begins
	Key    string   // table of the law's parameters in a Config; empty if it has none
	Inputs []string // columns of recorded samples it uses in addition to hours, delivered and allocated_mean
	Trials []Trial  // variants to try on the suite; empty: one trial, under the law's name
	build  func(Config) law
}

// Kind distinguishes what a law aims at.
type Kind string

// Kinds of laws.
const (
	Tracker Kind = "tracker" // steers the rate to the target
	Seeker  Kind = "seeker"  // finds what the receivers take and ignores the target; may be the ceiling of a tracker
)

// Trial is a law with parameters to try on the suite of disturbances.
type Trial struct {
	Name      string
	Set       []string // parameters, as path.to.key=value
	Hindsight bool     // the best of these on each scenario is the yardstick for the other laws
}

// Laws returns every law, in the order in which choices are listed.
func Laws() []Law { return slices.Clone(laws) }

// lawNamed returns the law called name; false if there is none.
func lawNamed(name string) (Law, bool) {
	i := slices.IndexFunc(laws, func(l Law) bool { return l.Name == name })
	if i < 0 {
		return Law{}, false
	}
	return laws[i], true
}

// Unseen returns the columns in lacking that the named law decides by.
func Unseen(law string, lacking []string) []string {
	l, _ := lawNamed(law)
	return slices.DeleteFunc(slices.Clone(l.Inputs), func(name string) bool { return !slices.Contains(lacking, name) })
}

// base is the state that every law of C has: its Config, C and the target. It
// computes the terms of Table 2.
type base struct {
	cfg       Config
	step      float64 // d; only the patent's laws use it
	available float64 // C, at least 1
	begun     bool
	target    float64 // T of the last sample
}

// newBase returns the initial state of a law with the valid Config c.
func newBase(c Config) base { return base{cfg: c, step: c.Step(), available: c.Start} }

// within returns g with C limited to the range low to high.
func (g base) within(low, high float64) base {
	g.available = min(max(g.available, low), high)
	return g
}

func (g *base) Available() float64 { return g.available }

// force sets C to c after something outside the law has cut its decision, so
// that the next decision starts from the C that was in force.
func (g *base) force(c float64) { g.available = c }

func (g *base) State(c *snap.Codec) {
	c.Fields(&g.available, &g.begun)
}

// measure returns a Decision with the terms that do not depend on the law; C is
// unchanged.
func (g *base) measure(s Sample) Decision {
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

// settle sets C to next, limited to 1 to 2^31 - 1. If next is NaN, C is held.
func (g *base) settle(d *Decision, next float64) {
	if math.IsNaN(next) {
		next = g.available
	}
	if next < 1 { // the patent sets no minimum for C; without one, 0 would be final, since C is held at P_a = 0
		next = 1
		d.Flags |= FlooredAt1
	}
	next = min(next, math.MaxInt32) // the patent sets no maximum; this one keeps absurd samples from making C infinite
	g.available, d.Available = next, next
	d.flagNarrative()
}

// flagNarrative sets NarrativeViolation if C moved against the words of [0065].
func (d *Decision) flagNarrative() {
	d.Flags &^= NarrativeViolation
	if (d.Rate < d.TargetRate && d.Available < d.Previous) || (d.Rate > d.TargetRate && d.Available > d.Previous) {
		d.Flags |= NarrativeViolation
	}
}
