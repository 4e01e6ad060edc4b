package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/reports/runlog"
)

// steered makes judged intervals of one hour from their rates and the C in force.
func steered(n int, rate, c func(i int) float64) []Row {
	var rows []Row
	for i := range n {
		rows = append(rows, Row{Number: i, Hours: 1, Rate: Num(rate(i)), Target: 1000, Previous: Num(c(i)), Available: Num(c(i + 1)), Allocated: Num(c(i))})
	}
	return rows
}

func always(v float64) func(int) float64 { return func(int) float64 { return v } }

// Each class on courses that are drawn by hand, beside its border. The target
// is 1000, and each process delivers 10 unless said.
func TestClasses(t *testing.T) {
	wave := func(middle, height float64, period int) func(int) float64 {
		return func(i int) float64 { return middle + height/2*math.Cos(2*math.Pi*float64(i)/float64(period)) }
	}
	ten := func(c func(int) float64) func(int) float64 { return func(i int) float64 { return 10 * c(i) } }
	for _, c := range []struct {
		name string
		rows []Row
		want Class
	}{
		{"nothing judged", nil, NotJudged},
		{"on target", steered(20, always(1000), always(100)), Stable},
		{"5 % off", steered(20, always(1050), always(105)), Stable},
		{"5.1 % off", steered(20, always(1051), always(105.1)), Unsettled},
		{"in the last quarter alone", steered(20, func(i int) float64 {
			if i < 15 {
				return 500
			}
			return 1000
		}, always(100)), Stable},
		{"not in all of the last quarter", steered(20, func(i int) float64 {
			if i < 16 {
				return 500
			}
			return 1000
		}, always(100)), Unsettled},
		{"few intervals", steered(3, always(1000), always(100)), Stable},
		{"few intervals off", steered(7, ten(wave(100, 80, 2)), wave(100, 80, 2)), Unsettled},
		{"on its way", steered(20, func(i int) float64 { return 400 + 20*float64(i) }, func(i int) float64 { return 40 + 2*float64(i) }), Unsettled},
		{"a swing within 5 %", steered(24, ten(wave(100, 9, 6)), wave(100, 9, 6)), Stable},
		{"a swing of 20 %", steered(24, ten(wave(100, 20, 6)), wave(100, 20, 6)), Oscillating},
		{"a swing of C by 9 %", steered(24, func(i int) float64 { return 1100 }, wave(100, 9, 6)), Unsettled},
		{"one swing in the tail", steered(24, ten(wave(100, 20, 24)), wave(100, 20, 24)), Unsettled},
		{"two passes in the tail", steered(24, ten(wave(100, 20, 12)), wave(100, 20, 12)), Unsettled},
		{"one jump and small noise", steered(24, ten(func(i int) float64 {
			if i == 20 {
				return 160
			}
			return 90 + float64(i%2)
		}), func(i int) float64 {
			if i == 20 {
				return 160
			}
			return 90 + float64(i%2)
		}), Unsettled},
		{"30 % too many, to stay", steered(20, always(1300), always(130)), WoundUp},
		{"20 % too many", steered(20, always(1200), always(120)), Unsettled},
		{"30 % too many, coming down", steered(20, ten(func(i int) float64 { return 200 - 3*float64(i) }), func(i int) float64 { return 200 - 3*float64(i) }), Unsettled},
		{"30 % of the target missing, many processes", steered(20, always(700), always(200)), Unsettled},
		{"more processes, less rate", steered(20, func(i int) float64 { return 800 - 10*float64(i) }, func(i int) float64 { return 100 + 10*float64(i) }), Collapsed},
	} {
		if got := classOf(c.rows); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// workedStudy has points with 3 runs each whose numbers are easily
// found by hand.
func workedStudy(design string, axes ...Axis) *Study {
	s := Study{Name: "worked", About: "By hand.", ID: "abc", Design: design, Seed: 3, Replications: 3, Scenarios: []string{"one"},
		Axes: axes, Metrics: []string{"rate_per_h", "settling_intervals_5pct", "overshoot"}, Replay: "flyball sweep worked.toml"}
	n := 1
	for _, a := range axes {
		n *= len(a.Values)
	}
	if design == "zip" {
		n = len(axes[0].Values)
	}
	var runs []StudyRun
	for i := range n {
		at, rest := make([]int, len(axes)), i
		for k := len(axes) - 1; k >= 0; k-- {
			at[k] = rest % len(axes[k].Values)
			rest /= len(axes[k].Values)
			if design == "zip" {
				at[k] = i
			}
		}
		s.Points = append(s.Points, StudyPoint{ID: fmt.Sprint("id", i), At: at})
		for r := range 3 {
			class, settled := Stable, float64(10+r)
			if i == 1 && r > 0 {
				class, settled = Oscillating, math.Inf(1)
			}
			runs = append(runs, StudyRun{Digest: fmt.Sprint(i, r), Class: string(class), Watched: 20 + r,
				Values: []float64{float64(100*i) + float64(r), settled, math.NaN()}})
		}
	}
	return GatherStudy(s, runs, runlog.Host{})
}

func TestStudyNumbers(t *testing.T) {
	s := workedStudy("grid", Axis{Keys: []string{"a"}, Values: []string{"1", "2"}}, Axis{Keys: []string{"b"}, Values: []string{"x", "y", "z"}})
	p := s.Points[1]
	// The mean of 100, 101, 102; t(0.975, 2) = 4.302653 of the tables, s = 1.
	if e := p.Estimates[0]; e.Value != 101 || math.Abs(float64(halfWidth(e))-4.302653/math.Sqrt(3)) > 1e-6 {
		t.Errorf("rate %v +- %v", e.Value, halfWidth(e))
	}
	// Two never settled while they were watched for 20 intervals: (10 + 20 + 20) / 3.
	if e := p.Estimates[1]; math.Abs(float64(e.Value)-50.0/3) > 1e-12 || p.Never[1] != 2 {
		t.Errorf("settling %v, %d never", e.Value, p.Never[1])
	}
	if p.Class != Oscillating || s.Points[0].Class != Stable {
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
	if got, want := strings.Join(rows[0], ","), "point,scenario,a,b,scenario_id,class,class_runs,runs,rate_per_h,rate_per_h_half,rate_per_h_n,"+
		"settling_intervals_5pct,settling_intervals_5pct_half,settling_intervals_5pct_n,settling_intervals_5pct_never,overshoot,overshoot_half,overshoot_n"; got != want {
		t.Errorf("columns %s", got)
	}
	if got := rows[2]; !slices.Equal(got[:9], []string{"1", "one", "1", "y", "id1", "oscillating", "2", "3", "101"}) || got[14] != "2" || got[15] != "" || got[17] != "0" {
		t.Errorf("row %q", got)
	}
	text := strings.Join(s.Answer(), "\n")
	for _, want := range []string{"6 points: 5 stable and 1 oscillating.", "they do in 1 point.", "overshoot is undefined at every point.", "In 1 point the rate"} {
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
		make func() *Study
		maps int
	}{
		{"one point", func() *Study { return workedStudy("grid", axis("a", 1)) }, 0},
		{"a line", func() *Study { return workedStudy("grid", axis("a", 7)) }, 0},
		{"a zip", func() *Study { return workedStudy("zip", axis("a", 4), axis("b", 4)) }, 0},
		{"a map", func() *Study { return workedStudy("grid", axis("a", 2), axis("b", 3)) }, 1},
		{"many maps", func() *Study { return workedStudy("grid", axis("a", 2), axis("b", 2), axis("c", 3), axis("d", 9)) }, 27},
		{"dots", func() *Study { return workedStudy("halton", axis("a", 4), axis("b", 3), axis("c", 2)) }, 1},
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
			if rows, err := csv.NewReader(bytes.NewReader(f.CSV)).ReadAll(); err != nil || len(rows) != len(s.Points)+1 {
				t.Errorf("%s, %s: %d rows, %v", c.name, f.Name, len(rows), err)
			}
		}
		if c.maps > mostMaps && !strings.Contains(first[0].Alt, "Only the first 24 of 27 maps") {
			t.Errorf("%s: %s", c.name, first[0].Alt)
		}
	}
}

// The folder is one like that of a run: replaced when it is written again,
// and the same each time.
func TestStudyFolder(t *testing.T) {
	s := workedStudy("grid", Axis{Keys: []string{"a"}, Values: []string{"1", "2"}})
	dir := filepath.Join(t.TempDir(), "out")
	for range 2 {
		if err := s.Write(dir, []byte("name = \"worked\"\n"), []File{{"scenarios/0.toml", []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := readManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Replications(dir); err == nil || !strings.Contains(err.Error(), "is the folder of a study: want that of a run") {
		t.Errorf("it counts as that of runs: %v", err)
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	for _, want := range []string{"points.csv", "report.html", "runs.csv", "study.json", "study.toml", "scenarios/0.toml", "plots/classes.svg"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %v", want, names)
		}
	}
}
