package governor

import (
	"errors"
	"fmt"

	"flyball/internal/snap"
)

// Canary tries a Config on the first deliveries of a server and then returns to another for good. It returns at once
// when the attempts of one interval went worse than its guards allow, or at the end of an interval in which somebody
// else's guard failed (Fail).
type Canary struct {
	Before     Config  // returned to
	Deliveries uint64  // after which it is returned to
	Bounces    float64 // greatest share of an interval's attempts that may end by a 5yz reply
	Deferrals  float64 // greatest share that may end by a 4yz reply
	Attempts   uint64  // fewest attempts of an interval that is judged
	Over       bool    // the trial has ended before, and Before is in force from the beginning
}

// NewCanary returns a governor that tries c, or an error if c or what it returns to is not valid.
func NewCanary(c Config, t Canary) (Governor, error) {
	tried, err := New(c)
	before, wrong := New(t.Before)
	if err := errors.Join(err, wrong); err != nil {
		return nil, err
	}
	return &canary{tried: tried.(Keeper), before: before.(Keeper), Canary: t, over: t.Over}, nil
}

type canary struct {
	Canary
	tried, before Keeper
	delivered     uint64
	failed, over  bool
}

// Fail says that a guard has failed that the law does not see.
func (t *canary) Fail() { t.failed = true }

func (t *canary) Available() float64 {
	if t.over {
		return t.before.Available()
	}
	return t.tried.Available()
}

func (t *canary) Decide(s Sample) Decision {
	if t.over {
		return t.before.Decide(s)
	}
	d := t.tried.Decide(s)
	t.delivered += s.Delivered
	switch n := float64(s.Attempts); {
	case t.failed || s.Attempts >= max(t.Attempts, 1) && (float64(s.Bounces) > float64(t.Bounces*n) ||
		float64(s.Deferrals) > float64(t.Deferrals*n)):
		d.Flags |= GuardFailed
	case t.delivered >= t.Deliveries:
		d.Flags |= CanaryOver
	default:
		return d
	}
	t.over = true
	d.Available = t.before.Available()
	return d
}

// Form names what State saves.
func (t *canary) Form() string { return fmt.Sprintf("a trial of %T before %T", t.tried, t.before) }

func (t *canary) State(c *snap.Codec) {
	t.tried.State(c)
	t.before.State(c)
	c.Fields(&t.delivered, &t.failed, &t.over)
	t.over = t.over || t.Over
}
