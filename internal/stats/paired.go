package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// StudentAbove is the probability of a mean as high as that of these values, or
// higher, if their true mean were 0: the one-sided t-test. It is 1 for fewer
// than two values, and 0 or 1 for values that are all equal.
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
	return distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.CDF(-t) // exact far out, where 1 - CDF(t) is not
}

// SignedRank is Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945) of
// values that are spread alike about their centre: above is the probability of
// ranks as high as these, or higher, if the centre were 0; below of ranks as
// low. Zeros are left out, equal distances share the mean of their ranks. Given
// the distances the probabilities are exact up to 1000 values, and beyond that
// a normal approximation. Both are 1 where nothing but zeros is left.
//
// Nothing is asked of the shape of the spread, so that the test keeps its level
// where Student's does not.
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
	ranks := make([]int, n) // doubled if some are shared, so that their mean is whole
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
		tailFrom := func(v int) float64 { // with half a step for continuity
			return distuv.UnitNormal.CDF(-(float64(v) - 0.5 - float64(all)/2) / sd)
		}
		return tailFrom(up), tailFrom(all - up)
	}
	// chance[v] is that of a sum of v when every sign is tossed for. Sums are spread
	// alike to both sides, so the smaller tail tells the greater one.
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

// Holm raises probabilities of several claims so that those which stay at or
// below a level are, with that level, all true: the smallest counts as often
// as there are claims, the next one time less, and so on (Scandinavian Journal
// of Statistics 6, 1979). How the claims hang together does not matter.
func Holm(p []float64) []float64 {
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
