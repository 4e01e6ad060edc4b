package study

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"flyball/reports/format"
	"flyball/reports/measure"
)

// Choice asks a study which value of one parameter (such as the law) is best for each
// value of a second parameter (such as the receiver) and of a third. Everything else,
// such as starts, noise and draws, is averaged over.
type Choice struct {
	Of      int // place of the parameter to choose in Report.Axes
	Rows    int // -1: the scenarios
	Columns int
	Noise   int   // -1: none; else Counts has only points with the first value of this parameter
	Default int   // place of the value that all are compared with
	Aside   []int // places of values that are shown but never chosen, such as laws with information that others lack

	Options []Option // by row, column and value, the value changing first
}

// Option is the result of one value in one row and column, over all points there.
type Option struct {
	Row, Column, Value int
	Points             int
	Lost               float64   // share of the target that was missed or exceeded: iae_target_hours / end_h
	Vain               float64   // share of the attempts that delivered nothing
	Counts             []int     // points of each of Classes
	Means              []float64 // of the metrics of the study, where they are defined
}

// Cost returns the number that choices are made by, in which both shares count the same.
// It exceeds 2 only if the rate is more than twice the target.
func (t Option) Cost() float64 { return t.Lost + t.Vain }

// AttemptsPerDelivery returns the DFR ([0071]), in which each point counts the same.
func (t Option) AttemptsPerDelivery() float64 { return 1 / (1 - t.Vain) }

// Class returns the class of most points; of two equally frequent classes, the one that
// comes last in measure.Classes.
func (t Option) Class() measure.Class {
	most := 0
	for i, n := range t.Counts {
		if n > 0 && n >= t.Counts[most] {
			most = i
		}
	}
	return measure.Classes()[most]
}

// fold gathers the points. A point without a judged interval counts as if the
// whole target had been missed, one without a delivery as if all attempts were
// in vain.
func (s *Report) fold() {
	c := s.Choice
	rows, columns, values := len(s.rowNames()), len(s.Axes[c.Columns].Values), len(s.Axes[c.Of].Values)
	c.Options = make([]Option, rows*columns*values)
	known := make([][]int, len(c.Options))
	for i := range c.Options {
		c.Options[i] = Option{Row: i / values / columns, Column: i / values % columns, Value: i % values,
			Counts: make([]int, len(measure.Classes())), Means: make([]float64, len(s.Metrics))}
		known[i] = make([]int, len(s.Metrics))
	}
	for _, p := range s.Points {
		row := p.Scenario
		if c.Rows >= 0 {
			row = p.At[c.Rows]
		}
		i := (row*columns+p.At[c.Columns])*values + p.At[c.Of]
		f := &c.Options[i]
		f.Points++
		if c.Noise < 0 || p.At[c.Noise] == 0 {
			f.Counts[slices.Index(measure.Classes(), p.Class)]++
		}
		of := func(metric string) float64 { return float64(p.Estimates[slices.Index(s.Metrics, metric)].Value) }
		f.Lost += orOne(of("iae_target_hours") / of("end_h"))
		f.Vain += orOne(1 - of("delivered")/of("attempts"))
		for k, e := range p.Estimates {
			if e.Value.Known() {
				f.Means[k] += float64(e.Value)
				known[i][k]++
			}
		}
	}
	for i := range c.Options {
		f := &c.Options[i]
		f.Lost /= float64(f.Points)
		f.Vain /= float64(f.Points)
		for k := range f.Means {
			f.Means[k] /= float64(known[i][k]) // 0 / 0: undefined at every point
		}
	}
}

func orOne(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 1
	}
	return v
}

func (s *Report) rowNames() []string {
	if s.Choice.Rows < 0 {
		return s.Scenarios
	}
	return s.Axes[s.Choice.Rows].Values
}

// choiceAt returns the options of all values at a row and column.
func (s *Report) choiceAt(row, column int) []Option {
	values := len(s.Axes[s.Choice.Of].Values)
	from := (row*len(s.Axes[s.Choice.Columns].Values) + column) * values
	return s.Choice.Options[from : from+values]
}

// best returns the cheapest option at a row and column; of equal ones, the first.
func (s *Report) best(row, column int) Option {
	options := slices.DeleteFunc(slices.Clone(s.choiceAt(row, column)),
		func(o Option) bool { return slices.Contains(s.Choice.Aside, o.Value) })
	return slices.MinFunc(options, func(a, b Option) int { return cmp.Compare(a.Cost(), b.Cost()) })
}

