package run

import (
	"fmt"

	"gonum.org/v1/plot/plotter"

	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// besideTable returns a table of at most the given number of servers: what each did in a live run, and in the
// simulation of the same run.
func (r *Report) besideTable(most int) format.Table {
	unit, seconds := format.TimeUnit(r.EndSec)
	t := format.Table{Caption: "Beside the simulation of the same run", Head: []string{"server", "end, " + unit,
		"simulated", "rate/h", "simulated", "C", "simulated"}, Words: true}
	for i, s := range r.Servers {
		rows := measure.RowsOf(r.Beside, s.Name)
		if rows == nil || i == most {
			break
		}
		sim := measure.Judge(s.Name, rows)
		t.Rows = append(t.Rows, []string{s.Name,
			lastEnd(measure.RowsOf(r.Rows, s.Name), seconds), lastEnd(rows, seconds),
			format.Grouped(float64(s.Rate), 0), format.Grouped(float64(sim.Rate), 0),
			format.Grouped(float64(s.AvailableFinal), 1), format.Grouped(float64(sim.AvailableFinal), 1)})
	}
	if n := len(r.Servers); n > len(t.Rows) && t.Rows != nil {
		t.Caption += fmt.Sprintf(" (%d of %d servers)", len(t.Rows), n)
	}
	return t
}

func lastEnd(rows []measure.Row, seconds float64) string {
	if len(rows) == 0 {
		return "-"
	}
	return format.Grouped(rows[len(rows)-1].End/seconds, 1)
}

// beside returns the lines of server s in the simulation of the same run: of its rate and of C; none without one.
func (r *Report) beside(s measure.Server, seconds float64) (rate, c []chart.Line) {
	rows := measure.RowsOf(r.Beside, s.Name)
	if rows == nil {
		return nil, nil
	}
	line := chart.Line{Label: "simulated", Color: 6, Dash: true, Width: 1}
	if len(r.Servers) > 1 {
		line.Label = s.Name + ", simulated"
	}
	of, in := line, line
	of.Points = over(rows, seconds, measure.Row.MessagesPerHour)
	in.Points, in.Step = available(rows, seconds), plotter.PostStep
	return []chart.Line{of}, []chart.Line{in}
}
