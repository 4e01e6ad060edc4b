package chart

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"flyball/reports/format"
)

// Panel is one pair of axes. Numbers that are not finite leave a gap, and a panel without
// anything to draw is marked as empty.
type Panel struct {
	Y, X   string    // what the axes show, with units
	From   float64   // where the vertical axis begins, unless something lies below
	Room   []float64 // places on the horizontal axis that must be visible
	Log    bool      // x is logarithmic: numbers that are not positive are left out
	LogY   bool      // y is logarithmic, so From does not count
	Ticks  func(min, max float64) []plot.Tick
	Rows   []plot.Tick // what stands on the vertical axis instead of numbers
	Areas  []Area
	Lines  []Line
	Notes  []Note
	Height float64 // share of the figure
}

// Note is a text above or below a point, on the side that has more room.
type Note struct {
	At    plotter.XY
	Text  string
	Below bool
}

// Line joins points in their order.
type Line struct {
	Label string // in the legend, if not empty
	Color int    // in the palette
	Dash  bool
	Width vg.Length
	Step  plotter.StepKind
	Dots  bool // mark the points, unless there are many
	// Points alone, each as wide as the line would be, or two points.
	Scatter bool
	Points  plotter.XYs
}

// Area is a filled shape.
type Area struct {
	Label  string
	Color  int
	Faint  bool
	Points plotter.XYs
}

const (
	Width       = 8 * vg.Inch
	dpi         = 144
	labelHeight = 14
	mostPoints  = 1000 // points drawn of all lines of a panel; the CSV has all points
	mostDots    = 60
)

// Palette returns the palette of Okabe and Ito, whose colours colour-blind readers can
// distinguish too; black comes first and grey last.
func Palette() []color.NRGBA {
	return []color.NRGBA{
		{A: 255},
		{R: 0x00, G: 0x72, B: 0xB2, A: 255}, // blue
		{R: 0xD5, G: 0x5E, B: 0x00, A: 255}, // vermilion
		{R: 0x00, G: 0x9E, B: 0x73, A: 255}, // bluish green
		{R: 0xCC, G: 0x79, B: 0xA7, A: 255}, // reddish purple
		{R: 0xE6, G: 0x9F, B: 0x00, A: 255}, // orange
		{R: 0x56, G: 0xB4, B: 0xE9, A: 255}, // sky blue
		{R: 0x80, G: 0x80, B: 0x80, A: 255}, // grey
	}
}

const (
	Black = 0
	Grey  = 7
)

// Ink returns colour i of the palette.
func Ink(i int) color.NRGBA { return Palette()[i] }

// faintly returns colour i of the palette, translucent.
func faintly(i int) color.NRGBA {
	c := Ink(i)
	c.A = 40
	return c
}

// Sans returns the style of a text of size points.
func Sans(size float64, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	if bold {
		f.Weight = 3 // CSS 700
	}
	return text.Style{Color: Ink(Black), Font: f, Handler: plot.DefaultTextHandler}
}

// paintFigure lets paint draw as SVG and as PNG, on white.
func paintFigure(title, alt, id string, height vg.Length, paint func(draw.Canvas)) (svg, bitmap []byte, err error) {
	vector := vgsvg.New(Width, height)
	sheet := draw.New(vector)
	sheet.SetColor(color.White)
	sheet.Fill(sheet.Rectangle.Path())
	paint(sheet)
	var b bytes.Buffer
	if _, err := vector.WriteTo(&b); err != nil {
		return nil, nil, err
	}
	svg = titled(b.Bytes(), title, alt, id)

	raster := vgimg.NewWith(vgimg.UseWH(Width, height), vgimg.UseDPI(dpi)) // white
	paint(draw.New(raster))
	b = bytes.Buffer{}
	// The best compression would take a third of the time of a short run.
	err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, paletted(raster.Image().(*image.RGBA)))
	return svg, b.Bytes(), err
}

