package reports

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Figure is a picture in three forms: to look at, to put in, and to check.
type Figure struct {
	Name  string // file name without its end
	Title string
	Alt   string // what there is to see, in words
	SVG   []byte
	PNG   []byte // 144 dots per inch
	CSV   []byte // the numbers, all of them
}

// mostServers are drawn; more lines than colours cannot be told apart.
const mostServers = 6

// Figures draws all pictures of the run.
func (r *Report) Figures() ([]Figure, error) { return painted(r.drawings()) }

// painted paints all at a time: after a short run nothing takes longer.
func painted(drawings []drawing) ([]Figure, error) {
	figures, errs := make([]Figure, len(drawings)), make([]error, len(drawings))
	var painting sync.WaitGroup
	for i, d := range drawings {
		painting.Go(func() {
			f := d.Figure
			var err error
			if f.SVG, f.PNG, err = paintFigure(f.Title, f.Alt, f.Name, d.height, d.painter()); err != nil {
				errs[i] = fmt.Errorf("plot %s: %w", f.Name, err)
			}
			figures[i] = f
		})
	}
	painting.Wait()
	return figures, errors.Join(errs...)
}

// drawing is a figure that is still to be painted.
type drawing struct {
	Figure
	height vg.Length
	panels []panel
	paint  func(draw.Canvas) // instead of panels
}

func (d drawing) painter() func(draw.Canvas) {
	if d.paint != nil {
		return d.paint
	}
	return func(c draw.Canvas) { paintPanels(c, d.panels) }
}

func (r *Report) drawings() []drawing {
	all := []drawing{
		{r.convergence(), 6 * vg.Inch, r.convergencePanels(), nil},
		{r.efficiency(), 6 * vg.Inch, r.efficiencyPanels(), nil},
		{r.resends(), 5.2 * vg.Inch, r.resendPanels(), nil},
	}
	if n := len(r.Servers); n > mostServers {
		for i := range all {
			all[i].Alt += fmt.Sprintf(" Only the first %d of %d servers are drawn; the CSV has all.", mostServers, n)
		}
	}
	all = append(all, drawing{r.latency(), 3.4 * vg.Inch, r.latencyPanels(), nil})
	if s := r.Sensitivity; s != nil && s.drawable() {
		all = append(all, s.drawing())
	}
	return all
}

func (r *Report) convergence() Figure {
	return Figure{Name: "convergence", Title: "Does it converge?",
		Alt: "Above, the rate of deliveries against the target over time; below, the MTA processes that the governor made available. " + r.verdict(),
		CSV: r.seriesCSV([]string{"rate_per_h", "target_per_h", "available", "allocated_mean"},
			func(row Row) []Num { return []Num{row.Rate, row.Target, row.Available, row.Allocated} })}
}

func (r *Report) convergencePanels() []panel {
	unit, seconds, ticks := timeAxis(r.EndSec)
	rates := panel{y: "Deliveries per hour", ticks: ticks, height: 1}
	processes := panel{y: "MTA processes", x: "time since the start, " + unit, ticks: ticks, height: 1}
	if len(r.Servers) > 1 {
		processes.y = "MTA processes available (C)"
	}
	for i, s := range r.drawn() {
		rows := rowsOf(r.Rows, s.Name)
		rates.lines = append(rates.lines, line{label: r.label(s, "rate"), color: 1 + i, width: r.lineWidth(i), points: over(rows, seconds, Row.rate)})
		if len(r.Servers) == 1 { // wider than C, to be seen below it
			processes.lines = append(processes.lines, line{label: "allocated, mean", color: 5, width: 4,
				points: over(rows, seconds, func(row Row) Num { return row.Allocated })})
		}
		processes.lines = append(processes.lines, line{label: r.label(s, "available (C)"), color: 1 + i, width: r.lineWidth(i), step: plotter.PostStep, points: available(rows, seconds)})
	}
	end := r.EndSec / seconds
	targets := r.targets(seconds)
	rates.lines = append(rates.lines, line{label: "target", dash: true, points: targets})
	rates.areas = append(rates.areas, area{label: "within 5 %", color: 3, faint: true, points: around(targets, 0.05)})
	if from, ok := r.unjudgedFrom(); ok {
		band := area{color: grey, faint: true, points: box(from/seconds, end, 0, math.MaxFloat64)}
		processes.areas = append(processes.areas, band)
		band.label = "short of work, not judged"
		rates.areas = append(rates.areas, band)
	}
	return []panel{rates, processes}
}

