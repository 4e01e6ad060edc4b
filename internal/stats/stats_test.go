package stats

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"flyball/internal/rng"
)

var inf = math.Inf(1)

// near compares with a printed number: it must round to it.
func near(t *testing.T, what string, got, want, digits float64) {
	t.Helper()
	if math.Abs(got-want) > 0.5000001*math.Pow(10, -digits) {
		t.Errorf("%s: got %.*f, want %.*f", what, int(digits)+2, got, int(digits), want)
	}
}

// normals are independent normal values, by the inverse of their distribution
// function.
func normals(n int, seed uint64, mean, sd float64) []float64 {
	key := rng.New(seed, 0)
	x := make([]float64, n)
	for i := range x {
		b := key.At(uint64(i), 0, 1)
		u := (float64(uint64(b[0])<<32|uint64(b[1])) + 0.5) / (1 << 64)
		x[i] = mean + sd*math.Sqrt2*math.Erfinv(2*u-1)
	}
	return x
}

// The usual table: Student's t for 90, 95 and 99 %.
func TestStudentTable(t *testing.T) {
	for _, c := range []struct {
		freedom       int
		t90, t95, t99 float64
	}{
		{1, 6.314, 12.706, 63.657}, {2, 2.920, 4.303, 9.925}, {3, 2.353, 3.182, 5.841}, {4, 2.132, 2.776, 4.604},
		{5, 2.015, 2.571, 4.032}, {9, 1.833, 2.262, 3.250}, {14, 1.761, 2.145, 2.977}, {19, 1.729, 2.093, 2.861},
		{29, 1.699, 2.045, 2.756}, {40, 1.684, 2.021, 2.704}, {60, 1.671, 2.000, 2.660}, {120, 1.658, 1.980, 2.617},
		{1_000_000, 1.645, 1.960, 2.576},
	} {
		for level, want := range map[float64]float64{0.90: c.t90, 0.95: c.t95, 0.99: c.t99} {
			near(t, "t", student(tail(level), c.freedom), want, 3)
		}
	}
}

func TestMean(t *testing.T) {
	// Ten replications of a bank: Law, Simulation Modeling and Analysis, 9.4.1:
	// 2.03 +- 0.32 with 90 % confidence.
	bank := []float64{1.53, 1.66, 1.24, 2.34, 2.00, 1.69, 2.69, 2.86, 1.70, 2.60}
	i := Mean(bank, 0.90)
	near(t, "bank", i.Value, 2.03, 2)
	near(t, "bank, half", i.Half(), 0.32, 2)
	near(t, "bank, relative", i.Relative(), 0.32/2.03, 2)
	if i.N != 10 || i.Level != 0.90 || i.Warnings != nil || !i.Contains(2) || i.Contains(3) {
		t.Errorf("%+v", i)
	}

	for _, c := range []struct {
		name             string
		values           []float64
		value, low, high float64
		n                int
		warning          string
	}{
		{"none", nil, math.NaN(), -inf, inf, 0, "no values"},
		{"one", []float64{7}, 7, -inf, inf, 1, "one value has no interval"},
		{"equal", slices.Repeat([]float64{0.1}, 12), 0.1, 0.1, 0.1, 12, AllEqual},
		{"two", []float64{1, 3}, 2, 2 - 12.7062047, 2 + 12.7062047, 2, "fewer than 10 values"}, // s / sqrt(2) = 1
		{"gaps", []float64{1, math.NaN(), 3, inf}, 2, 2 - 12.7062047, 2 + 12.7062047, 2,
			"undefined in 2 of 4, left out"},
	} {
		i := Mean(c.values, 0.95)
		same := func(a, b float64) bool {
			return a == b || math.Abs(a-b) < 1e-6 || math.IsNaN(a) && math.IsNaN(b)
		}
		if !same(i.Value, c.value) || !same(i.Low, c.low) || !same(i.High, c.high) || i.N != c.n ||
			!strings.Contains(strings.Join(i.Warnings, "; "), c.warning) {
			t.Errorf("%s: %+v", c.name, i)
		}
	}
	if r := Mean(slices.Repeat([]float64{0}, 20), 0.95).Relative(); r != 0 {
		t.Errorf("the relative width of nothing but zeros is %g", r)
	}
}

