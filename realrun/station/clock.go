package station

import (
	"fmt"
	"time"

	"flyball/engine"
	"flyball/internal/vt"
	"flyball/realrun/journal"
)

// Clock is the time of a station: since time zero of its journal by the clock on the wall, but never less than the time
// of its last fact. While the process runs it does not jump.
type Clock struct {
	base  vt.Time
	began time.Time
}

// Now returns the time.
func (c *Clock) Now() vt.Time { return c.base + vt.Time(time.Since(c.began)) }

// ClockOf returns the clock of a station that begins, if its journal had nothing, or goes on. opened is the fact that
// begins the journal; nil if the journal has it, as its first one. zero is time zero; the zero value: now, or as the
// journal has it. What such a station cannot have written is a journal.ErrDamaged.
func ClockOf(role engine.Address, before []journal.Entry, zero time.Time) (c Clock, opened engine.Fact, err error) {
	c.began = time.Now()
	begun := engine.Opened{Wall: c.began.UnixNano()}
	if !zero.IsZero() {
		begun.Wall = zero.UnixNano()
	}
	opened = begun
	for i, e := range before {
		f, is := e.Fact.(engine.Opened)
		switch {
		case is != (i == 0):
			return c, nil, fmt.Errorf("%w: got fact %d, a %T, want Opened first and nowhere else", journal.ErrDamaged,
				i+1, e.Fact)
		case e.Role != role:
			return c, nil, fmt.Errorf("%w: got a fact of %v, want one of %v", journal.ErrDamaged, e.Role, role)
		case e.At < c.base:
			return c, nil, fmt.Errorf("%w: got a fact of %v at %v after %v", journal.ErrDamaged, e.Role, e.At, c.base)
		case is && !zero.IsZero() && f != begun:
			return c, nil, fmt.Errorf("%v: time zero: got %v, want that of its journal, %v", role, zero.UTC(),
				time.Unix(0, f.Wall).UTC())
		case is:
			begun, opened = f, nil
		}
		c.base = e.At
	}
	c.base = max(c.base, vt.Time(c.began.UnixNano()-begun.Wall))
	return c, opened, nil
}
