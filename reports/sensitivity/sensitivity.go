// Package sensitivity reports which numbers of a scenario an answer hangs on: a sentence, a table, a tornado plot and
// sensitivity.csv.
package sensitivity

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/page"
	"flyball/scenarios"
)

// Report shows how far an answer moves when one number at a time is halved or
// doubled and nothing else changes. The seed stays, so draws with the same names stay
// the same. Changes of several numbers together, or larger ones, are not covered.
//
// A change of one number also changes some draws, so the run itself is repeated with
// other draws. An effect may be chance if it lies no further outside of the range of
// these repetitions than the range is wide; only replications of both can decide. If a
// single recipient decides the metric, as for end_h, a greater effect may be chance too.
type Report struct {
	Metric string     // of measure.Metrics
	Base   format.Num // in the run itself
	Luck   Luck
	Rows   []Row
}

// Luck is the range of the metric over the run and other replications of it.
type Luck struct {
	Runs            int // others
	Least, Greatest format.Num
	Lost            int // others that do not have the metric
}

// Row is one number in doubt. A side is empty if scaling does not change the number.
type Row struct {
	Key, Of, Status string
	Number          string
	Low, High       Side // half and twice the number, within its range
}

// Side is the run with one number changed.
type Side struct {
	Set    string // the argument of --set for this run; empty: there was none
	Number string
	Value  format.Num // of the metric
	Digest string     // of the run
}

