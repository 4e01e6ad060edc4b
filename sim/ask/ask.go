// Package ask searches the free values of a scenario for the setting with which a
// mailing ends soonest within a limit of refusals and a deadline, and stops where
// nothing matters any more. It calls a function for the runs and has no clock: the
// same runs give the same answer. The task of flyball ask calls it.
package ask

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Axis is a free value of the scenario: the values to choose from, the lowest
// first, and where the search begins.
type Axis struct {
	Values []string
	Start  int
}

// Question is what a search is to find.
type Question struct {
	Axes         []Axis
	Refused      float64 // greatest share of attempts that receivers refuse
	Replications int     // training replications on which the best settings are compared, 1 or more
}

// Outcome is the result of one run.
type Outcome struct {
	Refused float64 // attempts refused / attempts
	Late    float64 // recipients that were late, or pending at the horizon / recipients
	End     float64 // hours until the last recipient was final; of an unfinished run +Inf
	Digest  uint64  // equal for equal runs
}

// Job is a run that a search asks for.
type Job struct {
	At          []int // index of the value, by axis
	Replication uint64
}

// Runner makes runs and returns their outcomes in the order of the jobs.
type Runner func([]Job) ([]Outcome, error)

// Trial is a setting that was tried.
type Trial struct {
	At   []int
	Runs []Outcome // by replication, from 0
}

// Answer is the result of a search.
type Answer struct {
	Best   *Trial
	Trials []*Trial // in the order in which they were first tried
	Spent  int      // runs
	Flat   []bool   // by axis: no value of it changed anything in any run around the start
	// Around has the next lower and the next higher value of each axis, with all
	// training replications; nil at an end of the axis.
	Around [][2]*Trial
}

// Matters is the least relative difference between two ends that counts.
const Matters = 0.01

// Numbers of the search. They serve axes of up to some 30 values.
const (
	scanned   = 7 // values of each axis that are tried first
	finalists = 3 // settings that are compared on all training replications
)

// Most returns the number of runs at which a search begins no further step; the step
// under way is finished.
func (q Question) Most() int {
	n := 1
	for _, a := range q.Axes {
		n += min(scanned, len(a.Values)) + (2+q.Replications)*steps(len(a.Values))
	}
	return 3*n + (finalists+2*len(q.Axes))*q.Replications
}

// steps returns how often a number can be halved before it is 0.
func steps(n int) (k int) {
	for ; n > 0; n /= 2 {
		k++
	}
	return k
}

// Search returns the best setting. The errors of the runner are returned unchanged.
func Search(q Question, run Runner) (*Answer, error) {
	for i, a := range q.Axes {
		if a.Start < 0 || a.Start >= len(a.Values) {
			panic(fmt.Sprintf("axis %d starts at %d of %d values", i, a.Start, len(a.Values)))
		}
	}
	s := &search{Question: q, run: run, known: map[string]*Trial{}}
	best, err := s.scan()
	// What is spared of one value may let another one go further: a lower number of
	// processes may allow a higher target.
	for before := (*Trial)(nil); err == nil && best != before && s.spent < s.Most(); {
		before = best
		if best, err = s.climb(best); err != nil {
			break
		}
		if best, err = s.settle(best); err != nil {
			break
		}
		best, err = s.spare(best)
	}
	if err != nil {
		return nil, err
	}
	around, err := s.around(best)
	if err != nil {
		return nil, err
	}
	return &Answer{Best: best, Trials: s.trials, Spent: s.spent, Flat: s.flat(), Around: around}, nil
}

type search struct {
	Question
	run    Runner
	trials []*Trial
	known  map[string]*Trial
	spent  int
}

// at returns the trial of a setting, which need not have been run.
func (s *search) at(place []int) *Trial {
	key := fmt.Sprint(place)
	t := s.known[key]
	if t == nil {
		t = &Trial{At: slices.Clone(place)}
		s.known[key] = t
		s.trials = append(s.trials, t)
	}
	return t
}

