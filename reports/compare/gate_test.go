package compare

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// having returns 20 replications in which a metric is v, by some thousandths more or less.
func having(t *testing.T, metric string, v float64, set ...string) Trial {
	t.Helper()
	var runs []ensemble.Observation
	for i := range 20 {
		o := observed(i, handmade.AllFull, handmade.Settles(3, 20))
		o.Metrics[metric] = v * (1 + float64(i*i%7)/1000)
		o.Digest = fmt.Sprint(metric, v, i)
		runs = append(runs, o)
	}
	return Tried(handmade.Asking(t, scenarios.Terminating, set...), runs)
}

// only returns a metric alone, gated with a margin.
func only(t *testing.T, name string, margin float64) []Metric {
	t.Helper()
	m, ok := MetricNamed(name)
	if !ok {
		t.Fatal(name)
	}
	m.Gated, m.Margin = true, margin
	return []Metric{m}
}

// Every metric of a run can be compared, by its own name too where a comparison has another.
func TestEveryMetricCanBeCompared(t *testing.T) {
	for _, name := range measure.MetricNames() {
		m, ok := MetricNamed(name)
		want, _ := measure.MetricNamed(name)
		if !ok || m.More != want.More || m.Name == name && m.Resolution == 0 && name != "dfr" {
			t.Errorf("%s: %+v, %v", name, m, ok)
		}
		if !slices.Contains(Names(), m.Name) {
			t.Errorf("%s is not among the names", m.Name)
		}
	}
	if m, _ := MetricNamed("end_h"); m.Name != "end" {
		t.Errorf("end_h is %q", m.Name)
	}
	if _, ok := MetricNamed("ende"); ok {
		t.Error("ende is a metric")
	}
}

// Which way is worse depends on the metric: a lower rate fails, a higher one does not; with more attempts it is the
// other way round.
func TestMoreIsBetterInSome(t *testing.T) {
	for _, c := range []struct {
		metric    string
		base, new float64
		margin    float64
		outcome   string
		better    side
	}{
		{"rate_per_h", 100_000, 90_000, 0.05, Worse, baseSide},
		{"rate_per_h", 100_000, 96_000, 0.05, Within, baseSide},
		{"rate_per_h", 90_000, 100_000, 0.05, Within, newSide},
		{"attempts", 100_000, 90_000, 0.05, Within, newSide},
		{"attempts", 90_000, 100_000, 0.05, Worse, baseSide},
		{"attempts", 96_000, 100_000, 0.05, Within, baseSide},
	} {
		metrics := only(t, c.metric, c.margin)
		found, err := Sides(Candidate{"base", []Trial{having(t, c.metric, c.base)}},
			Candidate{"new", []Trial{having(t, c.metric, c.new)}}, false, metrics...)
		if err != nil {
			t.Fatal(err)
		}
		v := found.Judge([]int{20}, 0, metrics)
		if got := v.Claims[0]; got.Outcome != c.outcome || v.Failed != (c.outcome == Worse) {
			t.Errorf("%+v: %s, failed %v", c, got.Says(), v.Failed)
		}
		if got := found.Metrics[len(found.Metrics)-1].side(); got != c.better {
			t.Errorf("%+v: side %v is better", c, got)
		}
	}
	c := Claim{Metric: "rate_per_h", More: true, Margin: 0.05, Floor: 100,
		Ratio: measure.Estimate{Value: 0.9, Low: 0.8, High: 0.95}}
	if want := "allowed -5.0 % and 100"; !strings.HasSuffix(c.Says(), want) {
		t.Errorf("got %q, want %q at its end", c.Says(), want)
	}
}

// The floor of a metric of which more is better lies below BASE.
func TestFloorBelowBase(t *testing.T) {
	p := pairs{runs: [][2]Replicate{{{values: map[string]float64{"delivered": 1000}},
		{values: map[string]float64{"delivered": 940}}}}}
	m, _ := MetricNamed("delivered")
	for floor, beyond := range map[float64]bool{0: true, 9: true, 11: false} {
		m.Floor = floor
		if x := p.excess(m, 0.05)[0]; x > 0 != beyond {
			t.Errorf("floor of %g: excess %g", floor, x)
		}
	}
}

