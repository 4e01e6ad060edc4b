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
	Coarse []int // indices of the values that are tried first, rising, Start among them; empty: all
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
	Lost    bool    // the run was stopped, since it was sure to miss the bar of its job; the rest is not set
}

// Bar is an outcome from which a run must not be far, to be worth its time.
type Bar struct {
	Limit   float64 // of refusals
	Outcome Outcome // of a setting that was tried
}

// near is how far a run may be behind the bar, as a share of recipients, of attempts and
// of the hours until the end. It is wider than Matters, so that a run that was stopped
// can be neither the best one nor as good.
const near = 0.03

// Missed reports whether a run misses the bar, given lower bounds of what its outcome
// will be.
func (b *Bar) Missed(refused, late, end float64) bool {
	o := b.Outcome
	switch {
	case refused > max(b.Limit, o.Refused)+near:
		return true
	case o.Refused > b.Limit: // the run may have fewer refusals
		return false
	}
	return late > o.Late+near || late >= o.Late && end > o.End*(1+near)
}

// Job is a run that a search asks for.
type Job struct {
	At          []int // index of the value, by axis
	Replication uint64
	Bar         *Bar // a run that is sure to miss it may be stopped; nil: the run must end
}

// Runner makes runs and returns their outcomes in the order of the jobs.
type Runner func([]Job) ([]Outcome, error)

// Trial is a setting that was tried.
type Trial struct {
	At   []int
	Runs []Outcome // by replication, from 0
}

// ended reports whether n replications ran to their end.
func (t *Trial) ended(n int) bool {
	return len(t.Runs) >= n && !slices.ContainsFunc(t.Runs[:n], func(o Outcome) bool { return o.Lost })
}

// lost reports whether a replication was stopped.
func (t *Trial) lost() bool { return len(t.Runs) > 0 && !t.ended(len(t.Runs)) }

// same reports whether the first n replications of both were the same runs.
func same(a, b *Trial, n int) bool {
	return a.ended(n) && b.ended(n) &&
		slices.EqualFunc(a.Runs[:n], b.Runs[:n], func(a, b Outcome) bool { return a.Digest == b.Digest })
}

// Answer is the result of a search.
type Answer struct {
	Best   *Trial
	Trials []*Trial // in the order in which they were first tried
	Spent  int      // runs
	Flat   []bool   // by axis: no value of it changed any run
	// Alike reports, by axis, that another value of it gave the same runs as the best one.
	Alike []bool
}

// Matters is the least relative difference between two ends that counts.
const Matters = 0.01

// Numbers of the search. They serve axes of up to some 30 coarse values.
const (
	scanned   = 7 // values of each axis that are tried first
	finalists = 3 // settings that are compared on all training replications
	batch     = 4 // runs of a batch, whose bar is the best setting before it
)

// Most returns the number of runs at which a search begins no further step; the step
// under way is finished.
func (q Question) Most() int {
	n := 1
	for _, a := range q.Axes {
		n += min(scanned, len(a.grid())) + (4+2*q.Replications)*steps(len(a.Values))
	}
	return 2*n + finalists*q.Replications
}

// steps returns how often a number can be halved before it is 0.
func steps(n int) (k int) {
	for ; n > 0; n /= 2 {
		k++
	}
	return k
}

// grid returns the indices of the coarse values.
func (a *Axis) grid() []int {
	if len(a.Coarse) > 0 {
		return a.Coarse
	}
	all := make([]int, len(a.Values))
	for i := range all {
		all[i] = i
	}
	return all
}

// neighbours returns the indices of the values around one of them at a level, from 0 on,
// and whether there is a next level: first coarse values, at a distance of a quarter of
// them, which each level halves, then all values, at half the distance of the coarse
// ones and so on, down to the next one.
func (a *Axis) neighbours(v, level int) (all []int, more bool) {
	grid := a.grid()
	coarse := steps(len(grid) / 4)
	c, on := slices.BinarySearch(grid, v)
	up := c
	if on {
		up++
	}
	gap := grid[min(up, len(grid)-1)] - grid[max(c-1, 0)]
	if level < max(coarse, 1) {
		k := max(len(grid)/4>>level, 1)
		if c-k >= 0 {
			all = append(all, grid[c-k])
		}
		if up+k-1 < len(grid) {
			all = append(all, grid[up+k-1])
		}
		return all, level+1 < coarse || gap > 2
	}
	k := max(gap/4>>(level-max(coarse, 1)), 1)
	for _, at := range []int{v - k, v + k} {
		if at >= 0 && at < len(a.Values) {
			all = append(all, at)
		}
	}
	return all, k > 1
}

