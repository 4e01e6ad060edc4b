// Package tuning reports a search for parameters: the winner against the
// baseline on draws that the search has not seen, the front, and all trials. It
// searches nothing itself. The command line calls it.
package tuning

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"flyball/internal/stats"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/runlog"
	"flyball/reports/study"
	design "flyball/scenarios/study"
)

// Report is the result of a search for the best values of some parameters, and of its
// check with held-out draws.
type Report struct {
	Name        string         `json:"name"`
	About       string         `json:"about"`
	ID          string         `json:"study_id"` // SHA-256 of all that decides its numbers
	Digest      string         `json:"digest"`   // of the digests of all runs, in order
	Seed        uint64         `json:"seed"`
	Level       float64        `json:"level"` // confidence of all intervals
	Scenarios   []string       `json:"scenarios"`
	Unseen      []string       `json:"held_out_scenarios"`
	Objective   string         `json:"objective"`
	Goal        string         `json:"goal"` // "minimise" or "maximise"
	Constraints []Constraint   `json:"constraints"`
	Parameters  []Key          `json:"parameters"`
	Budget      int            `json:"budget"` // runs
	Spent       int            `json:"spent"`
	Tried       int            `json:"trials"` // the baseline among them
	Refused     int            `json:"refused"`
	Stages      []Stage        `json:"stages"`
	Winner      Winner         `json:"winner"`
	HeldOut     *HeldOut       `json:"held_out"` // nil if the baseline won
	Verdict     design.Verdict `json:"verdict"`
	Metrics     []string       `json:"metrics"`
	Trials      []Trial        `json:"-"` // trials.csv
	Runs        []Run          `json:"-"` // runs.csv
	Best        []ResolvedFile `json:"-"` // every scenario with the winner's values
	Host        folder.Host    `json:"-"`
	Replay      string         `json:"-"`
}

// Key is a parameter, its range and the winner's value.
type Key struct {
	Keys  []string `json:"keys"`
	From  string   `json:"from"` // as in "1.0 to 64.0, log" or "a, b, c"
	Value string   `json:"value"`
	// Flat: around the best trials every value made the same runs, attempt for attempt.
	Flat bool `json:"no_effect"`
}

// Constraint is a condition on a metric that a trial must meet.
type Constraint struct {
	Metric string  `json:"metric"`
	As     string  `json:"as"` // "value", "ratio" or "difference", to or from the baseline's
	Op     string  `json:"op"`
	Value  float64 `json:"value"`
}

func (l Constraint) what() string {
	switch l.As {
	case "ratio":
		return l.Metric + " / baseline"
	case "difference":
		return l.Metric + " - baseline"
	}
	return l.Metric
}

// String returns the constraint as in a study: metric, operator and value.
func (l Constraint) String() string {
	return fmt.Sprintf("%s %s %s", l.what(), l.Op, format.Given(l.Value))
}

// less reports whether a is better than b as the value of the constraint.
func (l Constraint) less(a, b float64) bool {
	if l.Op == ">=" {
		return a > b
	}
	return a < b
}

// Stage is one round of the search.
type Stage struct {
	design.Round
	Leader int        `json:"leader"`
	Ratio  format.Num `json:"ratio"` // leader's objective / baseline's
	Spent  int        `json:"spent"` // runs so far
}

// Winner is the trial that the search ends with.
type Winner struct {
	Number int      `json:"trial"` // 0 is the baseline
	From   string   `json:"from"`
	Set    []string `json:"set"` // path.to.key=value
	// Training is objective / baseline's objective, as the search measured it.
	Training measure.Estimate `json:"training"`
	Met      bool             `json:"constraints_met"` // in the search
}

// HeldOut compares winner and baseline with draws and in scenarios that the search did
// not use.
type HeldOut struct {
	First        uint64             `json:"first_replication"`
	Replications int                `json:"replications"`
	Here         measure.Estimate   `json:"ratio"`               // in the scenarios of the search
	Beyond       *measure.Estimate  `json:"ratio_beyond"`        // in the held-out scenarios; nil if there are none
	Gap          measure.Estimate   `json:"gap"`                 // ratio / training ratio: the winner's curse
	Cells        []Cell             `json:"cells"`               // metric by metric in each scenario
	Limits       []ConstraintResult `json:"constraints"`         //
	Missed       []string           `json:"missed_expectations"` // of the winner
}

