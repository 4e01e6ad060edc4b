package netmodel

import (
	"math"
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/netmodel/config"
)

// Sizes are lognormal around the median of each campaign, the same at every try, and a fresh
// connection takes a round trip more for each doubling of the window that they need.
func TestSizes(t *testing.T) {
	c := plain()
	c.Size, c.SizeSigma = 45_000, 0.8
	const n = 20_000
	c.Campaigns = []config.Campaign{{End: n, Size: 45_000}, {End: 2 * n, Size: 2_000}}
	net := valid(t, c)
	for i, median := range []float64{45_000, 2_000} {
		var logs, squares float64
		below, trips := 0, map[int]int{}
		for to := range n {
			to := mail.Recipient(to + i*n)
			size := float64(net.Size(to))
			l := math.Log(size / median)
			logs += l
			squares += l * l
			if size < median {
				below++
			}
			m := net.Message(0, to, 3)
			steps := net.Steps(mail.Fresh, &m)
			want := 1
			for window := 14_600.0; size > window*(math.Exp2(float64(want))-1); {
				want++
			}
			if got := steps[len(steps)-1].RoundTrips; got != want {
				t.Fatalf("%v bytes take %d round trips at the end, want %d", size, got, want)
			}
			trips[want]++
			if kept := net.Steps(mail.Reused, &m); kept[len(kept)-1].RoundTrips != 1 {
				t.Fatalf("a kept connection takes %d round trips", kept[len(kept)-1].RoundTrips)
			}
		}
		near4(t, "below the median", below, n, 0.5)
		if sd := math.Sqrt(squares/n - logs*logs/n/n); math.Abs(sd-0.8) > 0.02 {
			t.Errorf("the logarithms of sizes deviate by %.3f, want 0.8", sd)
		}
		if i == 0 && len(trips) < 4 {
			t.Errorf("round trips of all messages are %v: the test tests too little", trips)
		}
	}
	other := net.With(testKey, []mail.Recipient{10, 20})
	if !slices.Equal(other.ends, []mail.Recipient{10, 20}) || other.Size(15) != net.Size(15)*2000/45_000 &&
		math.Abs(float64(other.Size(15))-float64(net.Size(15))*2/45) > 2 {
		t.Errorf("recipient 15 of a shorter list has %d bytes, and %d in the list of the scenario", other.Size(15),
			net.Size(15))
	}
}
