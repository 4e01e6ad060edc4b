package reports

import (
	"fmt"
	"strings"

	"flyball/scenarios"
)

// folded is a table that a page shows on demand.
type folded struct {
	Title string
	Table table
	Note  string
}

var assumptionColumns = [...]string{"parameter", "of", "value", "status", "source"}

// assumptionsCSV lists the numbers that a run rests on.
func assumptionsCSV(all []scenarios.Assumption) []byte {
	rows := [][]string{assumptionColumns[:]}
	for _, a := range all {
		rows = append(rows, []string{a.Key, a.Of, a.Value, a.Status, a.Source})
	}
	return writeCSV(rows)
}

func readAssumptions(raw []byte) ([]scenarios.Assumption, error) {
	fields, err := readCSV(raw, assumptionColumns[:])
	if err != nil {
		return nil, err
	}
	var all []scenarios.Assumption
	for f := range fields.each {
		all = append(all, scenarios.Assumption{Key: f.text(), Of: f.text(), Value: f.text(), Status: f.text(), Source: f.text()})
	}
	return all, fields.err
}

// foldAssumptions is what a page says of the numbers that a run rests on.
func foldAssumptions(all []scenarios.Assumption) folded {
	f := folded{
		Title: "What it rests on: " + sureness(all),
		Table: table{Caption: "Every number of the model in this run", Head: assumptionColumns[:], Left: len(assumptionColumns)},
		Note: "Measured: published as it stands. Derived: it follows from a measurement, a standard, a vendor's default or the patent application. " +
			"Assumed: nobody measured it. Scenario: its author chose it. Table 1 and numbers in brackets are those of US 2005/0091323 A1.",
	}
	for _, a := range all {
		f.Table.Rows = append(f.Table.Rows, []string{a.Key, a.Of, a.Value, a.Status, a.Source})
	}
	return f
}

// sureness counts the numbers by how sure they are.
func sureness(all []scenarios.Assumption) string {
	var said []string
	for _, status := range []string{scenarios.Measured, scenarios.Derived, scenarios.Assumed, scenarios.ByAuthor} {
		n := 0
		for _, a := range all {
			if a.Status == status {
				n++
			}
		}
		if status == scenarios.ByAuthor {
			status = "chosen by the scenario's author"
		}
		if n > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, status))
		}
	}
	return fmt.Sprintf("%s, %s", plural(uint64(len(all)), "number"), strings.Join(said, ", "))
}
