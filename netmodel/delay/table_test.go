package delay

import (
	"fmt"
	"math"
	"testing"

	"flyball/internal/vt"
)

// meanOf returns the exact mean of a table: the table is linear between the words
// that are sampled.
func meanOf(t *Table) float64 {
	var sum float64
	for i := range uint32(1 << 20) {
		sum += float64(t.At(i<<12 + 1<<11))
	}
	return sum / (1 << 20)
}

// word returns the draw for a quantile.
func word(p float64) uint32 { return uint32(math.Round(p * (1 << 32))) }

const ms = vt.Millisecond

// Tables agree with the exact distributions within the errors that the comment on
// table states. Means and quantiles here are closed forms.
func TestTables(t *testing.T) {
	z := 3.090232306167813 // 99.9 % quantile of the standard normal distribution
	logn := func(median vt.Span, sigma float64) (Dist, float64, float64) {
		m := float64(median)
		return Dist{Dist: "lognormal", Median: median, Sigma: sigma}, m * math.Exp(sigma*sigma/2), m * math.Exp(sigma*z)
	}
	exponential := func(mean vt.Span) (Dist, float64, float64) {
		return Dist{Dist: "exponential", Mean: mean}, float64(mean), float64(mean) * math.Log(1000)
	}
	uniform := func(lo, hi vt.Span) (Dist, float64, float64) {
		return Dist{Dist: "uniform", Min: lo, Max: hi}, float64(lo+hi) / 2, float64(lo) + 0.999*float64(hi-lo)
	}
	weibull := func(scale vt.Span, k float64) (Dist, float64, float64) {
		return Dist{Dist: "weibull", Scale: scale, Shape: k}, float64(scale) * math.Gamma(1+1/k),
			float64(scale) * math.Pow(math.Log(1000), 1/k)
	}
	pareto := func(least vt.Span, alpha float64) (Dist, float64, float64) {
		return Dist{Dist: "pareto", Min: least, Alpha: alpha}, float64(least) * alpha / (alpha - 1),
			float64(least) * math.Pow(1000, 1/alpha)
	}
	gamma := func(mean vt.Span, shape float64) (Dist, float64, float64) {
		d := Dist{Dist: "gamma", Mean: mean, Shape: shape}
		return d, float64(mean), d.Quantile(0.999) // no closed form; TestGammaQuantile compares it with Erlang's
	}
	check := func(meanWithin, tailWithin float64) func(Dist, float64, float64) {
		return func(d Dist, mean, tail float64) {
			t.Helper()
			t.Run(fmt.Sprint(d), func(t *testing.T) {
				if errs := d.Validate(); len(errs) > 0 {
					t.Fatal(errs)
				}
				tb := newTable(d)
				if off := d.ExactMean()/mean - 1; math.Abs(off) > 1e-9 {
					t.Errorf("exact mean is off by %g", off)
				}
				if off := meanOf(tb)/mean - 1; math.Abs(off) > meanWithin {
					t.Errorf("mean is off by %.3f %%, want at most %g %%", 100*off, 100*meanWithin)
				}
				if off := float64(tb.At(word(0.999)))/tail - 1; math.Abs(off) > tailWithin {
					t.Errorf("99.9 %% quantile is off by %.3f %%, want at most %g %%", 100*off, 100*tailWithin)
				}
				isMonotone(t, tb)
			})
		}
	}

	close := check(0.001, 0.005)
	for _, s := range []vt.Span{ms, 100 * ms, vt.Minute, vt.Hour, vt.Day} {
		close(uniform(0, s))
		close(uniform(s, 3*s))
		close(exponential(s))
		close(logn(s, 0.01))
		close(logn(s, 1))
		close(logn(s, 1.4))
		close(gamma(s, 2.3))
		close(gamma(s, 100))
		close(weibull(s, 0.5))
		close(weibull(s, 1000))
		close(pareto(min(s, vt.Hour), 2))
		close(pareto(s, 100))
	}
	close(gamma(80*ms, 0.1))
	close(gamma(80*ms, 1000))

	wide := check(0.003, 0.01)
	wide(logn(22400*vt.Microsecond, 1.957)) // the default of uncached look-ups
	wide(logn(40*ms, 2.5))
	wide(gamma(80*ms, 0.05))
	wide(weibull(80*ms, 0.3))
	wide(pareto(80*ms, 1.8))

	// Beyond that part of the mean is lost with the tail that is cut off; the 99.9 % quantile is still right.
	for _, v := range []struct{ sigma, lost float64 }{{3, 0.01}, {3.5, 0.05}, {4, 0.13}} {
		check(v.lost, 0.015)(logn(40*ms, v.sigma))
	}
	check(0.075, 0.015)(pareto(80*ms, 1.2))
	check(0.87, 0.015)(pareto(80*ms, 1.01))
}

// A higher word never gives a shorter time, in steps and across all cells.
func isMonotone(t *testing.T, tb *Table) {
	t.Helper()
	last := tb.At(0)
	if last < 0 {
		t.Errorf("the shortest time is %s", last)
	}
	for cell := range uint32(1 << 20) { // each cell of the tail, and 1024 steps in each of the body
		for _, w := range []uint32{cell << 12, cell<<12 + 1, cell<<12 + 1<<12 - 1} {
			if d := tb.At(w); d < last {
				t.Fatalf("word %#x gives %s, less than %s before", w, d, last)
			} else {
				last = d
			}
		}
	}
}

// The gamma distribution of a whole shape n is Erlang's: 1 - F(x) = e^-x times
// the sum of x^i / i! for i < n.
func TestGammaQuantile(t *testing.T) {
	for _, n := range []int{1, 2, 5, 30} {
		d := Dist{Dist: "gamma", Mean: vt.Span(n) * vt.Second, Shape: float64(n)} // unit rate per second
		for _, p := range []float64{0.001, 0.1, 0.5, 0.9, 0.999, 1 - 1.0/(1<<21)} {
			x := d.Quantile(p) / 1e9
			term, sum := math.Exp(-x), 0.0
			for i := range n {
				sum += term
				term *= x / float64(i+1)
			}
			if math.Abs(sum/(1-p)-1) > 1e-6 {
				t.Errorf("shape %d: the %g quantile is %g, above it lies %g, want %g", n, p, x, sum, 1-p)
			}
		}
	}
}

// A constant is not rounded to the microseconds of the tables.
func TestConstantIsExact(t *testing.T) {
	for _, d := range []vt.Span{0, 1, 1234567, 100 * vt.Day} {
		for _, w := range []uint32{0, 1 << 31, math.MaxUint32} {
			if got := newTable(Constant(d)).At(w); got != d {
				t.Errorf("constant %s gives %s", d, got)
			}
		}
	}
}
