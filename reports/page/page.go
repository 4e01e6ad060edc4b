// Package page writes a page of HTML without scripts and external resources. Text of
// scenarios is escaped, so that names are not read as markup. The packages whose reports
// have a page call it.
package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"flyball/reports/chart"
	"flyball/reports/format"
)

// Folded is a table that a page shows on demand.
type Folded struct {
	Title string
	Table format.Table
	Note  string
}

//go:embed page.html
var page string

// Document is the data of page.html.
type Document struct {
	Name, About, World, Mode, Receiver string

	Partial bool
	Study   bool
	Tuning  bool

	Comparison bool
	Kind       string // of the analysis of an ensemble; empty for one run
	Answer     []string
	Figures    []chart.Figure
	Tables     []format.Table // those without a row are left out
	Folded     []Folded
	Warnings   []string
	Facts      [][2]string
}

// HTML renders the page; tables without a row are left out.
func (d Document) HTML() ([]byte, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"inline": inline}).Parse(page)
	if err != nil {
		return nil, err
	}
	d.Tables = slices.DeleteFunc(d.Tables, func(t format.Table) bool { return len(t.Rows) == 0 })
	var b bytes.Buffer
	err = t.Execute(&b, d)
	return b.Bytes(), err
}

// inline returns an SVG for use within a page: without prologue and background, and with
// colours that follow the page.
func inline(svg []byte) template.HTML {
	s := string(svg[bytes.Index(svg, []byte("<svg")):])
	replace := []string{"fill:#FFFFFF", "fill:none", "stroke:#000000", "stroke:currentColor"}
	for i, c := range chart.Palette()[1:] {
		hex := fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B)
		replace = append(replace, hex, fmt.Sprintf("var(--c%d,%s)", i+1, hex))
	}
	return template.HTML(strings.NewReplacer(replace...).Replace(s))
}
