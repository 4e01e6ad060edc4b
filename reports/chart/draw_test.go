package chart

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"
)

func TestThinnedKeepsEndsAndPeaks(t *testing.T) {
	var points plotter.XYs
	for i := range 10_007 {
		points = append(points, plotter.XY{X: float64(i), Y: math.Sin(float64(i) / 500)})
	}
	points[4321].Y, points[8765].Y = 99, -99
	got := thinned(points, 500)
	if len(got) > 500 || len(got) < 400 || got[0] != points[0] || got[len(got)-1] != points[10_006] ||
		!slices.Contains(got, points[4321]) || !slices.Contains(got, points[8765]) {
		t.Errorf("%d points, from %v to %v", len(got), got[0], got[len(got)-1])
	}
	if !slices.IsSortedFunc(got, func(a, b plotter.XY) int { return int(a.X - b.X) }) {
		t.Error("out of order")
	}
	if few := thinned(points[:300], 500); len(few) != 300 {
		t.Errorf("%d of 300 points", len(few))
	}
}

func TestRanges(t *testing.T) {
	of := func(p Panel, points ...plotter.XY) ranges {
		p.Lines = []Line{{Points: points}}
		return newRanges(p)
	}
	inf := math.Inf(1)
	for _, v := range []struct{ got, want ranges }{
		{of(Panel{}), ranges{1, 10, 0, 1.06}},
		{of(Panel{}, plotter.XY{X: 2, Y: 0}), ranges{2, 4, 0, 1.06}},
		{of(Panel{From: 1}, plotter.XY{X: 0, Y: 3}, plotter.XY{X: 8, Y: 2}), ranges{0, 8, 1, 3.12}},
		{of(Panel{}, plotter.XY{X: 0, Y: -50}, plotter.XY{X: 8, Y: 50}), ranges{0, 8, -50, 60}},
		{of(Panel{}, plotter.XY{X: 1, Y: inf}, plotter.XY{X: -inf, Y: 1}, plotter.XY{X: 3, Y: 1}),
			ranges{3, 6, 0, 1.06}},
		{of(Panel{Log: true}, plotter.XY{X: 0, Y: 5}, plotter.XY{X: 0.1, Y: 50}), ranges{0.1, 1.1, 0, 53}},
		{of(Panel{Room: []float64{-1, 9}}, plotter.XY{X: 2, Y: 50}), ranges{-1, 9, 0, 53}},
	} {
		if v.got != v.want {
			t.Errorf("got %v, want %v", v.got, v.want)
		}
	}
}

// A gap stays a gap.
func TestGapsCutLines(t *testing.T) {
	nan := math.NaN()
	p := Panel{Lines: make([]Line, 1)}
	got := p.pieces(Line{Points: plotter.XYs{{X: nan}, {X: 1, Y: 1}, {X: 2, Y: 2}, {X: 3, Y: nan},
		{X: 4, Y: math.Inf(1)}, {X: 5, Y: 5}}})
	if len(got) != 2 || len(got[0]) != 2 || len(got[1]) != 1 || got[1][0].X != 5 {
		t.Error(got)
	}
}

func TestTicks(t *testing.T) {
	labels := func(lo, hi float64) string {
		var all []string
		for _, tick := range niceTicks(lo, hi) {
			all = append(all, tick.Label)
		}
		return strings.Join(all, " ")
	}
	for _, v := range []struct {
		lo, hi float64
		want   string
	}{
		{0, 150_000, "0 50,000 100,000 150,000"}, {1, 1.16, "1.00 1.05 1.10 1.15"},
		{0, 1.06, "0.0 0.2 0.4 0.6 0.8 1.0"}, {0, 10.6, "0 2 4 6 8 10"},
		{-3, 3, "-3 -2 -1 0 1 2 3"},
	} {
		if got := labels(v.lo, v.hi); got != v.want {
			t.Errorf("%v to %v: %s, want %s", v.lo, v.hi, got, v.want)
		}
	}
	for _, hi := range []float64{3, 7, 40, 180, 239} {
		ticks := hourTicks(0, hi)
		if n := len(ticks); n < 3 || n > 9 || hi >= 72 && math.Mod(ticks[1].Value, 24) != 0 {
			t.Errorf("%v h: %v", hi, ticks)
		}
	}
}

// On a logarithmic vertical axis small ratios have room below them, what is not positive is left out, and a note stands
// beside its point.
func TestLogarithmicRatios(t *testing.T) {
	p := Panel{Y: "ratio", Height: 1, LogY: true, Notes: []Note{{At: plotter.XY{X: 3, Y: 0.1}, Text: "the best",
		Below: true}},
		Lines: []Line{{Label: "front", Points: plotter.XYs{{X: 1, Y: 5}, {X: 2, Y: 0}, {X: 3, Y: 0.1}}}}}
	r := newRanges(p)
	if share := math.Log(0.1/r.yMin) / math.Log(r.yMax/r.yMin); !(share > 0.08 && share < 0.2) {
		t.Errorf("0.1 lies at %.2f of the axis from %g to %g", share, r.yMin, r.yMax)
	}
	figures, err := PaintAll([]Drawing{{Figure: Figure{Name: "x", Title: "X"}, Height: 300, Panels: []Panel{p}}})
	if err != nil || !bytes.Contains(figures[0].SVG, []byte(">the best</text>")) {
		t.Errorf("%v: no note in the figure", err)
	}
	for _, x := range []struct {
		lo, hi float64
		want   string
	}{{0.08, 6, "0.1 0.2 0.5 1 2 5"}, {0.9, 1.1, "0.90 0.95 1.00 1.05 1.10"}} {
		var labels []string
		for _, tick := range logTicks(x.lo, x.hi) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != x.want {
			t.Errorf("from %g to %g: %s, want %s", x.lo, x.hi, got, x.want)
		}
	}
	if newRanges(Panel{LogY: true}).yMin <= 0 {
		t.Error("an empty logarithmic axis begins at 0")
	}
}

// What one panel has explained, the panels below do not explain again; what looks otherwise has its own entry.
func TestOneLegend(t *testing.T) {
	points := plotter.XYs{{X: 0, Y: 1}, {X: 1, Y: 2}}
	panel := func(lines ...Line) Panel { return Panel{Y: "y", Height: 1, Lines: lines} }
	same, other := Line{Label: "rate", Color: 1, Points: points}, Line{Label: "rate", Color: 2, Points: points}
	figures, err := PaintAll([]Drawing{{Figure: Figure{Name: "x", Title: "X"}, Height: 400,
		Panels: []Panel{panel(same), panel(same), panel(same, other)}}})
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(figures[0].SVG, []byte(">rate</text>")); n != 2 {
		t.Errorf("the legend stands there %d times, want 2", n)
	}
}

// A target has its number where it has one alone.
func TestTargetHasItsNumber(t *testing.T) {
	if got := Target("target", Level(3, 140_000)); got.Label != "target, 140,000/h" || !got.Dash {
		t.Errorf("%+v", got)
	}
	if got := Target("target", plotter.XYs{{X: 0, Y: 1}, {X: 1, Y: 2}}).Label; got != "target" {
		t.Errorf("of two targets: %q", got)
	}
}

// The axis ends at a number above the highest line, unless that is far away.
func TestAxisReachesANumber(t *testing.T) {
	for hi, want := range map[float64]float64{147_000: 150_000, 105: 120, 0.29: 0.3, 151_000: 151_000 * 1.06,
		100: 106} {
		if got := upTo(0, hi); math.Abs(got-want) > 1e-9*want {
			t.Errorf("the axis of %g ends at %g, want %g", hi, got, want)
		}
	}
	ticks := niceTicks(0, upTo(0, 147_000))
	if last := ticks[len(ticks)-1].Label; last != "150,000" {
		t.Errorf("the last number is %s", last)
	}
}
