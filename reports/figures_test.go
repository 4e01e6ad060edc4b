package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"flyball/internal/hist"
	"flyball/internal/vt"
	"flyball/reports/runlog"
)

func figures(t *testing.T, r *Report) []Figure {
	t.Helper()
	all, err := r.Figures()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// wellFormed reads a document to its end and returns its text.
func wellFormed(t *testing.T, name string, raw []byte) string {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(raw))
	var words []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			return strings.Join(words, "|")
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) > 0 {
			words = append(words, string(bytes.TrimSpace(text)))
		}
	}
}

func TestFigures(t *testing.T) {
	r := fold(run(course{40, 3, 60, plantB, 1.15}))
	all := figures(t, r)
	again := figures(t, r)
	labels := map[string]string{
		"convergence": "Deliveries per hour|MTA processes|time since the start, h|available (C)|target|within 5 %",
		"efficiency":  "Efficiency (E): messages per hour and allocated process|MTA processes allocated, mean of the interval|time since the start, h",
		"dfr":         "DFR: attempts per success|Retry limit: resends|time since the start, h",
		"latency":     "Share of attempts, %|time from the start of an attempt to its end|1 s|10 s|half within 807 ms",
	}
	if len(all) != len(labels) {
		t.Fatalf("%d figures", len(all))
	}
	for i, f := range all {
		if !bytes.Equal(f.SVG, again[i].SVG) || !bytes.Equal(f.PNG, again[i].PNG) || !bytes.Equal(f.CSV, again[i].CSV) {
			t.Errorf("%s: other bytes the second time", f.Name)
		}
		text := "|" + wellFormed(t, f.Name, f.SVG) + "|"
		for _, want := range append(strings.Split(labels[f.Name], "|"), f.Title) {
			if !strings.Contains(text, "|"+want+"|") {
				t.Errorf("%s: no %q in %s", f.Name, want, text)
			}
		}
		for _, no := range []string{"@font-face", "data:", "href", "Inf", "NaN"} {
			if bytes.Contains(f.SVG, []byte(no)) {
				t.Errorf("%s: %q in the SVG", f.Name, no)
			}
		}
		for _, want := range []string{"sans-serif", `role="img"`, "<desc"} {
			if !bytes.Contains(f.SVG, []byte(want)) {
				t.Errorf("%s: no %q in the SVG", f.Name, want)
			}
		}
		if c, err := png.DecodeConfig(bytes.NewReader(f.PNG)); err != nil || c.Width != 8*144 {
			t.Errorf("%s: PNG %+v, %v", f.Name, c, err)
		}
		if len(f.Alt) < 80 {
			t.Errorf("%s: described as %q", f.Name, f.Alt)
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(all[0].CSV)).ReadAll()
	if err != nil || len(rows) != 61 || strings.Join(rows[1], " ") != "b1 0 3 45922.333333333336 140000 43 40" {
		t.Errorf("convergence.csv: %d rows, %v, %v", len(rows), rows[1], err)
	}
}

// Whatever a run holds, it is drawn.
func TestNothingMakesPlotsPanic(t *testing.T) {
	every := func(change func(*runlog.Interval)) *runlog.Run {
		r := run(course{40, 3, 5, plantA, 1})
		for i := range r.Intervals {
			change(&r.Intervals[i])
		}
		return r
	}
	oneTime := run(course{40, 3, 5, plantA, 1})
	oneTime.Latency = hist.New()
	oneTime.Latency.Record(vt.Second)
	ends := run(course{40, 3, 5, plantA, 1})
	ends.Latency.Record(-1)
	ends.Latency.Record(vt.Span(vt.Never))
	noHist := run(course{40, 3, 5, plantA, 1})
	noHist.Latency = hist.Hist{}
	noTarget := run(course{40, 3, 5, plantA, 1})
	noTarget.TargetRate = 0
	quick := every(func(i *runlog.Interval) { i.End /= 3600; i.Sample.Span /= 3600 })
	quick.End /= 3600
	for name, r := range map[string]*runlog.Run{
		"nothing": {}, "no interval": run(), "one interval": run(course{40, 3, 1, plantA, 1}),
		"idle": every(func(i *runlog.Interval) { i.Sample.Delivered, i.Sample.Attempts, i.Sample.Allocated = 0, 0, 0 }),
		"NaN": every(func(i *runlog.Interval) {
			i.Decision.Efficiency, i.Decision.Available, i.Sample.Allocated = math.NaN(), math.NaN(), math.NaN()
		}),
		"infinite": every(func(i *runlog.Interval) {
			i.Decision.Efficiency, i.Decision.Available, i.Sample.Allocated = math.Inf(1), math.Inf(-1), math.Inf(1)
		}),
		"enormous":  every(func(i *runlog.Interval) { i.Decision.Efficiency, i.Decision.Available = math.MaxFloat64, 1e14 }),
		"no length": every(func(i *runlog.Interval) { i.Sample.Span = 0 }),
		"same time": every(func(i *runlog.Interval) { i.End = 0; i.Sample.Span = 0 }),
		"equal":     every(func(i *runlog.Interval) { i.Decision.Available, i.Sample.Allocated, i.RetryLimit = 40, 40, 0 }),
		"partial":   every(func(i *runlog.Interval) { i.Partial = true }),
		"one time":  oneTime, "both ends": ends, "no histogram": noHist, "no target": noTarget, "seconds": quick,
	} {
		report := fold(r)
		for _, d := range report.drawings() {
			vector := vgsvg.New(width, d.height)
			paintPanels(draw.New(vector), d.panels)
			paintPanels(draw.New(vgimg.NewWith(vgimg.UseWH(width, d.height), vgimg.UseDPI(20))), d.panels)
			var svg bytes.Buffer
			if _, err := vector.WriteTo(&svg); err != nil {
				t.Fatal(err)
			}
			wellFormed(t, name+" "+d.Name, svg.Bytes())
			if bytes.Contains(svg.Bytes(), []byte("NaN")) || bytes.Contains(svg.Bytes(), []byte("Inf")) {
				t.Errorf("%s: %s holds a number that cannot be drawn", name, d.Name)
			}
		}
		screen(t, report, true)
		if _, err := report.HTML(nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

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

func TestEmptyPanelsSaySo(t *testing.T) {
	for _, f := range figures(t, fold(&runlog.Run{})) {
		if !bytes.Contains(f.SVG, []byte(">nothing to show<")) {
			t.Errorf("%s is empty and does not say so", f.Name)
		}
	}
	for _, f := range figures(t, fold(run(course{40, 3, 1, plantA, 1}))) {
		if bytes.Contains(f.SVG, []byte(">nothing to show<")) {
			t.Errorf("%s says that it is empty", f.Name)
		}
	}
}

func TestWhatIsNotJudgedIsShaded(t *testing.T) {
	r := run(course{40, 8, 20, plantA, 1})
	note := []byte(">short of work, not judged<")
	if bytes.Contains(figures(t, fold(r))[0].SVG, note) {
		t.Error("shaded, though the list lasted")
	}
	for i := 15; i < 20; i++ {
		shortOfWork(&r.Intervals[i])
	}
	if !bytes.Contains(figures(t, fold(r))[0].SVG, note) {
		t.Error("not shaded")
	}
	if from, ok := fold(r).unjudgedFrom(); !ok || from != 15*3*3600 {
		t.Errorf("not judged from %v s, %v", from, ok)
	}
}

func TestRanges(t *testing.T) {
	of := func(p panel, points ...plotter.XY) ranges {
		p.lines = []line{{points: points}}
		return newRanges(p)
	}
	inf := math.Inf(1)
	for _, v := range []struct{ got, want ranges }{
		{of(panel{}), ranges{1, 10, 0, 1.06}},
		{of(panel{}, plotter.XY{X: 2, Y: 0}), ranges{2, 4, 0, 1.06}},
		{of(panel{from: 1}, plotter.XY{X: 0, Y: 3}, plotter.XY{X: 8, Y: 2}), ranges{0, 8, 1, 3.12}},
		{of(panel{}, plotter.XY{X: 0, Y: -50}, plotter.XY{X: 8, Y: 50}), ranges{0, 8, -50, 56}},
		{of(panel{}, plotter.XY{X: 1, Y: inf}, plotter.XY{X: -inf, Y: 1}, plotter.XY{X: 3, Y: 1}), ranges{3, 6, 0, 1.06}},
		{of(panel{log: true}, plotter.XY{X: 0, Y: 5}, plotter.XY{X: 0.1, Y: 50}), ranges{0.1, 1.1, 0, 53}},
		{of(panel{room: []float64{-1, 9}}, plotter.XY{X: 2, Y: 50}), ranges{-1, 9, 0, 53}},
	} {
		if v.got != v.want {
			t.Errorf("got %v, want %v", v.got, v.want)
		}
	}
}

// A gap stays a gap.
func TestGapsCutLines(t *testing.T) {
	nan := math.NaN()
	p := panel{lines: make([]line, 1)}
	got := p.pieces(line{points: plotter.XYs{{X: nan}, {X: 1, Y: 1}, {X: 2, Y: 2}, {X: 3, Y: nan}, {X: 4, Y: math.Inf(1)}, {X: 5, Y: 5}}})
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
		{0, 150_000, "0 50,000 100,000 150,000"}, {1, 1.16, "1.00 1.05 1.10 1.15"}, {0, 1.06, "0.0 0.2 0.4 0.6 0.8 1.0"}, {0, 10.6, "0 2 4 6 8 10"},
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
