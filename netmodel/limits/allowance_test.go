package limits

import (
	"slices"
	"testing"

	"flyball/internal/vt"
)

// The limit of a warm-up by hand: 10 a day, half as much more and one every day,
// at most 40.
func TestLimitsByDay(t *testing.T) {
	for _, c := range []struct {
		a    Allowance
		want []int
	}{
		{Allowance{Limit: 10, Growth: 1.5, More: 1, Most: 40}, []int{10, 16, 25, 38, 40}},
		{Allowance{Limit: 7, Growth: 1}, []int{7}},
		{Allowance{Limit: 1, Growth: 1000}, []int{1, 1000, 1_000_000, 1_000_000_000}}, // at most a billion
	} {
		if got := c.a.onDay(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.a, got, c.want)
		}
	}
}

// No sender gets more through a quota than Most says: one that offers a message whenever
// there may be room for it, at any length of window, beginning and growth.
func TestNobodyGetsMoreThanMost(t *testing.T) {
	for _, kind := range []string{"fixed", "sliding"} {
		for i, a := range []Allowance{
			{Limit: 3, Window: vt.Hour, Growth: 1},
			{Limit: 3, Window: vt.Day, Growth: 1.5, Most: 20},
			{Limit: 2, Window: 5 * vt.Hour, Growth: 2, Begins: 3 * vt.Hour},
			{Limit: 2, Window: 60 * vt.Hour, Growth: 1, Ladder: []int{4, 4, 9}, Begins: 31 * vt.Hour},
		} {
			a.Kind = kind
			q := NewQuota(a)
			for _, from := range []vt.Time{0, vt.Time(7 * vt.Hour), vt.Time(50*vt.Hour + 1)} {
				w, taken, before := q.Window(), 0, 0
				for now := from; now < from.Add(9*vt.Day); now = now.Add(4 * vt.Minute) {
					for !w.Full(&q, now) {
						w.Take()
						taken++
					}
					most := q.Most(from, now)
					if taken > most || most < before {
						t.Fatalf("%s %d from %v: %d taken by %v, Most %d, before %d", kind, i, from, taken, now, most,
							before)
					}
					before = most
				}
				// A greedy sender gets all of it but for what the last windows have still to give.
				if last, _ := q.On(1000); float64(taken) < 0.9*float64(before-2*last) {
					t.Errorf("%s %d from %v: %d taken, Most %d is far too high", kind, i, from, taken, before)
				}
			}
		}
	}
}

// A ladder is the days' limits by hand, and grows on from its last one.
func TestLadder(t *testing.T) {
	a := Allowance{Limit: 10, Growth: 1, Ladder: []int{20, 20, 50}}
	if got, want := a.onDay(), []int{10, 20, 20, 50}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	a.Growth, a.Most = 2, 150
	if got, want := a.onDay(), []int{10, 20, 20, 50, 100, 150}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
