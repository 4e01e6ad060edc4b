package tune

import (
	"cmp"
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/scenarios/study"
)

// standing ranks trials: first by how far they miss the constraints, then by
// loss.
type standing struct{ missed, loss float64 }

// rounding is the tolerance of constraints.
const rounding = 1e-9

// stand returns the standing of a trial by its first n outcomes.
func (t *Trial) stand(n int) standing {
	of := t.Outcomes[:n]
	s := standing{loss: meanOf(of, func(o Outcome) float64 { return o.Loss })}
	for j := range of[0].Over {
		over := meanOf(of, func(o Outcome) float64 { return o.Over[j] })
		if !(over <= rounding) {
			s.missed += over
		}
	}
	if math.IsNaN(s.loss) || math.IsNaN(s.missed) {
		return standing{math.Inf(1), math.Inf(1)}
	}
	return s
}

func meanOf(of []Outcome, value func(Outcome) float64) float64 {
	sum := 0.0
	for _, o := range of {
		sum += value(o)
	}
	return sum / float64(len(of))
}

func (s standing) compare(o standing) int {
	return cmp.Or(cmp.Compare(s.missed, o.missed), cmp.Compare(s.loss, o.loss))
}

// Met reports whether a trial met all constraints in the mean over its
// replications.
func (t *Trial) Met() bool { return t.stand(len(t.Outcomes)).missed == 0 }

// Losses returns the losses of all replications.
func (t *Trial) Losses() []float64 {
	all := make([]float64, len(t.Outcomes))
	for i, o := range t.Outcomes {
		all[i] = o.Loss
	}
	return all
}

// round measures the field on the given number of seeds. It drops trials with
// the same runs as another trial, then trials that the tests show to be worse
// than the leader, and then all but the best keep. It returns the remaining
// trials by rank.
//
// In the k-th tested round of a field of m, each test against the leader has
// level alarm / (k (k + 1) (m - 1)). The best trial has at most m - 1 possible
// leaders, and the levels of all rounds add up to alarm. So the tests drop the
// best trial with at most that probability, if log-ratios are normally
// distributed.
func (s *search) round(stage string, field []*Trial, seeds, keep int) ([]*Trial, error) {
	if err := s.measure(field, seeds); err != nil {
		return nil, err
	}
	s.check()
	field = slices.Clone(field)
	slices.SortStableFunc(field, func(a, b *Trial) int {
		return cmp.Or(a.stand(seeds).compare(b.stand(seeds)), cmp.Compare(a.Number, b.Number))
	})
	leader := field[0]
	r := Round{Round: study.Round{Stage: stage, Seeds: seeds, Entered: len(field)}, Leader: leader,
		Loss: leader.stand(seeds).loss, Spent: s.spent}

	level := 0.0
	if seeds >= firstTest && len(field) > 1 {
		s.tests++
		level = alarm / (float64(s.tests) * float64(s.tests+1) * float64(len(field)-1))
	}
	left := field[:1:1]
	for _, t := range field[1:] {
		why := Kept
		as := s.twin(t, left, seeds)
		switch stand := t.stand(seeds); {
		case as != nil:
			why = Same
		case math.IsInf(stand.missed, 1):
			why = Undefined
		case leader.stand(seeds).missed == 0 && stand.missed == 0 && worse(t, leader, seeds) <= level:
			why = Worse
		case leader.stand(seeds).missed == 0 && stand.missed > 0 && misses(t, seeds) <= level:
			why = Missed
		case len(left) >= keep:
			why = Cut
		}
		switch why {
		case Kept:
			left = append(left, t)
			continue
		case Worse:
			r.Worse++
		case Missed:
			r.Missed++
		case Same:
			r.Same++
		default:
			r.Cut++
		}
		t.Dropped = Drop{len(s.rounds), why, as}
	}
	r.Left = len(left)
	s.rounds = append(s.rounds, r)
	return left, nil
}

// twin returns the trial among others whose first n replications equal the runs
// of t; nil if there is none.
func (s *search) twin(t *Trial, others []*Trial, n int) *Trial {
	if s.lab.same == nil {
		return nil
	}
	for _, o := range others {
		if s.lab.same(t, o, n) {
			return o
		}
	}
	return nil
}

// worse returns the p-value of the one-sided paired test of t against than over
// the first n replications: small if t has greater losses.
func worse(t, than *Trial, n int) float64 {
	d := make([]float64, n)
	for i := range d {
		d[i] = t.Outcomes[i].Loss - than.Outcomes[i].Loss
	}
	return above(d)
}

// misses returns the p-value of the worst missed constraint if all were met, with
// Bonferroni's correction for the number of constraints.
func misses(t *Trial, n int) float64 {
	least := 1.0
	for j := range t.Outcomes[0].Over {
		x := make([]float64, n)
		for i := range x {
			x[i] = t.Outcomes[i].Over[j]
		}
		least = min(least, above(x))
	}
	return min(1, least*float64(len(t.Outcomes[0].Over)))
}

// above returns the p-value of Student's one-sided test that the mean is above 0.
// If all values are equal, as counts may be by chance, they have no spread, and
// the signed-rank test decides.
func above(x []float64) float64 {
	for _, v := range x {
		if v != x[0] {
			return stats.StudentAbove(x)
		}
	}
	p, _ := stats.SignedRank(x)
	return p
}
