package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"flyball/internal/stats"
)

// Figures draws all pictures of the ensemble.
func (e *Ensemble) Figures() ([]Figure, error) {
	drawings := []drawing{
		{e.convergence(), 8 * vg.Inch, e.convergencePanels(), nil},
		{e.settled(), 3.4 * vg.Inch, e.settledPanels(), nil},
	}
	if e.Steady != nil {
		drawings = append(drawings, drawing{e.startUp(), 6 * vg.Inch, e.startUpPanels(), nil})
	}
	if n := len(e.servers); n > mostServers {
		for i := range drawings {
			drawings[i].Alt += fmt.Sprintf(" Only the first %d of %d servers are drawn; the CSV has all.", mostServers, n)
		}
	}
	return painted(drawings)
}

func (e *Ensemble) convergence() Figure {
	return Figure{Name: "convergence", Title: "Does it converge, whatever the luck?", CSV: e.trajectoryCSV(),
		Alt: fmt.Sprintf("The mean rate of %s against the target over time, the same near the target, and the mean number of available MTA processes. Dark bands are 95 %% intervals of the mean at each interval, light ones reach from the least to the greatest replication. %s",
			plural(uint64(e.Replications), "replication"), e.Answer()[0])}
}

func (e *Ensemble) convergencePanels() []panel {
	end, judged := 0.0, 0.0
	for _, s := range e.means {
		if e.complete(s) {
			end = max(end, s.end)
			if s.judged == e.Replications {
				judged = max(judged, s.end)
			}
		}
	}
	unit, seconds, ticks := timeAxis(end)
	to := end / seconds
	targets := e.targets(seconds, to)
	rates := panel{y: "Deliveries per hour", ticks: ticks, height: 1.2,
		areas: []area{{label: "within 5 %", color: 3, faint: true, points: around(targets, 0.05)}}}
	near := panel{y: "The same near the target: how far off, %", ticks: ticks, height: 1, room: []float64{0, to},
		areas: []area{{label: "within 5 %", color: 3, faint: true, points: box(0, to, -5, 5)}}}
	processes := panel{y: "MTA processes available (C)", x: "time since the start, " + unit, ticks: ticks, height: 1}
	for i, name := range e.drawn() {
		steps := e.stepsOf(name)
		draw := func(p *panel, steps []step, of func(step) spread) {
			shown := func(text string) string {
				if i > 0 {
					return ""
				}
				return text
			}
			p.areas = append(p.areas,
				area{label: shown("least to greatest replication"), color: 1 + i, faint: true,
					points: e.between(steps, seconds, func(s step) (Num, Num) { return of(s).least, of(s).most })},
				area{label: shown("95 % interval of the mean"), color: bandColor(i), faint: i > 0,
					points: e.between(steps, seconds, func(s step) (Num, Num) { return of(s).Low, of(s).High })})
			label := name
			if len(e.servers) == 1 {
				label = shown("mean of the replications")
			}
			p.lines = append(p.lines, line{label: label, color: 1 + i, width: 1.2, points: e.course(steps, seconds, func(s step) Num { return of(s).Value })})
		}
		draw(&rates, steps, func(s step) spread { return s.rate })
		draw(&near, e.near(steps), func(s step) spread { return s.rate.off(s.target) })
		draw(&processes, e.inForce(steps), func(s step) spread { return s.c })
	}
	rates.lines = append(rates.lines, line{label: "target", dash: true, points: targets})
	near.lines = append(near.lines, line{label: "target", dash: true, points: level(to, 0)}, line{color: grey, dash: true, points: level(to, -5)},
		line{color: grey, dash: true, points: level(to, 5)})
	if judged < end {
		band := area{color: grey, faint: true, points: box(judged/seconds, to, -100, math.MaxFloat64)}
		near.areas = append(near.areas, band)
		processes.areas = append(processes.areas, band)
		band.label = "short of work in some, not judged"
		rates.areas = append(rates.areas, band)
	}
	return []panel{rates, near, processes}
}

// mostSteps are drawn of a mean course; of more, the CSV has them all.
const mostSteps = 400

