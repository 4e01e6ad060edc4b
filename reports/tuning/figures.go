package tuning

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"flyball/reports/chart"
	"flyball/reports/format"
)

// Figures draws the objective against the value of each constraint, with the Pareto
// front of the two, and the progress of the search.
func (t *Report) Figures() ([]chart.Figure, error) {
	var all []chart.Drawing
	if len(t.Constraints) > 0 {
		f := chart.Figure{Name: "pareto", Title: "What is to be had for what?", CSV: t.paretoCSV(),
			Alt: fmt.Sprintf("The objective of every trial against %s, with the trials that no other beats in both "+
				"joined. %s", format.Listed(t.limits()), t.Answer()[0])}
		var panels []chart.Panel
		for k := range t.Constraints {
			panels = append(panels, t.paretoPanel(k))
		}
		all = append(all, chart.Drawing{Figure: f, Height: vg.Length(len(panels)) * 3.8 * vg.Inch, Panels: panels})
	}
	f := chart.Figure{Name: "search", Title: "How did the search go?", CSV: t.trialsCSV(),
		Alt: fmt.Sprintf("The objective of every trial in the order in which they were first run, and the best one "+
			"so far that meets all constraints. %s", t.Answer()[0])}
	return chart.PaintAll(append(all, chart.Drawing{Figure: f, Height: 3.6 * vg.Inch,
		Panels: []chart.Panel{t.searchPanel()}}))
}

// inSight reports whether a ratio is drawn. Very bad ones are not, because they would
// squeeze all others together.
func (t *Report) inSight(v format.Num) bool { return v.Known() && v < 5 }

// pair is a trial in the plane of the objective and one constraint.
type pair struct {
	at    plotter.XY
	trial Trial
}

// plane returns the trials in the plane of the objective and constraint k, and their
// Pareto front, from the best value of the constraint to the best objective.
func (t *Report) plane(k int) (all, front []pair) {
	for _, x := range t.Trials {
		if t.inSight(x.Ratio) && x.Terms[k].Known() {
			all = append(all, pair{plotter.XY{X: float64(x.Terms[k]), Y: float64(x.Ratio)}, x})
		}
	}
	sorted := slices.Clone(all)
	l := t.Constraints[k]
	slices.SortStableFunc(sorted, func(a, b pair) int {
		switch {
		case l.less(a.at.X, b.at.X):
			return -1
		case l.less(b.at.X, a.at.X):
			return 1
		case t.Goal == "maximise":
			a, b = b, a
		}
		return cmp.Compare(a.at.Y, b.at.Y)
	})
	for _, p := range sorted {
		if len(front) == 0 || t.less(format.Num(p.at.Y), format.Num(front[len(front)-1].at.Y)) {
			front = append(front, p)
		}
	}
	return all, front
}

func (t *Report) paretoPanel(k int) chart.Panel {
	l := t.Constraints[k]
	all, front := t.plane(k)
	p := chart.Panel{Y: t.Objective + " / baseline", X: l.what() + ", in the scenario where it is worst", Height: 1,
		LogY: true} // ratios; the front would else lie on the axis
	var met, missed, curve plotter.XYs
	least, most := 1.0, 1.0
	for _, q := range all {
		if q.trial.Met {
			met = append(met, q.at)
		} else {
			missed = append(missed, q.at)
		}
		least, most = min(least, q.at.Y), max(most, q.at.Y)
	}
	for _, q := range front {
		curve = append(curve, q.at)
	}
	p.Lines = append(p.Lines,
		chart.Line{Label: "misses a constraint", Color: chart.Grey, Scatter: true, Points: missed},
		chart.Line{Label: "trial", Color: 1, Scatter: true, Points: met},
		chart.Line{Label: "front", Color: 3, Width: 1.4, Points: curve},
		chart.Line{Label: "limit, " + format.Given(l.Value), Dash: true, Points: plotter.XYs{{X: l.Value, Y: least},
			{X: l.Value, Y: most}}})
	return t.marked(p, func(x Trial) (plotter.XY, bool) {
		return plotter.XY{X: float64(x.Terms[k]), Y: float64(x.Ratio)}, x.Terms[k].Known() && t.inSight(x.Ratio)
	})
}

