package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Quantile returns the value that a share p of independent values does not exceed,
// 0 < p < 1: the smallest value with at least p n values at or below it. Its bounds
// are values of the sample too: for any distribution, the number of values below
// the true quantile is binomial with n trials of probability p (Conover, Practical
// Nonparametric Statistics, 3.2). The Level of the result is the exact confidence,
// at least level.
//
// A value of +Inf stands for an event that did not happen and counts as the
// greatest; NaN is left out.
func Quantile(values []float64, p, level float64) Interval {
	if !(p > 0 && p < 1) {
		panic(fmt.Sprintf("stats: quantile %g, want more than 0, less than 1", p))
	}
	outside := tail(level)
	x := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	slices.Sort(x)
	n := len(x)
	i := unbounded(math.NaN(), level, n)
	if left := len(values) - n; left > 0 {
		i.warn("undefined in %d of %d, left out", left, len(values))
	}
	if n == 0 {
		i.warn("no values")
		return i
	}
	i.Value = stat.Quantile(p, stat.Empirical, x, nil)

	// The low-th smallest value lies above the quantile with probability
	// below(low), the high-th smallest at or below it with 1 - below(high).
	below := func(rank int) float64 { return distuv.Binomial{N: float64(n), P: p}.CDF(float64(rank - 1)) }
	low, high := 0, n+1
	for low+1 <= n && below(low+1) <= outside {
		low++
	}
	for high-1 >= 1 && below(high-1) >= 1-outside {
		high--
	}
	covered := 1.0
	if low > 0 {
		i.Low = x[low-1]
		covered -= below(low)
	}
	if high <= n {
		i.High = x[high-1]
		covered -= 1 - below(high)
	}
	i.Level = covered
	if low == 0 || high > n {
		i.warn("%d values do not bound this quantile on both sides, %d would", n, needed(p, outside))
	}
	return i
}

// needed returns the number of values whose least and greatest bound the quantile p
// with the probability outside on each side.
func needed(p, outside float64) int {
	return int(math.Ceil(math.Log(outside) / math.Log(max(p, 1-p))))
}
