// Package tuning reports a search for parameters: the winner against the
// baseline on draws that the search has not seen, the front, and all trials. It
// searches nothing itself. The command line calls it.
package tuning

import (
	"cmp"
	"fmt"
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
	HeldOut     *HeldOut       `json:"held_out"` // null if the baseline won
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
	Beyond       *measure.Estimate  `json:"ratio_beyond"`        // in the held-out scenarios; null if there are none
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
