package compare

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// tried returns replications of the hand-made scenario, one for each element of late,
// in which b1 runs at 100,000/h for that number of intervals and then at the target.
func tried(t testing.TB, set []string, late ...int) Trial {
	t.Helper()
	var runs []ensemble.Observation
	for i, n := range late {
		runs = append(runs, observed(i, handmade.AllFull, handmade.Settles(n, 20)))
	}
	return Tried(handmade.Asking(t, scenarios.Terminating, set...), runs)
}

func compared(t testing.TB, base, next Trial) *Report {
	t.Helper()
	c, err := Sides(Candidate{"base", []Trial{base}}, Candidate{"new", []Trial{next}}, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Report) cell(metric string) Cell {
	i := slices.IndexFunc(c.Metrics, func(m MetricResult) bool { return m.Name == metric })
	return c.Metrics[i].Cells[0]
}

// By hand: an interval at 100,000 of 140,000/h misses 2/7 of 3 h.
func TestCompareByHand(t *testing.T) {
	c := compared(t, tried(t, nil, 2, 3, 4), tried(t, nil, 4, 6, 8))
	iae := func(n float64) float64 { return n * 3 * 2 / 7 }
	logs := []float64{math.Log(iae(4) / iae(2)), math.Log(iae(6) / iae(3)), math.Log(iae(8) / iae(4))}
	mean := (logs[0] + logs[1] + logs[2]) / 3
	var squares float64
	for _, l := range logs {
		squares += (l - mean) * (l - mean)
	}
	half := 4.302653 * math.Sqrt(squares/2/3)
	got := c.cell("iae")
	for _, x := range []struct {
		name      string
		got, want float64
	}{{"ratio", float64(got.Ratio.Value), math.Exp(mean)}, {"low", float64(got.Ratio.Low), math.Exp(mean - half)},
		{"high", float64(got.Ratio.High), math.Exp(mean + half)},
		{"base", float64(got.Base), 3 * 3. * 2 / 7}, {"new", float64(got.New), 6 * 3. * 2 / 7},
		{"ranks: all of three", float64(got.RankP), 2. / 8}} {
		if math.Abs(x.got-x.want) > 1e-6 {
			t.Errorf("%s: %.9f, want %.9f", x.name, x.got, x.want)
		}
	}
	if !got.Shown() || got.changed() != "+100.0 %" {
		t.Errorf("%+v: %s", got, got.changed())
	}
	// Settled after 2, 3, 4 and 4, 6, 8 intervals of 3 h: twice as late each time.
	want := 2.
	if got := float64(c.cell("settling").Ratio.Value); math.Abs(got-want) > 1e-12 {
		t.Errorf("settling: %g, want %g", got, want)
	}
	// One scenario is all there is to the mean.
	if m := c.Metrics[0].Mean; m.Ratio.Value != got.Ratio.Value || c.Metrics[0].Worst != "hand-made" {
		t.Errorf("%+v", c.Metrics[0])
	}
}

// A run that never settles counts as the time that it was watched for, and is
// not dropped.
func TestNeverSettledCounts(t *testing.T) {
	c := compared(t, tried(t, nil, 5, 5, 5), tried(t, nil, 5, 20, 20)) // 20 of 20 late: never
	got := c.cell("settling")
	want := math.Exp(2 * math.Log(60./15) / 3)
	if math.Abs(float64(got.Ratio.Value)-want) > 1e-12 || got.Never != 2 || got.Ratio.N != 3 {
		t.Errorf("%+v, want a ratio of %g", got, want)
	}
}

// 0 on both sides counts as unchanged, and 0 on one side gives a finite change.
func TestZeros(t *testing.T) {
	c := compared(t, tried(t, nil, 0, 0, 0), tried(t, nil, 0, 0, 0))
	for _, m := range c.Metrics {
		if x := m.Cells[0]; x.Ratio.Value != 1 || x.Shown() {
			t.Errorf("%s: %+v", m.Name, x)
		}
	}
	c = compared(t, tried(t, nil, 0, 0, 0), tried(t, nil, 1, 1, 1))
	want := (6./7 + 0.001) / 0.001
	if got := float64(c.cell("iae").Ratio.Value); math.Abs(got/want-1) > 1e-9 {
		t.Errorf("%g times none, want %g", got, want)
	}
}

func TestWhatHasNoPartnerIsLeftOut(t *testing.T) {
	three, two := tried(t, nil, 1, 2, 3), tried(t, nil, 1, 2)
	c := compared(t, three, two)
	if c.Scenarios[0].Pairs != 2 || !strings.Contains(strings.Join(c.Notes, "\n"),
		"hand-made: 1 run without a partner of the same replication left out.") {
		t.Errorf("%+v, %q", c.Scenarios, c.Notes)
	}

	for _, x := range []struct{ name, set, want string }{
		{"other luck", "seed=43", "BASE has seed 42, NEW 43, which is not the same luck"},
		{"another world", "destination[0].cap=7",
			"it is not the same question on both sides, which differ in destination[0].cap"},
		{"another list", "campaign[0].recipients=999999", "which differ in campaign[0].recipients"},
	} {
		_, err := Sides(Candidate{"base", []Trial{three}}, Candidate{"new",
			[]Trial{tried(t, []string{x.set}, 1, 2, 3)}}, false)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %q", x.name, err, x.want)
		}
	}
	mine := tried(t, nil, 1, 2, 3)
	mine.List = "abc"
	if _, err := Sides(Candidate{"base", []Trial{three}}, Candidate{"new", []Trial{mine}}, false); err == nil ||
		!strings.Contains(err.Error(), "which differ in the list.") {
		t.Errorf("%v", err)
	}
	c, err := Sides(Candidate{"base", []Trial{three}}, Candidate{"new",
		[]Trial{tried(t, []string{"destination[0].cap=7"}, 1, 2, 3)}}, true)
	if err != nil || !strings.Contains(c.Notes[0], "compared although it is not the same question") {
		t.Errorf("%v, %v", err, c)
	}
	if c := compared(t, three, tried(t, []string{"governor.law=patent-damped", "retry.limit=3"}, 1, 2,
		3)); !slices.Equal(c.Scenarios[0].Differs, []Difference{{"governor.law", `"patent-dynamic"`, `"patent-damped"`},
		{"retry.limit", "10", "3"}}) {
		t.Errorf("%q", c.Scenarios[0].Differs)
	}
	other := tried(t, nil, 1, 2, 3)
	other.Scenario = "other"
	if _, err := Sides(Candidate{"base", []Trial{three}}, Candidate{"new", []Trial{other}}, false); err == nil ||
		!strings.Contains(err.Error(), "hand-made is left out: NEW has no runs of it.") ||
		!strings.Contains(err.Error(), "other is left out: BASE has no runs of it.") {
		t.Errorf("%v", err)
	}
}

