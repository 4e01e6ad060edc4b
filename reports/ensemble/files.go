package ensemble

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"flyball/reports/chart"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/page"
	"flyball/reports/run"
)

// TrajectoryColumns returns the head of trajectory.csv.
func TrajectoryColumns() []string {
	return strings.Fields("server interval t_end_s replications judged " +
		"rate_per_h rate_low rate_high rate_least rate_greatest available available_low available_high " +
		"available_least available_greatest target_per_h")
}

// Key returns a name for an ensemble that depends on its content, as run.Key does for a run.
func (e *Report) Key() string {
	content := fmt.Appendf(nil, "ensemble\n%s\n%d\n%d\n%t\n", e.ScenarioID, e.Seed, e.Replications, e.Partial)
	if e.List != "" {
		content = fmt.Appendf(content, "list %s\n", e.List)
	}
	return folder.Key(content)
}

// Write writes the folder of the ensemble at to, as run.Write does for a run.
func (e *Report) Write(to folder.Place, x run.Extra) error {
	files, err := page.Files(e, "summary.json")
	if err != nil {
		return err
	}
	files = append(files, folder.File{Path: "replications.csv", Data: e.replicationsCSV()},
		folder.File{Path: "trajectory.csv", Data: e.trajectoryCSV()},
		folder.File{Path: "assumptions.csv", Data: run.AssumptionsCSV(e.Assumptions)},
		folder.File{Path: "scenario.toml", Data: x.ScenarioTOML},
		folder.File{Path: "scenario.resolved.toml", Data: x.ResolvedTOML},
		folder.File{Path: "log.ndjson", Data: x.Log})
	for _, f := range x.More {
		if path.Dir(f.Path) == "plots" || slices.ContainsFunc(files,
			func(g folder.File) bool { return g.Path == f.Path }) {
			return fmt.Errorf("run folder: got extra file %q, want a path that is not in use", f.Path)
		}
	}
	return folder.Publish(to, append(files, x.More...), e.Host, e.Replay,
		folder.Attributes{Name: e.Name, ScenarioID: e.ScenarioID, Seed: e.Seed, Replication: 0,
			Replications: e.Replications, Mode: e.Mode, Partial: e.Partial})
}

// Summary is summary.json of an ensemble.
func (e *Report) Summary() ([]byte, error) {
	return format.WithSchema("flyball/ensemble", e)
}

// HTML is the ensemble as one page, as Report.HTML is for a run.
func (e *Report) HTML(figures []chart.Figure) ([]byte, error) {
	precision := ""
	if p := e.Precision; p != nil {
		precision = fmt.Sprintf("%s wanted to %s %%", p.Of, format.Grouped(100*p.Goal, 2))
	}
	return page.Document{
		Name: e.Name, About: e.About, World: fmt.Sprintf("%s, simulated",
			format.Plural(uint64(e.Replications), "replication")),
		Mode: e.Mode, Partial: e.Partial, Kind: e.Kind, Answer: e.Answer(), Figures: figures, Tables: e.tables(100),
		Warnings: e.Warnings,
		Folded:   []page.Folded{run.FoldAssumptions(e.Assumptions)},
		Facts: [][2]string{
			{"Governor", fmt.Sprintf("%s, target %s for each server, decides every %s", e.Law, e.target(),
				format.Duration(e.IntervalSec))},
			{"Analysis", e.Kind},
			{"Stopped by", precision},
			{"Seed", fmt.Sprintf("%d, replications 0 to %d", e.Seed, e.Replications-1)},
			{"Digest of all runs", e.Digest},
			{"Scenario", e.ScenarioID},
			{"Horizon", format.Duration(e.HorizonSec)},
			{"Run it again", e.Replay},
		},
	}.HTML()
}

// replicationsCSV has a row for each replication. An empty field is a metric
// that is undefined there, or a time that never came; settled tells which.
func (e *Report) replicationsCSV() []byte {
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
		switch v := o.Metrics[measure.SettlingMetric]; {
		case math.IsNaN(v):
			settled = "not judged"
		case math.IsInf(v, 1):
			settled = "never"
		}
		row := []string{strconv.FormatUint(o.Replication, 10), strconv.FormatUint(e.Seed, 10), o.Digest, settled,
			strconv.Itoa(watched), strconv.Itoa(missed)}
		for _, m := range e.Measures {
			v, ok := o.Metrics[m.Metric]
			if !ok {
				v = steady[m.Metric][i]
			}
			row = append(row, format.Num(v).String())
		}
		rows = append(rows, row)
	}
	return format.WriteCSV(rows)
}

// trajectoryCSV is the mean course of every server, with the interval of the
// mean and the extremes of single replications. An interval rests on the
// replications that have it.
func (e *Report) trajectoryCSV() []byte {
	rows := [][]string{TrajectoryColumns()}
	for _, s := range e.Means {
		row := []string{s.Server, strconv.Itoa(s.Number), format.Plain(s.End), strconv.Itoa(s.Rate.N),
			strconv.Itoa(s.Judged)}
		for _, of := range []Spread{s.Rate, s.C} {
			row = append(row, of.Value.String(), of.Low.String(), of.High.String(), of.Least.String(), of.Most.String())
		}
		row = append(row, format.Plain(s.Target))
		rows = append(rows, row)
	}
	return format.WriteCSV(rows)
}

// Read reads the folder of an ensemble as run.Read reads the folder of a run: all that is
// printed, but not the single runs.
func Read(dir string) (*Report, run.Extra, error) {
	e := &Report{}
	var x run.Extra
	m, err := folder.Read(dir, func(name string, data []byte) (err error) {
		switch name {
		case "summary.json":
			err = format.ReadSchema(data, "flyball/ensemble", e)
		case "assumptions.csv":
			e.Assumptions, err = run.ReadAssumptions(data)
		case "host.json":
			err = format.ReadSchema(data, "flyball/host", &e.Host)
		default:
			x.Keep(name, data)
		}
		return err
	})
	if err != nil {
		return nil, run.Extra{}, err
	}
	e.Replay = m.Replay
	return e, x, nil
}
