package governor

import (
	"math"

	"flyball/internal/conf"
	"flyball/internal/snap"
)

// Gradient2 holds the parameters of the law that follows the ratio long-term /
// present mean attempt time, after Netflix concurrency-limits, Gradient2Limit
// (restated):
//
//	g = clamp(tolerance long / short, 0.5, 1)
//	L = (1 - smoothing) L + smoothing (g L + queue),   not if less than half of L is in use
//
// short is the mean attempt time of the last sample. long is an exponential
// average over the window; up to the tenth sample it is the plain mean. It loses
// 5 % at each sample at which it is above 2 short. A sample is a window of about
// a second in the library and an interval here, so the library's 600 samples are
// 75 days of 3 h. Attempt times include attempts that did not deliver. Failures
// have no effect of their own.
type Gradient2 struct {
	// how much longer than usual an attempt may take before the limit shrinks, as a ratio
	// Source: derived: Netflix Gradient2Limit
	Tolerance float64 `toml:"tolerance" range:"1..100" default:"1.5"`
	// part of the way to the new limit that is moved in one interval
	// Source: derived: Netflix Gradient2Limit
	Smoothing float64 `toml:"smoothing" range:"0.001..1" default:"0.2"`
	// processes that may wait at the receivers; the limit grows towards this many more while attempts are not slower
	// than usual
	// Source: derived: Netflix Gradient2Limit
	Queue float64 `toml:"queue" range:"0..1000000" default:"4" unit:"processes"`
	// intervals over which the long-term attempt time is averaged
	// Source: derived: Netflix Gradient2Limit
	Window int `toml:"window" range:"1..1000000" default:"600"`
	// least limit
	// Source: derived: Netflix Gradient2Limit
	Min float64 `toml:"min" range:"1..1000000" default:"20" unit:"processes"`
	// greatest limit
	// Source: derived: Netflix Gradient2Limit
	Max float64 `toml:"max" range:"1..1000000" default:"200" unit:"processes"`
}

var gradient2Law = Law{Name: "gradient2", Kind: Seeker, Key: "gradient2",
	Doc:    "follows the ratio of the usual to the present time of an attempt",
	Inputs: []string{"attempts", "attempt_s"},
	build:  func(c Config) law { return &gradient2{base: newBase(c).within(c.Gradient2.Min, c.Gradient2.Max)} },
}

// Validate reports every problem.
func (a Gradient2) Validate() []error {
	var l conf.List
	keys.Check(&l, a)
	l.Check(!(a.Min > a.Max), "min", "got %g, want at most max = %g", a.Min, a.Max)
	return l
}

type gradient2 struct {
	base
	long average
}

func (g *gradient2) Decide(s Sample) Decision {
	d := g.measure(s)
	short := s.attemptTime()
	if d.Flags&(NoTime|Idle) != 0 || short == 0 {
		return d
	}
	a, c := g.cfg.Gradient2, g.available
	long := g.long.add(short, a.Window, warmUp)
	if long > 2*short {
		g.long.value = float64(long * 0.95)
	}
	if 2*d.Allocated < c {
		d.Flags |= Slack
		return d
	}
	gradient := min(max(float64(a.Tolerance*long)/short, 0.5), 1)
	wanted := float64(gradient*c) + a.Queue
	next := float64((1-a.Smoothing)*c) + float64(a.Smoothing*wanted)
	g.settle(&d, min(max(next, a.Min), a.Max))
	d.Step = math.Abs(d.Available - c)
	return d
}

func (g *gradient2) State(c *snap.Codec) {
	g.base.State(c)
	g.long.state(c)
}

// warmUp is the number of samples that averages take before they decay, in
// both libraries.
const warmUp = 10

// average is an exponential average that begins as a plain mean.
type average struct {
	value float64
	sum   float64
	count int
}

// add adds the sample v to an average over window samples, of which the first
// warmUp count equally, and returns the average.
func (a *average) add(v float64, window, warmUp int) float64 {
	if a.count < warmUp {
		a.count++
		a.sum += v
		a.value = a.sum / float64(a.count)
		return a.value
	}
	gain := 2 / float64(window+1)
	a.value = float64(a.value*(1-gain)) + float64(v*gain)
	return a.value
}

func (a *average) state(c *snap.Codec) {
	c.Fields(&a.value, &a.sum, &a.count)
}