// Keys with the same name in different tables are different.
func TestDifferencesOfResolvedScenarios(t *testing.T) {
	a := handmade.Asking(t, scenarios.Terminating)
	for _, set := range []string{"network.dns.hit_ratio=0.5", "server[0].share=2", "dialogue.timeouts.dns=7s",
		"message.size=1kB", "horizon=9d"} {
		b, err := a.With(set)
		if err != nil {
			t.Fatal(err)
		}
		key, _, _ := strings.Cut(set, "=")
		laws, question := differences(scenarios.Resolved(a), scenarios.Resolved(b))
		if len(laws) != 0 || !slices.Equal(question, []string{key}) {
			t.Errorf("%s: %q and %q", set, laws, question)
		}
	}
}

// How lists are divided is compared like a policy.
func TestPartitionsAreCompared(t *testing.T) {
	a := handmade.Asking(t, scenarios.Terminating)
	b, err := a.With("sender.partition=equal")
	if err != nil {
		t.Fatal(err)
	}
	laws, question := differences(scenarios.Resolved(a), scenarios.Resolved(b))
	if len(question) != 0 || !slices.Equal(laws, []string{"sender.partition"}) {
		t.Errorf("%q and %q", laws, question)
	}
}

// A table below an element of a list belongs to that element.
func TestDifferencesBelowAList(t *testing.T) {
	a := []byte("[[destination]]\nname = \"a\"\n[destination.greylist]\nshare = 0.5\n[[destination]]\nname = " +
		"\"b\"\n[destination.greylist]\nshare = 1.0\n[governor]\nd = 8.0\n")
	b := bytes.Replace(a, []byte("share = 1.0"), []byte("share = 0.7"), 1)
	laws, question := differences(a, b)
	if laws != nil || !slices.Equal(question, []string{"destination[1].greylist.share"}) {
		t.Errorf("%q and %q", laws, question)
	}
}