// titled gives an SVG its title and description for those who cannot see it,
// and fonts to fall back on: none is embedded.
func titled(svg []byte, title, alt, id string) []byte {
	open := fmt.Sprintf(` role="img" aria-labelledby="%s-title %s-desc">
<title id="%[1]s-title">%[3]s</title>
<desc id="%[1]s-desc">%[4]s</desc>`, id, id, html.EscapeString(title), html.EscapeString(alt))
	at := bytes.Index(svg, []byte("<svg"))
	at += bytes.IndexByte(svg[at:], '>')
	svg = slices.Concat(svg[:at], []byte(open), svg[at+1:])
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
}

// PaintPanels gives every panel its share of the height, with the left ends of
// their axes under one another.
func PaintPanels(c draw.Canvas, panels []Panel) {
	c = draw.Crop(c, 8, -14, 8, -6)
	plots := make([]*plot.Plot, len(panels))
	spaces := make([]draw.Canvas, len(panels))
	var total float64
	for _, p := range panels {
		total += p.Height
	}
	top := c.Max.Y
	var left vg.Length
	explained := map[mark]bool{}
	for i, p := range panels {
		space := c
		space.Max.Y = top
		top -= vg.Length(p.Height/total) * c.Size().Y
		space.Min.Y = top
		if i < len(panels)-1 {
			space.Min.Y += 10
		}
		if p.X != "" {
			space.Min.Y += labelHeight
		}
		space.Max.Y = p.paintHead(space, explained)
		plots[i], spaces[i] = p.plot(), space
		left = max(left, plots[i].DataCanvas(space).Min.X-space.Min.X)
	}
	for i, p := range plots {
		space := spaces[i]
		space.Min.X += left - (p.DataCanvas(space).Min.X - space.Min.X)
		p.Draw(space)
		// Not left to gonum, which puts the label of a logarithmic axis far to the right.
		label := Sans(10, false)
		label.XAlign = draw.XCenter
		data := p.DataCanvas(space)
		c.FillText(label, vg.Point{X: data.Center().X, Y: space.Min.Y - labelHeight + 3}, panels[i].X)
		for _, n := range panels[i].Notes {
			panels[i].paintNote(c, p, data, n)
		}
		if panels[i].empty() {
			c.FillText(label, data.Center(), "nothing to show")
		}
	}
}

// paintNote writes a note above or below its point, towards the middle of the axes.
func (p Panel) paintNote(c draw.Canvas, axes *plot.Plot, data draw.Canvas, n Note) {
	if !p.drawable(n.At) {
		return
	}
	toX, toY := axes.Transforms(&data)
	at := vg.Point{X: toX(n.At.X), Y: toY(n.At.Y) + 10}
	if n.Below {
		at.Y = max(at.Y-26, data.Min.Y+3)
	}
	style := Sans(9, true)
	style.XAlign = draw.XLeft
	if at.X > data.Center().X {
		style.XAlign = draw.XRight
	}
	c.FillText(style, at, n.Text)
}

// mark is an entry of a legend.
type mark struct {
	label         string
	color         int
	area, scatter bool
	dash, faint   bool
}

// paintHead writes the title of the vertical axis and the legend above the
// axes, where they cover nothing, and returns the height that is left. What a panel
// above has explained is left out, and added to explained otherwise.
func (p Panel) paintHead(c draw.Canvas, explained map[mark]bool) vg.Length {
	heading, label := Sans(11, true), Sans(10, false)
	y := c.Max.Y - 12
	c.FillText(heading, vg.Point{X: c.Min.X, Y: y}, p.Y)
	x := c.Min.X
	first := true
	entry := func(m mark, paint func(x, y vg.Length)) {
		name := m.label
		if name == "" || explained[m] {
			return
		}
		explained[m] = true
		if first {
			first = false
			y -= 16
		}
		w := 28 + 1.2*label.Width(name) + 14 // room for a wider font to fall back on
		if x+w > c.Max.X && x > c.Min.X {
			x = c.Min.X
			y -= 14
		}
		paint(x, y+3.5)
		c.FillText(label, vg.Point{X: x + 28, Y: y}, name)
		x += w
	}
	for _, l := range p.Lines {
		entry(mark{label: l.Label, color: l.Color, scatter: l.Scatter, dash: l.Dash}, func(x, y vg.Length) {
			if l.Scatter {
				c.DrawGlyph(l.glyph(), vg.Point{X: x + 16, Y: y})
				return
			}
			c.StrokeLine2(l.style(), x, y, x+22, y)
		})
	}
	for _, a := range p.Areas {
		entry(mark{label: a.Label, color: a.Color, area: true, faint: a.Faint}, func(x, y vg.Length) {
			c.FillPolygon(a.fill(), []vg.Point{{X: x, Y: y - 5}, {X: x + 22, Y: y - 5}, {X: x + 22, Y: y + 5},
				{X: x, Y: y + 5}})
		})
	}
	return y - 10
}

