package format

import (
	"fmt"
	"io"
	"slices"

	"flyball/internal/tabular"
)

// Columns is the width of a terminal, in columns.
const Columns = 100

const (
	Strong = "1"
	good   = "32"
	Bad    = "1;31"
)

// Paint wraps text in an ANSI colour.
func Paint(s, how string, color bool) string {
	if !color {
		return s
	}
	return "\x1b[" + how + "m" + s + "\x1b[0m"
}

// Table is rows under a head. Columns before Left hold names and are aligned to the left,
// as is the last column if Words is true.
type Table struct {
	Caption string
	Head    []string
	Left    int
	Words   bool
	Rows    [][]string
}

// ToLeft reports whether column i is aligned to the left.
func (t Table) ToLeft(i int) bool { return i < t.Left || t.Words && i == len(t.Head)-1 }

// Width returns the width of all columns together with the blanks between them.
func (t Table) Width() int {
	sum := 0
	for i, head := range t.Head {
		widest := len(head)
		for _, row := range t.Rows {
			widest = max(widest, len(row[i]))
		}
		sum += widest + 2
	}
	return sum - 2
}

// Write writes the table with a rule under its head; nothing if it has no row.
func (t Table) Write(w io.Writer, color bool) error {
	if len(t.Rows) == 0 {
		return nil
	}
	rows := make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = slices.Clone(row)
		for k, c := range row {
			switch c {
			case "ok":
				rows[i][k] = Paint(c, good, color)
			case "MISSED", "WORSE":
				rows[i][k] = Paint(c, Bad, color)
			}
		}
	}
	fmt.Fprintf(w, "\n%s\n", t.Caption)
	return tabular.Write(w, t.Head, rows, t.ToLeft)
}
