package guard

import (
	"fmt"
	"strings"
	"sync"

	"flyball/internal/mail"
	"flyball/realrun/dial"
)

// lately is how many times dial.Breakers.After attempts, or deliveries, a share is taken of.
const lately = 10

// Breaker watches how attempts end. Any goroutine may call its methods.
type Breaker struct {
	limits dial.Breakers
	names  []string // of destinations
	// complaints returns how many complaints there have been since the run began; nil: none are known.
	complaints func() (int, error)

	lock      sync.Mutex
	bounced   window
	refused   window
	deferred  []window // by destination
	delivered int      // since the breaker began
	before    int      // complaints before it began; below 0: those that an earlier one has counted
	counted   int      // complaints since it began, as of the last delivery
}

// NewBreaker returns a breaker at the limits, for destinations with names. Complaints, if not nil, returns how many
// there have been since the run began.
func NewBreaker(limits dial.Breakers, names []string, complaints func() (int, error)) *Breaker {
	b := &Breaker{limits: limits, names: names, complaints: complaints}
	b.clear()
	return b
}

func (b *Breaker) clear() {
	b.bounced, b.refused = window{}, window{}
	b.deferred = make([]window, len(b.names))
	b.delivered, b.counted = 0, 0
}

// Again makes the breaker begin anew: what it has seen counts no more.
func (b *Breaker) Again() {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.clear()
	if b.complaints != nil {
		if n, err := b.complaints(); err == nil {
			b.before = n
		}
	}
}

// Saw takes the end of an attempt, and returns an error that wraps dial.ErrRefused if too many were refused, deferred
// or complained about.
func (b *Breaker) Saw(a *mail.Attempt, r *mail.Reply) error {
	if r.Fault == mail.Aborted || r.Fault == mail.NotAllowed {
		return nil
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, v := range []struct {
		key   string
		in    *window
		ended bool
		most  float64
		how   string
	}{
		{"bounces", &b.bounced, r.Class() == mail.Bounce, b.limits.Bounces, "refused for their recipients"},
		{"refusals", &b.refused, r.Refused(), b.limits.Refusals, "refused for their sender"},
		{"deferrals", &b.deferred[a.Dest], r.Class() == mail.Deferral && r.Code > 0, b.limits.Deferrals,
			"for " + b.names[a.Dest] + " deferred"},
	} {
		if v.most == 1 { // no share is greater
			continue
		}
		v.in.add(v.ended, lately*b.limits.After)
		if n := len(v.in.last); n >= b.limits.After && float64(v.in.count) > v.most*float64(n) {
			return fmt.Errorf("%w: breakers.%s: got %d of the last %d attempts %s, want a share of at most %g",
				dial.ErrRefused, v.key, v.in.count, n, v.how, v.most)
		}
	}
	return b.complained(r)
}

// complained returns an error if there are too many complaints, once more messages were delivered.
func (b *Breaker) complained(r *mail.Reply) error {
	if r.Class() != mail.Delivered {
		return nil
	}
	b.delivered++
	if b.complaints == nil {
		return nil
	}
	n, err := b.complaints()
	if err != nil {
		return err
	}
	b.counted = n - b.before
	if b.delivered >= b.limits.After && float64(b.counted) > b.limits.Complaints*float64(b.delivered) {
		return fmt.Errorf("%w: breakers.complaints: got %d about %d delivered messages, want a share of at most %g",
			dial.ErrRefused, b.counted, b.delivered, b.limits.Complaints)
	}
	return nil
}

// window has the last attempts, and how many of them ended in one way.
type window struct {
	last  []bool
	next  int
	count int
}

func (w *window) add(ended bool, most int) {
	if len(w.last) < most {
		w.last = append(w.last, ended)
	} else {
		if w.last[w.next] {
			w.count--
		}
		w.last[w.next] = ended
		w.next = (w.next + 1) % most
	}
	if ended {
		w.count++
	}
}

// seen is what a breaker has seen, as a file keeps it.
type seen struct {
	Stopped    bool              `json:"stopped"` // attempts are
	Bounced    string            `json:"bounced"` // windows, the oldest attempt first
	Refused    string            `json:"refused"`
	Deferred   map[string]string `json:"deferred"` // by the name of the destination
	Delivered  int               `json:"delivered"`
	Complained int               `json:"complained"` // complaints since the breaker began
}

// seen returns what the breaker has seen.
func (b *Breaker) seen() seen {
	b.lock.Lock()
	defer b.lock.Unlock()
	v := seen{Bounced: b.bounced.text(), Refused: b.refused.text(), Deferred: map[string]string{},
		Delivered: b.delivered, Complained: b.counted}
	for i, w := range b.deferred {
		v.Deferred[b.names[i]] = w.text()
	}
	return v
}

// take makes the breaker go on from what an earlier one has seen.
func (b *Breaker) take(v seen) {
	b.lock.Lock()
	defer b.lock.Unlock()
	most := lately * b.limits.After
	b.bounced.take(v.Bounced, most)
	b.refused.take(v.Refused, most)
	for i := range b.deferred {
		b.deferred[i].take(v.Deferred[b.names[i]], most)
	}
	b.delivered, b.before, b.counted = v.Delivered, -v.Complained, v.Complained
}

// text returns a window as a digit for each attempt, 1 for one that ended in the way.
func (w *window) text() string {
	var text strings.Builder
	for i := range w.last {
		digit := byte('0')
		if w.last[(w.next+i)%len(w.last)] {
			digit = '1'
		}
		text.WriteByte(digit)
	}
	return text.String()
}

// take adds the attempts of a text.
func (w *window) take(text string, most int) {
	for _, digit := range text {
		w.add(digit == '1', most)
	}
}
