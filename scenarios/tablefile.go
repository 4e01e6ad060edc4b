package scenarios

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Files reads a file that a scenario names.
type Files func(name string) ([]byte, error)

// columns of retry.table_file: the keys of a row of retry.table.
var columns = []string{"allocated", "dfr", "limit"}

// includeTable puts the rows of the file that retry.table_file names in the
// place of retry.table, so that the scenario is the same as with the rows
// written out, and needs no file any more. Its problems are all told.
func (n *node) includeTable(files Files) (faults []fault) {
	retry := n.fields["retry"]
	if files == nil || retry == nil || retry.kind != aTable {
		return nil
	}
	named := retry.fields["table_file"]
	if named == nil || named.kind != aString {
		return nil
	}
	refuse := func(format string, args ...any) {
		faults = append(faults, fault{set: named.set, at: named.at, key: "retry.table_file", text: fmt.Sprintf(format, args...)})
	}
	retry.names = slices.DeleteFunc(retry.names, func(name string) bool { return name == "table_file" })
	delete(retry.fields, "table_file")
	if retry.fields["table"] != nil {
		refuse("got %s beside a table, want one of the two", quote(named.text))
		return faults
	}
	table := &node{kind: aList, at: named.at, keyAt: named.keyAt, set: named.set}
	retry.add("table", table)
	text, err := files(named.text)
	if err != nil {
		refuse("%s", err)
		return faults
	}
	rows := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	rows.FieldsPerRecord, rows.Comment, rows.TrimLeadingSpace = -1, '#', true
	var header []string
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			if p := (*csv.ParseError)(nil); errors.As(err, &p) {
				refuse("%s:%d:%d: %s", named.text, p.Line, p.Column, p.Err)
			} else {
				refuse("%s: %s", named.text, err)
			}
			return faults
		}
		line, _ := rows.FieldPos(0)
		if header == nil {
			header = row
			sorted := slices.Sorted(slices.Values(row))
			if !slices.Equal(sorted, columns) {
				refuse("%s:%d: got the columns %s, want %s", named.text, line, shorten(strings.Join(row, ", ")), list(columns))
				return faults
			}
			continue
		}
		if len(row) != len(columns) {
			refuse("%s:%d: got %d values, want %d", named.text, line, len(row), len(columns))
			continue
		}
		item := &node{kind: aTable, at: named.at, keyAt: named.keyAt, set: named.set}
		for i, v := range row {
			number := &node{kind: aFloat, text: v, at: named.at, keyAt: named.keyAt, set: named.set}
			if _, err := strconv.ParseInt(v, 10, 64); err == nil {
				number.kind = anInteger
			} else if _, err := strconv.ParseFloat(v, 64); err != nil {
				line, col := rows.FieldPos(i)
				refuse("%s:%d:%d: got %s, want a number", named.text, line, col, quote(v))
			}
			item.add(header[i], number)
		}
		table.items = append(table.items, item)
	}
	if header == nil {
		refuse("%s: got an empty file, want the columns %s and a row at least", named.text, list(columns))
	}
	if faults != nil {
		table.items = nil
	}
	return faults
}
