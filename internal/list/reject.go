package list

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"flyball/internal/csvfile"
)

// RejectWriter writes rejected rows as comma-separated values with the header
// line,email,reason, one line each, safe to open in a spreadsheet and to print
// on a terminal: see csvfile.Text; and a cell with control characters is written
// as a quoted Go string.
type RejectWriter struct{ w *csv.Writer }

// NewRejectWriter writes to w. The header is written in any case.
func NewRejectWriter(w io.Writer) *RejectWriter {
	r := &RejectWriter{csv.NewWriter(w)}
	r.w.Write([]string{"line", "email", "reason"}) // csv.Writer keeps the error for Flush
	return r
}

// Write buffers a row; it may be given to Read as its reject.
func (r *RejectWriter) Write(j Reject) error {
	return r.w.Write([]string{strconv.Itoa(j.Line), cell(j.Email), cell(j.Reason)})
}

// Flush writes what is buffered, and reports any error since the start.
func (r *RejectWriter) Flush() error {
	r.w.Flush()
	return r.w.Error()
}

func cell(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return csvfile.Text(s)
}
