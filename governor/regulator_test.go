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

// If no number of processes reaches the target, throughput is near its peak after
// 30 intervals and stays there, and C does not go far past the peak. The first
// steps may pass it if C starts above two thirds of the peak or if the target is
// half as large again as the peak; with noise of 3 % or more later steps may, too.
func TestRegulatorNeverCollapses(t *testing.T) {
	peak, most := peakOf(narrow)
	const seeds, length = 50, 200
	for _, v := range []struct {
		cv, overs, least float64 // limits: share of runs that go above 1.1 of the peak, mean rate / rate at the peak
	}{{0, 0.02, 0.985}, {0.01, 0.12, 0.98}, {0.03, 0.7, 0.97}, {0.10, 1, 0.93}} {
		for _, over := range []float64{1.02, 1.05, 1.16} {
			for _, start := range []float64{40, 100, 200} {
				above, late, mean, greatest := 0.0, 0.0, 0.0, 0.0
				for seed := range uint64(seeds) {
					p := trial{efficiency: still(narrow), target: over * most, start: start, intervals: length,
						cv: v.cv}
					o := p.run(t, lawNamed("regulator"), seed)
					c := slices.Max(o.c)
					greatest = max(greatest, c/peak)
					if c > 1.1*peak {
						above += 1.0 / seeds
					}
					if o.clean[30] < 0.97*most {
						late += 1.0 / seeds
					}
					for _, x := range o.clean[30:] {
						mean += x / most / (length - 30) / seeds
					}
				}
				what := fmt.Sprintf("cv %g %%, target %g of the peak, from %g", v.cv*100, over, start)
				t.Logf("%s: mean rate %.3f of the peak's, below 0.97 at 30 in %.0f %%; C above 1.1 in %.0f %%, at "+
					"most %.2f",
					what, mean, late*100, above*100, greatest)
				atMost(t, what+": share above 1.1 of the peak", above, v.overs)
				atMost(t, what+": rate missing", 1-mean, 1-v.least)
				if v.cv <= 0.03 {
					atMost(t, what+": share below 0.97 at 30", late, 0.08)
				}
			}
		}
	}

	// From far beyond the peak C finds the way back.
	for seed := range uint64(20) {
		p := trial{efficiency: still(narrow), target: 1.16 * most, start: 600, intervals: 100, cv: 0.01}
		o := p.run(t, lawNamed("regulator"), seed)
		if x := o.clean[99]; x < 0.95*most {
			t.Errorf("seed %d: from 600 processes: %g/h after 100 intervals, the peak has %g", seed, x, most)
		}
	}
}

// An outage of any number of whole intervals does not change C. Neither does an
// outage that begins and ends within intervals, if it fills one of them or cuts
// one by more than a third.
func TestRegulatorForgetsOutages(t *testing.T) {
	for _, cv := range []float64{0, 0.01} {
		for _, length := range []float64{1, 2, 8, 64, 300} {
			for _, at := range []float64{30, 30.3, 30.6, 30.9} {
				if length == 1 && at == 30.9 {
					continue // a tenth of one interval and most of the next are missing: the first looks like slowness
				}
				for seed := range uint64(30) {
					p := trial{efficiency: still(plantB), target: target, start: c1, intervals: 40 + int(length),
						cv: cv, down: outage(at, length)}
					o := p.run(t, lawNamed("regulator"), seed)
					end := int(math.Ceil(at + length))
					atMost(t, fmt.Sprintf("cv %g: outage of %g at %g, seed %d: error one interval after it", cv, length,
						at, seed),
						math.Abs(o.clean[end+1]/target-1), 0.05)
					// the last decision before the outage is undone if it was upwards
					if at == 30 && o.c[end] != min(o.c[29], o.c[30]) {
						t.Errorf("outage of %g: C goes from %g, %g to %g", length, o.c[29], o.c[30], o.c[end])
					}
				}
			}
		}
	}
}

// C settles whether work is counted in its interval or two intervals later. Under
// noise C wanders less than with the patent's law and d = 8.
func TestRegulatorComesToRestWhateverTheLag(t *testing.T) {
	for _, lag := range []float64{0, 0.25, 0.5, 0.75, 0.9, 1, 1.2, 1.5, 1.75, 2} {
		for _, start := range []float64{40, 101, 141, 200, 250} {
			swing := func(law string, cv float64, seed uint64) float64 {
				p := trial{efficiency: still(plantB), target: target, start: start, intervals: 300, cv: cv, lag: lag}
				tail := p.run(t, lawNamed(law), seed).c[150:]
				return (slices.Max(tail) - slices.Min(tail)) / c1
			}
			var ours, theirs float64
			for seed := range uint64(10) {
				atMost(t, fmt.Sprintf("lag %g from %g: tail peak to peak, by C", lag, start),
					swing("regulator", 0, seed), 0.02)
				ours += swing("regulator", 0.01, seed) / 10
				theirs += swing("d=8", 0.01, seed) / 10
			}
			t.Logf("lag %g from %g: tail peak to peak under noise of 1 %%: %.3f of C, %.2f of that of d = 8", lag,
				start, ours, ours/theirs)
			atMost(t, fmt.Sprintf("lag %g from %g: mean tail peak to peak under noise of 1 %%, by that of d = 8", lag,
				start), ours/theirs, 0.6)
		}
	}
}

