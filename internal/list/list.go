// Package list reads the lists of a live run: recipients with their merge
// fields, and the addresses that must not be mailed.
//
// A list is trusted or refused row by row. A row that cannot be mailed safely
// goes to the reject file with its reason; whatever makes it doubtful where
// rows and fields begin refuses the whole file, see csvfile. No value is
// repaired. The package does no I/O but through the reader and writer it is
// given, and imports neither scenario nor message. Called by realrun.
package list

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode"

	"flyball/internal/csvfile"
	"flyball/internal/mail"
)

// Email is the name of the column that holds the address.
const Email = "email"

// Row is an accepted row. It may be kept.
type Row struct {
	Line    int // where it begins in the file, from 1
	Address mail.Address
	Fields  []string // of the columns that Options.Header chose, in its order
}

// Reject is a row that is not mailed.
type Reject struct {
	Line   int
	Email  string // as read; the first field if the row is too short
	Reason string // one line
}

// Count accounts for the rows below the header:
// In = Accepted + Rejected + Duplicate.
type Count struct {
	In, Accepted, Rejected, Duplicate int
	// CaseOnly counts the accepted rows whose address differs from the address of
	// an earlier accepted row only in the case of the local part. It is 0 with
	// Options.FoldCase.
	CaseOnly int
}

// Options say what a list may hold. The zero value admits reserved domains
// only (RFC 2606, RFC 6761).
type Options struct {
	// AllowDomain, if not nil, admits domains that are not reserved.
	AllowDomain func(domain string) bool
	// FoldCase makes addresses that differ only in case duplicates of each
	// other. By the standard local parts that differ in case are different
	// mailboxes (RFC 5321 2.4), at most providers they are one.
	FoldCase bool
	// Header, if not nil, gets the names of the columns before the first row
	// and returns the columns, from 0, whose values a Row holds: the others are
	// not kept. Its error ends the reading. If it is nil, rows hold all columns.
	Header func(columns []string) ([]int, error)
	// Check, if not nil, returns why a row is rejected that is otherwise good,
	// because its message cannot be rendered for instance.
	Check func(Row) error
}

// Read reads recipients from CSV with a header: a column "email", of any case,
// and merge fields. The format is that of csvfile. Each row is given to accept
// or to reject, in the order of the file; a duplicate goes to reject with the
// line that was kept, which is the first accepted one.
//
// Duplicates are found by 96 bits of SHA-256 over the address. Memory grows by
// some 50 bytes per distinct address and by nothing else.
//
// Errors are of the form name:line:col: message (col in bytes), and refuse the
// file as a whole: rows that were accepted before must not be mailed. A caller
// that streams reads the file twice, first to check it. Errors of r, accept,
// reject and opts.Header end the reading too.
func Read(r io.Reader, name string, opts Options, accept func(Row) error, reject func(Reject) error) (Count, error) {
	var count Count
	l, err := begin(r, name, opts)
	if err != nil {
		return count, err
	}
	var kept mailboxes
	for {
		ok, err := l.Next()
		if !ok || err != nil {
			return count, err
		}
		row := Row{Line: l.Row()}
		var reason string
		row.Address, reason = l.judge(func(b []byte) string { return string(b) })
		box := boxOf(row.Address)
		first := 0
		if reason == "" {
			if first = kept.line(box, opts.FoldCase); first == 0 {
				row.Fields = l.fields()
				if opts.Check != nil {
					if err := opts.Check(row); err != nil {
						reason = err.Error()
					}
				}
			}
		}
		count.In++
		switch {
		case reason != "":
			count.Rejected++
		case first != 0:
			count.Duplicate++
			reason = fmt.Sprintf("duplicate of line %d", first)
		default:
			count.Accepted++
			if kept.add(box, row.Line) {
				count.CaseOnly++
			}
			if err := accept(row); err != nil {
				return count, err
			}
			continue
		}
		if err := reject(Reject{row.Line, string(l.given()), reason}); err != nil {
			return count, err
		}
	}
}

// reading is a list while it is read.
type reading struct {
	*csvfile.Reader
	opts    Options
	columns int   // of the header
	email   int   // column of the addresses
	use     []int // columns whose values a Row holds
}

// begin reads the header, which every list has.
func begin(r io.Reader, name string, opts Options) (*reading, error) {
	l := &reading{Reader: csvfile.NewReader(r, name), opts: opts}
	h, err := l.Header(`a header with a column "` + Email + `"`)
	if err != nil {
		return nil, err
	}
	l.columns = len(h.Names)
	if l.email, err = emailColumn(l.Reader, h); err != nil {
		return nil, err
	}
	if opts.Header != nil {
		l.use, err = opts.Header(h.Names)
		return l, err
	}
	for i := range h.Names {
		l.use = append(l.use, i)
	}
	return l, nil
}

