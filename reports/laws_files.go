package reports

import (
	"fmt"
	"strconv"
	"strings"
)

// Summary is summary.json.
func (l *Laws) Summary() ([]byte, error) {
	return sortedJSON(struct {
		Schema        string `json:"schema"`
		SchemaVersion int    `json:"schema_version"`
		*Laws
	}{"flyball/laws", schemaVersion, l})
}

// Key names it by its content.
func (l *Laws) Key() string {
	return keyOf(fmt.Appendf(nil, "laws\n%s\n%s\n%d\n%s\n", l.Suite, strings.Join(l.Laws, " "), l.Replications, l.Digest))
}

// Write makes dir its folder, as Write does for a run.
func (l *Laws) Write(dir string) error {
	figures, err := l.Figures()
	if err != nil {
		return err
	}
	summary, err := l.Summary()
	if err != nil {
		return err
	}
	html, err := document{
		Name: "laws", About: "Governor laws on the disturbance suite.", World: fmt.Sprintf("%s, %s each, simulated", plural(uint64(len(l.Trials)), "trial"), plural(uint64(l.Replications), "replication")),
		Mode: "sim", Study: true, Answer: l.Answer(), Figures: figures, Tables: l.tables(), Warnings: l.explained(),
		Facts: [][2]string{{"Suite", l.Suite}, {"Half", l.Half}, {"Luck", l.luck()}, {"Digest of all runs", l.Digest}, {"Run it again", l.Replay}},
	}.html()
	if err != nil {
		return err
	}
	files := []File{{"summary.json", summary}, {"goals.csv", l.goalsCSV()}, {"cells.csv", l.cellsCSV()}, {"runs.csv", l.runsCSV()}, {"report.html", html}}
	files, err = sealed(append(files, plotFiles(figures)...), l.Host, l.Replay, attributes{Name: "laws", ScenarioID: l.Suite, Replications: l.Replications, Mode: lawsMode})
	if err != nil {
		return err
	}
	return publish(dir, files)
}

func (l *Laws) goalsCSV() []byte {
	rows := [][]string{strings.Fields("goal noise op limit measured low high where verdict")}
	for _, g := range l.Goals {
		rows = append(rows, []string{g.Name, g.Noise, g.Op, plain(g.Limit), g.Measured.Value.String(), g.Measured.Low.String(), g.Measured.High.String(), g.Where, g.Verdict})
	}
	return writeCSV(rows)
}

// cellsCSV has a row for each trial, law and measure. Of says what it is of: the
// mean course, or the mean of the runs.
func (l *Laws) cellsCSV() []byte {
	rows := [][]string{strings.Fields("scenario half noise law judged of metric unit value low high")}
	for _, t := range l.Trials {
		for _, c := range t.Cells {
			row := func(of, metric, unit string, e Estimate) {
				rows = append(rows, []string{t.Scenario, t.Half, plain(t.Noise), c.Law, strconv.Itoa(c.Judged), of, metric, unit, e.Value.String(), e.Low.String(), e.High.String()})
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
	return writeCSV(rows)
}

// runsCSV has a row for each run.
func (l *Laws) runsCSV() []byte {
	return writeCSV(append([][]string{append(strings.Fields("scenario noise law replication digest"), runMetrics()...)}, l.runs...))
}
