package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"

	"flyball/scenarios"
)

// Figures draws, for each scenario and server, the mean courses of both sides
// over one another.
func (c *Comparison) Figures() ([]Figure, error) {
	var drawings []drawing
	for _, p := range c.pairs {
		servers := p.servers()
		for _, name := range servers[:min(len(servers), mostServers)] {
			drawings = append(drawings, c.overlaid(p, name, len(servers) > 1))
		}
	}
	return painted(drawings)
}

// servers that both sides have a course of.
func (p pairs) servers() []string {
	var names []string
	for _, s := range p.base.courses {
		if !slices.Contains(names, s.server) && slices.ContainsFunc(p.next.courses, func(o step) bool { return o.server == s.server }) {
			names = append(names, s.server)
		}
	}
	return names
}

// courseOf is the mean course of a server over the intervals that every run of
// the trial has.
func (t Trial) courseOf(server string) []step {
	e := Ensemble{Replications: len(t.Runs), IntervalSec: t.IntervalSec, means: t.courses}
	return e.stepsOf(server)
}

// inForce moves C to the intervals in which it holds. The first one has what
// the scenario says.
func (t Trial) inForce(steps []step) []step {
	e := Ensemble{start: math.NaN()}
	if s, err := scenarios.Load(t.Scenario, t.Resolved, nil); err == nil {
		e.start = s.StartOfC()
	}
	return e.inForce(steps)
}

func (c *Comparison) overlaid(p pairs, server string, several bool) drawing {
	name, title := p.base.Scenario, "Both courses of "+p.base.Scenario
	if several {
		name, title = name+"-"+server, title+", server "+server
	}
	sides := []struct {
		name  string
		trial Trial
		color int
	}{{"BASE", p.base, 1}, {"NEW", p.next, 2}}

	end := 0.0
	for _, s := range sides {
		for _, x := range s.trial.courseOf(server) {
			end = max(end, x.end)
		}
	}
	unit, seconds, ticks := timeAxis(end)
	rates := panel{y: "Deliveries per hour", ticks: ticks, height: 1}
	processes := panel{y: "MTA processes available (C)", x: "time since the start, " + unit, ticks: ticks, height: 1}
	rows := [][]string{strings.Fields("side t_end_s runs rate_per_h rate_low rate_high available available_low available_high target_per_h")}
	for _, s := range sides {
		var e Ensemble
		steps := s.trial.courseOf(server)
		for _, x := range []struct {
			p     *panel
			steps []step
			of    func(step) spread
		}{{&rates, steps, func(s step) spread { return s.rate }}, {&processes, s.trial.inForce(steps), func(s step) spread { return s.c }}} {
			x.p.areas = append(x.p.areas, area{label: s.name + ", 95 % interval of the mean", color: s.color, faint: true,
				points: e.between(x.steps, seconds, func(s step) (Num, Num) { return x.of(s).Low, x.of(s).High })})
			x.p.lines = append(x.p.lines, line{label: s.name, color: s.color, width: 1.4,
				points: e.course(x.steps, seconds, func(s step) Num { return x.of(s).Value })})
		}
		for _, t := range s.trial.courses {
			if t.server == server && t.rate.N == len(s.trial.Runs) {
				rows = append(rows, []string{s.name, plain(t.end), strconv.Itoa(t.rate.N), t.rate.Value.String(), t.rate.Low.String(), t.rate.High.String(),
					t.c.Value.String(), t.c.Low.String(), t.c.High.String(), plain(t.target)})
			}
		}
	}
	targets := level(end/seconds, p.base.Target)
	if steps := p.base.courseOf(server); slices.ContainsFunc(steps, func(s step) bool { return s.target != p.base.Target }) {
		targets = new(Ensemble).course(steps, seconds, func(s step) Num { return Num(s.target) })
	}
	rates.lines = append(rates.lines, line{label: "target", dash: true, points: targets})
	return drawing{Figure: Figure{Name: name, Title: title, CSV: writeCSV(rows),
		Alt: fmt.Sprintf("The mean rate of %s against the target over time, and below it the mean number of available MTA processes, of BASE (%s) and of NEW (%s). Bands are 95 %% intervals of the mean at each interval.",
			p.base.Scenario, c.Base, c.New)}, height: 6 * vg.Inch, panels: []panel{rates, processes}}
}
