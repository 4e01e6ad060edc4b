package run

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Figures draws all pictures of the run.
func (r *Report) Figures() ([]chart.Figure, error) { return chart.PaintAll(r.drawings()) }

func (r *Report) drawings() []chart.Drawing {
	all := []chart.Drawing{
		{Figure: r.convergence(), Height: 6 * vg.Inch, Panels: r.convergencePanels()},
		{Figure: r.efficiency(), Height: 6 * vg.Inch, Panels: r.efficiencyPanels()},
		{Figure: r.resends(), Height: r.resendHeight(), Panels: r.resendPanels()},
	}
	if n := len(r.Servers); n > chart.MostServers {
		for i := range all {
			all[i].Alt += fmt.Sprintf(" Only the first %d of %d servers are drawn; the CSV has all.", chart.MostServers,
				n)
		}
	}
	all = append(r.answers(), all...)
	all = append(all, chart.Drawing{Figure: r.latency(), Height: 3.4 * vg.Inch, Panels: r.latencyPanels()})
	if s := r.Sensitivity; s != nil && s.Drawable() {
		all = append(all, s.Drawing())
	}
	return all
}

func (r *Report) convergence() chart.Figure {
	return chart.Figure{Name: "convergence", Title: "Does it converge?",
		Alt: "Above, the rate of deliveries against the target over time; below, the MTA processes that the governor " +
			"made available. " + r.verdict(),
		CSV: r.seriesCSV([]string{"rate_per_h", "target_per_h", "available", "allocated_mean"},
			func(row measure.Row) []format.Num {
				return []format.Num{row.Rate, row.Target, row.Available, row.Allocated}
			})}
}

func (r *Report) convergencePanels() []chart.Panel {
	unit, seconds, ticks := chart.TimeAxis(r.EndSec, r.Clock)
	rates := chart.Panel{Y: "Deliveries per hour", Ticks: ticks, Height: 1}
	processes := chart.Panel{Y: "MTA processes", X: "time since the start, " + unit, Ticks: ticks, Height: 1}
	if len(r.Servers) > 1 {
		processes.Y = "MTA processes available (C)"
	}
	for i, s := range r.drawn() {
		rows := measure.RowsOf(r.Rows, s.Name)
		rates.Lines = append(rates.Lines, chart.Line{Label: r.label(s, "rate"), Color: 1 + i, Width: r.lineWidth(i),
			Points: over(rows, seconds, measure.Row.MessagesPerHour)})
		if len(r.Servers) == 1 { // wider than C, to be seen below it
			processes.Lines = append(processes.Lines, chart.Line{Label: "allocated, mean", Color: 5, Width: 4,
				Points: over(rows, seconds, func(row measure.Row) format.Num { return row.Allocated })})
		}
		processes.Lines = append(processes.Lines, chart.Line{Label: r.label(s, "available (C)"), Color: 1 + i,
			Width: r.lineWidth(i), Step: plotter.PostStep, Points: available(rows, seconds)})
		rate, c := r.beside(s, seconds)
		rates.Lines, processes.Lines = append(rates.Lines, rate...), append(processes.Lines, c...)
	}
	end := r.EndSec / seconds
	targets := r.targets(seconds)
	rates.Lines = append(rates.Lines, chart.Target("target", targets))
	rates.Areas = append(rates.Areas, chart.Area{Label: "within 5 %", Color: 3, Faint: true,
		Points: chart.Around(targets, 0.05)})
	for i, gap := range r.unjudged() {
		band := chart.Area{Color: chart.Grey, Faint: true, Points: chart.Box(gap[0]/seconds, min(gap[1]/seconds, end),
			0, math.MaxFloat64)}
		processes.Areas = append(processes.Areas, band)
		if i == 0 {
			band.Label = "short of work, not judged"
		}
		rates.Areas = append(rates.Areas, band)
	}
	return []chart.Panel{rates, processes}
}

func (r *Report) efficiency() chart.Figure {
	return chart.Figure{Name: "efficiency", Title: "What does a process deliver?",
		Alt: "Above, messages per hour and allocated process over time; below, the rate against the number of " +
			"allocated processes: where this curve bends down, more processes deliver less.",
		CSV: r.seriesCSV([]string{"efficiency", "allocated_mean", "rate_per_h"},
			func(row measure.Row) []format.Num { return []format.Num{row.Efficiency, row.Allocated, row.Rate} })}
}

