package stats

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// batch is the number of observations in a batch of MSER-5.
const batch = 5

// Truncation describes where the start-up of a series ends.
type Truncation struct {
	At    int  // observations to leave out at the start, a multiple of 5
	Found bool // false: the series is too short, and At is unreliable
	// Curve[i] is the squared marginal standard error of the mean without the first
	// 5 i observations. It is least at i = At / 5.
	Curve    []float64
	Warnings []string
}

// MSER5 returns where the start-up of a series ends: at the batch of five
// observations from which on the mean of the batches has the least marginal
// standard error, sum (y - mean)^2 / m^2 over the m remaining batches (White,
// Simulation 69:6, 1997; White, Cobb and Spratt, WSC 2000). It weighs the bias of
// early observations against the precision that they add.
//
// The last five batches are never cut, since a few similar batches would win by
// chance. A cut in the second half means that the series has not reached a steady
// state: then Found is false. There are processes on which the rule fails (Wang and
// Glynn, 2016), so look at the curve and at the result with twice the cut.
func MSER5(series []float64) Truncation {
	n := len(series) / batch
	var t Truncation
	if n < Few {
		t.Warnings = append(t.Warnings, "fewer than 50 observations: too short to tell a start-up from noise")
	}
	if n <= batch {
		return t
	}
	t.Curve = make([]float64, n-batch+1)
	var mean, squares float64 // of the batches from i on, by Welford's method
	for i := n - 1; i >= 0; i-- {
		y := stat.Mean(series[batch*i:batch*(i+1)], nil)
		m := float64(n - i)
		off := y - mean
		mean += off / m
		squares += float64(off * (y - mean))
		if i < len(t.Curve) {
			t.Curve[i] = squares / float64(m*m)
		}
	}
	least := 0
	for i, v := range t.Curve {
		if math.IsNaN(v) {
			panic("stats: a series with gaps")
		}
		if v < t.Curve[least] {
			least = i
		}
	}
	t.At = batch * least
	t.Found = n >= Few && 2*least <= n
	if 2*least > n {
		t.Warnings = append(t.Warnings, "the best cut lies in the second half: no steady state is in sight")
	}
	return t
}
