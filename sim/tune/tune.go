// Package tune searches a study for the best values of its parameters with a
// budget of runs: points that fill the space, a race that doubles the seeds and
// drops losers, a local search, a last race among the best; then the winner and
// the scenario as it is meet luck and scenarios that the search has not seen.
//
// Everything it does follows from the study and from what was measured, so the
// same study gives the same search on any number of cores, and one that was
// stopped is gone through again with the runs that were kept. It runs nothing
// itself and reads no clock. It refuses a study in which the baseline has no
// ratios. The command line calls it.
package tune

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/scenarios/study"
)

// Stages of a search, in their order.
const (
	Screening = "screening"
	Race      = "race"
	Local     = "local search"
	Final     = "final"
)

// Shares of the budget. What a stage leaves is there for the next one.
const (
	raceShare  = 0.40 // screening and race
	localShare = 0.45
)

// finalists of the race go on.
const finalists = 4

// Trial is a set of values that was tried.
type Trial struct {
	Number   int       // 0 is the baseline, then in the order in which they were first run
	From     string    // the stage that thought of it; empty for the baseline
	Values   []string  // of the parameters; nil for the baseline
	Place    []float64 // in the unit cube
	Runs     [][]study.Run
	Outcomes []Outcome // of each replication from 0
	Dropped  Drop

	admitted any // what the laboratory keeps of it
}

// Outcome is one replication of a trial, in all scenarios of the search.
type Outcome struct {
	// mean over the scenarios of the logarithm of the ratio to the baseline, negated if more is
	// better; NaN: undefined
	Loss float64
	Over []float64 // how far each constraint is missed in each scenario; 0 and less is within
}

// Drop is why a trial went no further.
type Drop struct {
	Round int // place in Result.Rounds
	Why   Why
	As    *Trial // of the same runs; else nil
}

// Why a trial was dropped.
type Why string

// Reasons to drop a trial.
const (
	Kept      Why = ""                 // it was not
	Worse     Why = "shown worse"      // the paired test
	Missed    Why = "constraint shown" // to be missed, by the same test
	Undefined Why = "undefined"        // the objective or a constraint, in some run
	Same      Why = "same runs"        // as another trial's, attempt for attempt: more seeds would be spent twice
	Cut       Why = "cut"              // in the worse half, or no budget for it
)

// Round is one step of a race, or the local search.
type Round struct {
	Stage   string
	Seeds   int // replications that those who took part have
	Entered int
	Worse   int // dropped by the test, for the objective
	Missed  int // for a constraint
	Same    int // for runs that are those of another
	Cut     int // without a test, or undefined
	Left    int
	Leader  *Trial
	Loss    float64 // of the leader
	Spent   int     // runs so far
}

// alarm is the probability with which the tests of all rounds together drop the
// best trial.
const alarm = 0.05

// firstTest is the number of seeds from which on there is a test: with fewer
// Student's interval shows nothing.
const firstTest = 4

// laboratory is where a search tries things.
type laboratory struct {
	cost    int                           // runs that one replication takes
	ranged  []bool                        // parameters in which values have neighbours
	sides   func(parameter int) []float64 // places that tell most of a parameter: ends, or every value of a list
	values  func(place []float64) []string
	same    func(a, b *Trial, n int) bool   // whether their first n replications are the same runs; nil: never
	admit   func(*Trial) bool               // takes it, or there is no such scenario
	measure func(all []*Trial, n int) error // until each has n outcomes
}

// search is one under way.
type search struct {
	lab      laboratory
	budget   int
	spent    int
	baseline *Trial
	trials   []*Trial
	byValues map[string]*Trial
	rounds   []Round
	tests    int // rounds with a test so far
	// Parameters that were looked at around some trial, and those that made a
	// difference there.
	probed, matters map[int]bool
	refused         int // places without a scenario
}

