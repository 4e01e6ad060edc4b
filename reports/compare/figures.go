package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"

	"flyball/internal/vt"
	"flyball/reports/chart"
	"flyball/reports/ensemble"
	"flyball/reports/format"
	"flyball/scenarios"
)

// Figures draws, for each scenario and server, the mean courses of both sides in one
// figure.
func (c *Report) Figures() ([]chart.Figure, error) {
	var drawings []chart.Drawing
	for _, p := range c.pairs {
		servers := p.servers()
		for _, name := range servers[:min(len(servers), chart.MostServers)] {
			drawings = append(drawings, c.overlaid(p, name, len(servers) > 1))
		}
	}
	return chart.PaintAll(drawings)
}

// figureName returns the file name, without its end, of the figure of a scenario and a server.
func figureName(scenario, server string, several bool) string {
	if several {
		return scenario + "-" + server
	}
	return scenario
}

// targets returns the line of the targets over time.
func (t Trial) targets(server, label string, end, seconds float64) chart.Line {
	steps := t.courseOf(server)
	if slices.ContainsFunc(steps, func(s ensemble.MeanPoint) bool { return s.Target != t.Target }) {
		return chart.Target(label, new(ensemble.Report).Line(steps, seconds,
			func(s ensemble.MeanPoint) format.Num { return format.Num(s.Target) }))
	}
	return chart.Target(label, chart.Level(end/seconds, t.Target))
}

// servers returns the servers for which both sides have a course.
func (p pairs) servers() []string {
	var names []string
	for _, s := range p.base.courses {
		if !slices.Contains(names, s.Server) && slices.ContainsFunc(p.next.courses,
			func(o ensemble.MeanPoint) bool { return o.Server == s.Server }) {
			names = append(names, s.Server)
		}
	}
	return names
}

// courseOf returns the mean course of a server over the intervals that every run of the
// trial has.
func (t Trial) courseOf(server string) []ensemble.MeanPoint {
	e := ensemble.Report{Replications: t.mean, IntervalSec: t.IntervalSec, Means: t.courses}
	return e.StepsOf(server)
}

// inForce moves each C to the interval in which it is in force. The first interval has
// the C that the scenario sets.
func (t Trial) inForce(steps []ensemble.MeanPoint) []ensemble.MeanPoint {
	e := ensemble.Report{Start: math.NaN()}
	if s, err := scenarios.Load(t.Scenario, t.Resolved, nil); err == nil {
		e.Start = s.StartOfC()
	}
	return e.InForce(steps)
}

func (c *Report) overlaid(p pairs, server string, several bool) chart.Drawing {
	name, title := figureName(p.base.Scenario, server, several), "Both courses of "+p.base.Scenario
	where := p.base.Scenario
	if several {
		title, where = title+", server "+server, where+", "+server
	}
	sides := []struct {
		name  string
		trial Trial
		color int
	}{{"BASE", p.base, 1}, {"NEW", p.next, 2}}

	end := 0.0
	for _, s := range sides {
		for _, x := range s.trial.courseOf(server) {
			end = max(end, x.End)
		}
	}
	unit, seconds, ticks := chart.TimeAxis(end, vt.Clock{})
	rates := chart.Panel{Y: where + ": deliveries per hour", Ticks: ticks, Height: 1}
	processes := chart.Panel{Y: where + ": MTA processes available (C)", X: "time since the start, " + unit,
		Ticks:  ticks,
		Height: 1}
	rows := [][]string{strings.Fields("side t_end_s runs rate_per_h rate_low rate_high available available_low " +
		"available_high target_per_h")}
	for _, s := range sides {
		var e ensemble.Report
		steps := s.trial.courseOf(server)
		for _, x := range []struct {
			p     *chart.Panel
			steps []ensemble.MeanPoint
			of    func(ensemble.MeanPoint) ensemble.Spread
		}{{&rates, steps, func(s ensemble.MeanPoint) ensemble.Spread { return s.Rate }},
			{&processes, s.trial.inForce(steps), func(s ensemble.MeanPoint) ensemble.Spread { return s.C }}} {
			x.p.Areas = append(x.p.Areas, chart.Area{Label: s.name + ", 95 % interval of the mean", Color: s.color,
				Faint: true,
				Points: e.Band(x.steps, seconds, func(s ensemble.MeanPoint) (format.Num,
					format.Num) {
					return x.of(s).Low, x.of(s).High
				})})
			x.p.Lines = append(x.p.Lines, chart.Line{Label: s.name, Color: s.color, Width: 1.4,
				Points: e.Line(x.steps, seconds, func(s ensemble.MeanPoint) format.Num { return x.of(s).Value })})
		}
		for _, t := range s.trial.courses {
			if t.Server == server && t.Rate.N == s.trial.mean {
				rows = append(rows, []string{s.name, format.Plain(t.End), strconv.Itoa(t.Rate.N), t.Rate.Value.String(),
					t.Rate.Low.String(), t.Rate.High.String(),
					t.C.Value.String(), t.C.Low.String(), t.C.High.String(), format.Plain(t.Target)})
			}
		}
	}
	targets := p.base.targets(server, "target", end, seconds)
	rates.Lines = append(rates.Lines, targets)
	if next := p.next.targets(server, "target of NEW", end, seconds); !slices.Equal(next.Points, targets.Points) &&
		p.base.Target != p.next.Target {
		next.Color = 2
		rates.Lines = append(rates.Lines, next)
	}
	return chart.Drawing{Figure: chart.Figure{Name: name, Title: title, CSV: format.WriteCSV(rows),
		Alt: fmt.Sprintf("The mean rate of %s against the target over time, and below it the mean number of "+
			"available MTA processes, of BASE (%s) and of NEW (%s). Bands are 95 %% intervals of the mean at each "+
			"interval.",
			p.base.Scenario, c.Base, c.New)}, Height: 6 * vg.Inch, Panels: []chart.Panel{rates, processes}}
}
