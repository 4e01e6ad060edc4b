package governor

import (
	"math"
	"slices"

	"flyball/internal/conf"
	"flyball/internal/snap"
)

// CorrVegas holds the parameters of a law that estimates the queue at the
// receivers from attempt times, as TCP Vegas does, and correlates throughput and
// attempt time with concurrency, after failsafe-go, adaptivelimiter (restated).
// Of the published rivals only this law notices that more processes deliver less.
//
//	q = ceil(L (1 - baseline / recent)),   lg = max(1, floor(log10 L))
//	q > 6 lg                                               L - lg
//	full and corr(P, throughput) < 0                       L - lg
//	full and corr(P, throughput) < 0.3, corr(P, time) > 0.5   L - lg
//	full and cv(throughput) < 0.2, corr(P, time) > 0.5     L - lg
//	q < 3 lg                                               L + lg
//	else                                                   L
//	in any case, if the result is above max_factor P       L - lg
//
// recent is the median of five samples, averaged over five; baseline is the
// average of recent over ten. A sample is the 90th percentile of 1 to 30 s in the
// library and the interval's mean attempt time here. Concurrency is the greatest
// number in flight in the library and P_a here. full means that P_a is at least
// nine in ten of L. Throughput is concurrency / recent, as in the library.
// Correlations cover the last 50 samples and are 0 before the tenth.
type CorrVegas struct {
	// intervals over which the usual attempt time is averaged
	// Source: derived: failsafe-go
	Baseline int `toml:"baseline" range:"1..1000000" default:"10"`
	// intervals over which correlations are taken
	// Source: derived: failsafe-go
	Correlation int `toml:"correlation" range:"2..10000" default:"50"`
	// the limit falls while it is above this multiple of the processes in use
	// Source: derived: failsafe-go
	MaxFactor float64 `toml:"max_factor" range:"1..1000000" default:"5"`
	// least limit
	// Source: derived: failsafe-go
	Min float64 `toml:"min" range:"1..1000000" default:"1" unit:"processes"`
	// greatest limit
	// Source: derived: failsafe-go
	Max float64 `toml:"max" range:"1..1000000" default:"200" unit:"processes"`
}

var corrVegasLaw = Law{Name: "corr-vegas", Kind: Seeker, Key: "corr_vegas",
	Doc:    "estimates the queue at the receivers and whether more processes deliver more",
	Inputs: []string{"attempts", "attempt_s"},
	build:  func(c Config) law { return &corrVegas{base: newBase(c).within(c.CorrVegas.Min, c.CorrVegas.Max)} },
}

// Validate reports every problem.
func (a CorrVegas) Validate() []error {
	var l conf.List
	keys.Check(&l, a)
	l.Check(!(a.Min > a.Max), "min", "got %g, want at most max = %g", a.Min, a.Max)
	return l
}

type corrVegas struct {
	base
	times    []float64 // the last five samples
	recent   average
	baseline average
	seen     []point // the last correlation samples
}

// point is one sample for the correlations.
type point struct{ processes, throughput, time float64 }

func (g *corrVegas) Decide(s Sample) Decision {
	d := g.measure(s)
	t := s.attemptTime()
	if d.Flags&(NoTime|Idle) != 0 || t == 0 || !(d.Allocated <= math.MaxInt32) {
		return d
	}
	a, c := g.cfg.CorrVegas, g.available
	g.times = push(g.times, t, 5)
	if len(g.times) == 5 {
		t = median(g.times)
	}
	recent := g.recent.add(t, 5, warmUp)
	baseline := g.baseline.add(recent, a.Baseline, warmUp)
	queue := math.Ceil(float64(c * (1 - baseline/recent)))
	g.seen = push(g.seen, point{d.Allocated, d.Allocated / recent, recent}, a.Correlation)

	lg := 1.0
	for p := 100.0; p <= c; p *= 10 { // floor(log10 C), at least 1
		lg++
	}
	next := c
	full := !slack(d)
	toThroughput, toTime, spread := g.correlations()
	switch {
	case queue > 6*lg,
		full && toThroughput < 0,
		full && toThroughput < 0.3 && toTime > 0.5,
		full && spread < 0.2 && toTime > 0.5:
		next = c - lg
	case queue < 3*lg:
		next = c + lg
	}
	if next > float64(a.MaxFactor*d.Allocated) {
		next = c - lg
	}
	g.settle(&d, min(max(next, a.Min), a.Max))
	d.Step = math.Abs(d.Available - c)
	return d
}

// correlations returns the correlation of processes with throughput, the
// correlation of processes with attempt time, and the coefficient of variation of
// throughput. All are 0 during the warm-up; a correlation is 0 if one side never
// changed.
func (g *corrVegas) correlations() (toThroughput, toTime, spread float64) {
	n := float64(len(g.seen))
	if len(g.seen) < warmUp {
		return 0, 0, 0
	}
	var mean point
	for _, p := range g.seen {
		mean.processes += p.processes / n
		mean.throughput += p.throughput / n
		mean.time += p.time / n
	}
	var pp, qq, tt, pq, pt float64
	for _, p := range g.seen {
		dp, dq, dt := p.processes-mean.processes, p.throughput-mean.throughput, p.time-mean.time
		pp += float64(dp * dp)
		qq += float64(dq * dq)
		tt += float64(dt * dt)
		pq += float64(dp * dq)
		pt += float64(dp * dt)
	}
	return ratio(pq, math.Sqrt(pp)*math.Sqrt(qq)), ratio(pt, math.Sqrt(pp)*math.Sqrt(tt)),
		ratio(math.Sqrt(qq/n), mean.throughput)
}

// ratio returns a / b, or 0 if that is not finite.
func ratio(a, b float64) float64 {
	if r := a / b; math.Abs(r) <= math.MaxFloat64 {
		return r
	}
	return 0
}

// push appends v to all and keeps the last n values.
func push[T any](all []T, v T, n int) []T {
	all = append(all, v)
	if len(all) > n {
		copy(all, all[1:])
		all = all[:n]
	}
	return all
}

// median returns the median of all, the upper of two middle values.
func median(all []float64) float64 {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

func (g *corrVegas) State(c *snap.Codec) {
	g.base.State(c)
	c.Fields(&g.times)
	g.recent.state(c)
	g.baseline.state(c)
	snap.Slice(c, &g.seen, func(c *snap.Codec, p *point) {
		c.Fields(&p.processes, &p.throughput, &p.time)
	})
}
