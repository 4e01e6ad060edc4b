// Package stats estimates what independent runs of the same experiment show: every
// estimate has an interval, and warnings where it is doubtful. It uses gonum where
// gonum has the method.
//
// All functions are pure: the same values in the same order give the same result.
// A level of confidence outside (0, 1) is a programmer's error and panics. Missing
// or too few values are data and appear in the result. Any package may import it.
package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Few is the number of values below which an interval has a warning. A Rule never
// stops before Few runs.
const Few = 10

// AllEqual is the warning that all values are equal, so that their spread is
// unknown.
const AllEqual = "all values are equal"

// Interval is an estimate with the bounds of the true value.
type Interval struct {
	Value     float64  // NaN if there is nothing to estimate it from
	Low, High float64  // infinite if the values give no bound
	Level     float64  // confidence, such as 0.95
	N         int      // number of values used
	Warnings  []string // reasons for doubt
}

// Half returns half the width of the interval.
func (i Interval) Half() float64 { return (i.High - i.Low) / 2 }

// Relative returns half width / estimate; 0 if the estimate is exact.
func (i Interval) Relative() float64 {
	if h := i.Half(); h != 0 {
		return h / math.Abs(i.Value)
	}
	return 0
}

// Contains reports whether v lies between the bounds.
func (i Interval) Contains(v float64) bool { return i.Low <= v && v <= i.High }

// unbounded returns an interval with infinite bounds.
func unbounded(value, level float64, n int) Interval {
	return Interval{Value: value, Low: math.Inf(-1), High: math.Inf(1), Level: level, N: n}
}

func (i *Interval) warn(format string, args ...any) {
	i.Warnings = append(i.Warnings, fmt.Sprintf(format, args...))
}

// tail returns the probability outside of an interval on each side.
func tail(level float64) float64 {
	if !(level > 0 && level < 1) {
		panic(fmt.Sprintf("stats: level of confidence %g, want more than 0, less than 1", level))
	}
	return (1 - level) / 2
}

// Mean returns the mean of independent values with Student's interval: mean +- t s
// / sqrt(n). The interval is exact for normal values and close for dozens of other
// values; Mean does not test for normality. Values that are not finite are left
// out, with a warning.
func Mean(values []float64, level float64) Interval {
	x := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			x = append(x, v)
		}
	}
	n := len(x)
	outside := tail(level)
	i := unbounded(math.NaN(), level, n)
	if left := len(values) - n; left > 0 {
		i.warn("undefined in %d of %d, left out", left, len(values))
	}
	switch {
	case n == 0:
		if len(values) == 0 {
			i.warn("no values")
		}
		return i
	case n == 1:
		i.Value = x[0]
		i.warn("one value has no interval")
		return i
	case equal(x): // avoids rounding of the mean
		i.Value, i.Low, i.High = x[0], x[0], x[0]
		i.warn(AllEqual)
		return i
	case n < Few:
		i.warn("fewer than %d values: the interval trusts that they are normally distributed", Few)
	}
	mean, sd := stat.MeanStdDev(x, nil)
	half := float64(student(outside, n-1) * stat.StdErr(sd, float64(n)))
	i.Value, i.Low, i.High = mean, mean-half, mean+half
	return i
}

// student returns the value that a Student variable with the given degrees of
// freedom exceeds with probability outside.
func student(outside float64, freedom int) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: float64(freedom)}.Quantile(1 - outside)
}

func equal(x []float64) bool {
	for _, v := range x {
		if v != x[0] {
			return false
		}
	}
	return true
}

// Paired returns the mean of a[i] - b[i], the difference of runs with common random
// numbers. It panics if a and b differ in length.
func Paired(a, b []float64, level float64) Interval {
	if len(a) != len(b) {
		panic(fmt.Sprintf("stats: pairs of %d and %d values", len(a), len(b)))
	}
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return Mean(d, level)
}

// Unpaired returns the mean of a minus the mean of b, for independent samples, with
// the interval of Welch (Biometrika 34, 1947). It is unbounded if either sample has
// fewer than two values.
func Unpaired(a, b []float64, level float64) Interval {
	outside := tail(level)
	i := unbounded(stat.Mean(a, nil)-stat.Mean(b, nil), level, len(a)+len(b))
	if len(a) < 2 || len(b) < 2 {
		i.warn("one value has no interval")
		return i
	}
	va, vb := stat.Variance(a, nil)/float64(len(a)), stat.Variance(b, nil)/float64(len(b))
	if va+vb == 0 {
		i.Low, i.High = i.Value, i.Value
		i.warn(AllEqual)
		return i
	}
	freedom := (va + vb) * (va + vb) / (float64(va*va)/float64(len(a)-1) + float64(vb*vb)/float64(len(b)-1))
	half := float64(distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile(1-outside) * math.Sqrt(va+vb))
	i.Low, i.High = i.Value-half, i.Value+half
	return i
}

// Share returns the probability of an event that happened in k of n independent
// runs, with the interval of Clopper and Pearson (Biometrika 26, 1934), whose
// confidence is at least level. It panics unless 0 <= k <= n.
func Share(k, n int, level float64) Interval {
	if k < 0 || k > n {
		panic(fmt.Sprintf("stats: %d of %d", k, n))
	}
	outside := tail(level)
	i := Interval{Value: math.NaN(), High: 1, Level: level, N: n}
	if n == 0 {
		i.warn("no values")
		return i
	}
	i.Value = float64(k) / float64(n)
	if k > 0 {
		i.Low = distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(outside)
	}
	if k < n {
		i.High = distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(1 - outside)
	}
	return i
}

// Restricted is the mean of min(time, Horizon).
type Restricted struct {
	Interval
	Horizon  float64
	Censored int // number of infinite times
}

// RestrictMean returns the mean of times, of which some are +Inf: the event did not
// happen while the run was observed. Each of these counts as the horizon, so the
// mean is a lower bound of the mean without a horizon (the restricted mean of
// survival analysis). Every run must have been observed until the horizon.
func RestrictMean(times []float64, horizon, level float64) Restricted {
	r := Restricted{Horizon: horizon}
	x := make([]float64, len(times))
	for i, t := range times {
		x[i] = min(t, horizon) // NaN stays NaN
		if math.IsInf(t, 1) {
			r.Censored++
		}
	}
	r.Interval = Mean(x, level)
	if r.Censored > 0 {
		r.warn("never in %d of %d, counted as %g", r.Censored, len(times), horizon)
	}
	return r
}

// Band returns the mean of several paths, point by point, each with Student's
// interval. Paths may end early and have gaps (NaN): a point uses the paths that
// have it. The level applies to each point by itself; a path as a whole leaves the
// band more often.
func Band(paths [][]float64, level float64) []Interval {
	longest := 0
	for _, p := range paths {
		longest = max(longest, len(p))
	}
	band := make([]Interval, longest)
	for k := range band {
		var column []float64
		for _, p := range paths {
			if k < len(p) && !math.IsNaN(p[k]) {
				column = append(column, p[k])
			}
		}
		band[k] = Mean(column, level)
	}
	return band
}
