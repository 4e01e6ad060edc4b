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

// The oracles O1 to O14 were computed once, apart from this program, for a
// server whose available processes are all allocated (P = C) unless a comment
// states otherwise. They hold for real numbers. Here messages are whole, so
// target and throughput are both a thousand times larger, which does not change
// the law and keeps rounding below the digits that are compared.
const (
	fine   = 1000
	target = 140000
)

// unlimited is a d that never limits a step.
const unlimited = 1e6

// world returns the allocated processes and messages per hour of a server with c
// available processes.
type world func(c float64) (allocated, rate float64)

// saturated uses every available process.
func saturated(efficiency func(n float64) float64) world {
	return func(c float64) (float64, float64) { return c, c * efficiency(c) }
}

// usl returns the universal scalability law: the efficiency of n processes.
func usl(lambda, sigma, kappa float64) func(n float64) float64 {
	return func(n float64) float64 {
		return lambda / (1 + sigma*(n-1) + kappa*n*(n-1))
	}
}

func constant(n float64) float64 { return 1000 } // plant A

var plantB = usl(1200, 0.001, 4e-6)

// The exact roots of X(N) = T on plant B, and its peak.
const (
	c1    = 142.612888
	c2    = 1751.244255
	peakX = 240288.37
)

// explicit returns Table 1 with the given start and d and a thousand times the
// target.
func explicit(law string, start, d float64) governor.Config {
	c := governor.Default()
	c.Law, c.Start, c.StepMode, c.D = law, start, "explicit", d
	c.Target = target * fine
	return c
}

// path returns C at the start and after each of n decisions.
func path(t *testing.T, c governor.Config, w world, n int) []float64 {
	t.Helper()
	g, err := governor.New(c)
	if err != nil {
		t.Fatal(err)
	}
	all := []float64{g.Available()}
	for range n {
		allocated, rate := w(g.Available())
		d := g.Decide(governor.Sample{
			Span:      c.Interval,
			Delivered: uint64(math.Round(rate * fine * c.Interval.Hours())),
			Allocated: allocated,
		})
		all = append(all, d.Available)
	}
	return all
}

// settled returns the first interval from which on C stays within tol x goal.
func settled(path []float64, goal, tol float64) int {
	for i := len(path) - 1; i >= 0; i-- {
		if math.Abs(path[i]-goal) > tol*goal {
			return i + 1
		}
	}
	return 0
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s = %.9g, want %.9g +- %g", what, got, want, tol)
	}
}

func same(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %d, want %d", what, got, want)
	}
}

// exactly is the tolerance for equality: rounding only.
const exactly = 1e-8

func TestO1ColdStart(t *testing.T) {
	for _, law := range []string{"patent-damped", "patent-dynamic"} { // equal at P = C
		p := path(t, explicit(law, 40, 3), saturated(constant), 60)
		same(t, law+" d=3: exact at", settled(p, 140, exactly), 34)
		same(t, law+" d=3: within 2 % at", settled(p, 140, 0.02), 33)
		p = path(t, explicit(law, 40, 8), saturated(constant), 60)
		same(t, law+" d=8: exact at", settled(p, 140, exactly), 13)
		same(t, law+" d=8: within 2 % at", settled(p, 140, 0.02), 13)
	}
}

func TestO2WarmStart(t *testing.T) {
	same(t, "d=3: exact at", settled(path(t, explicit("patent-damped", 200, 3), saturated(constant), 60), 140, exactly),
		20)
	same(t, "d=8: exact at", settled(path(t, explicit("patent-damped", 200, 8), saturated(constant), 60), 140, exactly),
		8)
}

func TestO3ContentionFromBelow(t *testing.T) {
	for _, v := range []struct {
		d    float64
		want int
	}{{3, 34}, {8, 13}, {unlimited, 3}} {
		p := path(t, explicit("patent-damped", 40, v.d), saturated(plantB), 200)
		same(t, fmt.Sprintf("d=%g: within 2 %% at", v.d), settled(p, c1, 0.02), v.want)
		near(t, fmt.Sprintf("d=%g: at last", v.d), p[200], c1, 5e-6)
	}
	p := path(t, explicit("patent-damped", 40, unlimited), saturated(plantB), 3)
	for i, want := range []float64{40, 121.945, 137.660, 141.389} {
		near(t, fmt.Sprintf("unlimited: C at %d", i), p[i], want, 0.0005)
	}
}

func TestO4ContentionFromAbove(t *testing.T) {
	for _, v := range []struct {
		d    float64
		want int
	}{{3, 35}, {8, 14}, {unlimited, 3}} {
		p := path(t, explicit("patent-damped", 250, v.d), saturated(plantB), 200)
		same(t, fmt.Sprintf("d=%g: within 2 %% at", v.d), settled(p, c1, 0.02), v.want)
	}
}

// Above the upper root the law runs away: each added process slows all others.
func TestO5AboveTheUpperRoot(t *testing.T) {
	p := path(t, explicit("patent-damped", c2+1, 3), saturated(plantB), 1000)
	for i, want := range []float64{1753.0, 1754.3, 1756.6, 1759.6, 1762.6} {
		near(t, fmt.Sprintf("C at %d", i+1), p[i+1], want, 0.05)
	}
	for i := 5; i < 1000; i++ {
		near(t, fmt.Sprintf("step %d", i), p[i+1]-p[i], 3, exactly)
	}
}

func TestO6BelowTheUpperRoot(t *testing.T) {
	p := path(t, explicit("patent-damped", c2-1, 3), saturated(plantB), 1000)
	for i := range 1000 {
		if p[i+1] > p[i]+exactly {
			t.Fatalf("C rises from %.9g to %.9g at %d", p[i], p[i+1], i+1)
		}
	}
	near(t, "at last", p[1000], c1, 5e-6)
}

func TestO7NearThePeak(t *testing.T) {
	for _, v := range []struct {
		share, root        float64
		within3, unlimited int
		slope              float64
	}{
		{0.8, 231.15, 63, 5, 0.4558},
		{0.9, 296.83, 84, 7, 0.6074},
		{0.95, 348.44, 101, 9, 0.7197},
		{0.99, 426.42, 128, 19, 0.8737},
	} {
		c := explicit("patent-damped", 40, 3)
		c.Target = unit.PerHour(v.share * peakX * fine)
		p := path(t, c, saturated(plantB), 2000)
		root := p[2000]
		near(t, fmt.Sprintf("%g of the peak: root", v.share), root, v.root, 0.005)
		same(t, fmt.Sprintf("%g of the peak, d=3: within 2 %% at", v.share), settled(p, root, 0.02), v.within3)
		// Near the root the distance shrinks by the factor a.
		c.Start, c.D = root*(1+1e-4), unlimited
		q := path(t, c, saturated(plantB), 1)
		near(t, fmt.Sprintf("%g of the peak: a", v.share), (q[1]-root)/(q[0]-root), v.slope, 0.0002)
		c.Start = 40
		p = path(t, c, saturated(plantB), 2000)
		same(t, fmt.Sprintf("%g of the peak, unlimited: within 2 %% at", v.share), settled(p, root, 0.02), v.unlimited)
	}
}

// A target above the peak: the law adds processes for ever while throughput
// falls.
func TestO8Runaway(t *testing.T) {
	plant := usl(1000, 0.002, 1e-5)
	p := path(t, explicit("patent-damped", 200, 3), saturated(plant), 300)
	for _, v := range []struct {
		at   int
		c, x float64
	}{{20, 260, 118646}, {80, 440, 115498}, {300, 1100, 71957}} {
		near(t, fmt.Sprintf("C at %d", v.at), p[v.at], v.c, exactly)
		near(t, fmt.Sprintf("X at %d", v.at), p[v.at]*plant(p[v.at]), v.x, 0.5)
	}
}

// With P_a as Table 2 prints it the fixed point depends on the length of S:
// the rate settles at T / S hours.
func TestO9AllocatedAsPrinted(t *testing.T) {
	for _, v := range []struct {
		s    vt.Span
		rate float64
	}{{vt.Hour, 140000}, {3 * vt.Hour, 46666.7}, {6 * vt.Hour, 23333.3}} {
		c := explicit("patent-damped", 40, 3)
		c.Allocated, c.Interval = "as-printed", v.s
		p := path(t, c, saturated(plantB), 400)
		near(t, fmt.Sprintf("S = %s: rate", v.s), p[400]*plantB(p[400]), v.rate, 0.1)
	}
}