// The data of Student's paper (Biometrika 6, 1908): hours of sleep gained by
// ten patients with two drugs; the interval as R's t.test prints it.
func TestPaired(t *testing.T) {
	first := []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
	second := []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
	i := Paired(first, second, 0.95)
	near(t, "difference", i.Value, -1.58, 6)
	near(t, "low", i.Low, -2.4598858, 7)
	near(t, "high", i.High, -0.7001142, 7)
}

// Of 4000 intervals of ten normal values 95 % must hold the true mean, give or
// take three standard deviations.
func TestMeanCovers(t *testing.T) {
	const runs = 4000
	x := normals(10*runs, 1, 3, 2)
	covered := 0
	for r := range runs {
		if Mean(x[10*r:10*r+10], 0.95).Contains(3) {
			covered++
		}
	}
	if share := float64(covered) / runs; math.Abs(share-0.95) > 3*math.Sqrt(0.95*0.05/runs) {
		t.Errorf("%.4f are covered", share)
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64 // printed tables of exact binomial limits, 95 %
	}{
		{0, 10, 0, 0.3085}, {1, 10, 0.0025, 0.4450}, {5, 10, 0.1871, 0.8129}, {10, 10, 0.6915, 1},
		{20, 20, 0.8316, 1}, {4, 20, 0.0573, 0.4366}, {50, 100, 0.3983, 0.6017},
	} {
		i := Share(c.k, c.n, 0.95)
		near(t, "low", i.Low, c.low, 4)
		near(t, "high", i.High, c.high, 4)
		if i.Value != float64(c.k)/float64(c.n) || i.N != c.n {
			t.Errorf("%+v", i)
		}
		// By definition: at a bound, k or a more extreme count has probability 2.5 %.
		if c.k > 0 {
			near(t, "tail below", 1-binomial(c.n, i.Low, c.k-1), 0.025, 9)
		}
		if c.k < c.n {
			near(t, "tail above", binomial(c.n, i.High, c.k), 0.025, 9)
		}
	}
	if i := Share(0, 0, 0.95); i.Low != 0 || i.High != 1 || i.Warnings == nil {
		t.Errorf("%+v", i)
	}
}

// binomial is the probability of at most k heads, summed term by term.
func binomial(n int, p float64, k int) float64 {
	var sum float64
	for i := range k + 1 {
		c, _ := new(big.Float).SetInt(new(big.Int).Binomial(int64(n), int64(i))).Float64()
		sum += c * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
	}
	return sum
}