// Times that never came count as the end of their run, or as the intervals that all were watched for.
func TestOtherTimesThatNeverCame(t *testing.T) {
	p := pairs{watched: 12, horizon: 36}
	r := Replicate{values: map[string]float64{"end": 48, "time_to_final_p95_h": math.Inf(1),
		"settling_intervals_2pct": math.Inf(1), "time_to_final_p50_h": 7}}
	for name, want := range map[string]float64{"time_to_final_p95_h": 48, "settling_intervals_2pct": 12,
		"time_to_final_p50_h": 7} {
		m, _ := MetricNamed(name)
		if v, never := p.value(m, r); v != want || never != (want != 7) {
			t.Errorf("%s: %g, never %v; want %g", name, v, never, want)
		}
	}
}

// Two targets are compared, and the report has both of them.
func TestTwoTargets(t *testing.T) {
	next := having(t, "attempts", 1000, "governor.target=130000/h")
	for i := range next.courses { // made by hand for one target
		next.courses[i].Target = 130_000
	}
	c := compared(t, having(t, "attempts", 1000), next)
	said := strings.Join(append(c.explained(), c.Notes...), "\n")
	for _, want := range []string{`hand-made differs in governor.target (BASE "140000/h", NEW "130000/h").`,
		"two targets, 140,000/h for BASE and 130,000/h for NEW"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %s", want, said)
		}
	}
	other := tried(t, nil, 4, 6, 8)
	for i := range other.Runs {
		other.Runs[i].Digest += "x"
	}
	same := compared(t, tried(t, nil, 2, 3, 4), other)
	other.Target = 130_000
	unlike := compared(t, tried(t, nil, 2, 3, 4), other)
	if a, b := strings.Join(same.Answer(), " "), strings.Join(unlike.Answer(), " "); !strings.Contains(a,
		"worse in iae +100.0 %") || strings.Contains(b, "iae") {
		t.Errorf("one target: %q; two: %q", a, b)
	}
	figures, err := c.Figures()
	if err != nil || !bytes.Contains(figures[0].SVG, []byte("target, 140,000/h")) ||
		!bytes.Contains(figures[0].SVG, []byte("target of NEW, 130,000/h")) {
		t.Errorf("%v: no two targets in the figure", err)
	}
	if !bytes.Contains(figures[0].SVG, []byte("hand-made: deliveries per hour")) {
		t.Error("the figure does not name its scenario")
	}
}

// NEW may lack what is named, and nothing else; other luck is not lacking.
func TestAllowMissing(t *testing.T) {
	of := func(name string, set ...string) Trial {
		r := having(t, "attempts", 1000, set...)
		r.Scenario = name
		return r
	}
	for _, x := range []struct {
		allow  []string
		luck   []string
		failed bool
		answer string
		note   string
	}{
		{nil, nil, true, "Gate: FAIL, 1 scenario of BASE not compared (b).", ""},
		{[]string{"b"}, nil, false, "Gate: pass, after 20 pairs of each scenario, without b of BASE, as allowed.", ""},
		{[]string{"a"}, nil, true, "Gate: FAIL, 1 scenario of BASE not compared (b).",
			"a may be missing, but is compared."},
		{[]string{"c"}, nil, true, "Gate: FAIL, 1 scenario of BASE not compared (b).",
			"c may be missing, but BASE has no such scenario."},
		{[]string{"b"}, []string{"seed=43"}, true, "Gate: FAIL, 1 scenario of BASE not compared (b).",
			"b may be missing, but NEW has runs of it that are not compared."},
	} {
		next := []Trial{of("a")}
		if x.luck != nil {
			next = append(next, of("b", x.luck...))
		}
		metrics := only(t, "attempts", 0.05)
		c, err := Sides(Candidate{"base", []Trial{of("a"), of("b")}}, Candidate{"new", next}, false, metrics...)
		if err != nil {
			t.Fatal(err)
		}
		c.AllowMissing(x.allow)
		c.Verdict = c.Judge([]int{20}, 0, metrics)
		raw, err := c.JUnit()
		if err != nil || c.Verdict.Failed != x.failed || c.Verdict.Answer() != x.answer ||
			bytes.Contains(raw, []byte(`failures="0"`)) == x.failed {
			t.Errorf("%v: %v, %q\n%s", x, c.Verdict.Failed, c.Verdict.Answer(), raw)
		}
		if x.note != "" && !slices.Contains(c.Notes, x.note) {
			t.Errorf("no %q in %q", x.note, c.Notes)
		}
	}
}

