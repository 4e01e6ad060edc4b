package station

import (
	"fmt"
	"time"

	"flyball/engine"
	"flyball/internal/vt"
	"flyball/realrun/journal"
)

// Clock is the time of a station: that since the creation of its journal by the clock on the wall, but never less than
// the time of its last fact. While the process runs it does not jump.
type Clock struct {
	wall  int64 // time zero, in nanoseconds since 1970
	base  vt.Time
	began time.Time
}

// Now returns the time.
func (c *Clock) Now() vt.Time { return c.base + vt.Time(time.Since(c.began)) }

// Opened returns the fact that begins a journal.
func (c *Clock) Opened() engine.Fact { return engine.Opened{Wall: c.wall} }

// Recovered returns the clock of a station that begins or goes on at wall, and the facts of its role among all that its
// journal had; a journal.ErrDamaged if the station cannot have written them. Without facts the station begins.
func Recovered(role engine.Address, before []journal.Entry, wall time.Time) (c Clock, facts []engine.Fact, err error) {
	c = Clock{wall: wall.UnixNano(), began: wall}
	for i, e := range before {
		f, opened := e.Fact.(engine.Opened)
		switch {
		case opened != (i == 0):
			return c, nil, fmt.Errorf("%w: got fact %d, a %T, want Opened first and nowhere else", journal.ErrDamaged,
				i+1, e.Fact)
		case e.Role != role:
			return c, nil, fmt.Errorf("%w: got a fact of %v, want those of %v", journal.ErrDamaged, e.Role, role)
		case e.At < c.base:
			return c, nil, fmt.Errorf("%w: got a fact of %v at %v after %v", journal.ErrDamaged, e.Role, e.At, c.base)
		case opened:
			c.wall = f.Wall
		default:
			facts = append(facts, e.Fact)
		}
		c.base = e.At
	}
	c.base = max(c.base, vt.Time(wall.UnixNano()-c.wall))
	return c, facts, nil
}
