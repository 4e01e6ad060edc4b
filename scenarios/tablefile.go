package scenarios

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/csvfile"
)

// Files returns the content of a file that a scenario names.
type Files func(name string) ([]byte, error)

// columns of retry.table_file: the keys of a row of retry.table.
var columns = []string{"allocated", "dfr", "limit"}

// includeTable replaces retry.table by the rows of the file that
// retry.table_file names, so that the scenario equals one with the rows written
// out and no longer depends on the file. It returns all problems of the file.
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
		faults = append(faults, fault{set: named.set, at: named.at, key: "retry.table_file",
			text: fmt.Sprintf(format, args...)})
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
	rows := csvfile.NewReader(bytes.NewReader(text), named.text)
	rows.Comment = '#'
	header, err := rows.Header("the columns " + list(columns) + " and a row at least")
	if err != nil {
		refuse("%s", err)
		return faults
	}
	at := make([]int, len(columns)) // where each of columns stands
	for i, name := range columns {
		if at[i], err = header.Find(name); err != nil {
			refuse("%s", err)
			return faults
		}
	}
	if slices.Contains(at, -1) || len(header.Names) != len(columns) {
		refuse("%s", rows.Fault(0, "got the columns %s, want %s", shorten(header.List()), list(columns)))
		return faults
	}
	for {
		ok, err := rows.Next()
		if err != nil {
			refuse("%s", err)
		}
		if !ok || err != nil {
			break
		}
		if err := rows.Width(len(columns)); err != nil {
			refuse("%s", rows.Fault(0, "%v", err))
			continue
		}
		item := &node{kind: aTable, at: named.at, keyAt: named.keyAt, set: named.set}
		for i, name := range columns {
			v := strings.TrimSpace(string(rows.Field(at[i])))
			number := &node{kind: aFloat, text: v, at: named.at, keyAt: named.keyAt, set: named.set}
			if _, err := strconv.ParseInt(v, 10, 64); err == nil {
				number.kind = anInteger
			} else if _, err := strconv.ParseFloat(v, 64); err != nil {
				refuse("%s", rows.Fault(at[i], "got %s, want a number", quote(v)))
			}
			item.add(name, number)
		}
		table.items = append(table.items, item)
	}
	if faults != nil {
		table.items = nil
	}
	return faults
}