// A metric that NEW no longer has is said, and fails the gate if it is gone
// everywhere.
func TestLostMetric(t *testing.T) {
	for _, c := range []struct {
		pairs, lost int
		outcome     string
	}{{20, 20, Lost}, {20, 19, Undefined}, {19, 19, Undefined}, {22, 2, Within}} {
		base, next := tried(t, nil, jitter(9, c.pairs, 1)...), tried(t, nil, jitter(9, c.pairs, 1)...)
		for i := range c.lost {
			next.Runs[i].values["iae"] = math.NaN()
		}
		found := compared(t, base, next)
		if x := found.cell("iae"); x.Lost != c.lost || x.Ratio.N != c.pairs-c.lost {
			t.Errorf("%+v", x)
		}
		if want := fmt.Sprintf("iae of hand-made is undefined in NEW in %d of %d pairs where BASE has it, left out.",
			c.lost, c.pairs); !slices.Contains(found.Notes, want) {
			t.Errorf("no %q in %q", want, found.Notes)
		}
		v := found.Judge([]int{c.pairs}, 0, Metrics())
		if got := v.Claims[1]; got.Metric != "iae" || got.Scenario != "hand-made" || got.Outcome != c.outcome ||
			v.Failed != (c.outcome == Lost) {
			t.Errorf("%d of %d lost: %+v", c.lost, c.pairs, got)
		}
	}
}