// regret returns how much more a value costs in a row than the best of each column, on
// average. It is below 0 only for a value in Aside.
func (s *Report) regret(row, value int) float64 {
	columns := len(s.Axes[s.Choice.Columns].Values)
	var sum float64
	for k := range columns {
		sum += s.choiceAt(row, k)[value].Cost() - s.best(row, k).Cost()
	}
	return sum / float64(columns)
}

// standing is the result of one value over all rows and columns.
type standing struct {
	value               int
	wins                int     // places where it is best
	cost, regret, worst float64 // means, and the greatest regret of a place
	classes             []int   // points of each of Classes
}

// standings returns the standing of each value, in the order of the values.
func (s *Report) standings() []standing {
	all := make([]standing, len(s.Axes[s.Choice.Of].Values))
	for v := range all {
		all[v] = standing{value: v, classes: make([]int, len(measure.Classes()))}
	}
	places := float64(len(s.Choice.Options) / len(all))
	for i, o := range s.Choice.Options {
		least, at := s.best(o.Row, o.Column), &all[i%len(all)]
		if o.Value == least.Value {
			at.wins++
		}
		at.cost += o.Cost() / places
		at.regret += (o.Cost() - least.Cost()) / places
		at.worst = max(at.worst, o.Cost()-least.Cost())
		for k, n := range o.Counts {
			at.classes[k] += n
		}
	}
	return all
}

// choiceAnswer returns sentences on which value is best most often, and which has the
// least mean regret.
func (s *Report) choiceAnswer() []string {
	c, name, values := s.Choice, s.Axes[s.Choice.Of].Name(), s.Axes[s.Choice.Of].Values
	all := s.standings()
	chosen := slices.DeleteFunc(slices.Clone(all), func(a standing) bool { return slices.Contains(c.Aside, a.value) })
	often := slices.MaxFunc(chosen, func(a, b standing) int { return a.wins - b.wins })
	safe := slices.MinFunc(chosen, func(a, b standing) int { return cmp.Compare(a.regret, b.regret) })
	return []string{
		fmt.Sprintf("%s = %s costs least in %d of %d places.", name, values[often.value], often.wins,
			len(c.Options)/len(values)),
		fmt.Sprintf("%s = %s is the least wrong everywhere: on average it costs %.1f points more than the best of "+
			"the place, at worst %.0f; %s = %s %.1f and %.0f.",
			name, values[safe.value], 100*safe.regret, 100*safe.worst, name, values[c.Default],
			100*all[c.Default].regret, 100*all[c.Default].worst),
	}
}

// choiceTable returns a table with a row for each value.
func (s *Report) choiceTable() format.Table {
	t := format.Table{Caption: "Cost in %: target lost + attempts in vain; beyond the best of each place in points",
		Left: 1,
		Head: []string{s.Axes[s.Choice.Of].Name(), "best in", "cost", "beyond", "at worst"}}
	for _, c := range measure.Classes() {
		t.Head = append(t.Head, string(c))
	}
	for _, a := range s.standings() {
		row := []string{s.Axes[s.Choice.Of].Values[a.value], strconv.Itoa(a.wins), fmt.Sprintf("%.1f", 100*a.cost),
			fmt.Sprintf("%.1f", 100*a.regret), fmt.Sprintf("%.0f", 100*a.worst)}
		if slices.Contains(s.Choice.Aside, a.value) {
			row[1] = "-"
		}
		for _, n := range a.classes {
			row = append(row, strconv.Itoa(n))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// choiceCSV returns a line for each value in each row and column.
func (s *Report) choiceCSV() []byte {
	c := s.Choice
	head := s.choiceWhere(s.Axes[c.Of].Name(), "points", "cost", "lost", "vain")
	for _, class := range measure.Classes() {
		head = append(head, string(class))
	}
	lines := [][]string{append(head, s.Metrics...)}
	for _, f := range c.Options {
		line := []string{s.rowNames()[f.Row], s.Axes[c.Columns].Values[f.Column], s.Axes[c.Of].Values[f.Value],
			strconv.Itoa(f.Points)}
		for _, v := range []float64{f.Cost(), f.Lost, f.Vain} {
			line = append(line, fraction(v))
		}
		for _, n := range f.Counts {
			line = append(line, strconv.Itoa(n))
		}
		for _, v := range f.Means {
			text := ""
			if !math.IsNaN(v) {
				text = strconv.FormatFloat(v, 'g', 5, 64)
			}
			line = append(line, text)
		}
		lines = append(lines, line)
	}
	return format.WriteCSV(lines)
}