// New returns a sensitivity with the rows in order: first those that move the
// metric further than chance does, the greatest effect first, then the rest as given.
// Others has the metric in other replications of the run.
func New(metric string, base float64, others []float64, rows []Row) *Report {
	s := &Report{Metric: metric, Base: format.Num(base),
		Luck: Luck{Runs: len(others), Least: format.Missing, Greatest: format.Missing}, Rows: slices.Clone(rows)}
	for i, v := range append([]float64{base}, others...) {
		switch v := format.Num(v); {
		case !v.Known() && i > 0:
			s.Luck.Lost++
		case v.Known():
			if !(s.Luck.Least <= v) {
				s.Luck.Least = v
			}
			if !(s.Luck.Greatest >= v) {
				s.Luck.Greatest = v
			}
		}
	}
	slices.SortStableFunc(s.Rows, func(a, b Row) int {
		if x, y := s.beyondLuck(a), s.beyondLuck(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		switch x, y := s.effect(a), s.effect(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return s
}

// beyondLuck reports whether a number moves the metric clearly further than chance alone.
func (s *Report) beyondLuck(row Row) bool {
	return slices.ContainsFunc([]Side{row.Low, row.High}, func(side Side) bool {
		switch {
		case side.Set == "":
			return false
		case !side.Value.Known():
			return s.Base.Known() && s.Luck.Lost == 0
		}
		wide := s.Luck.Greatest - s.Luck.Least
		return !(s.Luck.Least-wide <= side.Value && side.Value <= s.Luck.Greatest+wide)
	})
}

// effect returns the greatest absolute change of the metric: infinite if the metric is
// lost or gained, -1 if the number was not scaled.
func (s *Report) effect(row Row) float64 {
	most := -1.0
	for _, side := range []Side{row.Low, row.High} {
		switch {
		case side.Set == "":
		case side.Value.Known() && s.Base.Known():
			most = max(most, math.Abs(float64(side.Value-s.Base)))
		case side.Value.Known() != s.Base.Known():
			most = math.Inf(1)
		default:
			most = max(most, 0)
		}
	}
	return most
}

// split divides the rows into those that move the metric further than chance does, those
// that move it less, those that do not move it, and those that could not be scaled.
func (s *Report) split() (moving, lucky, still, unmoved []Row) {
	for _, row := range s.Rows {
		switch e := s.effect(row); {
		case s.beyondLuck(row):
			moving = append(moving, row)
		case e > 0:
			lucky = append(lucky, row)
		case e == 0:
			still = append(still, row)
		default:
			unmoved = append(unmoved, row)
		}
	}
	return moving, lucky, still, unmoved
}

// Answer returns a sentence on what the metric depends on.
func (s *Report) Answer() string {
	moving, lucky, still, _ := s.split()
	is := fmt.Sprintf("Sensitivity: %s, %s,", s.Metric, s.word(s.Base))
	switch {
	case len(moving) == 0 && len(lucky) > 0:
		return fmt.Sprintf("%s hangs on luck: %s, and none of %s takes it clearly further when it is halved or "+
			"doubled.", is, s.luck(), format.Plural(uint64(len(lucky)+len(still)), "number"))
	case len(moving) == 0:
		return fmt.Sprintf("%s hangs on none of %s: halving or doubling any one of them changes nothing.", is,
			format.Plural(uint64(len(still)), "number"))
	}
	first := moving[0]
	text := fmt.Sprintf("%s hangs most on %s (%s, %s)%s", is, first.name(), first.Number, status(first.Status),
		s.sides(first))
	var next []string
	for _, row := range moving[1:min(len(moving), 3)] {
		next = append(next, fmt.Sprintf("%s (%s, %s)", row.name(), row.Number, status(row.Status)))
	}
	if next != nil {
		text += "; then on " + strings.Join(next, " and ")
	}
	return text + "."
}

// luck returns in words how far chance alone moves the metric.
func (s *Report) luck() string {
	l := s.Luck
	text := fmt.Sprintf("over %s it is %s", format.Plural(uint64(l.Runs), "other replication"), s.word(l.Least))
	if l.Least != l.Greatest && l.Least.Known() {
		text += " to " + s.word(l.Greatest)
	}
	if l.Lost > 0 && l.Least.Known() {
		text += fmt.Sprintf(", %s in %d", s.word(format.Missing), l.Lost)
	}
	return text
}

// sides returns in words the metric at half and at twice a number.
func (s *Report) sides(row Row) string {
	var said []string
	for _, side := range []Side{row.Low, row.High} {
		if side.Set != "" {
			said = append(said, fmt.Sprintf("%s at %s", s.word(side.Value), side.Number))
		}
	}
	return ": " + strings.Join(said, ", ")
}

// status returns a status as it reads in a sentence.
func status(s string) string {
	if s == scenarios.ByAuthor {
		return "the author's"
	}
	return s
}

func (row Row) name() string {
	if row.Of == "" {
		return row.Key
	}
	return row.Key + " of " + row.Of
}

// word writes a value of the metric.
func (s *Report) word(v format.Num) string { return measure.Word(s.Metric, v) }

// change returns the greatest change of a row relative to the base, with its sign.
func (s *Report) change(row Row) format.Num {
	most := format.Missing
	for _, side := range []Side{row.Low, row.High} {
		c := (side.Value - s.Base) / s.Base
		if side.Set != "" && c.Known() && !(math.Abs(float64(c)) <= math.Abs(float64(most))) {
			most = c
		}
	}
	return most
}

// Table returns a table of at most the given number of numbers that move the metric.
func (s *Report) Table(most int) format.Table {
	t := format.Table{
		Caption: fmt.Sprintf("Sensitivity: %s is %s; one number at a time is halved and doubled", s.Metric,
			s.word(s.Base)),
		Head: []string{"parameter", "status", "is", "half", "twice", "at half", "at twice", "change"},
		Left: 2,
	}
	moving, _, _, _ := s.split()
	for _, row := range moving[:min(len(moving), most)] {
		change := "-"
		if c := s.change(row); c.Known() && !math.IsInf(s.effect(row), 0) {
			change = format.Signed(c)
		}
		t.Rows = append(t.Rows, []string{row.Key, row.Status, row.Number, format.Dash(row.Low.Number),
			format.Dash(row.High.Number), s.cell(row.Low), s.cell(row.High), change})
	}
	return t
}

func (s *Report) cell(side Side) string {
	if side.Set == "" {
		return "-"
	}
	return s.word(side.Value)
}

// Rest returns sentences on the numbers that a table of the given length leaves out.
func (s *Report) Rest(most int) []string {
	moving, lucky, still, unmoved := s.split()
	said := []string{"Luck alone: " + s.luck() + "."}
	if s.Luck.Least < s.Luck.Greatest {
		said[0] = strings.TrimSuffix(said[0],
			".") + "; an effect counts that lies further outside of this range than it is wide."
	}
	if len(moving) > most {
		said = append(said, fmt.Sprintf("%d more move it less: %s.", len(moving)-most, keys(moving[most:])))
	}
	if len(lucky) > 0 {
		said = append(said, fmt.Sprintf("%d move it, but not clearly further than luck: %s.", len(lucky), keys(lucky)))
	}
	if len(still) > 0 {
		said = append(said, fmt.Sprintf("%d do not move it: %s.", len(still), keys(still)))
	}
	if len(unmoved) > 0 {
		said = append(said, fmt.Sprintf("%d are zero, none or at a limit and were not moved: %s.", len(unmoved),
			keys(unmoved)))
	}
	return said
}

func keys(rows []Row) string {
	var all []string
	for _, row := range rows {
		all = append(all, row.Key)
	}
	return strings.Join(all, ", ")
}

var columns = [...]string{"parameter", "of", "status", "number", "half", "twice", "metric", "base",
	"at_half", "at_twice",
	"change", "set_half", "set_twice", "digest_half", "digest_twice", "luck_least", "luck_greatest", "luck_lost",
	"luck_runs"}

// CSV returns a row for every number, the greatest effect first; change is relative to
// the base.
func (s *Report) CSV() []byte {
	rows := [][]string{columns[:]}
	for _, r := range s.Rows {
		rows = append(rows, []string{r.Key, r.Of, r.Status, r.Number, r.Low.Number, r.High.Number, s.Metric,
			s.Base.String(),
			r.Low.value(), r.High.value(), s.change(r).String(), r.Low.Set, r.High.Set, r.Low.Digest, r.High.Digest,
			s.Luck.Least.String(), s.Luck.Greatest.String(), strconv.Itoa(s.Luck.Lost), strconv.Itoa(s.Luck.Runs)})
	}
	return format.WriteCSV(rows)
}

func (side Side) value() string {
	if side.Set == "" {
		return ""
	}
	return side.Value.String()
}

// Read reads sensitivity.csv.
func Read(raw []byte) (*Report, error) {
	fields, err := format.ReadCSV(raw, columns[:])
	if err != nil {
		return nil, err
	}
	s := &Report{}
	for f := range fields.Each {
		r := Row{Key: f.Text(), Of: f.Text(), Status: f.Text(), Number: f.Text()}
		r.Low.Number, r.High.Number = f.Text(), f.Text()
		s.Metric, s.Base = f.Text(), f.Num()
		r.Low.Value, r.High.Value = f.Num(), f.Num()
		f.Num() // the change is computed again
		r.Low.Set, r.High.Set, r.Low.Digest, r.High.Digest = f.Text(), f.Text(), f.Text(), f.Text()
		s.Luck = Luck{Least: f.Num(), Greatest: f.Num(), Lost: int(f.Whole()), Runs: int(f.Whole())}
		s.Rows = append(s.Rows, r)
	}
	return s, fields.Err
}

// Folded returns the table of all numbers for a page.
func (s *Report) Folded() page.Folded {
	all := len(s.Rows)
	return page.Folded{Title: fmt.Sprintf("Sensitivity of %s: %s, halved and doubled one at a time", s.Metric,
		format.Plural(uint64(all), "number")),
		Table: s.Table(all), Note: strings.Join(s.Rest(all), " ")}
}

// mostBars is the greatest number of bars drawn.
const mostBars = 12

// Drawable reports whether the sensitivity has bars and a base for them.
func (s *Report) Drawable() bool {
	moving, _, _, _ := s.split()
	return s.Base.Known() && len(moving) > 0
}

// Drawing returns the tornado plot: a bar to each side of the base for every number, the
// greatest effect on top. A bar reaches the edge if the metric is lost.
func (s *Report) Drawing() chart.Drawing {
	moving, _, _, _ := s.split()
	moving = moving[:min(len(moving), mostBars)]
	least, most := float64(s.Luck.Least), float64(s.Luck.Greatest)
	lost := false
	for _, row := range moving {
		for _, side := range []Side{row.Low, row.High} {
			if v := float64(side.Value); side.Set != "" && side.Value.Known() {
				least, most = min(least, v), max(most, v)
			} else if side.Set != "" {
				lost = true
			}
		}
	}
	spread := most - least
	if spread == 0 {
		spread = max(1, math.Abs(most))
	}
	edge := most + 0.15*spread
	p := chart.Panel{Y: "What " + s.Metric + " hangs on", X: s.Metric, Height: 1,
		Room: []float64{least - 0.05*spread, edge}}
	if lost {
		p.X += " (a bar to the right edge: " + s.word(format.Missing) + ")"
	}
	if s.Luck.Least < s.Luck.Greatest {
		p.Areas = append(p.Areas, chart.Area{Label: "luck alone", Color: chart.Grey, Faint: true,
			Points: chart.Box(float64(s.Luck.Least), float64(s.Luck.Greatest), 0, math.MaxFloat64)})
	}
	data := [][]string{{"parameter", "at_half", "base", "at_twice"}}
	named := [2]bool{}
	for i, row := range moving {
		y := float64(len(moving) - i)
		p.Rows = append(p.Rows, plot.Tick{Value: y, Label: row.Key + "  "})
		for j, side := range []Side{row.Low, row.High} {
			if side.Set == "" {
				continue
			}
			end := edge
			if side.Value.Known() {
				end = float64(side.Value)
			}
			a := chart.Area{Color: 1 + j, Points: chart.Box(float64(s.Base), end, y-0.4*float64(j), y+0.4*float64(1-j))}
			if !named[j] {
				a.Label, named[j] = [2]string{"number halved", "doubled"}[j], true
			}
			p.Areas = append(p.Areas, a)
		}
		data = append(data, []string{row.Key, row.Low.value(), s.Base.String(), row.High.value()})
	}
	p.Lines = []chart.Line{{Label: "as it is: " + s.word(s.Base), Dash: true,
		Points: plotter.XYs{{X: float64(s.Base), Y: 0.3}, {X: float64(s.Base), Y: float64(len(moving)) + 0.6}}}}
	return chart.Drawing{Figure: chart.Figure{Name: "sensitivity", Title: "What does the answer hang on?",
		Alt: "A bar to each side for every number of the model, the greatest effect on top. " + s.Answer(),
		CSV: format.WriteCSV(data)}, Height: vg.Length(1.3+0.35*float64(len(moving))) * vg.Inch,
		Panels: []chart.Panel{p}}
}
