package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/internal/longtest"
)

// shipped is the gate as it is used: five metrics in six scenarios.
var shipped = Gate{Alarm: 0.001, Looks: []int{20, 60, 180}}

const gateMetrics, gateScenarios = 5, 6

// world draws log-ratios of a pair of runs: metric, scenario.
type world func(r *rand.Rand) [gateMetrics][gateScenarios]float64

// passes runs one gate to its end and reports whether it failed, at which look
// it ended, and whether it ended open.
func runGate(g Gate, r *rand.Rand, draw world, margin [gateMetrics]float64) (failed bool, looks int, open bool) {
	var logs [][gateMetrics][gateScenarios]float64
	for k, n := range g.Looks {
		for len(logs) < n {
			logs = append(logs, draw(r))
		}
		means, cells := make([]Claim, gateMetrics), make([]Claim, gateMetrics*gateScenarios)
		for m := range gateMetrics {
			for _, l := range logs {
				var sum float64
				for s, v := range l[m] {
					sum += v / gateScenarios
					c := &cells[m*gateScenarios+s]
					c.Excess = append(c.Excess, v-3*margin[m])
				}
				means[m].Excess = append(means[m].Excess, sum-margin[m])
			}
		}
		j := g.Look(k, means, cells)
		if j.Failed || !j.Open || k == len(g.Looks)-1 {
			return j.Failed, k + 1, j.Open
		}
	}
	panic("no look")
}

// Shapes that the log-ratio of two runs of the same thing may have. All are
// symmetric, as every difference of two values that can change places is.
var shapes = []struct {
	name string
	draw func(r *rand.Rand) float64
}{
	{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }},
	{"heavy tails", func(r *rand.Rand) float64 { // Student's t with 2 degrees of freedom: no variance
		return r.NormFloat64() / math.Sqrt(r.ExpFloat64()+1e-12)
	}},
	{"skewed values", func(r *rand.Rand) float64 { return math.Pow(r.ExpFloat64(), 3) - math.Pow(r.ExpFloat64(), 3) }},
	{"one of two", func(r *rand.Rand) float64 { return float64(2*r.IntN(2) - 1) }},
	{"mostly equal", func(r *rand.Rand) float64 {
		if r.IntN(10) > 0 {
			return 0
		}
		return float64(2*r.IntN(2) - 1)
	}},
}

// Two sides that are alike fail at most once in 1000, whatever luck looks like,
// even with no margin at all, where every look is a chance and none is given
// away. The long tests try 20,000 gates of each shape.
func TestGateAlarms(t *testing.T) {
	for i, shape := range shapes {
		gates, most := 100, 2 // 3 or more of an expected 0.1 happen once in 6500
		if i == 0 {
			gates, most = 1000, 5 // 6 or more of 1: once in 1700
		}
		if longtest.Asked() {
			gates, most = 20_000, 34 // 35 or more of 20: once in 670
		}
		together := 0.9 * float64(i%2) // luck that the scenarios share
		r := rand.New(rand.NewPCG(uint64(i), 1))
		alarms := 0
		for range gates {
			failed, _, _ := runGate(shipped, r, func(r *rand.Rand) (all [gateMetrics][gateScenarios]float64) {
				for m := range all {
					shared := shape.draw(r)
					for s := range all[m] {
						all[m][s] = together*shared + (1-together)*shape.draw(r)
					}
				}
				return all
			}, [gateMetrics]float64{})
			if failed {
				alarms++
			}
		}
		t.Logf("%s, %g shared: %d alarms in %d gates", shape.name, together, alarms, gates)
		if alarms > most {
			t.Errorf("%s, %g shared: %d alarms in %d gates, promised one in 1000", shape.name, together, alarms, gates)
		}
	}
}

