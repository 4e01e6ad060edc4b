package guard

import (
	"fmt"
	"sync"

	"flyball/internal/mail"
	"flyball/realrun/dial"
)

// lately is how many times dial.Breakers.After attempts, or deliveries, a share is taken of.
const lately = 10

// Breaker watches how attempts end. Any goroutine may call its methods.
type Breaker struct {
	limits dial.Breakers
	// complaints returns how many complaints there have been since the run began; nil: none are known.
	complaints func() (int, error)

	lock      sync.Mutex
	last      []bool // whether each of the last attempts was refused for its recipient
	next      int
	bounces   int // in last
	delivered int
}

// NewBreaker returns a breaker at the limits. Complaints, if not nil, returns how many there have been since the run
// began.
func NewBreaker(limits dial.Breakers, complaints func() (int, error)) *Breaker {
	return &Breaker{limits: limits, complaints: complaints, last: make([]bool, 0, lately*limits.After)}
}

// Saw takes the end of an attempt, and returns an error that wraps dial.ErrRefused if too many were refused or
// complained about.
func (b *Breaker) Saw(r *mail.Reply) error {
	if r.Fault == mail.Aborted {
		return nil
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	bounced := r.Class() == mail.Bounce
	if len(b.last) < cap(b.last) {
		b.last = append(b.last, bounced)
	} else {
		if b.last[b.next] {
			b.bounces--
		}
		b.last[b.next] = bounced
		b.next = (b.next + 1) % len(b.last)
	}
	if bounced {
		b.bounces++
	}
	if n := len(b.last); n >= b.limits.After && float64(b.bounces) > b.limits.Bounces*float64(n) {
		return fmt.Errorf("%w: breakers.bounces: got %d of the last %d attempts refused for their recipients, want a "+
			"share of at most %g", dial.ErrRefused, b.bounces, n, b.limits.Bounces)
	}
	return b.complained(r)
}

// complained returns an error if there are too many complaints, once more messages were delivered.
func (b *Breaker) complained(r *mail.Reply) error {
	if r.Class() != mail.Delivered {
		return nil
	}
	b.delivered++
	if b.complaints == nil || b.delivered < b.limits.After {
		return nil
	}
	n, err := b.complaints()
	if err != nil {
		return err
	}
	if float64(n) > b.limits.Complaints*float64(b.delivered) {
		return fmt.Errorf("%w: breakers.complaints: got %d about %d delivered messages, want a share of at most %g",
			dial.ErrRefused, n, b.delivered, b.limits.Complaints)
	}
	return nil
}
