package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Quantile is the value that a share p of independent values does not exceed,
// 0 < p < 1: the smallest of them at or below which at least p n lie. Its
// bounds are values too: so many of n lie below the true quantile as heads come
// up in n tosses of a coin of probability p, whatever the values are
// distributed like (Conover, Practical Nonparametric Statistics, 3.2). Level
// is the exact confidence, at least the one asked for.
//
// A value of +Inf is one that never came and counts as later than all others;
// NaN is left out.
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

// needed is the number of values whose least and greatest bound a quantile.
func needed(p, outside float64) int {
	return int(math.Ceil(math.Log(outside) / math.Log(max(p, 1-p))))
}
