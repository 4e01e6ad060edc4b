package ensemble

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"flyball/internal/stats"
	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Figures draws all pictures of the ensemble.
func (e *Report) Figures() ([]chart.Figure, error) {
	drawings := []chart.Drawing{
		{Figure: e.convergence(), Height: 8 * vg.Inch, Panels: e.convergencePanels()},
		{Figure: e.settled(), Height: 3.4 * vg.Inch, Panels: e.settledPanels()},
	}
	if e.Steady != nil {
		drawings = append(drawings, chart.Drawing{Figure: e.startUp(), Height: 6 * vg.Inch, Panels: e.startUpPanels()})
	}
	if n := len(e.servers); n > chart.MostServers {
		for i := range drawings {
			drawings[i].Alt += fmt.Sprintf(" Only the first %d of %d servers are drawn; the CSV has all.",
				chart.MostServers, n)
		}
	}
	return chart.PaintAll(append(e.mailing(), drawings...))
}

func (e *Report) convergence() chart.Figure {
	return chart.Figure{Name: "convergence", Title: "Does it converge, whatever the luck?", CSV: e.trajectoryCSV(),
		Alt: fmt.Sprintf("The mean rate of %s against the target over time, the same near the target, and the mean "+
			"number of available MTA processes. Dark bands are 95 %% intervals of the mean at each interval, light "+
			"ones reach from the least to the greatest replication. %s",
			format.Plural(uint64(e.Replications), "replication"), e.headline())}
}

func (e *Report) convergencePanels() []chart.Panel {
	end, judged := 0.0, 0.0
	for _, s := range e.Means {
		if e.complete(s) {
			end = max(end, s.End)
			if s.Judged == e.Replications {
				judged = max(judged, s.End)
			}
		}
	}
	unit, seconds, ticks := chart.TimeAxis(end, e.Clock)
	to := end / seconds
	targets := e.targets(seconds, to)
	rates := chart.Panel{Y: "Deliveries per hour", Ticks: ticks, Height: 1.2,
		Areas: []chart.Area{{Label: "within 5 %", Color: 3, Faint: true, Points: chart.Around(targets, 0.05)}}}
	near := chart.Panel{Y: "The same near the target: how far off, %", Ticks: ticks, Height: 1, Room: []float64{0, to},
		Areas: []chart.Area{{Label: "within 5 %", Color: 3, Faint: true, Points: chart.Box(0, to, -5, 5)}}}
	processes := chart.Panel{Y: "MTA processes available (C)", X: "time since the start, " + unit, Ticks: ticks,
		Height: 1}
	for i, name := range e.drawn() {
		steps := e.StepsOf(name)
		draw := func(p *chart.Panel, steps []MeanPoint, of func(MeanPoint) Spread) {
			shown := func(text string) string {
				if i > 0 {
					return ""
				}
				return text
			}
			p.Areas = append(p.Areas,
				chart.Area{Label: shown("least to greatest replication"), Color: 1 + i, Faint: true,
					Points: e.Band(steps, seconds, func(s MeanPoint) (format.Num, format.Num) {
						return of(s).Least,
							of(s).Most
					})},
				chart.Area{Label: shown("95 % interval of the mean"), Color: bandColor(i), Faint: i > 0,
					Points: e.Band(steps, seconds, func(s MeanPoint) (format.Num, format.Num) {
						return of(s).Low,
							of(s).High
					})})
			label := name
			if len(e.servers) == 1 {
				label = shown("mean of the replications")
			}
			p.Lines = append(p.Lines, chart.Line{Label: label, Color: 1 + i, Width: 1.2,
				Points: e.Line(steps, seconds, func(s MeanPoint) format.Num { return of(s).Value })})
		}
		draw(&rates, steps, func(s MeanPoint) Spread { return s.Rate })
		draw(&near, e.near(steps), func(s MeanPoint) Spread { return s.Rate.off(s.Target) })
		draw(&processes, e.InForce(steps), func(s MeanPoint) Spread { return s.C })
	}
	rates.Lines = append(rates.Lines, chart.Target("target", targets))
	near.Lines = append(near.Lines, chart.Line{Dash: true, Points: chart.Level(to, 0)},
		chart.Line{Color: chart.Grey, Dash: true, Points: chart.Level(to, -5)},
		chart.Line{Color: chart.Grey, Dash: true, Points: chart.Level(to, 5)})
	if judged < end {
		band := chart.Area{Color: chart.Grey, Faint: true, Points: chart.Box(judged/seconds, to, -100, math.MaxFloat64)}
		near.Areas = append(near.Areas, band)
		processes.Areas = append(processes.Areas, band)
		band.Label = "short of work in some, not judged"
		rates.Areas = append(rates.Areas, band)
	}
	return []chart.Panel{rates, near, processes}
}

// mostSteps is the greatest number of intervals drawn of a mean course. The CSV has all.
const mostSteps = 400