// A strict gate wants everything compared that it asks for.
func TestStrict(t *testing.T) {
	base, next := having(t, "attempts", 1000), having(t, "attempts", 1000)
	lone := having(t, "attempts", 1000)
	lone.Runs = lone.Runs[:18]
	gone := having(t, "attempts", math.NaN())
	for _, x := range []struct {
		name       string
		next, base Trial
		gap        string
	}{{"all there", next, base, ""}, {"two runs alone", lone, base,
		"hand-made: 2 runs without a partner of the same replication left out"},
		{"undefined", gone, gone, "attempts, hand-made: undefined"}} {
		for _, strict := range []bool{false, true} {
			c := compared(t, x.base, x.next)
			c.metrics = append(c.metrics, only(t, "attempts", 0.05)...)
			c.Metrics = append(c.Metrics, c.metric(c.metrics[len(c.metrics)-1]))
			c.Verdict = c.Judge([]int{20}, 0, only(t, "attempts", 0.05))
			c.Verdict.Settle(false, strict)
			if want := !strict || x.gap == ""; c.Verdict.Passed != want || c.Verdict.Inconclusive() == want {
				t.Errorf("%s, strict %v: passed %v, %q", x.name, strict, c.Verdict.Passed, c.Answer())
			}
			if said := strings.Join(c.Answer(), "\n"); strings.Contains(said,
				"Not compared: "+x.gap+".") != (strict && x.gap != "") {
				t.Errorf("%s, strict %v: %q", x.name, strict, said)
			}
		}
	}
}

// A failed claim comes with the keys that differ, with what else changed, the figure and the command.
func TestWhyItFailed(t *testing.T) {
	base, next := having(t, "attempts", 1000), having(t, "attempts", 1300, "retry.limit=3")
	for i := range next.Runs {
		next.Runs[i].values["throttled"] = 400 + float64(i)
		base.Runs[i].values["throttled"] = 10 + float64(i%3)
	}
	metrics := only(t, "attempts", 0.05)
	c, err := Sides(Candidate{"base", []Trial{base}}, Candidate{"new", []Trial{next}}, false, metrics...)
	if err != nil {
		t.Fatal(err)
	}
	c.Scenarios[0].Replay = "flyball compare a b"
	c.Verdict = c.Judge([]int{20}, 0, metrics)
	if len(c.Verdict.Explained) != 1 {
		t.Fatalf("%+v", c.Verdict.Explained)
	}
	lines := strings.Join(c.Verdict.Explained[0].Lines("runs/x"), "\n")
	for _, want := range []string{"cause in hand-made: retry.limit is 3 instead of 10; with it changed attempts " +
		"refused with 421, as at a receiver's cap from 10.95 to 409.5",
		"figure: runs/x/plots/hand-made.svg", "again: flyball compare a b"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	junit, err := c.JUnit()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(junit), c.Annotations(), string(c.Markdown())} {
		if !strings.Contains(text, "flyball compare a b") || !strings.Contains(text, "retry.limit is 3") {
			t.Errorf("neither cause nor command in\n%s", text)
		}
	}
	for _, want := range []string{"attempts, hand-made: +30.0 %, from 1,002 to 1,303 attempts (95 %"} {
		if says := c.Verdict.Claims[1].Says(); !strings.HasPrefix(says, want) {
			t.Errorf("got %q, want %q", says, want)
		}
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := c.Write(folder.Place{Dir: dir}, "flyball compare a b --gate", runlog.Host{Wall: vt.Second}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	for _, want := range []string{"Both courses of hand-made", "<svg", "Gate: FAIL", "retry.limit is 3 instead of 10",
		"flyball compare a b --gate"} {
		if err != nil || !bytes.Contains(page, []byte(want)) {
			t.Errorf("%v: no %q in report.html", err, want)
		}
	}
}

// Nine intervals are nine times one: the resolution counts only where a value lies below it.
func TestRatioOfWhatIsPrinted(t *testing.T) {
	c := compared(t, tried(t, nil, 9, 9, 9), tried(t, nil, 1, 1, 1))
	if got := float64(c.cell("settling").Ratio.Value); math.Abs(got-1./9) > 1e-12 {
		t.Errorf("from 9 to 1 interval: got a ratio of %g, want 1/9", got)
	}
	c = compared(t, tried(t, nil, 9, 9, 9), tried(t, nil, 0, 0, 0))
	if got := float64(c.cell("settling").Ratio.Value); math.Abs(got-1./10) > 1e-12 {
		t.Errorf("from 9 to 0 intervals: got a ratio of %g, want (0 + 1) / (9 + 1)", got)
	}
}
