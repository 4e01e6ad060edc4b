// Package feedback limits how many attempts to one destination are under way, by
// the rule of Postfix: each attempt moves the limit, up after successes and down
// after failures. Package governor has it as a law of destinations.
//
// A Concurrency is a pure state machine, and not safe for concurrent use.
package feedback

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/snap"
)

// Amount is the feedback per delivery as a function of the concurrency N: Value,
// Value / N or Value / sqrt N.
type Amount struct {
	Value float64 // 0 to 1
	Per   Per
}

// Per is the divisor of an Amount.
type Per uint8

const (
	PerDelivery Per = iota // 1
	PerCohort              // N
	PerRoot                // sqrt N
)

var divisors = [...]string{PerDelivery: "", PerCohort: "/N", PerRoot: "/sqrt N"}

// String returns the amount in the form that UnmarshalText reads.
func (a Amount) String() string {
	return strconv.FormatFloat(a.Value, 'g', -1, 64) + divisors[a.Per]
}

// Want describes the text of an amount.
func (Amount) Want() string { return `an amount such as "1", "1/N" or "1/sqrt N"` }

// Pattern returns a regular expression that matches the text of every amount.
func (Amount) Pattern() string { return `^\s*[0-9.]` }

// Validate reports every problem.
func (a Amount) Validate() []error {
	var l conf.List
	l.Check(a.Value >= 0 && a.Value <= 1, "value", "got %g, want 0 to 1", a.Value)
	l.Check(a.Per <= PerRoot, "per", "got %d, want PerDelivery, PerCohort or PerRoot", a.Per)
	return l
}

// MarshalText returns the text of String; it never fails.
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

// Config has the numbers of a Concurrency. governor.Destination says what each is for, its range and its default.
type Config struct {
	Initial, Max       int
	Positive, Negative Amount
	Cohorts            float64
}

// Concurrency is the limit of one destination as in Postfix 2.5 and
// later, adjusted after each delivery (restated from the pseudo code of
// SCHEDULER_README). The limit rises by 1 at the end of a cycle of 1 / feedback
// successes and falls by 1 at the beginning of a cycle of failures. So overload
// is corrected at once, and a receiver that takes five deliveries at a time
// refuses one in 1 + ceil(1 / feedback).
//
// Later revisions of Postfix round 1 / feedback to the nearest whole number rather
// than up and no longer offer the square root; for 1/N and 1 the result is the same.
type Concurrency struct {
	cfg         Config
	limit       int     // 0: dead
	success     float64 // feedback summed in the current cycle of successes
	failure     float64 // feedback left in the current cycle of failures
	failCohorts float64 // consecutive failures, each as 1 / limit
}

// New returns the initial limit. c must be valid.
func New(c Config) *Concurrency { return &Concurrency{cfg: c, limit: c.Initial} }

// Limit returns how many deliveries to the destination may be under way; 0 while
// the destination is dead.
func (f *Concurrency) Limit() int { return f.limit }

// Success adjusts the limit after a delivery without connection or handshake
// failure; the message itself may have been refused. busy is the number of
// deliveries that were under way, including this one. Success revives a dead
// destination.
func (f *Concurrency) Success(busy int) {
	f.failCohorts = 0
	if f.limit == 0 {
		f.Revive()
		return
	}
	// An unused limit must not grow: otherwise failures would take long to have an effect.
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

// rounding is the tolerance for sums of feedback: ten times 0.1 is not exactly 1.
const rounding = 1e-9

// Failure adjusts the limit after a delivery that failed to connect or in the
// handshake, which includes a 421. busy is as for Success and is not used.
func (f *Concurrency) Failure(busy int) {
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
	// At 1 the cycle of failures continues: failures still cancel successes.
	f.limit = max(f.limit, 1)
}

// Revive sets the limit of a dead destination to the initial concurrency; its
// cycles continue where they stood.
func (f *Concurrency) Revive() {
	if f.limit == 0 {
		f.limit = f.cfg.Initial
		f.failCohorts = 0
	}
}

// State saves or restores f.
func (f *Concurrency) State(c *snap.Codec) {
	c.Fields(&f.limit, &f.success, &f.failure, &f.failCohorts)
}
