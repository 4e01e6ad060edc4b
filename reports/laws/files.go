package laws

import (
	"fmt"
	"strconv"
	"strings"

	"flyball/reports/chart"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/page"
)

// Summary is summary.json.
func (l *Report) Summary() ([]byte, error) {
	return format.WithSchema("flyball/laws", l)
}

// Key returns a name for the report that depends on its content.
func (l *Report) Key() string {
	return folder.Key(fmt.Appendf(nil, "laws\n%s\n%s\n%d\n%s\n", l.Suite, strings.Join(l.Laws, " "), l.Replications,
		l.Digest))
}

// Write writes the folder of the report at to, as run.Write does for a run.
func (l *Report) Write(to folder.Place) error {
	files, err := page.Files(l, "summary.json")
	if err != nil {
		return err
	}
	files = append(files, folder.File{Path: "goals.csv", Data: l.goalsCSV()},
		folder.File{Path: "cells.csv", Data: l.cellsCSV()}, folder.File{Path: "runs.csv", Data: l.runsCSV()})
	return folder.Publish(to, files, l.Host, l.Replay,
		folder.Attributes{Name: "laws", ScenarioID: l.Suite, Replications: l.Replications, Mode: folder.LawsMode})
}

// HTML returns the report as one page.
func (l *Report) HTML(figures []chart.Figure) ([]byte, error) {
	return page.Document{
		Name: "laws", About: "Governor laws on the disturbance suite.",
		World: fmt.Sprintf("%s, %s each, simulated", format.Plural(uint64(len(l.Trials)), "trial"),
			format.Plural(uint64(l.Replications), "replication")),
		Mode: "sim", Study: true, Answer: l.Answer(), Figures: figures, Tables: l.tables(), Warnings: l.explained(),
		Facts: [][2]string{{"Suite", l.Suite}, {"Half", l.Half}, {"Luck", l.luck()}, {"Digest of all runs", l.Digest},
			{"Run it again", l.Replay}},
	}.HTML()
}

func (l *Report) goalsCSV() []byte {
	rows := [][]string{strings.Fields("goal noise op limit measured low high where verdict")}
	for _, g := range l.Goals {
		rows = append(rows, []string{g.Name, g.Noise, g.Op, format.Plain(g.Limit), g.Measured.Value.String(),
			g.Measured.Low.String(), g.Measured.High.String(), g.Where, g.Verdict})
	}
	return format.WriteCSV(rows)
}

// cellsCSV returns a row for each trial, law and measure. The column of is
// "mean course", or "runs" for the mean of the runs.
func (l *Report) cellsCSV() []byte {
	rows := [][]string{strings.Fields("scenario half noise law judged of metric unit value low high")}
	for _, t := range l.Trials {
		for _, c := range t.Cells {
			row := func(of, metric, unit string, e measure.Estimate) {
				rows = append(rows, []string{t.Scenario, t.Half, format.Plain(t.Noise), c.Law, strconv.Itoa(c.Judged),
					of, metric, unit, e.Value.String(), e.Low.String(), e.High.String()})
			}
			for _, m := range c.Course {
				row("mean course", m.Metric, m.Unit, m.Estimate)
			}
			for _, m := range c.Runs {
				row("runs", m.Metric, m.Unit, m.Estimate)
			}
			row("mean course", "iae_by_hindsight", "1", c.Ratio)
			row("runs", "total_variation_by_hindsight", "1", c.TVRatio)
		}
	}
	return format.WriteCSV(rows)
}

// runsCSV returns a row for each run.
func (l *Report) runsCSV() []byte {
	return format.WriteCSV(append([][]string{append(strings.Fields("scenario noise law replication digest"),
		runMetrics()...)}, l.runs...))
}
