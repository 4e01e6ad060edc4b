package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func leaveOneOut(x []float64, of func([]float64) float64) (all float64, without []float64) {
	for i := range x {
		without = append(without, of(append(append([]float64{}, x[:i]...), x[i+1:]...)))
	}
	return of(x), without
}

func TestJackknifeOfAMeanIsStudents(t *testing.T) {
	x := []float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8}
	mean := func(x []float64) float64 { return Mean(x, 0.95).Value }
	all, without := leaveOneOut(x, mean)
	got, want := Jackknife(all, without, 0.95), Mean(x, 0.95)
	if math.Abs(got.Low-want.Low) > 1e-12 || math.Abs(got.High-want.High) > 1e-12 || got.N != len(x) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if i := Jackknife(1, []float64{1}, 0.95); !math.IsInf(i.Low, -1) || i.Warnings == nil {
		t.Errorf("one run: got %+v, want no bounds", i)
	}
	if i := Jackknife(1, []float64{1, math.Inf(1)}, 0.95); !math.IsInf(i.High, 1) || i.Warnings == nil {
		t.Errorf("undefined without a run: got %+v, want no bounds", i)
	}
}

// The ratio of two means, which is biased and not normal, is covered as often as
// the interval says, give or take.
func TestJackknifeCoversARatio(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	const trials, n = 2000, 20
	covered := 0
	for range trials {
		x := make([]float64, 0, n)
		y := make([]float64, 0, n)
		for range n {
			x, y = append(x, 2+0.3*r.NormFloat64()), append(y, 4+0.8*r.NormFloat64())
		}
		var at []float64
		for i := range n {
			at = append(at, float64(i))
		}
		all, without := leaveOneOut(at, func(at []float64) float64 {
			var a, b float64
			for _, i := range at {
				a, b = a+x[int(i)], b+y[int(i)]
			}
			return b / a
		})
		if Jackknife(all, without, 0.95).Contains(2) {
			covered++
		}
	}
	if share := float64(covered) / trials; share < 0.935 || share > 0.965 {
		t.Errorf("covered in %.3f of trials, want 0.95", share)
	}
}
