// Package distances writes what a run has learned about distances as a file, reads the file for a later run, and shows
// it as tables ([0056]-[0059]).
package distances

import (
	"encoding/json"
	"errors"
	"fmt"

	"flyball/engine/partition"
	"flyball/engine/proximity"
	"flyball/reports/format"
)

// FileName is the name of the file in the folder of a run that learns.
const FileName = "proximity.json"

const schema = "flyball/proximity"

// File is what a run has learned, with what was known before it.
type File struct {
	Schema        string              `json:"schema"`
	SchemaVersion int                 `json:"schema_version"`
	Mailings      []proximity.Mailing `json:"mailings"` // in their order
	Pairs         []proximity.Pair    `json:"pairs"`    // in the order of servers and then sites
}

// Write returns the content of a file.
func Write(db *proximity.Database) []byte {
	raw, err := format.SortedJSON(File{schema, format.SchemaVersion, append([]proximity.Mailing{}, db.Mailings...),
		append([]proximity.Pair{}, db.Pairs...)})
	if err != nil {
		panic(err) // numbers and names can always be written
	}
	return raw
}

// Read returns the database in a file. The error says what is wrong with the file.
func Read(raw []byte) (*proximity.Database, error) {
	var f File
	if !json.Valid(raw) {
		return nil, fmt.Errorf("got no JSON, want the %s of a run", FileName)
	}
	var other *json.UnmarshalTypeError
	switch err := format.ReadSchema(raw, schema, &f); {
	case errors.As(err, &other):
		return nil, fmt.Errorf("%s: got a %s, want a %s", other.Field, other.Value, other.Type)
	case err != nil:
		return nil, err
	}
	db := &proximity.Database{Mailings: f.Mailings, Pairs: f.Pairs}
	return db, errors.Join(db.Validate()...)
}

// Mailings returns a table of mailings that a run added to what was known before.
func Mailings(db *proximity.Database, known int) format.Table {
	t := format.Table{Caption: "Mailings measured: deliveries over a fresh connection, without look-ups",
		Head: []string{"mailing", "attempts", "mean time", "probes"}}
	for i, m := range db.Mailings {
		if i >= known {
			t.Rows = append(t.Rows, []string{fmt.Sprint(i + 1), format.Grouped(float64(m.Attempts), 0),
				format.Grouped(m.Mean, 1) + " ms", format.Grouped(float64(m.Probes), 0)})
		}
	}
	return t
}

// Classes returns a table of what is known of the pairs of a list: how far each site is from each server, and how good
// the server is for it ([0058]).
func Classes(p *partition.Problem, v *proximity.View) format.Table {
	t := format.Table{Left: 1, Caption: "Known distances in ms: + preferred, - undesirable, no sign: acceptable, " +
		"? unknown and guessed",
		Head: []string{"destination"}}
	for _, s := range p.Servers {
		t.Head = append(t.Head, s.Name)
	}
	mark := map[proximity.Class]string{proximity.Unknown: " ?", proximity.Preferred: " +", proximity.Acceptable: "  ",
		proximity.Undesirable: " -"}
	classes := v.Classes()
	for d, s := range p.Sites {
		row := []string{s.Name}
		for i := range p.Servers {
			at := p.At(d, i)
			row = append(row, format.Grouped(float64(v.Cost[at]), 0)+mark[classes[at]])
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