func TestQuantile(t *testing.T) {
	ranks := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(n - i)
		}
		return x
	}
	// Ranks that bound the median with at least 95 %, as printed in tables (Nair,
	// Sankhya 4, 1940), and their exact confidence.
	for _, c := range []struct {
		n         int
		low, high float64
		level     float64
	}{
		{6, 1, 6, 0.9688}, {8, 1, 8, 0.9922}, {9, 2, 8, 0.9609}, {10, 2, 9, 0.9785}, {12, 3, 10, 0.9614},
		{15, 4, 12, 0.9648},
		{20, 6, 15, 0.9586}, {25, 8, 18, 0.9567}, {30, 10, 21, 0.9572}, {40, 14, 27, 0.9615}, {50, 18, 33, 0.9672},
		{100, 40, 61, 0.9648},
	} {
		i := Quantile(ranks(c.n), 0.5, 0.95)
		if i.Low != c.low || i.High != c.high || i.Value != math.Ceil(float64(c.n)/2) || i.Warnings != nil {
			t.Errorf("median of %d: %+v", c.n, i)
		}
		near(t, "level", i.Level, c.level, 4)
	}
	// Conover's upper quartile of 16 values: P(B <= 8) = 0.0271, P(B <= 14) =
	// 0.9365, so that 90 % needs the 9th and the 16th.
	i := Quantile(ranks(16), 0.75, 0.90)
	if i.Low != 9 || i.High != 16 || i.Value != 12 {
		t.Errorf("upper quartile of 16: %+v", i)
	}
	near(t, "level", i.Level, binomial(16, 0.75, 15)-binomial(16, 0.75, 8), 9)

	// Too few: (1/2)^n is to be at most 0.025, and 0.9^n for the 90 % quantile.
	if i := Quantile(ranks(5), 0.5, 0.95); !math.IsInf(i.Low, -1) || i.High != inf ||
		!strings.Contains(i.Warnings[0], ", 6 would") {
		t.Errorf("median of 5: %+v", i)
	}
	if i := Quantile(ranks(20), 0.9, 0.95); i.Low != 15 || i.High != inf || i.Value != 18 ||
		!strings.Contains(i.Warnings[0], ", 36 would") {
		t.Errorf("90 %% of 20: %+v", i)
	}
	if i := Quantile(ranks(20), 0.1, 0.95); !math.IsInf(i.Low, -1) || i.High != 6 || i.Value != 2 ||
		!strings.Contains(i.Warnings[0], ", 36 would") {
		t.Errorf("10 %% of 20: %+v", i)
	}
	if i := Quantile(ranks(36), 0.9, 0.95); i.High != 36 || i.Warnings != nil {
		t.Errorf("90 %% of 36: %+v", i)
	}

	// What never came is later than everything else.
	x := []float64{inf, 3, inf, 1, 2, math.NaN(), inf, 4, 5, inf, 6}
	if i := Quantile(x, 0.5, 0.95); i.N != 10 || i.Value != 5 || i.Low != 2 || i.High != inf || len(i.Warnings) != 1 {
		t.Errorf("with times that never came: %+v", i)
	}
}

func TestRestrictMean(t *testing.T) {
	r := RestrictMean([]float64{12, inf, 14, 16, 10, inf, 25, 8, 9, 10}, 20, 0.95)
	// 12+20+14+16+10+20+20+8+9+10 = 139; the one of 25 came, but after the horizon.
	near(t, "mean", r.Value, 13.9, 9)
	if r.Censored != 2 || r.Horizon != 20 || r.N != 10 || !strings.Contains(strings.Join(r.Warnings, "; "),
		"never in 2 of 10, counted as 20") {
		t.Errorf("%+v", r)
	}
	// The restricted mean of exponential times of rate a is (1 - exp(-a h)) / a.
	const n = 20_000
	times := make([]float64, n)
	for i, z := range normals(n, 2, 0, 1) {
		u := math.Erfc(-z/math.Sqrt2) / 2
		if times[i] = -math.Log(u) / 0.1; times[i] > 15 {
			times[i] = inf
		}
	}
	r = RestrictMean(times, 15, 0.99)
	if want := (1 - math.Exp(-1.5)) / 0.1; !r.Contains(want) || r.Half() > 0.1 {
		t.Errorf("got %+v, want %g", r.Interval, want)
	}
	if want := math.Exp(-1.5); !Share(r.Censored, n, 0.99).Contains(want) {
		t.Errorf("%d censored, want a share of %g", r.Censored, want)
	}
}

func TestBand(t *testing.T) {
	nan := math.NaN()
	band := Band([][]float64{{1, 10, nan}, {3, 10}, {5, 10, nan, 7}}, 0.95)
	if len(band) != 4 {
		t.Fatalf("%d points", len(band))
	}
	near(t, "mean", band[0].Value, 3, 9)
	near(t, "half", band[0].Half(), 4.302652730*2/math.Sqrt(3), 6)
	if b := band[1]; b.Value != 10 || b.Half() != 0 || b.N != 3 {
		t.Errorf("%+v", b)
	}
	if b := band[2]; b.N != 0 || !math.IsNaN(b.Value) {
		t.Errorf("%+v", b)
	}
	if b := band[3]; b.N != 1 || b.Value != 7 || b.High != inf {
		t.Errorf("%+v", b)
	}
}

