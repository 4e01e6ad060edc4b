package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/internal/longtest"
	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
)

// The gate on real runs of the shipped suite, as docs/gate.md tells: thousands
// of gates, each with its own way to deal the same runs to two sides. Takes
// minutes, and is one of the long tests.
func TestGateOnTheSuite(t *testing.T) {
	if !longtest.Asked() {
		t.Skip(longtest.Variable + "=1 runs the suite hundreds of times")
	}
	const most = 180
	full, quick := []int{20, 60, most}, []int{20, 60}
	var alike, perturbed []Trial // 2 x most runs of each scenario; most with a hair less of a step
	for _, x := range scenarios.Suite() {
		src, _ := scenarios.Builtin(x.Name)
		s, err := scenarios.Load(x.Name, src, x.Set)
		if err != nil {
			t.Fatal(err)
		}
		other, err := s.With(fmt.Sprintf("governor.d=%g", 0.999*s.Governor.D))
		if err != nil {
			t.Fatal(err)
		}
		alike = append(alike, trialOf(t, s, 2*most))
		perturbed = append(perturbed, trialOf(t, other, most))
	}
	bare := Metrics()
	for i := range bare {
		bare[i].Margin, bare[i].Floor, bare[i].FloorShare = 0, 0, 0
	}

	// deal makes a comparison of n pairs, replication by replication.
	deal := func(n int, sides func(scenario, i int) (base, next Replicate)) *Report {
		c := &Report{}
		for s := range alike {
			p := pairs{base: alike[s], next: alike[s], horizon: 1e9}
			for i := range n {
				b, x := sides(s, i)
				b.Replication, x.Replication = uint64(i), uint64(i)
				p.runs = append(p.runs, [2]Replicate{b, x})
			}
			c.pairs = append(c.pairs, p)
			c.Scenarios = append(c.Scenarios, ScenarioResult{Name: alike[s].Scenario, Pairs: n})
		}
		for _, m := range bare {
			c.Metrics = append(c.Metrics, MetricResult{Name: m.Name, Cells: make([]Cell, len(alike))})
		}
		return c
	}
	worse := func(x Replicate, by float64) Replicate {
		values := map[string]float64{}
		for k, v := range x.values {
			values[k] = v
		}
		values["iae"] *= by
		x.values = values
		return x
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		name    string
		gates   int
		metrics []Metric
		paired  bool
		by      float64
		looks   []int
	}{
		{"alike, other luck", 3000, Metrics(), false, 1, full},
		{"alike, other luck, no margins", 3000, bare, false, 1, full},
		{"alike, same luck", 3000, Metrics(), true, 1, full},
		{"alike, same luck, no margins", 3000, bare, true, 1, full},
		{"alike, other luck, no margins, quick", 3000, bare, false, 1, quick},
		{"alike, same luck, no margins, quick", 3000, bare, true, 1, quick},
		{"5 % more IAE, other luck", 500, Metrics(), false, 1.05, full},
		{"5 % more IAE, same luck", 500, Metrics(), true, 1.05, full},
		{"5 % more IAE, other luck, quick", 500, Metrics(), false, 1.05, quick},
		{"5 % more IAE, same luck, quick", 500, Metrics(), true, 1.05, quick},
		{"4 % more IAE, other luck", 500, Metrics(), false, 1.04, full},
	} {
		failed, open := 0, 0
		at := map[int]int{}
		for range c.gates {
			order := r.Perm(2 * most)
			swapped := make([]bool, most)
			for i := range swapped {
				swapped[i] = r.IntN(2) == 1
			}
			for k, n := range c.looks {
				v := deal(n, func(s, i int) (base, next Replicate) {
					switch {
					case !c.paired:
						base, next = alike[s].Runs[order[i]], alike[s].Runs[order[most+i]]
					case swapped[i]:
						base, next = perturbed[s].Runs[i], alike[s].Runs[i]
					default:
						base, next = alike[s].Runs[i], perturbed[s].Runs[i]
					}
					return base, worse(next, c.by)
				}).Judge(c.looks, k, c.metrics)
				if v.Failed || !v.Open || k == len(c.looks)-1 {
					if v.Failed {
						failed++
					}
					if v.Open {
						open++
					}
					at[n]++
					break
				}
			}
		}
		t.Logf("%s: %d of %d failed, %d open; ended at 20 pairs %d, 60 %d, 180 %d", c.name, failed, c.gates, open,
			at[20], at[60], at[180])
		if c.by == 1 && failed > 9 { // 10 or more of 3: once in 900
			t.Errorf("%s: %d of %d failed", c.name, failed, c.gates)
		}
		if c.by == 1.05 && failed < c.gates*95/100 {
			t.Errorf("%s: %d of %d failed, want 95 in 100", c.name, failed, c.gates)
		}
	}
	for _, tr := range alike {
		for _, m := range []string{"iae", "tv"} {
			p := pairs{base: tr, next: tr, horizon: 1e9}
			for i := range most {
				p.runs = append(p.runs, [2]Replicate{tr.Runs[i], tr.Runs[most+i]})
			}
			i := slices.IndexFunc(bare, func(x Metric) bool { return x.Name == m })
			logs := p.logs(bare[i])
			t.Logf("%s of %s: log-ratios of other luck have a standard deviation of %.3f %%", m, tr.Scenario,
				100*deviation(logs))
		}
	}
}

func deviation(x []float64) float64 {
	var mean, sum float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sum += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return math.Sqrt(sum)
}

// trialOf runs replications 0 to n-1.
func trialOf(t testing.TB, s *scenarios.Scenario, n int) Trial {
	t.Helper()
	var runs []ensemble.Observation
	_, err := sim.Replicate(s, nil, 0, uint64(n), 2, func(replication uint64, w *sim.World,
		end vt.Time) ensemble.Observation {
		ended := &runlog.Run{Name: s.Name, ScenarioID: scenarios.ID(s), Seed: s.Seed, Mode: "sim", Horizon: s.Horizon,
			End:        end,
			TargetRate: float64(s.Governor.Target), Law: s.Governor.Law, Replication: replication}
		for _, v := range s.Servers {
			ended.Servers = append(ended.Servers, v.Name)
		}
		for _, v := range s.Destinations {
			ended.Destinations = append(ended.Destinations, v.Name)
		}
		w.Record().Fold(ended, uint64(s.Recipients()), 0)
		return ensemble.Observe(run.Fold(ended, nil, ""))
	}, func(o ensemble.Observation) { runs = append(runs, o) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Tried(s, runs)
}
