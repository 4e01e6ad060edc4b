package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"flyball/internal/tabular"
)

// Outside returns the rows that are not inside, as "model: quantity".
func Outside(rows []Row) []string {
	var all []string
	for _, r := range rows {
		if !r.Inside {
			all = append(all, r.Model+": "+r.Quantity)
		}
	}
	return all
}

// Results is what JSON writes.
type Results struct {
	Schema        string  `json:"schema"`
	SchemaVersion int     `json:"schema_version"`
	Seed          uint64  `json:"seed"`    // of all random draws
	Level         float64 `json:"level"`   // confidence of the intervals
	Outside       int     `json:"outside"` // number of rows that are not inside
	Rows          []Row   `json:"rows"`    // by model
}

// JSON writes the rows as one object.
func JSON(w io.Writer, seed uint64, rows []Row) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(Results{"flyball/verify", 1, seed, Level, len(Outside(rows)), rows})
}

// Text writes the rows for a terminal, at most 100 columns wide: first the means
// with an interval, then the other rows, then the verdict. Color marks the rows
// that are outside.
func Text(w io.Writer, seed uint64, rows []Row, color bool) error {
	means := table{head: []string{"model", "quantity", "exact", "simulated", "+-", "off", "verdict"}}
	others := table{head: []string{"model", "quantity", "exact", "simulated", "+-", "runs", "verdict"}}
	var runs int // of all rows with an interval
	for _, r := range rows {
		verdict := "inside"
		if !r.Inside {
			verdict = "OUTSIDE"
			if color {
				verdict = "\x1b[1;31m" + verdict + "\x1b[0m"
			}
		}
		line := []string{r.Model, r.Quantity, number(r.Exact), number(r.Simulated),
			strconv.FormatFloat(float64(r.HalfWidth), 'g', 2, 64)}
		if r.Judge == Interval {
			runs = r.Replications
			means.add(append(line, strconv.FormatFloat(r.Off(), 'f', 2, 64), verdict))
		} else {
			others.add(append(line, strconv.Itoa(r.Replications), verdict))
		}
	}
	var b strings.Builder
	if n := len(means.rows); n > 0 {
		fmt.Fprintf(&b, "Means of %d independent replications, with Student's interval at %g %%; off is the distance "+
			"in\n"+
			"half widths. A correct simulator leaves such an interval once in %.0f rows: with these %d, one\n"+
			"seed in about %.0f gives a false alarm.\n\n", runs, 100*Level, 1/(1-Level), n, 1/((1-Level)*float64(n)))
	}
	if err := means.write(&b); err != nil {
		return err
	}
	if len(means.rows) > 0 && len(others.rows) > 0 {
		b.WriteString("\n")
	}
	if len(others.rows) > 0 {
		b.WriteString("What must hold up to rounding, or in the mean up to a margin that was set in advance.\n\n")
	}
	if err := others.write(&b); err != nil {
		return err
	}
	if n := len(Outside(rows)); n > 0 {
		fmt.Fprintf(&b, "\n%d of %d rows outside, seed %d\n", n, len(rows), seed)
	} else {
		fmt.Fprintf(&b, "\nAll %d rows inside, seed %d\n", len(rows), seed)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// number formats n with six significant digits, or three below 0.001.
func number(n Number) string {
	digits := 6
	switch v := math.Abs(float64(n)); {
	case math.IsNaN(v):
		return "none"
	case v < 0.001:
		digits = 3
	}
	return strconv.FormatFloat(float64(n), 'g', digits, 64)
}

// table has rows under a head. The first two columns are left-aligned, and equal
// values of the first column are written once.
type table struct {
	head []string
	rows [][]string
	last string
}

func (t *table) add(row []string) {
	if row[0] == t.last {
		row[0] = ""
	} else {
		t.last = row[0]
	}
	t.rows = append(t.rows, row)
}

// write writes the table with a rule under its head, or nothing if it has no row.
func (t *table) write(w io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	return tabular.Write(w, t.head, t.rows, func(column int) bool { return column < 2 })
}
