package verify

import (
	"math"
	"testing"

	"flyball/internal/vt"
	"flyball/netmodel/delay"
)

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s = %.9g, want %.9g +- %g", what, got, want, tol)
	}
}

func factorial(n int) float64 { return math.Gamma(float64(n) + 1) }

func TestErlang(t *testing.T) {
	for _, v := range []struct {
		load float64
		c    int
		want float64
		tol  float64
	}{
		{10, 10, 0.2146, 0.00005},  // tables of Erlang's B
		{8.108, 15, 0.01, 0.00001}, // erlang.com, Erlang B calculator manual: 15 lines, one call in a hundred
		{25, 30, 0.05, 0.005},      // Wolfram Language documentation, ErlangB: "approximately 0.05"
		{1, 1, 0.5, 1e-15},         // a / (1 + a)
		{2, 2, 0.4, 1e-15},         // (a^2/2) / (1 + a + a^2/2)
	} {
		near(t, "B", blocking(v.load, v.c), v.want, v.tol)
	}
	for _, v := range []struct {
		load float64
		c    int
		want float64
		tol  float64
	}{
		{0.3, 1, 0.3, 1e-15},                    // M/M/1: rho
		{1.5, 2, 2 * 0.75 * 0.75 / 1.75, 1e-15}, // M/M/2: 2 rho^2 / (1 + rho)
		{2, 3, 4.0 / 9, 1e-15},                  // by hand: (8/6)(3/(3-2)) / (1 + 2 + 2 + 4)
		// 360 calls of 4 minutes per half hour, 55 agents: a well-known worked example
		{48, 55, 0.239, 0.0005},
		{10, 14, 0.1741, 0.00005}, // 200 calls of 3 minutes per hour, 14 agents: call centre tables
	} {
		near(t, "C", waiting(v.load, v.c), v.want, v.tol)
	}
	// Both by their definitions, which overflow for more servers.
	for c := 1; c < 20; c++ {
		load := 0.8 * float64(c)
		var sum float64
		for k := range c {
			sum += math.Pow(load, float64(k)) / factorial(k)
		}
		top := math.Pow(load, float64(c)) / factorial(c)
		near(t, "B by definition", blocking(load, c), top/(sum+top), 1e-12)
		top *= float64(c) / (float64(c) - load)
		near(t, "C by definition", waiting(load, c), top/(sum+top), 1e-12)
	}
}

// A law of the number there adds up to 1 and is in balance: as often from n to
// n+1 as back.
func TestLawsAreInBalance(t *testing.T) {
	for _, v := range []struct {
		name     string
		p        func(n int) float64
		up, down func(n int) float64
		most     int
		mean     float64
	}{
		{"M/M/1", geometric(0.7), func(int) float64 { return 0.7 }, func(int) float64 { return 1 }, 200, 0.7 / 0.3},
		{"M/M/5", manyServers(4, 5), func(int) float64 { return 4 }, func(n int) float64 { return float64(min(n, 5)) },
			300, meanManyServers(4, 5)},
		{"M/M/10/10", lossSystem(10, 10), func(int) float64 { return 10 }, func(n int) float64 { return float64(n) },
			10, 10 * (1 - blocking(10, 10))},
		{"M/M/inf", poisson(20), func(int) float64 { return 20 }, func(n int) float64 { return float64(n) }, 200, 20},
		{"M/M/1//8", machineRepair(8, 10), func(n int) float64 { return float64(8-n) / 10 },
			func(int) float64 { return 1 }, 8, 8 - 10*(1-machineRepair(8, 10)(0))},
	} {
		var sum float64
		for n := range v.most + 1 {
			sum += v.p(n)
			if n < v.most {
				near(t, v.name+": balance", v.p(n+1)*v.down(n+1), v.p(n)*v.up(n), 1e-12)
			}
		}
		near(t, v.name+": sum", sum, 1, 1e-12)
		near(t, v.name+": mean", meanOf(v.p, v.most), v.mean, 1e-9)
		if v.p(v.most+1) > 1e-12 {
			t.Errorf("%s: P(%d) = %g", v.name, v.most+1, v.p(v.most+1))
		}
	}
	// Two machines and one mechanic, a failure every 10 h, 1 h each: 1 : 2 r : 2 r^2.
	near(t, "two machines, all run", machineRepair(2, 10)(0), 1/(1+0.2+0.02), 1e-15)
	// Wq of M/M/1 is rho / (1-rho), of M/D/1 half of that.
	near(t, "Pollaczek-Khinchine, M/M/1", meanWait(0.8, exponential), 4, 1e-12)
	near(t, "Pollaczek-Khinchine, M/D/1", meanWait(0.8, constant), 2, 1e-12)
}

// Moments against the midpoint rule over the exact quantile function.
func TestMoments(t *testing.T) {
	for _, d := range []delay.Dist{exponential, constant, lognormal, uniform, pareto(3.5), pareto(2.5),
		{Dist: "gamma", Mean: 80 * vt.Millisecond, Shape: 2.3}} {
		m, v := moments(d)
		const n = 1 << 14
		var sum, squares float64
		for i := range n {
			// Cells that shrink towards 1, where the tail is: p = 1 - u^4.
			u := (float64(i) + 0.5) / n
			w := 4 * u * u * u / n
			q := d.Quantile(1-u*u*u*u) / 1e9
			sum += w * q
			squares += w * q * q
		}
		near(t, d.Dist+": mean", m, sum, 2e-4*sum)
		near(t, d.Dist+": mean square", m*m+v, squares, 0.01*squares)
	}
	near(t, "mean of the services", 1, lognormal.ExactMean()/1e9, 1e-6)
	near(t, "mean of the services", 1, pareto(3.5).ExactMean()/1e9, 1e-6)
}

