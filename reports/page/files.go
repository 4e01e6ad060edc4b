package page

import (
	"flyball/reports/chart"
	"flyball/reports/folder"
)

// Report is a report with figures, a summary for programs and a page with the figures.
type Report interface {
	Figures() ([]chart.Figure, error)
	Summary() ([]byte, error)
	HTML([]chart.Figure) ([]byte, error)
}

// Files returns the files that the folders of all such reports have: the summary, under
// the given name, report.html, and the figures with their data.
func Files(r Report, summary string) ([]folder.File, error) {
	figures, err := r.Figures()
	if err != nil {
		return nil, err
	}
	data, err := r.Summary()
	if err != nil {
		return nil, err
	}
	html, err := r.HTML(figures)
	if err != nil {
		return nil, err
	}
	return append(chart.PlotFiles(figures), folder.File{Path: summary, Data: data},
		folder.File{Path: "report.html", Data: html}), nil
}
