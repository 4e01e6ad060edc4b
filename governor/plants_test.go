package governor_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/governor"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// trial is a server, interval by interval, with the rate to attain. Its noise is
// a function of the seed and the interval alone, so that all laws meet the same
// noise.
type trial struct {
	name       string
	efficiency func(n int, p float64) float64 // messages per hour and process in interval n with p processes
	target     float64
	start      float64
	intervals  int
	cv         float64             // of the efficiency, log-normal: the mix of campaigns
	lag        float64             // intervals between work and its count
	demand     func(n int) float64 // processes that have work; nil: any number
	down       func(n int) float64 // share of the interval without deliveries; nil: none
	reference  func(n int) float64 // rate to attain; nil: the target
	from       int                 // first interval that is judged
}

// outcome holds the results of a law in a trial.
type outcome struct {
	iae       float64 // sum of |rate - reference| / target
	quiet     float64 // iae of the rate without noise, for which the law is responsible
	variation float64 // sum of |dC|
	c         []float64
	rate      []float64
	clean     []float64 // the rate without noise
	decisions []governor.Decision
}

func (p trial) run(t testing.TB, cfg governor.Config, seed uint64) outcome {
	t.Helper()
	return p.runVia(t, cfg, seed, func(_ int, g governor.Governor) governor.Governor { return g })
}

// runVia runs a trial in which another governor may take over before each
// interval.
func (p trial) runVia(t testing.TB, cfg governor.Config, seed uint64,
	via func(n int, g governor.Governor) governor.Governor) outcome {
	t.Helper()
	cfg.Target, cfg.Start = unit.PerHour(p.target), p.start
	g, err := governor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 99))
	var o outcome
	used := []float64{}
	for n := range p.intervals {
		g = via(n, g)
		c := g.Available()
		processes := math.Floor(c)
		if p.demand != nil {
			processes = min(processes, p.demand(n))
		}
		used = append(used, processes)
		back, part := int(p.lag), p.lag-math.Floor(p.lag)
		worked := (1-part)*used[max(0, n-back)] + part*used[max(0, n-back-1)]
		noise := math.Exp(p.cv*r.NormFloat64() - p.cv*p.cv/2)
		poisson := r.NormFloat64()
		quiet := 0.0
		if worked > 0 {
			quiet = worked * p.efficiency(n, worked)
		}
		if p.down != nil {
			quiet *= 1 - p.down(n)
		}
		rate := quiet * noise
		o.clean = append(o.clean, quiet)
		hours := cfg.Interval.Hours()
		delivered := math.Round(max(0, rate*hours+math.Sqrt(rate*hours)*poisson))
		attempts := math.Round(delivered * 1.1)
		took := vt.Span(0)
		if attempts > 0 {
			took = vt.Span(worked * float64(cfg.Interval) / attempts)
		}
		d := g.Decide(governor.Sample{Span: cfg.Interval, Delivered: uint64(delivered), Attempts: uint64(attempts),
			AttemptTime: took, Allocated: processes})
		o.c, o.rate, o.decisions = append(o.c, c), append(o.rate, delivered/hours), append(o.decisions, d)
		if n >= p.from {
			reference := p.target
			if p.reference != nil {
				reference = p.reference(n)
			}
			o.iae += math.Abs(delivered/hours-reference) / p.target
			o.quiet += math.Abs(quiet-reference) / p.target
			o.variation += math.Abs(d.Available - c)
		}
	}
	return o
}

func still(e func(float64) float64) func(int, float64) float64 {
	return func(_ int, p float64) float64 { return e(p) }
}

// peakOf returns the greatest throughput of a server and its number of processes.
func peakOf(e func(float64) float64) (n, x float64) {
	for c := 1.0; c < 3000; c++ {
		if c*e(c) > x {
			n, x = c, c*e(c)
		}
	}
	return n, x
}

func daily(e func(float64) float64, amplitude float64) func(int, float64) float64 {
	return func(n int, p float64) float64 { return e(p) * (1 + amplitude*math.Sin(2*math.Pi*float64(n)/8)) }
}

var narrow = usl(1000, 0.002, 1e-5) // O8: peak at 316 processes, 120,363/h

// outage returns the share of each interval that lies within an outage.
func outage(from, length float64) func(int) float64 {
	return func(n int) float64 {
		return max(0, min(float64(n)+1, from+length)-max(float64(n), from))
	}
}

