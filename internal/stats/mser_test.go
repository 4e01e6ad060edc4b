package stats

import (
	"math"
	"slices"
	"testing"
)

// slowly is MSER as it is printed, without a recurrence: batches of five, and
// for every cut the squared deviations from the mean of what is left.
func slowly(series []float64) []float64 {
	var y []float64
	for ; len(series) >= 5; series = series[5:] {
		y = append(y, (series[0]+series[1]+series[2]+series[3]+series[4])/5)
	}
	var curve []float64
	for d := 0; d <= len(y)-5; d++ {
		left := y[d:]
		var sum, squares float64
		for _, v := range left {
			sum += v
		}
		for _, v := range left {
			squares += (v - sum/float64(len(left))) * (v - sum/float64(len(left)))
		}
		curve = append(curve, squares/float64(len(left)*len(left)))
	}
	return curve
}

// startUp is an autoregressive series about 0 that starts far away.
func startUp(n int, seed uint64, bias, decay float64) []float64 {
	x := normals(n, seed, 0, 1)
	for i := range x {
		if i > 0 {
			x[i] += 0.5 * x[i-1]
		}
	}
	for i := range x {
		x[i] += bias * math.Exp(-float64(i)/decay)
	}
	return x
}

func TestMSER5(t *testing.T) {
	for seed := range uint64(20) {
		series := startUp(403, seed, -30, 20)
		got, want := MSER5(series), slowly(series)
		if len(got.Curve) != len(want) || len(want) != 80-5+1 {
			t.Fatalf("%d and %d points", len(got.Curve), len(want))
		}
		for i := range want {
			if math.Abs(got.Curve[i]-want[i]) > 1e-9*want[i] {
				t.Fatalf("point %d is %g, want %g", i, got.Curve[i], want[i])
			}
		}
		if got.At != 5*slices.Index(want, slices.Min(want)) {
			t.Errorf("cut at %d", got.At)
		}
		// The bias of 30 exp(-i/20) falls below the noise of a batch at about 50.
		if !got.Found || got.At < 30 || got.At > 120 || got.Warnings != nil {
			t.Errorf("seed %d: cut at %d, %v", seed, got.At, got.Warnings)
		}
	}
}

func TestMSER5Cases(t *testing.T) {
	flat := slices.Repeat([]float64{3}, 100)
	alternating := make([]float64, 100)
	for i := range alternating {
		alternating[i] = float64(i / 5 % 2)
	}
	step := slices.Clone(alternating)
	for i := range 25 {
		step[i] = 10
	}
	ramp := make([]float64, 100)
	for i := range ramp {
		ramp[i] = float64(i)
	}
	for _, c := range []struct {
		name     string
		series   []float64
		at       int
		found    bool
		warnings int
	}{
		{"flat", flat, 0, true, 0},
		{"no start-up", alternating, 0, true, 0},
		{"a step after 25", step, 25, true, 0},
		{"it never settles", ramp, 75, false, 1},
		{"short", step[:49], 0, false, 1},
		{"shorter", step[:29], 0, false, 1},
		{"empty", nil, 0, false, 1},
	} {
		got := MSER5(c.series)
		if got.At != c.at || got.Found != c.found || len(got.Warnings) != c.warnings {
			t.Errorf("%s: cut at %d, found %v, %q", c.name, got.At, got.Found, got.Warnings)
		}
	}
	// By hand: 20 batches of 0 and 1 in turn, mean 1/2, 20 x 1/4 / 20^2.
	near(t, "first point", MSER5(alternating).Curve[0], 0.0125, 12)
}
