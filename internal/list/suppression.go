package list

import (
	"io"
	"slices"
	"strings"

	"flyball/internal/mail"
)

// Set is a set of addresses that must not be mailed. The zero value is empty.
// Safe for concurrent use.
type Set struct{ keys map[key]struct{} }

// Has reports whether a must not be mailed. The case of the local part does
// not count here: sending to somebody who asked not to get mail is the worse
// mistake.
func (s Set) Has(a mail.Address) bool {
	_, ok := s.keys[foldedKey(a)]
	return ok
}

// Len is the number of different addresses.
func (s Set) Len() int { return len(s.keys) }

func foldedKey(a mail.Address) key {
	a.Local = strings.ToLower(a.Local)
	return keyOf(a)
}

// ReadSuppression reads a suppression list: one address per line, or
// comma-separated values with a column "email", of which nothing else is used.
// Any domain may be listed; empty lines are skipped; an empty file is an empty
// list. A list with any error is refused as a whole, with name:line:col:
// message, since a line that is not understood may be somebody's wish not to
// be mailed.
func ReadSuppression(r io.Reader, name string) (Set, error) {
	set := Set{make(map[key]struct{})}
	if err := set.read(&rows{lines: newLines(r, name)}); err != nil {
		return Set{}, err
	}
	return set, nil
}

func (s Set) read(r *rows) error {
	for want := `one address per line, or a header with a column "email"`; ; want = "one address per line" {
		ok, err := r.lines.nonEmpty()
		if !ok || err != nil {
			return err
		}
		if s.Len() == 0 && namesEmail(r.lines.text) {
			return s.readRows(r)
		}
		a, err := mail.ParseAddress(string(r.lines.text))
		if err != nil {
			return r.fault(r.lines.at, 1, "%v; want %s", err, want)
		}
		s.keys[foldedKey(a)] = struct{}{}
	}
}

// namesEmail reports whether a line is a header with the column of addresses.
func namesEmail(line []byte) bool {
	return slices.ContainsFunc(strings.Split(string(line), ","), func(c string) bool { return strings.Trim(c, `"`) == Email })
}

// readRows adds the addresses below the header, which is the current line.
func (s Set) readRows(r *rows) error {
	if err := r.split(); err != nil {
		return err
	}
	header, email, err := r.header()
	if err != nil {
		return err
	}
	for {
		ok, err := r.next()
		if !ok || err != nil {
			return err
		}
		fields := r.fields()
		if len(fields) != len(header) {
			return r.fault(r.at, 1, "fields: got %d, want %d as in the header", len(fields), len(header))
		}
		a, err := mail.ParseAddress(fields[email])
		if err != nil {
			return r.fault(r.at, 1, "%v", err)
		}
		s.keys[foldedKey(a)] = struct{}{}
	}
}