// After three days the daily cycle is learned: C moves before the efficiency does.
func TestRegulatorLearnsTheDay(t *testing.T) {
	for _, v := range []struct {
		name  string
		plant func(float64) float64
	}{{"A", constant}, {"B", plantB}} {
		for _, cv := range []float64{0, 0.01, 0.03} {
			for _, swing := range []float64{0.05, 0.15, 0.3} {
				p := trial{efficiency: daily(v.plant, swing), target: target, start: 140, intervals: 112, from: 24,
					cv: cv}
				ratio := p.mean(t, "regulator", 20).iae / p.mean(t, "hold", 20).iae
				t.Logf("plant %s, +-%g %%, cv %g %%: IAE of days 4 to 14 is %.2f of that of hold", v.name, 100*swing,
					100*cv, ratio)
				limit := 0.2 // the goal is 0.4
				switch {
				case swing == 0.05 && cv == 0.03: // noise of the same size hides the cycle and contributes to both IAEs
					limit = 1.05
				case swing == 0.05 || cv == 0.03:
					limit = 0.36
				}
				atMost(t, fmt.Sprintf("plant %s, +-%g %%, cv %g %%: IAE by hold", v.name, 100*swing, 100*cv), ratio,
					limit)
			}
		}
	}
}

// A daily cycle of +-10 % with a target that is out of reach is the hardest case:
// each looks like the other. The rate stays near its peak, but C wanders up to
// three times the processes of the peak.
func TestRegulatorAtThePeakThroughTheDay(t *testing.T) {
	peak, most := peakOf(narrow)
	for seed := range uint64(20) {
		p := trial{efficiency: daily(narrow, 0.1), target: 1.16 * most, start: 200, intervals: 200, cv: 0.005}
		o := p.run(t, lawNamed("regulator"), seed)
		mean := 0.0
		for _, x := range o.clean[40:] {
			mean += x / most / 160
		}
		t.Logf("seed %d: C at most %.2f of the peak, mean rate %.3f", seed, slices.Max(o.c)/peak, mean)
		atMost(t, "C by that of the peak", slices.Max(o.c)/peak, 3)
		atMost(t, "rate missing", 1-mean, 0.09)
	}
}

// C is still while there is nothing to learn: noise does not move C by more than
// its size justifies.
func TestRegulatorHoldsStill(t *testing.T) {
	p := trial{efficiency: still(plantB), target: target, start: c1, intervals: 200, from: 50}
	for _, cv := range []float64{0.01, 0.03, 0.10} {
		p.cv = cv
		ours, d3 := p.mean(t, "regulator", 30), p.mean(t, "d=3", 30)
		t.Logf("cv %g %%: IAE %.2f of d = 3, total variation %.2f", 100*cv, ours.iae/d3.iae,
			ours.variation/d3.variation)
		atMost(t, "IAE by d = 3", ours.iae/d3.iae, 1.02)
		atMost(t, "total variation by d = 3", ours.variation/d3.variation, 0.5)
	}
}

// After any samples, a server of constant efficiency reaches its target in the
// end, even from a single process.
func TestRegulatorGetsOverAnySamples(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 5))
		g, err := governor.New(lawNamed("regulator"))
		if err != nil {
			t.Fatal(err)
		}
		work := func(intervals int, target float64) {
			for range intervals {
				c := math.Floor(g.Available())
				rate := 1000 * c * math.Exp(0.01*r.NormFloat64())
				g.Decide(governor.Sample{Span: vt.Hour, TargetRate: target, Delivered: uint64(rate),
					Attempts: uint64(1.05 * rate), Allocated: c, AttemptTime: vt.Hour / 1050})
			}
		}
		work(20, 30_000)
		for range 1 + r.IntN(30) {
			g.Decide(anySample(r))
		}
		work(4000, 140_000)
		if c := g.Available(); math.Abs(c/140-1) > 0.05 {
			t.Errorf("seed %d: C = %g after 4000 intervals of work, want 140", seed, c)
		}
	}
}

func TestRegulatorFlags(t *testing.T) {
	p := trial{efficiency: func(n int, c float64) float64 {
		if n >= 20 {
			return 700
		}
		return 1000
	}, target: target, start: 140, intervals: 30, cv: 0.01}
	o := p.run(t, lawNamed("regulator"), 1)
	for n, d := range o.decisions {
		if (d.Flags&governor.Shift != 0) != (n == 20) {
			t.Errorf("interval %d: flags %q", n, d.Flags)
		}
	}
	near(t, "C one interval after the efficiency fell to 700", o.c[21], 200, 10)
	near(t, "C at last", o.c[29], 200, 4)
}

