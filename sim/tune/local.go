package tune

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"

	"flyball/scenarios/study"
)

// Parameters of the local search.
const (
	stepsEach   = 12   // evaluations per parameter that one descent should have
	settled     = 1e-3 // losses that differ by less count as equal
	restless    = 6    // steps per parameter without a gain that end a descent
	outside     = 1e6  // least loss where a constraint is missed
	mostFound   = 2    // trials that go on to the final
	mostRepeats = 100  // evaluations per parameter, including known places, which cost nothing
)

// local searches for better values around the best trials of the race, one after
// the other, by the simplex method of Nelder and Mead. All trials use the same
// first few seeds, so the objective has no noise. Parameters with a list keep
// their value. The method has no bounds, so places beyond the unit cube are
// folded back into it. It returns the best trials that it found.
func (s *search) local(field []*Trial, seeds, allowed int) ([]*Trial, error) {
	var free []int
	for i, ranged := range s.lab.ranged {
		if ranged {
			free = append(free, i)
		}
	}
	from := slices.DeleteFunc(slices.Clone(field), func(t *Trial) bool { return t.Place == nil })
	if len(from) == 0 {
		return nil, nil
	}
	n := min(max(allowed/(s.lab.cost*stepsEach*max(len(free), 1)), 1), seeds)
	until := min(s.spent+allowed, s.budget)
	before := len(s.trials)
	r := Round{Round: study.Round{Stage: Local, Seeds: n}}
	for i, ranged := range s.lab.ranged {
		if !ranged {
			if err := s.probe(from[0], i, n, until); err != nil {
				return nil, err
			}
		}
	}
	for _, t := range from {
		if len(free) == 0 || s.spent+s.lab.cost*n*(len(free)+2) > until {
			break // the budget does not allow a first simplex
		}
		if err := s.descend(t, free, n, until); err != nil {
			return nil, err
		}
	}
	if len(s.trials) == before {
		return nil, nil
	}
	var found []*Trial
	drop := Drop{Round: len(s.rounds), Why: Cut}
	for _, t := range s.trials[before:] {
		switch as := s.twin(t, append(from[:len(from):len(from)], found...), min(n, len(t.Outcomes))); {
		case as != nil:
			t.Dropped = Drop{drop.Round, Same, as}
			r.Same++
		case len(t.Outcomes) < n: // it served only to show that a parameter matters
			t.Dropped = drop
		default:
			found = append(found, t)
		}
	}
	slices.SortStableFunc(found, func(a, b *Trial) int { return a.stand(n).compare(b.stand(n)) })
	best := min(len(found), mostFound)
	for _, t := range found[best:] {
		t.Dropped = drop
	}
	r.Entered, r.Left, r.Spent = len(s.trials)-before, best, s.spent
	r.Cut = r.Entered - r.Same - best
	r.Leader = from[0]
	if best > 0 && found[0].stand(n).compare(from[0].stand(n)) < 0 {
		r.Leader = found[0]
	}
	r.Loss = r.Leader.stand(n).loss
	s.rounds = append(s.rounds, r)
	return found[:best], nil
}

// probe records whether parameter i makes a difference around a trial. It does
// not if the runs are the same, attempt for attempt, with the values at both
// ends of its range or with all other values of its list. In most cases one seed
// shows a difference; where it does not, probe compares n seeds. If the budget
// does not allow that, the parameter counts as making a difference.
func (s *search) probe(t *Trial, i, n, until int) error {
	if s.lab.same == nil {
		return nil
	}
	s.probed[i] = true
	var others []*Trial
	for _, x := range s.lab.sides(i) {
		place := slices.Clone(t.Place)
		place[i] = x
		if o, _ := s.at(place, Local); o != nil && o != t {
			others = append(others, o)
		}
	}
	for _, seeds := range []int{1, n} {
		for _, o := range others {
			if s.spent+s.price([]*Trial{o}, seeds) > until {
				s.matters[i] = true
				return nil
			}
			if err := s.measure([]*Trial{o}, seeds); err != nil {
				return err
			}
			if !s.lab.same(o, t, seeds) {
				s.matters[i] = true
				return nil
			}
		}
	}
	return nil
}

// descend runs the method of Nelder and Mead once from a trial, on the free
// parameters, with n seeds, until the budget is spent up to until.
func (s *search) descend(from *Trial, free []int, n, until int) error {
	var failed error
	var broken any
	stopped, calls := false, 0
	value := func(x []float64) float64 {
		calls++
		if calls > mostRepeats*len(free) {
			stopped = true
		}
		if stopped {
			return math.MaxFloat64
		}
		place := slices.Clone(from.Place)
		for k, i := range free {
			place[i] = folded(x[k])
		}
		t, _ := s.at(place, Local)
		if t == nil {
			return math.MaxFloat64
		}
		if s.spent+s.price([]*Trial{t}, n) > until {
			stopped = true
			return math.MaxFloat64
		}
		if failed = s.measure([]*Trial{t}, n); failed != nil {
			stopped = true
			return math.MaxFloat64
		}
		stand := t.stand(n)
		if stand.missed > 0 {
			return outside * (1 + min(stand.missed, outside))
		}
		return stand.loss
	}

	start := make([]float64, len(free))
	for k, i := range free {
		start[k] = from.Place[i]
	}
	// A step is the distance to the next point that was screened.
	step := math.Pow(float64(max(2, s.screened())), -1/float64(len(s.lab.ranged)))
	vertices := [][]float64{start}
	values := []float64{value(start)}
	var felt []int
	for k, i := range free {
		v := slices.Clone(start)
		if v[k] += step; v[k] > 1 {
			v[k] -= 2 * step
		}
		vertices, values = append(vertices, v), append(values, value(v))
		if failed != nil || stopped {
			return failed
		}
		place := slices.Clone(from.Place)
		place[i] = folded(v[k])
		if t, _ := s.at(place, Local); t == nil || t == from || s.lab.same == nil || !s.lab.same(t, from, n) {
			s.probed[i], s.matters[i] = true, true
			felt = append(felt, i)
		}
	}
	// The search leaves out a parameter whose first step changes nothing. The probe
	// of its sides shows whether the whole range changes nothing.
	if len(felt) < len(free) {
		for _, i := range free {
			if !s.matters[i] {
				if err := s.probe(from, i, n, until); err != nil {
					return err
				}
			}
		}
		if len(felt) == 0 {
			return nil
		}
		return s.descend(from, felt, n, until)
	}
	_, err := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) (v float64) {
			defer func() { // gonum calls this on a goroutine of its own: pass the panic on
				if p := recover(); p != nil {
					broken, stopped, v = p, true, math.MaxFloat64
				}
			}()
			return value(x)
		},
		Status: func() (optimize.Status, error) {
			if stopped {
				return optimize.FunctionEvaluationLimit, nil
			}
			return optimize.NotTerminated, nil
		},
	}, start, &optimize.Settings{Converger: &optimize.FunctionConverge{Absolute: settled,
		Iterations: restless * len(free)}},
		&optimize.NelderMead{InitialVertices: vertices, InitialValues: values})
	if broken != nil {
		panic(broken)
	}
	if failed != nil {
		return failed
	}
	return err
}

func (s *search) screened() int {
	n := 0
	for _, t := range s.trials {
		if t.From == Screening {
			n++
		}
	}
	return n
}

// folded returns x mirrored at 0 and 1 until it lies between them.
func folded(x float64) float64 {
	x = math.Mod(math.Abs(x), 2)
	if x > 1 {
		return 2 - x
	}
	return x
}
