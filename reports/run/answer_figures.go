package run

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"flyball/reports/attempts"
	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

// Point is a number of recipients that were final at a time since the start of the run, in seconds.
type Point struct {
	At    float64
	Final uint64
}

// curve returns when each two-hundredth of a number of recipients was final, and when the last one was.
func curve(e *runlog.Ends, recipients uint64) []Point {
	const steps = 200
	var points []Point
	var sum, next uint64
	moments := e.Moments()
	for i, m := range moments {
		if sum += m.Count; sum >= next || i == len(moments)-1 {
			points = append(points, Point{m.At.Seconds(), sum})
			next = sum + max(recipients/steps, 1)
		}
	}
	return points
}

var finalColumns = [...]string{"campaign", "t_s", "final"}

func (r *Report) finalCSV() []byte {
	rows := [][]string{finalColumns[:]}
	for _, c := range r.Campaigns {
		for _, p := range c.Curve {
			rows = append(rows, []string{c.Name, format.Plain(p.At), strconv.FormatUint(p.Final, 10)})
		}
	}
	return format.WriteCSV(rows)
}

// readFinal returns the curves by campaign.
func readFinal(raw []byte) (map[string][]Point, error) {
	fields, err := format.ReadCSV(raw, finalColumns[:])
	if err != nil {
		return nil, err
	}
	all := map[string][]Point{}
	for f := range fields.Each {
		name := f.Text()
		all[name] = append(all[name], Point{float64(f.Num()), f.Whole()})
	}
	return all, fields.Err
}

// shown returns the seconds that figures of the mailing cover: the whole run, or a little more than the time until
// 99 % were final and the last deadline, if the run took much longer.
func (r *Report) shown() (seconds float64, cut bool) {
	if r.All == nil {
		return r.EndSec, false
	}
	until := 3600 * float64(r.All.Values["t99_h"])
	for _, c := range r.Campaigns {
		if c.DeadlineSec.Known() {
			until = max(until, float64(c.DeadlineSec))
		}
	}
	if until *= 1.1; until < 0.75*r.EndSec {
		return until, true
	}
	return r.EndSec, false
}

// idle returns the spans of time without attempts, in seconds.
func (r *Report) idle(until float64) [][2]float64 {
	var spans [][2]float64
	step := r.Course.Step.Seconds()
	for k, tallies := range r.Course.Steps {
		if slices.ContainsFunc(tallies, func(t runlog.Tally) bool { return t.Attempts() > 0 }) {
			continue
		}
		from, to := float64(k)*step, float64(k+1)*step
		if n := len(spans); n > 0 && spans[n-1][1] == from {
			spans[n-1][1] = to
		} else {
			spans = append(spans, [2]float64{from, to})
		}
	}
	return slices.DeleteFunc(spans, func(s [2]float64) bool { return s[0] >= until })
}

// bands returns the spans of time without attempts as areas, the first with a label.
func (r *Report) bands(until, unit float64) []chart.Area {
	var all []chart.Area
	for i, s := range r.idle(until) {
		band := chart.Area{Color: chart.Grey, Faint: true, Points: chart.Box(s[0]/unit, min(s[1], until)/unit, 0,
			math.MaxFloat64)}
		if i == 0 {
			band.Label = "no attempts"
		}
		all = append(all, band)
	}
	return all
}

// answers returns the drawings of the mailing, which stand before the drawings of the governor.
func (r *Report) answers() []chart.Drawing {
	if r.All == nil || len(r.Campaigns) == 0 || len(r.Course.Steps) == 0 {
		return nil
	}
	until, cut := r.shown()
	more := ""
	if cut {
		more = fmt.Sprintf(" The figure ends before the run, which ended %s.", r.moment(r.EndSec))
	}
	final := chart.Figure{Name: "final", Title: "When is it done?", CSV: r.finalCSV(),
		Alt: "The share of recipients that are final over time."}
	for _, s := range r.Times() {
		final.Alt += " " + s
	}
	final.Alt += more
	replies := chart.Figure{Name: "replies", Title: "Who refuses?",
		Alt: "Attempts for each destination over time by how they ended: delivered, deferred, refused, failed; " +
			"stacked." + more}
	return []chart.Drawing{
		{Figure: final, Height: 4 * vg.Inch, Panels: []chart.Panel{r.finalPanel(until)}},
		r.attempts(until).Drawing(replies),
	}
}

func (r *Report) finalPanel(until float64) chart.Panel {
	unit, seconds, ticks := chart.TimeAxis(until, r.Clock)
	p := chart.Panel{Y: "Recipients final, %", X: "time since the start, " + unit, Ticks: ticks, Height: 1,
		Room: []float64{0, until / seconds}, Areas: r.bands(until, seconds)}
	for i, c := range r.Campaigns[:min(len(r.Campaigns), chart.MostServers)] {
		points := plotter.XYs{{X: c.StartSec / seconds, Y: 0}}
		for _, at := range c.Curve {
			if at.At <= until {
				share := 100 * float64(at.Final) / float64(c.Recipients)
				points = append(points, plotter.XY{X: at.At / seconds, Y: share})
			}
		}
		p.Lines = append(p.Lines, chart.Line{Label: c.Name, Color: 1 + i, Width: 2, Step: plotter.PostStep,
			Points: points})
		if c.DeadlineSec.Known() {
			at := float64(c.DeadlineSec) / seconds
			p.Lines = append(p.Lines, chart.Line{Label: "deadline of " + c.Name, Color: 1 + i, Dash: true,
				Points: plotter.XYs{{X: at, Y: 0}, {X: at, Y: 100}}})
		}
	}
	var marks plotter.XYs
	for _, m := range measure.Milestones() {
		if at := 3600 * float64(r.All.Values[m.Metric]); at <= until {
			marks = append(marks, plotter.XY{X: at / seconds, Y: m.Percent})
		}
	}
	if marks != nil {
		p.Lines = append(p.Lines, chart.Line{Label: "50, 90 and 99 % of all", Scatter: true, Width: 4, Points: marks})
	}
	return p
}

// attempts returns the attempts over time until a time in seconds.
func (r *Report) attempts(until float64) *attempts.Plot {
	p := &attempts.Plot{Course: r.Course, Runs: 1, Until: until, Clock: r.Clock}
	for _, d := range r.Destinations {
		p.Names = append(p.Names, d.Name)
	}
	return p
}
