package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
)

//go:embed page.html
var page string

// HTML is the report as one page: no script, no request for anything outside
// of it, light or dark as the reader's system is. Figures are those of this
// report.
func (r *Report) HTML(figures []Figure) ([]byte, error) {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return nil, err
	}
	type picture struct {
		Figure
		Inline template.HTML
	}
	var pictures []picture
	for _, f := range figures {
		pictures = append(pictures, picture{f, inline(f.SVG)})
	}
	answer := r.Answer()
	governor := fmt.Sprintf("%s, target %s for each server", r.Law, r.target())
	if r.IntervalSec > 0 {
		governor += ", decides every " + duration(r.IntervalSec)
	}
	var tables []table
	for _, t := range []table{r.expectationTable(), r.serverTable(100), r.governorTable(40, 1000), r.outcomeTable(40)} {
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		*Report
		World   string
		Verdict string
		More    []string
		Figures []picture
		Tables  []table
		Facts   [][2]string
	}{r, r.world(), answer[0], answer[1:], pictures, tables, [][2]string{
		{"Governor", governor},
		{"Seed", fmt.Sprint(r.Seed)},
		{"Digest of the run", r.Digest},
		{"Scenario", r.ScenarioID},
		{"Horizon", duration(r.HorizonSec)},
		{"Run it again", r.Replay},
	}})
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