// With a demand for 50 processes, E is the efficiency of 50 processes, and C goes
// to the number that 140,000 an hour would need at that efficiency.
func TestO10DemandBelowTarget(t *testing.T) {
	demand := func(c float64) (float64, float64) {
		n := min(c, 50)
		return n, n * plantB(n)
	}
	const goal = 123.526667
	p := path(t, explicit("patent-damped", 200, 3), demand, 120)
	near(t, "damped at last", p[120], goal, 5e-7)
	same(t, "damped: there at", settled(p, p[120], exactly), 26)
	p = path(t, explicit("patent-dynamic", 200, 3), demand, 120)
	near(t, "dynamic at last", p[120], goal, 5e-7)
	same(t, "dynamic: there at", settled(p, p[120], exactly), 83)
	for i, want := range []float64{199.25, 198.497177, 197.741499, 196.982933} {
		near(t, fmt.Sprintf("dynamic: C at %d", i+1), p[i+1], want, 5e-7)
	}
}

// Eight intervals without a delivery wind C up by 8 d, and it takes as long to
// come back.
func TestO11Outage(t *testing.T) {
	interval := 0
	outage := func(c float64) (float64, float64) {
		interval++
		if interval <= 8 {
			return c, 0
		}
		return c, 1000 * c
	}
	p := path(t, explicit("patent-damped", 140, 3), outage, 40)
	near(t, "C after the outage", p[8], 164, exactly)
	same(t, "back at", settled(p, 140, exactly), 8+8)
}

// lagged returns plant A when the work of a process counts delta intervals after
// it was allocated; before the start C has its start value.
func lagged(delta, start float64) world {
	before := []float64{start, start}
	return func(c float64) (float64, float64) {
		back, part := int(delta), delta-math.Floor(delta)
		history := append([]float64{c}, before...)
		counted := (1-part)*history[back] + part*history[min(back+1, 2)]
		before[1], before[0] = before[0], c
		return c, 1000 * counted
	}
}

func TestO12LagOfOneInterval(t *testing.T) {
	p := path(t, explicit("patent-damped", 141, unlimited), lagged(1, 141), 600)
	cycle := []float64{141, 140, 139.007, 139.007, 140, 141}
	for i := range p {
		near(t, fmt.Sprintf("C at %d", i), p[i], cycle[i%6], 0.0005)
	}
}

func TestO13Lag(t *testing.T) {
	for _, v := range []struct{ delta, percent float64 }{{0.25, 1.45}, {0.5, 2.94}, {0.9, 5.42}} {
		p := path(t, explicit("patent-damped", 100, 8), lagged(v.delta, 100), 400)
		near(t, fmt.Sprintf("delta %g: overshoot in %%", v.delta), (slices.Max(p)/140-1)*100, v.percent, 0.005)
		near(t, fmt.Sprintf("delta %g: at last", v.delta), p[400], 140, 0.01)
	}
	// Beyond one interval C oscillates for ever without a period: over ever longer tails the peak-to-peak value
	// creeps up to 18.99 for d = 8. The oracle is for about two hundred intervals.
	for _, v := range []struct{ d, swing float64 }{{3, 7.13}, {8, 18.97}} {
		p := path(t, explicit("patent-damped", 100, v.d), lagged(1.2, 100), 400)[200:]
		near(t, fmt.Sprintf("delta 1.2, d=%g: peak to peak", v.d), slices.Max(p)-slices.Min(p), v.swing, 0.005)
	}
}

// Noise of 1 % in the efficiency passes through the law, and a plant of slope a
// keeps a part of it: the sd of C is C* x cv / sqrt(1 - a^2).
func TestO14Noise(t *testing.T) {
	for _, v := range []struct{ a, sd float64 }{{0, 1.40}, {0.25, 1.446}, {0.6, 1.750}} {
		r := rand.New(rand.NewPCG(14, 0))
		noisy := func(c float64) (float64, float64) {
			return c, c * 1000 * math.Pow(c/140, -v.a) * math.Exp(0.01*r.NormFloat64())
		}
		const n = 40000
		p := path(t, explicit("patent-damped", 140, unlimited), noisy, n)
		var sum, squares float64
		for _, c := range p {
			sum += c
			squares += c * c
		}
		mean := sum / (n + 1)
		// the estimate's own relative sd is below 0.6 %
		near(t, fmt.Sprintf("a = %g: sd of C", v.a), math.Sqrt(squares/(n+1)-mean*mean), v.sd, 0.02*v.sd)
		near(t, fmt.Sprintf("a = %g: mean of C", v.a), mean, 140, 0.1)
	}
}
