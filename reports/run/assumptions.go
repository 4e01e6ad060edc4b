package run

import (
	"fmt"
	"strings"

	"flyball/reports/format"
	"flyball/reports/page"
	"flyball/scenarios"
)

var assumptionColumns = [...]string{"parameter", "of", "value", "status", "source"}

// AssumptionsCSV returns assumptions.csv, the numbers that a run depends on.
func AssumptionsCSV(all []scenarios.Assumption) []byte {
	rows := [][]string{assumptionColumns[:]}
	for _, a := range all {
		rows = append(rows, []string{a.Key, a.Of, a.Value, a.Status, a.Source})
	}
	return format.WriteCSV(rows)
}

// ReadAssumptions reads assumptions.csv.
func ReadAssumptions(raw []byte) ([]scenarios.Assumption, error) {
	fields, err := format.ReadCSV(raw, assumptionColumns[:])
	if err != nil {
		return nil, err
	}
	var all []scenarios.Assumption
	for f := range fields.Each {
		all = append(all, scenarios.Assumption{Key: f.Text(), Of: f.Text(), Value: f.Text(), Status: f.Text(),
			Source: f.Text()})
	}
	return all, fields.Err
}

// FoldAssumptions returns the table of the numbers that a run depends on, for a page.
func FoldAssumptions(all []scenarios.Assumption) page.Folded {
	f := page.Folded{
		Title: "What it rests on: " + Sureness(all),
		Table: format.Table{Caption: "Every number of the model in this run", Head: assumptionColumns[:],
			Left: len(assumptionColumns)},
		Note: "Measured: published as it stands. Derived: it follows from a measurement, a standard, a vendor's " +
			"default or the patent application. " +
			"Assumed: not measured. Scenario: its author chose it. Table 1 and numbers in brackets are those " +
			"of US 2005/0091323 A1.",
	}
	for _, a := range all {
		f.Table.Rows = append(f.Table.Rows, []string{a.Key, a.Of, a.Value, a.Status, a.Source})
	}
	return f
}

// Sureness returns the count of the numbers, by status, in words.
func Sureness(all []scenarios.Assumption) string {
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
	return fmt.Sprintf("%s, %s", format.Plural(uint64(len(all)), "number"), strings.Join(said, ", "))
}
