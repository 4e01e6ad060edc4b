package delay

import (
	"math"
	"testing"

	"flyball/internal/vt"
)

func TestValidateMessages(t *testing.T) {
	second := vt.Second
	for _, v := range []struct {
		d    Dist
		want string
	}{
		{Dist{Dist: "normal", Mean: second},
			`dist: got "normal", want one of constant, uniform, exponential, lognormal, gamma, weibull, pareto`},
		{Dist{Dist: "constant", Mean: second, Max: second}, `max: got 1s, want none: constant takes [mean]`},
		{Dist{Dist: "exponential"}, `mean: got 0s, want more than 0 for exponential`},
		{Dist{Dist: "lognormal", Median: second, Sigma: 5}, `sigma: got 5, want 0 to 4 for lognormal`},
		{Dist{Dist: "lognormal", Median: second, Sigma: math.NaN()}, `sigma: got NaN, want 0 to 4 for lognormal`},
		{Dist{Dist: "lognormal", Median: second, Mean: second, Sigma: 1},
			`mean: got 1s, want none: lognormal takes [median sigma]`},
		{Dist{Dist: "gamma", Mean: second}, `shape: got 0, want 0.05 to 1000 for gamma`},
		{Dist{Dist: "gamma", Mean: second, Shape: 2, Alpha: 2}, `alpha: got 2, want none: gamma takes [mean shape]`},
		{Dist{Dist: "weibull", Shape: 2}, `scale: got 0s, want more than 0 for weibull`},
		{Dist{Dist: "pareto", Min: second, Alpha: 1}, `alpha: got 1, want 1.01 to 100 for pareto`},
		{Dist{Dist: "pareto", Alpha: 2}, `min: got 0s, want more than 0 for pareto`},
		{Dist{Dist: "uniform", Min: 2 * second, Max: second}, `max: got 1s, want at least min = 2s`},
		{Dist{Dist: "uniform", Max: 200 * vt.Day}, `max: got 200d, want at most 100d`},
	} {
		if errs := v.d.Validate(); len(errs) != 1 || errs[0].Error() != v.want {
			t.Errorf("got  %v\nwant %s", errs, v.want)
		}
	}
	for _, d := range []Dist{Constant(0), Constant(100 * vt.Day), {Dist: "uniform", Max: 1},
		{Dist: "lognormal", Median: 1, Sigma: 0}} {
		if errs := d.Validate(); len(errs) > 0 {
			t.Errorf("%+v: %v", d, errs)
		}
	}
}

func TestFromText(t *testing.T) {
	var d Dist
	if err := d.UnmarshalText([]byte("80ms")); err != nil || d != Constant(80*vt.Millisecond) {
		t.Errorf("%+v, %v", d, err)
	}
	before := d
	const want = `"80" has no unit, want a time such as "90s", "3h" or "30d", or a table such as {dist = ` +
		`"lognormal", median = "40ms", sigma = 1.0}`
	if err := d.UnmarshalText([]byte("80")); err == nil || err.Error() != want || d != before {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
