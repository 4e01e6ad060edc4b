package delivery

import (
	"math/bits"

	"flyball/engine"
	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/vt"
)

// interval holds the counts between two decisions of the governor.
type interval struct {
	number     int
	began      vt.Time
	next       vt.Time // when it ends
	target     float64 // messages per hour to attain in it; 0: none
	accounted  vt.Time // slotTime is summed up to here
	slotTime   slotTime
	demanded   vt.Time // demandTime is summed up to here; it is updated only when the demand changes
	demandTime slotTime
	delivered  uint64
	attempts   uint64
	draining   bool

	freed, handedBack uint64 // numbers of processes, recipients
	conditions        engine.Conditions
}

// slotTime is the integral of allocated slots over time, in slot-nanoseconds. It
// has 128 bits: a million slots fill 63 bits in less than three hours.
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

// account integrates the allocation up to now. Every input calls it before any
// change.
func (m *Machine) account(now vt.Time) {
	if now < m.interval.accounted {
		panic("delivery: time fell from " + m.interval.accounted.String() + " to " + now.String())
	}
	span := now.Sub(m.interval.accounted)
	m.interval.slotTime.add(m.allocated, span)
	if span > 0 && m.allocated < m.available && (m.concurrency == nil || m.concurrency.parked == 0) {
		m.interval.draining = true
	}
	m.interval.accounted = now
	if now >= m.pause.turn {
		m.pause.pass(now)
	}
	if m.waiting.next < now { // only if the shell is late
		m.mature()
	}
	if m.revival < now {
		m.revive(now)
		m.revival = now // a Wake is due as well
	}
}

// endInterval closes the interval and begins the next one. If the shell is late by
// whole intervals, they count as one long interval.
func (m *Machine) endInterval(now vt.Time, load engine.Load) {
	m.closed = m.measure(now, load)
	missed := now.Sub(m.interval.next) / m.cfg.Interval
	m.interval = interval{number: m.interval.number + 1, began: now,
		next: m.interval.next.Add((missed + 1) * m.cfg.Interval), accounted: now, demanded: now,
		target: m.cfg.targetAt(now)}
}

// decide makes the governor decide on the closed interval, then moves the limits
// and preempts processes beyond C ([0070]). The delivery failure rate is attempts
// / delivered.
func (m *Machine) decide(attempts, delivered uint64) {
	r := &m.closed
	r.Sample.TargetRate = m.interval.target // target of the next interval, which has begun
	d := m.gov.Decide(r.Sample)
	m.available = m.cfg.published(d.Available)
	m.record(d)
	m.decideDestinations(r.Sample.Span, r.destinations)
	m.limits.Move(retry.Interval{Span: r.Sample.Span, Attempts: attempts, Delivered: delivered,
		Utilization: r.Sample.Allocated / d.Previous, Allocated: m.allocated, Available: m.available})
	for i := range m.campaigns {
		m.limits.Adjust(&m.campaigns[i].stage)
	}
	if m.freeing.fell != nil {
		m.freeing.fell(m)
	}
}

// record passes the closed interval to the observer, with the decision d.
func (m *Machine) record(d governor.Decision) {
	row := m.closed.Row(m.closed.number, d)
	row.Destinations = m.closed.destinations
	m.obs.Interval(m.closed.Ended, m.cfg.Server, row)
}

// hold records the closed interval without a verdict, which did not arrive: C and
// the retry limit stay.
func (m *Machine) hold() {
	m.reported = false
	m.record(m.closed.Sample.Undecided(m.gov.Available()))
	m.decideDestinations(m.closed.Sample.Span, m.closed.destinations)
}

// stop ends the run: it closes the current interval as partial, without a
// decision of the governor. NextWake returns vt.Never afterwards.
func (m *Machine) stop(now vt.Time, load engine.Load, out *engine.Outbox) {
	if m.reported {
		m.hold()
	}
	if now > m.interval.began {
		m.closed = m.measure(now, load)
		m.closed.Partial = true
		m.record(m.closed.Sample.Undecided(m.gov.Available()))
		if m.cfg.Together {
			m.report(out)
		}
	}
	m.interval.next, m.waiting.next, m.revival = vt.Never, vt.Never, vt.Never
	m.pause = atEnd
}

// closed is an interval that has ended.
type closed struct {
	engine.Report
	number       int
	destinations []engine.DestinationInterval
}

// report sends the closed interval to the governing role.
func (m *Machine) report(out *engine.Outbox) {
	out.Send = append(out.Send, engine.Message{From: m.address(), To: engine.Address{Role: engine.Governing},
		Number: uint64(m.closed.number), Body: m.closed.Report})
}

// measure returns the measurements of the interval that ends now.
func (m *Machine) measure(now vt.Time, load engine.Load) closed {
	i := &m.interval
	span := now.Sub(i.began)
	i.demandTime.add(m.demand, now.Sub(i.demanded))
	allocated := i.slotTime.mean(span)
	r := closed{number: i.number, destinations: m.measureDestinations(now), Report: engine.Report{
		Sample: governor.Sample{Span: span, Delivered: i.delivered, Attempts: i.attempts,
			Allocated: allocated, Demand: i.demandTime.mean(span), Load: load.Of(allocated)},
		Conditions: i.conditions, Ended: now, Target: i.target, RetryLimit: m.limitInForce(),
		Wanted: m.demand, Freed: i.freed, HandedBack: i.handedBack, Draining: i.draining,
	}}
	r.Conditions.Into(&r.Sample)
	return r
}

func (m *Machine) limitInForce() int {
	limit := m.limits.InForce()
	for i := range m.campaigns {
		limit = min(limit, m.limits.InForceAt(m.campaigns[i].stage))
	}
	return limit
}
