package study

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flyball/reports/folder"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

// workedStudy has points with 3 runs each whose numbers are easily
// found by hand.
func workedStudy(design string, axes ...Axis) *Report {
	s := Report{Name: "worked", About: "By hand.", ID: "abc", Design: design, Seed: 3, Replications: 3,
		Scenarios: []string{"one"},
		Axes:      axes, Metrics: []string{"rate_per_h", "settling_intervals_5pct", "overshoot"},
		Replay: "flyball sweep worked.toml"}
	n := 1
	for _, a := range axes {
		n *= len(a.Values)
	}
	if design == "zip" {
		n = len(axes[0].Values)
	}
	var runs []Run
	for i := range n {
		at, rest := make([]int, len(axes)), i
		for k := len(axes) - 1; k >= 0; k-- {
			at[k] = rest % len(axes[k].Values)
			rest /= len(axes[k].Values)
			if design == "zip" {
				at[k] = i
			}
		}
		s.Points = append(s.Points, Point{ID: fmt.Sprint("id", i), At: at})
		for r := range 3 {
			class, settled := measure.Stable, float64(10+r)
			if i == 1 && r > 0 {
				class, settled = measure.Oscillating, math.Inf(1)
			}
			runs = append(runs, Run{Digest: fmt.Sprint(i, r), Class: string(class), Watched: 20 + r,
				Values: []float64{float64(100*i) + float64(r), settled, math.NaN()}})
		}
	}
	return Gather(s, runs, runlog.Host{})
}