// emailColumn finds the column of addresses, and checks the names of all.
func emailColumn(r *csvfile.Reader, h csvfile.Header) (int, error) {
	email, err := h.Find(Email)
	if err != nil {
		return 0, err
	}
	column := make(map[string]int, len(h.Names))
	for i, name := range h.Names {
		if email < 0 {
			if _, err := mail.ParseAddress(name); err == nil {
				return 0, r.Fault(i, "no header: the first row has address %.60q, want a header with a column %q", name,
					Email)
			}
		}
		switch first, repeated := column[name]; {
		case repeated:
			return 0, r.Fault(i, "header names columns %d and %d both %.60q, want different names", first+1, i+1, name)
		case name == "":
			return 0, r.Fault(i, "header has no name for column %d", i+1)
		case strings.ContainsFunc(name, unicode.IsControl):
			return 0, r.Fault(i, "header has column %.60q, want a name without control characters", name)
		}
		column[name] = i
	}
	if email < 0 {
		return 0, r.Fault(0, "header has no column %q, it begins with %s", Email, h.List())
	}
	return email, nil
}

// given returns the address of a row as it was read; the first field if the row
// is too short.
func (l *reading) given() []byte {
	if l.email < l.Len() {
		return l.Field(l.email)
	}
	return l.Field(0)
}

// fields returns the values of the columns that are used, which may be kept.
func (l *reading) fields() []string {
	if len(l.use) == 0 {
		return nil
	}
	n := 0
	for _, i := range l.use {
		n += len(l.Field(i))
	}
	var text strings.Builder
	text.Grow(n)
	for _, i := range l.use {
		text.Write(l.Field(i))
	}
	all, rest := make([]string, len(l.use)), text.String()
	for at, i := range l.use {
		n := len(l.Field(i))
		all[at], rest = rest[:n], rest[n:]
	}
	return all
}

// judge returns the address of a row, or why the row is rejected. text makes the
// string of which the address is part.
func (l *reading) judge(text func([]byte) string) (mail.Address, string) {
	if err := l.Width(l.columns); err != nil {
		return mail.Address{}, err.Error()
	}
	a, err := mail.ParseAddress(text(l.Field(l.email)))
	if err != nil {
		return a, err.Error()
	}
	if !a.Reserved() && (l.opts.AllowDomain == nil || !l.opts.AllowDomain(a.Domain)) {
		return a, fmt.Sprintf("domain %q is neither reserved for tests (such as x.test, example.com) nor allowed",
			a.Domain)
	}
	return a, ""
}

// key stands for an address: 96 bits of SHA-256. With 10 million addresses two of
// them share a key with a probability below 1e-14. Of two such addresses that were
// searched for, which takes some 2^48 hashes, the second is taken for the first.
type key [12]byte

func keyOf(address []byte) key {
	sum := sha256.Sum256(address)
	return key(sum[:12])
}

// short returns 64 bits of a key.
func (k key) short() uint64 { return binary.LittleEndian.Uint64(k[:]) }

// box is an address as it is compared.
type box struct {
	exact, folded key
	capitals      bool // the local part has some: the keys differ
}

// Fold folds case in an address that Append has written: A to Z are as a to z. It reports whether there were
// capitals. It is the only rule for duplicates and suppression, in memory and in a database.
func Fold(text []byte) (capitals bool) {
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			text[i], capitals = c-'A'+'a', true
		}
	}
	return capitals
}

// boxOf returns the keys of an address.
func boxOf(a mail.Address) box {
	var buf [256]byte
	text := a.Append(buf[:0])
	b := box{exact: keyOf(text)}
	b.capitals = Fold(text)
	b.folded = b.exact
	if b.capitals {
		b.folded = keyOf(text)
	}
	return b
}

// mailboxes are the addresses of the rows that were accepted, with their lines.
type mailboxes struct {
	folded map[key]lineOf
	others map[key]int // by their exact key: those that differ from one of folded in case only
}

// lineOf is the line of the first of the addresses that are the same when folded.
// exact: 32 bits of its exact key, enough among the few that are the same folded
type lineOf struct{ line, exact uint32 }

func (b box) bits() uint32 { return uint32(b.exact.short()) }

// line returns the line of the accepted row that makes b a duplicate; 0 if there is none.
func (m *mailboxes) line(b box, fold bool) int {
	switch first, ok := m.folded[b.folded]; {
	case !ok:
		return 0
	case fold || first.exact == b.bits():
		return int(first.line)
	}
	return m.others[b.exact]
}

// add adds an address that is not a duplicate. It reports whether an earlier one
// differs from it only in case.
func (m *mailboxes) add(b box, line int) bool {
	if m.folded == nil {
		m.folded, m.others = map[key]lineOf{}, map[key]int{}
	}
	if _, ok := m.folded[b.folded]; ok {
		m.others[b.exact] = line
		return true
	}
	m.folded[b.folded] = lineOf{uint32(line), b.bits()}
	return false
}