// Worked numbers of the formula about the thresholds 7 and 4 of [0074], and of
// what is lost by a lower limit.
func TestRetryFormulas(t *testing.T) {
	near(t, "DFR(10)", failureRate(0.37, 0.87, 10), 7.02, 0.005)
	near(t, "DFR(5)", failureRate(0.37, 0.87, 5), 4.09, 0.005)
	near(t, "DFR without dead", failureRate(0, 0.25, 3), 4, 1e-12)
	near(t, "p = 1, a tenth dead, ten resends", failureRate(0.1, 1, 11), 2.22, 0.005)
	near(t, "delivered in 11", delivered(1.0/7, 11), 0.8165, 0.00005)
	near(t, "delivered in 6", delivered(1.0/7, 6), 0.6034, 0.00005)
}

// Numbers that were computed once, apart from this program.
func TestPlants(t *testing.T) {
	root := bent.root(target)
	near(t, "C*", root, 142.612888, 5e-7)
	near(t, "X(C*)", bent.rate(root), target, 1e-6)
	near(t, "X at the upper root", bent.rate(1751.244255), target, 1e-3)
	near(t, "a(C*)", bent.contraction(root), 0.249305, 5e-7)
	near(t, "peak", bent.rate(499.75), 240288.37, 0.01)
	near(t, "peak", peaked.rate(315.91), 120362.6, 0.1)
	for _, v := range []struct{ share, root, a float64 }{{0.8, 231.15, 0.4558}, {0.9, 296.83, 0.6074},
		{0.95, 348.44, 0.7197}, {0.99, 426.42, 0.8737}} {
		n := bent.root(v.share * 240288.37)
		near(t, "root", n, v.root, 0.005)
		near(t, "a", bent.contraction(n), v.a, 0.00005)
		h := 1e-4 // a = -dlnE/dlnC
		near(t, "a by difference", bent.contraction(n),
			-(math.Log(bent.efficiency(n+h))-math.Log(bent.efficiency(n-h)))/(2*h)*n, 1e-6)
	}
	near(t, "without coherency", plant{1000, 0.001, 0}.rate(plant{1000, 0.001, 0}.root(target)), target, 1e-6)
	// 33 and 34 intervals with d = 3, 13 with d = 8, from 40.
	near(t, "settling", settling(40, 140, 3, 1e-9, 0.02), 34, 1)
	near(t, "settling", settling(40, root, 3, 0.249305, 0.02), 34, 1)
	near(t, "settling", settling(40, root, 8, 0.249305, 0.02), 13, 1)
	near(t, "settling", settling(250, root, 8, 0.249305, 0.02), 14, 1)
	near(t, "settling at once", settling(141, root, 8, 0.249305, 0.02), 0, 0)
}

// The network model draws times from tables: the quantile function at 1024
// knots in whole microseconds, the last cell again at 1024 knots, straight
// lines between, and the highest 2^-21 cut off. What that does to the exact
// values stays far below the intervals of the published table.
func TestSamplingTables(t *testing.T) {
	for _, v := range []struct {
		name string
		d    delay.Dist
		most float64 // relative error of the first and second moment
	}{{"exponential", exponential, 5e-4}, {"lognormal", lognormal, 2e-3}, {"uniform", uniform, 1e-5},
		{"Pareto 3.5", pareto(3.5), 1e-3}} {
		first, second := tableMoments(v.d)
		m, variance := moments(v.d)
		near(t, v.name+": mean of the table", first/m, 1, v.most)
		near(t, v.name+": mean square of the table", second/(m*m+variance), 1, v.most)
		t.Logf("%s: mean %+.2g, mean square %+.2g", v.name, first/m-1, second/(m*m+variance)-1)
	}
	// The heaviest tail, of which only the mean is used: 0.4 % is the half width there.
	first, _ := tableMoments(pareto(2.5))
	near(t, "Pareto 2.5: mean of the table", first, 1, 4e-4)
	// The variance of a renewal count rests on these.
	s := dialogue(run{})
	for _, d := range []delay.Dist{s.Destinations[0].RTT, s.Destinations[0].Banner, s.Destinations[0].RCPT,
		s.Destinations[0].Dot, s.Network.DNS.Miss} {
		first, second := tableMoments(d)
		m, variance := moments(d)
		near(t, d.Dist+": mean of the table", first/m, 1, 1e-3)
		near(t, d.Dist+": variance of the table", (second-first*first)/variance, 1, 3e-3)
	}
}

// tableMoments integrates straight lines between the knots of a table.
func tableMoments(d delay.Dist) (first, second float64) {
	const knots = 1024
	at := func(p float64) float64 { return math.Round(d.Quantile(p)/1000) / 1e6 }
	cell := func(lo, hi, weight float64) {
		first += weight * (lo + hi) / 2
		second += weight * (lo*lo + lo*hi + hi*hi) / 3
	}
	for i := range knots - 1 {
		cell(at(float64(i)/knots), at(float64(i+1)/knots), 1.0/knots)
	}
	const top = 1 - 1.0/knots
	for i := range knots - 1 {
		cell(at(top+float64(i)/knots/knots), at(top+float64(i+1)/knots/knots), 1.0/knots/knots)
	}
	cell(at(top+(knots-1.0)/knots/knots), at(1-1.0/knots/knots/2), 1.0/knots/knots)
	return first, second
}
