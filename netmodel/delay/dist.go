// Package delay holds what the times of a network model are drawn from: distributions, the tables
// that sample them, and the factors by which delays change in the course of a run.
package delay

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Dist is a distribution of a time. In a scenario a plain time ("80ms") is a
// constant; everything else is a table such as
// {dist = "lognormal", median = "40ms", sigma = 1.0}.
type Dist struct {
	// family
	Dist string `toml:"dist" oneof:"constant uniform exponential lognormal gamma weibull pareto"`
	// mean (constant, exponential, gamma)
	Mean vt.Span `toml:"mean"`
	// median (lognormal)
	Median vt.Span `toml:"median"`
	// least value (uniform, pareto)
	Min vt.Span `toml:"min"`
	// greatest value (uniform)
	Max vt.Span `toml:"max"`
	// scale (weibull)
	Scale vt.Span `toml:"scale"`
	// standard deviation of the logarithm (lognormal)
	Sigma float64 `toml:"sigma"`
	// shape (gamma, weibull)
	Shape float64 `toml:"shape"`
	// tail index (pareto)
	Alpha float64 `toml:"alpha"`
}

// Constant returns the distribution whose value is always d.
func Constant(d vt.Span) Dist { return Dist{Dist: "constant", Mean: d} }

// UnmarshalText reads a plain time as a constant.
func (d *Dist) UnmarshalText(text []byte) error {
	v, err := vt.ParseSpan(string(text))
	if err != nil {
		return fmt.Errorf("%w, or a table such as {dist = \"lognormal\", median = \"40ms\", sigma = 1.0}", err)
	}
	*d = Constant(v)
	return nil
}

// Short returns a constant as a plain time; false for any other distribution.
func (d Dist) Short() (text string, ok bool) { return d.Mean.String(), d.Dist == "constant" }

// Noun returns what a Dist is called: it stands for a time.
func (Dist) Noun() string { return "time" }

// Want describes what a scenario may give.
func (Dist) Want() string {
	return `a time such as "80ms", or a table such as {dist = "lognormal", median = "40ms", sigma = 1.0}`
}

// Pattern returns a regular expression that matches every plain time.
func (Dist) Pattern() string { return vt.Span(0).Pattern() }

// families lists the parameters of each family.
var families = map[string][]string{
	"constant": {"mean"}, "exponential": {"mean"}, "gamma": {"mean", "shape"}, "lognormal": {"median", "sigma"},
	"uniform": {"min", "max"}, "weibull": {"scale", "shape"}, "pareto": {"min", "alpha"},
}

// Validate reports every problem. A parameter of another family is a problem.
func (d Dist) Validate() []error {
	var l conf.List
	wanted, ok := families[d.Dist]
	if !ok {
		l.Check(false, "dist", "got %q, want one of constant, uniform, exponential, lognormal, gamma, weibull, pareto",
			d.Dist)
		return l
	}
	uses := map[string]bool{}
	for _, k := range wanted {
		uses[k] = true
	}
	for _, p := range []struct {
		key string
		v   vt.Span
	}{{"mean", d.Mean}, {"median", d.Median}, {"min", d.Min}, {"max", d.Max}, {"scale", d.Scale}} {
		zeroIsFine := d.Dist == "constant" || (d.Dist == "uniform" && p.key == "min")
		l.Check(p.v == 0 || uses[p.key], p.key, "got %s, want none: %s takes %v", p.v, d.Dist, wanted)
		l.Check(!uses[p.key] || p.v > 0 || zeroIsFine, p.key, "got %s, want more than 0 for %s", p.v, d.Dist)
		l.Check(p.v <= 100*vt.Day, p.key, "got %s, want at most 100d", p.v)
	}
	for _, p := range []struct {
		key    string
		v      float64
		lo, hi float64
	}{{"sigma", d.Sigma, 0, 4}, {"shape", d.Shape, 0.05, 1000}, {"alpha", d.Alpha, 1.01, 100}} {
		l.Check(p.v == 0 || uses[p.key], p.key, "got %g, want none: %s takes %v", p.v, d.Dist, wanted)
		l.Check(!uses[p.key] || (p.v >= p.lo && p.v <= p.hi), p.key, "got %g, want %g to %g for %s", p.v, p.lo, p.hi,
			d.Dist)
	}
	l.Check(d.Dist != "uniform" || d.Max >= d.Min, "max", "got %s, want at least min = %s", d.Max, d.Min)
	return l
}

// ExactMean returns the mean of the distribution, in nanoseconds.
func (d Dist) ExactMean() float64 {
	switch d.Dist {
	case "uniform":
		return (float64(d.Min) + float64(d.Max)) / 2
	case "lognormal":
		return float64(d.Median) * math.Exp(d.Sigma*d.Sigma/2)
	case "weibull":
		return distuv.Weibull{K: d.Shape, Lambda: float64(d.Scale)}.Mean()
	case "pareto":
		return distuv.Pareto{Xm: float64(d.Min), Alpha: d.Alpha}.Mean()
	}
	return float64(d.Mean)
}

// Quantile returns the exact quantile p, 0 <= p < 1, in nanoseconds.
func (d Dist) Quantile(p float64) float64 {
	switch d.Dist {
	case "uniform":
		return float64(d.Min) + p*float64(d.Max-d.Min)
	case "exponential":
		return -math.Log1p(-p) * float64(d.Mean)
	case "lognormal":
		if p == 0 {
			return 0
		}
		return float64(d.Median) * math.Exp(d.Sigma*distuv.UnitNormal.Quantile(p))
	case "gamma":
		return distuv.Gamma{Alpha: d.Shape, Beta: d.Shape / float64(d.Mean)}.Quantile(p)
	case "weibull":
		return distuv.Weibull{K: d.Shape, Lambda: float64(d.Scale)}.Quantile(p)
	case "pareto":
		return distuv.Pareto{Xm: float64(d.Min), Alpha: d.Alpha}.Quantile(p)
	}
	return float64(d.Mean)
}
