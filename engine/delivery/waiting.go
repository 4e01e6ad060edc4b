package delivery

import (
	"math/bits"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// resend is a recipient that waits for its next try.
type resend struct {
	rcpt     mail.Recipient
	link     uint32 // next place of the chain; 0 at the end
	try      mail.Try
	campaign uint32
}

// chain is a first-in, first-out list of resends, by place.
type chain struct{ first, last uint32 }

func (c *chain) empty() bool { return c.first == 0 }

// waiting holds the recipients between two tries in buckets by due time, so that
// the cost of a resend does not depend on their number. Only waiting recipients
// take memory. Due times are rounded up to the grain: the longest delay / 32768,
// in whole milliseconds. Resends in a bucket keep the order of their failures.
type waiting struct {
	next    vt.Time // start of the first bucket in use; vt.Never if none
	grain   vt.Span
	buckets []chain  // a ring: bucket b is at b mod len
	used    []uint64 // a bit per bucket
	resends []resend // place 0 is not used
	vacant  chain
}

func newWaiting(longest vt.Span) waiting {
	longest = max(longest, vt.Millisecond)
	grain := max(1, (longest/32768+vt.Millisecond-1)/vt.Millisecond) * vt.Millisecond
	ring := 1 << max(6, bits.Len64(uint64(longest/grain)+2)) // whole words of used
	return waiting{next: vt.Never, grain: grain, buckets: make([]chain, ring), used: make([]uint64, ring/64),
		resends: make([]resend, 1)}
}

// add makes the recipient r wait until due, at most the longest delay from now, and
// returns its place.
func (w *waiting) add(due vt.Time, r resend) (place uint32) {
	place = w.hold(r)
	bucket := (due + vt.Time(w.grain) - 1) / vt.Time(w.grain)
	i := int(bucket) & (len(w.buckets) - 1)
	w.link(&w.buckets[i], place)
	w.used[i>>6] |= 1 << (i & 63)
	w.next = min(w.next, bucket*vt.Time(w.grain))
	return place
}

// hold returns a place for the recipient r, which is in no chain yet.
func (w *waiting) hold(r resend) (place uint32) {
	place = w.vacant.first
	if place != 0 {
		w.unlink(&w.vacant)
	} else {
		place = uint32(len(w.resends))
		w.resends = append(w.resends, r)
	}
	r.link = 0
	w.resends[place] = r
	return place
}

// release moves the due resends to their campaigns and returns the oldest campaign
// that got one, or len(campaigns) if none did.
func (w *waiting) release(now vt.Time, campaigns []campaign) (oldest int) {
	oldest = len(campaigns)
	for w.next <= now {
		bucket := int(w.next/vt.Time(w.grain)) & (len(w.buckets) - 1)
		for c := &w.buckets[bucket]; !c.empty(); {
			place := w.unlink(c)
			campaign := int(w.resends[place].campaign)
			w.link(&campaigns[campaign].due, place)
			campaigns[campaign].ready++
			oldest = min(oldest, campaign)
		}
		w.used[bucket>>6] &^= 1 << (bucket & 63)
		w.next = w.following(w.next, bucket)
	}
	return oldest
}

// following returns the start of the first bucket in use after the one that was
// emptied, which starts at the time at. The ring never holds more than one turn, so
// the distance between buckets gives the time.
func (w *waiting) following(at vt.Time, bucket int) vt.Time {
	for ahead := 1; ahead < len(w.buckets); {
		i := (bucket + ahead) & (len(w.buckets) - 1)
		if word := w.used[i>>6] >> (i & 63); word != 0 {
			ahead += bits.TrailingZeros64(word)
			return at + vt.Time(ahead)*vt.Time(w.grain)
		}
		ahead += 64 - i&63
	}
	return vt.Never
}

// take removes and returns the first resend of the chain c, which must not be empty.
func (w *waiting) take(c *chain) resend {
	place := w.unlink(c)
	r := w.resends[place]
	w.link(&w.vacant, place)
	return r
}

func (w *waiting) link(c *chain, place uint32) {
	w.resends[place].link = 0
	if c.empty() {
		c.first = place
	} else {
		w.resends[c.last].link = place
	}
	c.last = place
}

func (w *waiting) unlink(c *chain) uint32 {
	place := c.first
	c.first = w.resends[place].link
	return place
}
