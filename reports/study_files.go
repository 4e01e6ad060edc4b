package reports

import (
	"fmt"
	"math"
	"strconv"
)

// Write makes dir the folder of the study, as Write does for a run. Given is
// the study's file as it was given; scenarios are those that it names, with
// paths of their own.
func (s *Study) Write(dir string, given []byte, scenarios []File) error {
	files, err := s.files(given, scenarios)
	if err != nil {
		return err
	}
	return publish(dir, files)
}

func (s *Study) files(given []byte, scenarios []File) ([]File, error) {
	figures, err := s.Figures()
	if err != nil {
		return nil, err
	}
	summary, err := s.Summary()
	if err != nil {
		return nil, err
	}
	html, err := s.HTML(figures)
	if err != nil {
		return nil, err
	}
	files := []File{{"study.json", summary}, {"points.csv", s.pointsCSV()}, {"runs.csv", s.runsCSV()}, {"report.html", html}, {"study.toml", given}}
	if s.Choice != nil {
		files = append(files, File{"choice.csv", s.choiceCSV()})
	}
	files = append(append(files, scenarios...), plotFiles(figures)...)
	return sealed(files, s.Host, s.Replay, attributes{s.Name, s.ID, s.Seed, 0, s.Replications, studyMode, false})
}

// Summary is study.json.
func (s *Study) Summary() ([]byte, error) {
	return sortedJSON(struct {
		Schema        string `json:"schema"`
		SchemaVersion int    `json:"schema_version"`
		*Study
	}{"flyball/study", schemaVersion, s})
}

// HTML is the study as one page.
func (s *Study) HTML(figures []Figure) ([]byte, error) {
	tables := []table{s.pointTable(200)}
	if s.Choice != nil {
		tables = append([]table{s.choiceTable()}, tables...)
	}
	return document{
		Name: s.Name, About: s.About, World: s.world(), Mode: "sim", Study: true, Answer: s.Answer(), Figures: figures,
		Tables: tables,
		Facts: [][2]string{
			{"Design", s.Design},
			{"Seed", fmt.Sprintf("%d, replications 0 to %d of each point", s.Seed, s.Replications-1)},
			{"Digest of all runs", s.Digest},
			{"Study", s.ID},
			{"Run it again", s.Replay},
		},
	}.html()
}

// where are the columns that say where a point lies.
func (s *Study) where() []string {
	head := []string{"point", "scenario"}
	for _, a := range s.Axes {
		head = append(head, a.Name())
	}
	return head
}

func (s *Study) lies(i int) []string {
	row := []string{strconv.Itoa(i), s.Scenarios[s.Points[i].Scenario]}
	for k := range s.Axes {
		row = append(row, s.value(s.Points[i], k))
	}
	return row
}

// pointsCSV has a row for each point: where it lies, what its runs did, and of
// each metric the mean, half the width of its interval and the number of runs
// that it rests on. An empty field is what is undefined.
func (s *Study) pointsCSV() []byte {
	head := append(s.where(), "scenario_id", "class", "class_runs", "runs")
	for _, m := range s.Metrics {
		head = append(head, m, m+"_half", m+"_n")
		if m == settlingMetric {
			head = append(head, m+"_never")
		}
	}
	rows := [][]string{head}
	for i, p := range s.Points {
		agreed := 0
		for k, c := range Classes() {
			if c == p.Class {
				agreed = p.Counts[k]
			}
		}
		row := append(s.lies(i), p.ID, string(p.Class), strconv.Itoa(agreed), strconv.Itoa(s.Replications))
		for k, e := range p.Estimates {
			row = append(row, e.Value.String(), halfWidth(e).String(), strconv.Itoa(e.N))
			if s.Metrics[k] == settlingMetric {
				row = append(row, strconv.Itoa(p.Never[k]))
			}
		}
		rows = append(rows, row)
	}
	return writeCSV(rows)
}

// runsCSV has a row for each run: "never" is a time that did not come, an empty
// field what is undefined.
func (s *Study) runsCSV() []byte {
	rows := [][]string{append([]string{"point", "replication", "digest", "class"}, s.Metrics...)}
	for i, r := range s.runs {
		row := []string{strconv.Itoa(i / s.Replications), strconv.Itoa(i % s.Replications), r.Digest, r.Class}
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

// metricCSV is what a figure of one metric was drawn from.
func (s *Study) metricCSV(k int) []byte {
	rows := [][]string{append(s.where(), s.Metrics[k], "half", "runs", "never")}
	for i, p := range s.Points {
		e := p.Estimates[k]
		rows = append(rows, append(s.lies(i), e.Value.String(), halfWidth(e).String(), strconv.Itoa(e.N), strconv.Itoa(p.Never[k])))
	}
	return writeCSV(rows)
}

// classesCSV is what the map of the classes was drawn from.
func (s *Study) classesCSV() []byte {
	head := append(s.where(), "class")
	for _, c := range Classes() {
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
	return writeCSV(rows)
}
