package stats

import (
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/internal/rng"
)

// Of zeros and ones, with the unseen value at the end of the range, the interval
// is that of Clopper and Pearson (Learned-Miller and Thomas, section 4).
func TestBoundedMeanOfZerosAndOnes(t *testing.T) {
	for _, n := range []int{2, 5, 10, 20, 50} {
		for k := range n + 1 {
			x := append(make([]float64, n-k), slices.Repeat([]float64{1}, k)...)
			low, high := gaffke(x, Interval{Value: float64(k) / float64(n)}, Range{0, 1, k%n%2 == 0}, 0.025)
			want := Share(k, n, 0.95)
			near(t, "low", low, want.Low, 6)
			near(t, "high", high, want.High, 6)
		}
	}
	// Printed tables of exact binomial limits, 95 %: none of 10 and 2 of 10, times
	// what a run can lose.
	i := BoundedMean(make([]float64, 10), Range{Most: 5000, Rare: true}, 0.95)
	near(t, "none of 10, high", i.High, 5000*0.3085, 0)
	if i.Value != 0 || i.Low != 0 || !strings.Contains(strings.Join(i.Warnings, "; "),
		"the same in all 10: fewer than 25.9 % of runs differ") {
		t.Errorf("none of 10: %+v", i)
	}
	i = BoundedMean([]float64{0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, Range{Most: 1}, 0.95)
	near(t, "2 of 10, low", i.Low, 0.0252, 4)
	near(t, "2 of 10, high", i.High, 0.5561, 4)
	if !strings.Contains(strings.Join(i.Warnings, "; "),
		"the same in 8 of 10: 2.5 % to 56 % of runs differ, and the mean rests on the 2 that do") {
		t.Errorf("2 of 10: %q", i.Warnings)
	}
}

// The weighted mean of two values is uniform between them, of three that are
// equally far apart triangular; and in general as often below a number as
// weights that are drawn are.
func TestWeightedMean(t *testing.T) {
	near(t, "two", weightedMean([]float64{3, 5}, 0.25), 3.5, 5)
	near(t, "three", weightedMean([]float64{0, 1, 2}, 0.125), 0.5, 5) // c^2 / 2
	near(t, "three", weightedMean([]float64{0, 1, 2}, 0.875), 1.5, 5)
	// Of 0, 0, 1 the weight of the 1: 1 - (1 - c)^2 below c.
	near(t, "beta", weightedMean([]float64{0, 0, 1}, 0.75), 0.5, 5)

	x := []float64{0, 0, 0.1, 0.5, 0.5, 2, 7}
	const draws = 40_000
	for _, c := range []float64{0.3, 0.5, 1.4, 3} {
		below := 0
		for d := range uint64(draws) {
			var sum, weights float64
			for k, v := range x {
				w := -math.Log(uniform(1, d, uint64(k)))
				sum, weights = sum+w*v, weights+w
			}
			if sum < c*weights {
				below++
			}
		}
		if want := weighsBelow(x, c); !Share(below, draws, 0.9999).Contains(want) {
			t.Errorf("below %g: drawn %d of %d, computed %.4f", c, below, draws, want)
		}
	}
}

// uniform is a draw between 0 and 1, with a name.
func uniform(seed, run, draw uint64) float64 {
	b := rng.New(seed, run).At(draw, 0, 1)
	return (float64(uint64(b[0])<<32|uint64(b[1])) + 0.5) / (1 << 64)
}

// Values without a skew get Student's interval, cut to what is possible.
func TestBoundedMeanOfRegularValues(t *testing.T) {
	bank := []float64{1.53, 1.66, 1.24, 2.34, 2.00, 1.69, 2.69, 2.86, 1.70, 2.60}
	i, want := BoundedMean(bank, Range{Most: 10}, 0.95), Mean(bank, 0.95)
	if i.Low != want.Low || i.High != want.High || i.Warnings != nil {
		t.Errorf("got %+v, want %+v", i, want)
	}
	if i := BoundedMean([]float64{1, 2}, Range{Most: 3}, 0.95); i.Low < 0 || i.High > 3 || i.Half() < 1 {
		t.Errorf("two: %+v", i)
	}
	if i := BoundedMean([]float64{7}, Range{Most: 10}, 0.95); i.Value != 7 || !math.IsInf(i.High, 1) {
		t.Errorf("one: %+v", i)
	}
	// No greatest value is possible: as Mean. With one, the bounds allow for it.
	if i := BoundedMean(slices.Repeat([]float64{4}, 20), Range{Most: inf}, 0.95); i.Low != 4 || i.High != 4 ||
		i.Warnings[0] != AllEqual {
		t.Errorf("equal: %+v", i)
	}
	i = BoundedMean(slices.Repeat([]float64{4}, 20), Range{Most: 10, Rare: true}, 0.95)
	near(t, "equal, low", i.Low, 4*(1-0.1684), 3) // 1 - 0.025^(1/20) = 0.16843
	near(t, "equal, high", i.High, 4+6*0.1684, 3)
	// Without rare events nothing is known of what the few that differ may be.
	i = BoundedMean(slices.Repeat([]float64{4}, 20), Range{Most: 10}, 0.95)
	if i.Value != 4 || !math.IsInf(i.Low, -1) || i.High != inf || len(i.Warnings) != 1 ||
		i.Warnings[0] != "the same in all 20: fewer than 13.9 % of runs differ, by how much is not known" {
		t.Errorf("equal: %+v", i)
	}
	// A ratio may be a little less than 1 by rounding, and alike but for rounding.
	if i := BoundedMean([]float64{1 - 1e-12, 1, 1.5, 1.2}, Range{Least: 1, Most: inf}, 0.95); i.Low < 1 {
		t.Errorf("rounded: %+v", i)
	}
	if s := Skew(append(slices.Repeat([]float64{151.2}, 20), 151.2*(1+1e-15))); s != "" {
		t.Errorf("alike but for rounding: %s", s)
	}
	// Rare events: a tenth of the values may be anything, though none was.
	if i := BoundedMean(bank, Range{Most: 100, Rare: true}, 0.95); i.High < 10 || i.Low > 1.5 {
		t.Errorf("rare events: %+v", i)
	}
	// Without a greatest value the bounds exceed the observed values by at most 1.5 times.
	if i := BoundedMean(bank, Range{Most: inf, Rare: true}, 0.95); i.High < 2.6 || i.High > 3.5 {
		t.Errorf("rare events without an end: %+v", i)
	}
	// Thousands of values: the exact distribution is not computed.
	many := make([]float64, 6000)
	for k := range many {
		many[k] = -math.Log(uniform(3, 0, uint64(k)))
	}
	if i, want := BoundedMean(many, Range{Most: inf}, 0.95),
		Mean(many, 0.95); i.Low != want.Low || i.High != want.High || i.Warnings[0] != Skewed {
		t.Errorf("many: got %+v, want %+v", i, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a value of 11 of at most 10 is taken")
		}
	}()
	BoundedMean([]float64{1, 11}, Range{Most: 10}, 0.95)
}

func TestUnseen(t *testing.T) {
	// 1 - 0.05^(1/n); the rule of three has 0.3, 0.15, 0.03
	for n, want := range map[int]float64{10: 0.2589, 20: 0.1391, 100: 0.0295} {
		near(t, "unseen", Unseen(n, 0.95), want, 4)
	}
}

// One of 100 samples of normal values is called skewed, and most of skewed ones.
func TestSkew(t *testing.T) {
	const samples, n = 4000, 20
	x := normals(samples*n, 4, 0, 1)
	called, skewed := 0, 0
	for s := range samples {
		of := x[s*n : s*n+n]
		if Skew(of) != "" {
			called++
		}
		y := make([]float64, n)
		for k, v := range of {
			y[k] = math.Exp(v)
		}
		if Skew(y) != "" {
			skewed++
		}
	}
	if share := float64(called) / samples; share < 0.005 || share > 0.015 {
		t.Errorf("%.4f of normal samples are called skewed, want 0.01", share)
	}
	if share := float64(skewed) / samples; share < 0.65 {
		t.Errorf("%.4f of lognormal samples are called skewed", share)
	}
	// 62 cholesterol values with a skewness of 1.02 have Z = 3.14 (D'Agostino,
	// Belanger and D'Agostino, The American Statistician 44, 1990).
	near(t, "Z", skewZ(valuesOfSkewness(62, 1.02)), 3.1, 1)
}

// valuesOfSkewness returns n values with a skewness, found by bisection: the
// exponentials of equally spaced ones.
func valuesOfSkewness(n int, want float64) []float64 {
	at := func(bend float64) []float64 {
		x := make([]float64, n)
		for k := range x {
			u := float64(k)/float64(n-1)*2 - 1
			x[k] = math.Exp(bend * u)
		}
		return x
	}
	skewness := func(x []float64) float64 {
		var m, m2, m3 float64
		for _, v := range x {
			m += v / float64(len(x))
		}
		for _, v := range x {
			m2, m3 = m2+math.Pow(v-m, 2)/float64(len(x)), m3+math.Pow(v-m, 3)/float64(len(x))
		}
		return m3 / math.Pow(m2, 1.5)
	}
	low, high := 0.01, 10.0
	for range 60 {
		if middle := (low + high) / 2; skewness(at(middle)) < want {
			low = middle
		} else {
			high = middle
		}
	}
	return at(low)
}
