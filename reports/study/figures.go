package study

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Figures draws one picture of the classes and one of each metric: maps over
// the first two parameters, one for each value of the others and each scenario,
// or lines where there is one parameter, or where all change together. Values
// stand at equal distances. If the study asks for a choice, its figures replace these,
// because a reader could not find the right one among so large a number of maps.
func (s *Report) Figures() ([]chart.Figure, error) {
	if s.Choice != nil {
		return chart.PaintAll(s.choiceDrawings())
	}
	class := chart.Figure{Name: "classes", Title: "What does the governor do?", CSV: s.classesCSV(),
		Alt: s.Answer()[0] + s.undrawn()}
	var all []chart.Drawing
	if s.flat() {
		all = append(all, chart.Drawing{Figure: class, Height: 3.6 * vg.Inch, Panels: s.classPanels()})
	} else {
		m := s.sheet()
		m.legend = s.classLegend()
		m.cell = func(p Point) (color.Color, color.Color, string) {
			return classColor(p.Class), lettering, string(p.Class)
		}
		all = append(all, m.drawing(class))
	}
	for k, name := range s.Metrics {
		x := s.Extremes[k]
		f := chart.Figure{Name: name, Title: name, CSV: s.metricCSV(k),
			Alt: fmt.Sprintf("%s, %s. ", name, unitOf(name)) + s.reach(x) + s.undrawn()}
		if s.flat() {
			all = append(all, chart.Drawing{Figure: f, Height: 3.6 * vg.Inch, Panels: s.metricPanels(k)})
			continue
		}
		m := s.sheet()
		scale := newScale(x)
		m.legend = scale.legend(fmt.Sprintf("%s, %s", name, unitOf(name)))
		m.cell = func(p Point) (color.Color, color.Color, string) {
			v := p.Estimates[k].Value
			if !v.Known() {
				return blank, lettering, "-"
			}
			said := brief(float64(v))
			if p.Never[k] > 0 {
				said = ">" + said
			}
			fill, ink := scale.color(float64(v))
			return fill, ink, said
		}
		all = append(all, m.drawing(f))
	}
	return chart.PaintAll(all)
}

func (s *Report) reach(x Extreme) string {
	if !x.Least.Known() {
		return "Undefined at every point."
	}
	return fmt.Sprintf("Least %s at %s, greatest %s at %s.", format.Figure(float64(x.Least)), x.LeastAt,
		format.Figure(float64(x.Most)), x.MostAt)
}

// flat reports whether the points are drawn along one axis.
func (s *Report) flat() bool { return len(s.Axes) == 1 || s.Design == "zip" }

// undrawn returns a sentence on what the figures leave out.
func (s *Report) undrawn() string {
	switch n := len(s.maps()); {
	case s.flat() && len(s.Scenarios) > chart.MostServers:
		return fmt.Sprintf(" Only the first %d of %d scenarios are drawn; the CSV has all.", chart.MostServers,
			len(s.Scenarios))
	case !s.flat() && n > mostMaps:
		return fmt.Sprintf(" Only the first %d of %d maps are drawn; the CSV has all.", mostMaps, n)
	}
	return ""
}

// Lines.

// along returns the points of a scenario in the order of the first parameter.
func (s *Report) along(scenario int) []Point {
	var all []Point
	for _, p := range s.Points {
		if p.Scenario == scenario {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b Point) int { return a.At[0] - b.At[0] })
	return all
}

func (s *Report) metricPanels(k int) []chart.Panel {
	p := chart.Panel{Y: s.Metrics[k] + ", " + unitOf(s.Metrics[k]), X: s.alongName(), Ticks: s.alongTicks, Height: 1,
		Room: s.alongRoom()}
	for i, name := range s.Scenarios[:min(len(s.Scenarios), chart.MostServers)] {
		l := chart.Line{Color: 1 + i, Width: 1.2, Dots: true, Label: name}
		var low, high plotter.XYs
		for _, q := range s.along(i) {
			e, x := q.Estimates[k], float64(q.At[0])
			l.Points = append(l.Points, plotter.XY{X: x, Y: float64(e.Value)})
			if e.Low.Known() && e.High.Known() {
				low = append(low, plotter.XY{X: x, Y: float64(e.Low)})
				high = append(high, plotter.XY{X: x, Y: float64(e.High)})
			}
		}
		if slices.Reverse(high); len(low) > 1 {
			label := ""
			if i == 0 {
				label = "95 % interval of the mean"
			}
			p.Areas = append(p.Areas, chart.Area{Label: label, Color: 1 + i, Faint: true, Points: append(low, high...)})
		}
		p.Lines = append(p.Lines, l)
	}
	return []chart.Panel{p}
}