// Search returns the best setting. The errors of the runner are returned unchanged.
func Search(q Question, run Runner) (*Answer, error) {
	for i, a := range q.Axes {
		if !slices.Contains(a.grid(), a.Start) {
			panic(fmt.Sprintf("axis %d starts at %d, want one of %v", i, a.Start, a.grid()))
		}
	}
	s := &search{Question: q, run: run, known: map[string]*Trial{}}
	best, err := s.scan()
	// What is spared of one value may let another one go further: a lower number of
	// processes may allow a higher target.
	for round := 0; err == nil; round++ {
		before := best
		if best, err = s.climb(best, round > 0); err != nil {
			break
		}
		if best, err = s.settle(best); err != nil {
			break
		}
		if best, err = s.spare(best); best == before || s.spent >= s.Most() {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	flat, alike := s.without(best)
	return &Answer{Best: best, Trials: s.trials, Spent: s.spent, Flat: flat, Alike: alike}, nil
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

// measure makes the first n replications of trials, in batches; trials that lose against
// best on the first one make no more. Best may be nil.
func (s *search) measure(trials []*Trial, n int, best *Trial) error {
	var jobs []Job
	var of []*Trial
	flush := func() error {
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
		jobs, of = nil, nil
		return nil
	}
	for i, t := range trials {
		if slices.Contains(trials[:i], t) || len(t.Runs) > 0 {
			continue
		}
		if twin := s.between(t); twin != nil {
			t.Runs = slices.Clone(twin.Runs)
			continue
		}
		var bar *Bar
		if best != nil {
			bar = &Bar{s.Refused, best.Runs[0]}
		}
		if jobs, of = append(jobs, Job{t.At, 0, bar}), append(of, t); len(jobs) < batch {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if best != nil {
			best = s.best(append([]*Trial{best}, trials[:i+1]...), 1)
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for i, t := range trials {
		if slices.Contains(trials[:i], t) || t.lost() {
			continue
		}
		for r := len(t.Runs); r < n; r++ {
			jobs, of = append(jobs, Job{t.At, uint64(r), nil}), append(of, t)
		}
	}
	return flush()
}

// between returns a trial with the same runs as a lower and as a higher value of some
// axis: the value between them is taken to do the same. It returns nil if there is none.
func (s *search) between(t *Trial) *Trial {
	for i := range s.Axes {
		var low, high *Trial
		for _, u := range s.trials {
			switch {
			case !u.ended(1) || !alone(u.At, t.At, i):
			case u.At[i] < t.At[i] && (low == nil || u.At[i] > low.At[i]):
				low = u
			case u.At[i] > t.At[i] && (high == nil || u.At[i] < high.At[i]):
				high = u
			}
		}
		if low != nil && high != nil && same(low, high, max(len(low.Runs), len(high.Runs))) {
			return low
		}
	}
	return nil
}

// scan tries values of each axis alone.
func (s *search) scan() (*Trial, error) {
	start := make([]int, len(s.Axes))
	for i, a := range s.Axes {
		start[i] = a.Start
	}
	first := s.at(start)
	if err := s.measure([]*Trial{first}, 1, nil); err != nil {
		return nil, err
	}
	field := []*Trial{first}
	for i, a := range s.Axes {
		grid := a.grid()
		for _, v := range evenly(len(grid), scanned) {
			field = append(field, s.at(moved(start, i, grid[v])))
		}
	}
	if err := s.measure(field, 1, first); err != nil {
		return nil, err
	}
	return s.best(field, 1), nil
}

// climb goes from the best setting to the best neighbour, at distances that are halved
// where no neighbour is better. Again means that it has been at the coarse distances.
func (s *search) climb(best *Trial, again bool) (*Trial, error) {
	level := make([]int, len(s.Axes))
	if again {
		for i := range s.Axes {
			level[i] = max(steps(len(s.Axes[i].grid())/4)-1, 0)
		}
	}
	for s.spent < s.Most() {
		field := []*Trial{best}
		more := make([]bool, len(s.Axes))
		for i := range s.Axes {
			var all []int
			all, more[i] = s.Axes[i].neighbours(best.At[i], level[i])
			for _, v := range all {
				field = append(field, s.at(moved(best.At, i, v)))
			}
		}
		if err := s.measure(field, 1, best); err != nil {
			return nil, err
		}
		next := s.best(field, 1)
		if next == best && !slices.Contains(more, true) {
			break
		}
		for i := range level {
			if next == best && more[i] {
				level[i]++
			}
		}
		best = next
	}
	return best, nil
}

// settle compares the finalists on all training replications.
func (s *search) settle(best *Trial) (*Trial, error) {
	field := slices.DeleteFunc(slices.Clone(s.trials), func(t *Trial) bool { return t == best || !t.ended(1) })
	slices.SortStableFunc(field, func(a, b *Trial) int { return s.compare(a, b, 1) })
	field = append([]*Trial{best}, field[:min(finalists-1, len(field))]...)
	if err := s.measure(field, s.Replications, nil); err != nil {
		return nil, err
	}
	return s.best(field, s.Replications), nil
}

// spare lowers each value as far as the limits are kept as well and the end is as
// early, within Matters: what is not needed is not recommended. It tries two values at a
// time, so that two processors have work.
func (s *search) spare(best *Trial) (*Trial, error) {
	for i := range s.Axes {
		low, high := 0, best.At[i] // the least value that serves is in low..high
		now := best
		narrow := func() {
			for _, t := range s.trials {
				switch at := t.At[i]; {
				case !alone(t.At, best.At, i) || at < low || at >= high:
				case t.lost():
					low = at + 1
				case !t.ended(s.Replications):
				case s.asGood(t, best):
					high, now = at, t
				default:
					low = at + 1
				}
			}
		}
		for narrow(); low < high; narrow() {
			third := (high - low) / 3
			field := []*Trial{s.at(moved(best.At, i, low+third)), s.at(moved(best.At, i, high-1-third))}
			if err := s.measure(field, s.Replications, best); err != nil {
				return nil, err
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
	case !a.ended(n) && !b.ended(n):
		return 0
	case !a.ended(n):
		return 1
	case !b.ended(n):
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

// without returns, by axis, whether no value of it changed any run, and whether another
// value gave the same runs as the best one.
func (s *search) without(best *Trial) (flat, alike []bool) {
	flat, alike = make([]bool, len(s.Axes)), make([]bool, len(s.Axes))
	for i := range s.Axes {
		flat[i] = true
		for k, t := range s.trials {
			for _, u := range s.trials[:k] {
				// Of two runs that were stopped it is not known whether they would differ.
				if (t.ended(1) || u.ended(1)) && alone(t.At, u.At, i) {
					flat[i] = flat[i] && same(t, u, 1)
				}
			}
			alike[i] = alike[i] || t != best && alone(t.At, best.At, i) && same(t, best, 1)
		}
	}
	return flat, alike
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
