package replies

import (
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Tally counts the replies of a destination that match a row, as far back as its row
// looks. Its zero value has counted none.
type Tally struct {
	last []vt.Time // the last replies, as many as are needed before the one that counts
	next int       // place of the oldest of them
}

// Enough counts a reply that comes now, and reports whether the row's number of them came
// within its time.
func (t *Tally) Enough(now vt.Time, row *Row) bool {
	if row.After <= 1 {
		return true
	}
	if len(t.last) < row.After-1 {
		t.last = append(t.last, now)
		return false
	}
	oldest := t.last[t.next]
	t.last[t.next] = now
	t.next = (t.next + 1) % len(t.last)
	return now.Sub(oldest) <= row.Within
}

// State saves or restores the tally.
func (t *Tally) State(c *snap.Codec) {
	c.Fields(&t.last, &t.next)
}
