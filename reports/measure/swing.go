package measure

import (
	"math"

	"flyball/reports/format"
)

// Swing returns the oscillation of C over the last half of the judged intervals, rounded
// up. C is first detrended by a straight line. The amplitude is peak to peak. The period,
// in intervals, is twice the mean distance between changes of sign; it is missing with
// fewer than three changes, or if the amplitude is below one process.
func Swing(rows []Row) (amplitude, period format.Num) {
	rows = rows[len(rows)/2:]
	c := make([]float64, len(rows))
	for i, r := range rows {
		c[i] = float64(r.Available)
	}
	detrend(c)
	low, high := 0.0, 0.0
	first, last, changes, sign := 0, 0, 0, 0.0
	for i, v := range c {
		if math.Abs(v) < 1e-9 { // what rounding leaves of a C that stands still
			continue
		}
		low, high = min(low, v), max(high, v)
		switch {
		case sign != 0 && (v > 0) != (sign > 0):
			if changes++; changes == 1 {
				first = i
			}
			last = i
			sign = v
		default:
			sign = v
		}
	}
	period = format.Missing
	if changes >= 3 && high-low >= 1 {
		period = format.Num(2 * float64(last-first) / float64(changes-1))
	}
	return format.Num(high - low), period
}

// detrend subtracts the straight line of least squares from y.
func detrend(y []float64) {
	n := float64(len(y))
	if n < 2 {
		clear(y)
		return
	}
	var mean, slope float64
	for _, v := range y {
		mean += v / n
	}
	middle, spread := (n-1)/2, float64(n*(float64(n*n)-1))/12
	for i, v := range y {
		slope += float64((float64(i) - middle) * v)
	}
	slope /= spread
	for i := range y {
		y[i] -= mean + float64(slope*(float64(i)-middle))
	}
}
