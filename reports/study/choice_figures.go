package study

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// choiceDrawings returns figures of which value is best where, of what each value costs in
// each row, and for each value maps of its cost, its class, its attempts per delivery and
// its greatest C.
func (s *Report) choiceDrawings() []chart.Drawing {
	c := s.Choice
	of, rows, columns := s.Axes[c.Of], len(s.rowNames()), len(s.Axes[c.Columns].Values)
	answer := s.choiceAnswer()
	top := chart.Figure{Name: "choice", Title: "Which " + of.Name() + " costs least?", CSV: s.bestCSV(), Alt: answer[0]}
	regret := chart.Figure{Name: "regret", Title: "What a " + of.Name() + " costs more than the best",
		CSV: s.regretCSV(), Alt: answer[1]}
	all := []chart.Drawing{
		{Figure: top, Height: 60 + vg.Length(rows)*bestHeight, Panels: nil, Paint: s.paintBest},
		{Figure: regret, Height: 128 + vg.Length(rows)*regretHeight, Panels: nil, Paint: s.paintRegret},
	}
	for _, m := range s.multiples() {
		f := chart.Figure{Name: m.name, Title: m.title, CSV: s.multipleCSV(m),
			Alt: fmt.Sprintf("%s, one map for each %s of %d rows and %d columns.", m.title, of.Name(), rows, columns)}
		all = append(all, chart.Drawing{Figure: f, Height: s.multipleHeight(), Panels: nil,
			Paint: func(canvas draw.Canvas) { s.paintMultiple(canvas, m) }})
	}
	return all
}

// bins are steps of a quantity, each with a colour.
type bins struct {
	edges  []float64 // between them
	colors []color.NRGBA
}

// blues returns bins with the sequential blues of ColorBrewer, which differ in lightness
// too.
func blues(edges ...float64) bins {
	b := bins{edges: edges}
	for i := range len(edges) + 1 {
		fill, _ := scale{0, float64(len(edges)), false}.color(float64(i))
		b.colors = append(b.colors, fill)
	}
	return b
}

// place returns the step that v belongs to; a value at an edge belongs to the step above.
func (b bins) place(v float64) int {
	i, found := slices.BinarySearch(b.edges, v)
	if found {
		i++
	}
	return i
}

func (b bins) color(v float64) color.NRGBA {
	if math.IsNaN(v) {
		return blank
	}
	return b.colors[b.place(v)]
}

// inkOn returns a colour for text on the step of v.
func (b bins) inkOn(v float64) color.NRGBA {
	if !math.IsNaN(v) && 2*b.place(v) > len(b.edges)+1 {
		return light
	}
	return lettering
}

func (b bins) legend(title string) legend {
	l := legend{title: title}
	for i, c := range b.colors {
		said := ""
		switch {
		case i == 0:
			said = "below " + edge(b.edges[0])
		case i == len(b.edges):
			said = edge(b.edges[i-1]) + " or more"
		default:
			said = "to " + edge(b.edges[i])
		}
		l.entries = append(l.entries, entry{c, said})
	}
	return l
}

func edge(v float64) string {
	if v < 1000 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return format.Grouped(v, 0)
}

const (
	bestHeight   = 33
	regretHeight = 17
	besideMaps   = 84 // room for the names of rows
)

// paintBest writes the best value into each place, coloured by how much less than the
// default it costs.
func (s *Report) paintBest(c draw.Canvas) {
	ch := s.Choice
	steps := blues(1, 5, 10, 20, 40)
	c = s.paintSheet(c, steps.legend(fmt.Sprintf("Cheapest %s, its cost in %% (cost of %s); colour: points saved",
		s.Axes[ch.Of].Name(), s.Axes[ch.Of].Values[ch.Default])))
	columns := s.Axes[ch.Columns].Values
	c.Min.Y += 26
	g := grid{c, besideMaps, len(s.rowNames()), len(columns)}
	g.paintNames(s.rowNames(), columns, s.Axes[ch.Columns].Name())
	for row := range s.rowNames() {
		for k := range columns {
			b, usual := s.best(row, k), s.choiceAt(row, k)[ch.Default]
			saved := 100 * (usual.Cost() - b.Cost())
			x, y, w, h := g.cell(row, k)
			fill(c, steps.color(saved), x+0.5, y+0.5, x+w-0.5, y+h-0.5)
			style := chart.Sans(7, true)
			style.Color, style.XAlign, style.YAlign = steps.inkOn(saved), draw.XCenter, draw.YCenter
			lines := wrapWords(style, s.Axes[ch.Of].Values[b.Value], w-3)
			plain := style
			plain.Font.Weight = 0
			at := y + h/2 + vg.Length(len(lines))*4
			for _, line := range lines {
				c.FillText(style, vg.Point{X: x + w/2, Y: at}, line)
				at -= 8
			}
			c.FillText(plain, vg.Point{X: x + w/2, Y: at}, fmt.Sprintf("%.0f (%.0f)", 100*b.Cost(), 100*usual.Cost()))
		}
	}
}

