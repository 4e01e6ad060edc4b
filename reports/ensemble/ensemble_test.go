package ensemble

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/governor"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// observed is what an ensemble keeps of that replication.
func observed(number, short int, rates ...[]float64) Observation {
	return Observe(fold(handmade.Rated(number, short, rates...), handmade.Expect("settling_intervals_5pct", "<=", 5)))
}

func gathered(s *scenarios.Scenario, runs ...Observation) *Report {
	return Gather(s, runs, Asked{Replications: len(runs)}, runlog.Host{Wall: vt.Second},
		"flyball run hand-made --seed 42 --replications 20")
}

func textOf(t *testing.T, e *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := e.Text(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMeasuresOfAnEnsemble(t *testing.T) {
	var runs []Observation
	for i, after := range []int{5, 3, 4, 5, 3, 4, 5, 3, 4, 4} { // mean 4, sum of squares 6
		runs = append(runs, observed(i, handmade.AllFull, handmade.Settles(after, 20)))
	}
	e := gathered(handmade.Asking(t, "terminating"), runs...)
	m := e.Measure("settling_intervals_5pct")
	// t(9) = 2.262157, s = sqrt(6/9)
	half := 2.262157163 * math.Sqrt(6.0/9) / math.Sqrt(10)
	if m.Value != 4 || math.Abs(float64(m.High)-4-half) > 1e-6 || math.Abs(4-float64(m.Low)-half) > 1e-6 || m.N != 10 ||
		m.Level != 0.95 {
		t.Errorf("%+v", m)
	}
	if m.Least != 3 || m.LeastIn != 1 || m.Most != 5 || m.MostIn != 0 || m.Never != 0 || m.Horizon != 20 ||
		m.Undefined != 0 {
		t.Errorf("%+v", m)
	}
	if rate := e.Measure("rate_per_h"); rate.Value != 140_000 || rate.Low != rate.High {
		t.Errorf("%+v", rate)
	}
	if e.Replications != 10 || e.Partial || e.Steady != nil || e.Precision != nil || !e.OK() ||
		e.Kind != "terminating" {
		t.Errorf("%+v", e)
	}
	for _, m := range e.Measures {
		if v := e.runs[0].Metrics[m.Metric]; m.Least > format.Num(v) || m.Most < format.Num(v) {
			t.Errorf("%s: %v outside of %v to %v", m.Metric, v, m.Least, m.Most)
		}
	}
	if names := Measures(handmade.Asking(t, "terminating")); len(names) != len(e.Measures) ||
		len(names) != len(measure.Metrics()) {
		t.Errorf("%d measures", len(names))
	}
}

// Two runs that leave the 5 % in turns never settle, though their mean lies on
// the target all the time: of runs under noise a settling time says nothing.
func TestTheMeanSettlesWhereNoRunDoes(t *testing.T) {
	up, down := make([]float64, 20), make([]float64, 20)
	for i := range up {
		up[i], down[i] = 151_200, 128_800 // 8 % off
		if i%2 == 1 {
			up[i], down[i] = down[i], up[i]
		}
	}
	s := handmade.Asking(t, "terminating")
	e := gathered(s, observed(0, handmade.AllFull, up), observed(1, handmade.AllFull, down))
	got := e.Settling[0]
	if got.OfMean != 0 || got.Earliest != 0 || got.Latest.Known() || got.Judged != 20 || got.Runs != 2 ||
		got.Never != 2 {
		t.Errorf("two: %+v", got)
	}
	var many []Observation
	for i := range 20 {
		many = append(many, observed(2*i, handmade.AllFull, up), observed(2*i+1, handmade.AllFull, down))
	}
	e = gathered(s, many...)
	// s = 8 % x sqrt(40/39) and t(39) = 2.0227: the band is +- 2.6 %.
	if got = e.Settling[0]; got.OfMean != 0 || got.Earliest != 0 || got.Latest != 0 || got.Never != 40 ||
		got.Horizon != 20 {
		t.Errorf("forty: %+v", got)
	}
	text := strings.Join(strings.Fields(textOf(t, e)), " ")
	for _, want := range []string{
		"Converged: the mean of 40 replications settled within 5 % of 140,000/h from the first interval on.",
		"One by one: 0 of 40 replications settled (0.0 % to 8.8 %).",
		"! settling_intervals_2pct, settling_intervals_5pct: not reached in 40 of 40 replications within 20 " +
			"intervals that all were watched, so the median stands for the mean.",
		"Expectations: all replications met 0 of 1",
		"0 of 40 0.0 % to 8.8 % missed first in replication 0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// The band of the mean says when it may have settled and when it surely has.
func TestSettlingOfTheBand(t *testing.T) {
	path := func(off float64) []float64 {
		p := slices.Repeat([]float64{140_000}, 12)
		for i, share := range []float64{-0.30, -0.10, -0.054, -0.02} { // the mean enters the 5 % in interval 3
			p[i] = 140_000 * (1 + share + off)
		}
		return p
	}
	var runs []Observation
	for i := range 10 {
		off := 0.01 // half of the runs on either side: band +- 2.262 x 0.0105 / sqrt(10) = 0.75 %
		if i%2 == 1 {
			off = -off
		}
		runs = append(runs, observed(i, handmade.AllFull, path(off)))
	}
	if got := gathered(handmade.Asking(t, "terminating"), runs...).Settling[0]; got.OfMean != 3 || got.Earliest != 2 ||
		got.Latest != 3 {
		t.Errorf("after %v, by its band %v to %v", got.OfMean, got.Earliest, got.Latest)
	}
}

// Runs that never settle count as the horizon; they are neither dropped nor
// forgotten.
func TestCensoredRunsCount(t *testing.T) {
	var runs []Observation
	for i := range 10 {
		after := 5
		if i%4 == 1 { // 1, 5, 9
			after = 20
		}
		runs = append(runs, observed(i, handmade.AllFull, handmade.Settles(after, 20)))
	}
	runs[3] = observed(3, 19, handmade.Settles(5, 24)) // ran out of work after 19 intervals
	e := gathered(handmade.Asking(t, "terminating"), runs...)
	got := e.Settling[0]
	if got.Runs != 10 || got.Never != 3 || got.Horizon != 19 || got.Judged != 19 {
		t.Errorf("%+v", got)
	}
	if got.Share.Value != 0.7 || got.Median.Value != 5 || got.Median.Low != 5 || got.Median.High.Known() ||
		got.NinetyPct.Value.Known() {
		t.Errorf("share %+v, median %+v, 90 %% %+v", got.Share, got.Median, got.NinetyPct)
	}
	if m := e.Measure("settling_intervals_5pct"); m.Never != 3 || m.N != 10 || m.Value != 5 ||
		m.Statistic != "median" || m.Most != 5 || m.Low != 5 || m.High.Known() {
		t.Errorf("%+v", m)
	}
	if e.OK() || e.Odd() != 1 || e.Expectations[0].Met != 7 || e.Expectations[0].FirstMissed != 1 {
		t.Errorf("odd one %d, %+v", e.Odd(), e.Expectations)
	}
	text := strings.Join(strings.Fields(textOf(t, e)), " ")
	for _, want := range []string{"One by one: 7 of 10 replications settled (34.8 % to 93.3 %), half of all within 5 " +
		"intervals (5 to never); 3 had not within the 19 intervals that all were watched.",
		"median 5 intervals 5 to never", "never 3 runs"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	rows := handmade.ReadRows(t, e.replicationsCSV())
	for i, row := range rows[1:] {
		want := map[bool]string{true: "never", false: "yes"}[i%4 == 1]
		if row[3] != want || row[0] != fmt.Sprint(i) || row[2] != e.runs[i].Digest {
			t.Errorf("row %d: %v", i, row)
		}
	}
	if rows[4][4] != "19" || rows[5][4] != "20" || len(rows) != 11 {
		t.Errorf("%d rows, watched for %s and %s intervals", len(rows), rows[4][4], rows[5][4])
	}
}

func TestMeanCourse(t *testing.T) {
	e := gathered(handmade.Asking(t, "terminating"),
		observed(0, 2, []float64{100_000, 120_000, 140_000}),
		observed(1, 3, []float64{104_000, 120_000, 150_000, 90_000}),
		observed(2, 3, []float64{108_000, 120_000, 160_000, 70_000, 5_000}))
	rows := handmade.ReadRows(t, e.trajectoryCSV())
	want := []string{ // t(2) = 4.302653, s / sqrt(3) = 2309.40
		"b1 0 10800 3 3 104000 94063.45 113936.55 100000 108000 104 94.06 113.94 100 108 140000",
		"b1 1 21600 3 3 120000 120000 120000 120000 120000 120 120 120 120 120 140000",
		"b1 2 32400 3 2 150000 125158.62 174841.38 140000 160000 150 125.16 174.84 140 160 140000",
		"b1 3 43200 2 0 80000 -47062.05 207062.05 70000 90000 80 -47.06 207.06 70 90 140000",
		"b1 4 54000 1 0 5000   5000 5000 5   5 5 140000",
	}
	for i, row := range rows[1:] {
		for k, field := range row {
			if _, fraction, ok := strings.Cut(field, "."); ok && len(fraction) > 2 {
				var v float64
				fmt.Sscan(field, &v)
				row[k] = fmt.Sprintf("%.2f", v)
			}
		}
		if got := strings.Join(row, " "); got != want[i] {
			t.Errorf("row %d:\n got %s\nwant %s", i, got, want[i])
		}
	}
	if len(rows) != 6 || e.Settling[0].Judged != 2 {
		t.Errorf("%d rows, %d judged in all", len(rows), e.Settling[0].Judged)
	}
	// C holds in the interval after the one that decided it; at first it is the
	// governor's start.
	steps := e.InForce(e.StepsOf("b1"))
	if len(steps) != 3 || steps[0].C.Value != 40 || steps[1].C.Value != 104 || steps[2].C.Value != 120 ||
		steps[2].Rate.Value != 150_000 {
		t.Errorf("%+v", steps)
	}
}

// An interval that the end of the run cut short is not part of a course.
func TestPartialIntervalsAreLeftOut(t *testing.T) {
	r := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 20, Plant: handmade.Contended, Dfr: 1.15})
	r.Intervals[19].Partial = true
	if o := Observe(fold(r)); len(o.tracks[0].points) != 19 || o.tracks[0].watched != 19 {
		t.Errorf("%d intervals, %d watched", len(o.tracks[0].points), o.tracks[0].watched)
	}
}

func TestLongCoursesAreDrawnTogether(t *testing.T) {
	path := make([]float64, 2*mostSteps+1)
	for i := range path {
		path[i] = 140_000 + float64(i)
	}
	e := gathered(handmade.Asking(t, "terminating"), observed(0, handmade.AllFull, path),
		observed(1, handmade.AllFull, path))
	steps := e.StepsOf("b1")
	if len(steps) != 267 { // three each
		t.Fatalf("%d steps", len(steps))
	}
	first, last := steps[0], steps[266]
	if first.Span != 3*3*3600 || first.Rate.Value != 140_001 || first.Rate.Low != 140_000 ||
		first.Rate.Most != 140_002 || first.End != 9*3600 ||
		last.End != 801*3*3600 || last.Rate.High != 140_800 {
		t.Errorf("first %+v, last %+v", first, last)
	}
}

func TestNothingToJudge(t *testing.T) {
	s := handmade.Asking(t, "terminating")
	e := gathered(s, observed(0, 0, []float64{100_000}), observed(1, 0, []float64{90_000}))
	if got := e.Settling[0]; got.Runs != 0 || got.Judged != 0 || got.OfMean.Known() || got.Share.Value.Known() {
		t.Errorf("%+v", got)
	}
	if m := e.Measure("settling_intervals_5pct"); m.Undefined != 2 || m.Never != 0 || m.Value.Known() {
		t.Errorf("%+v", m)
	}
	text := textOf(t, e)
	if !strings.Contains(text, "Not judged: in no full interval") || strings.Contains(text, "When servers settled") {
		t.Error(text)
	}
	if h := Headline(s, e.runs); h != "dfr" {
		t.Errorf("headline %s", h)
	}
	if rows := handmade.ReadRows(t, e.replicationsCSV()); rows[1][3] != "not judged" || rows[1][4] != "0" {
		t.Errorf("%v", rows[1])
	}
	for _, raw := range []func() ([]byte, error){e.Summary, func() ([]byte, error) {
		f,
			err := e.Figures()
		return f[0].SVG, err
	}} {
		if _, err := raw(); err != nil {
			t.Error(err)
		}
	}
}

// A max that the scenario orders is not a failure of the mean of replications either, if it held C in
// all of them.
func TestMaxThatWasOrdered(t *testing.T) {
	s := handmade.Asking(t, "terminating")
	for n, want := range map[int]string{
		0: "Did not converge: the mean of 4 replications never settled within 5 % of 140,000/h in the 20 intervals " +
			"that could be judged, nor does its band allow it.",
		3: ", nor does its band allow it; C stayed at max, as ordered, in 3 of 4 replications.",
		4: "C stayed at max = 40, as ordered: with that many processes the mean of 4 replications made 40,000/h over " +
			"the last quarter (71.4 % below, of a target of 140,000/h).",
	} {
		var runs []Observation
		for i := range 4 {
			r := handmade.Rated(i, handmade.AllFull, slices.Repeat([]float64{40_000}, 20))
			for k := range r.Intervals {
				if i < n {
					r.Intervals[k].Decision.Flags = governor.AtMax
				}
			}
			runs = append(runs, Observe(fold(r)))
		}
		e := gathered(s, runs...)
		if got := e.verdict(); !strings.HasSuffix(got, want) || e.Settling[0].Held != n {
			t.Errorf("%d of 4 at max, %d held: got  %s\nwant %s", n, e.Settling[0].Held, got, want)
		}
	}
}

func TestSeveralServers(t *testing.T) {
	never := slices.Repeat([]float64{50_000}, 20)
	var runs []Observation
	for i := range 4 {
		runs = append(runs, observed(i, handmade.AllFull, handmade.Settles(2, 20), handmade.Settles(6, 20), never))
	}
	s := handmade.Asking(t, "terminating", `server=[{name="b1"},{name="b2"},{name="b3"}]`)
	e := gathered(s, runs...)
	text := strings.Join(strings.Fields(textOf(t, e)), " ")
	for _, want := range []string{
		"Did not converge: in the mean of 4 replications 2 of 3 servers settled within 5 % of 140,000/h each, the " +
			"last one (b2) after 6 intervals (18 h; by its band after 6 to 6); " +
			"b3 never settled within 5 % of 140,000/h.",
		"One by one on b1: 4 of 4", "One by one on b3: 0 of 4",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	figures, err := e.Figures()
	if err != nil {
		t.Fatal(err)
	}
	if words := handmade.WellFormed(t, "convergence", figures[0].SVG); !strings.Contains(words, "b1|") ||
		!strings.Contains(words, "b3|") {
		t.Error(words)
	}
	if n := len(handmade.ReadRows(t, e.trajectoryCSV())); n != 61 {
		t.Errorf("%d rows", n)
	}
}

// noisy rates climb for some intervals and then go about a level.
func noisy(seed, n, climb int, to float64) []float64 {
	path := make([]float64, n)
	state := uint64(seed)*2654435761 + 12345
	for i := range path {
		state = state*6364136223846793005 + 1442695040888963407
		path[i] = to + 4000*(float64(state>>40)/(1<<24)-0.5)
		if i < climb {
			path[i] -= float64(climb-i) * 5000
		}
	}
	return path
}

func steadyRuns(n, intervals, climb int, to float64) []Observation {
	var runs []Observation
	for i := range n {
		runs = append(runs, observed(i, intervals-3, noisy(i, intervals, climb, to)))
	}
	return runs
}

func TestSteadyState(t *testing.T) {
	s := handmade.Asking(t, "steady-state")
	runs := steadyRuns(12, 203, 14, 138_000)
	e := gathered(s, runs...)
	got := e.Steady
	if !got.Found || got.WarmUp != "auto" || got.Judged != 200 || got.LeftOut < 15 || got.LeftOut > 60 ||
		got.LeftOut%5 != 0 ||
		got.LeftOutSec != float64(got.LeftOut)*3*3600 || got.Twice != 2*got.LeftOut {
		t.Fatalf("%+v", got)
	}
	// By hand: the mean of what is left, in each replication.
	left := func(r, from int) float64 {
		var sum float64
		for _, p := range runs[r].tracks[0].points[from:200] {
			sum += p.rate
		}
		return sum / float64(200-from)
	}
	var mean, change float64
	for r := range runs {
		if v := got.values["steady_rate_per_h"][r]; math.Abs(v-left(r, got.LeftOut)) > 1e-6 {
			t.Errorf("replication %d: %g", r, v)
		}
		mean += left(r, got.LeftOut) / 12
		change += (left(r, got.Twice) - left(r, got.LeftOut)) / 12
	}
	m := e.Measure("steady_rate_per_h")
	if math.Abs(float64(m.Value)-mean) > 1e-6 || m.N != 12 || !(m.Low < 138_000 && m.High > 138_000) {
		t.Errorf("%+v, want %g", m, mean)
	}
	i := slices.IndexFunc(got.Changes, func(c Change) bool { return c.Metric == "steady_rate_per_h" })
	if c := got.Changes[i]; math.Abs(float64(c.Change.Value)-change) > 1e-6 ||
		math.Abs(float64(c.Twice.Value)-mean-change) > 1e-6 || !(c.Change.Low < 0 && c.Change.High > 0) {
		t.Errorf("%+v, want %g", c, change)
	}
	// C is a thousandth of the rate, an attempt in eleven fails, 140 processes are allocated.
	for name, want := range map[string]float64{"steady_available": mean / 1000, "steady_dfr": 1.1,
		"steady_efficiency": mean / 140} {
		if m := e.Measure(name); math.Abs(float64(m.Value)/want-1) > 1e-4 {
			t.Errorf("%s: %v, want %g", name, m.Value, want)
		}
	}
	text := strings.Join(strings.Fields(textOf(t, e)), " ")
	for _, want := range []string{"Steady state of 12 replications: 13", "below the target, without a start-up of",
		"found by MSER-5).",
		fmt.Sprintf("Leaving out twice as much (%d intervals) changes the rate by ", got.Twice),
		"no more than chance would."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if Headline(s, runs) != "steady_rate_per_h" || len(Measures(s)) != len(measure.Metrics())+4 {
		t.Error("the steady state is no measure")
	}

	// Given too short, the sensitivity tells: the climb from 2 to 14 is still in.
	e = gathered(handmade.Asking(t, "steady-state", "analysis.warm_up=6h"), runs...)
	if got = e.Steady; got.WarmUp != "given" || got.LeftOut != 2 || got.Twice != 7 || !got.Found {
		t.Fatalf("%+v", got)
	}
	if text := strings.Join(strings.Fields(textOf(t, e)), " "); !strings.Contains(text,
		"more than chance would: the start-up may be longer than what was left out.") {
		t.Error(text)
	}
}

func TestNoSteadyState(t *testing.T) {
	s := handmade.Asking(t, "steady-state")
	for name, c := range map[string]struct {
		runs    []Observation
		leftOut int
		says    string
	}{
		"it climbs all the time": {steadyRuns(10, 203, 200, 138_000), 100,
			"No steady state is in sight in the 200 intervals that could be judged; without the first 100 the mean " +
				"rate is "},
		"too short": {steadyRuns(10, 23, 4, 138_000), 0,
			"No steady state is in sight in the 20 intervals that could be judged; " +
				"the mean rate of all of them is 135,"},
		"nothing judged": {steadyRuns(10, 3, 0, 138_000), 0, "Not judged: in no full interval was there work"},
	} {
		e := gathered(s, c.runs...)
		if e.Steady.Found || e.Steady.LeftOut != c.leftOut {
			t.Errorf("%s: %+v", name, e.Steady)
		}
		text := strings.Join(strings.Fields(textOf(t, e)), " ")
		if !strings.Contains(text, c.says) || !strings.Contains(text, "! No steady state is in sight") {
			t.Errorf("%s: no %q in\n%s", name, c.says, text)
		}
		if _, err := e.Figures(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A time that leaves out nearly everything is none.
	if e := gathered(handmade.Asking(t, "steady-state", "analysis.warm_up=20d"),
		steadyRuns(10, 203, 0, 138_000)...); e.Steady.Found || e.Steady.LeftOut != 100 {
		t.Errorf("%+v", e.Steady)
	}
}

// The longest start-up of all servers counts, and the worst server is shown.
func TestSteadyStateOfSeveralServers(t *testing.T) {
	var runs []Observation
	for i := range 10 {
		runs = append(runs, observed(i, handmade.AllFull, noisy(i+100, 200, 24, 120_000), noisy(i, 200, 0, 139_000)))
	}
	e := gathered(handmade.Asking(t, "steady-state", `server=[{name="b1"},{name="b2"}]`), runs...)
	if got := e.Steady; !got.Found || got.LeftOut < 20 || len(got.curves) != 4 {
		t.Errorf("%+v", got)
	}
	if m := e.Measure("steady_rate_per_h"); math.Abs(float64(m.Value)-120_000) > 500 {
		t.Errorf("%+v", m)
	}
	if text := textOf(t, e); !strings.Contains(text, "on the slowest") {
		t.Error(text)
	}
	for i := range runs {
		runs[i] = observed(i, handmade.AllFull, noisy(i+100, 200, 200, 120_000), noisy(i, 200, 0, 139_000))
	}
	if e := gathered(handmade.Asking(t, "steady-state", `server=[{name="b1"},{name="b2"}]`), runs...); e.Steady.Found {
		t.Error("one server that climbs all the time is not seen")
	}
}

func TestPrecision(t *testing.T) {
	var runs []Observation
	for i := range 10 {
		runs = append(runs, observed(i, handmade.AllFull, noisy(i, 20, 0, 138_000)))
	}
	s := handmade.Asking(t, "terminating")
	i := Measured(s, runs, "rate_per_h")
	for _, c := range []struct {
		goal    float64
		reached bool
	}{{1.01 * i.Relative(), true}, {0.99 * i.Relative(), false}} {
		e := Gather(s, runs, Asked{Precision: c.goal, Of: "rate_per_h"}, runlog.Host{}, "")
		if p := e.Precision; p.Reached != c.reached || p.Of != "rate_per_h" || p.Goal != c.goal ||
			float64(p.Relative) != i.Relative() {
			t.Errorf("%+v", p)
		}
		if text := textOf(t, e); strings.Contains(text,
			"! rate_per_h is not as precise as was asked for.") == c.reached {
			t.Error(text)
		}
	}
}

func TestRunaways(t *testing.T) {
	var runs []Observation
	for i := range 3 {
		one := handmade.Run(handmade.Course{Start: 200, D: 8, Intervals: 80, Plant: handmade.Peaked, Dfr: 1.15})
		one.Replication = uint64(i)
		if i == 1 {
			one = handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended, Dfr: 1.15})
			one.Replication = 1
		}
		runs = append(runs, Observe(fold(one)))
	}
	e := gathered(handmade.Asking(t, "terminating"), runs...)
	if text := textOf(t, e); e.Settling[0].Runaways != 2 || !strings.Contains(text,
		"Runaway in 2 of 3 replications: b1 added processes while the rate fell.") {
		t.Error(text)
	}
}

func TestEnsembleFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ensemble")
	s := handmade.Asking(t, "steady-state")
	e := Gather(s, steadyRuns(12, 203, 14, 138_000), Asked{Precision: 0.01, Of: "steady_rate_per_h", Partial: true},
		runlog.Host{Wall: vt.Second}, "flyball run x")
	if err := e.Write(folder.Place{Dir: dir, Replace: true}, extra()); err != nil {
		t.Fatal(err)
	}
	files := handmade.Tree(t, dir)
	want := strings.Fields("assumptions.csv host.json log.ndjson manifest.json rejects.csv replications.csv " +
		"report.html scenario.resolved.toml scenario.toml summary.json trajectory.csv")
	for _, plot := range []string{"convergence", "settling", "warm-up"} {
		want = append(want, "plots/"+plot+".csv", "plots/"+plot+".png", "plots/"+plot+".svg")
	}
	slices.Sort(want)
	if names := slices.Sorted(maps.Keys(files)); !slices.Equal(names, want) {
		t.Errorf("got %v\nwant %v", names, want)
	}
	handmade.KeysInOrder(t, []byte(files["summary.json"]))
	for name, data := range files {
		if strings.Contains(data, "NaN") || strings.Contains(data, "+Inf") {
			t.Errorf("%s has what is no number", name)
		}
	}
	var summary struct {
		Schema       string
		Version      int `json:"schema_version"`
		Replications int
		Kind         string
		Measures     []struct{ Metric string }
		Partial      bool
	}
	if err := json.Unmarshal([]byte(files["summary.json"]), &summary); err != nil {
		t.Fatal(err)
	}
	if summary.Schema != "flyball/ensemble" || summary.Version != 1 || summary.Replications != 12 ||
		summary.Kind != "steady-state" || len(summary.Measures) != len(Measures(s)) || !summary.Partial {
		t.Errorf("%+v", summary)
	}
	rows := handmade.ReadRows(t, []byte(files["replications.csv"]))
	if len(rows) != 13 || len(rows[0]) != 6+len(Measures(s)) || !slices.Contains(rows[0], "steady_rate_per_h") {
		t.Errorf("%d rows of %v", len(rows), rows[0])
	}
	page := files["report.html"]
	for _, want := range []string{"<strong>Partial.</strong>", `<p class="verdict">Steady state of 12 replications`,
		"Every interval holds at 95 %", "flyball run x",
		"They do not say how wrong the model is", "Precision: half width"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if strings.Contains(page, "One seed is one draw of luck") {
		t.Error("the page speaks of one run")
	}
	for _, plot := range []string{"convergence", "settling", "warm-up"} {
		handmade.WellFormed(t, plot, []byte(files["plots/"+plot+".svg"]))
	}

	// What is read back prints the same.
	again, x, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := textOf(t, again), textOf(t, e); got != want {
		t.Errorf("read back:\n%s\nwritten:\n%s", got, want)
	}
	if !bytes.Equal(x.ScenarioTOML, extra().ScenarioTOML) {
		t.Error("the scenario is lost")
	}
	if err := e.Write(folder.Place{Dir: dir, Replace: true},
		run.Extra{More: []folder.File{{Path: "trajectory.csv", Data: nil}}}); err == nil {
		t.Error("an extra file takes the place of another")
	}
	other := *e
	other.Replications++
	if e.Key() == other.Key() || len(e.Key()) != 12 {
		t.Errorf("keys %s and %s", e.Key(), other.Key())
	}
}

func TestPageOfAnEnsembleEscapesNames(t *testing.T) {
	e := gathered(handmade.Asking(t, "terminating"), observed(0, handmade.AllFull, handmade.Settles(2, 20)),
		observed(1, handmade.AllFull, handmade.Settles(2, 20)))
	e.Name, e.About, e.Settling[0].Server, e.Replay = "<b>x", "<i>", "<u>", "<em>"
	figures, err := e.Figures()
	if err != nil {
		t.Fatal(err)
	}
	page, err := e.HTML(figures)
	if err != nil {
		t.Fatal(err)
	}
	for _, no := range []string{"<b>", "<i>", "<u>", "<em>"} {
		if bytes.Contains(page, []byte(no)) {
			t.Errorf("%s in the page", no)
		}
	}
}

// The replications are named by their place: anything else is a bug.
func TestGatherWantsReplicationsInOrder(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("replication 1 is taken for 0")
		}
	}()
	gathered(handmade.Asking(t, "terminating"), observed(1, handmade.AllFull, handmade.Settles(2, 20)))
}

// After a change of the target servers settle counted from that change.
func TestSettlingIsCountedFromTheLastChange(t *testing.T) {
	e := gathered(handmade.Asking(t, "terminating", "governor.target=100000/h"), Observe(fold(handmade.Changing(1))))
	if x := e.Settling[0]; x.OfMean != 4 || x.Median.Value != 4 || e.LastTarget != 140_000 {
		t.Errorf("%+v, last target %g", x, e.LastTarget)
	}
	if v := e.verdict(); !strings.Contains(v,
		"within 5 % of 140,000/h 4 intervals after its last change (12 h; by its band 0 to never)") {
		t.Error(v)
	}
}
