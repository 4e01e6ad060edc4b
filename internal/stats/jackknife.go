package stats

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// Jackknife returns value, a number computed from n runs together, with an interval
// from without, the n numbers computed without one of the runs: value +- t
// sqrt((n - 1) / n x sum of squares of without about their mean), t with n - 1
// degrees of freedom (Tukey 1958). For a mean this is exactly Student's interval.
// The number must depend smoothly on the runs, unlike a median or a settling time.
// Numbers that are not finite leave the interval unbounded.
func Jackknife(value float64, without []float64, level float64) Interval {
	n := len(without)
	i := unbounded(value, level, n)
	outside := tail(level)
	for _, v := range append(without[:n:n], value) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			i.warn("undefined, or only with some run")
			return i
		}
	}
	switch {
	case n < 2:
		i.warn("one value has no interval")
		return i
	case n < Few:
		i.warn("fewer than %d values: the interval trusts that they are normally distributed", Few)
	}
	_, variance := stat.PopMeanVariance(without, nil)
	half := float64(student(outside, n-1) * math.Sqrt(float64(n-1)*variance))
	i.Low, i.High = value-half, value+half
	return i
}