// StepsOf returns the intervals of a server that every replication has. In a long run
// several intervals are drawn as one, whose bands contain their bands.
func (e *Report) StepsOf(server string) []MeanPoint {
	var steps []MeanPoint
	for _, s := range e.Means {
		if s.Server == server && e.complete(s) {
			steps = append(steps, s)
		}
	}
	together := (len(steps) + mostSteps - 1) / mostSteps
	if together <= 1 {
		return steps
	}
	var drawn []MeanPoint
	for some := range slices.Chunk(steps, together) {
		one := some[len(some)-1]
		one.Span = float64(len(some)) * e.IntervalSec
		one.Rate, one.C = Spread{}, Spread{}
		for i, s := range some {
			one.Rate, one.C = one.Rate.with(s.Rate, i), one.C.with(s.C, i)
		}
		drawn = append(drawn, one)
	}
	return drawn
}

// with returns s, the spread of i intervals, merged with o, the spread of one more.
func (s Spread) with(o Spread, i int) Spread {
	if i == 0 {
		return o
	}
	s.Value += (o.Value - s.Value) / format.Num(i+1)
	s.Low, s.High = min(s.Low, o.Low), max(s.High, o.High)
	s.Least, s.Most = min(s.Least, o.Least), max(s.Most, o.Most)
	return s
}

// targets returns the target over time, which is the same for all servers.
func (e *Report) targets(seconds, to float64) plotter.XYs {
	if e.LastTarget == 0 || len(e.servers) == 0 {
		return chart.Level(to, e.Target)
	}
	return e.Line(e.StepsOf(e.servers[0]), seconds, func(s MeanPoint) format.Num { return format.Num(s.Target) })
}

// near returns the intervals whose mean rate lies within 6 % of the target.
func (e *Report) near(steps []MeanPoint) []MeanPoint {
	var all []MeanPoint
	for _, s := range steps {
		if math.Abs(float64(s.Rate.Value)/s.Target-1) < 0.06 {
			all = append(all, s)
		}
	}
	return all
}

// off returns the distance of a rate from the target, in per cent of the target.
func (s Spread) off(target float64) Spread {
	for _, n := range []*format.Num{&s.Value, &s.Low, &s.High, &s.Least, &s.Most} {
		*n = 100 * (*n/format.Num(target) - 1)
	}
	return s
}

// InForce moves each C to the interval in which it is in force: the governor decides C
// at the end of the interval before.
func (e *Report) InForce(steps []MeanPoint) []MeanPoint {
	c := Spread{measure.Estimate{Value: format.Num(e.Start), Low: format.Num(e.Start), High: format.Num(e.Start)},
		format.Num(e.Start), format.Num(e.Start)}
	var all []MeanPoint
	for _, s := range steps {
		s.C, c = c, s.C
		all = append(all, s)
	}
	return all
}

// bandColor is the sky blue that goes with the blue of the first server; the
// bands of further servers are faint.
func bandColor(i int) int {
	if i == 0 {
		return 6
	}
	return 1 + i
}

// complete reports whether every replication has the interval, so that the mean
// is over the same runs all the way.
func (e *Report) complete(s MeanPoint) bool { return s.Rate.N == e.Replications }

func (e *Report) drawn() []string { return e.servers[:min(len(e.servers), chart.MostServers)] }

// Line returns a mean over time, constant in each interval.
func (e *Report) Line(steps []MeanPoint, seconds float64, of func(MeanPoint) format.Num) plotter.XYs {
	var points plotter.XYs
	for _, s := range steps {
		v := float64(of(s))
		points = append(points, plotter.XY{X: (s.End - s.Span) / seconds, Y: v}, plotter.XY{X: s.End / seconds, Y: v})
	}
	return points
}

// Band returns the outline of the area between two courses.
func (e *Report) Band(steps []MeanPoint, seconds float64, of func(MeanPoint) (low, high format.Num)) plotter.XYs {
	var bounded []MeanPoint
	for _, s := range steps {
		if low, high := of(s); low.Known() && high.Known() {
			bounded = append(bounded, s)
		}
	}
	outline := e.Line(bounded, seconds, func(s MeanPoint) format.Num { low, _ := of(s); return low })
	back := e.Line(bounded, seconds, func(s MeanPoint) format.Num { _, high := of(s); return high })
	for i := len(back) - 1; i >= 0; i-- {
		outline = append(outline, back[i])
	}
	return outline
}

func (e *Report) settled() chart.Figure {
	rows := [][]string{{"server", "intervals", "t_h", "settled", "replications", "share", "share_low", "share_high"}}
	for i, name := range e.servers {
		for _, p := range e.settledBy(i) {
			rows = append(rows, []string{name, strconv.Itoa(p.number),
				format.Plain(float64(p.number) * e.IntervalSec / 3600), strconv.Itoa(p.settled),
				strconv.Itoa(p.share.N),
				format.Num(p.share.Value).String(), format.Num(p.share.Low).String(),
				format.Num(p.share.High).String()})
		}
	}
	text := e.oneByOne()
	alt := "The share of replications that had settled, over time; those that never do keep it below 100 %."
	if len(text) > 0 {
		alt += " " + text[0]
	}
	return chart.Figure{Name: "settling", Title: "When do single runs settle?", Alt: alt, CSV: format.WriteCSV(rows)}
}