func (r *Report) efficiency() Figure {
	return Figure{Name: "efficiency", Title: "What does a process deliver?",
		Alt: "Above, messages per hour and allocated process over time; below, the rate against the number of allocated processes: where this curve bends down, more processes deliver less.",
		CSV: r.seriesCSV([]string{"efficiency", "allocated_mean", "rate_per_h"},
			func(row Row) []Num { return []Num{row.Efficiency, row.Allocated, row.Rate} })}
}

func (r *Report) efficiencyPanels() []panel {
	unit, seconds, ticks := timeAxis(r.EndSec)
	each := panel{y: "Efficiency (E): messages per hour and allocated process", x: "time since the start, " + unit, ticks: ticks, height: 1}
	curve := panel{y: "Deliveries per hour, against allocated processes", x: "MTA processes allocated, mean of the interval", height: 1}
	most := 1.0
	for i, s := range r.drawn() {
		rows := rowsOf(r.Rows, s.Name)
		each.lines = append(each.lines, line{label: r.label(s, "efficiency"), color: 1 + i, width: r.lineWidth(i),
			points: over(rows, seconds, func(row Row) Num { return row.Efficiency })})
		var points plotter.XYs
		for _, row := range judged(rows) {
			points = append(points, plotter.XY{X: float64(row.Allocated), Y: float64(row.Rate)})
			if row.Allocated.Known() {
				most = max(most, float64(row.Allocated))
			}
		}
		curve.lines = append(curve.lines, line{label: r.label(s, "intervals, in their order"), color: 1 + i, dots: true, points: points})
	}
	curve.lines = append(curve.lines, line{label: "target", dash: true, points: level(1.05*most, r.Target)})
	if last := r.lastTarget(); last != r.Target {
		curve.lines = append(curve.lines, line{label: "target in the end", color: grey, dash: true, points: level(1.05*most, last)})
	}
	return []panel{each, curve}
}

func (r *Report) resends() Figure {
	return Figure{Name: "dfr", Title: "What does a delivery cost?",
		Alt: "Above, attempts per success (delivery failure rate, 1 is best) over time; below, the retry limit in force. " + r.account(),
		CSV: r.seriesCSV([]string{"dfr", "retry_limit"}, func(row Row) []Num { return []Num{row.DFR, Num(row.RetryLimit)} })}
}

func (r *Report) resendPanels() []panel {
	unit, seconds, ticks := timeAxis(r.EndSec)
	dfr := panel{y: "DFR: attempts per success", from: 1, ticks: ticks, height: 1.5}
	limit := panel{y: "Retry limit: resends", x: "time since the start, " + unit, ticks: ticks, height: 1}
	for i, s := range r.drawn() {
		rows := rowsOf(r.Rows, s.Name)
		dfr.lines = append(dfr.lines, line{label: r.label(s, "DFR of the interval"), color: 1 + i, width: r.lineWidth(i),
			points: over(rows, seconds, func(row Row) Num { return row.DFR })})
		limit.lines = append(limit.lines, line{label: r.label(s, "retry limit"), color: 1 + i, width: r.lineWidth(i),
			points: over(rows, seconds, func(row Row) Num { return Num(row.RetryLimit) })})
	}
	return []panel{dfr, limit}
}

func (r *Report) latency() Figure {
	l := r.Latency
	return Figure{Name: "latency", Title: "How long does an attempt take?", CSV: r.latencyCSV(),
		Alt: fmt.Sprintf("Histogram of %s by the time they took, on a logarithmic scale: half took at most %s, 90 %% at most %s, 99 %% at most %s.",
			plural(uint64(l.Count), "attempt"), duration(l.P50), duration(l.P90), duration(l.P99))}
}

func (r *Report) latencyPanels() []panel {
	p := panel{y: "Share of attempts, %", x: "time from the start of an attempt to its end", log: true, ticks: timeTicks, height: 1}
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
		p.areas = append(p.areas, area{color: 6, points: box(edge(at), edge(at+1)*0.985, 0, share)})
	}
	if len(r.Bars) == 0 {
		return []panel{p}
	}
	for i, q := range []struct {
		label string
		at    float64
	}{{"half within ", r.Latency.P50}, {"90 % within ", r.Latency.P90}, {"99 % within ", r.Latency.P99}} {
		p.lines = append(p.lines, line{label: q.label + duration(q.at), color: []int{black, 1, 2}[i], dash: i > 0, width: 1.4,
			points: plotter.XYs{{X: q.at, Y: 0}, {X: q.at, Y: top}}})
	}
	first, last := bin(r.Bars[0]), bin(r.Bars[len(r.Bars)-1])
	p.room = []float64{edge(first - 2), edge(last + 3)}
	return []panel{p}
}

// drawn are the servers that get a line.
func (r *Report) drawn() []Server { return r.Servers[:min(len(r.Servers), mostServers)] }

// lineWidth of server i: lines that lie on one another are all seen.
func (r *Report) lineWidth(i int) vg.Length {
	return 1.6 + vg.Length(len(r.drawn())-1-i)*0.8
}

func timeAxis(end float64) (unit string, seconds float64, ticks func(lo, hi float64) []plot.Tick) {
	unit, seconds = clock(end)
	if unit == "h" {
		return unit, seconds, hourTicks
	}
	return unit, seconds, niceTicks
}

// label is what a line shows; with several servers, which one.
func (r *Report) label(s Server, what string) string {
	if len(r.Servers) == 1 {
		return what
	}
	return s.Name
}

// unjudgedFrom is the time after which no server could be judged any more.
func (r *Report) unjudgedFrom() (seconds float64, ok bool) {
	from := 0.0
	for _, row := range r.Rows {
		if row.judged() {
			from = max(from, row.End)
		}
	}
	for _, row := range r.Rows {
		ok = ok || row.Draining && row.End > from
	}
	return from, ok
}

// over is a column over time, level in each interval.
func over(rows []Row, seconds float64, of func(Row) Num) plotter.XYs {
	var points plotter.XYs
	for _, row := range rows {
		v := float64(of(row))
		points = append(points, plotter.XY{X: (row.End - row.Hours*3600) / seconds, Y: v}, plotter.XY{X: row.End / seconds, Y: v})
	}
	return points
}

// available is C from each decision on, and before the first one.
func available(rows []Row, seconds float64) plotter.XYs {
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

// targets is the target over time, the same for all servers.
func (r *Report) targets(seconds float64) plotter.XYs {
	if len(r.Servers) > 0 {
		if rows := rowsOf(r.Rows, r.Servers[0].Name); lastChange(rows) > 0 {
			return over(rows, seconds, func(row Row) Num { return row.Target })
		}
	}
	return level(r.EndSec/seconds, r.Target)
}

// around is what lies within a share of a course.
func around(course plotter.XYs, share float64) plotter.XYs {
	var low, high plotter.XYs
	for _, at := range course {
		low = append(low, plotter.XY{X: at.X, Y: (1 - share) * at.Y})
		high = append(high, plotter.XY{X: at.X, Y: (1 + share) * at.Y})
	}
	slices.Reverse(high)
	return append(low, high...)
}

func level(end, y float64) plotter.XYs { return plotter.XYs{{X: 0, Y: y}, {X: end, Y: y}} }

func box(x0, x1, y0, y1 float64) plotter.XYs {
	return plotter.XYs{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
}

// seriesCSV lists columns of all intervals over time, in hours.
func (r *Report) seriesCSV(columns []string, of func(Row) []Num) []byte {
	rows := [][]string{append([]string{"server", "interval", "t_h"}, columns...)}
	for _, row := range r.Rows {
		fields := []string{row.Server, strconv.Itoa(row.Number), plain(row.End / 3600)}
		for _, n := range of(row) {
			fields = append(fields, n.String())
		}
		rows = append(rows, fields)
	}
	return writeCSV(rows)
}
