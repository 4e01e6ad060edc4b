package chart

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

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
