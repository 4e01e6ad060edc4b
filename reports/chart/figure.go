// Package chart draws figures: panels of lines and areas over one axis, as SVG
// and PNG, with the numbers beside them as CSV. The same figure gives the same
// bytes. It judges nothing, and shows missing numbers as gaps. The packages whose reports
// have figures call it.
package chart

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/format"
)

// Figure is a picture as SVG and as PNG, with its numbers as CSV.
type Figure struct {
	Name  string // file name without its end
	Title string
	Alt   string // what there is to see, in words
	SVG   []byte
	PNG   []byte // 144 dots per inch
	CSV   []byte // the numbers, all of them
}

// MostServers is the greatest number of servers drawn, one for each colour.
const MostServers = 6

// PaintAll paints all drawings in parallel, because painting dominates the time of a
// short run.
func PaintAll(drawings []Drawing) ([]Figure, error) {
	figures, errs := make([]Figure, len(drawings)), make([]error, len(drawings))
	var painting sync.WaitGroup
	for i, d := range drawings {
		painting.Go(func() {
			f := d.Figure
			var err error
			if f.SVG, f.PNG, err = paintFigure(f.Title, f.Alt, f.Name, d.Height, d.painter()); err != nil {
				errs[i] = fmt.Errorf("plot %s: %w", f.Name, err)
			}
			figures[i] = f
		})
	}
	painting.Wait()
	return figures, errors.Join(errs...)
}

// Drawing is a figure that is still to be painted.
type Drawing struct {
	Figure
	Height vg.Length
	Panels []Panel
	Paint  func(draw.Canvas) // instead of panels
}

func (d Drawing) painter() func(draw.Canvas) {
	if d.Paint != nil {
		return d.Paint
	}
	return func(c draw.Canvas) { PaintPanels(c, d.Panels) }
}

// TimeAxis returns the unit in which a time of end seconds is drawn, its length in
// seconds, and the marks of its axis, with the time of the clock below each if there is a
// clock.
func TimeAxis(end float64, clock vt.Clock) (unit string, seconds float64, ticks func(lo, hi float64) []plot.Tick) {
	unit, seconds = format.TimeUnit(end)
	round := niceTicks
	if unit == "h" {
		round = hourTicks
	}
	if !clock.Given() {
		return unit, seconds, round
	}
	return unit, seconds, func(lo, hi float64) []plot.Tick {
		marks := round(lo, hi)
		for i, m := range marks {
			if m.Label != "" {
				marks[i].Label += "\n" + format.ClockTime(clock, format.Num(m.Value*seconds/3600))
			}
		}
		return marks
	}
}

// Around returns the outline of the area within a share of a course.
func Around(course plotter.XYs, share float64) plotter.XYs {
	var low, high plotter.XYs
	for _, at := range course {
		low = append(low, plotter.XY{X: at.X, Y: (1 - share) * at.Y})
		high = append(high, plotter.XY{X: at.X, Y: (1 + share) * at.Y})
	}
	slices.Reverse(high)
	return append(low, high...)
}

// Level returns a horizontal line at y, from 0 to end.
func Level(end, y float64) plotter.XYs { return plotter.XYs{{X: 0, Y: y}, {X: end, Y: y}} }

// Target returns the dashed line of a target in messages per hour over time, with its number in the legend if it is
// the same all the time.
func Target(label string, points plotter.XYs) Line {
	if len(points) > 0 && !slices.ContainsFunc(points, func(pt plotter.XY) bool { return pt.Y != points[0].Y }) {
		label += ", " + format.Given(points[0].Y) + "/h"
	}
	return Line{Label: label, Dash: true, Points: points}
}

// Box returns the corners of a rectangle, to be filled.
func Box(x0, x1, y0, y1 float64) plotter.XYs {
	return plotter.XYs{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
}

// PlotFiles returns the three files of each figure, as they stand in the folder plots.
func PlotFiles(figures []Figure) []folder.File {
	var files []folder.File
	for _, f := range figures {
		files = append(files, folder.File{Path: "plots/" + f.Name + ".svg", Data: f.SVG},
			folder.File{Path: "plots/" + f.Name + ".png", Data: f.PNG},
			folder.File{Path: "plots/" + f.Name + ".csv", Data: f.CSV})
	}
	return files
}
