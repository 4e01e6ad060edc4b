package tuning

import (
	"fmt"
	"io"
	"strings"

	"flyball/reports/format"
)

// Text writes the report for a terminal.
func (t *Report) Text(w io.Writer, color bool) error {
	return format.Text{Title: fmt.Sprintf("%s (%s)", t.Name, t.world()), About: t.About, Answer: t.Answer(),
		Tables: t.tables(), Seal: fmt.Sprintf("Seed %d, digest %s, study %.12s", t.Seed, t.Digest, t.ID),
		Replay: t.Replay}.Write(w, color)
}

func (t *Report) world() string {
	return fmt.Sprintf("%s in %s, %s, simulated", format.Plural(uint64(t.Tried), "trial"),
		format.Plural(uint64(len(t.Scenarios)), "scenario"), format.Plural(uint64(t.Spent), "run"))
}

func (t *Report) tables() []format.Table {
	return []format.Table{t.valueTable(), t.heldOutTable(), t.stageTable(), t.trialTable(12)}
}

func (t *Report) valueTable() format.Table {
	out := format.Table{Caption: "The winner's values", Head: []string{"key", "searched", "value"}, Left: 2}
	if t.HeldOut == nil {
		return out
	}
	for _, p := range t.Parameters {
		out.Rows = append(out.Rows, []string{strings.Join(p.Keys, ", "), p.From, p.Value})
	}
	return out
}

func (t *Report) heldOutTable() format.Table {
	out := format.Table{Caption: "Under held-out luck: means, and the geometric mean of winner / baseline with its " +
		"95 % interval",
		Head: []string{"scenario", "metric", "baseline", "winner", "ratio", "low", "high"}, Left: 2}
	if t.HeldOut == nil {
		return out
	}
	number := func(n format.Num) string { return format.Figure(float64(n)) }
	for _, c := range t.HeldOut.Cells {
		row := []string{c.Scenario, c.Metric, number(c.Base.Value), number(c.Winner.Value), "-", "-", "-"}
		if c.Ratio.N > 0 {
			row[4], row[5], row[6] = number(c.Ratio.Value), number(c.Ratio.Low), number(c.Ratio.High)
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func (t *Report) stageTable() format.Table {
	out := format.Table{Caption: "The search: who was dropped by the test for the objective, for a constraint, for " +
		"the same runs as another, and who was cut",
		Head: []string{"stage", "seeds", "entered", "worse", "constraint", "same", "cut", "left", "leader", "ratio",
			"runs"}, Left: 1}
	for _, s := range t.Stages {
		out.Rows = append(out.Rows, []string{s.Stage, fmt.Sprint(s.Seeds), fmt.Sprint(s.Entered), fmt.Sprint(s.Worse),
			fmt.Sprint(s.Missed), fmt.Sprint(s.Same), fmt.Sprint(s.Cut),
			fmt.Sprint(s.Left), fmt.Sprint(s.Leader), format.Figure(float64(s.Ratio)), fmt.Sprint(s.Spent)})
	}
	return out
}

// trialTable returns a table of the Pareto front, with at most the given number of rows.
func (t *Report) trialTable(most int) format.Table {
	out := format.Table{Caption: "Pareto front: what one can have for what, as the search saw it",
		Head: []string{"trial"}}
	for _, p := range t.Parameters {
		out.Head = append(out.Head, p.Keys[0])
	}
	out.Head = append(out.Head, "seeds", t.Objective+" / baseline")
	for _, l := range t.Constraints {
		out.Head = append(out.Head, l.what())
	}
	front := t.front()
	if len(t.Constraints) == 0 || len(front) == 0 {
		return out
	}
	if len(front) > most {
		out.Caption += fmt.Sprintf(" (%d of %d)", most, len(front))
	}
	n := min(most, len(front))
	for i := range n {
		x := front[i*(len(front)-1)/max(1, n-1)]
		row := []string{fmt.Sprint(x.Number)}
		for k := range t.Parameters {
			if x.Values == nil {
				row = append(row, "as it is")
				continue
			}
			row = append(row, x.Values[k])
		}
		row = append(row, fmt.Sprint(x.Seeds), format.Figure(float64(x.Ratio)))
		for _, v := range x.Terms {
			row = append(row, format.Figure(float64(v)))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}