// classPanels returns panels with the share of the runs in each class.
func (s *Report) classPanels() []chart.Panel {
	p := chart.Panel{Y: "Share of the runs, %", X: s.alongName(), Ticks: s.alongTicks, Height: 1, Room: s.alongRoom()}
	colors := []int{3, chart.Grey, 5, 4, 2, 6} // as classColor has them
	for k, c := range measure.Classes() {
		if s.Tally[k].Points == 0 && !slices.ContainsFunc(s.Points, func(q Point) bool { return q.Counts[k] > 0 }) {
			continue
		}
		for i := range s.Scenarios[:min(len(s.Scenarios), chart.MostServers)] {
			l := chart.Line{Color: colors[k], Width: 1.4, Dots: true, Dash: i > 0}
			if i == 0 {
				l.Label = string(c)
			}
			for _, q := range s.along(i) {
				l.Points = append(l.Points, plotter.XY{X: float64(q.At[0]),
					Y: 100 * float64(q.Counts[k]) / float64(s.Replications)})
			}
			p.Lines = append(p.Lines, l)
		}
	}
	return []chart.Panel{p}
}

func (s *Report) alongName() string { return strings.Join(s.Axes[0].Keys, ", ") }

func (s *Report) alongRoom() []float64 { return []float64{-0.2, float64(len(s.Axes[0].Values)) - 0.8} }

func (s *Report) alongTicks(_, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for _, i := range spaced(len(s.Axes[0].Values), 12) {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: s.Axes[0].Values[i]})
	}
	return ticks
}

// spaced returns at most the given number of n places, at equal distances, beginning
// with the first.
func spaced(n, most int) []int {
	step := (n + most - 1) / max(most, 1)
	var all []int
	for i := 0; i < n; i += max(step, 1) {
		all = append(all, i)
	}
	return all
}

// Maps.

// mostMaps is the greatest number of maps drawn of one metric.
const mostMaps = 24

// sheet draws maps beside one another.
type sheet struct {
	study  *Report
	maps   []part
	legend legend
	cell   func(Point) (fill, ink color.Color, said string)
}

// part is a map: the points that agree in all but the first two parameters.
type part struct {
	title  string
	points []Point
}

type legend struct {
	title   string
	entries []entry
}

type entry struct {
	color color.Color
	said  string
}

func (s *Report) sheet() sheet {
	maps := s.maps()
	return sheet{study: s, maps: maps[:min(len(maps), mostMaps)]}
}

// maps returns the parts in the order of the points. The points of a Halton design differ
// in every parameter, so each scenario has one map.
func (s *Report) maps() []part {
	var all []part
	place := map[string]int{}
	for _, p := range s.Points {
		var words []string
		if len(s.Scenarios) > 1 {
			words = append(words, s.Scenarios[p.Scenario])
		}
		for i := 2; i < len(s.Axes) && s.Design == "grid"; i++ {
			words = append(words, s.Axes[i].Name()+" = "+s.value(p, i))
		}
		title := strings.Join(words, ", ")
		at, known := place[title]
		if !known {
			at = len(all)
			place[title] = at
			all = append(all, part{title: title})
		}
		all[at].points = append(all[at].points, p)
	}
	return all
}

const (
	mapHeight    = 2.9 * vg.Inch
	legendHeight = 0.55 * vg.Inch
)

func (m sheet) columns() int { return min(3, max(1, len(m.maps))) }

func (m sheet) drawing(f chart.Figure) chart.Drawing {
	rows := (len(m.maps) + m.columns() - 1) / m.columns()
	height := mapHeight
	if m.columns() == 1 {
		height = 4.4 * vg.Inch
	}
	return chart.Drawing{Figure: f, Height: legendHeight + vg.Length(rows)*height, Panels: nil, Paint: m.paint}
}