// suite returns the trials for comparing laws, without noise.
func suite() []trial {
	up := func(down func(int) float64) func(int) float64 {
		return func(n int) float64 { return target * (1 - down(n)) }
	}
	change := func(at int, factor float64) func(int, float64) float64 {
		return func(n int, p float64) float64 {
			if n >= at {
				return plantB(p) * factor
			}
			return plantB(p)
		}
	}
	half := func(n int) float64 {
		if n >= 20 && n < 50 {
			return 70
		}
		return 1e9
	}
	halfRate := func(n int) float64 {
		if n >= 20 && n < 50 {
			return 70 * plantB(70)
		}
		return target
	}
	idle := func(n int) float64 {
		if n >= 20 && n < 40 {
			return 0
		}
		return 1e9
	}
	idleRate := func(n int) float64 {
		if n >= 20 && n < 40 {
			return 0
		}
		return target
	}
	_, most := peakOf(narrow)
	b := still(plantB)
	return []trial{
		{name: "cold start 40", efficiency: b, target: target, start: 40, intervals: 100},
		{name: "hot start 250", efficiency: b, target: target, start: 250, intervals: 100},
		{name: "steady", efficiency: b, target: target, start: c1, intervals: 100},
		{name: "target +35 %", efficiency: b, target: target, start: 101, intervals: 100},
		{name: "target -35 %", efficiency: b, target: target, start: 240, intervals: 100},
		{name: "E -30 %", efficiency: change(20, 0.7), target: target, start: c1, intervals: 100},
		{name: "E +30 %", efficiency: change(20, 1.3), target: target, start: c1, intervals: 100},
		{name: "E -60 %, back after 30", efficiency: func(n int, p float64) float64 {
			if n >= 20 && n < 50 {
				return plantB(p) * 0.4
			}
			return plantB(p)
		}, target: 80000, start: 73, intervals: 100},
		{name: "drift -0.3 %", efficiency: func(n int,
			p float64) float64 {
			return plantB(p) * math.Exp(-0.003*float64(n))
		}, target: target, start: c1,
			intervals: 100},
		{name: "drift +0.5 %", efficiency: func(n int,
			p float64) float64 {
			return plantB(p) * math.Exp(0.005*float64(n))
		}, target: target, start: c1,
			intervals: 100},
		{name: "0.95 of the peak", efficiency: b, target: 0.95 * peakX, start: 40, intervals: 150},
		{name: "1.16 of the peak", efficiency: still(narrow), target: target, start: 200, intervals: 150,
			reference: func(int) float64 { return most }},
		{name: "1.05 of the peak", efficiency: still(narrow), target: 1.05 * most, start: 40, intervals: 150,
			reference: func(int) float64 { return most }},
		{name: "outage 1", efficiency: b, target: target, start: c1, intervals: 100, down: outage(30, 1),
			reference: up(outage(30, 1))},
		{name: "outage 8", efficiency: b, target: target, start: c1, intervals: 100, down: outage(30, 8),
			reference: up(outage(30, 8))},
		{name: "outage 5.7, off beat", efficiency: b, target: target, start: c1, intervals: 100,
			down: outage(30.6, 5.7), reference: up(outage(30.6, 5.7))},
		{name: "lag 0.5, cold", efficiency: b, target: target, start: 40, intervals: 100, lag: 0.5},
		{name: "lag 1, +35 %", efficiency: b, target: target, start: 101, intervals: 100, lag: 1},
		{name: "lag 2, cold", efficiency: b, target: target, start: 40, intervals: 100, lag: 2},
		{name: "half the demand", efficiency: b, target: target, start: c1, intervals: 100, demand: half,
			reference: halfRate},
		{name: "idle, then surge", efficiency: b, target: target, start: c1, intervals: 100, demand: idle,
			reference: idleRate},
		{name: "daily 15 %, 14 days", efficiency: daily(plantB, 0.15), target: target, start: c1, intervals: 112},
	}
}

var noises = []float64{0.01, 0.03, 0.10}

func lawNamed(name string) governor.Config {
	c := governor.Default()
	var d float64
	if n, _ := fmt.Sscanf(name, "d=%g", &d); n == 1 {
		c.Law, c.StepMode, c.D = damped, "explicit", d
	} else {
		c.Law = name
	}
	return c
}

var hindsight = []string{"d=3", "d=8", "d=24", "d=64"}

// cell holds the means over seeds of a law in a trial.
type cell struct{ iae, quiet, variation float64 }

func (p trial) mean(t testing.TB, law string, seeds int) cell {
	var m cell
	for seed := range seeds {
		o := p.run(t, lawNamed(law), uint64(seed))
		m.iae += o.iae / float64(seeds)
		m.quiet += o.quiet / float64(seeds)
		m.variation += o.variation / float64(seeds)
	}
	return m
}

