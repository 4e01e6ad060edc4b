package tomlfile

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/csvfile"
)

// Files returns the content of a file that another file names.
type Files func(name string) ([]byte, error)

// Include replaces the key at path from, such as retry.table_file, which names a
// CSV file, by a list of tables with the rows of that file, as if the key at
// path to, such as retry.table, had been written out. A column is a key of such
// a table, and all its values are numbers. Without files the key stays.
func (d *Document) Include(from, to string, files Files) {
	dot := strings.LastIndex(from, ".")
	around := d.tableAt(from[:dot])
	if files == nil || around == nil {
		return
	}
	called := from[dot+1:]
	named := around.fields[called]
	if named == nil || named.kind != aString {
		return
	}
	refuse := func(format string, args ...any) {
		d.faults = append(d.faults, fault{set: named.set, at: named.at, key: from, text: fmt.Sprintf(format, args...)})
		d.mention(to)
	}
	around.names = slices.DeleteFunc(around.names, func(name string) bool { return name == called })
	delete(around.fields, called)
	name := to[dot+1:]
	if around.fields[name] != nil {
		refuse("got %s beside a %s, want one of the two", Quote(named.text), name)
		return
	}
	table := &node{kind: aList, at: named.at, keyAt: named.keyAt, set: named.set}
	around.add(name, table)
	text, err := files(named.text)
	if err != nil {
		refuse("%s", err)
		return
	}
	key, _ := d.format.keyAt(to)
	table.items = rowsOf(csvfile.NewReader(bytes.NewReader(text), named.text),
		names(d.format.Keys.Of(key.Type.Elem())), named, refuse)
}

// tableAt returns the table at a path of names; nil if the file has none.
func (d *Document) tableAt(path string) *node {
	n := d.root
	for name := range strings.SplitSeq(path, ".") {
		if n == nil {
			return nil
		}
		n = n.fields[name]
	}
	if n == nil || n.kind != aTable {
		return nil
	}
	return n
}

// rowsOf returns the rows of a CSV file as tables at the place of the key that
// names the file; none if it refuses any of them.
func rowsOf(rows *csvfile.Reader, columns []string, named *node, problem func(format string, args ...any)) []*node {
	var items []*node
	sound := true
	refuse := func(format string, args ...any) {
		sound = false
		problem(format, args...)
	}
	rows.Comment = '#'
	header, err := rows.Header("the columns " + list(columns) + " and a row at least")
	if err != nil {
		refuse("%s", err)
		return nil
	}
	at := make([]int, len(columns)) // where each of columns stands
	for i, name := range columns {
		if at[i], err = header.Find(name); err != nil {
			refuse("%s", err)
			return nil
		}
	}
	if slices.Contains(at, -1) || len(header.Names) != len(columns) {
		refuse("%s", rows.Fault(0, "got the columns %s, want %s", shorten(header.List()), list(columns)))
		return nil
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
				refuse("%s", rows.Fault(at[i], "got %s, want a number", Quote(v)))
			}
			item.add(name, number)
		}
		items = append(items, item)
	}
	if !sound {
		return nil
	}
	return items
}
