package chart

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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