// settledPoint is the number of replications that had settled after a number of
// intervals.
type settledPoint struct {
	number, settled int
	share           stats.Interval
}

func (e *Report) settledBy(server int) []settledPoint {
	var all []settledPoint
	s := e.Settling[server]
	for k := 0; s.Runs > 0 && k <= s.Horizon; k++ {
		n := 0
		for _, o := range e.runs {
			if o.tracks[server].settled <= float64(k) {
				n++
			}
		}
		all = append(all, settledPoint{k, n, stats.Share(n, s.Runs, measure.Confidence)})
	}
	return all
}

func (e *Report) settledPanels() []chart.Panel {
	p := chart.Panel{Y: "Replications settled within 5 % of the target, %", X: "intervals that had passed", Height: 1}
	for i, name := range e.drawn() {
		var points, low, high plotter.XYs
		by := e.settledBy(i)
		for j, at := range by {
			x := float64(at.number)
			points = append(points, plotter.XY{X: x, Y: 100 * at.share.Value})
			for _, x := range []float64{x, x + 1}[:min(2, len(by)-j)] {
				low = append(low, plotter.XY{X: x, Y: 100 * at.share.Low})
				high = append(high, plotter.XY{X: x, Y: 100 * at.share.High})
			}
		}
		if len(e.servers) == 1 {
			for j := len(high) - 1; j >= 0; j-- {
				low = append(low, high[j])
			}
			p.Areas = append(p.Areas, chart.Area{Label: "95 % interval", Color: 1, Faint: true, Points: low})
			name = "settled"
		}
		p.Lines = append(p.Lines, chart.Line{Label: name, Color: 1 + i, Width: 1.6, Step: plotter.PostStep,
			Points: points})
	}
	if s := e.Settling; len(s) == 1 && s[0].OfMean.Known() {
		x := float64(s[0].OfMean)
		p.Lines = append(p.Lines, chart.Line{Label: "the mean course settles", Dash: true, Width: 1.4,
			Points: plotter.XYs{{X: x, Y: 0}, {X: x, Y: 100}}})
	}
	return []chart.Panel{p}
}

func (e *Report) startUp() chart.Figure {
	rows := [][]string{{"server", "of", "left_out_intervals", "mser"}}
	for _, c := range e.Steady.curves {
		for i, v := range c.Curve {
			rows = append(rows, []string{c.server, c.of, strconv.Itoa(5 * i), format.Plain(v)})
		}
	}
	return chart.Figure{Name: "warm-up", Title: "Is the start-up left out?", CSV: format.WriteCSV(rows),
		Alt: fmt.Sprintf("Above, the mean rate by interval, with the %s that are left out and twice as many; below, "+
			"the marginal standard error of the mean for every possible cut (MSER-5), as a multiple of its least "+
			"value.",
			format.Plural(uint64(e.Steady.LeftOut), "interval"))}
}

func (e *Report) startUpPanels() []chart.Panel {
	t := e.Steady
	room := []float64{0, float64(t.Judged)}
	rates := chart.Panel{Y: "Deliveries per hour, mean of the replications", Room: room, Height: 1}
	errors := chart.Panel{Y: "Marginal standard error, as a multiple of the least",
		X: "judged intervals that are left out", Room: room, Height: 1}
	var top float64
	for i, name := range e.drawn() {
		var points plotter.XYs
		for _, s := range e.Means {
			if s.Server == name && s.Judged == e.Replications {
				points = append(points, plotter.XY{X: float64(len(points)), Y: float64(s.Rate.Value)})
				top = max(top, float64(s.Rate.Value))
			}
		}
		label := name
		if len(e.servers) == 1 {
			label = "mean"
		}
		rates.Lines = append(rates.Lines, chart.Line{Label: label, Color: 1 + i, Width: 1.2, Points: points})
	}
	for i, c := range e.Steady.curves {
		if i/2 >= chart.MostServers || len(c.Curve) == 0 {
			continue
		}
		least := c.Curve[c.At/5]
		var points plotter.XYs
		for j, v := range c.Curve {
			if m := math.Sqrt(v / least); m <= 10 { // the start-up itself would hide the rest
				points = append(points, plotter.XY{X: float64(5 * j), Y: m})
			}
		}
		label := map[string]string{"rate_per_h": "of the rate", "available": "of C"}[c.of]
		if len(e.servers) > 1 {
			label += ", " + c.server
		}
		errors.Lines = append(errors.Lines, chart.Line{Label: label, Color: 1 + i, Width: 1.4, Points: points})
	}
	for _, cut := range []struct {
		at    int
		label string
	}{{t.LeftOut, "left out until here"}, {t.Twice, "and twice as much"}} {
		if cut.at > 0 {
			x := float64(cut.at)
			l := chart.Line{Label: cut.label, Dash: true, Width: 1.4, Color: chart.Black,
				Points: plotter.XYs{{X: x, Y: 0}, {X: x, Y: top}}}
			if cut.at == t.Twice {
				l.Color = chart.Grey
			}
			rates.Lines = append(rates.Lines, l)
		}
	}
	return []chart.Panel{rates, errors}
}