// measure makes the first n replications of trials, all in one batch.
func (s *search) measure(trials []*Trial, n int) error {
	var jobs []Job
	var of []*Trial
	for i, t := range trials {
		if slices.Contains(trials[:i], t) {
			continue
		}
		for r := len(t.Runs); r < n; r++ {
			jobs, of = append(jobs, Job{t.At, uint64(r)}), append(of, t)
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	out, err := s.run(jobs)
	if err != nil {
		return err
	}
	s.spent += len(out)
	for i, o := range out {
		of[i].Runs = append(of[i].Runs, o)
	}
	return nil
}

// scan tries values of each axis alone.
func (s *search) scan() (*Trial, error) {
	start := make([]int, len(s.Axes))
	for i, a := range s.Axes {
		start[i] = a.Start
	}
	field := []*Trial{s.at(start)}
	for i, a := range s.Axes {
		for _, v := range evenly(len(a.Values), scanned) {
			field = append(field, s.at(moved(start, i, v)))
		}
	}
	if err := s.measure(field, 1); err != nil {
		return nil, err
	}
	return s.best(field, 1), nil
}

// climb goes from the best setting to the best neighbour, in steps that are halved
// where no neighbour is better.
func (s *search) climb(best *Trial) (*Trial, error) {
	stride := make([]int, len(s.Axes))
	for i, a := range s.Axes {
		stride[i] = max(1, len(a.Values)/4)
	}
	for s.spent < s.Most() {
		field := []*Trial{best}
		for i, a := range s.Axes {
			for _, v := range []int{best.At[i] - stride[i], best.At[i] + stride[i]} {
				if v >= 0 && v < len(a.Values) {
					field = append(field, s.at(moved(best.At, i, v)))
				}
			}
		}
		if err := s.measure(field, 1); err != nil {
			return nil, err
		}
		switch next := s.best(field, 1); {
		case next != best:
			best = next
		case !slices.ContainsFunc(stride, func(n int) bool { return n > 1 }):
			return best, nil
		default:
			for i := range stride {
				stride[i] = max(1, stride[i]/2)
			}
		}
	}
	return best, nil
}

// settle compares the finalists on all training replications.
func (s *search) settle(best *Trial) (*Trial, error) {
	field := slices.Clone(s.trials)
	slices.SortStableFunc(field, func(a, b *Trial) int { return s.compare(a, b, 1) })
	field = append([]*Trial{best}, slices.DeleteFunc(field, func(t *Trial) bool { return t == best })...)
	field = field[:min(finalists, len(field))]
	if err := s.measure(field, s.Replications); err != nil {
		return nil, err
	}
	return s.best(field, s.Replications), nil
}

// spare lowers each value as far as the limits are kept as well and the end is as
// early, within Matters: what is not needed is not recommended.
func (s *search) spare(best *Trial) (*Trial, error) {
	for i := range s.Axes {
		low, high := 0, best.At[i] // the least value that serves is in low..high
		now := best
		for low < high {
			t := s.at(moved(best.At, i, (low+high)/2))
			if err := s.measure([]*Trial{t}, s.Replications); err != nil {
				return nil, err
			}
			if s.asGood(t, best) {
				high, now = t.At[i], t
			} else {
				low = t.At[i] + 1
			}
		}
		best = now
	}
	return best, nil
}

// mean returns the means of the first n outcomes of t. Over is how far the refused
// share is above the limit.
func (s *search) mean(t *Trial, n int) (over, late, end float64) {
	for _, o := range t.Runs[:n] {
		over += max(0, o.Refused-s.Refused) / float64(n)
		late += o.Late / float64(n)
		end += o.End / float64(n)
	}
	return over, late, end
}

// compare returns a negative number if a is better than b on the first n
// replications. The limit of refusals counts before the deadline, since a lost
// reputation outlasts a mailing; the deadline counts before the end. Of equals the
// one with lower values is better.
func (s *search) compare(a, b *Trial, n int) int {
	switch {
	case len(a.Runs) < n && len(b.Runs) < n:
		return 0
	case len(a.Runs) < n:
		return 1
	case len(b.Runs) < n:
		return -1
	}
	over, late, end := s.mean(a, n)
	other, later, after := s.mean(b, n)
	return cmp.Or(cmp.Compare(over, other), cmp.Compare(late, later), cmp.Compare(end, after),
		cmp.Compare(sum(a.At), sum(b.At)))
}

func (s *search) best(field []*Trial, n int) *Trial {
	return slices.MinFunc(field, func(a, b *Trial) int { return s.compare(a, b, n) })
}

// asGood reports whether t keeps the limits as well as best does, and ends at most
// Matters later.
func (s *search) asGood(t, best *Trial) bool {
	over, late, end := s.mean(t, s.Replications)
	most, latest, until := s.mean(best, s.Replications)
	return over <= most && late <= latest && (end <= until*(1+Matters) || end == until)
}

// flat returns, by axis, whether all its values gave the same run at the start.
func (s *search) flat() []bool {
	all := make([]bool, len(s.Axes))
	for i := range all {
		all[i] = true
		first := s.trials[0]
		for _, t := range s.trials {
			if alone(t.At, first.At, i) && len(t.Runs) > 0 && t.Runs[0].Digest != first.Runs[0].Digest {
				all[i] = false
			}
		}
	}
	return all
}

// around runs the next lower and the next higher value of each axis.
func (s *search) around(best *Trial) ([][2]*Trial, error) {
	all := make([][2]*Trial, len(s.Axes))
	var field []*Trial
	for i, a := range s.Axes {
		for k, v := range [2]int{best.At[i] - 1, best.At[i] + 1} {
			if v >= 0 && v < len(a.Values) {
				all[i][k] = s.at(moved(best.At, i, v))
				field = append(field, all[i][k])
			}
		}
	}
	return all, s.measure(field, s.Replications)
}

// alone reports whether two places are equal but for axis i.
func alone(a, b []int, i int) bool {
	for k := range a {
		if k != i && a[k] != b[k] {
			return false
		}
	}
	return true
}

// moved returns place with another index on axis i.
func moved(place []int, i, v int) []int {
	to := slices.Clone(place)
	to[i] = v
	return to
}

func sum(place []int) (n int) {
	for _, v := range place {
		n += v
	}
	return n
}

// evenly returns up to k indexes of n, with both ends.
func evenly(n, k int) (all []int) {
	if n <= k {
		k = n
	}
	for i := range k {
		at := 0
		if k > 1 {
			at = int(math.Round(float64(i) * float64(n-1) / float64(k-1)))
		}
		all = append(all, at)
	}
	return all
}
