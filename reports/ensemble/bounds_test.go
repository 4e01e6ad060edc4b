package ensemble

import (
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
)

// losing returns replications in which the given numbers of 1,000 recipients fail and
// stay pending.
func losing(failed, pending []float64) []Observation {
	var runs []Observation
	for i := range failed {
		o := observed(i, handmade.AllFull, handmade.Settles(4, 20))
		for name, v := range map[string]float64{"recipients": 1000, "suppressed": 100, "failed": failed[i],
			"pending":   pending[i],
			"delivered": 900 - failed[i] - pending[i], "delivered_share": (900 - failed[i] - pending[i]) / 1000,
			"end_h": 24 + float64(i)} {
			o.Metrics[name] = v
		}
		runs = append(runs, o)
	}
	return runs
}

// Counts and shares have bounds within what is possible. With outages by chance
// those allow for the worst in what was not seen, without them for nothing that
// is far beyond.
func TestCountsHaveTheirOwnIntervals(t *testing.T) {
	failed := make([]float64, 20)
	failed[7] = 300
	none := make([]float64, 20)
	s := handmade.Asking(t, "terminating")
	calm := gathered(s, losing(failed, none)...)
	chance := handmade.Asking(t, "terminating")
	chance.Destinations[0].Outage.Up, chance.Destinations[0].Outage.Down = 6*vt.Hour, vt.Hour
	rare := gathered(chance, losing(failed, none)...)

	for _, c := range []struct {
		metric      string
		least, most float64
	}{{"failed", 0, 900}, {"delivered", 0, 900}, {"delivered_share", 0, 0.9}, {"pending", 0, 900}} {
		m := rare.Measure(c.metric)
		if float64(m.Low) < c.least || float64(m.High) > c.most || m.N != 20 {
			t.Errorf("%s: %v to %v, possible are %g to %g", c.metric, m.Low, m.High, c.least, c.most)
		}
	}
	x := append(make([]float64, 19), 300)
	want := stats.BoundedMean(x, stats.Range{Most: 900, Rare: true}, 0.95)
	if m := rare.Measure("failed"); m.Value != 15 || float64(m.High) != want.High || m.High < 100 {
		t.Errorf("outages by chance: failed is %+v, want %+v", m.Estimate, want)
	}
	want = stats.BoundedMean(x, stats.Range{Most: 900}, 0.95)
	if m := calm.Measure("failed"); float64(m.High) != want.High || m.Low < 0 || m.High > rare.Measure("failed").High {
		t.Errorf("none: failed is %+v, want %+v", m.Estimate, want)
	}
	// Of 20 runs without anything pending 1 - 0.025^(1/20) may have all pending.
	if m := rare.Measure("pending"); math.Abs(float64(m.High)-900*0.16843) > 0.01 {
		t.Errorf("pending: %+v", m.Estimate)
	}
	if m := calm.Measure("pending"); m.Low.Known() || m.High.Known() {
		t.Errorf("pending, no outages: %+v", m.Estimate)
	}
	// What the scenario orders is certain, and no interval of what cannot be below 0
	// is.
	for _, m := range rare.Measures {
		if m.Metric != "steady_state_error" && m.Low.Known() && m.Low < 0 {
			t.Errorf("%s is at least %v", m.Metric, m.Low)
		}
		if m.Metric == "recipients" && (m.Low != 1000 || m.High != 1000) {
			t.Errorf("recipients: %+v", m.Estimate)
		}
	}

	text := strings.Join(strings.Fields(textOf(t, rare)), " ")
	for _, want := range []string{
		"Recipients failed in 1 of 20 replications (in 0.1 % to 24.9 % of runs).",
		"! Outages come by chance: what none of 20 replications showed happens in up to 13.9 % of runs, and the " +
			"intervals of counts of recipients allow for the worst in those.",
		"delivered, delivered_share, failed: skewed: a few runs decide the mean",
		"the same in 19 of 20: 0.13 % to 25 % of runs differ, and the mean rests on the 1 that do",
		"; the end came after 33.5 h",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	text = strings.Join(strings.Fields(textOf(t, gathered(s, losing(none, none)...))), " ")
	if want := "Recipients failed in none of 20 replications: with 95 % confidence they do in fewer than 13.9 % of " +
		"runs."; !strings.Contains(text, want) || strings.Contains(text, "Outages") {
		t.Errorf("no %q in\n%s", want, text)
	}
}

// A delivery takes one attempt or more, so that a mean below 1 is not possible.
func TestFailureRatesAreOneOrMore(t *testing.T) {
	runs := losing(make([]float64, 20), make([]float64, 20))
	for i := range runs {
		runs[i].Metrics["dfr"] = 1
	}
	runs[7].Metrics["dfr"] = 1.4 // Student's interval of the mean, 1.02, reaches down to 0.978
	if m := gathered(handmade.Asking(t, "terminating"), runs...).Measure("dfr"); m.Low < 1 || m.High < 1.02 {
		t.Errorf("%+v", m)
	}
}

// A list that is not finished has no end.
func TestUnfinishedHasNoEnd(t *testing.T) {
	none, pending := make([]float64, 4), []float64{0, 40, 0, 0}
	s := handmade.Asking(t, "terminating")
	horizon := format.Duration(s.Horizon.Seconds())
	for _, c := range []struct {
		pending  []float64
		finished int
		want     string
	}{
		{none, 4, "the end came after 25.5 h"},
		{pending, 3, "finished in 3 of 4 replications, the others have recipients pending at the horizon of " +
			horizon},
		{[]float64{1, 1, 1, 1}, 0, "not finished: recipients are pending at the horizon of " + horizon +
			" in every replication"},
	} {
		e := gathered(s, losing(none, c.pending)...)
		if said := e.Account(); e.Finished != c.finished || !strings.Contains(said, c.want) {
			t.Errorf("%d finished, no %q in %q", e.Finished, c.want, said)
		}
	}
}

// Times are shown with the digits that a reader of a plan can use.
func TestTimesHaveFewDigits(t *testing.T) {
	for _, v := range []struct {
		of   []float64
		want string
	}{
		{[]float64{3.0632, 3.0634, 3.0630}, "3.1 h"},
		{[]float64{2, 4, 3}, "3 h (31 min to 5.5 h)"}, {[]float64{5, 5, 5}, "5 h"},
	} {
		runs := losing(make([]float64, len(v.of)), make([]float64, len(v.of)))
		for i, h := range v.of {
			runs[i].Metrics["t50_h"] = h
		}
		if got := gathered(handmade.Asking(t, "terminating"), runs...).Hours("t50_h"); got != v.want {
			t.Errorf("%v: got %q, want %q", v.of, got, v.want)
		}
	}
}

// The end of a replication that is not finished is later than any, not the horizon; a time
// in hours is not cut off at a number of intervals.
func TestTimesInHoursEndAtTheHorizon(t *testing.T) {
	// ends after 24, 25, .. 28 h; 20 intervals were watched
	runs := losing(make([]float64, 5), []float64{0, 40, 0, 0, 0})
	expected := []measure.Expectation{handmade.Expect("end_h", "<=", 25)}
	for i := range runs {
		runs[i].Metrics["time_to_final_p50_h"] = 30 + float64(i)
		runs[i].expected = measure.Evaluate("sim", runs[i].Metrics, expected)
	}
	s := handmade.Asking(t, "terminating")
	e := gathered(s, runs...)
	m := e.Measure("end_h")
	if m.Never != 1 || m.Statistic != "median" || m.Value != 27 || m.Most != 28 || m.MostIn != 4 ||
		float64(m.Horizon) != s.Horizon.Hours() {
		t.Errorf("end: %+v", m)
	}
	if got, want := e.MeasureInWords("end_h"), "median 27 h"; !strings.HasPrefix(got, want) ||
		!strings.HasSuffix(got, ", not finished in 1 replication") {
		t.Errorf("got %q, want %q and how many", got, want)
	}
	if m := e.Measure("time_to_final_p50_h"); m.Never != 0 || m.Value != 32 || m.Statistic != "mean" {
		t.Errorf("half are final: %+v", m)
	}
	if x := e.Expectations[0]; x.Met != 1 || x.Never != 1 || x.FirstMissed != 1 {
		t.Errorf("end_h <= 25: %+v", x)
	}
	text := textOf(t, e)
	for _, want := range []string{"missed first in replication 1, not finished in 1", "median 27 h",
		"end_h: not reached in 1 of 5 replications within the horizon of " + format.Duration(s.Horizon.Seconds())} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// All replications are judged against the horizon that every one was watched for:
// one that settled later than that, in a longer run, has not settled.
func TestOneHorizonForAll(t *testing.T) {
	var runs []Observation
	for i, after := range []int{3, 4, 12, 5, 6} {
		runs = append(runs, observed(i, handmade.AllFull, handmade.Settles(after, 20)))
	}
	short := slices.Clone(runs)
	short[0] = observed(0, 10, handmade.Settles(3, 15)) // watched for 10 intervals
	s := handmade.Asking(t, "terminating")
	long, cut := gathered(s, runs...), gathered(s, short...)
	if got := long.Settling[0]; got.Never != 0 || got.Horizon != 20 ||
		long.Measure(measure.SettlingMetric).Value != 6 || long.Measure(measure.SettlingMetric).Statistic != "mean" {
		t.Errorf("20 intervals: %+v", got)
	}
	m := cut.Measure(measure.SettlingMetric)
	if got := cut.Settling[0]; got.Never != 1 || got.Horizon != 10 || got.Share.Value != 0.8 || got.Median.Value != 5 ||
		m.Never != 1 || m.Value != 5 || m.Statistic != "median" || m.Horizon != 10 {
		t.Errorf("10 intervals: %+v, %+v", got, m)
	}
	if said := strings.Join(cut.Answer(), " "); !strings.Contains(said, "One by one: 4 of 5 replications settled") ||
		!strings.Contains(said, "; 1 had not within the 10 intervals that all were watched.") ||
		strings.Contains(said, "average") {
		t.Error(said)
	}
}

// Whom a run with a sending server suppresses is chance, and some of them were tried before.
func TestSuppressedByTheRun(t *testing.T) {
	s := handmade.Asking(t, "terminating")
	s.Dispatch.Check = 10 * vt.Second
	runs := losing(make([]float64, 20), make([]float64, 20))
	for i := range runs {
		runs[i].Metrics["first_try_share"] = 0.94 + 0.02*float64(i%2)
		runs[i].Metrics["suppressed"] = 90 + float64(i%2)
	}
	e := gathered(s, runs...)
	if m := e.Measure("first_try_share"); !(m.Low < 0.95 && m.High > 0.95 && m.High < 1) {
		t.Errorf("got %+v, want an interval around 0.95", m.Estimate)
	}
	if m := e.Measure("suppressed"); !(m.Low > 0 && m.Low < 90.5 && m.High > 90.5 && m.High < 1000) {
		t.Errorf("got %+v, want an interval around 90.5", m.Estimate)
	}
}