// Cell is one metric in one scenario.
type Cell struct {
	Scenario string           `json:"scenario"`
	Metric   string           `json:"metric"`
	Base     measure.Estimate `json:"baseline"` // a time that never came counts with the time that the run was watched
	Winner   measure.Estimate `json:"winner"`
	Ratio    measure.Estimate `json:"ratio"` // N = 0: there is none
}

// ConstraintResult is one constraint in one scenario.
type ConstraintResult struct {
	Scenario string           `json:"scenario"`
	Limit    int              `json:"constraint"` // place in Report.Constraints
	Value    measure.Estimate `json:"value"`
	Met      bool             `json:"met"` // in the mean
}

// Trial is one set of values that was tried.
type Trial struct {
	Number int
	From   string
	Values []string // empty for the baseline
	Seeds  int
	Ratio  format.Num   // objective / baseline's
	Terms  []format.Num // what each constraint compares, in the scenario that is worst
	Met    bool
	Round  int    // in which it was dropped, from 1; 0: never
	Why    string // it was dropped
	Front  bool   // no other trial is as good in everything and better in something
}

// Run is one run of the search or with held-out draws.
type Run struct {
	Trial       int
	Scenario    int // place in Scenarios, then in Unseen
	Replication uint64
	study.Run
}

// ResolvedFile is a scenario with every value spelled out.
type ResolvedFile struct {
	Scenario string
	Text     []byte
	Expect   []measure.Expectation
}

// RatioOfLoss returns a ratio from its logarithm, whose sign is reversed if more is
// better.
func RatioOfLoss(i stats.Interval, goal string) measure.Estimate {
	if goal == "maximise" {
		i.Value, i.Low, i.High = -i.Value, -i.High, -i.Low
	}
	return RatioOfLog(i)
}

// RatioOfLog returns a ratio from its logarithm.
func RatioOfLog(i stats.Interval) measure.Estimate {
	i.Value, i.Low, i.High = math.Exp(i.Value), math.Exp(i.Low), math.Exp(i.High)
	e := measure.Estimated(i)
	if i.N < 2 {
		e.Low, e.High = format.Missing, format.Missing
	}
	return e
}

// Gather completes a report with what follows from its parts: the digest, the Pareto
// front and the expectations that the winner missed.
func Gather(t Report, host runlog.Host) *Report {
	t.Level, t.Tried, t.Host = measure.Confidence, len(t.Trials), folder.NewHost(host, format.Missing)
	var digests strings.Builder
	for _, r := range t.Runs {
		fmt.Fprintln(&digests, r.Digest)
	}
	t.Digest = folder.Digest([]byte(digests.String()))[:16]
	t.Trials = slices.Clone(t.Trials)
	for i := range t.Trials {
		t.Trials[i].Front = !slices.ContainsFunc(t.Trials, func(o Trial) bool { return t.dominates(o, t.Trials[i]) })
	}
	if h := t.HeldOut; h != nil {
		h.Missed = []string{}
		for i, b := range t.Best {
			met, of := map[string]int{}, 0
			var results []measure.Result
			for _, r := range t.Runs {
				if r.Scenario != i || r.Trial != t.Winner.Number || r.Replication < h.First {
					continue
				}
				of++
				values := map[string]float64{}
				for k, m := range t.Metrics {
					values[m] = r.Values[k]
				}
				results = measure.Evaluate("sim", values, b.Expect)
				for _, e := range results {
					if e.Met() {
						met[expected(e)]++
					}
				}
			}
			for _, e := range results {
				if n := met[expected(e)]; n < of {
					h.Missed = append(h.Missed, fmt.Sprintf("%s in %s, in %d of %d replications", expected(e),
						b.Scenario, of-n, of))
				}
			}
		}
	}
	return &t
}

func expected(e measure.Result) string { return fmt.Sprintf("%s %s %g", e.Metric, e.Op, e.Limit) }

func (t *Report) dominates(a, b Trial) bool {
	if !a.Ratio.Known() {
		return false
	}
	better := !b.Ratio.Known()
	if !better {
		if t.less(b.Ratio, a.Ratio) {
			return false
		}
		better = t.less(a.Ratio, b.Ratio)
	}
	for k, l := range t.Constraints {
		x, y := float64(a.Terms[k]), float64(b.Terms[k])
		if l.less(y, x) {
			return false
		}
		better = better || l.less(x, y)
	}
	return better
}

// less reports whether one objective is better than another.
func (t *Report) less(a, b format.Num) bool {
	if t.Goal == "maximise" {
		return a > b
	}
	return a < b
}

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

