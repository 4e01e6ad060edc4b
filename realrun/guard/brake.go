package guard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun/dial"
)

// Share returns the caps of server i of n, from 0 on, which count apart: the caps of all servers together are c. A
// server whose share is 0 may make no attempt.
func Share(c dial.Caps, i, n int) dial.Caps {
	of := func(all int) int {
		share := all / n
		if i < all%n {
			share++
		}
		return share
	}
	return dial.Caps{PerDay: of(c.PerDay), PerSecond: of(c.PerSecond)}
}

// ErrRests is the error of an attempt that has waited for its permit as long as it may: nothing was connected to, and
// the recipient may be tried later.
var ErrRests = errors.New("no permit yet")

// Brake bounds the attempts of a server that goes on for months: what no permit is left for waits for the next one,
// and what a breaker has stopped stays stopped, also after a restart, until a person has removed a file. Any goroutine
// may call its methods.
type Brake struct {
	// File stops all attempts while it is there, whether a breaker or a person wrote it. A breaker writes its reason.
	File    string
	Caps    []*Caps // each of which must permit an attempt
	Breaker *Breaker
	// Rest is the longest that an attempt waits for its permit.
	Rest time.Duration
	// Note is called with each new reason why no attempt is made, and with nil when attempts are made again.
	Note func(why error)

	now  func() time.Time
	wait func(ctx context.Context, until time.Time) error

	lock   sync.Mutex
	kept   string    // file with what the breaker has seen; empty: that is not kept
	saved  time.Time // when that was last written
	ends   int       // attempts that have ended
	failed error     // what the breaker has seen could not be written
	held   error     // the file is there
	looked time.Time // for the file
	spent  error     // there is no permit
	again  time.Time // when caps are asked again
}

// Times between two looks at the file, and between two questions to caps that are used up.
const (
	glance = time.Second
	ration = 10 * time.Second
)

// NewBrake returns a Brake. The file may be there already.
func NewBrake(file string, caps []*Caps, breaker *Breaker, rest time.Duration, note func(error)) *Brake {
	return &Brake{File: file, Caps: caps, Breaker: breaker, Rest: rest, Note: note, now: time.Now, wait: waitUntil}
}

// Take waits for a permit. The error is ErrRests if there was none for the time Rest, and another one if ctx has ended
// or the counts cannot be kept.
func (b *Brake) Take(ctx context.Context) error {
	for end := b.now().Add(b.Rest); ; {
		next := b.closed()
		if next.IsZero() {
			err := b.permit(ctx, end)
			if !errors.Is(err, dial.ErrRefused) {
				if err == nil {
					b.spend(nil)
				}
				return err
			}
			b.spend(err)
			continue
		}
		if next.After(end) {
			next = end
		}
		if err := b.wait(ctx, next); err != nil {
			return err
		}
		if !b.now().Before(end) {
			return ErrRests
		}
	}
}

// permit takes a permit of each cap, for which it waits no longer than until end.
func (b *Brake) permit(ctx context.Context, end time.Time) error {
	bounded, cancel := context.WithTimeout(ctx, end.Sub(b.now()))
	defer cancel()
	for _, c := range b.Caps {
		if err := c.Take(bounded); err != nil {
			if bounded.Err() != nil && ctx.Err() == nil {
				return ErrRests
			}
			return err
		}
	}
	return nil
}

// closed returns when to ask again, if no attempt may be made now; zero if caps may be asked.
func (b *Brake) closed() (next time.Time) {
	b.lock.Lock()
	defer b.lock.Unlock()
	now := b.now()
	if b.looked.IsZero() || !now.Before(b.looked.Add(glance)) {
		b.look(now)
	}
	switch {
	case b.held != nil:
		return b.looked.Add(glance)
	case b.spent == nil:
	case now.Before(b.again):
		return b.again
	default:
		b.again = now.Add(ration) // one attempt asks for all
	}
	return time.Time{}
}

// look looks for the file.
func (b *Brake) look(now time.Time) {
	before := b.held
	b.held, b.looked = Held(b.File), now
	if before != nil && b.held == nil {
		b.Breaker.Again()
	}
	if (before == nil) != (b.held == nil) {
		b.failed = b.save(now)
	}
	b.tell(before, b.held)
}

// Keep loads what the breaker saw from a file, if it exists, and saves there what the breaker sees from now on: a
// server that ends again and again has its share of bad attempts all the same. What was seen before a person removed
// the file that stops all attempts does not count, also if the server was down then. The error wraps dial.ErrRefused if
// the file cannot be read.
func (b *Brake) Keep(file string) error {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.kept = file
	text, err := input.Read(file, input.RunFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var v seen
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: want a file that an earlier run wrote: %w", dial.ErrRefused, file, err)
	}
	b.Breaker.take(v)
	if v.Stopped && Held(b.File) == nil { // else the first look finds it, and tells
		b.Breaker.Again()
		return b.save(b.now())
	}
	return nil
}

// save writes what the breaker has seen, durably. The caller has the lock.
func (b *Brake) save(now time.Time) error {
	if b.kept == "" {
		return nil
	}
	v := b.Breaker.seen()
	v.Stopped = b.held != nil
	text, err := json.Marshal(v)
	if err == nil {
		err = durable.Write(b.kept, append(text, '\n'))
	}
	b.saved = now
	return err
}

// each is the most attempts of a process after each of which what the breaker has seen is written.
const each = 100

// note keeps that an attempt has ended: each one until there are as many as the breaker judges by, so that it does not
// matter how early the server ends, and then what was seen once a second.
func (b *Brake) note() error {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.ends++
	if now := b.now(); b.ends <= min(b.Breaker.limits.After, each) || !now.Before(b.saved.Add(glance)) {
		return b.save(now)
	}
	return b.failed
}

// Held returns why a file stops all attempts; nil if it is not there.
func Held(file string) error {
	text, err := input.Read(file, input.Allowlist)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", file, err)
	}
	return fmt.Errorf("%s is there: %s", file, cmp.Or(strings.TrimSpace(string(text)), "it says nothing"))
}

// spend notes why there is no permit, or that there is one.
func (b *Brake) spend(why error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	before := b.spent
	if b.spent = why; before == nil {
		b.again = b.now().Add(ration)
	}
	b.tell(before, why)
}

// tell tells of a reason that is new.
func (b *Brake) tell(before, now error) {
	if fmt.Sprint(before) != fmt.Sprint(now) {
		b.Note(now)
	}
}

// Saw takes the end of an attempt. When the breaker says that too much goes wrong, the file is written, durably, and
// no attempt begins any more. The error says that the file, or what the breaker has seen, cannot be written.
func (b *Brake) Saw(a *mail.Attempt, r *mail.Reply) error {
	why := b.Breaker.Saw(a, r)
	if err := b.note(); why == nil {
		return err
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	if err := durable.Create(b.File, []byte(why.Error()+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err // the first reason counts
	}
	b.look(b.now())
	return nil
}

// Stopped returns why no attempt is made at present; nil if attempts are made.
func (b *Brake) Stopped() error {
	b.lock.Lock()
	defer b.lock.Unlock()
	return cmp.Or(b.held, b.spent)
}
