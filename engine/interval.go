package engine

import (
	"flyball/governor"
	"flyball/internal/vt"
)

// interval accounts for what happens between two decisions of the governor.
type interval struct {
	number    int
	began     vt.Time
	next      vt.Time // its end
	accounted vt.Time // slotTime is summed up to here
	slotTime  vt.Span // integral of allocated slots over time
	delivered uint64
	attempts  uint64
	draining  bool
}

// account integrates the allocation up to now. Every input calls it before it
// changes anything.
func (m *Machine) account(now vt.Time) {
	if now < m.interval.accounted {
		panic("engine: time fell from " + m.interval.accounted.String() + " to " + now.String())
	}
	m.interval.slotTime += now.Sub(m.interval.accounted) * vt.Span(m.allocated)
	m.interval.accounted = now
	if m.waiting.next < now { // only where the shell wakes us late
		m.waiting.release(now, m.campaigns)
	}
}

// endInterval asks the governor for a new C and begins the next interval. C
// below the allocation frees nothing by itself ([0070]).
func (m *Machine) endInterval(now vt.Time) {
	i := m.interval
	sample := i.sample(now)
	d := m.gov.Decide(sample)
	m.available = governor.Published(d.Available)
	m.interval = interval{number: i.number + 1, began: now, next: i.next.Add(m.cfg.Interval), accounted: now}
	m.obs.Interval(now, m.cfg.Server, Interval{Number: i.number, Sample: sample, Decision: d,
		RetryLimit: m.cfg.Retry.Limit, Draining: i.draining})
}

// Finish ends the run: the interval under way is reported as partial, without
// asking the governor.
func (m *Machine) Finish(now vt.Time) {
	m.account(now)
	i := m.interval
	if now == i.began {
		return
	}
	sample := i.sample(now)
	c := m.gov.Available()
	d := governor.Decision{Rate: float64(sample.Delivered) / sample.Span.Hours(), Allocated: sample.Allocated,
		Utilization: sample.Allocated / c, Previous: c, Available: c}
	m.obs.Interval(now, m.cfg.Server, Interval{Number: i.number, Sample: sample, Decision: d,
		RetryLimit: m.cfg.Retry.Limit, Draining: i.draining, Partial: true})
}

func (i *interval) sample(now vt.Time) governor.Sample {
	span := now.Sub(i.began)
	return governor.Sample{Span: span, Delivered: i.delivered, Attempts: i.attempts,
		Allocated: float64(i.slotTime) / float64(span)}
}
