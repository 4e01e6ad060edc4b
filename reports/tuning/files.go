package tuning

import (
	"fmt"
	"strconv"
	"strings"

	"flyball/reports/chart"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/page"
)

// IsFolder reports whether dir is the folder of a search.
func IsFolder(dir string) bool {
	m, err := folder.ReadManifest(dir)
	return err == nil && m.Attributes.Mode == folder.TuningMode
}

// Read reads tune.json of a folder, and every scenario with the winner's values.
func Read(dir string) (*Report, error) {
	t := &Report{}
	m, err := folder.Read(dir, func(name string, data []byte) error {
		switch {
		case name == "tune.json":
			return format.ReadSchema(data, "flyball/tuning", t)
		case strings.HasPrefix(name, "best/"):
			t.Best = append(t.Best, ResolvedFile{Scenario: name, Text: data})
		}
		return nil
	})
	t.Replay = m.Replay
	return t, err
}

// Write writes the folder of the search at to, as run.Write does for a run. Given is the
// file of the study; scenarios are the files of the scenarios that it names.
func (t *Report) Write(to folder.Place, given []byte, scenarios []folder.File) error {
	files, err := page.Files(t, "tune.json")
	if err != nil {
		return err
	}
	files = append(files, folder.File{Path: "trials.csv", Data: t.trialsCSV()},
		folder.File{Path: "runs.csv", Data: t.runsCSV()}, folder.File{Path: "study.toml", Data: given})
	if t.HeldOut != nil {
		files = append(files, folder.File{Path: "best.set", Data: []byte(strings.Join(t.Winner.Set, "\n") + "\n")})
		for i, b := range t.Best {
			files = append(files, folder.File{Path: fmt.Sprintf("best/%02d.toml", i), Data: b.Text})
		}
	}
	files = append(files, scenarios...)
	replications := 0
	if t.HeldOut != nil {
		replications = t.HeldOut.Replications
	}
	return folder.Publish(to, files, t.Host, t.Replay, folder.Attributes{Name: t.Name, ScenarioID: t.ID, Seed: t.Seed,
		Replication: 0, Replications: replications, Mode: folder.TuningMode, Partial: false})
}

// Summary returns the content of tune.json.
func (t *Report) Summary() ([]byte, error) {
	return format.WithSchema("flyball/tuning", t)
}

// HTML returns the search as one page.
func (t *Report) HTML(figures []chart.Figure) ([]byte, error) {
	return page.Document{
		Name: t.Name, About: t.About, World: t.world(), Mode: "sim", Tuning: true, Answer: t.Answer(), Figures: figures,
		Tables: t.tables(),
		Facts: [][2]string{
			{"Seed", fmt.Sprint(t.Seed)},
			{"Digest of all runs", t.Digest},
			{"Study", t.ID},
			{"Run it again", t.Replay},
		},
	}.HTML()
}

// trialsCSV returns a row for each trial, the baseline first: its values, the number of
// its seeds, its objective / the baseline's, the value of each constraint in the worst
// scenario, and why and in which round it was dropped.
func (t *Report) trialsCSV() []byte {
	head := []string{"trial", "from"}
	for _, p := range t.Parameters {
		head = append(head, p.Keys[0])
	}
	head = append(head, "seeds", "ratio")
	for _, l := range t.Constraints {
		head = append(head, l.String())
	}
	rows := [][]string{append(head, "met", "front", "dropped_in", "why", "best_so_far")}
	course := t.course()
	for i, x := range t.Trials {
		row := []string{strconv.Itoa(x.Number), x.From}
		for k := range t.Parameters {
			if x.Values == nil {
				row = append(row, "")
				continue
			}
			row = append(row, x.Values[k])
		}
		row = append(row, strconv.Itoa(x.Seeds), x.Ratio.String())
		for _, v := range x.Terms {
			row = append(row, v.String())
		}
		round := ""
		if x.Round > 0 {
			round = strconv.Itoa(x.Round)
		}
		rows = append(rows, append(row, strconv.FormatBool(x.Met), strconv.FormatBool(x.Front), round, x.Why,
			course[i].String()))
	}
	return format.WriteCSV(rows)
}

// runsCSV returns a row for each run, in the order in which they were made.
func (t *Report) runsCSV() []byte {
	names := append(append([]string{}, t.Scenarios...), t.Unseen...)
	rows := [][]string{append([]string{"trial", "scenario", "replication", "digest", "class"}, t.Metrics...)}
	for _, r := range t.Runs {
		row := []string{strconv.Itoa(r.Trial), names[r.Scenario], strconv.FormatUint(r.Replication, 10), r.Digest,
			r.Class}
		rows = append(rows, append(row, r.Row()...))
	}
	return format.WriteCSV(rows)
}