// The table of laws has the IAE of each law in each trial; the ratio regulator /
// patent's law, with the best d of that trial in hindsight, of IAE and of total
// variation; and, in the last column, the IAE of the rate without noise / its
// least value for any d. go test -v prints it.
//
// The goals were a mean of 0.75 and a worst value of 1.15. Measured rates do not
// reach them: even a C that is right from the beginning (hold in the steady
// trial) has 0.82 (at 1 %), 0.89 (3 %) and 0.95 (10 %) of the IAE of the best d;
// the rest is noise that no law can remove. The worst trial is a slow drift, in
// which a law that follows every interval is best.
func TestRegulatorAgainstHindsight(t *testing.T) {
	names := append(slices.Clone(hindsight), "hold", "pi", "regulator")
	head := fmt.Sprintf("%-22s %4s", "trial", "cv")
	for _, n := range names {
		head += fmt.Sprintf(" %10s", n)
	}
	t.Log(head + "   best   IAE   TV   quiet IAE")
	var iae, quiet, variation, worst, cells float64
	for _, p := range suite() {
		for _, p.cv = range noises {
			best, least := cell{iae: math.Inf(1)}, math.Inf(1)
			name, ours := "", cell{}
			line := fmt.Sprintf("%-22s %3.0f%%", p.name, p.cv*100)
			for _, law := range names {
				m := p.mean(t, law, 20)
				line += fmt.Sprintf(" %10.2f", m.iae)
				if slices.Contains(hindsight, law) {
					least = min(least, m.quiet)
					if m.iae < best.iae {
						best, name = m, law
					}
				}
				ours = m
			}
			t.Logf("%s   %-5s %5.2f %5.2f %5.2f", line, name, ours.iae/best.iae, ours.variation/best.variation,
				ours.quiet/least)
			iae += math.Log(ours.iae / best.iae)
			quiet += math.Log(ours.quiet / least)
			variation += math.Log(ours.variation / best.variation)
			worst = max(worst, ours.iae/best.iae)
			cells++
		}
	}
	mean := func(logs float64) float64 { return math.Exp(logs / cells) }
	t.Logf("regulator by hindsight: IAE %.3f in the geometric mean, %.2f at worst, TV %.3f; IAE without noise %.3f",
		mean(iae), worst, mean(variation), mean(quiet))
	atMost(t, "IAE in the geometric mean", mean(iae), 0.80)
	atMost(t, "IAE at worst", worst, 1.30)
	atMost(t, "total variation", mean(variation), 0.30)
	atMost(t, "IAE without noise", mean(quiet), 0.63)
}

// randomTrial returns a random trial, to which no parameter was tuned.
func randomTrial(r *rand.Rand) trial {
	between := func(low, high float64) float64 { return low * math.Pow(high/low, r.Float64()) }
	e := usl(between(300, 3000), between(1e-4, 3e-3), between(1e-6, 2e-5))
	peak, most := peakOf(e)
	goal := 0.3 + 0.55*r.Float64()
	right := 1.0 // the processes that attain the target
	for right*e(right) < goal*most {
		right++
	}
	p := trial{target: goal * most, start: min(max(right*between(0.3, 1.8), 2), 0.9*peak), intervals: 100,
		cv: between(0.005, 0.1)}
	if r.IntN(3) == 0 {
		p.start = right
	}
	if r.IntN(4) == 0 {
		p.lag = 1.5 * r.Float64()
	}
	factor, slope, at := 1.0, 0.0, 20+r.IntN(30)
	switch r.IntN(5) {
	case 0:
		factor = between(0.7, 1.5)
	case 1:
		slope = 0.006*r.Float64() - 0.003
	case 2:
		p.down = outage(float64(at), float64(1+r.IntN(20)))
		p.reference = func(n int) float64 { return p.target * (1 - p.down(n)) }
	}
	p.efficiency = func(n int, c float64) float64 {
		v := e(c) * math.Exp(slope*float64(n))
		if n >= at {
			v *= factor
		}
		return v
	}
	return p
}

// The trials of the table were used while the regulator was developed; these were
// drawn afterwards.
func TestRegulatorOnRandomTrials(t *testing.T) {
	r := rand.New(rand.NewPCG(20261124, 7))
	var ratios, variations []float64
	for range 300 {
		p := randomTrial(r)
		best := cell{iae: math.Inf(1)}
		for _, law := range hindsight {
			if m := p.mean(t, law, 4); m.iae < best.iae {
				best = m
			}
		}
		ours := p.mean(t, "regulator", 4)
		ratios = append(ratios, ours.iae/best.iae)
		variations = append(variations, ours.variation/best.variation)
	}
	mean := func(all []float64) float64 {
		sum := 0.0
		for _, v := range all {
			sum += math.Log(v) / float64(len(all))
		}
		return math.Exp(sum)
	}
	slices.Sort(ratios)
	n := len(ratios)
	t.Logf("300 random trials: IAE by that of the best d %.3f in the geometric mean, median %.2f, 95 %% below %.2f, "+
		"worst %.2f; TV %.3f",
		mean(ratios), ratios[n/2], ratios[n*95/100], ratios[n-1], mean(variations))
	atMost(t, "IAE in the geometric mean", mean(ratios), 0.84)
	atMost(t, "IAE of 95 %", ratios[n*95/100], 1.20)
	atMost(t, "total variation", mean(variations), 0.30)
}

func atMost(t *testing.T, what string, got, limit float64) {
	t.Helper()
	if !(got <= limit) {
		t.Errorf("%s = %.4g, want at most %g", what, got, limit)
	}
}