func (m sheet) paint(c draw.Canvas) {
	c = draw.Crop(c, 8, -14, 8, -6)
	m.paintLegend(c)
	c.Max.Y -= legendHeight
	columns := m.columns()
	rows := (len(m.maps) + columns - 1) / columns
	w, h := c.Size().X/vg.Length(columns), c.Size().Y/vg.Length(rows)
	for i, part := range m.maps {
		space := c
		space.Min.X = c.Min.X + vg.Length(i%columns)*w
		space.Max.X = space.Min.X + w - 10
		space.Max.Y = c.Max.Y - vg.Length(i/columns)*h
		space.Min.Y = space.Max.Y - h + 8
		m.paintMap(space, part)
	}
}

func (m sheet) paintLegend(c draw.Canvas) {
	heading, label := chart.Sans(11, true), chart.Sans(10, false)
	y := c.Max.Y - 12
	c.FillText(heading, vg.Point{X: c.Min.X, Y: y}, m.legend.title)
	x := c.Min.X
	for _, e := range m.legend.entries {
		fill(c, e.color, x, y-18, x+22, y-8)
		c.FillText(label, vg.Point{X: x + 27, Y: y - 16}, e.said)
		x += 27 + 1.2*label.Width(e.said) + 14
	}
}

// paintMap draws one map: the first parameter to the right, the second
// upwards. Points of a Halton design are dots, which may lie anywhere.
func (m sheet) paintMap(c draw.Canvas, part part) {
	across, up := m.study.Axes[0], m.study.Axes[1]
	label := chart.Sans(9, false)
	small := chart.Sans(8, false)
	y := c.Max.Y - 10
	if part.title != "" {
		c.FillText(chart.Sans(9, true), vg.Point{X: c.Min.X, Y: y}, part.title)
		y -= 14
	}
	c.FillText(label, vg.Point{X: c.Min.X, Y: y}, strings.Join(up.Keys, ", ")+" (upwards)")
	c.Max.Y = y - 6
	below := label
	below.XAlign = draw.XCenter
	c.FillText(below, vg.Point{X: c.Center().X, Y: c.Min.Y}, strings.Join(across.Keys, ", "))
	c.Min.Y += 28

	var left vg.Length
	for _, i := range spaced(len(up.Values), int(c.Size().Y/12)) {
		left = max(left, 1.1*small.Width(up.Values[i]))
	}
	c.Min.X += left + 6
	w, h := c.Size().X/vg.Length(len(across.Values)), c.Size().Y/vg.Length(len(up.Values))
	var widest vg.Length
	for _, v := range across.Values {
		widest = max(widest, 1.2*small.Width(v)+6)
	}
	small.XAlign, small.YAlign = draw.XRight, draw.YCenter
	for _, i := range spaced(len(up.Values), int(c.Size().Y/12)) {
		c.FillText(small, vg.Point{X: c.Min.X - 5, Y: c.Min.Y + (vg.Length(i)+0.5)*h}, up.Values[i])
	}
	small.XAlign, small.YAlign = draw.XCenter, draw.YTop
	for _, i := range spaced(len(across.Values), int(c.Size().X/widest)) {
		c.FillText(small, vg.Point{X: c.Min.X + (vg.Length(i)+0.5)*w, Y: c.Min.Y - 4}, across.Values[i])
	}
	frame := draw.LineStyle{Color: chart.Ink(chart.Grey), Width: 0.6}
	c.StrokeLines(frame, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}, c.Min})
	for _, p := range part.points {
		color, ink, said := m.cell(p)
		x, y := c.Min.X+vg.Length(p.At[0])*w, c.Min.Y+vg.Length(p.At[1])*h
		if m.study.Design == "halton" {
			half := vg.Length(min(7, max(2, float64(c.Size().X)/2.5/math.Sqrt(float64(len(part.points))))))
			fill(c, color, x+w/2-half, y+h/2-half, x+w/2+half, y+h/2+half)
			continue
		}
		fill(c, color, x+0.3, y+0.3, x+w-0.3, y+h-0.3)
		inside := letters(ink)
		if said != "" && 1.1*inside.Width(said)+2 < w && h > 11 {
			c.FillText(inside, vg.Point{X: x + w/2, Y: y + h/2}, said)
		}
	}
}

func fill(c draw.Canvas, with color.Color, x1, y1, x2, y2 vg.Length) {
	c.FillPolygon(with, []vg.Point{{X: x1, Y: y1}, {X: x2, Y: y1}, {X: x2, Y: y2}, {X: x1, Y: y2}})
}

