package governor

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/snap"
)

// Amount is feedback per delivery, given the concurrency N: Value, Value / N or
// Value / sqrt N.
type Amount struct {
	Value float64 // 0 to 1
	Per   Per
}

// Per is what an Amount is divided by.
type Per uint8

const (
	PerDelivery Per = iota // 1
	PerCohort              // N
	PerRoot                // sqrt N
)

var divisors = [...]string{PerDelivery: "", PerCohort: "/N", PerRoot: "/sqrt N"}

// String is the amount as UnmarshalText reads it.
func (a Amount) String() string {
	return strconv.FormatFloat(a.Value, 'g', -1, 64) + divisors[a.Per]
}

// Validate reports every problem.
func (a Amount) Validate() []error {
	var l conf.List
	l.Check(a.Value >= 0 && a.Value <= 1, "value", "got %g, want 0 to 1", a.Value)
	l.Check(a.Per <= PerRoot, "per", "got %d, want PerDelivery, PerCohort or PerRoot", a.Per)
	return l
}

// MarshalText never fails.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an amount such as "1", "0.5", "1/N" or "1/sqrt N".
func (a *Amount) UnmarshalText(text []byte) error {
	value, divisor, divided := strings.Cut(string(text), "/")
	if divided {
		divisor = "/" + strings.Join(strings.Fields(divisor), " ")
	}
	for per, d := range divisors {
		v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if d == divisor && err == nil && v >= 0 && v <= 1 {
			*a = Amount{v, Per(per)}
			return nil
		}
	}
	return fmt.Errorf("got %q, want a number 0 to 1, or it by N or sqrt N, such as \"1/N\" or \"1/sqrt N\"", text)
}

func (a Amount) at(n float64) float64 {
	switch a.Per {
	case PerCohort:
		return a.Value / n
	case PerRoot:
		return a.Value / math.Sqrt(n)
	}
	return a.Value
}

// Feedback is the concurrency limit of one destination as Postfix 2.5 and later
// set it, by every delivery's success or failure (SCHEDULER_README, the pseudo
// code; restated). The limit rises by 1 at the end of a cycle of 1 / feedback
// successes and falls by 1 at the beginning of a cycle of failures: so a
// correction for overload comes at once, and a receiver that takes five at a
// time refuses one delivery in 1 + ceil(1 / feedback).
//
// It is no law of C: it is told of every attempt and holds for one destination.
// Later revisions of Postfix round 1 / feedback to the nearest whole number
// rather than up and no longer offer the square root; for 1/N and 1 there is no
// difference.
type Feedback struct {
	cfg         Destination
	limit       int     // 0: dead
	success     float64 // of the cycle under way
	failure     float64
	failCohorts float64
}

// Limit is how many deliveries to the destination may be under way; 0 while it
// is dead.
func (f *Feedback) Limit() int { return f.limit }

// Success tells of a delivery without connection or handshake failure, though
// the message itself may have been turned down. busy counts the deliveries that
// were under way, this one included. It revives a dead destination.
func (f *Feedback) Success(busy int) {
	f.failCohorts = 0
	if f.limit == 0 {
		f.Revive()
		return
	}
	// A limit that nobody makes use of must not grow, or failures would take long to have an effect.
	if f.limit >= f.cfg.Max || f.limit >= busy+f.cfg.Initial {
		return
	}
	f.success += f.cfg.Positive.at(float64(f.limit))
	for f.success >= 1-rounding {
		f.limit++
		f.success--
		f.failure = 0
	}
	f.limit = min(f.limit, f.cfg.Max)
}

// rounding forgives that ten tenths do not make one.
const rounding = 1e-9

// Failure tells of a delivery that failed to connect or in the handshake; 421
// is one. busy is as for Success; the rule does not look at it.
func (f *Feedback) Failure(busy int) {
	if f.limit == 0 {
		return
	}
	n := float64(f.limit)
	f.failCohorts += 1 / n
	if f.cfg.Cohorts > 0 && f.failCohorts >= f.cfg.Cohorts-rounding {
		f.limit = 0
		return
	}
	f.failure -= f.cfg.Negative.at(n)
	for f.failure < -rounding {
		f.limit--
		f.failure++
		f.success = 0
	}
	// At 1 the cycle of failures goes on: they still cancel successes.
	f.limit = max(f.limit, 1)
}

// Revive gives a dead destination another chance, at the initial concurrency;
// its cycles go on from where they stood.
func (f *Feedback) Revive() {
	if f.limit == 0 {
		f.limit = f.cfg.Initial
		f.failCohorts = 0
	}
}

// Interval has nothing to say: the limit goes by attempts.
func (f *Feedback) Interval(Sample) {}

// State saves or restores it.
func (f *Feedback) State(c *snap.Codec) {
	snap.Int(c, &f.limit)
	snap.Float(c, &f.success)
	snap.Float(c, &f.failure)
	snap.Float(c, &f.failCohorts)
}
