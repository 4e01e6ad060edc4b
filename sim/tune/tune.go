// Package tune searches a study for the best values of its parameters within a
// budget of runs. The stages are points that fill the space, a race that doubles
// the seeds and drops losers, a local search, and a final race among the best.
// Then the winner and the baseline run with draws and scenarios that the search
// has not used.
//
// The search depends only on the study and on the results of the runs. So a
// study gives the same search on any number of cores, and an interrupted search
// is repeated with the recorded runs. The package runs nothing itself and reads
// no clock. It refuses a study whose baseline allows no ratios. The command line
// calls it.
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

// Shares of the budget. Runs that a stage does not use are left for the next.
const (
	raceShare  = 0.40 // screening and race
	localShare = 0.45
)

// finalists is the number of trials that go on from the race.
const finalists = 4

// Trial is a tried set of values.
type Trial struct {
	Number   int       // 0 for the baseline, then in the order of the first runs
	From     string    // the stage that proposed it; empty for the baseline
	Values   []string  // of the parameters; nil for the baseline
	Place    []float64 // in the unit cube
	Runs     [][]study.Run
	Outcomes []Outcome // of each replication from 0
	Dropped  Drop

	admitted any // data of the laboratory
}

// Outcome is one replication of a trial, in all scenarios of the search.
type Outcome struct {
	// Loss is the mean over the scenarios of ln(objective / objective of the
	// baseline), negated if more is better; NaN if undefined.
	Loss float64
	Over []float64 // how far each constraint is missed in each scenario; met if 0 or less
}

// Drop records when and why a trial was dropped.
type Drop struct {
	Round int // index into Result.Rounds
	Why   Why
	As    *Trial // the trial with the same runs, if Why is Same
}

// Why is the reason why a trial was dropped.
type Why string

// Reasons to drop a trial.
const (
	Kept      Why = ""                 // not dropped
	Worse     Why = "shown worse"      // worse by the paired test
	Missed    Why = "constraint shown" // misses a constraint by the same test
	Undefined Why = "undefined"        // the objective or a constraint is undefined in some run
	Same      Why = "same runs"        // same runs as another trial, attempt for attempt: more would be wasted
	Cut       Why = "cut"              // in the worse half, or beyond the budget
)

// Round is one round of a race, or the local search.
type Round struct {
	study.Round
	Leader *Trial
	Loss   float64 // of the leader
	Spent  int     // runs so far
}

// alarm bounds the probability that the tests of all rounds drop the best trial.
const alarm = 0.05

// firstTest is the least number of seeds for a test: with fewer, Student's
// interval shows nothing.
const firstTest = 4

// laboratory describes the space of a search and measures trials.
type laboratory struct {
	cost    int                           // runs of one replication
	ranged  []bool                        // for each parameter, whether it is a range
	sides   func(parameter int) []float64 // extreme places of a parameter: both ends, or every value of a list
	values  func(place []float64) []string
	same    func(a, b *Trial, n int) bool   // reports whether the first n replications have the same runs; nil: never
	admit   func(*Trial) bool               // loads the scenarios of a trial; false if they refuse its values
	measure func(all []*Trial, n int) error // makes runs until each trial has n outcomes
}

// search is the state of a search.
type search struct {
	lab      laboratory
	budget   int
	spent    int
	baseline *Trial
	trials   []*Trial
	byValues map[string]*Trial
	rounds   []Round
	tests    int // rounds with a test so far
	// probed holds the parameters that were varied around some trial, matters those
	// of them that made a difference there.
	probed, matters map[int]bool
	refused         int // places that the scenarios refuse
}

// run runs the whole search and returns the winner.
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
		for i := range s.lab.ranged { // every place gave the runs of the baseline
			s.probed[i] = true
		}
	}
	found, err := s.local(field, seeds, int(localShare*float64(s.budget)))
	if err != nil {
		return nil, err
	}
	return s.final(append(field, found...), seeds)
}

// plan returns how many points the budget can screen, and how often the seeds
// double until only finalists are left: each doubling costs half as much as
// screening the points.
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

// screen returns the given number of different trials from the Halton sequence,
// or fewer if the space does not have as many.
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

// at returns the trial at a place, and whether it existed before; nil if the
// scenarios refuse its values.
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

// price returns the number of runs that are missing for n replications of each
// trial.
func (s *search) price(field []*Trial, n int) int {
	missing := max(0, n-len(s.baseline.Outcomes))
	for _, t := range field {
		if t != s.baseline {
			missing += max(0, n-len(t.Outcomes))
		}
	}
	return missing * s.lab.cost
}

// measure makes the runs that are missing for n replications of each trial. The
// baseline comes first, since all others are compared with it.
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

// final doubles the seeds of the field until one trial is left or the budget is
// spent, and returns the winner. Where the budget is too small for all, the worst
// trials are dropped first.
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

// check panics if the search has exceeded its budget.
func (s *search) check() {
	if s.spent > s.budget {
		panic(fmt.Sprintf("tune: %d runs with a budget of %d", s.spent, s.budget))
	}
}
