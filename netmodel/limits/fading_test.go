package limits

import (
	"math"
	"testing"

	"flyball/internal/vt"
)

// A sum halves in a half-life, however long it lies.
func TestSumFades(t *testing.T) {
	const half = 10 * vt.Minute
	f := Fading{}
	f.At(vt.Time(half), half/FadingSteps)
	f.Sum = 1024
	for i, want := range []float64{1024, 512, 256, 128} {
		if got := f.At(vt.Time(half)*vt.Time(i+1), half/FadingSteps); got != want {
			t.Errorf("after %d half-lives %v is left, want %v", i, got, want)
		}
	}
	if got := f.At(vt.Time(4*half+half/2), half/FadingSteps); math.Abs(got-128*math.Sqrt(0.5)) > 1e-6 {
		t.Errorf("after another half of one %v is left, want %v", got, 128*math.Sqrt(0.5))
	}
	if got := f.At(vt.Time(5000*half), half/FadingSteps); got != 0 {
		t.Errorf("%v is left for ever", got)
	}
}