func (l Line) style() draw.LineStyle {
	s := draw.LineStyle{Color: Ink(l.Color), Width: max(l.Width, 1)}
	if l.Dash {
		s.Dashes = []vg.Length{6, 3}
	}
	return s
}

func (l Line) glyph() draw.GlyphStyle {
	return draw.GlyphStyle{Color: Ink(l.Color), Radius: max(l.Width, 2), Shape: draw.CircleGlyph{}}
}

func (a Area) fill() color.NRGBA {
	if a.Faint {
		return faintly(a.Color)
	}
	return Ink(a.Color)
}

// plot puts the panel into gonum's terms, with ranges that it does not panic
// on: finite, of some length, and positive on a logarithmic axis.
func (p Panel) plot() *plot.Plot {
	out := plot.New()
	out.BackgroundColor = nil
	out.X.Tick.Label, out.Y.Tick.Label = Sans(9, false), Sans(9, false)
	out.X.Tick.Label.XAlign, out.X.Tick.Label.YAlign = draw.XCenter, draw.YTop
	out.Y.Tick.Label.XAlign, out.Y.Tick.Label.YAlign = draw.XRight, draw.YCenter
	out.X.Tick.Length, out.Y.Tick.Length = 4, 4
	out.X.Padding, out.Y.Padding = 0, 0
	out.X.Tick.Marker = plot.TickerFunc(niceTicks)
	out.Y.Tick.Marker = plot.TickerFunc(func(lo, hi float64) []plot.Tick {
		ticks := niceTicks(lo, hi)
		for i := range ticks {
			ticks[i].Label += "  " // as above
		}
		return ticks
	})
	if p.Rows != nil {
		out.Y.Tick.Marker = plot.ConstantTicks(p.Rows)
	}
	if p.Ticks != nil {
		out.X.Tick.Marker = plot.TickerFunc(p.Ticks)
	}
	if p.Log {
		out.X.Scale = plot.LogScale{}
	}
	if p.LogY {
		out.Y.Scale = plot.LogScale{}
		out.Y.Tick.Marker = plot.TickerFunc(func(lo, hi float64) []plot.Tick {
			ticks := logTicks(lo, hi)
			for i := range ticks {
				ticks[i].Label += "  " // as above
			}
			return ticks
		})
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	grid.Horizontal = draw.LineStyle{Color: faintly(Grey), Width: 0.8}
	out.Add(grid)

	r := newRanges(p)
	for _, a := range p.Areas {
		if points := r.clamped(a.Points); len(points) >= 3 {
			out.Add(&plotter.Polygon{XYs: []plotter.XYs{points}, Color: a.fill()})
		}
	}
	for _, l := range p.Lines {
		for _, piece := range p.pieces(l) {
			if l.Scatter {
				out.Add(flat{&plotter.Scatter{XYs: piece, GlyphStyle: l.glyph()}})
				continue
			}
			out.Add(flat{&plotter.Line{XYs: piece, StepStyle: l.Step, LineStyle: l.style()}})
			if l.Dots && len(l.Points) <= mostDots {
				dot := draw.GlyphStyle{Color: Ink(l.Color), Radius: 2.2, Shape: draw.CircleGlyph{}}
				out.Add(flat{&plotter.Scatter{XYs: piece, GlyphStyle: dot}})
			}
		}
	}
	out.X.Min, out.X.Max, out.Y.Min, out.Y.Max = r.xMin, r.xMax, r.yMin, r.yMax
	return out
}

// flat hides the width of a line from gonum, so that wide lines do not move the axes and
// the axes of two panels stay aligned.
type flat struct{ plot.Plotter }

// ranges are the ranges of the axes.
type ranges struct{ xMin, xMax, yMin, yMax float64 }

// newRanges returns ranges that cover the finite points of a panel, from its base line,
// with a little room above.
func newRanges(p Panel) ranges {
	inf := math.Inf(1)
	r := ranges{inf, -inf, p.From, -inf}
	if p.LogY {
		r.yMin = inf
	}
	for _, l := range p.Lines {
		for _, pt := range l.Points {
			if p.drawable(pt) {
				r.xMin, r.xMax = min(r.xMin, pt.X), max(r.xMax, pt.X)
				r.yMin, r.yMax = min(r.yMin, pt.Y), max(r.yMax, pt.Y)
			}
		}
	}
	for _, a := range p.Areas {
		for _, pt := range a.Points {
			if p.drawable(pt) && !a.Faint {
				r.xMin, r.xMax = min(r.xMin, pt.X), max(r.xMax, pt.X)
				r.yMax = max(r.yMax, pt.Y)
			}
		}
	}
	for _, x := range p.Room {
		r.xMin, r.xMax = min(r.xMin, x), max(r.xMax, x)
	}
	if r.xMin > r.xMax {
		r.xMin, r.xMax = 1, 10
	}
	if p.LogY {
		if r.yMin > r.yMax {
			r.yMin, r.yMax = 0.5, 2
		}
		room := max(math.Pow(r.yMax/r.yMin, 0.06), 1.05)
		r.yMin, r.yMax = r.yMin/room/room, r.yMax*room
		if r.xMin == r.xMax {
			r.xMax += max(1, math.Abs(r.xMax))
		}
		return r
	}
	if r.yMax < r.yMin {
		r.yMax = r.yMin
	}
	if r.xMin == r.xMax {
		r.xMax += max(1, math.Abs(r.xMax))
	}
	if r.yMin == r.yMax {
		r.yMax += max(1, math.Abs(r.yMax))
	}
	r.yMax = upTo(r.yMin, r.yMax)
	return r
}

// upTo returns where the axis ends: at the next tick, so that the highest line lies
// below a number, or a little above hi if that tick is far.
func upTo(lo, hi float64) float64 {
	step, height := niceStep(lo, hi), hi-lo
	if tick := math.Ceil(hi/step) * step; tick-hi >= 0.01*height && tick-hi <= 0.15*height {
		return tick
	}
	return hi + float64(0.06*height)
}

// clamped returns points moved into the ranges, because an area may reach beyond them.
func (r ranges) clamped(points plotter.XYs) plotter.XYs {
	var out plotter.XYs
	for _, pt := range points {
		if !math.IsNaN(pt.X) && !math.IsNaN(pt.Y) {
			out = append(out, plotter.XY{X: min(max(pt.X, r.xMin), r.xMax), Y: min(max(pt.Y, r.yMin), r.yMax)})
		}
	}
	return out
}

// empty reports whether the panel has neither a line nor a solid area to draw. Dashed
// lines, which data is compared with, do not count.
func (p Panel) empty() bool {
	for _, l := range p.Lines {
		if !l.Dash && slices.ContainsFunc(l.Points, p.drawable) {
			return false
		}
	}
	return !slices.ContainsFunc(p.Areas, func(a Area) bool { return !a.Faint })
}

func (p Panel) drawable(pt plotter.XY) bool {
	finite := func(v float64) bool { return !math.IsNaN(v) && math.Abs(v) < 1e15 }
	return finite(pt.X) && finite(pt.Y) && !(p.Log && pt.X <= 0) && !(p.LogY && pt.Y <= 0)
}

// pieces returns a line cut at its gaps, and thinned if it has too many points.
func (p Panel) pieces(l Line) []plotter.XYs {
	var all []plotter.XYs
	var piece plotter.XYs
	total := 0
	for _, pt := range append(slices.Clip(l.Points), plotter.XY{X: math.NaN()}) {
		if p.drawable(pt) {
			piece = append(piece, pt)
			total++
		} else if piece != nil {
			all = append(all, piece)
			piece = nil
		}
	}
	for i, piece := range all {
		all[i] = thinned(piece, mostPoints/len(p.Lines)*len(piece)/total)
	}
	return all
}

// thinned returns the first and the last point and, of every bucket between, the lowest
// and the highest in their order, so that no peak is lost.
func thinned(points plotter.XYs, most int) plotter.XYs {
	most = max(most, 4)
	if len(points) <= most {
		return points
	}
	inner := points[1 : len(points)-1]
	buckets := (most - 2) / 2
	out := plotter.XYs{points[0]}
	for b := range buckets {
		bucket := inner[b*len(inner)/buckets : (b+1)*len(inner)/buckets]
		low, high := 0, 0
		for i, pt := range bucket {
			if pt.Y < bucket[low].Y {
				low = i
			}
			if pt.Y > bucket[high].Y {
				high = i
			}
		}
		out = append(out, bucket[min(low, high)])
		if low != high {
			out = append(out, bucket[max(low, high)])
		}
	}
	return append(out, points[len(points)-1])
}

// niceStep returns the distance of about five ticks from lo to hi.
func niceStep(lo, hi float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/5)))
	for _, f := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(step*f) <= 6.5 {
			return step * f
		}
	}
	return step
}

