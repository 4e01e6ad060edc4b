package engine

import (
	"math/bits"

	"flyball/governor"
	"flyball/internal/vt"
)

// interval accounts for what happens between two decisions of the governor.
type interval struct {
	number    int
	began     vt.Time
	next      vt.Time // its end
	target    float64 // messages per hour to attain in it; 0: not told
	accounted vt.Time // slotTime is summed up to here
	slotTime  slotTime
	delivered uint64
	attempts  uint64
	draining  bool

	freed, handedBack uint64 // processes, recipients
	conditions        conditions
}

// slotTime is the integral of allocated slots over time: slot-nanoseconds, in
// 128 bits, as a million slots fill 63 in less than three hours.
type slotTime struct{ high, low uint64 }

func (t *slotTime) add(slots int, d vt.Span) {
	high, low := bits.Mul64(uint64(slots), uint64(d))
	var carry uint64
	t.low, carry = bits.Add64(t.low, low, 0)
	t.high += high + carry
}

func (t *slotTime) mean(over vt.Span) float64 {
	return (float64(float64(t.high)*(1<<64)) + float64(t.low)) / float64(over)
}

// account integrates the allocation up to now. Every input calls it before it
// changes anything.
func (m *Machine) account(now vt.Time) {
	if now < m.interval.accounted {
		panic("engine: time fell from " + m.interval.accounted.String() + " to " + now.String())
	}
	span := now.Sub(m.interval.accounted)
	m.interval.slotTime.add(m.allocated, span)
	if span > 0 && m.allocated < m.available && (m.rooms == nil || m.rooms.parked == 0) {
		m.interval.draining = true
	}
	m.interval.accounted = now
	if m.waiting.next < now { // only where the shell wakes us late
		m.oldest = min(m.oldest, m.waiting.release(now, m.campaigns))
	}
	if m.revival < now {
		m.revive(now)
	}
}

// endInterval asks the governor for a new C and begins the next interval, in
// which the retry limit may be another and processes beyond C may have to go
// ([0070]). If the shell is late by
// whole intervals, they are one long interval.
func (m *Machine) endInterval(now vt.Time) {
	i := m.interval
	sample := i.sample(now)
	sample.TargetRate = m.cfg.targetAt(now)
	destinations := m.measureDestinations(now)
	d := m.gov.Decide(sample)
	m.available = governor.Published(d.Available)
	missed := now.Sub(i.next) / m.cfg.Interval
	m.interval = interval{number: i.number + 1, began: now, next: i.next.Add((missed + 1) * m.cfg.Interval), accounted: now, target: sample.TargetRate}
	m.obs.Interval(now, m.cfg.Server, Interval{Number: i.number, TargetRate: i.target, Sample: sample, Decision: d,
		RetryLimit: m.limitInForce(), Freed: i.freed, HandedBack: i.handedBack, Draining: i.draining, Destinations: destinations})
	m.decideDestinations(sample.Span, destinations)
	m.moveLimits(sample.Span, i.attempts, i.delivered, sample.Allocated/d.Previous)
	m.freeExcess()
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
	destinations := m.measureDestinations(now)
	c := m.gov.Available()
	d := governor.Decision{Rate: float64(sample.Delivered) / sample.Span.Hours(), Allocated: sample.Allocated,
		Utilization: sample.Allocated / c, Previous: c, Available: c}
	m.obs.Interval(now, m.cfg.Server, Interval{Number: i.number, TargetRate: i.target, Sample: sample, Decision: d,
		RetryLimit: m.limitInForce(), Freed: i.freed, HandedBack: i.handedBack, Draining: i.draining, Destinations: destinations, Partial: true})
}

func (i *interval) sample(now vt.Time) governor.Sample {
	span := now.Sub(i.began)
	s := governor.Sample{Span: span, Delivered: i.delivered, Attempts: i.attempts,
		Allocated: i.slotTime.mean(span)}
	i.conditions.into(&s)
	return s
}
