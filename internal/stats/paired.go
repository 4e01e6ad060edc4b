package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// StudentAbove returns the probability of a mean at least as high as the mean of x
// if the true mean were 0: the one-sided t-test. It is 1 for fewer than two values,
// and 0 or 1 for values that are all equal.
func StudentAbove(x []float64) float64 {
	n := len(x)
	if n < 2 {
		return 1
	}
	if equal(x) {
		if x[0] > 0 {
			return 0
		}
		return 1
	}
	mean, sd := stat.MeanStdDev(x, nil)
	t := mean / stat.StdErr(sd, float64(n))
	return distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.CDF(-t) // exact in the far tail, unlike 1 - CDF(t)
}

// SignedRank returns the probabilities of Wilcoxon's signed-rank test (Biometrics
// Bulletin 1, 1945) for values distributed symmetrically about their centre: above
// is the probability of ranks at least as high as those of x if the centre were 0;
// below, of ranks at least as low. Zeros are left out, and equal distances share
// the mean of their ranks. Given the distances, the probabilities are exact up to
// 1000 values and a normal approximation beyond. Both are 1 if only zeros remain.
//
// The test makes no assumption on the shape of the distribution, so that it keeps
// its level where Student's test does not.
func SignedRank(x []float64) (above, below float64) {
	d := slices.DeleteFunc(slices.Clone(x), func(v float64) bool { return v == 0 })
	slices.SortFunc(d, func(a, b float64) int {
		switch a, b := math.Abs(a), math.Abs(b); {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	n := len(d)
	if n == 0 {
		return 1, 1
	}
	ranks := make([]int, n) // doubled if some are shared, so that their mean is a whole number
	double := 1
	for i := range n - 1 {
		if math.Abs(d[i]) == math.Abs(d[i+1]) {
			double = 2
		}
	}
	up := 0
	for i := 0; i < n; {
		j := i + 1
		for j < n && math.Abs(d[j]) == math.Abs(d[i]) {
			j++
		}
		for k := i; k < j; k++ {
			ranks[k] = double * (i + 1 + j) / 2
			if d[k] > 0 {
				up += ranks[k]
			}
		}
		i = j
	}
	all := double * n * (n + 1) / 2
	if n > 1000 {
		var squares float64
		for _, r := range ranks {
			squares += float64(r) * float64(r) // whole, below 2^53
		}
		sd := math.Sqrt(squares) / 2
		tailFrom := func(v int) float64 { // with the continuity correction of half a step
			return distuv.UnitNormal.CDF(-(float64(v) - 0.5 - float64(all)/2) / sd)
		}
		return tailFrom(up), tailFrom(all - up)
	}
	// chance[v] is the probability of the sum v with random signs. The distribution
	// of sums is symmetric, so the smaller tail gives the greater one.
	low := min(up, all-up)
	chance := make([]float64, low+1)
	chance[0] = 1
	reached := 0
	for _, r := range ranks {
		reached = min(reached+r, low)
		for v := reached; v >= r; v-- {
			chance[v] = (chance[v] + chance[v-r]) / 2
		}
		for v := min(r-1, reached); v >= 0; v-- {
			chance[v] /= 2
		}
	}
	var tail float64
	for _, c := range chance {
		tail += c
	}
	rest := min(1, 1-tail+chance[low])
	if low == up {
		return rest, min(tail, 1)
	}
	return min(tail, 1), rest
}

// holm returns the p-values of n claims adjusted for their number, so that the
// probability of any false claim at or below a level is at most that level: the
// smallest is multiplied by n, the next by n - 1, and so on (Scandinavian Journal
// of Statistics 6, 1979). The claims may depend on each other in any way.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		if math.IsNaN(p[i]) {
			panic(fmt.Sprintf("stats: claim %d has no probability", i))
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	adjusted := make([]float64, len(p))
	least := 0.0
	for k, i := range order {
		least = max(least, min(1, p[i]*float64(len(p)-k)))
		adjusted[i] = least
	}
	return adjusted
}
