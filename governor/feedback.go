package governor

import (
	"errors"
	"math"

	"flyball/internal/conf"
)

// FeedbackConfig has the parameters of a Feedback.
type FeedbackConfig struct {
	Initial  int     // concurrency to begin with, and how far the limit may stand above what is busy
	Max      int     // greatest concurrency
	Positive Amount  // feedback per delivery without connection or handshake failure
	Negative Amount  // feedback per delivery with one
	Cohorts  float64 // the destination is dead after that many cohorts of failures without a success between; 0: never
}

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

func (a Amount) at(n float64) float64 {
	switch a.Per {
	case PerCohort:
		return a.Value / n
	case PerRoot:
		return a.Value / math.Sqrt(n)
	}
	return a.Value
}

// DefaultFeedback is what Postfix does if nothing is configured.
func DefaultFeedback() FeedbackConfig {
	return FeedbackConfig{
		Initial:  5,            // Postfix initial_destination_concurrency
		Max:      20,           // Postfix default_destination_concurrency_limit
		Positive: Amount{1, 0}, // Postfix default_destination_concurrency_positive_feedback
		Negative: Amount{1, 0}, // Postfix default_destination_concurrency_negative_feedback
		Cohorts:  1,            // Postfix default_destination_concurrency_failed_cohort_limit
	}
}

// Validate reports every problem.
func (c FeedbackConfig) Validate() []error {
	var l conf.List
	l.Check(c.Initial >= 1 && c.Initial <= 1e6, "initial", "got %d, want 1 to 1000000", c.Initial)
	l.Check(c.Max >= 1 && c.Max <= 1e6, "max", "got %d, want 1 to 1000000", c.Max)
	l.Check(c.Initial <= c.Max, "initial", "got %d, want at most max = %d", c.Initial, c.Max)
	for _, a := range []struct {
		key string
		Amount
	}{{"positive", c.Positive}, {"negative", c.Negative}} {
		l.Check(a.Value >= 0 && a.Value <= 1, a.key, "got %g, want 0 to 1", a.Value)
		l.Check(a.Per <= PerRoot, a.key, "got %d, want PerDelivery, PerCohort or PerRoot", a.Per)
	}
	l.Check(c.Cohorts >= 0 && c.Cohorts <= 1e6, "cohorts", "got %g, want 0 to 1000000", c.Cohorts)
	return l
}

// Feedback is the concurrency limit of one destination as Postfix 2.5 and later
// set it, by every delivery's success or failure (SCHEDULER_README, the pseudo
// code; restated). The limit rises by 1 at the end of a cycle of 1 / feedback
// successes and falls by 1 at the beginning of a cycle of failures: so a
// correction for overload comes at once, and a receiver that takes five at a
// time refuses one delivery in 1 + ceil(1 / feedback).
//
// It is no law of C: it is asked per attempt and holds for one destination.
// Later revisions of Postfix round 1 / feedback to the nearest whole number
// rather than up and no longer offer the square root; for 1/N and 1 there is no
// difference.
type Feedback struct {
	cfg         FeedbackConfig
	limit       int     // 0: dead
	success     float64 // of the cycle under way
	failure     float64
	failCohorts float64
}

// NewFeedback returns the limit at its initial value; the error joins all
// problems of c.
func NewFeedback(c FeedbackConfig) (*Feedback, error) {
	if err := errors.Join(c.Validate()...); err != nil {
		return nil, err
	}
	return &Feedback{cfg: c, limit: c.Initial}, nil
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

// Dead reports that the destination is not to be tried. Postfix revives it
// after minimal_backoff_time, 300 s.
func (f *Feedback) Dead() bool { return f.limit == 0 }

// Revive gives a dead destination another chance, at the initial concurrency;
// its cycles go on from where they stood.
func (f *Feedback) Revive() {
	if f.limit == 0 {
		f.limit = f.cfg.Initial
		f.failCohorts = 0
	}
}
