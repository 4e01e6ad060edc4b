package governor

import (
	"math"
	"slices"
)

// Law is one law of C, with all that the rest of the program needs to know of
// it: help, schema, validation, replay and the trials on the suite of
// disturbances come from here.
type Law struct {
	Name   string
	Kind   Kind
	Doc    string   // what the law does, as the end of a sentence that its name begins
	Key    string   // table of its parameters in a Config; empty: it has none
	Inputs []string // columns of recorded samples that the law decides by, beside hours, delivered and allocated_mean
	Trials []Trial  // how the law is tried on the suite; none: once, under its name
	build  func(Config) law
}

// Kind is what a law goes by.
type Kind string

// Kinds of laws.
const (
	Tracker Kind = "tracker" // steers the rate to the target
	Seeker  Kind = "seeker"  // finds what the receivers take, whatever the target; may be the ceiling of a tracker
)

// Trial is a law as it is tried on the suite of disturbances.
type Trial struct {
	Name      string
	Set       []string // its parameters, as path.to.key=value
	Hindsight bool     // what other laws are measured by is the best of these in each trial
}

// Laws returns every law, in the order in which choices are listed.
func Laws() []Law { return slices.Clone(laws) }

// lawNamed returns the law of that name; false if there is none.
func lawNamed(name string) (Law, bool) {
	i := slices.IndexFunc(laws, func(l Law) bool { return l.Name == name })
	if i < 0 {
		return Law{}, false
	}
	return laws[i], true
}

// gauge is what every law of C has: what it is told to attain, C, and the terms
// of Table 2.
type gauge struct {
	cfg       Config
	step      float64 // d; no other law than the patent's looks at it
	available float64 // C, at least 1
	begun     bool
	target    float64 // T, of the last sample
}

// newGauge returns what a law begins with.
func newGauge(c Config) gauge { return gauge{cfg: c, step: c.Step(), available: c.Start} }

// within keeps C between two bounds.
func (g gauge) within(low, high float64) gauge {
	g.available = min(max(g.available, low), high)
	return g
}

func (g *gauge) Available() float64 { return g.available }

// force sets C where something outside the law has cut its decision, so that
// the next one starts from what was in force.
func (g *gauge) force(c float64) { g.available = c }

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
