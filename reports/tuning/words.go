package tuning

import (
	"fmt"
	"math"
	"strings"

	"flyball/reports/format"
	"flyball/reports/measure"
	design "flyball/scenarios/study"
)

// Answer returns sentences on what was found: first whether the winner is better.
func (t *Report) Answer() []string {
	what := fmt.Sprintf("%s, as a geometric mean over %s,", t.Objective,
		format.Plural(uint64(len(t.Scenarios)), "scenario"))
	if len(t.Scenarios) == 1 {
		what = t.Objective
	}
	spent := fmt.Sprintf("%s of %s runs were spent on %s.", format.Grouped(float64(t.Spent), 0),
		format.Grouped(float64(t.Budget), 0), format.Plural(uint64(t.Tried), "trial"))
	if t.Refused > 0 {
		spent += fmt.Sprintf(" Not a valid scenario: %s of the space.", format.Plural(uint64(t.Refused), "place"))
	}
	h := t.HeldOut
	if h == nil {
		return append(append([]string{"Nothing better than the baseline was found."}, t.flat()...), spent)
	}
	luck := fmt.Sprintf("under held-out luck (%s)", format.Plural(uint64(h.Replications), "replication"))
	ratio := fmt.Sprintf("%s is %s x the baseline's", what, timesOf(h.Here))
	says := ratio + " " + luck
	var first string
	missed := h.missed(t.Constraints)
	switch t.Verdict {
	case design.ShownBetter:
		first = fmt.Sprintf("Shown better: %s.", says)
	case design.ShownBetterHere:
		first = fmt.Sprintf("Shown better in the scenarios that were searched, not beyond them: %s.", says)
	case design.ShownWorse:
		first = fmt.Sprintf("Worse: %s.", says)
	case design.MissesLimit:
		first = fmt.Sprintf("Misses a constraint %s: %s.", luck, strings.Join(missed, "; "))
	default:
		first = fmt.Sprintf("Not shown better: %s.", says)
	}
	all := []string{first}
	if t.Verdict == design.MissesLimit {
		all = append(all, ratio+".")
	}
	gap := fmt.Sprintf("The search had %s x: ", format.Figure(float64(t.Winner.Training.Value)))
	if off := 100 * (float64(h.Gap.Value) - 1); h.Gap.Low.Known() {
		gap += fmt.Sprintf("the winner's curse is %s (%s to %s) of the ratio.", percentSigned(off),
			percentSigned(100*(float64(h.Gap.Low)-1)), percentSigned(100*(float64(h.Gap.High)-1)))
	} else {
		gap += fmt.Sprintf("the winner's curse is %s of the ratio; the search gave the winner too few seeds for an "+
			"interval.", percentSigned(off))
	}
	all = append(all, gap)
	if h.Beyond != nil {
		all = append(all, fmt.Sprintf("In %s, which the search did not see, it is %s x the baseline's.",
			format.Listed(t.Unseen), timesOf(*h.Beyond)))
	}
	switch {
	case len(t.Constraints) == 0:
	case missed == nil:
		all = append(all, fmt.Sprintf("Constraints, %s: met in the mean of every scenario.", format.Listed(t.limits())))
	case t.Verdict != design.MissesLimit:
		all = append(all, fmt.Sprintf("Constraints missed in the mean: %s.", strings.Join(missed, "; ")))
	}
	if len(h.Missed) > 0 {
		all = append(all, fmt.Sprintf("Expectations of the scenarios that the winner misses: %s.",
			format.Listed(h.Missed)))
	}
	return append(append(all, fmt.Sprintf("The winner, trial %d of the %s: %s.", t.Winner.Number, t.Winner.From,
		strings.Join(t.Winner.Set, ", "))), append(t.flat(), spent)...)
}

// flat returns sentences on the parameters that have no effect.
func (t *Report) flat() []string {
	var all []string
	for _, p := range t.Parameters {
		if p.Flat {
			all = append(all, fmt.Sprintf("%s does not matter within the range tried, %s: around the best trials "+
				"every value made the same runs, so no more were spent on it.",
				strings.Join(p.Keys, ", "), p.From))
		}
	}
	return all
}

// missed returns the constraints that are missed in the mean, with the scenarios.
func (h *HeldOut) missed(constraints []Constraint) []string {
	var all []string
	for _, l := range h.Limits {
		if c := constraints[l.Limit]; !l.Met {
			all = append(all, fmt.Sprintf("%s in %s is %s, want %s %s", c.what(), l.Scenario, plusMinus(l.Value), c.Op,
				format.Given(c.Value)))
		}
	}
	return all
}

func (t *Report) limits() []string {
	var all []string
	for _, l := range t.Constraints {
		all = append(all, l.String())
	}
	return all
}

// timesOf writes a ratio with its interval.
func timesOf(e measure.Estimate) string {
	if !e.Low.Known() {
		return format.Figure(float64(e.Value))
	}
	return fmt.Sprintf("%s (%s to %s)", format.Figure(float64(e.Value)), format.Figure(float64(e.Low)),
		format.Figure(float64(e.High)))
}

func plusMinus(e measure.Estimate) string {
	if half := measure.HalfWidth(e); half.Known() {
		return format.Figure(float64(e.Value)) + " +- " + format.Figure(float64(half))
	}
	return e.Value.String()
}

func percentSigned(v float64) string {
	if math.Abs(v) < 0.05 {
		v = 0
	}
	return fmt.Sprintf("%+.1f %%", v)
}