// Runs are paired by their number and not by their place.
func TestPairedByReplication(t *testing.T) {
	base, next := tried(t, nil, 2, 3, 4, 5), tried(t, nil, 4, 6, 8, 10)
	want := compared(t, base, next).Metrics[0].Mean
	slices.Reverse(next.Runs)
	if got := compared(t, base, next).Metrics[0].Mean; got.Ratio.Low != want.Ratio.Low ||
		got.Ratio.High != want.Ratio.High {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The mean over scenarios is one of replications that all of them have.
func TestMeanOverScenarios(t *testing.T) {
	a, b := tried(t, nil, 2, 3, 4, 5), tried(t, nil, 4, 6, 8, 10)
	a2, b2 := tried(t, nil, 2, 2, 2), tried(t, nil, 2, 2, 2)
	a2.Scenario, b2.Scenario = "second", "second"
	c, err := Sides(Candidate{"base", []Trial{a, a2}}, Candidate{"new", []Trial{b, b2}}, false)
	if err != nil {
		t.Fatal(err)
	}
	m := c.Metrics[0]
	one := c.pairs[0].logs(Metrics()[0])
	want := math.Exp((one[0] + one[1] + one[2]) / 2 / 3)
	if m.Mean.Ratio.N != 3 || math.Abs(float64(m.Mean.Ratio.Value)-want) > 1e-12 || m.Worst != "hand-made" {
		t.Errorf("%+v, want %g of 3", m.Mean, want)
	}
}

// jitter returns the settling times, about n, of a number of replications: the same for
// the same seed.
func jitter(n, of int, seed uint64) []int {
	all := make([]int, of)
	for i := range all {
		all[i] = n + int((uint64(i+1)*2654435761+seed*97)%3)
	}
	return all
}

func TestGateVerdicts(t *testing.T) {
	judged := func(base, next []int, looks []int, metrics []Metric) (*Report, *Verdict) {
		c := compared(t, tried(t, nil, base...), tried(t, nil, next...))
		c.Verdict = c.Judge(looks, 0, metrics)
		return c, c.Verdict
	}
	alike := jitter(9, 20, 1)
	if _, v := judged(alike, alike, []int{20}, Metrics()); v.Failed || v.Open || v.Blind != 0 {
		t.Errorf("a candidate against itself: %+v", v)
	}
	c, v := judged(jitter(5, 20, 1), jitter(9, 20, 1), []int{20}, Metrics())
	if !v.Failed || v.Open {
		t.Errorf("half as many hours again: %+v", v)
	}
	said := strings.Join(c.Answer(), "\n")
	for _, want := range []string{"Gate: FAIL, shown by 20 pairs of each scenario.",
		"Worse: iae, geometric mean over the scenarios: +6", "allowed +3.0 %", "Worse: iae, hand-made: +6",
		"allowed +9.0 %"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	none := Metrics()
	for i := range none {
		none[i].Gated = none[i].Name == "dfr"
	}
	if _, v := judged(jitter(5, 20, 1), jitter(9, 20, 1), []int{20}, none); v.Failed || len(v.Claims) != 2 {
		t.Errorf("what is not gated fails nothing: %+v", v)
	}
	if _, v := judged(jitter(5, 5, 1), jitter(9, 5, 1), []int{5}, Metrics()); v.Failed || v.Blind != 14 {
		t.Errorf("five pairs: %+v", v)
	}

	var junit struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Class   string `xml:"classname,attr"`
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	raw, err := c.JUnit()
	if err != nil || xml.Unmarshal(raw, &junit) != nil || len(junit.Suites) != 1 {
		t.Fatalf("%v: %s", err, raw)
	}
	s := junit.Suites[0]
	if s.Tests != 10 || s.Failures != 4 || s.Cases[0].Name != "iae" || s.Cases[0].Failure == nil ||
		s.Cases[1].Class != "flyball.compare.hand-made" {
		t.Errorf("%+v", s)
	}
	if got := c.Annotations(); !strings.HasPrefix(got,
		"::error title=Regression of iae::iae, geometric mean over the scenarios: +6") ||
		strings.Count(got, "::error") != 4 || !strings.Contains(got, " %25 (95 %25") {
		t.Errorf("annotations:\n%s", got)
	}
}

// A floor lets little through where there was nothing.
func TestFloorOfHarm(t *testing.T) {
	p := pairs{base: Trial{Scenario: "s"}, next: Trial{Scenario: "s"}}
	for i := range 20 {
		sample := func(undelivered float64) Replicate {
			return Replicate{Replication: uint64(i), recipients: 100_000,
				values: map[string]float64{"undelivered": undelivered}}
		}
		p.runs = append(p.runs, [2]Replicate{sample(0), sample(float64(45 + i%2))})
	}
	m := Metrics()[7]
	if m.Name != "undelivered" {
		t.Fatal(m.Name)
	}
	for _, x := range p.excess(m, 0) { // 45 of 100,000 are less than 0.05 %
		if x >= 0 {
			t.Errorf("excess of %g within the floor", x)
		}
	}
	for i := range p.runs {
		p.runs[i][1].values["undelivered"] += 10
	}
	for _, x := range p.excess(m, 0) {
		if x <= 0 {
			t.Errorf("excess of %g beyond the floor", x)
		}
	}
	// Without a floor it is the log-ratio less the margin.
	m.FloorShare = 0
	logs := p.logs(m)
	for i, x := range p.excess(m, 0.05) {
		if math.Abs(x-(logs[i]-math.Log(1.05))) > 1e-12 {
			t.Errorf("%g, want %g", x, logs[i]-math.Log(1.05))
		}
	}
}

// At most ten annotations are shown of a step.
func TestManyAnnotations(t *testing.T) {
	c := &Report{Verdict: &Verdict{}}
	for i := range 30 {
		c.Verdict.Claims = append(c.Verdict.Claims, Claim{Metric: "iae", Scenario: fmt.Sprint("s,:", i),
			Ratio: measure.Estimate{Value: 2, Low: 1.9, High: 2.1}, Outcome: Worse})
	}
	c.Verdict.Claims = append(c.Verdict.Claims, Claim{Metric: "tv", Outcome: Undecided})
	got := c.Annotations()
	if strings.Count(got, "\n") != 10 || !strings.Contains(got, "22 more claims failed") ||
		!strings.Contains(got, "::notice title=Inconclusive::1 claim ") {
		t.Errorf("%s", got)
	}
	var b strings.Builder
	annotate(&b, "error", "a:b,c\n", "50 % of\nit")
	if b.String() != "::error title=a%3Ab%2Cc%0A::50 %25 of%0Ait\n" {
		t.Errorf("%q", b.String())
	}
}

// The folder of an ensemble gives the same comparison as its runs.
func TestCompareFolders(t *testing.T) {
	dir := t.TempDir()
	s := handmade.Asking(t, scenarios.Terminating)
	var trials []Trial
	for side, late := range [][]int{jitter(5, 12, 1), append(jitter(7, 11, 1), 20)} {
		var runs []ensemble.Observation
		for i, n := range late {
			runs = append(runs, observed(i, 20, handmade.Settles(n, 20)))
		}
		trials = append(trials, Tried(s, runs))
		e := gathered(s, runs...)
		if err := e.Write(folder.Place{Dir: filepath.Join(dir, fmt.Sprint(side), "ensemble"), Replace: true},
			run.Extra{ResolvedTOML: scenarios.Resolved(s)}); err != nil {
			t.Fatal(err)
		}
	}
	want := compared(t, trials[0], trials[1])
	var read [2]Candidate
	for i := range read {
		var err error
		if read[i], err = ReadCandidate(filepath.Join(dir, fmt.Sprint(i))); err != nil { // a folder of folders
			t.Fatal(err)
		}
	}
	got, err := Sides(Candidate{"base", read[0].Trials}, Candidate{"new", read[1].Trials}, false)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := want.Summary()
	b, _ := got.Summary()
	if !bytes.Equal(a, b) || !bytes.Equal(want.pairsCSV(), got.pairsCSV()) {
		t.Errorf("want\n%s\ngot\n%s", a, b)
	}
	if bytes.Equal(want.pairsCSV(), compared(t, trials[0], trials[0]).pairsCSV()) {
		t.Error("another comparison has the same pairs")
	}
	figures, err := want.Figures()
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.Figures()
	if err != nil || len(figures) != 1 || !bytes.Equal(figures[0].SVG, again[0].SVG) ||
		!bytes.Equal(figures[0].CSV, again[0].CSV) {
		t.Errorf("%v: the courses differ", err)
	}
	rows := handmade.ReadRows(t, figures[0].CSV)
	if len(rows) != 1+2*20 || rows[1][0] != "BASE" || rows[1][3] != "100000" || rows[40][0] != "NEW" {
		t.Errorf("%d rows, %q", len(rows), rows[1])
	}
	// The C that is drawn is the one in force: the scenario's own at first.
	trial := read[0].Trials[0]
	if held := trial.inForce(trial.courseOf("b1")); len(held) != 20 || held[0].C.Value != 40 || held[1].C.Value != 100 {
		t.Errorf("C in force: %+v", held[:2])
	}
	if err := want.Write(folder.Place{Dir: filepath.Join(dir, "out"), Replace: true}, "flyball compare a b",
		runlog.Host{Wall: vt.Second}); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCandidate(filepath.Join(dir, "nothing")); err == nil {
		t.Error("a folder that is not there")
	}
	if _, err := ReadCandidate(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds none") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestChangesInWords(t *testing.T) {
	for _, c := range []struct {
		ratio format.Num
		want  string
	}{{1, "0.0 %"}, {1.051, "+5.1 %"}, {0.5, "-50.0 %"}, {1.0002, "+0.020 %"}, {2, "+100.0 %"}, {format.Missing, "?"}} {
		if got := change(c.ratio); got != c.want {
			t.Errorf("%g: %q, want %q", float64(c.ratio), got, c.want)
		}
	}
}

// A scenario of BASE that NEW lacks fails the gate, whatever the others show; a new one is noted and fails nothing.
func TestGateFailsForWhatIsNotCompared(t *testing.T) {
	few := func(name string, set ...string) Trial {
		trial := tried(t, set, slices.Repeat([]int{2, 3}, 10)...)
		trial.Scenario = name
		return trial
	}
	for _, x := range []struct {
		name       string
		base, next []Trial
		answer     string // its beginning
		passed     bool
	}{
		{"the same", []Trial{few("a"), few("b")}, []Trial{few("a"), few("b")}, "Gate: pass, after 20 pairs", true},
		{"removed", []Trial{few("a"), few("b")}, []Trial{few("a")}, "Gate: FAIL, 1 scenario of BASE not compared (b).",
			false},
		{"renamed", []Trial{few("a"), few("b")}, []Trial{few("a"), few("c")},
			"Gate: FAIL, 1 scenario of BASE not compared (b).", false},
		{"added", []Trial{few("a")}, []Trial{few("a"), few("b")}, "Gate: pass, after 20 pairs", true},
		{"other luck", []Trial{few("a"), few("b")}, []Trial{few("a"), few("b", "seed=43")},
			"Gate: FAIL, 1 scenario of BASE not compared (b).", false},
		{"another world", []Trial{few("a"), few("b")}, []Trial{few("a"), few("b", "destination[0].cap=7")},
			"Gate: FAIL, 1 scenario of BASE not compared (b).", false},
	} {
		c, err := Sides(Candidate{"base", x.base}, Candidate{"new", x.next}, false)
		if err != nil {
			t.Fatal(err)
		}
		v := c.Judge([]int{20}, 0, Metrics())
		v.Settle(true, false)
		c.Verdict = v
		if !strings.HasPrefix(v.Answer(), x.answer) || v.Passed != x.passed || v.Failed == x.passed {
			t.Errorf("%s: %q, passed %t, want %q", x.name, v.Answer(), v.Passed, x.answer)
		}
		raw, err := c.JUnit()
		if err != nil || bytes.Contains(raw, []byte(`failures="0"`)) != x.passed {
			t.Errorf("%s: %v\n%s", x.name, err, raw)
		}
	}
	c, err := Sides(Candidate{"base", []Trial{few("a")}}, Candidate{"new", []Trial{few("b")}}, false)
	if !errors.Is(err, ErrNothing) || c.Lacking().Answer() != "Gate: FAIL, 1 scenario of BASE not compared (a)." {
		t.Errorf("got %v", err)
	}
}

// What is inconclusive passes only where that is allowed, and then says so.
func TestInconclusiveIsNoPass(t *testing.T) {
	for _, v := range []*Verdict{
		{Looks: []int{20}, Look: 1, Open: true, Claims: []Claim{{Metric: "iae", Outcome: Undecided}}},
		{Looks: []int{2}, Look: 1, Blind: 14, Claims: []Claim{{Metric: "iae", Outcome: Within}}},
	} {
		c := &Report{Verdict: v}
		for _, allow := range []bool{false, true} {
			v.Settle(allow, false)
			raw, err := c.JUnit()
			if err != nil || v.Passed != allow || bytes.Contains(raw, []byte(`errors="0"`)) != allow ||
				strings.HasPrefix(v.Answer(), "Gate: INCONCLUSIVE: ") == allow ||
				strings.Contains(c.Annotations(), "::error ") == allow {
				t.Errorf("allowed %t: passed %t, %q\n%s\n%s", allow, v.Passed, v.Answer(), c.Annotations(), raw)
			}
		}
	}
	v := &Verdict{Looks: []int{20}, Look: 1, Failed: true, Claims: []Claim{{Metric: "iae", Outcome: Worse}}}
	if v.Settle(true, false); v.Passed {
		t.Error("a regression passes where inconclusive is allowed")
	}
}

// Keys are compared by their values, wherever and however they are written.
func TestDifferences(t *testing.T) {
	base := `
name = "x"
[governor]
d = 3
target = "140000/h"
[[destination]]
name = "a"
rtt = "80ms"
[destination.bucket]
rate = "10/h"
[[destination.fail]]
p = 0.5
[[destination.fail]]
p = 0.1
[[destination]]
name = "b"
delays = ["1m", "2m"]
[destination.bucket]
rate = "20/h"
`
	for _, x := range []struct{ old, new, laws, question string }{
		{"", "", "", ""},
		{"name = \"x\"", "name = \"y\"", "", ""},
		{"d = 3", "d = 4", "governor.d", ""},
		{"d = 3\ntarget = \"140000/h\"", "target = \"140000/h\" # first\nd = 0x3", "", ""},
		{"d = 3\n", "", "governor.d", ""},
		{"140000/h", "1/h", "governor.target", ""},
		{"20/h", "21/h", "", "destination[1].bucket.rate"},
		{"[destination.bucket]", "[destination.send]\nrate = \"9/h\"\n[destination.bucket]", "destination[0].send.rate",
			""},
		{"p = 0.1", "p = 0.10", "", ""},
		{"p = 0.1", "p = 0.2", "", "destination[0].fail[1].p"},
		{"[\"1m\", \"2m\"]", "[\"1m\",\n\"3m\"]", "", "destination[1].delays"},
		{"rtt = \"80ms\"", "rtt = { dist = \"gamma\" }", "", "destination[0].rtt destination[0].rtt.dist"},
	} {
		laws, question := differences([]byte(base), []byte(strings.Replace(base, x.old, x.new, 1)))
		if strings.Join(laws, " ") != x.laws || strings.Join(question, " ") != x.question {
			t.Errorf("%q for %q: got %q and %q, want %q and %q", x.new, x.old, laws, question, x.laws, x.question)
		}
	}
}

// ending are replications with ends, attempts per delivery and what is left
// pending, written down by hand.
func ending(t *testing.T, late int, end, dfr, pending float64) Trial {
	t.Helper()
	var runs []ensemble.Observation
	for i := range 8 {
		o := observed(i, handmade.AllFull, handmade.Settles(late, 20))
		o.Metrics["end_h"], o.Metrics["dfr"], o.Metrics["pending"] = end+float64(i)/100, dfr+float64(i)/1000, pending
		o.Digest = fmt.Sprint(end, i)
		runs = append(runs, o)
	}
	return Tried(handmade.Asking(t, scenarios.Terminating), runs)
}

// Beside lost target-hours stand the end and attempts per delivery. Where they
// do not agree which side is better, a sentence says so; where they do, none.
func TestEndBesideLostHours(t *testing.T) {
	said := func(c *Report) string {
		var b bytes.Buffer
		if err := c.Text(&b, false); err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(b.String()), " ")
	}
	c := compared(t, ending(t, 8, 10.9, 1.5, 0), ending(t, 3, 25.5, 2.5, 0))
	if got := c.cell("end"); math.Abs(float64(got.Base)-10.935) > 1e-9 || math.Abs(float64(got.New)-25.535) > 1e-9 ||
		got.Never != 0 || got.Pairs != 8 {
		t.Errorf("end: %+v", got)
	}
	if want := "Which is best depends on what is asked: NEW loses fewer target-hours, BASE ends sooner and needs " +
		"fewer attempts per delivery."; !strings.Contains(said(c), want) {
		t.Errorf("no %q in %s", want, said(c))
	}
	c = compared(t, ending(t, 8, 25.5, 2.5, 0), ending(t, 3, 10.9, 1.5, 0))
	if text := said(c); strings.Contains(text, "depends on what is asked") {
		t.Error(text)
	}
	c = compared(t, ending(t, 3, 48, 1.5, 7), ending(t, 3, 10.9, 1.5, 0))
	if got := c.cell("end"); got.Never != 8 {
		t.Errorf("end of what is not finished: %+v", got)
	}
	for _, want := range []string{"hand-made not finished 10.94",
		"hand-made: 8 of 8 runs of BASE and 0 of NEW were not finished by the horizon, which they count as."} {
		if !strings.Contains(said(c), want) {
			t.Errorf("no %q in %s", want, said(c))
		}
	}
}

// unfinished leaves recipients pending in the first n runs of a trial, whose end is then its horizon.
func unfinished(t Trial, n int) Trial {
	t.Runs = slices.Clone(t.Runs)
	for i := range t.Runs[:n] {
		t.Runs[i].unfinished = true
	}
	return t
}

// What is not finished at the horizon is not within the margin of what ended just before: a gate
// on the end fails if that is so in every pair, and is open if it is so in some.
func TestGateOnTheEnd(t *testing.T) {
	const pairs = 20
	many := func(end float64) Trial {
		trial := ending(t, 3, end, 1.5, 0)
		for i := len(trial.Runs); i < pairs; i++ {
			r := trial.Runs[i%8]
			r.Replication = uint64(i)
			trial.Runs = append(trial.Runs, r)
		}
		return trial
	}
	metrics := Metrics()
	for i := range metrics {
		metrics[i].Gated = metrics[i].Name == "end"
		metrics[i].Margin = 0.05
	}
	base := many(47.9)
	for _, c := range []struct {
		base, late int
		outcome    string
		mean       string
	}{{0, 0, Within, "47.93"}, {0, 3, Undecided, "> 47.93"}, {0, pairs, Lost, "not finished"},
		{pairs, pairs, Within, "not finished"}} {
		found := compared(t, unfinished(base, c.base), unfinished(many(47.9), c.late))
		v := found.Judge([]int{pairs}, 0, metrics)
		if got := v.Claims[1]; got.Outcome != c.outcome || v.Failed != (c.outcome == Lost) ||
			v.Open != (c.outcome == Undecided) {
			t.Errorf("%d of %d are late: %+v, failed %v, open %v", c.late, pairs, got, v.Failed, v.Open)
		}
		i := slices.IndexFunc(found.Metrics, func(m MetricResult) bool { return m.Name == "end" })
		if row := found.Metrics[i].table().Rows[0]; row[2] != c.mean {
			t.Errorf("%d of %d are late: got %q, want %s", c.late, pairs, row, c.mean)
		}
	}
}

// A side that leaves more runs unfinished does not end sooner, although its others do.
func TestUnfinishedIsNotSooner(t *testing.T) {
	c := compared(t, ending(t, 3, 25.5, 1.5, 0), unfinished(ending(t, 3, 10.9, 1.5, 0), 2))
	if said := strings.Join(c.Answer(), " "); strings.Contains(said, "better in end") {
		t.Error(said)
	}
	c = compared(t, ending(t, 3, 25.5, 1.5, 0), ending(t, 3, 10.9, 1.5, 0))
	if said := strings.Join(c.Answer(), " "); !strings.Contains(said, "better in end") {
		t.Error(said)
	}
}

// A run that did not settle counts as what all were watched for, and a note says
// how many there are.
func TestCensoredSettlingIsTold(t *testing.T) {
	c := compared(t, tried(t, nil, 2, 20, 3), tried(t, nil, 4, 5, 6))
	if want := "hand-made: 1 of 3 runs of BASE and 0 of NEW had not settled by the 60 h that all runs were watched, " +
		"which they count as."; !slices.Contains(c.Notes, want) {
		t.Errorf("no %q in %q", want, c.Notes)
	}
}

// What is compared, from the metrics of a run whose intervals are of 3 h.
func TestEveryNumberThatIsCompared(t *testing.T) {
	trial := &Trial{IntervalSec: 10_800}
	r := trial.sample(4, "d", 17, map[string]float64{"recipients": 1000, "delivered": 900, "suppressed": 30,
		"pending": 2, "iae_target_hours": 5,
		"total_variation": 60, "settling_intervals_5pct": 7, "overshoot": 0.2, "steady_state_error": -0.1, "end_h": 8.5,
		"dfr": 1.25, "deferrals": 40})
	if r.Replication != 4 || r.Digest != "d" || r.recipients != 1000 || r.watched != 17 || !r.unfinished {
		t.Errorf("%+v", r)
	}
	want := map[string]float64{"iae": 5, "tv": 60, "settling": 21, "overshoot": 0.2, "steady-error": 0.1, "end": 8.5,
		"dfr":         1.25,
		"undelivered": 70, "deferrals": 40,
		"recipients": 1000, "delivered": 900, "suppressed": 30, "pending": 2}
	if !maps.Equal(r.values, want) {
		t.Errorf("got %v\nwant %v", r.values, want)
	}
}

// A change is shown if its interval excludes 1, and so do the ranks of six pairs or more.
func TestShown(t *testing.T) {
	for _, c := range []struct {
		n         int
		low, high format.Num
		rank      format.Num
		want      bool
	}{{8, 1.1, 1.5, 0.04, true}, {8, 1.1, 1.5, 0.06, false}, {5, 1.1, 1.5, 0.06, true}, {6, 1.1, 1.5, 0.06, false},
		{8, 0.9, 1.5, 0.04, false},
		{8, 0.5, 0.9, 0.04, true}, {1, 1.1, 1.5, 0.04, false}} {
		cell := Cell{Ratio: measure.Estimate{N: c.n, Low: c.low, High: c.high}, RankP: c.rank}
		if cell.Shown() != c.want {
			t.Errorf("%+v: shown %v", c, !c.want)
		}
	}
}