// letters returns the style of text in the middle of a cell. Text elsewhere turns light
// on a dark page; cells keep their colours, so their text must keep its colour too.
func letters(in color.Color) text.Style {
	s := chart.Sans(8, false)
	s.Color, s.XAlign, s.YAlign = in, draw.XCenter, draw.YCenter
	return s
}

var (
	lettering = color.NRGBA{R: 1, G: 1, B: 1, A: 255}
	light     = color.NRGBA{R: 254, G: 254, B: 254, A: 255}
	blank     = color.NRGBA{R: 0xC8, G: 0xC8, B: 0xC8, A: 255}
)

func classColor(c measure.Class) color.NRGBA {
	switch c {
	case measure.Stable:
		return chart.Ink(3)
	case measure.Unsettled:
		return chart.Ink(chart.Grey)
	case measure.Oscillating:
		return chart.Ink(5)
	case measure.WoundUp:
		return chart.Ink(4)
	case measure.Collapsed:
		return chart.Ink(2)
	}
	return chart.Ink(6)
}

func (s *Report) classLegend() legend {
	l := legend{title: "What the governor does"}
	for _, t := range s.Tally {
		if t.Points > 0 {
			l.entries = append(l.entries, entry{classColor(t.Class),
				fmt.Sprintf("%s (%s)", t.Class, format.Grouped(float64(t.Points), 0))})
		}
	}
	return l
}

// scale maps the values of a metric to colours from light to dark, by their
// logarithms if they reach over more than a factor of 50.
type scale struct {
	least, most float64
	log         bool
}

func newScale(x Extreme) scale {
	s := scale{float64(x.Least), float64(x.Most), false}
	s.log = s.least > 0 && s.most/s.least > 50
	return s
}

// share returns where a value lies between the least (0) and the greatest (1).
func (s scale) share(v float64) float64 {
	switch {
	case !(s.most > s.least):
		return 0
	case s.log:
		return math.Log(v/s.least) / math.Log(s.most/s.least)
	}
	return (v - s.least) / (s.most - s.least)
}

// color returns a step of the sequential blues of ColorBrewer, which differ in lightness
// too, and a colour for text on it.
func (s scale) color(v float64) (fill, ink color.NRGBA) {
	stops := [...]color.NRGBA{{R: 0xDE, G: 0xEB, B: 0xF7, A: 255}, {R: 0x9E, G: 0xCA, B: 0xE1, A: 255},
		{R: 0x42, G: 0x92, B: 0xC6, A: 255}, {R: 0x08, G: 0x45, B: 0x94, A: 255}}
	share := s.share(v)
	at := float64(share * float64(len(stops)-1))
	i := min(max(int(at), 0), len(stops)-2)
	part := at - float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + float64(part*(float64(b)-float64(a))))) }
	a, b := stops[i], stops[i+1]
	if ink = lettering; share > 0.55 {
		ink = light
	}
	return color.NRGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: 255}, ink
}

func (s scale) legend(title string) legend {
	l := legend{title: title}
	if !(s.most >= s.least) {
		l.entries = []entry{{blank, "undefined"}}
		return l
	}
	steps := 4
	if s.least == s.most {
		steps = 0
	}
	for i := range steps + 1 {
		share := float64(i) / float64(max(steps, 1))
		v := s.least + float64(share*(s.most-s.least))
		if s.log {
			v = s.least * math.Pow(s.most/s.least, share)
		}
		fill, _ := s.color(v)
		l.entries = append(l.entries, entry{fill, brief(v)})
	}
	return l
}

// brief writes a number to three digits, or to whole numbers below a million.
func brief(v float64) string {
	switch a := math.Abs(v); {
	case a == math.Round(a) && a < 1000:
		return format.Grouped(v, 0)
	case a >= 1e6:
		return format.Grouped(v/1e6, decimalsFor(a/1e6)) + "M"
	case a >= 1000:
		return format.Grouped(v, 0)
	case a < 0.001:
		return fmt.Sprintf("%.1e", v)
	default:
		return format.Grouped(v, decimalsFor(a))
	}
}

func decimalsFor(a float64) int { return min(max(2-int(math.Floor(math.Log10(a))), 0), 5) }