// stepsOf are the intervals of a server that every replication has. Of a long
// run several are drawn as one, whose bands hold theirs.
func (e *Ensemble) stepsOf(server string) []step {
	var steps []step
	for _, s := range e.means {
		if s.server == server && e.complete(s) {
			steps = append(steps, s)
		}
	}
	together := (len(steps) + mostSteps - 1) / mostSteps
	if together <= 1 {
		return steps
	}
	var drawn []step
	for some := range slices.Chunk(steps, together) {
		one := some[len(some)-1]
		one.span = float64(len(some)) * e.IntervalSec
		one.rate, one.c = spread{}, spread{}
		for i, s := range some {
			one.rate, one.c = one.rate.with(s.rate, i), one.c.with(s.c, i)
		}
		drawn = append(drawn, one)
	}
	return drawn
}

// with is the spread of i + 1 intervals drawn as one.
func (s spread) with(o spread, i int) spread {
	if i == 0 {
		return o
	}
	s.Value += (o.Value - s.Value) / Num(i+1)
	s.Low, s.High = min(s.Low, o.Low), max(s.High, o.High)
	s.least, s.most = min(s.least, o.least), max(s.most, o.most)
	return s
}

// targets is the target over time, the same for all servers.
func (e *Ensemble) targets(seconds, to float64) plotter.XYs {
	if e.LastTarget == 0 || len(e.servers) == 0 {
		return level(to, e.Target)
	}
	return e.course(e.stepsOf(e.servers[0]), seconds, func(s step) Num { return Num(s.target) })
}

// near are the intervals whose mean rate lies within 6 % of the target.
func (e *Ensemble) near(steps []step) []step {
	var all []step
	for _, s := range steps {
		if math.Abs(float64(s.rate.Value)/s.target-1) < 0.06 {
			all = append(all, s)
		}
	}
	return all
}

// off is a rate as its distance from the target, in per cent.
func (s spread) off(target float64) spread {
	for _, n := range []*Num{&s.Value, &s.Low, &s.High, &s.least, &s.most} {
		*n = 100 * (*n/Num(target) - 1)
	}
	return s
}

// inForce moves C to the intervals in which it holds: it is decided at the end of
// the one before.
func (e *Ensemble) inForce(steps []step) []step {
	c := spread{Estimate{Value: Num(e.start), Low: Num(e.start), High: Num(e.start)}, Num(e.start), Num(e.start)}
	var all []step
	for _, s := range steps {
		s.c, c = c, s.c
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
func (e *Ensemble) complete(s step) bool { return s.rate.N == e.Replications }

func (e *Ensemble) drawn() []string { return e.servers[:min(len(e.servers), mostServers)] }

// course is a mean over time, level in each interval.
func (e *Ensemble) course(steps []step, seconds float64, of func(step) Num) plotter.XYs {
	var points plotter.XYs
	for _, s := range steps {
		v := float64(of(s))
		points = append(points, plotter.XY{X: (s.end - s.span) / seconds, Y: v}, plotter.XY{X: s.end / seconds, Y: v})
	}
	return points
}

// between is the outline of what lies between two courses.
func (e *Ensemble) between(steps []step, seconds float64, of func(step) (low, high Num)) plotter.XYs {
	var bounded []step
	for _, s := range steps {
		if low, high := of(s); low.Known() && high.Known() {
			bounded = append(bounded, s)
		}
	}
	outline := e.course(bounded, seconds, func(s step) Num { low, _ := of(s); return low })
	back := e.course(bounded, seconds, func(s step) Num { _, high := of(s); return high })
	for i := len(back) - 1; i >= 0; i-- {
		outline = append(outline, back[i])
	}
	return outline
}

func (e *Ensemble) settled() Figure {
	rows := [][]string{{"server", "intervals", "t_h", "settled", "replications", "share", "share_low", "share_high"}}
	for i, name := range e.servers {
		for _, p := range e.settledBy(i) {
			rows = append(rows, []string{name, strconv.Itoa(p.number), plain(float64(p.number) * e.IntervalSec / 3600), strconv.Itoa(p.settled), strconv.Itoa(p.share.N),
				Num(p.share.Value).String(), Num(p.share.Low).String(), Num(p.share.High).String()})
		}
	}
	text := e.oneByOne()
	alt := "The share of replications that had settled, over time; those that never do keep it below 100 %."
	if len(text) > 0 {
		alt += " " + text[0]
	}
	return Figure{Name: "settling", Title: "When do single runs settle?", Alt: alt, CSV: writeCSV(rows)}
}

// settledPoint is how many replications had settled when so many intervals had
// passed.
type settledPoint struct {
	number, settled int
	share           stats.Interval
}

func (e *Ensemble) settledBy(server int) []settledPoint {
	var all []settledPoint
	s := e.Settling[server]
	for k := 0; s.Runs > 0 && k <= s.Horizon; k++ {
		n := 0
		for _, o := range e.runs {
			if o.tracks[server].settled <= float64(k) {
				n++
			}
		}
		all = append(all, settledPoint{k, n, stats.Share(n, s.Runs, confidence)})
	}
	return all
}

func (e *Ensemble) settledPanels() []panel {
	p := panel{y: "Replications settled within 5 % of the target, %", x: "intervals that had passed", height: 1}
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
			p.areas = append(p.areas, area{label: "95 % interval", color: 1, faint: true, points: low})
			name = "settled"
		}
		p.lines = append(p.lines, line{label: name, color: 1 + i, width: 1.6, step: plotter.PostStep, points: points})
	}
	if s := e.Settling; len(s) == 1 && s[0].OfMean.Known() {
		x := float64(s[0].OfMean)
		p.lines = append(p.lines, line{label: "the mean course settles", dash: true, width: 1.4, points: plotter.XYs{{X: x, Y: 0}, {X: x, Y: 100}}})
	}
	return []panel{p}
}

