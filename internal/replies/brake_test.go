package replies

import (
	"math"
	"testing"

	"flyball/internal/vt"
)

// A suspension counts from the first of the replies to attempts that were under way together.
func TestSuspend(t *testing.T) {
	var b Brake
	s := func(seconds int) vt.Time { return vt.Time(seconds) * vt.Time(vt.Second) }
	for i, c := range []struct {
		now, began int
		long       vt.Span
		opens      int
		changes    bool
	}{
		{100, 99, vt.Minute, 160, true},
		{101, 98, vt.Minute, 160, false},              // was under way
		{102, 99, 2 * vt.Minute, 220, true},           // was under way, and asks for more
		{230, 225, vt.Minute, 290, true},              // began after the suspension
		{231, 100, vt.Minute, 290, false},             // very late
		{300, 229, vt.Span(5 * vt.Minute), 530, true}, // the last suspension began at 230
	} {
		if got := b.Suspend(s(c.now), s(c.began), &Row{For: c.long}); got != c.changes || b.Opens() != s(c.opens) {
			t.Fatalf("reply %d: opens at %s (%v), want %s (%v)", i, b.Opens(), got, s(c.opens), c.changes)
		}
	}
}

// A place that returns gently has room for one attempt, then for one more after each round of
// attempts that began after the suspension and went well.
func TestReturn(t *testing.T) {
	var b Brake
	s := func(seconds int) vt.Time { return vt.Time(seconds) * vt.Time(vt.Second) }
	row := Row{For: vt.Minute, Return: 1}
	if b.Room() != math.MaxInt || !b.Suspend(s(100), s(99), &row) || b.Room() != 1 {
		t.Fatalf("room for %d, want for 1", b.Room())
	}
	for i, c := range []struct{ began, room int }{
		{99, 1}, // was under way
		{160, 2},
		{165, 2}, // the first of two
		{165, 3},
	} {
		if b.Works(s(c.began)); b.Room() != c.room {
			t.Fatalf("attempt %d: room for %d, want for %d", i, b.Room(), c.room)
		}
	}
	if b.Suspend(s(172), s(90), &row); b.Room() != 3 {
		t.Errorf("room for %d after a late reply, want for 3", b.Room())
	}
	if !b.Suspend(s(173), s(171), &row) || b.Room() != 1 || b.Opens() != s(233) {
		t.Errorf("room for %d from %s on, want for 1 from 3m53s on", b.Room(), b.Opens())
	}
	if b.Suspend(s(300), s(299), &Row{For: vt.Minute}); b.Room() != 1 {
		t.Errorf("room for %d after a suspension without a return, want for 1 as before", b.Room())
	}
	var other Brake // the same reply takes effect later where another row has suspended
	other.Suspend(s(10), s(9), &Row{For: vt.Minute})
	if !other.Suspend(s(11), s(9), &row) || other.Room() != 1 {
		t.Errorf("room for %d after a late reply with a return, want for 1", other.Room())
	}
}

// The third reply within a minute is enough, and the fourth, if it comes within a minute of the second.
func TestTally(t *testing.T) {
	var c Tally
	row := Row{After: 3, Within: vt.Minute}
	for i, at := range []struct {
		seconds int
		enough  bool
	}{{0, false}, {30, false}, {61, false}, {90, true}, {91, true}, {152, false}, {152, false}, {152, true}} {
		if got := c.Enough(vt.Time(vt.Span(at.seconds)*vt.Second), &row); got != at.enough {
			t.Errorf("reply %d: enough is %v, want %v", i, got, at.enough)
		}
	}
	for range 2 {
		if !new(Tally).Enough(0, &Row{After: 1}) {
			t.Error("one reply is not enough where one is asked for")
		}
	}
}

// A slowed place lets attempts begin at a share of the measured rate, which recovers linearly:
// from a share p of the rate r, within the time T, come r T (1 + p) / 2 attempts.
func TestSlow(t *testing.T) {
	var b Brake
	const every = 100 * vt.Millisecond // 10 a second
	now := vt.Time(0)
	for ; now < vt.Time(10*vt.Minute); now = now.Add(every) {
		if b.Opens() > now {
			t.Fatalf("closed at %s until %s", now, b.Opens())
		}
		b.Pass(now)
	}
	const share, over = 0.2, 20 * vt.Minute
	if !b.Slow(now, now.Add(-vt.Second), share, over) || b.Opens() != now.Add(500*vt.Millisecond) {
		t.Fatalf("after a cut to a fifth it opens at %s, want half a second after %s", b.Opens(), now)
	}
	if b.Slow(now.Add(vt.Second), now.Add(-vt.Second), share, over) {
		t.Error("a reply to an attempt that began before the cut cuts again")
	}
	n, end := 0, now.Add(over)
	for now = b.Opens(); now < end; now = max(b.Opens(), now.Add(every)) {
		b.Pass(now)
		n++
	}
	want := 10 * over.Seconds() * (1 + share) / 2
	if math.Abs(float64(n)-want) > want/100 {
		t.Errorf("%d attempts while the rate recovers, want %.0f", n, want)
	}
	b.Pass(now)
	if b.Opens() > now {
		t.Errorf("still closed at %s, until %s", now, b.Opens())
	}
}

// A second cut, while the rate recovers, takes a share of what is left, and of the same rate.
func TestSlowTwice(t *testing.T) {
	var b Brake
	b.Pass(0)
	b.Slow(vt.Time(vt.Second), 0, 0.5, 100*vt.Second) // one attempt in a second
	if got := b.Opens(); got != vt.Time(3*vt.Second) {
		t.Fatalf("opens at %s, want 3s", got)
	}
	now := vt.Time(51 * vt.Second) // three quarters are left
	b.Slow(now, now-1, 0.5, 100*vt.Second)
	if want := now.Add(vt.Span(math.Round(1e9 / 0.375))); b.Opens() != want {
		t.Errorf("opens at %s, want %s", b.Opens(), want)
	}
	for range 100 {
		now++
		b.Slow(now, now, 0.5, 100*vt.Second)
	}
	if want := now.Add(1000 * vt.Second); b.Opens() != want {
		t.Errorf("opens at %s, want %s: a thousandth of the rate is left", b.Opens(), want)
	}
}

// The rate is the rate of the last whole minute with attempts; idle time is not measured.
func TestMeasuredRate(t *testing.T) {
	var b Brake
	for i := range 61 { // one a second
		b.Pass(vt.Time(vt.Span(i) * vt.Second))
	}
	hour := vt.Time(vt.Hour)
	for i := range 30 { // two a second, for half a window
		b.Pass(hour.Add(vt.Span(i) * vt.Second / 2))
	}
	now := hour.Add(15 * vt.Second)
	b.Slow(now, now, 0.5, vt.Hour)
	if want := now.Add(2 * vt.Second); b.Opens() != want {
		t.Errorf("opens at %s, want %s: the last whole window had one attempt a second", b.Opens(), want)
	}
}
