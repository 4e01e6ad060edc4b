package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Darwin's maize, cross-fertilised against self-fertilised, eighths of an inch:
// Fisher, The Design of Experiments, III. t = 2.148 with 14 degrees of freedom;
// signed ranks 96, two-sided 0.0413.
func TestPairsOfDarwin(t *testing.T) {
	d := []float64{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48}
	zero := make([]float64, len(d))
	i := Paired(d, zero, 0.95)
	near(t, "mean", i.Value, 20.93, 2)
	near(t, "t", i.Value/(i.Half()/student(0.025, 14)), 2.148, 3)
	near(t, "two-sided t", 2*StudentAbove(d), 0.0497, 4)
	above, below := SignedRank(d)
	near(t, "two-sided ranks", 2*above, 0.0413, 4)
	near(t, "the other side", below, 1-0.0413/2, 2)
}

// The quantiles of the usual table, read backwards.
func TestStudentAbove(t *testing.T) {
	for _, c := range []struct {
		n       int
		t, want float64
	}{{3, 4.303, 0.025}, {10, 2.262, 0.025}, {20, 2.861, 0.005}, {20, 3.883, 0.0005}, {5, 8.610, 0.0005}} {
		// Values of mean m and variance 1 / (n-1) x sum of squares: two distances d.
		x := make([]float64, c.n)
		for i := range x {
			x[i] = float64(i) - float64(c.n-1)/2
		}
		_, sd := meanSD(x)
		for i := range x {
			x[i] += c.t * sd / math.Sqrt(float64(c.n))
		}
		if got := StudentAbove(x); math.Abs(got/c.want-1) > 0.002 {
			t.Errorf("n %d, t %g: %g, want %g", c.n, c.t, got, c.want)
		}
	}
	for _, c := range []struct {
		x    []float64
		want float64
	}{{nil, 1}, {[]float64{3}, 1}, {[]float64{2, 2}, 0}, {[]float64{0, 0}, 1}, {[]float64{-1, -1}, 1}} {
		if got := StudentAbove(c.x); got != c.want {
			t.Errorf("%v: %g, want %g", c.x, got, c.want)
		}
	}
}

func meanSD(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(len(x)-1))
}

// The table of critical values that every textbook has: two-sided 5 %.
func TestSignedRankTable(t *testing.T) {
	for _, c := range []struct{ n, critical int }{
		{6, 0}, {7, 2}, {8, 3}, {9, 5}, {10, 8}, {11, 10}, {12, 13}, {13, 17}, {14, 21}, {15, 25}, {16, 29}, {17, 34},
		{18, 40}, {19, 46}, {20, 52}, {25, 89}, {30, 137},
	} {
		for _, more := range []int{0, 1} {
			above, below := SignedRank(ranked(c.n, c.critical+more))
			if significant := above <= 0.025; significant != (more == 0) {
				t.Errorf("n %d, rank sum %d below: p %g", c.n, c.critical+more, above)
			}
			if a, b := SignedRank(negated(ranked(c.n, c.critical+more))); a != below || b != above {
				t.Errorf("n %d: not the same from the other side", c.n)
			}
		}
	}
}

// ranked are the values 1 to n, those of sum below negative.
func ranked(n, below int) []float64 {
	x := make([]float64, n)
	for r := n; r >= 1; r-- {
		x[r-1] = float64(r)
		if r <= below {
			x[r-1] = -x[r-1]
			below -= r
		}
	}
	return x
}

func negated(x []float64) []float64 {
	x = slices.Clone(x)
	for i := range x {
		x[i] = -x[i]
	}
	return x
}

// All 2^n signs, one by one, with ties and zeros.
func TestSignedRankAgainstAllSigns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		x := make([]float64, 1+r.IntN(10))
		for i := range x {
			x[i] = float64(r.IntN(9) - 4)
		}
		above, below := SignedRank(x)
		sum := func(x []float64) (up float64) { // of mid-ranks, by counting
			for _, v := range x {
				if v > 0 {
					rank := 0.5
					for _, o := range x {
						switch {
						case o == 0:
						case math.Abs(o) < v:
							rank++
						case math.Abs(o) == v:
							rank += 0.5
						}
					}
					up += rank
				}
			}
			return up
		}
		got := sum(x)
		var higher, lower int
		for signs := range 1 << len(x) {
			y := slices.Clone(x)
			for i := range y {
				y[i] = math.Abs(y[i])
				if signs>>i&1 == 1 {
					y[i] = -y[i]
				}
			}
			if s := sum(y); s >= got {
				higher++
			}
			if s := sum(y); s <= got {
				lower++
			}
		}
		all := float64(int(1) << len(x))
		if math.Abs(above-float64(higher)/all) > 1e-12 || math.Abs(below-float64(lower)/all) > 1e-12 {
			t.Fatalf("%v: %g and %g, want %g and %g", x, above, below, float64(higher)/all, float64(lower)/all)
		}
	}
}

// Beyond 1000 values the normal takes over where the exact one leaves off; far
// out it is a little too careful.
func TestSignedRankOfMany(t *testing.T) {
	for _, below := range []int{230_000, 220_000, 200_000} {
		exact, _ := SignedRank(ranked(1000, below))
		// Twice the sum of n + 1 ranks that are as far out, in standard deviations.
		sd := func(n float64) float64 { return math.Sqrt(n * (n + 1) * (2*n + 1) / 24) }
		far := (1000*1001/4 - float64(below)) / sd(1000)
		approximate, _ := SignedRank(ranked(1001, int(math.Round(1001*1002/4-far*sd(1001)))))
		if q := approximate / exact; q < 0.99 || q > 1.2 {
			t.Errorf("%d: %g of 1000 values, %g of 1001", below, exact, approximate)
		}
	}
}

// The example of the encyclopedias.
func TestHolm(t *testing.T) {
	got := holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		near(t, "adjusted", got[i], want, 9)
	}
	if got := holm([]float64{0.6, 0.9}); got[0] != 1 || got[1] != 1 {
		t.Errorf("%v: more than certain", got)
	}
	if len(holm(nil)) != 0 {
		t.Error("something from nothing")
	}
}
