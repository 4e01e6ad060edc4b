package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Parameters of BoundedMean, chosen by measured coverage and width: see
// docs/statistics.md.
const (
	// skewSeen is the z of a sample's skewness above which Student's interval is
	// not used; above skewShown, 1 in 100 samples of normal values, there is a
	// warning.
	skewSeen, skewShown = 1.0, 2.576
	// atom is the least share of a sample's values at its minimum or maximum for
	// which Student's interval is not used.
	atom = 1.0 / 3
	// reach is how far unseen values may lie beyond the extreme ones, as a multiple
	// of the distance from the median to the extreme.
	reach = 1.5
	// crowd is the product of the numbers of values above and below the mean from
	// which on the mean is normal enough for Student's interval and the exact
	// distribution takes too long.
	crowd = 1 << 21
)

// Range holds the bounds of a value.
type Range struct {
	Least, Most float64 // Most may be +Inf
	// A rare random event, such as an outage, may take a run far beyond all observed
	// ones.
	Rare bool
}

// BoundedMean returns the mean of independent values in a range, with an interval
// that does not assume normally distributed values. It is for counts and shares
// of runs of which few go wrong, or a few go very wrong. It panics if a finite
// value is outside of the range.
//
// Ten or more values that are neither skewed nor concentrated at one end get
// Student's interval, cut to the range, unless there are rare events. All others
// get the interval of Gaffke (Mathematical Methods of Statistics 14, 2005). For
// its upper bound, an unseen value is added above the greatest one, all values get
// random weights that add up to 1, and the bound is the quantile of the weighted
// mean. For the lower bound, a value is added below the least one. With the added
// value at the end of the range, the interval has held for every distribution
// tried (Learned-Miller and Thomas, arXiv:1905.06208), and for zeros and ones it is
// the interval of Clopper and Pearson. Values with rare events get this interval.
// It is many times too wide for other values that fill little of their range, so
// without rare events the added value is beyond the extreme one by 1.5 times its
// distance to the median, if the range allows.
//
// Values that are not finite are left out, with a warning. Without rare events,
// values that are all equal give no bounds; without a greatest possible value they
// are treated as in Mean.
func BoundedMean(values []float64, in Range, level float64) Interval {
	i := Mean(values, level)
	x := finite(values)
	slices.Sort(x)
	n := len(x)
	for k, v := range x { // a ratio may be off by its rounding
		x[k] = max(in.Least, min(v, in.Most))
		if math.Abs(x[k]-v) > 1e-9*math.Abs(v) {
			panic(fmt.Sprintf("stats: got a value of %g, want %g to %g", v, in.Least, in.Most))
		}
	}
	if n < 2 || equal(x) && math.IsInf(in.Most, 1) {
		return i
	}
	i.Warnings = slices.DeleteFunc(i.Warnings, func(w string) bool { return w == AllEqual })
	if equal(x) && !in.Rare {
		i.Low, i.High = math.Inf(-1), math.Inf(1)
		i.warn("the same in all %d: fewer than %.3g %% of runs differ, by how much is not known", n,
			100*Unseen(n, level))
		return i
	}
	if skewed := math.Abs(skewZ(x)); in.Rare || n < Few || skewed > skewSeen || gathered(x) {
		i.Low, i.High = gaffke(x, i, in, tail(level))
		if skewed > skewShown {
			i.Warnings = append(i.Warnings, Skewed)
		}
	}
	i.Low, i.High = max(i.Low, in.Least), min(i.High, in.Most)
	if rest, ok := rarely(x); ok {
		of := Share(rest, n, level)
		if rest == 0 {
			i.warn("the same in all %d: fewer than %.3g %% of runs differ, and the bounds allow for the worst in them",
				n, 100*Unseen(n, level))
		} else {
			i.warn("the same in %d of %d: %.2g %% to %.2g %% of runs differ, and the mean rests on the %d that do",
				n-rest, n, 100*of.Low, 100*of.High, rest)
		}
	}
	return i
}

// Skewed is the warning that a few values dominate a mean.
const Skewed = "skewed: a few runs decide the mean, and its interval may miss it more often than 5 %"

// Skew returns the warning Skewed if the values are as skewed as only 1 in 100
// samples of normal values, else "". Values that are not finite are left out.
func Skew(values []float64) string {
	if x := finite(values); len(x) > 0 && math.Abs(skewZ(x)) > skewShown {
		return Skewed
	}
	return ""
}

