package ensemble

import (
	"fmt"
	"slices"
	"sort"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"flyball/reports/attempts"
	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

// finalSteps is the number of times at which the recipients that are final are compared
// between replications.
const finalSteps = 200

// finalPoint is the share of a campaign's recipients that were final at a time since the
// start of the run, in seconds: the least, the median and the greatest of the replications.
type finalPoint struct {
	at                      float64
	least, median, greatest float64
}

// shareAt returns the share of the recipients of c that were final at a time in seconds.
func shareAt(c *run.Campaign, at float64) float64 {
	i := sort.Search(len(c.Curve), func(i int) bool { return c.Curve[i].At > at })
	if i == 0 {
		return 0
	}
	return float64(c.Curve[i-1].Final) / float64(c.Recipients)
}

// shown returns the seconds that the figure of the mailing covers: until the last recipient
// was final in every replication, or a little more than until 99 % were and the last deadline,
// if the rest took much longer.
func (e *Report) shown() (seconds float64, cut bool) {
	end, until := 0.0, 0.0
	for _, o := range e.runs {
		for _, c := range o.campaigns {
			if c.LastSec.Known() {
				end = max(end, float64(c.LastSec))
			}
			if t := 3600 * c.Values["t99_h"]; t.Known() {
				until = max(until, float64(t))
			} else {
				until = max(until, end)
			}
			if c.DeadlineSec.Known() {
				until, end = max(until, float64(c.DeadlineSec)), max(end, float64(c.DeadlineSec))
			}
		}
	}
	if until *= 1.1; until < 0.75*end {
		return until, true
	}
	return end, false
}

// finals returns the course of campaign i until a time in seconds.
func (e *Report) finals(i int, until float64) []finalPoint {
	var points []finalPoint
	shares := make([]float64, len(e.runs))
	for step := range finalSteps + 1 {
		at := until * float64(step) / finalSteps
		for r := range e.runs {
			shares[r] = shareAt(&e.runs[r].campaigns[i], at)
		}
		slices.Sort(shares)
		n := len(shares)
		points = append(points, finalPoint{at, shares[0], (shares[(n-1)/2] + shares[n/2]) / 2, shares[n-1]})
	}
	return points
}

// mailing returns the drawings of the recipients that are final and of the attempts over time; none without
// campaigns or without a final recipient.
func (e *Report) mailing() []chart.Drawing {
	until, cut := e.shown()
	if until == 0 {
		return nil
	}
	unit, seconds, ticks := chart.TimeAxis(until, e.Clock)
	p := chart.Panel{Y: "Recipients final, %", X: "time since the start, " + unit, Ticks: ticks, Height: 1,
		Room: []float64{0, until / seconds}}
	rows := [][]string{{"campaign", "t_s", "final_least", "final_median", "final_greatest"}}
	for i, c := range e.runs[0].campaigns {
		points := e.finals(i, until)
		var line, low, high plotter.XYs
		for _, f := range points {
			rows = append(rows, []string{c.Name, format.Plain(f.at), format.Plain(f.least), format.Plain(f.median),
				format.Plain(f.greatest)})
			line = append(line, plotter.XY{X: f.at / seconds, Y: 100 * f.median})
			low = append(low, plotter.XY{X: f.at / seconds, Y: 100 * f.least})
			high = append(high, plotter.XY{X: f.at / seconds, Y: 100 * f.greatest})
		}
		if i >= chart.MostServers {
			continue
		}
		slices.Reverse(low)
		band := chart.Area{Color: 1 + i, Faint: true, Points: append(high, low...)}
		if i == 0 {
			band.Label = "least to greatest replication"
		}
		p.Areas = append(p.Areas, band)
		p.Lines = append(p.Lines, chart.Line{Label: c.Name, Color: 1 + i, Width: 1.2, Points: line})
		if c.DeadlineSec.Known() {
			at := float64(c.DeadlineSec) / seconds
			p.Lines = append(p.Lines, chart.Line{Label: "deadline of " + c.Name, Color: 1 + i, Dash: true,
				Points: plotter.XYs{{X: at, Y: 0}, {X: at, Y: 100}}})
		}
	}
	alt := fmt.Sprintf("The share of recipients that are final over time, by campaign: the median of %s, and from the "+
		"least to the greatest.", format.Plural(uint64(e.Replications), "replication"))
	for _, s := range e.times() {
		alt += " " + s
	}
	more := ""
	if cut {
		more = " The figure ends before the last recipients were final."
	}
	return []chart.Drawing{{Figure: chart.Figure{Name: "final", Title: "When is it done, whatever the luck?",
		CSV: format.WriteCSV(rows), Alt: alt + more}, Height: 4 * vg.Inch, Panels: []chart.Panel{p}},
		e.replies(until, more)}
}

// replies returns the drawing of the mean attempts over time until a time in seconds, and more in its words.
func (e *Report) replies(until float64, more string) chart.Drawing {
	var all []runlog.Course
	for _, o := range e.runs {
		all = append(all, o.course)
	}
	alt := fmt.Sprintf("Attempts for each destination over time by how they ended: delivered, deferred, refused, "+
		"failed; stacked means of %s.%s", format.Plural(uint64(e.Replications), "replication"), more)
	p := &attempts.Plot{Names: e.destinations, Course: attempts.Sum(all), Runs: len(all), Until: until, Clock: e.Clock}
	return p.Drawing(chart.Figure{Name: "replies", Title: "Who refuses, whatever the luck?", Alt: alt})
}
