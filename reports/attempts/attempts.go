// Package attempts draws the attempts for each destination over time by how they ended: of a run, or the mean of
// several. It judges nothing. Reports of runs and of ensembles call it.
package attempts

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"flyball/internal/vt"
	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// Plot is what is drawn.
type Plot struct {
	Names  []string      // of the destinations
	Course runlog.Course // the sum of all runs
	Runs   int           // 1 or more, whose mean is drawn
	Until  float64       // the end of the time axis, in seconds
	Clock  vt.Clock
}

var columns = [...]string{"destination", "step", "step_s", "delivered", "deferred", "refused", "failed", "ambiguous"}

// CSV returns the mean attempts of a run for each destination in each step of time.
func (p *Plot) CSV() []byte {
	rows := [][]string{columns[:]}
	for k, step := range p.Course.Steps {
		for d, t := range step {
			row := []string{p.Names[d], strconv.Itoa(k), format.Plain(p.Course.Step.Seconds())}
			for _, n := range []uint64{t.Delivered, t.Deferred, t.Refused, t.Failed, t.Ambiguous} {
				row = append(row, format.Plain(float64(n)/float64(p.Runs)))
			}
			rows = append(rows, row)
		}
	}
	return format.WriteCSV(rows)
}

// Read returns the course of a run from its CSV.
func Read(raw []byte) (course runlog.Course, err error) {
	fields, err := format.ReadCSV(raw, columns[:])
	if err != nil {
		return course, err
	}
	for f := range fields.Each {
		f.Text()
		k := int(f.Whole())
		course.Step = vt.Span(math.Round(float64(f.Num()))) * vt.Second
		if k == len(course.Steps) {
			course.Steps = append(course.Steps, nil)
		} else if k != len(course.Steps)-1 {
			f.Bad("the same step or the next one")
			break
		}
		course.Steps[k] = append(course.Steps[k], runlog.Tally{Delivered: f.Whole(), Deferred: f.Whole(),
			Refused: f.Whole(), Failed: f.Whole(), Ambiguous: f.Whole()})
	}
	return course, fields.Err
}

// Drawing returns a figure with the CSV and a panel for each of the destinations with most attempts.
func (p *Plot) Drawing(f chart.Figure) chart.Drawing {
	f.CSV = p.CSV()
	panels := p.panels()
	if n := len(p.Names); n > len(panels) {
		f.Alt += fmt.Sprintf(" Only the %d of %d destinations with most attempts are drawn; the CSV has all.",
			len(panels), n)
	}
	return chart.Drawing{Figure: f, Height: vg.Length(1+1.3*float64(len(panels))) * vg.Inch, Panels: panels}
}

// mostPanels is the number of destinations that are drawn.
const mostPanels = 6

func (p *Plot) panels() []chart.Panel {
	attempts := make([]uint64, len(p.Names))
	order := make([]int, len(p.Names))
	for d := range order {
		order[d] = d
		for _, step := range p.Course.Steps {
			attempts[d] += step[d].Attempts()
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(attempts[b], attempts[a]) })
	order = order[:min(len(order), mostPanels)]
	unit, seconds, ticks := chart.TimeAxis(p.Until, p.Clock)
	var panels []chart.Panel
	for i, d := range order {
		v := chart.Panel{Y: p.Names[d] + ": attempts per hour", Ticks: ticks, Height: 1,
			Room: []float64{0, p.Until / seconds}, Areas: p.stack(d, seconds)}
		if i == len(order)-1 {
			v.X = "time since the start, " + unit
		}
		if i > 0 {
			for k := range v.Areas {
				v.Areas[k].Label = ""
			}
		}
		panels = append(panels, v)
	}
	return panels
}

// stack returns the attempts per hour for destination d, an area for each way in which they ended, each on top of the
// area before; seconds is the unit of the time axis.
func (p *Plot) stack(d int, seconds float64) (all []chart.Area) {
	step := p.Course.Step.Seconds()
	below := make([]float64, len(p.Course.Steps))
	for _, kind := range []struct {
		label string
		color int
		of    func(runlog.Tally) uint64
	}{
		{"delivered", 3, func(t runlog.Tally) uint64 { return t.Delivered }},
		{"deferred (4yz)", 5, func(t runlog.Tally) uint64 { return t.Deferred }},
		{"refused", 2, func(t runlog.Tally) uint64 { return t.Refused }},
		{"failed (5yz, given up)", chart.Black, func(t runlog.Tally) uint64 { return t.Failed + t.Ambiguous }},
	} {
		var low, high plotter.XYs
		for k, tallies := range p.Course.Steps {
			from, to := float64(k)*step, min(float64(k+1)*step, p.Until)
			if from >= p.Until {
				break
			}
			top := below[k] + float64(kind.of(tallies[d]))/p.Course.Step.Hours()/float64(p.Runs)
			low = append(low, plotter.XY{X: from / seconds, Y: below[k]}, plotter.XY{X: to / seconds, Y: below[k]})
			high = append(high, plotter.XY{X: from / seconds, Y: top}, plotter.XY{X: to / seconds, Y: top})
			below[k] = top
		}
		slices.Reverse(low)
		all = append(all, chart.Area{Color: kind.color, Label: kind.label, Points: append(high, low...)})
	}
	return all
}