// Unseen returns the upper bound, with confidence level, of the probability of an
// event that happened in none of n runs: 1 - (1 - level)^(1/n), about 3 / n at
// 95 % (rule of three).
func Unseen(n int, level float64) float64 {
	tail(level)
	return 1 - math.Pow(1-level, 1/float64(n))
}

func finite(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// gathered reports whether a share of atom or more of the sorted values x equals
// the least or the greatest one.
func gathered(x []float64) bool {
	low, high := ends(x)
	return float64(max(low, high)) >= atom*float64(len(x))
}

// rarely returns how many of the sorted values x differ from the more frequent of
// the least and the greatest one, and whether they are fewer than half.
func rarely(x []float64) (rest int, ok bool) {
	low, high := ends(x)
	rest = len(x) - max(low, high)
	return rest, 2*rest < len(x)
}

// ends returns how many of the sorted values x equal the least and the greatest.
func ends(x []float64) (low, high int) {
	for _, v := range x {
		if v == x[0] {
			low++
		}
		if v == x[len(x)-1] {
			high++
		}
	}
	return low, high
}

// skewZ returns the skewness of x, transformed so that it is standard normal for
// normal values (D'Agostino, Biometrika 57, 1970). The approximation is for eight
// values or more; for fewer, skewZ uses the constants of eight.
func skewZ(x []float64) float64 {
	var m2, m3 float64
	mean := stat.Mean(x, nil)
	for _, v := range x {
		d := v - mean
		m2 += float64(d * d)
		m3 += float64(d * d * d)
	}
	n := float64(len(x))
	if m2 <= n*math.Pow(1e-12*mean, 2) { // equal except for rounding
		return 0
	}
	b := (m3 / n) / math.Pow(m2/n, 1.5)
	n = max(n, 8)
	y := b * math.Sqrt((n+1)*(n+3)/(6*(n-2)))
	kurtosis := 3 * (float64(n*n) + 27*n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
	w := math.Sqrt(2*(kurtosis-1)) - 1 // W squared
	return math.Asinh(y/math.Sqrt(2/(w-1))) / math.Sqrt(math.Log(w)/2)
}

// gaffke returns the bounds of the mean of the sorted values x, with the
// probability outside on each side. If there are enough values for a normal mean,
// the bounds are those in i.
func gaffke(x []float64, i Interval, in Range, outside float64) (low, high float64) {
	n := len(x)
	under, _ := slices.BinarySearch(x, i.Value)
	if under*(n-under) > crowd {
		return i.Low, i.High
	}
	below, above := in.Least, in.Most
	median := (x[(n-1)/2] + x[n/2]) / 2
	if !in.Rare {
		below = max(below, x[0]-reach*(median-x[0]))
	}
	if !in.Rare || math.IsInf(above, 1) {
		above = min(above, x[n-1]+reach*(x[n-1]-median))
	}
	return weightedMean(append([]float64{below}, x...), outside), weightedMean(append(x[:n:n], above), 1-outside)
}

// weightedMean returns the quantile p of the mean of sorted values under random
// weights that add up to 1 (Dirichlet, all parameters 1), to a millionth of
// their range.
func weightedMean(x []float64, p float64) float64 {
	low, high := x[0], x[len(x)-1]
	for range 30 {
		middle := low + (high-low)/2
		if weighsBelow(x, middle) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return low + (high-low)/2
}

// weighsBelow returns the probability that the mean of the sorted values x under
// such weights is below c.
//
// The weights are exponential variables / their sum. So the mean is below c if the
// weights of the values above c, times their distances to c, add up to less than
// the same sum for the values below. Both sums are walks with steps of exponential
// length. Of two current steps, whichever began first, the step with mean a ends
// before the step with mean b with probability b / (a + b). So the probability that
// one walk ends first follows step by step, without differences of large numbers.
func weighsBelow(x []float64, c float64) float64 {
	first, _ := slices.BinarySearch(x, c)
	under, over := x[:first], x[first:]
	for len(over) > 0 && over[0] == c {
		over = over[1:]
	}
	// chance[j] is the probability that the walk above c ends first after j steps of
	// the walk below c, when the steps above c that the outer loop has reached remain.
	chance := make([]float64, len(under)+1)
	for j := range under {
		chance[j] = 1
	}
	for _, v := range over {
		a := v - c
		for j := len(under) - 1; j >= 0; j-- {
			b := c - under[j]
			chance[j] = float64(b/(a+b)*chance[j]) + float64(a/(a+b)*chance[j+1])
		}
	}
	return chance[0]
}
