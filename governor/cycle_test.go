package governor

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A daily cycle is found, and nothing else is taken for one.
func TestCycle(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	wave := func(n int) float64 { return 0.15 * math.Sin(2*math.Pi*float64(n)/8) }
	for _, v := range []struct {
		name  string
		e     func(n int) float64
		swing float64 // of the profile that should be found
	}{
		{"cycle", wave, 0.15},
		{"cycle under noise", func(n int) float64 { return wave(n) + 0.02*r.NormFloat64() }, 0.15},
		{"cycle on a drift", func(n int) float64 { return wave(n) - 0.01*float64(n) }, 0.15},
		{"cycle with a step on the second day", func(n int) float64 {
			if n > 12 {
				return wave(n) - 0.3
			}
			return wave(n)
		}, 0.15},
		{"nothing", func(int) float64 { return 7 }, 0},
		{"drift", func(n int) float64 { return 0.02 * float64(n) }, 0},
		{"noise", func(int) float64 { return 0.1 * r.NormFloat64() }, 0},
		{"a step", func(n int) float64 { return float64(n / 28) }, 0},
	} {
		y := newCycle(3 * 3600e9)
		for n := range 7 * 8 {
			part, next, _ := y.pass(3 * 3600e9)
			if part != n%8 || next != (n+1)%8 {
				t.Fatalf("interval %d is part %d, the next %d", n, part, next)
			}
			if n < 3*8 && len(y.profile) > 0 {
				t.Errorf("%s: a profile after %d intervals", v.name, n)
			}
			y.learn(part, v.e(n))
		}
		y.pass(3 * 3600e9)
		for i := range 8 {
			if want := v.swing / 0.15 * wave(i); math.Abs(y.at(i)-want) > 0.025 {
				t.Errorf("%s: part %d is %.3f, want %.3f", v.name, i, y.at(i), want)
			}
		}
	}

	// Ten-minute intervals share the hours; a day with a gap does not count; intervals of a third
	// of a day carry no information on hours.
	y := newCycle(600e9)
	for n := range 4 * 144 {
		part, _, _ := y.pass(600e9)
		if part != n/6%24 {
			t.Fatalf("ten minutes no. %d lie in hour %d", n, part)
		}
		if n/144 != 1 || n/6%24 != 5 {
			y.learn(part, math.Cos(float64(part)))
		}
	}
	y.pass(600e9)
	if len(y.days) != 3*24 {
		t.Errorf("%d hours of whole days, want %d", len(y.days), 3*24)
	}
	if y := newCycle(12 * 3600e9); y.parts != 0 {
		t.Errorf("half-days: %d parts", y.parts)
	}
}
