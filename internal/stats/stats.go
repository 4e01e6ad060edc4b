// Package stats says what independent runs of the same experiment show, and how
// sure that is: every estimate comes with an interval and with what speaks
// against believing it. What gonum has is used from it.
//
// All functions are pure; the same values in the same order give the same
// answer. A level of confidence outside (0, 1) is a programmer's error and
// panics; values that are missing or too few are data, and are said in the
// answer. May be imported from everywhere.
package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Few is the number of values below which an interval says that it rests on
// few. A rule never stops before so many runs.
const Few = 10

// AllEqual warns that values do not differ, so that nothing is known about
// their spread.
const AllEqual = "all values are equal"

// Interval is an estimate and the bounds that the true value lies between.
type Interval struct {
	Value     float64  // NaN if there is nothing to estimate it from
	Low, High float64  // infinite where the values cannot bound it
	Level     float64  // confidence, such as 0.95
	N         int      // values that it rests on
	Warnings  []string // what speaks against believing it
}

// Half is half the width of the interval.
func (i Interval) Half() float64 { return (i.High - i.Low) / 2 }

// Relative is the half width as a share of the estimate; 0 if it is exact.
func (i Interval) Relative() float64 {
	if h := i.Half(); h != 0 {
		return h / math.Abs(i.Value)
	}
	return 0
}

// Contains reports whether a value lies between the bounds.
func (i Interval) Contains(v float64) bool { return i.Low <= v && v <= i.High }

// unbounded is an interval that says nothing yet.
func unbounded(value, level float64, n int) Interval {
	return Interval{Value: value, Low: math.Inf(-1), High: math.Inf(1), Level: level, N: n}
}

func (i *Interval) warn(format string, args ...any) {
	i.Warnings = append(i.Warnings, fmt.Sprintf(format, args...))
}

// tail is the probability outside of an interval on either side.
func tail(level float64) float64 {
	if !(level > 0 && level < 1) {
		panic(fmt.Sprintf("stats: level of confidence %g, want more than 0, less than 1", level))
	}
	return (1 - level) / 2
}

// Mean is the mean of independent values with Student's interval: mean +- t
// s / sqrt(n). It is exact for normal values and close for others once there
// are some dozens; whether the values are normal is not judged. Values that are
// not finite are left out, which a warning says.
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
	case equal(x): // whose mean would be rounded
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

// student is what a Student variable of so many degrees of freedom exceeds with
// probability outside.
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

// Paired is the mean of a[i] - b[i]: what two runs under the same luck (common
// random numbers) differ by. It panics if there are not as many of both.
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

// Unpaired is the difference of the means of two samples that are independent
// of each other, a less b, with the interval of Welch (Biometrika 34, 1947).
// It is unbounded if either has fewer than two values.
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

// Share is the probability of something that happened in k of n independent
// runs, with the interval of Clopper and Pearson (Biometrika 26, 1934). Its
// level is at least the one asked for. It panics unless 0 <= k <= n.
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
	Censored int // times that never came
}

// RestrictMean is the mean of times of which some never came (+Inf) while they
// were waited for: each counts as the horizon and none is dropped, so the mean
// is a lower bound of that without a horizon (the restricted mean of survival
// analysis). Every run must have been watched until the horizon.
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

// Band is the mean of several paths, point by point, each with Student's
// interval. Paths may end early and have gaps (NaN): a point rests on those that
// have it. Each point holds at its level by itself; a path as a whole leaves
// the band more often than that.
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
