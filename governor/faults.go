package governor

import (
	"slices"

	"flyball/internal/conf"
	"flyball/internal/snap"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Fault is a fault of the measurement at the end of one interval.
type Fault struct {
	// number of the interval; 0 is the first
	// Source: scenario
	Interval int `toml:"interval" range:"0..1000000" required:"true"`
	// missed: no decision at the end of the interval, and the next sample covers both; duplicate: the governor gets the
	// sample twice; reset: the counters were lost, and the sample has 0 deliveries and 0 attempts
	Kind string `toml:"kind" oneof:"missed duplicate reset" required:"true"`
}

func (c Config) validateFaults() []error {
	var l conf.List
	for i, f := range c.Faults {
		key := conf.Index("fault", i)
		twice := slices.ContainsFunc(c.Faults[:i], func(o Fault) bool { return o.Interval == f.Interval })
		l.Check(!twice, key+".interval", "got %d a second time, want one fault for an interval", f.Interval)
	}
	return l
}

// faulty is a governor whose samples of some intervals are wrong.
type faulty struct {
	Keeper
	target unit.PerHour
	faults []Fault
	number int    // number of the current interval
	unread Sample // sample of the intervals whose end was missed; none if its Span is 0
}

func (g *faulty) Decide(s Sample) Decision {
	kind := ""
	for _, f := range g.faults {
		if f.Interval == g.number {
			kind = f.Kind
		}
	}
	g.number++
	if kind == "missed" {
		g.unread = g.unread.and(s)
		return g.unasked(s)
	}
	s, g.unread = g.unread.and(s), Sample{}
	switch kind {
	case "duplicate":
		inForce := g.Available()
		g.Keeper.Decide(s)
		d := g.Keeper.Decide(s)
		d.Previous, d.Flags = inForce, d.Flags|Duplicate
		return d
	case "reset":
		d := g.Keeper.Decide(Sample{Span: s.Span, TargetRate: s.TargetRate, Allocated: s.Allocated, Load: s.Load,
			Demand: s.Demand})
		d.Flags |= Reset
		return d
	}
	return g.Keeper.Decide(s)
}

// unasked returns the decision to show in the trace for an interval whose sample
// was lost.
func (g *faulty) unasked(s Sample) Decision {
	d := s.Undecided(g.Available())
	d.Flags = Missed
	if d.TargetRate == 0 {
		d.TargetRate = float64(g.target)
	}
	return d
}

// and returns one sample for s and the span of time that follows it. Means over
// attempts are weighted by attempts, means over time by time.
func (s Sample) and(next Sample) Sample {
	if s.Span == 0 {
		return next
	}
	mean := func(a, b, m, n float64) float64 {
		if m+n == 0 {
			return 0
		}
		return (float64(a*m) + float64(b*n)) / (m + n)
	}
	overTime := func(a, b float64) float64 { return mean(a, b, float64(s.Span), float64(next.Span)) }
	overAttempts := func(a, b float64) float64 { return mean(a, b, float64(s.Attempts), float64(next.Attempts)) }
	return Sample{
		Span: s.Span + next.Span, TargetRate: next.TargetRate,
		Delivered: s.Delivered + next.Delivered, Attempts: s.Attempts + next.Attempts,
		Allocated: overTime(s.Allocated, next.Allocated),
		Retries:   s.Retries + next.Retries, Deferrals: s.Deferrals + next.Deferrals, Bounces: s.Bounces + next.Bounces,
		Refusals: s.Refusals + next.Refusals, Timeouts: s.Timeouts + next.Timeouts,
		AttemptTime: vt.Span(overAttempts(float64(s.AttemptTime), float64(next.AttemptTime))),
		LookupTime:  vt.Span(overAttempts(float64(s.LookupTime), float64(next.LookupTime))),
		Hops:        overAttempts(s.Hops, next.Hops),
		Load:        overTime(s.Load, next.Load), Demand: overTime(s.Demand, next.Demand),
	}
}

func (g *faulty) State(c *snap.Codec) {
	g.Keeper.State(c)
	c.Fields(&g.number)
	g.unread.State(c)
}
