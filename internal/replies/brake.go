package replies

import (
	"math"

	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Brake is what reactions have done to the attempts of a place: to a destination, or of
// a whole server. Its zero value lets attempts begin at any time.
//
// A slowed place lets attempts begin one by one, at a rate that recovers linearly to the
// rate before. That rate is measured, since a sender without a limit of its own has no
// other: the attempts begun in the last window, which lasts a minute or up to the first
// after it. A window of more than two minutes is idle time, and does not count.
//
// A suspended place may return gently: with few attempts under way at first, and one more
// whenever as many as may be under way have shown that the receiver takes them again.
type Brake struct {
	opens     vt.Time // from which on the next attempt may begin
	suspended vt.Time // when the last suspension began
	slowed    vt.Time // when the rate was last reduced
	recovers  vt.Time // when the rate has recovered
	share     float64 // of the rate, at slowed
	gap       vt.Span // between two attempts at the whole rate

	measured vt.Span // gap in the last whole window; 0: none
	window   vt.Time // beginning of the window under way
	begun    int64   // attempts in it

	room  int // attempts that may be under way; 0: any number
	works int // attempts since room last grew that the receiver took
}

const (
	window    = vt.Minute
	longest   = 2 * window
	leastRate = 0.001 // share that is left of a rate, however often it is reduced
)

// Opens returns the time from which on the next attempt may begin.
func (b *Brake) Opens() vt.Time { return b.opens }

// Room returns how many attempts may be under way together.
func (b *Brake) Room() int {
	if b.room == 0 {
		return math.MaxInt
	}
	return b.room
}

// Pass counts an attempt that begins now.
func (b *Brake) Pass(now vt.Time) {
	switch long := now.Sub(b.window); {
	case b.begun == 0 || long > longest:
		b.window, b.begun = now, 0
	case long >= window:
		b.measured = long / vt.Span(b.begun)
		b.window, b.begun = now, 0
	}
	b.begun++
	b.space(now)
}

// Suspend lets no attempt begin for the row's time, and reports whether that changes anything.
// The time counts from now, or from the beginning of the suspension that an attempt that
// began at began had not heard of.
func (b *Brake) Suspend(now, began vt.Time, row *Row) bool {
	fresh := began >= b.suspended
	if fresh {
		b.suspended = now
	}
	until := b.suspended.Add(row.For)
	later := until > b.opens
	b.opens = max(b.opens, until)
	gentle := row.Return > 0 && (fresh || b.room == 0)
	if gentle {
		b.room, b.works = row.Return, 0
	}
	return later || gentle
}

// Works counts an attempt that began at began and was not refused for the sender's sake: of
// those since the last suspension, each as many as may be under way make room for one more.
func (b *Brake) Works(began vt.Time) {
	if b.room == 0 || began < b.suspended {
		return
	}
	if b.works++; b.works == b.room {
		b.room, b.works = b.room+1, 0
	}
}

// Slow reduces the rate to a share, from which it recovers in the time over, and reports
// whether it did: a reply to an attempt that began before the last reduction is about
// the rate before it, and reduces nothing.
func (b *Brake) Slow(now, began vt.Time, share float64, over vt.Span) bool {
	if b.recovers > 0 && began < b.slowed {
		return false
	}
	left := 1.0
	if now < b.recovers {
		left = b.left(now)
	} else if b.gap = b.measured; b.gap == 0 {
		b.gap = now.Sub(b.window) / vt.Span(max(b.begun, 1))
	}
	b.share = max(leastRate, float64(left*share))
	b.slowed, b.recovers = now, now.Add(over)
	b.space(now)
	return true
}

// space sets when the attempt after one at the time now may begin.
func (b *Brake) space(now vt.Time) {
	if now < b.recovers {
		b.opens = max(b.opens, now.Add(vt.Span(math.Round(float64(b.gap)/b.left(now)))))
	}
}

// left returns the share of the rate that is left at a time before it has recovered.
func (b *Brake) left(now vt.Time) float64 {
	part := float64(now.Sub(b.slowed)) / float64(b.recovers.Sub(b.slowed))
	return b.share + float64((1-b.share)*part)
}

// State saves or restores the brake.
func (b *Brake) State(c *snap.Codec) {
	c.Fields(&b.opens, &b.suspended, &b.slowed, &b.recovers, &b.share, &b.gap, &b.measured, &b.window, &b.begun,
		&b.room, &b.works)
}
