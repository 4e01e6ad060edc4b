package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// IsTuning reports whether a folder is that of a search.
func IsTuning(dir string) bool {
	m, err := readManifest(dir)
	return err == nil && m.Attributes.Mode == tuningMode
}

// ReadTuning loads what tune.json of a folder says, and every scenario with the
// winner's values.
func ReadTuning(dir string) (*Tuning, error) {
	t := &Tuning{}
	m, err := readFolder(dir, func(name string, data []byte) error {
		switch {
		case name == "tune.json":
			return readSchema(data, "flyball/tuning", t)
		case strings.HasPrefix(name, "best/"):
			t.Best = append(t.Best, ResolvedFile{Scenario: name, Text: data})
		}
		return nil
	})
	t.Replay = m.Replay
	return t, err
}

// Write makes dir the folder of the search, as Write does for a run. Given is
// the study's file as it was given; scenarios are those that it names, with
// paths of their own.
func (t *Tuning) Write(dir string, given []byte, scenarios []File) error {
	figures, err := t.Figures()
	if err != nil {
		return err
	}
	summary, err := t.Summary()
	if err != nil {
		return err
	}
	html, err := t.HTML(figures)
	if err != nil {
		return err
	}
	files := []File{{"tune.json", summary}, {"trials.csv", t.trialsCSV()}, {"runs.csv", t.runsCSV()}, {"report.html", html}, {"study.toml", given}}
	if t.HeldOut != nil {
		files = append(files, File{"best.set", []byte(strings.Join(t.Winner.Set, "\n") + "\n")})
		for i, b := range t.Best {
			files = append(files, File{fmt.Sprintf("best/%02d.toml", i), b.Text})
		}
	}
	files = append(append(files, scenarios...), plotFiles(figures)...)
	replications := 0
	if t.HeldOut != nil {
		replications = t.HeldOut.Replications
	}
	files, err = sealed(files, t.Host, t.Replay, attributes{t.Name, t.ID, t.Seed, 0, replications, tuningMode, false})
	if err != nil {
		return err
	}
	return publish(dir, files)
}

// Summary is tune.json.
func (t *Tuning) Summary() ([]byte, error) {
	return sortedJSON(struct {
		Schema        string `json:"schema"`
		SchemaVersion int    `json:"schema_version"`
		*Tuning
	}{"flyball/tuning", schemaVersion, t})
}

// HTML is the search as one page.
func (t *Tuning) HTML(figures []Figure) ([]byte, error) {
	return document{
		Name: t.Name, About: t.About, World: t.world(), Mode: "sim", Tuning: true, Answer: t.Answer(), Figures: figures, Tables: t.tables(),
		Facts: [][2]string{
			{"Seed", fmt.Sprint(t.Seed)},
			{"Digest of all runs", t.Digest},
			{"Study", t.ID},
			{"Run it again", t.Replay},
		},
	}.html()
}

// trialsCSV has a row for each trial, the baseline first: its values, how many
// seeds it was given, its objective as a ratio to the baseline's, what each
// constraint compares in the scenario where that is worst, and why it was
// dropped in which round.
func (t *Tuning) trialsCSV() []byte {
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
		rows = append(rows, append(row, strconv.FormatBool(x.Met), strconv.FormatBool(x.Front), round, x.Why, course[i].String()))
	}
	return writeCSV(rows)
}

// runsCSV has a row for each run, in the order in which they were made:
// "never" is a time that did not come, an empty field what is undefined.
func (t *Tuning) runsCSV() []byte {
	names := append(append([]string{}, t.Scenarios...), t.Unseen...)
	rows := [][]string{append([]string{"trial", "scenario", "replication", "digest", "class"}, t.Metrics...)}
	for _, r := range t.Runs {
		row := []string{strconv.Itoa(r.Trial), names[r.Scenario], strconv.FormatUint(r.Replication, 10), r.Digest, r.Class}
		for _, v := range r.Values {
			text := Num(v).String()
			if math.IsInf(v, 1) {
				text = "never"
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return writeCSV(rows)
}
