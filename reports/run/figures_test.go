package run

import (
	"bytes"
	"encoding/csv"
	"image/png"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"flyball/internal/hist"
	"flyball/internal/vt"
	"flyball/reports/chart"
	"flyball/reports/internal/handmade"
	"flyball/reports/runlog"
)

func figures(t *testing.T, r *Report) []chart.Figure {
	t.Helper()
	all, err := r.Figures()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A retry limit that changes has a panel of its own; one that does not has none.
func TestRetryLimitIsDrawnIfItChanges(t *testing.T) {
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 6, Plant: handmade.Contended, Dfr: 1.15}))
	if panels := r.resendPanels(); len(panels) != 1 || panels[0].X == "" {
		t.Errorf("%d panels for one limit", len(panels))
	}
	r.Rows[3].RetryLimit++
	if panels := r.resendPanels(); len(panels) != 2 || panels[1].Y != "Retry limit: resends" {
		t.Errorf("%d panels for two limits", len(panels))
	}
}

func TestFigures(t *testing.T) {
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended, Dfr: 1.15}))
	all := figures(t, r)
	again := figures(t, r)
	labels := map[string]string{
		"convergence": "Deliveries per hour|MTA processes|time since the start, h|available (C)|target, " +
			"140,000/h|within 5 %",
		"efficiency": "Efficiency (E): messages per hour and allocated process|MTA processes allocated, mean of the " +
			"interval|time since the start, h",
		"dfr":     "DFR: attempts per delivery (retry limit: 10 resends all the time)|time since the start, h",
		"latency": "Share of attempts, %|time from the start of an attempt to its end|1 s|10 s|half within 807 ms",
	}
	if len(all) != len(labels) {
		t.Fatalf("%d figures", len(all))
	}
	for i, f := range all {
		if !bytes.Equal(f.SVG, again[i].SVG) || !bytes.Equal(f.PNG, again[i].PNG) || !bytes.Equal(f.CSV, again[i].CSV) {
			t.Errorf("%s: other bytes the second time", f.Name)
		}
		text := "|" + handmade.WellFormed(t, f.Name, f.SVG) + "|"
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
		r := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 5, Plant: handmade.Linear, Dfr: 1})
		for i := range r.Intervals {
			change(&r.Intervals[i])
		}
		return r
	}
	oneTime := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 5, Plant: handmade.Linear, Dfr: 1})
	oneTime.Latency = hist.New()
	oneTime.Latency.Record(vt.Second)
	ends := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 5, Plant: handmade.Linear, Dfr: 1})
	ends.Latency.Record(-1)
	ends.Latency.Record(vt.Span(vt.Never))
	noHist := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 5, Plant: handmade.Linear, Dfr: 1})
	noHist.Latency = hist.Hist{}
	noTarget := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 5, Plant: handmade.Linear, Dfr: 1})
	noTarget.TargetRate = 0
	quick := every(func(i *runlog.Interval) { i.End /= 3600; i.Sample.Span /= 3600 })
	quick.End /= 3600
	for name, r := range map[string]*runlog.Run{
		"nothing": {}, "no interval": handmade.Run(),
		"one interval": handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 1, Plant: handmade.Linear, Dfr: 1}),
		"idle": every(func(i *runlog.Interval) {
			i.Sample.Delivered, i.Sample.Attempts, i.Sample.Allocated = 0, 0, 0
		}),
		"NaN": every(func(i *runlog.Interval) {
			i.Decision.Efficiency, i.Decision.Available, i.Sample.Allocated = math.NaN(), math.NaN(), math.NaN()
		}),
		"infinite": every(func(i *runlog.Interval) {
			i.Decision.Efficiency, i.Decision.Available, i.Sample.Allocated = math.Inf(1), math.Inf(-1), math.Inf(1)
		}),
		"enormous": every(func(i *runlog.Interval) {
			i.Decision.Efficiency, i.Decision.Available = math.MaxFloat64,
				1e14
		}),
		"no length": every(func(i *runlog.Interval) { i.Sample.Span = 0 }),
		"same time": every(func(i *runlog.Interval) { i.End = 0; i.Sample.Span = 0 }),
		"equal": every(func(i *runlog.Interval) {
			i.Decision.Available, i.Sample.Allocated, i.RetryLimit = 40, 40,
				0
		}),
		"partial":  every(func(i *runlog.Interval) { i.Partial = true }),
		"one time": oneTime, "both ends": ends, "no histogram": noHist, "no target": noTarget, "seconds": quick,
	} {
		report := fold(r)
		for _, d := range report.drawings() {
			vector := vgsvg.New(chart.Width, d.Height)
			chart.PaintPanels(draw.New(vector), d.Panels)
			chart.PaintPanels(draw.New(vgimg.NewWith(vgimg.UseWH(chart.Width, d.Height), vgimg.UseDPI(20))), d.Panels)
			var svg bytes.Buffer
			if _, err := vector.WriteTo(&svg); err != nil {
				t.Fatal(err)
			}
			handmade.WellFormed(t, name+" "+d.Name, svg.Bytes())
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

func TestEmptyPanelsSaySo(t *testing.T) {
	for _, f := range figures(t, fold(&runlog.Run{})) {
		if !bytes.Contains(f.SVG, []byte(">nothing to show<")) {
			t.Errorf("%s is empty and does not say so", f.Name)
		}
	}
	for _, f := range figures(t, fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 1,
		Plant: handmade.Linear, Dfr: 1}))) {
		if bytes.Contains(f.SVG, []byte(">nothing to show<")) {
			t.Errorf("%s says that it is empty", f.Name)
		}
	}
}

func TestWhatIsNotJudgedIsShaded(t *testing.T) {
	r := handmade.Run(handmade.Course{Start: 40, D: 8, Intervals: 20, Plant: handmade.Linear, Dfr: 1})
	note := []byte(">short of work, not judged<")
	if bytes.Contains(figures(t, fold(r))[0].SVG, note) {
		t.Error("shaded, though the list lasted")
	}
	for i := 15; i < 20; i++ {
		handmade.ShortOfWork(&r.Intervals[i])
	}
	if !bytes.Contains(figures(t, fold(r))[0].SVG, note) {
		t.Error("not shaded")
	}
	if gaps := fold(r).unjudged(); len(gaps) != 1 || gaps[0][0] != 15*3*3600 {
		t.Errorf("not judged: %v", gaps)
	}
	// A gap between two campaigns is shaded too, and each gap once.
	for i := 4; i < 7; i++ {
		handmade.ShortOfWork(&r.Intervals[i])
	}
	if gaps := fold(r).unjudged(); len(gaps) != 2 || gaps[0] != [2]float64{4 * 3 * 3600, 7 * 3 * 3600} ||
		gaps[1][0] != 15*3*3600 {
		t.Errorf("not judged: %v", gaps)
	}
}