// run is the whole search.
func (s *search) run() (*Trial, error) {
	s.byValues, s.probed, s.matters = map[string]*Trial{}, map[int]bool{}, map[int]bool{}
	s.trials = []*Trial{s.baseline}
	points, doublings := s.plan()
	field := append([]*Trial{s.baseline}, s.screen(points)...)
	seeds := 1
	for stage := Screening; ; stage = Race {
		var err error
		if field, err = s.round(stage, field, seeds, max(finalists, (len(field)+1)/2)); err != nil {
			return nil, err
		}
		if doublings == 0 || len(field) == 1 {
			break
		}
		doublings--
		seeds *= 2
	}
	if !slices.ContainsFunc(s.trials[1:], func(t *Trial) bool { return t.Dropped.As != s.baseline }) {
		for i := range s.lab.ranged { // every place made the runs of the scenario as it is
			s.probed[i] = true
		}
	}
	found, err := s.local(field, seeds, int(localShare*float64(s.budget)))
	if err != nil {
		return nil, err
	}
	return s.final(append(field, found...), seeds)
}

// plan is how many points the budget can screen, and how often seeds double
// until few are left: each doubling costs half of what the points did.
func (s *search) plan() (points, doublings int) {
	allowed := raceShare * float64(s.budget) / float64(s.lab.cost)
	points = finalists
	for n := finalists; n <= int(allowed); n++ {
		d := int(math.Ceil(math.Log2(float64(n) / finalists)))
		if float64(n)*(1+float64(d)/2)+float64(int(1)<<d) <= allowed {
			points, doublings = n, d
		}
	}
	return points, doublings
}

// screen takes so many different trials from the Halton sequence, or fewer if
// lists do not have as many.
func (s *search) screen(points int) []*Trial {
	var all []*Trial
	for n := 0; len(all) < points && n < 100*points; n++ {
		t, known := s.at(study.HaltonPlace(n, len(s.lab.ranged)), Screening)
		if t != nil && !known {
			all = append(all, t)
		}
	}
	return all
}

// at is the trial at a place, and whether it was there before; nil if no
// scenario takes its values.
func (s *search) at(place []float64, from string) (t *Trial, known bool) {
	values := s.lab.values(place)
	name := strings.Join(values, "\n")
	if t, known = s.byValues[name]; known {
		return t, true
	}
	t = &Trial{From: from, Values: values, Place: slices.Clone(place)}
	if !s.lab.admit(t) {
		t = nil
		s.refused++
	}
	s.byValues[name] = t
	return t, false
}

// price of n replications of each, in runs.
func (s *search) price(field []*Trial, n int) int {
	missing := max(0, n-len(s.baseline.Outcomes))
	for _, t := range field {
		if t != s.baseline {
			missing += max(0, n-len(t.Outcomes))
		}
	}
	return missing * s.lab.cost
}

// measure makes the runs that are missing for n replications of each. Those of
// the baseline come first: all others are compared with them.
func (s *search) measure(field []*Trial, n int) error {
	s.spent += s.price(field, n)
	for _, t := range field {
		if t != s.baseline && len(t.Outcomes) == 0 {
			t.Number = len(s.trials)
			s.trials = append(s.trials, t)
		}
	}
	return s.lab.measure(append([]*Trial{s.baseline}, slices.DeleteFunc(slices.Clone(field),
		func(t *Trial) bool { return t == s.baseline })...), n)
}

// final doubles the seeds of the best until one is left or the budget is spent.
// Those whom the budget has no runs for go first, the worst of them before the
// others.
func (s *search) final(field []*Trial, seeds int) (*Trial, error) {
	common := seeds
	for _, t := range field {
		common = min(common, len(t.Outcomes))
	}
	slices.SortStableFunc(field, func(a, b *Trial) int { return a.stand(common).compare(b.stand(common)) })
	for {
		entered := len(field)
		for len(field) > 2 && s.spent+s.price(field, seeds) > s.budget {
			field[len(field)-1].Dropped = Drop{Round: len(s.rounds), Why: Cut}
			field = field[:len(field)-1]
		}
		for s.spent+s.price(field, seeds) > s.budget {
			seeds--
		}
		cut := entered - len(field)
		var err error
		if field, err = s.round(Final, field, seeds, len(field)); err != nil {
			return nil, err
		}
		last := &s.rounds[len(s.rounds)-1]
		last.Entered, last.Cut = last.Entered+cut, last.Cut+cut
		if len(field) == 1 || s.spent+s.price(field[:2], seeds+1) > s.budget || seeds >= study.MostReplications {
			return field[0], nil
		}
		seeds = min(2*seeds, study.MostReplications)
	}
}

// check panics on what no search may do.
func (s *search) check() {
	if s.spent > s.budget {
		panic(fmt.Sprintf("tune: %d runs with a budget of %d", s.spent, s.budget))
	}
}