func (e *Ensemble) startUp() Figure {
	rows := [][]string{{"server", "of", "left_out_intervals", "mser"}}
	for _, c := range e.Steady.curves {
		for i, v := range c.Curve {
			rows = append(rows, []string{c.server, c.of, strconv.Itoa(5 * i), plain(v)})
		}
	}
	return Figure{Name: "warm-up", Title: "Is the start-up left out?", CSV: writeCSV(rows),
		Alt: fmt.Sprintf("Above, the mean rate by interval, with the %s that are left out and twice as many; below, the marginal standard error of the mean for every possible cut (MSER-5), as a multiple of its least value.",
			plural(uint64(e.Steady.LeftOut), "interval"))}
}

func (e *Ensemble) startUpPanels() []panel {
	t := e.Steady
	room := []float64{0, float64(t.Judged)}
	rates := panel{y: "Deliveries per hour, mean of the replications", room: room, height: 1}
	errors := panel{y: "Marginal standard error, as a multiple of the least", x: "judged intervals that are left out", room: room, height: 1}
	var top float64
	for i, name := range e.drawn() {
		var points plotter.XYs
		for _, s := range e.means {
			if s.server == name && s.judged == e.Replications {
				points = append(points, plotter.XY{X: float64(len(points)), Y: float64(s.rate.Value)})
				top = max(top, float64(s.rate.Value))
			}
		}
		label := name
		if len(e.servers) == 1 {
			label = "mean"
		}
		rates.lines = append(rates.lines, line{label: label, color: 1 + i, width: 1.2, points: points})
	}
	for i, c := range e.Steady.curves {
		if i/2 >= mostServers || len(c.Curve) == 0 {
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
		errors.lines = append(errors.lines, line{label: label, color: 1 + i, width: 1.4, points: points})
	}
	for _, cut := range []struct {
		at    int
		label string
	}{{t.LeftOut, "left out until here"}, {t.Twice, "and twice as much"}} {
		if cut.at > 0 {
			x := float64(cut.at)
			l := line{label: cut.label, dash: true, width: 1.4, color: black, points: plotter.XYs{{X: x, Y: 0}, {X: x, Y: top}}}
			if cut.at == t.Twice {
				l.color = grey
			}
			rates.lines = append(rates.lines, l)
		}
	}
	return []panel{rates, errors}
}
