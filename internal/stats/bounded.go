package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Of BoundedMean, chosen by measured coverage and width: see docs/statistics.md.
const (
	// skewSeen is the z of a sample's skewness above which Student's interval is
	// not taken, and skewShown the one above which a warning stands: 1 in 100
	// samples of normal values.
	skewSeen, skewShown = 1.0, 2.576
	// atom is the share of a sample's values at its least or greatest one from
	// which on Student's interval is not taken.
	atom = 1.0 / 3
	// reach is how far beyond the extreme values the unseen ones are allowed to
	// lie, in distances between extreme and median.
	reach = 1.5
	// crowd is the product of the numbers of values above and below the mean from
	// which on it is normal enough for Student's interval, and the exact
	// distribution too slow.
	crowd = 1 << 21
)

// Range is what a value can be.
type Range struct {
	Least, Most float64 // Most may be +Inf
	// By a chance event that few runs have, such as an outage, a run may lie far
	// beyond all that were seen.
	Rare bool
}

// BoundedMean returns the mean of independent values that lie in a range, with
// an interval that does not rest on their being normally distributed: for counts
// and shares of runs in which few go wrong, or a few go very wrong. It panics if
// a finite value lies outside of the range.
//
// Ten values or more that are neither skewed nor gather at one end get Student's
// interval, cut to what is possible, unless there are rare events. All others get
// the interval of Gaffke (Mathematical Methods of Statistics 14, 2005). To find
// its upper bound, a value that was not seen is added above the greatest one, all
// values are given random weights that add up to 1, and the bound is the quantile
// of the weighted mean; for the lower bound, likewise below the least one. With
// the added value at the end of the range that has held for every distribution
// tried (Learned-Miller and Thomas, arXiv:1905.06208), and of zeros and ones the
// interval is that of Clopper and Pearson. So it is with rare events; but it is
// many times too wide for other values that fill little of their range. Without
// rare events the added value lies beyond the extreme one by 1.5 times its distance
// to the median, if that is possible.
//
// Values that are not finite are left out, which a warning says. Without rare
// events values that are all equal bound nothing; without a greatest possible
// value they are as in Mean.
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

// Skewed warns that a few values decide a mean.
const Skewed = "skewed: a few runs decide the mean, and its interval may miss it more often than 5 %"

// Skew returns the warning Skewed, or "" if the values do not show a skewness
// that 1 in 100 samples of normal values would. Values that are not finite are
// left out.
func Skew(values []float64) string {
	if x := finite(values); len(x) > 0 && math.Abs(skewZ(x)) > skewShown {
		return Skewed
	}
	return ""
}

// Unseen returns the share of runs, between 0 and 1, that what none of n runs
// showed may have all the same, with confidence level: 1 - (1 - level)^(1/n),
// which is about 3 / n at 95 % ("rule of three").
func Unseen(n int, level float64) float64 {
	tail(level)
	return 1 - math.Pow(1-level, 1/float64(n))
}

func finite(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// gathered reports whether a share of atom or more of sorted values lies at one
// end.
func gathered(x []float64) bool {
	low, high := ends(x)
	return float64(max(low, high)) >= atom*float64(len(x))
}

// rarely returns how many sorted values differ from the end at which most lie,
// and whether they are fewer than half.
func rarely(x []float64) (rest int, ok bool) {
	low, high := ends(x)
	rest = len(x) - max(low, high)
	return rest, 2*rest < len(x)
}

// ends counts the least and the greatest of sorted values.
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

// skewZ returns the skewness of values as a standard normal variable, if they
// are normal (D'Agostino, Biometrika 57, 1970). The approximation is meant for
// eight values and more; of fewer it takes the constants of eight.
func skewZ(x []float64) float64 {
	var m2, m3 float64
	mean := stat.Mean(x, nil)
	for _, v := range x {
		d := v - mean
		m2 += float64(d * d)
		m3 += float64(d * d * d)
	}
	n := float64(len(x))
	if m2 <= n*math.Pow(1e-12*mean, 2) { // alike but for rounding
		return 0
	}
	b := (m3 / n) / math.Pow(m2/n, 1.5)
	n = max(n, 8)
	y := b * math.Sqrt((n+1)*(n+3)/(6*(n-2)))
	kurtosis := 3 * (float64(n*n) + 27*n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
	w := math.Sqrt(2*(kurtosis-1)) - 1 // W squared
	return math.Asinh(y/math.Sqrt(2/(w-1))) / math.Sqrt(math.Log(w)/2)
}

// gaffke returns the bounds of the mean of sorted values, with the probability
// outside on either side. Where there are so many values about the mean that it
// is normal they are those of i.
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

// weighsBelow returns the probability that the mean of sorted values under such
// weights is below c.
//
// The weights are exponential variables over their sum, so the question is
// whether those of the values above c, times their distances to c, add up to
// less than those below. Both sums are ways that are gone in steps of
// exponential length. Whichever of two such steps began first, the one with mean
// a ends before the one with mean b with probability b / (a + b), so the chance
// that one way ends first follows step by step, without any difference of large
// numbers.
func weighsBelow(x []float64, c float64) float64 {
	first, _ := slices.BinarySearch(x, c)
	under, over := x[:first], x[first:]
	for len(over) > 0 && over[0] == c {
		over = over[1:]
	}
	// chance[j] is that of the way above c to end first, when j steps below c have
	// been gone; of the steps above c those that the outer loop has come to are
	// still to go.
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
