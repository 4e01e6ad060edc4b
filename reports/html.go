package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

//go:embed page.html
var page string

// document is what page.html shows.
type document struct {
	Name, About, World, Mode, Receiver string

	Partial  bool
	Study    bool
	Tuning   bool
	Kind     string // of the analysis of an ensemble; empty for one run
	Answer   []string
	Figures  []Figure
	Tables   []table // those without a row are left out
	Folded   []folded
	Warnings []string
	Facts    [][2]string
}

// HTML is the report as one page: no script, no request for anything outside
// of it, light or dark as the reader's system is. Figures are those of this
// report.
func (r *Report) HTML(figures []Figure) ([]byte, error) {
	governor := fmt.Sprintf("%s, target %s for each server", r.Law, r.target())
	if len(r.parts()) > 0 {
		governor = fmt.Sprintf("%s, one for all servers, target %s", r.Law, r.target())
	}
	if r.IntervalSec > 0 {
		governor += ", decides every " + duration(r.IntervalSec)
	}
	return document{
		Name: r.Name, About: r.About, World: r.world(), Mode: r.Mode, Receiver: r.Receiver, Partial: r.Partial,
		Answer: r.Answer(), Figures: figures,
		Tables: []table{r.expectationTable(), r.serverTable(100), r.partTable(100), r.governorTable(40, 1000), r.outcomeTable(40)}, Folded: r.folded(),
		Facts: [][2]string{
			{"Governor", governor},
			{"Seed", r.luck()},
			{"Digest of the run", r.Digest},
			{"Scenario", r.ScenarioID},
			{"Horizon", duration(r.HorizonSec)},
			{"Run it again", r.Replay},
		},
	}.html()
}

func (r *Report) folded() []folded {
	var all []folded
	if r.Sensitivity != nil {
		all = append(all, r.Sensitivity.folded())
	}
	if r.Assumptions != nil {
		all = append(all, foldAssumptions(r.Assumptions))
	}
	return all
}

func (d document) html() ([]byte, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"inline": inline}).Parse(page)
	if err != nil {
		return nil, err
	}
	d.Tables = slices.DeleteFunc(d.Tables, func(t table) bool { return len(t.Rows) == 0 })
	var b bytes.Buffer
	err = t.Execute(&b, d)
	return b.Bytes(), err
}

// inline makes an SVG part of a page: no prologue, no background, and colours
// that follow the page.
func inline(svg []byte) template.HTML {
	s := string(svg[bytes.Index(svg, []byte("<svg")):])
	replace := []string{"fill:#FFFFFF", "fill:none", "stroke:#000000", "stroke:currentColor"}
	for i, c := range palette()[1:] {
		hex := fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B)
		replace = append(replace, hex, fmt.Sprintf("var(--c%d,%s)", i+1, hex))
	}
	return template.HTML(strings.NewReplacer(replace...).Replace(s))
}