func TestLevelsThatAreNone(t *testing.T) {
	for _, level := range []float64{0, 1, -1, 95, math.NaN()} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a level of %g is taken", level)
				}
			}()
			Mean([]float64{1, 2}, level)
		}()
	}
}

func TestRule(t *testing.T) {
	r := Rule{Relative: 0.01, Most: 500}
	var looks []int
	for n := r.Next(0); n > 0; n = r.Next(n) {
		looks = append(looks, n)
	}
	if want := []int{10, 15, 20, 30, 45, 65, 95, 140, 210, 315, 470, 500}; !slices.Equal(looks, want) {
		t.Errorf("looks %v", looks)
	}
	if n := (Rule{Most: 10}).Next(10); n != 0 {
		t.Errorf("a look at %d of 10", n)
	}
	for _, c := range []struct {
		i    Interval
		want bool
	}{
		{Interval{Value: 100, Low: 99, High: 101, N: 10}, true},
		{Interval{Value: -100, Low: -101, High: -99, N: 10}, true},
		{Interval{Value: 100, Low: 99, High: 101, N: 9}, false},
		{Interval{Value: 100, Low: 98.9, High: 101, N: 10}, false},
		{Interval{Value: 0, Low: -1, High: 1, N: 10}, false},
		{Interval{Value: 0, N: 10}, true},
		{Interval{Value: math.NaN(), Low: -inf, High: inf, N: 10}, false},
	} {
		if got := r.Enough(c.i); got != c.want {
			t.Errorf("%+v: %v", c.i, got)
		}
	}
}

// A relative standard deviation of 5 % needs about (1.96 x 5)^2 = 96 runs for
// +-1 %, and the interval that the rule stops with still covers.
func TestRuleStops(t *testing.T) {
	r := Rule{Relative: 0.01, Most: 1000}
	const trials = 400
	covered, runs := 0, 0
	for trial := range uint64(trials) {
		x := normals(r.Most, 100+trial, 100, 5)
		n := r.Next(0)
		i := Mean(x[:n], 0.95)
		for !r.Enough(i) {
			if n = r.Next(n); n == 0 {
				t.Fatal("it never stops")
			}
			i = Mean(x[:n], 0.95)
		}
		runs += n
		if i.Contains(100) {
			covered++
		}
	}
	if mean := float64(runs) / trials; mean < 90 || mean > 145 {
		t.Errorf("it stops after %.0f runs in the mean", mean)
	}
	if share := float64(covered) / trials; share < 0.915 || share > 0.975 {
		t.Errorf("%.3f are covered", share)
	}
}

// If both variances are equal, Welch's interval is Student's interval of both samples
// together; if one sample is constant, it is Student's interval of the other.
func TestUnpaired(t *testing.T) {
	for _, c := range []struct {
		a, b       []float64
		want, half float64 // t(4) = 2.776445, t(2) = 4.302653 at 95 %
	}{
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, -3, 2.776445 * math.Sqrt(2.0/3)},
		{[]float64{1, 2, 3}, []float64{5, 5}, -3, 4.302653 * math.Sqrt(1.0/3)},
		{[]float64{2, 2}, []float64{5, 5}, -3, 0},
		{[]float64{2}, []float64{5, 6}, -3.5, math.Inf(1)},
	} {
		i := Unpaired(c.a, c.b, 0.95)
		if i.Value != c.want || math.Abs(i.Half()-c.half) > 1e-5 {
			t.Errorf("%v less %v: %v", c.a, c.b, i)
		}
	}
}