func (r *Report) efficiencyPanels() []chart.Panel {
	unit, seconds, ticks := chart.TimeAxis(r.EndSec, r.Clock)
	each := chart.Panel{Y: "Efficiency (E): messages per hour and allocated process",
		X: "time since the start, " + unit, Ticks: ticks, Height: 1}
	curve := chart.Panel{Y: "Deliveries per hour, against allocated processes",
		X: "MTA processes allocated, mean of the interval", Height: 1}
	most := 1.0
	for i, s := range r.drawn() {
		rows := measure.RowsOf(r.Rows, s.Name)
		each.Lines = append(each.Lines, chart.Line{Label: r.label(s, "efficiency"), Color: 1 + i, Width: r.lineWidth(i),
			Points: over(rows, seconds, func(row measure.Row) format.Num { return row.Efficiency })})
		var points plotter.XYs
		for _, row := range measure.Judged(rows) {
			points = append(points, plotter.XY{X: float64(row.Allocated), Y: float64(row.Rate)})
			if row.Allocated.Known() {
				most = max(most, float64(row.Allocated))
			}
		}
		curve.Lines = append(curve.Lines, chart.Line{Label: r.label(s, "intervals, in their order"), Color: 1 + i,
			Dots: true, Points: points})
	}
	curve.Lines = append(curve.Lines, chart.Target("target", chart.Level(1.05*most, r.Target)))
	if last := r.lastTarget(); last != r.Target {
		end := chart.Target("target in the end", chart.Level(1.05*most, last))
		end.Color = chart.Grey
		curve.Lines = append(curve.Lines, end)
	}
	return []chart.Panel{each, curve}
}

func (r *Report) resends() chart.Figure {
	return chart.Figure{Name: "dfr", Title: "What does a delivery cost?",
		Alt: "Attempts per delivery (delivery failure rate, 1 is best) over time; below, if it changes, the retry " +
			"limit in force. " + r.Account(),
		CSV: r.seriesCSV([]string{"dfr", "retry_limit"},
			func(row measure.Row) []format.Num { return []format.Num{row.DFR, format.Num(row.RetryLimit)} })}
}

func (r *Report) resendPanels() []chart.Panel {
	unit, seconds, ticks := chart.TimeAxis(r.EndSec, r.Clock)
	dfr := chart.Panel{Y: "DFR: attempts per delivery", From: 1, Ticks: ticks, Height: 1.5}
	limit := chart.Panel{Y: "Retry limit: resends", X: "time since the start, " + unit, Ticks: ticks, Height: 1}
	for i, s := range r.drawn() {
		rows := measure.RowsOf(r.Rows, s.Name)
		dfr.Lines = append(dfr.Lines, chart.Line{Label: r.label(s, "DFR of the interval"), Color: 1 + i,
			Width:  r.lineWidth(i),
			Points: over(rows, seconds, func(row measure.Row) format.Num { return row.DFR })})
		limit.Lines = append(limit.Lines, chart.Line{Label: r.label(s, "retry limit"), Color: 1 + i,
			Width:  r.lineWidth(i),
			Points: over(rows, seconds, func(row measure.Row) format.Num { return format.Num(row.RetryLimit) })})
	}
	if fixed, ok := r.fixedLimit(); ok { // a level line shows nothing
		dfr.Y += fmt.Sprintf(" (retry limit: %s all the time)", format.Plural(uint64(fixed), "resend"))
		dfr.X = limit.X
		return []chart.Panel{dfr}
	}
	return []chart.Panel{dfr, limit}
}

// resendHeight returns the height of the figure, which has one panel or two.
func (r *Report) resendHeight() vg.Length {
	if _, ok := r.fixedLimit(); ok {
		return 3.4 * vg.Inch
	}
	return 5.2 * vg.Inch
}

// fixedLimit returns the retry limit of all servers and intervals, and whether there is one alone.
func (r *Report) fixedLimit() (int, bool) {
	if len(r.Rows) == 0 {
		return 0, false
	}
	first := r.Rows[0].RetryLimit
	return first, !slices.ContainsFunc(r.Rows, func(row measure.Row) bool { return row.RetryLimit != first })
}

func (r *Report) latency() chart.Figure {
	l := r.Latency
	return chart.Figure{Name: "latency", Title: "How long does an attempt take?", CSV: r.latencyCSV(),
		Alt: fmt.Sprintf("Histogram of %s by the time they took, on a logarithmic scale: half took at most %s, 90 %% "+
			"at most %s, 99 %% at most %s.",
			format.Plural(uint64(l.Count), "attempt"), format.Duration(l.P50), format.Duration(l.P90),
			format.Duration(l.P99))}
}

