package format

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/csvfile"
)

// WriteCSV returns the rows as CSV (RFC 4180, lines end in a line feed). Fields that are
// not numbers are written as csvfile.Text, which is safe to open in a spreadsheet.
func WriteCSV(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b) // a Buffer never fails
	var safe []string
	for _, row := range rows {
		safe = safe[:0]
		for _, cell := range row {
			if _, err := strconv.ParseFloat(cell, 64); err != nil {
				cell = csvfile.Text(cell)
			}
			safe = append(safe, cell)
		}
		w.Write(safe)
	}
	w.Flush()
	return b.Bytes()
}

// Field returns a text as WriteCSV would write it, with quotes, for CSV that is written
// piece by piece.
func Field(text string) string {
	text = csvfile.Text(text)
	if !strings.ContainsAny(text, ",\"\r\n") && text != "" && text[0] != ' ' {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}

// Reader reads the rows of a CSV file of a run folder field by field. The first problem
// stops it.
type Reader struct {
	csv   *csvfile.Reader
	width int
	at    int
	Err   error
}

// ReadCSV returns a Reader of a CSV file, whose head must be the given columns.
func ReadCSV(raw []byte, columns []string) (*Reader, error) {
	f := &Reader{csv: csvfile.NewReader(bytes.NewReader(raw), ""), width: len(columns)}
	head, err := f.csv.Header("the columns " + strings.Join(columns, ","))
	if err != nil {
		return nil, err
	}
	if !slices.Equal(head.Names, columns) {
		return nil, fmt.Errorf("got columns %s, want %s", strings.Join(head.Names, ","), strings.Join(columns, ","))
	}
	return f, nil
}

// Each yields the reader at every row until the end or the first problem, which Err then
// has.
func (f *Reader) Each(yield func(*Reader) bool) {
	for f.Err == nil {
		ok, err := f.csv.Next()
		if ok && err == nil {
			err = f.csv.Width(f.width)
			if err != nil {
				err = f.csv.Fault(0, "%v", err)
			}
		}
		f.at, f.Err = 0, err
		if !ok || err != nil || !yield(f) {
			return
		}
	}
}

// Text returns the next field of the row.
func (f *Reader) Text() string {
	f.at++
	return csvfile.Plain(string(f.csv.Field(f.at - 1)))
}

// Bad reports the last field as the problem that ends the reading, unless there was one
// before. Want is what the field should be.
func (f *Reader) Bad(want string) {
	if f.Err == nil {
		f.Err = f.csv.Fault(f.at-1, "got %q, want %s", f.csv.Field(f.at-1), want)
	}
}

// Num returns the next field as a number; an empty field is missing.
func (f *Reader) Num() Num {
	text := f.Text()
	if text == "" {
		return Missing
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !Num(v).Known() {
		f.Bad("a number")
	}
	return Num(v)
}

// Whole returns the next field as a whole number of at most 63 bits.
func (f *Reader) Whole() uint64 {
	v, err := strconv.ParseUint(f.Text(), 10, 63)
	if err != nil {
		f.Bad("a whole number")
	}
	return v
}

// Yes returns the next field as true or false.
func (f *Reader) Yes() bool {
	v, err := strconv.ParseBool(f.Text())
	if err != nil {
		f.Bad("true or false")
	}
	return v
}
