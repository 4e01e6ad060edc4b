// Package list reads the lists of a live run: recipients with their merge
// fields, and the addresses that must not be mailed.
//
// A list is trusted or refused row by row. A row that cannot be mailed safely
// goes to the reject file with its reason; whatever makes it doubtful where
// rows and fields begin refuses the whole file. Nothing is repaired: no
// trimming, no guessing of encodings. The package does no I/O but through the
// reader and writer it is given, and knows neither scenario nor message.
// Called by realrun and the command line.
package list

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"flyball/internal/mail"
)

// Email is the name of the column that holds the address.
const Email = "email"

// Row is an accepted row. It may be kept.
type Row struct {
	Line    int // where it begins in the file, from 1
	Address mail.Address
	Fields  []string // one per column, in the order of the header
}

// Reject is a row that is not mailed.
type Reject struct {
	Line   int
	Email  string // as read; the first field if the row is too short
	Reason string // one line
}

// Count accounts for the rows below the header:
// In = Accepted + Rejected + Duplicate.
type Count struct{ In, Accepted, Rejected, Duplicate int }

// Options say what a list may hold. The zero value admits reserved domains
// only (RFC 2606, RFC 6761).
type Options struct {
	// AllowDomain, if not nil, admits domains that are not reserved.
	AllowDomain func(domain string) bool
	// Header, if not nil, is told the names of the columns before the first
	// row. Its error ends the reading.
	Header func(columns []string) error
	// Check, if not nil, says why a row is rejected that is otherwise good,
	// because its message cannot be rendered for instance.
	Check func(Row) error
}

// Read reads recipients from comma-separated values with a header (RFC 4180):
// a column "email" and merge fields. UTF-8, with or without byte order mark;
// LF or CRLF, mixed too; empty lines are skipped. Each row is given to accept
// or to reject, in the order of the file; a duplicate goes to reject with the
// line that was kept, which is the first accepted one. Duplicates are told by
// 128 bits of SHA-256 over the address, so memory grows by some 50 bytes per
// distinct address and by nothing else.
//
// Errors are of the form name:line:col: message (col in bytes), and refuse the
// file as a whole: rows that were accepted before must not be mailed. A caller
// that streams reads the file twice, first to check it. Errors of r, accept,
// reject and opts.Header end the reading too.
func Read(r io.Reader, name string, opts Options, accept func(Row) error, reject func(Reject) error) (Count, error) {
	var count Count
	rows := rows{lines: newLines(r, name)}
	header, email, err := rows.begin(opts)
	if err != nil {
		return count, err
	}
	kept := make(map[key]int) // address -> its line
	for {
		ok, err := rows.next()
		if !ok || err != nil {
			return count, err
		}
		row := Row{Line: rows.at, Fields: rows.fields()}
		var reason string
		row.Address, reason = judge(row.Fields, header, email, opts)
		k := keyOf(row.Address)
		first, duplicate := kept[k]
		if reason == "" && !duplicate && opts.Check != nil {
			if err := opts.Check(row); err != nil {
				reason = err.Error()
			}
		}
		count.In++
		switch {
		case reason != "":
			count.Rejected++
		case duplicate:
			count.Duplicate++
			reason = fmt.Sprintf("duplicate of line %d", first)
		default:
			count.Accepted++
			kept[k] = row.Line
			if err := accept(row); err != nil {
				return count, err
			}
			continue
		}
		if err := reject(Reject{row.Line, given(row.Fields, email), reason}); err != nil {
			return count, err
		}
	}
}

// given is the address of a row as read; the first field if the row is too
// short.
func given(fields []string, email int) string {
	if email < len(fields) {
		return fields[email]
	}
	return fields[0]
}

// begin reads the header, which every list has, and tells its names.
func (r *rows) begin(opts Options) (header []string, email int, err error) {
	ok, err := r.next()
	if err != nil {
		return nil, 0, err
	}
	if !ok {
		return nil, 0, r.fault(1, 1, "file is empty, want a header with a column %q", Email)
	}
	if header, email, err = r.header(); err == nil && opts.Header != nil {
		err = opts.Header(header)
	}
	return header, email, err
}

// header takes the current row for the names of the columns, and finds the
// address among them.
func (r *rows) header() ([]string, int, error) {
	names := r.fields()
	email := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, Email) })
	column := make(map[string]int, len(names))
	for i, name := range names {
		if _, err := mail.ParseAddress(name); err == nil && email < 0 {
			return nil, 0, r.fault(r.at, 1, "no header: the first row has address %.60q, want a header with a column %q", name, Email)
		}
		switch first, repeated := column[name]; {
		case repeated:
			return nil, 0, r.fault(r.at, 1, "header names columns %d and %d both %.60q, want different names", first+1, i+1, name)
		case name == "":
			return nil, 0, r.fault(r.at, 1, "header has no name for column %d", i+1)
		case name != strings.TrimSpace(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return nil, 0, r.fault(r.at, 1, "header has column %.60q, want a name without spaces around it and without control characters", name)
		}
		column[name] = i
	}
	if email < 0 {
		hint := ""
		if len(names) == 1 && strings.ContainsAny(names[0], ";\t") {
			hint = "; columns are separated by commas"
		}
		return nil, 0, r.fault(r.at, 1, "header has no column %q, it begins with %.60q%s", Email, names[:min(len(names), 8)], hint)
	}
	return names, email, nil
}

// judge returns the address of a row, or why the row is rejected.
func judge(fields, header []string, email int, opts Options) (mail.Address, string) {
	if len(fields) != len(header) {
		return mail.Address{}, fmt.Sprintf("fields: got %d, want %d as in the header", len(fields), len(header))
	}
	a, err := mail.ParseAddress(fields[email])
	if err != nil {
		return a, err.Error()
	}
	if !a.Reserved() && (opts.AllowDomain == nil || !opts.AllowDomain(a.Domain)) {
		return a, fmt.Sprintf("domain %q is neither reserved for tests (such as x.test, example.com) nor allowed", a.Domain)
	}
	for i, f := range fields {
		if strings.ContainsAny(f, "\r\n") {
			return a, fmt.Sprintf("field %q has a line break, want a single line", header[i])
		}
	}
	return a, ""
}

// key stands for an address: 128 bits of SHA-256. With 10 million addresses
// two of them share a key with a chance below 1e-24, even if somebody tries.
type key [16]byte

func keyOf(a mail.Address) key {
	var buf [256]byte
	sum := sha256.Sum256(a.Append(buf[:0]))
	return key(sum[:16])
}
