package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Figures draws the objective against what each constraint compares, with the
// Pareto front of the two, and the course of the search.
func (t *Tuning) Figures() ([]Figure, error) {
	var all []drawing
	if len(t.Constraints) > 0 {
		f := Figure{Name: "pareto", Title: "What is to be had for what?", CSV: t.paretoCSV(),
			Alt: fmt.Sprintf("The objective of every trial against %s, with the trials that no other beats in both joined. %s", listed(t.limits()), t.Answer()[0])}
		var panels []panel
		for k := range t.Constraints {
			panels = append(panels, t.paretoPanel(k))
		}
		all = append(all, drawing{f, vg.Length(len(panels)) * 3.8 * vg.Inch, panels, nil})
	}
	f := Figure{Name: "search", Title: "How did the search go?", CSV: t.trialsCSV(),
		Alt: fmt.Sprintf("The objective of every trial in the order in which they were first run, and the best one so far that meets all constraints. %s", t.Answer()[0])}
	return painted(append(all, drawing{f, 3.6 * vg.Inch, []panel{t.searchPanel()}, nil}))
}

// inSight cuts off what is so bad that all else would be pressed together.
func (t *Tuning) inSight(v Num) bool { return v.Known() && v < 5 }

// pair is a trial in the plane of the objective and one constraint.
type pair struct {
	at    plotter.XY
	trial TuningTrial
}

// plane are the trials in the plane of constraint k, and the front of the two,
// from the best value of the constraint to the best objective.
func (t *Tuning) plane(k int) (all, front []pair) {
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
		if len(front) == 0 || t.less(Num(p.at.Y), Num(front[len(front)-1].at.Y)) {
			front = append(front, p)
		}
	}
	return all, front
}

func (t *Tuning) paretoPanel(k int) panel {
	l := t.Constraints[k]
	all, front := t.plane(k)
	p := panel{y: t.Objective + " / baseline", x: l.what() + ", in the scenario where it is worst", height: 1}
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
	p.lines = append(p.lines,
		line{label: "misses a constraint", color: grey, scatter: true, points: missed},
		line{label: "trial", color: 1, scatter: true, points: met},
		line{label: "front", color: 3, width: 1.4, points: curve},
		line{label: "limit", color: 2, dash: true, points: plotter.XYs{{X: l.Value, Y: least}, {X: l.Value, Y: most}}})
	return t.marked(p, func(x TuningTrial) (plotter.XY, bool) {
		return plotter.XY{X: float64(x.Terms[k]), Y: float64(x.Ratio)}, x.Terms[k].Known() && t.inSight(x.Ratio)
	})
}

// marked adds the baseline and the winner.
func (t *Tuning) marked(p panel, at func(TuningTrial) (plotter.XY, bool)) panel {
	for _, m := range []struct {
		label  string
		number int
		color  int
	}{{"baseline", 0, black}, {"winner", t.Winner.Number, 2}} {
		if m.label == "winner" && t.HeldOut == nil {
			continue
		}
		if pt, ok := at(t.Trials[m.number]); ok {
			p.lines = append(p.lines, line{label: m.label, color: m.color, scatter: true, width: 5, points: plotter.XYs{pt}})
		}
	}
	return p
}

func (t *Tuning) searchPanel() panel {
	p := panel{y: t.Objective + " / baseline", x: "trial, in the order in which they were first run", height: 1}
	colors := map[string]int{"screening": 6, "local search": 5}
	var missed plotter.XYs // of both: one grey needs one entry in the legend
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
		p.lines = append(p.lines, line{label: from, color: colors[from], scatter: true, points: met})
	}
	if missed != nil {
		p.lines = append(p.lines, line{label: "misses a constraint", color: grey, scatter: true, points: missed})
	}
	var best plotter.XYs
	for i, v := range t.course() {
		if t.inSight(v) {
			best = append(best, plotter.XY{X: float64(i), Y: float64(v)})
		}
	}
	p.lines = append(p.lines, line{label: "best so far, as known at the end", color: black, step: plotter.PostStep, points: best})
	return t.marked(p, func(x TuningTrial) (plotter.XY, bool) {
		return plotter.XY{X: float64(x.Number), Y: float64(x.Ratio)}, t.inSight(x.Ratio)
	})
}

// course is the best ratio up to each trial of those that meet all constraints.
func (t *Tuning) course() []Num {
	best := missing
	var all []Num
	for _, x := range t.Trials {
		if x.Met && x.Ratio.Known() && (!best.Known() || t.less(x.Ratio, best)) {
			best = x.Ratio
		}
		all = append(all, best)
	}
	return all
}

// paretoCSV has a row for each trial in each plane.
func (t *Tuning) paretoCSV() []byte {
	rows := [][]string{{"constraint", "trial", "seeds", "value", "ratio", "met", "front"}}
	for k, l := range t.Constraints {
		_, front := t.plane(k)
		for _, x := range t.Trials {
			on := slices.ContainsFunc(front, func(p pair) bool { return p.trial.Number == x.Number })
			rows = append(rows, []string{l.String(), strconv.Itoa(x.Number), strconv.Itoa(x.Seeds), x.Terms[k].String(), x.Ratio.String(),
				strconv.FormatBool(x.Met), strconv.FormatBool(on)})
		}
	}
	return writeCSV(rows)
}
