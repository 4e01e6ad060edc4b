package portable

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLogarithmsAreThoseOfPackageMath(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	worst := func(got, want, scale float64) bool { return !(math.Abs(got-want) <= 4e-15*max(scale, math.Abs(want))) }
	for range 100000 {
		x := math.Pow(10, r.Float64()*600-300)
		if worst(Log(x), math.Log(x), 1) {
			t.Fatalf("Log %g = %.17g, want %.17g", x, Log(x), math.Log(x))
		}
		y := r.Float64()*60 - 30
		if worst(Exp(y), math.Exp(y), 0) {
			t.Fatalf("Exp %g = %.17g, want %.17g", y, Exp(y), math.Exp(y))
		}
		near := 1 + (r.Float64()-0.5)*1e-3
		if math.Abs(Log(near)-math.Log(near)) > 1e-18 && worst(Log(near), math.Log(near), 0) {
			t.Fatalf("Log %.17g = %g, want %g", near, Log(near), math.Log(near))
		}
	}
	const want = -744.4400719213812 // package math is wrong there on amd64
	if math.Abs(Log(math.SmallestNonzeroFloat64)-want) > 1e-12 {
		t.Errorf("Log of the smallest number = %.17g, want %.17g", Log(math.SmallestNonzeroFloat64), want)
	}
	for _, x := range []float64{1, math.MaxFloat64, 0.5, 2} {
		if worst(Log(x), math.Log(x), 1) {
			t.Errorf("Log %g = %g", x, Log(x))
		}
	}
	if Exp(0) != 1 || Log(1) != 0 || Exp(1e9) != Exp(700) || Exp(-1e9) != Exp(-700) {
		t.Error("ends")
	}
}
