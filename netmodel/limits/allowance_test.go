package limits

import (
	"slices"
	"testing"
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