// niceTicks returns about five multiples of 1, 2 or 5 times a power of ten.
func niceTicks(lo, hi float64) []plot.Tick {
	step := niceStep(lo, hi)
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks []plot.Tick
	for i := math.Ceil(lo / step); i*step <= hi && len(ticks) < 20; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: format.Grouped(i*step, decimals)})
	}
	return ticks
}

// logTicks returns 1, 2 and 5 times the powers of ten of a logarithmic axis, or niceTicks if these are fewer than
// three.
func logTicks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for power := math.Floor(math.Log10(lo)); power <= math.Log10(hi); power++ {
		for _, f := range []float64{1, 2, 5} {
			if v := f * math.Pow(10, power); v >= lo && v <= hi {
				ticks = append(ticks, plot.Tick{Value: v, Label: format.Grouped(v, max(0, -int(power)))})
			}
		}
	}
	if len(ticks) < 3 {
		return niceTicks(lo, hi)
	}
	return ticks
}

// hourTicks returns about six ticks at a number of hours that divides a day, or at whole
// days.
func hourTicks(lo, hi float64) []plot.Tick {
	for _, step := range []float64{1, 2, 3, 6, 12, 24, 48} {
		if n := (hi - lo) / step; n <= 8 && n >= 2 {
			var ticks []plot.Tick
			for i := math.Ceil(lo / step); i*step <= hi; i++ {
				ticks = append(ticks, plot.Tick{Value: i * step, Label: format.Grouped(i*step, 0)})
			}
			return ticks
		}
	}
	return niceTicks(lo, hi)
}

// TimeTicks returns the round times of a logarithmic axis in seconds.
func TimeTicks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for _, t := range []struct {
		at   float64
		name string
	}{{1e-6, "1 us"}, {1e-5, "10 us"}, {1e-4, "100 us"}, {1e-3, "1 ms"}, {1e-2, "10 ms"}, {0.1, "100 ms"}, {1, "1 s"},
		{10, "10 s"},
		{60, "1 min"}, {600, "10 min"}, {3600, "1 h"}, {36000, "10 h"}, {86400, "1 day"}, {864000, "10 days"}} {
		if t.at >= lo && t.at <= hi {
			ticks = append(ticks, plot.Tick{Value: t.at, Label: t.name})
		}
	}
	return ticks
}