// marked adds the baseline and the winner.
func (t *Report) marked(p chart.Panel, at func(Trial) (plotter.XY, bool)) chart.Panel {
	for _, m := range []struct {
		label  string
		number int
		color  int
	}{{"baseline", 0, chart.Black}, {"winner", t.Winner.Number, 2}} {
		if m.label == "winner" && t.HeldOut == nil {
			continue
		}
		if pt, ok := at(t.Trials[m.number]); ok {
			p.Lines = append(p.Lines, chart.Line{Label: m.label, Color: m.color, Scatter: true, Width: 5,
				Points: plotter.XYs{pt}})
			if m.label == "winner" {
				p.Notes = append(p.Notes, chart.Note{At: pt, Text: fmt.Sprintf("winner, trial %d: %s", m.number,
					format.Figure(pt.Y)), Below: t.Goal != "maximise"}) // no trial lies on that side of the front
			}
		}
	}
	return p
}

func (t *Report) searchPanel() chart.Panel {
	p := chart.Panel{Y: t.Objective + " / baseline", X: "trial, in the order in which they were first run", Height: 1,
		LogY: true}
	colors := map[string]int{"screening": 6, "local search": 5}
	var missed plotter.XYs // of all stages together, for one entry in the legend
	for _, from := range []string{"screening", "local search"} {
		var met plotter.XYs
		for _, x := range t.Trials {
			if x.From != from || !t.inSight(x.Ratio) {
				continue
			}
			if at := (plotter.XY{X: float64(x.Number), Y: float64(x.Ratio)}); x.Met {
				met = append(met, at)
			} else {
				missed = append(missed, at)
			}
		}
		p.Lines = append(p.Lines, chart.Line{Label: from, Color: colors[from], Scatter: true, Points: met})
	}
	if missed != nil {
		p.Lines = append(p.Lines, chart.Line{Label: "misses a constraint", Color: chart.Grey, Scatter: true,
			Points: missed})
	}
	var best plotter.XYs
	for i, v := range t.course() {
		if t.inSight(v) {
			best = append(best, plotter.XY{X: float64(i), Y: float64(v)})
		}
	}
	p.Lines = append(p.Lines, chart.Line{Label: "best so far, as known at the end", Color: chart.Black,
		Step: plotter.PostStep, Points: best})
	return t.marked(p, func(x Trial) (plotter.XY, bool) {
		return plotter.XY{X: float64(x.Number), Y: float64(x.Ratio)}, t.inSight(x.Ratio)
	})
}

// course returns, for each trial, the best ratio of the trials up to it that meet all
// constraints.
func (t *Report) course() []format.Num {
	best := format.Missing
	var all []format.Num
	for _, x := range t.Trials {
		if x.Met && x.Ratio.Known() && (!best.Known() || t.less(x.Ratio, best)) {
			best = x.Ratio
		}
		all = append(all, best)
	}
	return all
}

// paretoCSV returns a row for each trial in each plane.
func (t *Report) paretoCSV() []byte {
	rows := [][]string{{"constraint", "trial", "seeds", "value", "ratio", "met", "front"}}
	for k, l := range t.Constraints {
		_, front := t.plane(k)
		for _, x := range t.Trials {
			on := slices.ContainsFunc(front, func(p pair) bool { return p.trial.Number == x.Number })
			rows = append(rows, []string{l.String(), strconv.Itoa(x.Number), strconv.Itoa(x.Seeds), x.Terms[k].String(),
				x.Ratio.String(),
				strconv.FormatBool(x.Met), strconv.FormatBool(on)})
		}
	}
	return format.WriteCSV(rows)
}
