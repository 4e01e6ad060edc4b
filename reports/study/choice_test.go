package study

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/reports/folder"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

// chosenStudy has three laws at two receivers and two targets, with and without
// noise. Each point runs 10 h; its numbers come from the table, and noise loses one more
// hour of the target.
func chosenStudy() *Report {
	type numbers struct{ lost, attempts, delivered float64 }
	nan := math.NaN()
	worked := map[string]numbers{ // law, target, receiver
		"usual low open": {2, 100, 100}, "usual high open": {4, 100, 80}, "usual low shut": {1, 100, 50},
		"usual high shut": {nan, 100, 0},
		"swift low open":  {0, 100, 100}, "swift high open": {1, 100, 100}, "swift low shut": {3, 100, 40},
		"swift high shut": {9, 0, 0},
		"known low open":  {0, 100, 100}, "known high open": {0, 100, 100}, "known low shut": {0, 100, 100},
		"known high shut": {1, 100, 75},
	}
	axes := []Axis{{[]string{"law"}, []string{"usual", "swift", "known"}},
		{[]string{"target"}, []string{"low", "high"}},
		{[]string{"receiver"}, []string{"open", "shut"}}, {[]string{"noise"}, []string{"none", "some"}}}
	s := Report{Name: "chosen", ID: "abc", Design: "grid", Seed: 1, Replications: 1, Scenarios: []string{"one"},
		Axes:    axes,
		Metrics: []string{"iae_target_hours", "end_h", "attempts", "delivered", "peak_available"},
		Choice:  &Choice{Of: 0, Rows: 2, Columns: 1, Noise: 3, Default: 0, Aside: []int{2}}}
	var runs []Run
	for i := range 24 {
		at := []int{i / 8, i / 4 % 2, i / 2 % 2, i % 2}
		w := worked[axes[0].Values[at[0]]+" "+axes[1].Values[at[1]]+" "+axes[2].Values[at[2]]]
		class := measure.Stable
		if at[3] == 1 {
			class = measure.Unsettled
		} else if at[0] == 1 && at[2] == 1 {
			class = measure.Collapsed
		}
		s.Points = append(s.Points, Point{ID: "id", At: at})
		runs = append(runs, Run{Digest: "d", Class: string(class), Watched: 9,
			Values: []float64{w.lost + float64(at[3]), 10, w.attempts, w.delivered, 40 * float64(1+at[0])}})
	}
	return Gather(s, runs, runlog.Host{})
}

// Costs, the best of each place, and what a wrong choice costs, by hand: without
// noise usual loses 0.2 and 0.4 of the target at the open receiver, with noise
// 0.1 more, so 0.25 and 0.45 on average, and a fifth of the attempts at the high
// target. Where nothing was judged all of the target counts as lost, and where
// nothing was delivered all attempts as in vain.
func TestChoice(t *testing.T) {
	s := chosenStudy()
	var costs []string
	for _, o := range s.Choice.Options {
		costs = append(costs, fraction(o.Cost()))
	}
	want := []string{ // open low, open high, shut low, shut high: usual, swift, known
		"0.250000", "0.050000", "0.050000", "0.650000", "0.150000", "0.050000",
		"0.650000", "0.950000", "0.050000", "2.000000", "1.950000", "0.400000"}
	if !slices.Equal(costs, want) {
		t.Errorf("costs are\n%v, want\n%v", costs, want)
	}
	for i, law := range []string{"swift", "swift", "usual", "swift"} {
		if b := s.best(i/2, i%2); s.Axes[0].Values[b.Value] != law {
			t.Errorf("best at %d: %s, want %s", i, s.Axes[0].Values[b.Value], law)
		}
	}
	for i, want := range []float64{0.35, 0, -0.05, 0.025, 0.15, -1.075} {
		if got := s.regret(i/3, i%3); math.Abs(got-want) > 1e-9 {
			t.Errorf("regret of %s in row %d is %g, want %g", s.Axes[0].Values[i%3], i/3, got, want)
		}
	}
	all := s.standings()
	if all[0].wins != 1 || all[1].wins != 3 || all[2].wins != 0 || math.Abs(all[0].regret-0.1875) > 1e-9 ||
		math.Abs(all[0].worst-0.5) > 1e-9 {
		t.Errorf("standings are %+v", all)
	}
	if o := s.choiceAt(1, 0)[1]; o.Class() != measure.Collapsed || o.Counts[0] != 0 || o.Points != 2 {
		t.Errorf("with noise, runs have a class: %+v", o)
	}
	if d := s.choiceAt(0, 1)[0].AttemptsPerDelivery(); d != 1.25 {
		t.Errorf("%v attempts per delivery, want 1.25", d)
	}
	answer := strings.Join(s.Answer(), "\n")
	if !strings.Contains(answer, "law = swift costs least in 3 of 4 places.") ||
		!strings.Contains(answer, "law = swift is the least wrong everywhere: on average it costs 7.5 points more "+
			"than the best of the place, at worst 30; law = usual 18.8 and 50.") {
		t.Error(answer)
	}
	csv := string(s.choiceCSV())
	if !strings.Contains(csv, "shut,high,usual,2,2.000000,1.000000,1.000000,1,0,0,0,0,0,,10,100,0,40\n") {
		t.Error(csv)
	}
}

// The figures are drawn alike each time and say in words what they show; the
// folder has the numbers.
func TestChoiceFigures(t *testing.T) {
	s := chosenStudy()
	first, err := s.Figures()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := chosenStudy().Figures()
	rows := map[string]int{"choice": 4, "regret": 6, "cost": 12, "classes": 12, "attempts": 12, "peak": 12}
	if len(first) != len(rows) {
		t.Fatalf("%d figures, want %d", len(first), len(rows))
	}
	for i, f := range first {
		if !bytes.Equal(f.SVG, again[i].SVG) || !bytes.Equal(f.PNG, again[i].PNG) || f.Alt == "" ||
			bytes.Contains(f.SVG, []byte("NaN")) {
			t.Errorf("%s is drawn differently, has no words, or NaN", f.Name)
		}
		if n := bytes.Count(f.CSV, []byte("\n")) - 1; n != rows[f.Name] {
			t.Errorf("%s: %d rows, want %d", f.Name, n, rows[f.Name])
		}
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := s.Write(folder.Place{Dir: dir, Replace: true}, []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	m, err := folder.ReadManifest(dir)
	if err != nil || !slices.ContainsFunc(m.Files, func(f folder.ManifestFile) bool { return f.Path == "choice.csv" }) {
		t.Errorf("no choice.csv: %v", err)
	}
	var b bytes.Buffer
	if err := s.Text(&b, false); err != nil || !strings.Contains(b.String(), "\nknown        -  13.8   -56.2") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// Steps of colours: an edge belongs above, what is undefined has a colour of its
// own, and edges are round.
func TestBins(t *testing.T) {
	b := blues(1, 5, 10)
	for v, want := range map[float64]int{-3: 0, 0.99: 0, 1: 1, 4.9: 1, 5: 2, 10: 3, 1e9: 3} {
		if got := b.place(v); got != want {
			t.Errorf("%g lies in step %d, want %d", v, got, want)
		}
	}
	if b.color(math.NaN()) != blank || b.color(0) == b.color(2) {
		t.Error("steps have no colours of their own")
	}
	for most, want := range map[float64][]float64{2000: {50, 100, 200, 500, 1000}, 1500: {50, 100, 200, 500, 1000},
		51: {2, 5, 10, 20, 50}} {
		got := roundBelow(most)
		if !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("below %g: %v, want %v", most, got, want)
		}
	}
}