func TestStudyNumbers(t *testing.T) {
	s := workedStudy("grid", Axis{Keys: []string{"a"}, Values: []string{"1", "2"}},
		Axis{Keys: []string{"b"}, Values: []string{"x", "y", "z"}})
	p := s.Points[1]
	// The mean of 100, 101, 102; t(0.975, 2) = 4.302653 of the tables, s = 1.
	if e := p.Estimates[0]; e.Value != 101 || math.Abs(float64(measure.HalfWidth(e))-4.302653/math.Sqrt(3)) > 1e-6 {
		t.Errorf("rate %v +- %v", e.Value, measure.HalfWidth(e))
	}
	// Two never settled while they were watched for 20 intervals: (10 + 20 + 20) / 3.
	if e := p.Estimates[1]; math.Abs(float64(e.Value)-50.0/3) > 1e-12 || p.Never[1] != 2 {
		t.Errorf("settling %v, %d never", e.Value, p.Never[1])
	}
	if p.Class != measure.Oscillating || s.Points[0].Class != measure.Stable {
		t.Errorf("classes %s and %s", p.Class, s.Points[0].Class)
	}
	want := Extreme{Metric: "rate_per_h", Least: 1, LeastAt: "a = 1, b = x", Most: 501, MostAt: "a = 2, b = z"}
	if s.Extremes[0] != want {
		t.Errorf("%+v, want %+v", s.Extremes[0], want)
	}
	rows, err := csv.NewReader(bytes.NewReader(s.pointsCSV())).ReadAll()
	if err != nil || len(rows) != 7 {
		t.Fatal(err, rows)
	}
	if got, want := strings.Join(rows[0], ","),
		"point,scenario,a,b,scenario_id,class,class_runs,runs,rate_per_h,rate_per_h_half,rate_per_h_n,"+
			"settling_intervals_5pct,settling_intervals_5pct_half,settling_intervals_5pct_n,"+
			"settling_intervals_5pct_never,overshoot,overshoot_half,overshoot_n"; got != want {
		t.Errorf("columns %s", got)
	}
	if got := rows[2]; !slices.Equal(got[:9], []string{"1", "one", "1", "y", "id1", "oscillating", "2", "3", "101"}) ||
		got[14] != "2" || got[15] != "" || got[17] != "0" {
		t.Errorf("row %q", got)
	}
	text := strings.Join(s.Answer(), "\n")
	for _, want := range []string{"6 points: 5 stable and 1 oscillating.", "runs of the same point differ in 1 point.",
		"overshoot is undefined at every point.", "In 1 point the rate"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// Every shape of study is drawn, whatever is missing, twice to the same bytes.
func TestStudyFigures(t *testing.T) {
	axis := func(name string, n int) Axis {
		a := Axis{Keys: []string{name}}
		for i := range n {
			a.Values = append(a.Values, fmt.Sprintf("%d%s", i, name))
		}
		return a
	}
	for _, c := range []struct {
		name string
		make func() *Report
		maps int
	}{
		{"one point", func() *Report { return workedStudy("grid", axis("a", 1)) }, 0},
		{"a line", func() *Report { return workedStudy("grid", axis("a", 7)) }, 0},
		{"a zip", func() *Report { return workedStudy("zip", axis("a", 4), axis("b", 4)) }, 0},
		{"a map", func() *Report { return workedStudy("grid", axis("a", 2), axis("b", 3)) }, 1},
		{"many maps", func() *Report {
			return workedStudy("grid", axis("a", 2), axis("b", 2), axis("c", 3),
				axis("d", 9))
		}, 27},
		{"dots", func() *Report { return workedStudy("halton", axis("a", 4), axis("b", 3), axis("c", 2)) }, 1},
	} {
		s := c.make()
		if c.maps > 0 && len(s.maps()) != c.maps {
			t.Errorf("%s: %d maps, want %d", c.name, len(s.maps()), c.maps)
		}
		first, err := s.Figures()
		if err != nil {
			t.Fatal(err)
		}
		again, _ := c.make().Figures()
		if len(first) != 4 {
			t.Fatalf("%s: %d figures, want the classes and 3 metrics", c.name, len(first))
		}
		for i, f := range first {
			if !bytes.Equal(f.SVG, again[i].SVG) || !bytes.Equal(f.PNG, again[i].PNG) {
				t.Errorf("%s, %s: drawn twice, not the same", c.name, f.Name)
			}
			if bytes.Contains(f.SVG, []byte("NaN")) || f.Alt == "" {
				t.Errorf("%s, %s: %s", c.name, f.Name, f.Alt)
			}
			if rows, err := csv.NewReader(bytes.NewReader(f.CSV)).ReadAll(); err != nil ||
				len(rows) != len(s.Points)+1 {
				t.Errorf("%s, %s: %d rows, %v", c.name, f.Name, len(rows), err)
			}
		}
		if c.maps > mostMaps && !strings.Contains(first[0].Alt, "Only the first 24 of 27 maps") {
			t.Errorf("%s: %s", c.name, first[0].Alt)
		}
	}
}

// The folder behaves like the folder of a run: writing it again replaces it, with the
// same content each time.
func TestStudyFolder(t *testing.T) {
	s := workedStudy("grid", Axis{Keys: []string{"a"}, Values: []string{"1", "2"}})
	dir := filepath.Join(t.TempDir(), "out")
	for range 2 {
		if err := s.Write(folder.Place{Dir: dir, Replace: true}, []byte("name = \"worked\"\n"),
			[]folder.File{{Path: "scenarios/0.toml", Data: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := folder.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Replications(dir); err == nil || !strings.Contains(err.Error(),
		"is the folder of a study: want the folder of a run") {
		t.Errorf("it counts as that of runs: %v", err)
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	for _, want := range []string{"points.csv", "report.html", "runs.csv", "study.json", "study.toml",
		"scenarios/0.toml", "plots/classes.svg"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %v", want, names)
		}
	}
}

// The point with the greatest rate need not be the one that ends first or needs
// the fewest attempts; the end of what is not finished counts for none.
func TestPointsMayDisagree(t *testing.T) {
	gather := func(values ...[]float64) *Report {
		s := Report{Name: "laws", Design: "grid", Replications: 2, Scenarios: []string{"one"},
			Axes:    []Axis{{Keys: []string{"law"}, Values: []string{"a", "b", "c"}}},
			Metrics: []string{"rate_per_h", "end_h", "pending", "dfr"}}
		var runs []Run
		for i, v := range values {
			s.Points = append(s.Points, Point{At: []int{i}})
			for range 2 {
				runs = append(runs, Run{Class: string(measure.Stable), Watched: 20, Values: v})
			}
		}
		return Gather(s, runs, runlog.Host{})
	}
	s := gather([]float64{127_000, 25.5, 0, 2.5}, []float64{33_500, 10.9, 0, 1.6}, []float64{30_000, 8, 5, 1.4})
	said := strings.Join(s.disagreement(), " ")
	for _, want := range []string{"Which point is best depends on what is asked: rate_per_h is greatest with law = a " +
		"(127,000", "the list ends first with law = b (after 10.9",
		"attempts per delivery are fewest with law = c (1.4"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %q", want, said)
		}
	}
	var b bytes.Buffer
	if err := s.Text(&b, false); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"c 30,000 not finished 5 1.4",
		"In 1 point some run was not finished at the horizon, which stands for its end.", "end_h reaches from 10.9"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if s = gather([]float64{127_000, 10, 0, 1.5}, []float64{33_500, 20, 0, 1.6}); s.disagreement() != nil {
		t.Errorf("one point is best in all: %q", s.disagreement())
	}
	if s = gather([]float64{127_000, 10.01, 0, 1.501}, []float64{33_500, 10, 0, 1.5}); s.disagreement() != nil {
		t.Errorf("less than 1 %% apart: %q", s.disagreement())
	}
}

// A time that some run did not reach is a lower bound, and never the least of all points.
func TestTimesThatDidNotCome(t *testing.T) {
	s := Report{Name: "laws", Design: "grid", Replications: 2, Scenarios: []string{"one"},
		Axes:    []Axis{{Keys: []string{"law"}, Values: []string{"a", "b", "c"}}},
		Metrics: []string{"time_to_final_p95_h", "settling_intervals_2pct"}}
	var runs []Run
	for i, v := range [][2][2]float64{{{4, 5}, {6, 7}}, {{1, 8}, {math.Inf(1), math.Inf(1)}},
		{{math.Inf(1), 3}, {math.Inf(1), 3}}} {
		s.Points = append(s.Points, Point{At: []int{i}})
		for _, values := range v {
			runs = append(runs, Run{Class: string(measure.Stable), Watched: 20, Values: values[:]})
		}
	}
	got := Gather(s, runs, runlog.Host{})
	if x := got.Extremes[0]; x.Least != 5 || x.Most != 5 || x.LeastAt != "law = a" {
		t.Errorf("extremes %+v, want 5 at a: b and c have runs that did not get there", x)
	}
	for i, want := range [][2]int{{0, 0}, {1, 1}, {2, 0}} {
		if p := got.Points[i]; p.Never[0] != want[0] || p.Never[1] != want[1] {
			t.Errorf("point %d: %v never, want %v", i, p.Never, want)
		}
	}
	if e := got.Points[1].Estimates[1]; e.Value != 14 { // 8 and the 20 that all were watched
		t.Errorf("2 %%: %+v, want a mean of 14", e)
	}
	var b bytes.Buffer
	if err := got.Text(&b, false); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"b > 1 > 14", "c never 3",
		"In 2 points some run did not reach a time within the horizon",
		"In 1 point the rate of some run never settled"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if head := strings.SplitN(string(got.pointsCSV()), "\n", 2)[0]; !strings.Contains(head,
		"time_to_final_p95_h_never") {
		t.Errorf("points.csv: %s", head)
	}
}

// A table that leaves out points says how to see all of them, and then has all.
func TestEveryPointOnDemand(t *testing.T) {
	var values []string
	var runs []Run
	s := Report{Name: "many", Design: "grid", Replications: 1, Scenarios: []string{"one"},
		Metrics: []string{"rate_per_h"}}
	for i := range 20 {
		values = append(values, fmt.Sprintf("v%02d", i))
		s.Points = append(s.Points, Point{At: []int{i}})
		runs = append(runs, Run{Class: string(measure.Stable), Watched: 20, Values: []float64{float64(1000 * i)}})
	}
	s.Axes = []Axis{{Keys: []string{"k"}, Values: values}}
	got := Gather(s, runs, runlog.Host{})
	for _, all := range []bool{false, true} {
		got.All = all
		var b bytes.Buffer
		if err := got.Text(&b, false); err != nil {
			t.Fatal(err)
		}
		rows := regexp.MustCompile(`(?m)^v\d\d `).FindAllString(b.String(), -1)
		hint := strings.Contains(b.String(), "(16 of 20; --all prints every one, points.csv has them)")
		if want := map[bool]int{false: 16, true: 20}[all]; len(rows) != want || hint == all {
			t.Errorf("all %v: %d rows, hint %v\n%s", all, len(rows), hint, b.String())
		}
	}
}

// Numbers on a map have the thousands that numbers on an axis have.
func TestBrief(t *testing.T) {
	for v, want := range map[float64]string{1000: "1,000", 2000: "2,000", 28284.3: "28,284", 1_230_000: "1.23M",
		999: "999", 5.018: "5.02"} {
		if got := brief(v); got != want {
			t.Errorf("%g: got %s, want %s", v, got, want)
		}
	}
}
