package delivery

import (
	"math/bits"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/vt"
)

// interval accounts for what happens between two decisions of the governor.
type interval struct {
	number     int
	began      vt.Time
	next       vt.Time // its end
	target     float64 // messages per hour to attain in it; 0: not told
	accounted  vt.Time // slotTime is summed up to here
	slotTime   slotTime
	demanded   vt.Time // demandTime is summed up to here: it is not told of times in which the demand stays
	demandTime slotTime
	delivered  uint64
	attempts   uint64
	draining   bool

	freed, handedBack uint64 // processes, recipients
	conditions        engine.Conditions
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
		panic("delivery: time fell from " + m.interval.accounted.String() + " to " + now.String())
	}
	span := now.Sub(m.interval.accounted)
	m.interval.slotTime.add(m.allocated, span)
	if span > 0 && m.allocated < m.available && (m.rooms == nil || m.rooms.parked == 0) {
		m.interval.draining = true
	}
	m.interval.accounted = now
	if m.waiting.next < now { // only where the shell wakes us late
		m.ripen()
	}
	if m.revival < now {
		m.revive(now)
	}
}

// endInterval closes the interval and begins the next one. If the shell is late
// by whole intervals, they are one long interval.
func (m *Machine) endInterval(now vt.Time, load engine.Load) {
	m.closed = m.measure(now, load)
	missed := now.Sub(m.interval.next) / m.cfg.Interval
	m.interval = interval{number: m.interval.number + 1, began: now,
		next: m.interval.next.Add((missed + 1) * m.cfg.Interval), accounted: now, demanded: now,
		target: m.cfg.targetAt(now)}
}

// decide asks the governor for a new C when an interval was closed. In the next
// one the retry limit may be another and processes beyond C may have to go
// ([0070]). DFR is attempts / delivered.
func (m *Machine) decide(attempts, delivered uint64) {
	r := &m.closed
	r.Sample.TargetRate = m.interval.target // of the next one, which has begun
	d := m.gov.Decide(r.Sample)
	m.available = governor.Published(d.Available)
	m.record(d)
	m.decideDestinations(r.Sample.Span, r.destinations)
	m.moveLimits(r.Sample.Span, attempts, delivered, r.Sample.Allocated/d.Previous)
	if m.freeing.fell != nil {
		m.freeing.fell(m)
	}
}

// record reports the closed interval to the observer, with a decision.
func (m *Machine) record(d governor.Decision) {
	row := m.closed.Row(m.closed.number, d)
	row.Destinations = m.closed.destinations
	m.obs.Interval(m.closed.Ended, m.cfg.Server, row)
}

// hold records the closed interval where the verdict on it did not come: C and
// the retry limit stay.
func (m *Machine) hold() {
	m.reported = false
	m.record(m.closed.Sample.Undecided(m.gov.Available()))
	m.decideDestinations(m.closed.Sample.Span, m.closed.destinations)
}

// stop ends the run: the interval under way is closed as partial, without
// asking the governor, and the machine wants no further Wake.
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

// measure returns what is known of the interval that ends now.
func (m *Machine) measure(now vt.Time, load engine.Load) closed {
	i := &m.interval
	span := now.Sub(i.began)
	i.demandTime.add(m.demand, now.Sub(i.demanded))
	allocated := i.slotTime.mean(span)
	r := closed{number: i.number, destinations: m.measureDestinations(now), Report: engine.Report{
		Sample: governor.Sample{Span: span, Delivered: i.delivered, Attempts: i.attempts,
			Allocated: allocated, Demand: i.demandTime.mean(span), Load: load.Of(allocated)},
		Conditions: i.conditions, Ended: now, Target: i.target, RetryLimit: m.limitInForce(), Wanted: m.demand,
		Freed: i.freed, HandedBack: i.handedBack, Draining: i.draining,
	}}
	r.Conditions.Into(&r.Sample)
	return r
}
