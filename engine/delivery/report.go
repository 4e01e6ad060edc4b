package delivery

import (
	"flyball/engine"
	"flyball/governor"
)

// Report is what a machine has measured in an interval that it has closed, or
// of several machines what they have measured together.
type Report struct {
	Sample     governor.Sample
	number     int
	target     float64 // messages per hour to attain in the interval
	limit      int     // retry limit in force; of several the lowest
	wanted     int     // demand at its end
	freed      uint64
	handedBack uint64
	conditions conditions
	partial    bool
	draining   bool

	destinations []engine.DestinationInterval // not of several machines
}

// row is the report with what the governor made of it.
func (r *Report) row(d governor.Decision) engine.Interval {
	return engine.Interval{Number: r.number, TargetRate: r.target, Sample: r.Sample, Decision: d, RetryLimit: r.limit,
		Freed: r.freed, HandedBack: r.handedBack, Partial: r.partial, Draining: r.draining, Destinations: r.destinations}
}

// add takes the report of one more machine in. Its interval is the same.
func (r *Report) add(o *Report) {
	s, t := &r.Sample, &o.Sample
	s.Span = t.Span
	s.Delivered += t.Delivered
	s.Attempts += t.Attempts
	s.Allocated += t.Allocated
	s.Demand += t.Demand
	s.Load = max(s.Load, t.Load)
	r.conditions.add(&o.conditions)
	r.conditions.into(s)
	r.number = o.number
	r.limit = min(r.limit, o.limit)
	r.freed += o.freed
	r.handedBack += o.handedBack
	r.partial = o.partial
	r.draining = r.draining || o.draining
}