// threeHourly returns a regulator with intervals of 3 h.
func threeHourly(t *testing.T, target, start float64) governor.Governor {
	t.Helper()
	cfg := lawNamed("regulator")
	cfg.Interval, cfg.Target, cfg.Start = 3*vt.Hour, unit.PerHour(target), start
	g, err := governor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// decide returns the decision of g on s, as an interval of 3 h in which every
// available process was busy throughout.
func decide(g governor.Governor, s governor.Sample) governor.Decision {
	s.Span, s.Allocated = 3*vt.Hour, g.Available()
	return g.Decide(s)
}

// sampled returns the sample of an interval of 3 h in which processes were busy
// throughout with attempts of the given length, in a steady state.
func sampled(processes float64, took vt.Span) governor.Sample {
	n := uint64(processes * float64(3*vt.Hour) / float64(took))
	return governor.Sample{Delivered: n, Attempts: n, AttemptTime: took}
}

// Attempts take longer than an interval, so hardly one ends in the first
// interval. That is not evidence about the server's efficiency.
func TestRegulatorWaitsForWorkToEnd(t *testing.T) {
	g := threeHourly(t, 100*3600/400., 100) // attempts of 400 s: 100 processes are right
	if d := decide(g, sampled(30, 100*vt.Second)); d.Available != 100 {
		t.Errorf("the first that end are the quick ones: C = %g, want 100", d.Available)
	}
	for _, part := range []float64{0.1, 0.4, 0.9, 1, 1} { // share of each interval's work that is done in it
		if d := decide(g, sampled(part*100, 400*vt.Second)); d.Available != 100 {
			t.Errorf("with %g of the work done, C = %g, want 100", part, d.Available)
		}
	}
	// Deliveries alone do not decide either: with all work done, slower attempts require more processes.
	near(t, "C for attempts of 600 s", decide(g, sampled(100, 600*vt.Second)).Available, 150, 1)
}

// Greylisted messages come again. Their first interval does not count as a slower
// server; if they never come again, the regulator reacts one interval later.
func TestRegulatorWaitsOutABurst(t *testing.T) {
	g := threeHourly(t, 100*3600/400., 100)
	for range 3 {
		decide(g, sampled(100, 400*vt.Second))
	}
	burst := sampled(100, 200*vt.Second)
	burst.Delivered = burst.Delivered * 35 / 100 // an efficiency of 0.7 of what it was
	burst.Deferrals = burst.Attempts - burst.Delivered
	if d := decide(g, burst); d.Available != 100 {
		t.Errorf("in the first interval of a burst C goes to %g", d.Available)
	}
	if d := decide(g, sampled(100, 400*vt.Second)); math.Abs(d.Available-100) > 1 {
		t.Errorf("after a burst C goes to %g", d.Available)
	}
	decide(g, burst)
	near(t, "C where the burst goes on", decide(g, burst).Available, 100/0.7, 2)
}

// If more and more attempts time out, C goes back as long as that helps, and
// approaches its old value only step by step.
func TestRegulatorGoesBackFromTimeouts(t *testing.T) {
	g := threeHourly(t, 1400, 100)
	// Attempts time out after an hour; above 120 processes ever more of them do.
	run := func() governor.Decision {
		c := g.Available()
		lost := min(max(c-120, 0)/80, 0.98)
		s := sampled(c, vt.Span(lost*float64(vt.Hour)+(1-lost)*400*float64(vt.Second)))
		s.Timeouts = uint64(lost * float64(s.Attempts))
		s.Delivered -= s.Timeouts
		return decide(g, s)
	}
	greatest, rate := 0.0, 0.0
	for n := range 60 {
		d := run()
		greatest = max(greatest, d.Available)
		if n >= 30 {
			rate += d.Rate / 30
		}
	}
	t.Logf("C at most %g, at last %g; rate %g", greatest, g.Available(), rate)
	best := 0.0
	for c := 1.0; c < 300; c++ {
		lost := min(max(c-120, 0)/80, 0.98)
		best = max(best, c*(1-lost)/(lost+(1-lost)*400/3600))
	}
	atMost(t, "greatest C", greatest, 200)
	atMost(t, "rate of intervals 30 to 60 missing", 1-rate/best, 0.3) // the regulator keeps away from so sharp a cliff
}

// However few messages an interval delivers, C grows at most fourfold.
func TestRegulatorGrowsByDegrees(t *testing.T) {
	g := threeHourly(t, 1000, 5)
	grown := 0.0
	for range 8 {
		d := decide(g, sampled(g.Available(), 2*vt.Hour)) // half a message an hour and process
		grown = max(grown, d.Available/d.Previous)
	}
	t.Logf("C grows %.2f-fold at most, to %.0f", grown, g.Available())
	if grown < 2 || grown > 4.1 {
		t.Errorf("C grows %g-fold in one interval, want up to 4", grown)
	}
}
