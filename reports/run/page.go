package run

import (
	"fmt"

	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/page"
	"flyball/reports/reactions"
	"flyball/reports/traces"
)

// HTML returns the report as one page without scripts or external resources, light or
// dark as the reader's system is. Figures must be the figures of this report.
func (r *Report) HTML(figures []chart.Figure) ([]byte, error) {
	governor := fmt.Sprintf("%s, target %s for each server", r.Law, r.target())
	if len(r.parts()) > 0 {
		governor = fmt.Sprintf("%s, one for all servers, target %s", r.Law, r.target())
	}
	if r.IntervalSec > 0 {
		governor += ", decides every " + format.Duration(r.IntervalSec)
	}
	warnings := r.Pace()
	if stops := r.stopWords(); stops != "" {
		warnings = append(warnings, stops)
	}
	return page.Document{
		Name: r.Name, About: r.About, World: r.world(), Mode: r.Mode, Receiver: r.Receiver, Partial: r.Partial,
		Answer: r.Answer(), Figures: figures, Warnings: warnings,
		Tables: []format.Table{r.expectationTable(), r.serverTable(100), r.besideTable(100), r.partTable(100),
			r.governorTable(40, 1000),
			r.outcomeTable(40), traces.Table(r.Stages, 12), reactions.Table(r.Replies, 40)}, Folded: r.folded(),
		Facts: [][2]string{
			{"Governor", governor},
			{"Parameters", r.Record},
			{"Seed", r.Luck()},
			{"Digest of the run", r.Digest},
			{"Scenario", r.ScenarioID},
			{"Horizon", format.Duration(r.HorizonSec)},
			{"Run it again", r.Replay},
		},
	}.HTML()
}

func (r *Report) folded() []page.Folded {
	var all []page.Folded
	if r.Sensitivity != nil {
		all = append(all, r.Sensitivity.Folded())
	}
	if r.Assumptions != nil {
		all = append(all, FoldAssumptions(r.Assumptions))
	}
	return all
}