// A metric that is 5 % worse everywhere, with a margin of 3 %, is found 95 times
// in 100 where luck moves pairs as far as in the shipped suite, and half as far
// again.
func TestGatePower(t *testing.T) {
	// Standard deviations of one run, per cent, as measured; two independent runs
	// differ by sqrt(2) of it.
	measured := [gateScenarios]float64{0.3, 3.7, 0.35, 3.4, 0.06, 0.05}
	for _, c := range []struct {
		wider float64
		want  float64
	}{{1, 0.95}, {1.5, 0.95}} {
		r := rand.New(rand.NewPCG(7, 8))
		found, early, gates := 0, 0, 1000
		for range gates {
			failed, looks, _ := runGate(shipped, r, func(r *rand.Rand) (all [gateMetrics][gateScenarios]float64) {
				for m := range all {
					for s := range all[m] {
						all[m][s] = c.wider * math.Sqrt2 * measured[s] / 100 * r.NormFloat64()
					}
				}
				for s := range all[0] {
					all[0][s] += math.Log(1.05)
				}
				return all
			}, [gateMetrics]float64{math.Log(1.03), math.Log(1.05), math.Log(1.03), math.Log(1.03), math.Log(1.03)})
			if failed {
				found++
				if looks == 1 {
					early++
				}
			}
		}
		t.Logf("luck x %g: %d of %d found, %d at the first look", c.wider, found, gates, early)
		if float64(found) < c.want*float64(gates) {
			t.Errorf("luck x %g: %d of %d found, want %g", c.wider, found, gates, c.want)
		}
	}
}

// The guard sees one scenario that the mean hides.
func TestGateGuard(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	draw := func(worse float64) world {
		return func(r *rand.Rand) (all [gateMetrics][gateScenarios]float64) {
			for m := range all {
				for s := range all[m] {
					all[m][s] = 0.005 * r.NormFloat64()
				}
			}
			all[0][0] += math.Log(1 + worse)
			return all
		}
	}
	margin := [gateMetrics]float64{0.03, 0.03, 0.03, 0.03, 0.03}
	for range 50 {
		if failed, _, _ := runGate(shipped, r, draw(0.13), margin); !failed {
			t.Fatal("13 % in one scenario pass: a sixth of it is within the margin of the mean")
		}
		if failed, looks, open := runGate(shipped, r, draw(0.07), margin); failed || open || looks != 1 {
			t.Fatal("7 % in one scenario is less than thrice 3 %: want a pass at the first look")
		}
	}
}

func TestGateLooks(t *testing.T) {
	many := func(v float64, n int) []float64 { return slices.Repeat([]float64{v}, n) }
	j := shipped.Look(0, []Claim{{"lower", many(-0.1, 20)}, {"level", many(0, 20)}}, nil)
	if j.Failed || j.Open {
		t.Errorf("nothing beyond: %+v", j)
	}
	j = shipped.Look(0, []Claim{{"beyond", many(0.1, 20)}}, []Claim{{"within", many(-1, 20)}})
	// A third of the alarms for each look, half of that for the means.
	if math.Abs(j.Means[0].Level-0.001/6) > 1e-12 || math.Abs(j.Cells[0].Level-0.001/6) > 1e-12 {
		t.Errorf("levels %g and %g", j.Means[0].Level, j.Cells[0].Level)
	}
	if !j.Failed || !j.Means[0].Failed || j.Cells[0].Failed || j.Open {
		t.Errorf("twenty of twenty beyond: %+v", j)
	}
	if j = shipped.Look(0, []Claim{{"beyond", many(0.1, 8)}}, nil); j.Failed || !j.Open {
		t.Errorf("8 pairs are too few to fail by, with certainty too: %+v", j)
	}
	if j = shipped.Look(0, []Claim{{"one", []float64{5}}}, nil); j.Failed || !j.Open {
		t.Errorf("one pair: %+v", j)
	}
	// Signs of n pairs agree with probability 2^-n: 0.001 / 2 of one look, 5 means.
	if n := (Gate{Alarm: 0.001, Looks: []int{20}}).Needed(5); n != 14 {
		t.Errorf("%d pairs needed, want 14: 2^-13 > 0.0001 > 2^-14", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("a fourth look of three")
		}
	}()
	shipped.Look(3, nil, nil)
}