// Text writes the report for a terminal.
func (t *Report) Text(w io.Writer, color bool) error {
	return format.Text{Title: fmt.Sprintf("%s (%s)", t.Name, t.world()), About: t.About, Answer: t.Answer(),
		Tables: t.tables(), Seal: fmt.Sprintf("Seed %d, digest %s, study %.12s", t.Seed, t.Digest, t.ID),
		Replay: t.Replay}.Write(w, color)
}

func (t *Report) world() string {
	return fmt.Sprintf("%s in %s, %s, simulated", format.Plural(uint64(t.Tried), "trial"),
		format.Plural(uint64(len(t.Scenarios)), "scenario"), format.Plural(uint64(t.Spent), "run"))
}

func (t *Report) tables() []format.Table {
	return []format.Table{t.valueTable(), t.heldOutTable(), t.stageTable(), t.trialTable(12)}
}

func (t *Report) valueTable() format.Table {
	out := format.Table{Caption: "The winner's values", Head: []string{"key", "searched", "value"}, Left: 2}
	if t.HeldOut == nil {
		return out
	}
	for _, p := range t.Parameters {
		out.Rows = append(out.Rows, []string{strings.Join(p.Keys, ", "), p.From, p.Value})
	}
	return out
}

func (t *Report) heldOutTable() format.Table {
	out := format.Table{Caption: "Under held-out luck: means, and the geometric mean of winner / baseline with its " +
		"95 % interval",
		Head: []string{"scenario", "metric", "baseline", "winner", "ratio", "low", "high"}, Left: 2}
	if t.HeldOut == nil {
		return out
	}
	number := func(n format.Num) string { return format.Figure(float64(n)) }
	for _, c := range t.HeldOut.Cells {
		row := []string{c.Scenario, c.Metric, number(c.Base.Value), number(c.Winner.Value), "-", "-", "-"}
		if c.Ratio.N > 0 {
			row[4], row[5], row[6] = number(c.Ratio.Value), number(c.Ratio.Low), number(c.Ratio.High)
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func (t *Report) stageTable() format.Table {
	out := format.Table{Caption: "The search: who was dropped by the test for the objective, for a constraint, for " +
		"the same runs as another, and who was cut",
		Head: []string{"stage", "seeds", "entered", "worse", "constraint", "same", "cut", "left", "leader", "ratio",
			"runs"}, Left: 1}
	for _, s := range t.Stages {
		out.Rows = append(out.Rows, []string{s.Stage, fmt.Sprint(s.Seeds), fmt.Sprint(s.Entered), fmt.Sprint(s.Worse),
			fmt.Sprint(s.Missed), fmt.Sprint(s.Same), fmt.Sprint(s.Cut),
			fmt.Sprint(s.Left), fmt.Sprint(s.Leader), format.Figure(float64(s.Ratio)), fmt.Sprint(s.Spent)})
	}
	return out
}

// trialTable returns a table of the Pareto front, with at most the given number of rows.
func (t *Report) trialTable(most int) format.Table {
	out := format.Table{Caption: "Pareto front: what one can have for what, as the search saw it",
		Head: []string{"trial"}}
	for _, p := range t.Parameters {
		out.Head = append(out.Head, p.Keys[0])
	}
	out.Head = append(out.Head, "seeds", t.Objective+" / baseline")
	for _, l := range t.Constraints {
		out.Head = append(out.Head, l.what())
	}
	front := t.front()
	if len(t.Constraints) == 0 || len(front) == 0 {
		return out
	}
	if len(front) > most {
		out.Caption += fmt.Sprintf(" (%d of %d)", most, len(front))
	}
	n := min(most, len(front))
	for i := range n {
		x := front[i*(len(front)-1)/max(1, n-1)]
		row := []string{fmt.Sprint(x.Number)}
		for k := range t.Parameters {
			if x.Values == nil {
				row = append(row, "as it is")
				continue
			}
			row = append(row, x.Values[k])
		}
		row = append(row, fmt.Sprint(x.Seeds), format.Figure(float64(x.Ratio)))
		for _, v := range x.Terms {
			row = append(row, format.Figure(float64(v)))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// front returns the trials that no other trial dominates, the best objective first.
func (t *Report) front() []Trial {
	var all []Trial
	for _, x := range t.Trials {
		if x.Front && x.Ratio.Known() {
			all = append(all, x)
		}
	}
	slices.SortStableFunc(all, func(a, b Trial) int {
		if t.Goal == "maximise" {
			a, b = b, a
		}
		return cmp.Compare(a.Ratio, b.Ratio)
	})
	return all
}
