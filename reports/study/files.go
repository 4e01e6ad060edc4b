package study

import (
	"fmt"
	"strconv"

	"flyball/reports/chart"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/page"
)

// Write writes the folder of the study at to, as run.Write does for a run. Given is the
// file of the study; scenarios are the files of the scenarios that it names.
func (s *Report) Write(to folder.Place, given []byte, scenarios []folder.File) error {
	files, err := s.files(given, scenarios)
	if err != nil {
		return err
	}
	return folder.Publish(to, files, s.Host, s.Replay,
		folder.Attributes{Name: s.Name, ScenarioID: s.ID, Seed: s.Seed, Replication: 0, Replications: s.Replications,
			Mode: folder.StudyMode, Partial: false})
}

func (s *Report) files(given []byte, scenarios []folder.File) ([]folder.File, error) {
	files, err := page.Files(s, "study.json")
	if err != nil {
		return nil, err
	}
	files = append(files, folder.File{Path: "points.csv", Data: s.pointsCSV()},
		folder.File{Path: "runs.csv", Data: s.runsCSV()}, folder.File{Path: "study.toml", Data: given})
	if s.Choice != nil {
		files = append(files, folder.File{Path: "choice.csv", Data: s.choiceCSV()})
	}
	return append(files, scenarios...), nil
}

// Summary returns the content of study.json.
func (s *Report) Summary() ([]byte, error) {
	return format.WithSchema("flyball/study", s)
}

// HTML returns the study as one page.
func (s *Report) HTML(figures []chart.Figure) ([]byte, error) {
	tables := []format.Table{s.pointTable(200)}
	if s.Choice != nil {
		tables = append([]format.Table{s.choiceTable()}, tables...)
	}
	return page.Document{
		Name: s.Name, About: s.About, World: s.world(), Mode: "sim", Study: true, Answer: s.Answer(), Figures: figures,
		Tables: tables,
		Facts: [][2]string{
			{"Design", s.Design},
			{"Seed", fmt.Sprintf("%d, replications 0 to %d of each point", s.Seed, s.Replications-1)},
			{"Digest of all runs", s.Digest},
			{"Study", s.ID},
			{"Run it again", s.Replay},
		},
	}.HTML()
}

// where returns the names of the CSV columns that locate a point.
func (s *Report) where() []string {
	head := []string{"point", "scenario"}
	for _, a := range s.Axes {
		head = append(head, a.Name())
	}
	return head
}

func (s *Report) lies(i int) []string {
	row := []string{strconv.Itoa(i), s.Scenarios[s.Points[i].Scenario]}
	for k := range s.Axes {
		row = append(row, s.value(s.Points[i], k))
	}
	return row
}

// pointsCSV returns a row for each point: where it lies, the classes of its runs, and for
// each metric the mean, the half width of its interval and the number of runs, and of a
// time the number of runs that did not reach it. A field is empty if it is undefined.
func (s *Report) pointsCSV() []byte {
	head := append(s.where(), "scenario_id", "class", "class_runs", "runs")
	for _, m := range s.Metrics {
		head = append(head, m, m+"_half", m+"_n")
		if measure.MayNeverCome(m) {
			head = append(head, m+"_never")
		}
	}
	rows := [][]string{head}
	for i, p := range s.Points {
		agreed := 0
		for k, c := range measure.Classes() {
			if c == p.Class {
				agreed = p.Counts[k]
			}
		}
		row := append(s.lies(i), p.ID, string(p.Class), strconv.Itoa(agreed), strconv.Itoa(s.Replications))
		for k, e := range p.Estimates {
			row = append(row, e.Value.String(), measure.HalfWidth(e).String(), strconv.Itoa(e.N))
			if measure.MayNeverCome(s.Metrics[k]) {
				row = append(row, strconv.Itoa(p.Never[k]))
			}
		}
		rows = append(rows, row)
	}
	return format.WriteCSV(rows)
}

// runsCSV returns a row for each run.
func (s *Report) runsCSV() []byte {
	rows := [][]string{append([]string{"point", "replication", "digest", "class"}, s.Metrics...)}
	for i, r := range s.runs {
		row := []string{strconv.Itoa(i / s.Replications), strconv.Itoa(i % s.Replications), r.Digest, r.Class}
		rows = append(rows, append(row, r.Row()...))
	}
	return format.WriteCSV(rows)
}

// metricCSV returns the data of the figure of one metric.
func (s *Report) metricCSV(k int) []byte {
	rows := [][]string{append(s.where(), s.Metrics[k], "half", "runs", "never")}
	for i, p := range s.Points {
		e := p.Estimates[k]
		rows = append(rows, append(s.lies(i), e.Value.String(), measure.HalfWidth(e).String(), strconv.Itoa(e.N),
			strconv.Itoa(p.Never[k])))
	}
	return format.WriteCSV(rows)
}

// classesCSV returns the data of the map of the classes.
func (s *Report) classesCSV() []byte {
	head := append(s.where(), "class")
	for _, c := range measure.Classes() {
		head = append(head, string(c))
	}
	rows := [][]string{head}
	for i, p := range s.Points {
		row := append(s.lies(i), string(p.Class))
		for _, n := range p.Counts {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	return format.WriteCSV(rows)
}
