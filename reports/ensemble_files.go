package reports

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
)

// Key names an ensemble by its content, as Key does for a run.
func (e *Ensemble) Key() string {
	content := fmt.Appendf(nil, "ensemble\n%s\n%d\n%d\n%t\n", e.ScenarioID, e.Seed, e.Replications, e.Partial)
	if e.List != "" {
		content = fmt.Appendf(content, "list %s\n", e.List)
	}
	return keyOf(content)
}

// Write makes dir the folder of the ensemble, as Write does for a run.
func (e *Ensemble) Write(dir string, x Extra) error {
	figures, err := e.Figures()
	if err != nil {
		return err
	}
	summary, err := e.Summary()
	if err != nil {
		return err
	}
	html, err := e.HTML(figures)
	if err != nil {
		return err
	}
	files := []File{
		{"summary.json", summary}, {"replications.csv", e.replicationsCSV()}, {"trajectory.csv", e.trajectoryCSV()}, {"report.html", html}, {"assumptions.csv", assumptionsCSV(e.Assumptions)},
		{"scenario.toml", x.ScenarioTOML}, {"scenario.resolved.toml", x.ResolvedTOML}, {"log.ndjson", x.Log},
	}
	files = append(files, plotFiles(figures)...)
	for _, f := range x.More {
		if path.Dir(f.Path) == "plots" || slices.ContainsFunc(files, func(g File) bool { return g.Path == f.Path }) {
			return fmt.Errorf("run folder: got extra file %q, want a path that is not in use", f.Path)
		}
	}
	files, err = sealed(append(files, x.More...), e.Host, e.Replay, attributes{e.Name, e.ScenarioID, e.Seed, 0, e.Replications, e.Mode, e.Partial})
	if err != nil {
		return err
	}
	return publish(dir, files)
}

// Summary is summary.json of an ensemble.
func (e *Ensemble) Summary() ([]byte, error) {
	return sortedJSON(struct {
		Schema        string `json:"schema"`
		SchemaVersion int    `json:"schema_version"`
		*Ensemble
	}{"flyball/ensemble", schemaVersion, e})
}

// HTML is the ensemble as one page, as Report.HTML is for a run.
func (e *Ensemble) HTML(figures []Figure) ([]byte, error) {
	precision := ""
	if p := e.Precision; p != nil {
		precision = fmt.Sprintf("%s wanted to %s %%", p.Of, grouped(100*p.Goal, 2))
	}
	return document{
		Name: e.Name, About: e.About, World: fmt.Sprintf("%s, simulated", plural(uint64(e.Replications), "replication")),
		Mode: e.Mode, Partial: e.Partial, Kind: e.Kind, Answer: e.Answer(), Figures: figures, Tables: e.tables(100), Warnings: e.Warnings,
		Folded: []folded{foldAssumptions(e.Assumptions)},
		Facts: [][2]string{
			{"Governor", fmt.Sprintf("%s, target %s for each server, decides every %s", e.Law, e.target(), duration(e.IntervalSec))},
			{"Analysis", e.Kind},
			{"Stopped by", precision},
			{"Seed", fmt.Sprintf("%d, replications 0 to %d", e.Seed, e.Replications-1)},
			{"Digest of all runs", e.Digest},
			{"Scenario", e.ScenarioID},
			{"Horizon", duration(e.HorizonSec)},
			{"Run it again", e.Replay},
		},
	}.html()
}

// replicationsCSV has a row for each replication. An empty field is a metric
// that is undefined there, or a time that never came; settled tells which.
func (e *Ensemble) replicationsCSV() []byte {
	head := []string{"replication", "seed", "digest", "settled", "watched_intervals", "expectations_missed"}
	for _, m := range e.Measures {
		head = append(head, m.Metric)
	}
	rows := [][]string{head}
	steady := map[string][]float64{}
	if e.Steady != nil {
		steady = e.Steady.values
	}
	for i, o := range e.runs {
		watched, missed := 0, 0
		for _, t := range o.tracks {
			if t.watched > 0 && (watched == 0 || t.watched < watched) {
				watched = t.watched
			}
		}
		for _, x := range o.expected {
			if !x.Met() {
				missed++
			}
		}
		settled := "yes"
		switch v := o.metrics[settlingMetric]; {
		case math.IsNaN(v):
			settled = "not judged"
		case math.IsInf(v, 1):
			settled = "never"
		}
		row := []string{strconv.FormatUint(o.Replication, 10), strconv.FormatUint(e.Seed, 10), o.Digest, settled, strconv.Itoa(watched), strconv.Itoa(missed)}
		for _, m := range e.Measures {
			v, ok := o.metrics[m.Metric]
			if !ok {
				v = steady[m.Metric][i]
			}
			row = append(row, Num(v).String())
		}
		rows = append(rows, row)
	}
	return writeCSV(rows)
}

// trajectoryCSV is the mean course of every server, with the interval of the
// mean and the extremes of single replications. An interval rests on the
// replications that have it.
func (e *Ensemble) trajectoryCSV() []byte {
	rows := [][]string{trajectoryColumns()}
	for _, s := range e.means {
		row := []string{s.server, strconv.Itoa(s.number), plain(s.end), strconv.Itoa(s.rate.N), strconv.Itoa(s.judged)}
		for _, of := range []spread{s.rate, s.c} {
			row = append(row, of.Value.String(), of.Low.String(), of.High.String(), of.least.String(), of.most.String())
		}
		row = append(row, plain(s.target))
		rows = append(rows, row)
	}
	return writeCSV(rows)
}
