package tune

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"flyball/internal/rng"
)

// gauss returns a named standard normal draw.
func gauss(seed, trial, replication uint64) float64 {
	w0, w1, _, _ := rng.New(seed, replication).Words(trial, 0, 1)
	u, v := (float64(w0)+1)/(1<<32+1), float64(w1)/(1<<32)
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// synthetic is a laboratory in which the loss of a place is known, but for
// noise of which a share is the same for all trials of a replication.
func synthetic(seed uint64, dims, budget int, loss func([]float64) float64, over func([]float64) []float64, own,
	shared float64) *search {
	s := &search{budget: budget, baseline: &Trial{}}
	s.lab = laboratory{cost: 1, ranged: slices.Repeat([]bool{true}, dims),
		values: func(place []float64) []string {
			var all []string
			for _, x := range place {
				all = append(all, fmt.Sprintf("%.6f", x))
			}
			return all
		},
		admit: func(*Trial) bool { return true },
		measure: func(all []*Trial, n int) error {
			for _, t := range all {
				for r := len(t.Outcomes); r < n; r++ {
					o := Outcome{}
					if t.Place != nil {
						o.Loss = loss(t.Place) + own*gauss(seed, uint64(t.Number), uint64(r)) +
							shared*gauss(seed, math.MaxUint64, uint64(r))
						if over != nil {
							o.Over = over(t.Place)
						}
					} else if over != nil {
						o.Over = make([]float64, len(over(make([]float64, dims))))
					}
					t.Outcomes = append(t.Outcomes, o)
				}
			}
			return nil
		}}
	return s
}

// The optimum of a bowl is found, within the budget, at a corner too, and on
// the edge of a constraint.
func TestSearchFindsAKnownOptimum(t *testing.T) {
	distance := func(to ...float64) func([]float64) float64 {
		return func(x []float64) float64 {
			sum := 0.0
			for i := range x {
				sum += (x[i] - to[i]) * (x[i] - to[i])
			}
			return 4*sum - 1 // below the baseline's 0 near the optimum
		}
	}
	for _, c := range []struct {
		name string
		dims int
		loss func([]float64) float64
		over func([]float64) []float64
		best float64
		near float64
	}{
		{"inside", 2, distance(0.3, 0.7), nil, -1, 0.02},
		{"corner", 2, distance(1, 0), nil, -1, 0.02},
		{"three", 3, distance(0.2, 0.5, 0.9), nil, -1, 0.05},
		// With x <= 0.3 and the optimum at 0.6 the best loss is 4 x 0.09 - 1.
		{"constraint", 2, distance(0.6, 0.4), func(x []float64) []float64 { return []float64{x[0] - 0.3} }, -0.64,
			0.05},
	} {
		s := synthetic(1, c.dims, 200, c.loss, c.over, 0.005, 0.3)
		w, err := s.run()
		if err != nil {
			t.Fatal(err)
		}
		if w.Place == nil || c.loss(w.Place) > c.best+c.near || c.over != nil && c.over(w.Place)[0] > rounding {
			t.Errorf("%s: won %v, loss %g, want %g", c.name, w.Place, c.loss(w.Place), c.best)
		}
		if s.spent > 200 || s.spent < 150 {
			t.Errorf("%s: %d of 200 runs were spent", c.name, s.spent)
		}
		for _, x := range s.trials {
			if slices.ContainsFunc(x.Place, func(v float64) bool { return v < 0 || v > 1 }) {
				t.Errorf("%s: %v lies outside of the space", c.name, x.Place)
			}
		}
	}
}

// If nothing is better than the baseline, the baseline wins.
func TestBaselineMayWin(t *testing.T) {
	s := synthetic(1, 2, 200, func(x []float64) float64 { return 0.5 + x[0] }, nil, 0.01, 0.1)
	if w, err := s.run(); err != nil || w != s.baseline {
		t.Errorf("trial %d won, %v", w.Number, err)
	}
}

// The tests of a race drop the best of a field with a probability of at most 5 %
// over all rounds, where all are equal, which is the hardest case. They drop
// trials that are clearly worse.
func TestRaceDropsTheBestSeldom(t *testing.T) {
	const races, field = 1500, 8
	for _, noise := range []struct {
		name string
		loss func(seed, trial, r uint64) float64
	}{
		{"normal", gauss},
		{"heavy tails", func(s, k, r uint64) float64 { // Student's t, 2 degrees of freedom
			a, b := gauss(s, 100+k, r), gauss(s, 200+k, r)
			return gauss(s, k, r) / math.Sqrt((a*a+b*b)/2)
		}},
		{"counts", func(s, k, r uint64) float64 { return math.Round(gauss(s, k, r)) }},
	} {
		wrong := 0
		for seed := range uint64(races) {
			s := &search{budget: math.MaxInt, baseline: &Trial{}}
			s.lab = laboratory{cost: 1, measure: func(all []*Trial, n int) error {
				for _, t := range all {
					for r := len(t.Outcomes); r < n; r++ {
						t.Outcomes = append(t.Outcomes, Outcome{Loss: noise.loss(seed, uint64(t.Number), uint64(r))})
					}
				}
				return nil
			}}
			s.trials = []*Trial{s.baseline}
			var all []*Trial
			for range field {
				all = append(all, &Trial{})
			}
			left := all
			for seeds := 1; seeds <= 32; seeds *= 2 {
				var err error
				if left, err = s.round(Race, left, seeds, field); err != nil {
					t.Fatal(err)
				}
			}
			// Any of them may be chosen as the best before the draws: the first.
			if all[0].Dropped.Why == Worse {
				wrong++
			}
		}
		// 95 of 1500 is 5 % and two and a half standard deviations.
		if wrong > 95 {
			t.Errorf("%s: the best was dropped in %d of %d races, promised are at most %d", noise.name, wrong, races,
				races/20)
		}
		t.Logf("%s: the best was dropped in %d of %d races", noise.name, wrong, races)
	}
}

// A trial that is worse by three standard deviations is dropped by the test at 16
// seeds or before, and so is a trial that clearly misses a constraint; ranks alone
// drop no trial.
func TestRaceDropsLosers(t *testing.T) {
	s := synthetic(3, 1, math.MaxInt, func(x []float64) float64 { return x[0] },
		func(x []float64) []float64 { return []float64{2*x[0] - 1.5} }, 0.05, 1)
	s.trials = []*Trial{s.baseline}
	field := []*Trial{{Place: []float64{0.1}}, {Place: []float64{0.25}}, {Place: []float64{0.5}},
		{Place: []float64{0.9}}}
	for seeds := 2; seeds <= 16; seeds *= 2 {
		left, err := s.round(Race, field, seeds, 4)
		if err != nil {
			t.Fatal(err)
		}
		if seeds == 2 && len(left) != 4 {
			t.Errorf("%d are left of 4 after two seeds, which show nothing", len(left))
		}
		if seeds == 16 && (len(left) != 1 || left[0] != field[0]) {
			t.Errorf("%d are left after 16 seeds", len(left))
		}
	}
	if field[1].Dropped.Why != Worse || field[3].Dropped.Why != Missed {
		t.Errorf("dropped as %q and %q", field[1].Dropped.Why, field[3].Dropped.Why)
	}
}

// A trial without a defined objective does not win, and does not end the race of
// the others.
func TestUndefinedIsDropped(t *testing.T) {
	s := synthetic(1, 1, 200, func(x []float64) float64 {
		if x[0] < 0.5 {
			return math.NaN()
		}
		return x[0] - 1
	}, nil, 0.01, 0)
	w, err := s.run()
	if err != nil || w.Place == nil || w.Place[0] < 0.5 || w.Place[0] > 0.55 {
		t.Errorf("won %v, %v", w.Place, err)
	}
}

func TestFolded(t *testing.T) {
	for x, want := range map[float64]float64{-0.25: 0.25, 0.4: 0.4, 1: 1, 1.25: 0.75, 2: 0, 2.5: 0.5, -3.25: 0.75} {
		if got := folded(x); got != want {
			t.Errorf("folded(%g) = %g, want %g", x, got, want)
		}
	}
}

// A plan keeps to its share, and has more points for a greater budget.
func TestPlan(t *testing.T) {
	before := 0
	for budget := 20; budget <= 5000; budget += 20 {
		s := &search{budget: budget, lab: laboratory{cost: 1}}
		points, doublings := s.plan()
		left := points
		cost := points
		for d := range doublings {
			left = (left + 1) / 2
			cost += left * (1 << d)
		}
		if points < before || float64(cost) > raceShare*float64(budget)*1.1+finalists {
			t.Errorf("budget %d: %d points, %d doublings, %d runs", budget, points, doublings, cost)
		}
		if left > finalists {
			t.Errorf("budget %d: %d are left, want at most %d", budget, left, finalists)
		}
		before = points
	}
}

// flatten makes a parameter of a synthetic laboratory flat: its value changes no
// run. Places that differ in nothing else make the same runs.
func flatten(s *search, flat int) {
	s.lab.sides = func(int) []float64 { return []float64{0, 1} }
	s.lab.same = func(a, b *Trial, n int) bool {
		for i := range s.lab.ranged {
			if i != flat && (a.Place == nil || b.Place == nil || a.Place[i] != b.Place[i]) {
				return false
			}
		}
		return true
	}
}

// A parameter that changes no run is not searched: at most two runs per seed of
// the local search show it, and the search over the other parameters gives the
// same result as without it.
func TestSearchLeavesAFlatDirection(t *testing.T) {
	for _, flat := range []int{0, 1, 2} {
		s := synthetic(1, 3, 200, func(x []float64) float64 {
			sum := -1.0
			for i := range x {
				if i != flat {
					sum += 4 * (x[i] - 0.3) * (x[i] - 0.3)
				}
			}
			return sum
		}, nil, 0, 0.3)
		flatten(s, flat)
		w, err := s.run()
		if err != nil {
			t.Fatal(err)
		}
		if loss := w.stand(1).loss - s.baseline.stand(1).loss; w.Place == nil ||
			math.Abs(w.Place[(flat+1)%3]-0.3) > 0.05 || math.Abs(w.Place[(flat+2)%3]-0.3) > 0.05 {
			t.Errorf("parameter %d is flat: won %v, loss %g", flat, w.Place, loss)
		}
		for i := range 3 {
			if !s.probed[i] || s.matters[i] != (i != flat) {
				t.Errorf("parameter %d is flat: of %d, looked at %v, matters %v", flat, i, s.probed[i], s.matters[i])
			}
		}
		twice, spent := 0, 0
		for i, x := range s.trials {
			spent += len(x.Outcomes)
			if x.From == Local && s.twin(x, s.trials[:i], 0) != nil {
				twice += len(x.Outcomes)
				if x.Dropped.Why != Same || x.Dropped.As == nil {
					t.Errorf("trial %d makes the runs of another and was dropped as %q", i, x.Dropped.Why)
				}
			}
		}
		if twice == 0 || 20*twice > spent {
			t.Errorf("parameter %d is flat: %d of %d runs of the local search were made twice", flat, twice, spent)
		}
	}
}

// If no parameter changes anything, the first round shows it, and the rest of the
// budget is not spent.
func TestNothingMatters(t *testing.T) {
	s := synthetic(1, 2, 200, func([]float64) float64 { return 0 }, nil, 0, 0)
	flatten(s, 0)
	s.lab.same = func(a, b *Trial, n int) bool { return true }
	points, _ := s.plan()
	w, err := s.run()
	if err != nil || w != s.baseline || !s.probed[0] || !s.probed[1] || len(s.matters) > 0 {
		t.Errorf("trial %d won, looked at %v, %v matter, %v", w.Number, s.probed, s.matters, err)
	}
	if s.spent > points+1+4 || s.rounds[0].Same != points || s.rounds[0].Left != 1 {
		t.Errorf("%d runs for %d points: %+v", s.spent, points, s.rounds)
	}
}

// Where a parameter makes a difference only far away and not under the first
// seed, it makes one.
func TestADifferenceUnderSomeSeedIsOne(t *testing.T) {
	s := synthetic(1, 2, 400, func(x []float64) float64 { return 4*(x[0]-0.3)*(x[0]-0.3) - 1 }, nil, 0, 0.3)
	flatten(s, 1)
	same := s.lab.same
	s.lab.same = func(a, b *Trial, n int) bool {
		return same(a, b, n) && (n < 2 || math.Abs(a.Place[1]-b.Place[1]) < 0.5)
	}
	if _, err := s.run(); err != nil || !s.matters[1] {
		t.Errorf("%v matter, %v", s.matters, err)
	}
}