func (r *Report) latencyPanels() []chart.Panel {
	p := chart.Panel{Y: "Share of attempts, %", X: "time from the start of an attempt to its end", Log: true,
		Ticks: chart.TimeTicks, Height: 1}
	const perDecade = 10
	bin := func(b Bar) int { return int(math.Floor(perDecade * math.Log10((b.From+b.To)/2))) }
	edge := func(i int) float64 { return math.Pow(10, float64(i)/perDecade) }
	var top float64
	for i := 0; i < len(r.Bars); {
		at := bin(r.Bars[i])
		var n int64
		for ; i < len(r.Bars) && bin(r.Bars[i]) == at; i++ {
			n += r.Bars[i].Count
		}
		share := 100 * float64(n) / float64(r.Latency.Count)
		top = max(top, share)
		p.Areas = append(p.Areas, chart.Area{Color: 6, Points: chart.Box(edge(at), edge(at+1)*0.985, 0, share)})
	}
	if len(r.Bars) == 0 {
		return []chart.Panel{p}
	}
	for i, q := range []struct {
		label string
		at    float64
	}{{"half within ", r.Latency.P50}, {"90 % within ", r.Latency.P90}, {"99 % within ", r.Latency.P99}} {
		p.Lines = append(p.Lines, chart.Line{Label: q.label + format.Duration(q.at), Color: []int{chart.Black, 1, 2}[i],
			Dash: i > 0, Width: 1.4,
			Points: plotter.XYs{{X: q.at, Y: 0}, {X: q.at, Y: top}}})
	}
	first, last := bin(r.Bars[0]), bin(r.Bars[len(r.Bars)-1])
	p.Room = []float64{edge(first - 2), edge(last + 3)}
	return []chart.Panel{p}
}

// drawn returns the servers that are drawn.
func (r *Report) drawn() []measure.Server { return r.Servers[:min(len(r.Servers), chart.MostServers)] }

// lineWidth returns the width of the line of server i. The widths differ, so that lines
// on top of one another can all be seen.
func (r *Report) lineWidth(i int) vg.Length {
	return 1.6 + vg.Length(len(r.drawn())-1-i)*0.8
}

// label returns the label of a line: what, and with several servers the server's name.
func (r *Report) label(s measure.Server, what string) string {
	if len(r.Servers) == 1 {
		return what
	}
	return s.Name
}

// unjudged returns the spans of time, in seconds and in order, in which no server could
// be judged and at least one was short of work: the end of a campaign, and the gaps
// between campaigns.
func (r *Report) unjudged() [][2]float64 {
	rows := slices.Clone(r.Rows)
	slices.SortStableFunc(rows, func(a, b measure.Row) int { return cmp.Compare(a.End, b.End) })
	var spans [][2]float64
	from, short := 0.0, false // since the last judged interval
	closed := func(until float64) {
		if short && until > from {
			spans = append(spans, [2]float64{from, until})
		}
		short = false
	}
	for _, row := range rows {
		if row.Judged() {
			closed(row.End - row.Hours*3600)
			from = max(from, row.End)
		} else if row.End > from {
			short = short || row.Draining
		}
	}
	closed(r.EndSec)
	return spans
}

// over returns a column over time, constant in each interval.
func over(rows []measure.Row, seconds float64, of func(measure.Row) format.Num) plotter.XYs {
	var points plotter.XYs
	for _, row := range rows {
		v := float64(of(row))
		points = append(points, plotter.XY{X: (row.End - row.Hours*3600) / seconds, Y: v},
			plotter.XY{X: row.End / seconds, Y: v})
	}
	return points
}

// available returns C over time, which changes at each decision.
func available(rows []measure.Row, seconds float64) plotter.XYs {
	var points plotter.XYs
	for i, row := range rows {
		if i == 0 {
			points = append(points, plotter.XY{X: (row.End - row.Hours*3600) / seconds, Y: float64(row.Previous)})
		}
		c := row.Available
		if !c.Known() {
			c = row.Previous
		}
		points = append(points, plotter.XY{X: row.End / seconds, Y: float64(c)})
	}
	return points
}

// targets returns the target over time, which is the same for all servers.
func (r *Report) targets(seconds float64) plotter.XYs {
	if len(r.Servers) > 0 {
		if rows := measure.RowsOf(r.Rows, r.Servers[0].Name); measure.LastChange(rows) > 0 {
			return over(rows, seconds, func(row measure.Row) format.Num { return row.Target })
		}
	}
	return chart.Level(r.EndSec/seconds, r.Target)
}

// seriesCSV returns columns of all intervals over time, in hours.
func (r *Report) seriesCSV(columns []string, of func(measure.Row) []format.Num) []byte {
	rows := [][]string{append([]string{"server", "interval", "t_h"}, columns...)}
	for _, row := range r.Rows {
		fields := []string{row.Server, strconv.Itoa(row.Number), format.Plain(row.End / 3600)}
		for _, n := range of(row) {
			fields = append(fields, n.String())
		}
		rows = append(rows, fields)
	}
	return format.WriteCSV(rows)
}
