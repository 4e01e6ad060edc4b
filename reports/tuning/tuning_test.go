package tuning

import (
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"flyball/internal/stats"
	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/runlog"
	"flyball/reports/study"
	design "flyball/scenarios/study"
)

// found is a search of four trials: the front is the baseline, 1 and 3.
func found() Report {
	trial := func(n int, ratio, tv format.Num) Trial {
		return Trial{Number: n, From: "screening", Values: []string{"4"}, Seeds: 2, Ratio: ratio,
			Terms: []format.Num{tv}, Met: tv <= 1.2}
	}
	base := trial(0, 1, 1)
	base.Values, base.From = nil, ""
	h := &HeldOut{First: 100, Replications: 20, Here: RatioOfLog(stats.Interval{Value: -0.5, Low: -0.6, High: -0.4,
		N: 20}),
		Gap:    RatioOfLog(stats.Interval{Value: 0.1, Low: 0.05, High: 0.15, N: 24}),
		Limits: []ConstraintResult{{Scenario: "s", Met: true}}}
	return Report{Name: "found", Scenarios: []string{"s"}, Objective: "iae_target_hours", Goal: "minimise",
		Constraints: []Constraint{{"total_variation", "ratio", "<=", 1.2}},
		Parameters:  []Key{{Keys: []string{"governor.d"}, From: "1 to 9, log", Value: "4"}},
		Budget:      40, Spent: 38, Verdict: design.ShownBetter, Metrics: []string{"iae_target_hours"}, HeldOut: h,
		Winner: Winner{Number: 3, From: "screening", Set: []string{"governor.d=4"},
			Training: RatioOfLog(stats.Interval{Value: -0.6, N: 4})},
		Trials: []Trial{base, trial(1, 0.4, 1.5), trial(2, 0.7, 1.3), trial(3, 0.6, 1.1)}}
}

// A trial is on the front unless another is as good in everything and better in
// something.
func TestTuningFront(t *testing.T) {
	got := Gather(found(), runlog.Host{})
	var front []int
	for _, x := range got.front() {
		front = append(front, x.Number)
	}
	if !slices.Equal(front, []int{1, 3, 0}) {
		t.Errorf("the front is %v, want [1 3 0]", front)
	}
	more := found()
	more.Goal = "maximise"
	front = nil
	for _, x := range Gather(more, runlog.Host{}).front() {
		front = append(front, x.Number)
	}
	if !slices.Equal(front, []int{0}) {
		t.Errorf("where more is better the front is %v, want the baseline alone", front)
	}
	_, plane := got.plane(0)
	if len(plane) != 3 || plane[0].trial.Number != 0 || plane[2].trial.Number != 1 {
		t.Errorf("the front of the plane is %v", plane)
	}
	if c := got.course(); !slices.Equal(c, []format.Num{1, 1, 1, 0.6}) {
		t.Errorf("the course is %v: only what meets the constraints counts", c)
	}
}

// Every verdict has its first sentence, and the winner's curse is said.
func TestTuningAnswer(t *testing.T) {
	for verdict, want := range map[design.Verdict]string{
		design.ShownBetter: "Shown better: iae_target_hours is 0.6065 (0.5488 to 0.6703) x the baseline's under " +
			"held-out luck (20 replications).",
		design.ShownBetterHere: "Shown better in the scenarios that were searched, not beyond them: ",
		design.NotShownBetter:  "Not shown better: ",
		design.ShownWorse:      "Worse: ",
		design.MissesLimit: "Misses a constraint under held-out luck (20 replications): total_variation / " +
			"baseline in s is 1.300 +- 0.1000, want <= 1.2.",
	} {
		f := found()
		f.Verdict = verdict
		if verdict == design.MissesLimit {
			f.HeldOut.Limits[0] = ConstraintResult{Scenario: "s",
				Value: measure.Estimate{Value: 1.3, Low: 1.2, High: 1.4}}
		}
		said := Gather(f, runlog.Host{}).Answer()
		if !strings.HasPrefix(said[0], want) {
			t.Errorf("%s: %s", verdict, said[0])
		}
		if want := "The search had 0.5488 x: the winner's curse is +10.5 % (+5.1 % to +16.2 %) of the " +
			"ratio."; !slices.Contains(said, want) {
			t.Errorf("got %q\nwant %s", said, want)
		}
	}
	f := found()
	f.HeldOut, f.Verdict = nil, design.NothingBetter
	if said := Gather(f, runlog.Host{}).Answer()[0]; said != "Nothing better than the baseline was found." {
		t.Error(said)
	}
}

// No two kinds of points of a figure look alike.
func TestTuningLegend(t *testing.T) {
	f := found()
	more := f.Trials[1]
	more.Number, more.From = 4, "local search"
	f.Trials = append(f.Trials, more)
	got := Gather(f, runlog.Host{})
	for _, p := range []chart.Panel{got.searchPanel(), got.paretoPanel(0)} {
		type look struct {
			color         int
			dash, scatter bool
			width         vg.Length
		}
		seen := map[look]string{}
		for _, l := range p.Lines {
			is := look{l.Color, l.Dash, l.Scatter, l.Width}
			if other, ok := seen[is]; ok {
				t.Errorf("%s: %q looks like %q", p.X, l.Label, other)
			}
			seen[is] = l.Label
		}
	}
}

// If more is better, the ratio is exp(-loss), with the bounds swapped.
func TestRatioOfLoss(t *testing.T) {
	e := RatioOfLoss(stats.Interval{Value: -1, Low: -2, High: 0.5, N: 9}, "maximise")
	if !(e.Low < e.Value && e.Value < e.High) || format.Figure(float64(e.High)) != "7.389" {
		t.Errorf("%+v", e)
	}
}

// The winner misses an expectation in one of three held-out runs; what it did in
// the search and what others did do not count.
func TestMissedExpectationsAreCounted(t *testing.T) {
	f := found()
	f.Best = []ResolvedFile{{Scenario: "s", Expect: []measure.Expectation{{Metric: "iae_target_hours", Op: "<=",
		Value: 5, In: "any"}}}}
	of := func(trial int, replication uint64, lost float64) Run {
		return Run{Trial: trial, Replication: replication, Run: study.Run{Values: []float64{lost}}}
	}
	f.Runs = []Run{of(3, 0, 9), of(3, 100, 4), of(3, 101, 6), of(3, 102, 5), of(0, 100, 9), of(0, 101, 9)}
	got := Gather(f, runlog.Host{}).HeldOut.Missed
	if want := []string{"iae_target_hours <= 5 in s, in 1 of 3 replications"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The winner has its name and its value beside it, and the limit its number.
func TestFigureNamesTheWinner(t *testing.T) {
	figures, err := Gather(found(), runlog.Host{}).Figures()
	if err != nil {
		t.Fatal(err)
	}
	for i, wants := range [][]string{{"winner, trial 3: 0.6000", "limit, 1.2"}, {"winner, trial 3: 0.6000"}} {
		for _, want := range wants {
			if !strings.Contains(string(figures[i].SVG), ">"+want+"</text>") {
				t.Errorf("%s: no %q", figures[i].Name, want)
			}
		}
	}
}