// paintRegret writes how much more than the best each value costs, on average over the
// columns.
func (s *Report) paintRegret(c draw.Canvas) {
	values := s.Axes[s.Choice.Of].Values
	steps := blues(1, 5, 10, 20, 40)
	c = s.paintSheet(c, steps.legend(fmt.Sprintf("Cost beyond the cheapest %s of each %s, in points, on average",
		s.Axes[s.Choice.Of].Name(), s.Axes[s.Choice.Columns].Name())))
	c.Max.Y -= 62
	c.Max.X -= 34 // slanted names reach out
	g := grid{c, besideMaps, len(s.rowNames()), len(values)}
	g.paintNames(s.rowNames(), nil, "")
	for v, name := range values {
		x, y, w, h := g.cell(0, v)
		slanted := chart.Sans(8, false)
		slanted.Rotation = math.Pi / 4
		c.FillText(slanted, vg.Point{X: x + w/2, Y: y + h + 5}, name)
	}
	for row := range s.rowNames() {
		for v := range values {
			points := 100 * s.regret(row, v)
			x, y, w, h := g.cell(row, v)
			fill(c, steps.color(points), x+0.5, y+0.5, x+w-0.5, y+h-0.5)
			c.FillText(letters(steps.inkOn(points)), vg.Point{X: x + w/2, Y: y + h/2}, fmt.Sprintf("%.0f", points))
		}
	}
}

// multiple is a map for each value, all with the same colours.
type multiple struct {
	name, title string
	legend      legend
	color       func(Option) color.NRGBA
	csv         func(Option) string
}

func (s *Report) multiples() []multiple {
	peak := slices.Index(s.Metrics, "peak_available")
	number := func(name, title string, steps bins, of func(Option) float64) multiple {
		return multiple{name, title, steps.legend(title), func(t Option) color.NRGBA { return steps.color(of(t)) },
			func(t Option) string { return format.Num(of(t)).String() }}
	}
	does := "What the governor does in most runs"
	if s.Choice.Noise >= 0 {
		a := s.Axes[s.Choice.Noise]
		does = fmt.Sprintf("What the governor does, %s = %s", a.Name(), a.Values[0])
	}
	classes := multiple{"classes", does, legend{title: does},
		func(t Option) color.NRGBA { return classColor(t.Class()) }, func(t Option) string { return string(t.Class()) }}
	for _, c := range measure.Classes() {
		if slices.ContainsFunc(s.Choice.Options, func(t Option) bool { return t.Class() == c }) {
			classes.legend.entries = append(classes.legend.entries, entry{classColor(c), string(c)})
		}
	}
	most := math.Inf(-1)
	for _, t := range s.Choice.Options {
		most = max(most, t.Means[peak])
	}
	return []multiple{
		number("cost", "Cost: target lost + attempts in vain, %", blues(10, 20, 40, 80, 120),
			func(t Option) float64 { return 100 * t.Cost() }),
		classes,
		number("attempts", "Attempts per delivery", blues(1.05, 1.2, 1.5, 2.5, 6), Option.AttemptsPerDelivery),
		number("peak", "Greatest C, on average", blues(roundBelow(most)...),
			func(t Option) float64 { return t.Means[peak] }),
	}
}

// roundBelow returns the five greatest numbers of the form 1, 2 or 5 times a power of ten
// below most.
func roundBelow(most float64) []float64 {
	var edges []float64
	for unit := math.Pow(10, math.Floor(math.Log10(most))); len(edges) < 5; unit /= 10 {
		for _, digit := range []float64{5, 2, 1} {
			if v := digit * unit; v < most && len(edges) < 5 {
				edges = append(edges, v)
			}
		}
	}
	slices.Reverse(edges)
	return edges
}

const (
	multipleColumns = 4
	cellHeight      = 9
	aroundMap       = 42 // title, names of columns and room
)

func (s *Report) multipleHeight() vg.Length {
	maps := len(s.Axes[s.Choice.Of].Values)
	down := (maps + multipleColumns - 1) / multipleColumns
	return 60 + vg.Length(down)*(vg.Length(len(s.rowNames()))*cellHeight+aroundMap)
}

// paintMultiple draws neighbouring cells of one colour as one cell, which makes the file
// a third as large.
func (s *Report) paintMultiple(c draw.Canvas, m multiple) {
	c = s.paintSheet(c, m.legend)
	names, columns := s.rowNames(), s.Axes[s.Choice.Columns].Values
	h := vg.Length(len(names))*cellHeight + aroundMap
	w := (c.Size().X - besideMaps) / multipleColumns
	for v, title := range s.Axes[s.Choice.Of].Values {
		space := c
		space.Max.Y = c.Max.Y - vg.Length(v/multipleColumns)*h
		space.Min.Y = space.Max.Y - h + 12
		space.Min.X = c.Min.X + besideMaps + vg.Length(v%multipleColumns)*w
		space.Max.X = space.Min.X + w - 8
		c.FillText(chart.Sans(9, true), vg.Point{X: space.Min.X, Y: space.Max.Y - 9}, title)
		space.Max.Y -= 14
		space.Min.Y += 16
		var beside vg.Length
		if v%multipleColumns == 0 {
			beside = besideMaps
			space.Min.X -= beside
		}
		g := grid{space, beside, len(names), len(columns)}
		if beside > 0 {
			g.paintNames(names, columns, "")
		} else {
			g.paintNames(nil, columns, "")
		}
		for row := range names {
			for k := 0; k < len(columns); {
				from, paint := k, m.color(s.choiceAt(row, k)[v])
				for k < len(columns) && m.color(s.choiceAt(row, k)[v]) == paint {
					k++
				}
				x, y, w, h := g.cell(row, from)
				fill(c, paint, x, y+0.3, x+vg.Length(k-from)*w, y+h-0.3)
			}
		}
	}
}

