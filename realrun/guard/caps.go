// Package guard bounds what a live run does to people: how many attempts all runs with an allowlist make within a
// second and within 24 hours, and how many may go wrong before the run stops.
package guard

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/pause"
	"flyball/realrun/dial"
)

// Caps hands out permits for attempts, one for each, to all runs with the same file. A permit is counted in the file,
// durably, before it is used, so that no stop of a run loses the count; a run that is killed loses at most the permits
// of one second. Any goroutine may call its methods.
type Caps struct {
	file string
	caps dial.Caps
	clock

	began time.Time     // the first time that the clock had
	after time.Duration // what had passed then

	turn    chan struct{} // held while permits are counted
	second  int64         // since 1970, in which the permits below may be used
	granted int           // permits that are counted in the file
	used    int
	place   int // of the next permit: a second has as many places as permits, at the same times for all runs
}

// Open returns the Caps whose counts are in file, which need not exist.
func Open(file string, caps dial.Caps) (*Caps, error) {
	opened := time.Now()
	c := newCaps(file, caps, clock{time.Now, func() time.Duration { return time.Since(opened) }, waitUntil})
	_, err := c.read()
	return c, err
}

func newCaps(file string, caps dial.Caps, by clock) *Caps {
	return &Caps{file: file, caps: caps, clock: by, turn: make(chan struct{}, 1)}
}

// clock is what Caps knows of time.
type clock struct {
	now    func() time.Time     // which somebody may set
	passed func() time.Duration // since any moment: what that changes nothing of
	wait   func(ctx context.Context, until time.Time) error
}

func waitUntil(ctx context.Context, at time.Time) error { return pause.For(ctx, time.Until(at)) }

// Limit replaces the caps. Permits that are counted stay counted.
func (c *Caps) Limit(caps dial.Caps) {
	c.turn <- struct{}{}
	c.caps = caps
	<-c.turn
}

// Take waits for the next permit, and returns an error if there is none: ctx has ended, the permits of 24 hours are
// used up (dial.ErrRefused), or the file cannot be kept.
func (c *Caps) Take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.caps.PerDay < 1 || c.caps.PerSecond < 1 {
		return fmt.Errorf("%w: caps: got no part of them for 24 hours, since the number of servers has changed",
			dial.ErrRefused)
	}
	gap := time.Second / time.Duration(c.caps.PerSecond)
	for {
		now, err := c.time()
		if err != nil {
			return err
		}
		begun := time.Unix(c.second, 0)
		passed := now.Sub(begun)
		if place := max(c.place, int((passed+gap-1)/gap)); c.used < c.granted && place < c.caps.PerSecond {
			c.used++
			c.place = place + 1
			return c.wait(ctx, begun.Add(time.Duration(place)*gap))
		}
		until, err := c.count(now)
		if err == nil {
			err = c.wait(ctx, until)
		}
		if err != nil {
			return err
		}
	}
}

// time returns the time by the clock, and an error if the clock was set while the run went on: the attempts of a day
// would be those of another time.
func (c *Caps) time() (now time.Time, err error) {
	now = c.now()
	passed := c.passed()
	if c.began.IsZero() {
		c.began, c.after = now, passed
	}
	if by := now.Sub(c.began) - (passed - c.after); by > skew || by < -skew {
		return now, fmt.Errorf("%w: caps.per_day: got a clock that was set from %s to %s while the run went on, or a "+
			"computer that slept, want attempts counted by one clock: set it right, then the mailing can go on",
			dial.ErrRefused, utc(now.Add(-by).Unix()), utc(now.Unix()))
	}
	return now, nil
}

// count gives back the permits that were not used, and counts the permits of the second of now. Another run may have
// that second: then the next one may be counted at the time until.
func (c *Caps) count(now time.Time) (until time.Time, err error) {
	lock, err := durable.LockFolder(filepath.Dir(c.file))
	if err != nil {
		return until, err
	}
	defer lock.Release()
	f, err := c.read()
	if err != nil {
		return until, err
	}
	if f.second > now.Add(skew).Unix() {
		return until, fmt.Errorf("%w: %s: attempts were made until %s, and now it is %s: one of the clocks is wrong",
			dial.ErrRefused, c.file, utc(f.second), utc(now.Unix()))
	}
	f.add(c.second, c.used-c.granted)
	c.granted, c.used, c.place = 0, 0, 0
	f.forget(now)
	if f.second >= now.Unix() {
		return time.Unix(f.second+1, 0), durable.Write(c.file, f.text())
	}
	n := min(c.caps.PerSecond, c.caps.PerDay-f.total())
	if n <= 0 {
		return until, errors.Join(durable.Write(c.file, f.text()), fmt.Errorf(
			"%w: caps.per_day: got %d attempts within 24 hours, want at most %d: the next one may be made at %s",
			dial.ErrRefused, f.total(), c.caps.PerDay, utc(f.first()+day+60)))
	}
	f.second = now.Unix()
	f.add(f.second, n)
	if err := durable.Write(c.file, f.text()); err != nil {
		return until, err
	}
	c.second, c.granted = f.second, n
	return now, nil
}

// Close gives back the permits that were not used.
func (c *Caps) Close() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if c.used == c.granted {
		return nil
	}
	lock, err := durable.LockFolder(filepath.Dir(c.file))
	if err != nil {
		return err
	}
	defer lock.Release()
	f, err := c.read()
	if err != nil {
		return err
	}
	f.add(c.second, c.used-c.granted)
	c.granted = c.used
	return durable.Write(c.file, f.text())
}

// Left returns how many attempts may be made within the next 24 hours as things are.
func (c *Caps) Left() (int, error) {
	f, err := c.read()
	if err != nil {
		return 0, err
	}
	f.forget(c.now())
	return c.caps.PerDay - f.total(), nil
}

// skew is the greatest accepted difference between the clocks of two runs, or between a clock and what has passed.
const skew = 5 * time.Minute

const day = 24 * 60 * 60

func utc(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

// counts is the content of the file: the last second of which permits were counted, and the attempts of each minute. A
// sum of both follows, against accidents and not forgery.
type counts struct {
	second  int64
	minutes []minute // in order
}

// minute is the attempts of the minute from a second since 1970 on.
type minute struct {
	from int64
	n    int
}

const header = "flyball attempts 2\n"

func (c *Caps) read() (counts, error) {
	text, err := input.Read(c.file, input.Allowlist)
	if errors.Is(err, fs.ErrNotExist) {
		return counts{}, nil
	}
	if err != nil {
		return counts{}, err
	}
	f, ok := parse(text)
	if !ok {
		return f, fmt.Errorf("%w: %s: got a file that does not hold counts of attempts, want one that a run wrote",
			dial.ErrRefused, c.file)
	}
	return f, nil
}

// parse reports whether a text is one of counts, and returns these.
func parse(text []byte) (f counts, ok bool) {
	rest, _ := bytes.CutPrefix(text, []byte(header))
	for line := range strings.Lines(string(rest)) {
		var m minute
		if n, _ := fmt.Sscanf(line, "second %d\n", &f.second); n == 1 {
			continue
		}
		if n, _ := fmt.Sscanf(line, "%d %d\n", &m.from, &m.n); n == 2 && m.n > 0 && m.from%60 == 0 &&
			(f.minutes == nil || m.from > f.minutes[len(f.minutes)-1].from) {
			f.minutes = append(f.minutes, m)
		}
	}
	return f, bytes.Equal(text, f.text())
}

func (f *counts) text() []byte {
	text := fmt.Appendf(nil, "%ssecond %d\n", header, f.second)
	for _, m := range f.minutes {
		text = fmt.Appendf(text, "%d %d\n", m.from, m.n)
	}
	return fmt.Appendf(text, "sum %.8x\n", sha256.Sum256(text))
}

// add adds n attempts to the minute of a second, or takes some back.
func (f *counts) add(second int64, n int) {
	if n == 0 {
		return
	}
	from := second - second%60
	at, there := slices.BinarySearchFunc(f.minutes, from, func(m minute, from int64) int {
		return cmp.Compare(m.from, from)
	})
	if !there {
		f.minutes = slices.Insert(f.minutes, at, minute{from: from})
	}
	if f.minutes[at].n += n; f.minutes[at].n <= 0 {
		f.minutes = slices.Delete(f.minutes, at, at+1)
	}
}

// forget drops the minutes that lie 24 hours or more before now.
func (f *counts) forget(now time.Time) {
	f.minutes = slices.DeleteFunc(f.minutes, func(m minute) bool { return m.from+60+day <= now.Unix() })
}

func (f *counts) total() (n int) {
	for _, m := range f.minutes {
		n += m.n
	}
	return n
}

// first returns when the first attempts were made that count.
func (f *counts) first() int64 { return f.minutes[0].from }
