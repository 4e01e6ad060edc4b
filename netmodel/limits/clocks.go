package limits

import (
	"math/bits"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// forgets is how long a greylist keeps a recipient's clock after it last saw the
// recipient, in whole seconds: a week (assumed; OpenBSD spamd four hours, Postgrey
// 35 days).
const forgets = 7 * 24 * 3600

// Clocks are the greylist clocks of one receiver: the time at which each
// greylisted and undelivered recipient was first seen. They are kept in a hash
// table with open addressing and linear probing, with 16 bytes per slot and a
// load of at most 3/4. Its state is the same in every run. The clock of a
// recipient that the sender gives up expires.
type Clocks struct {
	slots []clock // a power of two, or none
	count int     // in use
}

// clock is the clock of one recipient; the zero value is a vacant slot.
type clock struct {
	first vt.Time // when the recipient was first seen
	last  uint32  // when it was last seen, in whole seconds
	who   uint32  // 1 + the recipient
}

func seconds(t vt.Time) int64 { return int64(t) / int64(vt.Second) }

// forgotten reports whether the clock has expired at the time now.
func (v *clock) forgotten(now vt.Time) bool { return seconds(now)-int64(v.last) > forgets }

// home returns the slot at which the search for who begins.
func (t *Clocks) home(who uint32) int {
	const golden = 0x9e3779b97f4a7c15
	return int(uint64(who) * golden >> (65 - bits.Len(uint(len(t.slots)))))
}

// find returns the slot of the recipient who, or the vacant slot for it.
func (t *Clocks) find(who uint32) int {
	i := t.home(who)
	for t.slots[i].who != who && t.slots[i].who != 0 {
		i = (i + 1) & (len(t.slots) - 1)
	}
	return i
}

// First returns when the recipient to was first seen; known is false if it never
// was, or if its clock has expired.
func (t *Clocks) First(to mail.Recipient, now vt.Time) (first vt.Time, known bool) {
	if t.count == 0 {
		return 0, false
	}
	v := &t.slots[t.find(uint32(to)+1)]
	return v.first, v.who != 0 && !v.forgotten(now)
}

// See records that the recipient to was seen, and starts its clock unless the
// clock is known.
func (t *Clocks) See(to mail.Recipient, now vt.Time, known bool) {
	if 4*(t.count+1) > 3*len(t.slots) {
		t.grow(now)
	}
	v := &t.slots[t.find(uint32(to)+1)]
	if v.who == 0 {
		t.count++
	}
	if !known {
		v.who, v.first = uint32(to)+1, now
	}
	v.last = uint32(seconds(now))
}

// grow drops the clocks that expired more than a day ago and makes room for twice
// the rest. It keeps the others because attempts are not decided in the order of
// time: a clock may be needed at an earlier time, but by less than a day.
func (t *Clocks) grow(now vt.Time) {
	now = now.Add(-vt.Day)
	old := t.slots
	kept := 0
	for i := range old {
		if old[i].who != 0 && !old[i].forgotten(now) {
			kept++
		}
	}
	t.slots, t.count = make([]clock, max(16, 1<<bits.Len(uint(2*kept)))), kept
	for i := range old {
		if old[i].who != 0 && !old[i].forgotten(now) {
			t.slots[t.find(old[i].who)] = old[i]
		}
	}
}

// Drop removes the clock of the recipient to, if it has one.
func (t *Clocks) Drop(to mail.Recipient) {
	if t.count == 0 {
		return
	}
	i := t.find(uint32(to) + 1)
	if t.slots[i].who == 0 {
		return
	}
	t.count--
	// Close the gap: move back every clock that a search from its home would not reach.
	mask := len(t.slots) - 1
	for next := (i + 1) & mask; t.slots[next].who != 0; next = (next + 1) & mask {
		if (next-t.home(t.slots[next].who))&mask >= (next-i)&mask {
			t.slots[i] = t.slots[next]
			i = next
		}
	}
	t.slots[i] = clock{}
}

// Size returns the number of clocks that are kept, and of the slots for them.
func (t *Clocks) Size() (clocks, slots int) { return t.count, len(t.slots) }

// State saves or restores the clocks.
func (t *Clocks) State(c *snap.Codec) {
	snap.Slice(c, &t.slots, func(c *snap.Codec, v *clock) { c.Fields(&v.who, &v.first, &v.last) })
	c.Fields(&t.count)
}
