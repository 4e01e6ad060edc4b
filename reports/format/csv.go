package format

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// WriteCSV returns the rows as CSV (RFC 4180, lines end in a line feed).
func WriteCSV(rows [][]string) []byte {
	var b bytes.Buffer
	csv.NewWriter(&b).WriteAll(rows) // a Buffer never fails
	return b.Bytes()
}

// Reader reads the rows of a CSV file of ours field by field. The first
// problem stops it.
type Reader struct {
	csv *csv.Reader
	row []string
	at  int
	Err error
}

// ReadCSV begins to read a CSV file whose head must be these columns.
func ReadCSV(raw []byte, columns []string) (*Reader, error) {
	f := &Reader{csv: csv.NewReader(bytes.NewReader(raw))}
	head, err := f.csv.Read()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(head, columns) {
		return nil, fmt.Errorf("got columns %s, want %s", strings.Join(head, ","), strings.Join(columns, ","))
	}
	return f, nil
}

// Each yields the reader at every row, until the end or the first problem, which
// is then in Err.
func (f *Reader) Each(yield func(*Reader) bool) {
	for f.Err == nil {
		row, err := f.csv.Read()
		if err == io.EOF {
			return
		}
		f.row, f.at, f.Err = row, 0, err
		if err != nil || !yield(f) {
			return
		}
	}
}

// Text returns the next field of the row.
func (f *Reader) Text() string {
	f.at++
	return f.row[f.at-1]
}

// Bad makes the last field the problem that ends the reading, unless there was one before.
func (f *Reader) Bad(want string) {
	if f.Err == nil {
		line, col := f.csv.FieldPos(f.at - 1)
		f.Err = fmt.Errorf("%d:%d: got %q, want %s", line, col, f.row[f.at-1], want)
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