// paintSheet paints the legend and returns what is left below it.
func (s *Report) paintSheet(c draw.Canvas, l legend) draw.Canvas {
	c = draw.Crop(c, 8, -14, 8, -6)
	sheet{legend: l}.paintLegend(c)
	c.Max.Y -= legendHeight
	return c
}

// grid is cells in rows from top to bottom, with names on the left and below.
type grid struct {
	c             draw.Canvas
	beside        vg.Length
	rows, columns int
}

func (g grid) cell(row, column int) (x, y, w, h vg.Length) {
	w, h = (g.c.Size().X-g.beside)/vg.Length(g.columns), g.c.Size().Y/vg.Length(g.rows)
	return g.c.Min.X + g.beside + vg.Length(column)*w, g.c.Max.Y - vg.Length(row+1)*h, w, h
}

// paintNames writes the names of the rows, the names of the columns as far as there is
// room, and what the columns are.
func (g grid) paintNames(rows, columns []string, what string) {
	name := chart.Sans(8, false)
	name.XAlign, name.YAlign = draw.XRight, draw.YCenter
	for i, said := range rows {
		x, y, _, h := g.cell(i, 0)
		g.c.FillText(name, vg.Point{X: x - 5, Y: y + h/2}, said)
	}
	name.XAlign, name.YAlign = draw.XCenter, draw.YTop
	var widest vg.Length
	for _, said := range columns {
		widest = max(widest, 1.2*name.Width(said)+4)
	}
	_, y, w, _ := g.cell(g.rows-1, 0)
	for _, i := range spaced(len(columns), int(w*vg.Length(g.columns)/max(widest, 1))) {
		x, _, _, _ := g.cell(g.rows-1, i)
		g.c.FillText(name, vg.Point{X: x + w/2, Y: y - 4}, columns[i])
	}
	name = chart.Sans(9, false)
	name.XAlign = draw.XCenter
	g.c.FillText(name, vg.Point{X: g.c.Min.X + g.beside + w*vg.Length(g.columns)/2, Y: y - 24}, what)
}

// wrapWords breaks a text between words into lines of at most width.
func wrapWords(style text.Style, said string, width vg.Length) []string {
	var lines []string
	for _, word := range strings.Fields(said) {
		if n := len(lines); n > 0 && style.Width(lines[n-1]+" "+word) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// choiceWhere returns the names of the CSV columns for a row and a column, then more.
func (s *Report) choiceWhere(more ...string) []string {
	row := "scenario"
	if s.Choice.Rows >= 0 {
		row = s.Axes[s.Choice.Rows].Name()
	}
	return append([]string{row, s.Axes[s.Choice.Columns].Name()}, more...)
}

// bestCSV returns a line for each row and column.
func (s *Report) bestCSV() []byte {
	values := s.Axes[s.Choice.Of].Values
	lines := [][]string{s.choiceWhere("best", "cost", "default", "cost_of_default")}
	for row, name := range s.rowNames() {
		for k, column := range s.Axes[s.Choice.Columns].Values {
			b, usual := s.best(row, k), s.choiceAt(row, k)[s.Choice.Default]
			lines = append(lines, []string{name, column, values[b.Value], fraction(b.Cost()), values[s.Choice.Default],
				fraction(usual.Cost())})
		}
	}
	return format.WriteCSV(lines)
}

func (s *Report) regretCSV() []byte {
	lines := [][]string{{s.choiceWhere()[0], s.Axes[s.Choice.Of].Name(), "regret"}}
	for row, name := range s.rowNames() {
		for v, value := range s.Axes[s.Choice.Of].Values {
			lines = append(lines, []string{name, value, fraction(s.regret(row, v))})
		}
	}
	return format.WriteCSV(lines)
}

func (s *Report) multipleCSV(m multiple) []byte {
	lines := [][]string{s.choiceWhere(s.Axes[s.Choice.Of].Name(), m.name)}
	for _, t := range s.Choice.Options {
		lines = append(lines, []string{s.rowNames()[t.Row], s.Axes[s.Choice.Columns].Values[t.Column],
			s.Axes[s.Choice.Of].Values[t.Value], m.csv(t)})
	}
	return format.WriteCSV(lines)
}

func fraction(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }
