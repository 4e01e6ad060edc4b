// Package csvfile reads comma-separated values as people and spreadsheets write
// them, and makes text safe for a CSV file. Every CSV reader of this project uses
// it, so that all accept and refuse the same files and name places in the same way.
//
// A file is UTF-8, with or without byte order mark. Its lines end with LF or
// CRLF, or all of them with CR alone. Fields are separated by commas, or by the
// semicolon, tab or bar that the line "sep=;" before the header names; without
// that line the header decides, see Reader. Anything that makes the bounds of rows
// and fields doubtful is an error, with the place and a remedy. The package does not
// guess otherwise and does not change fields.
//
// encoding/csv is not used: it neither bounds a row, nor checks the text, nor reads a
// row without an allocation, and lists of millions of recipients need all three.
// The fuzz test of package list compares the two.
package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxRow bounds a row in bytes, with its quotes and line ends, and so the memory
// that a damaged file can ask for.
const MaxRow = 1 << 20

// Reader reads a file row by row (RFC 4180). Empty lines are not rows.
//
// The separator is the one that a first line such as "sep=;" names. Without
// such a line it is the comma, unless the header has no comma outside quotes and
// exactly one of semicolon, tab and bar: then it is that one.
type Reader struct {
	// Comment, if not 0, begins lines that are skipped.
	Comment byte

	src  *bufio.Reader
	name string
	sep  byte // between fields
	end  byte // of a line: LF, also of CRLF, or CR

	begun bool   // start has looked at the file
	at    int    // number of the line last read, from 1
	line  []byte // that line, without its end
	stray bool   // the line holds CR or LF, which may stand within quotes only

	row    int     // line where the row last read begins
	text   []byte  // fields of the row, one after the other, without quotes
	ends   []int   // where each field ends in text
	starts []place // where each field begins in the file
}

type place struct{ line, col int }

// NewReader returns a Reader of src. name stands before every error, unless it is
// empty because the caller names the file.
func NewReader(src io.Reader, name string) *Reader {
	return &Reader{src: bufio.NewReaderSize(src, peeked), name: name}
}

// peeked is how many bytes of a file are inspected for separator and line ends.
const peeked = 64 << 10

// errLong is the error of NextLine for a line that does not fit.
var errLong = fmt.Errorf("row is longer than %d bytes", MaxRow)

// Next reads the next row; false at the end of the file. An error is a Fault or an
// error of the underlying reader, and ends the reading.
func (r *Reader) Next() (bool, error) {
	for {
		ok, err := r.NextLine()
		if !ok || err != nil {
			return false, err
		}
		if r.Comment == 0 || r.line[0] != r.Comment {
			return true, r.Split()
		}
	}
}

// NextLine reads the next line that is not empty; false at the end of the file.
// Split makes a row of it.
func (r *Reader) NextLine() (bool, error) {
	for {
		ok, err := r.readLine(MaxRow)
		if err == errLong {
			return false, r.faultAt(r.at+1, 1, "%v", err)
		}
		if !ok || err != nil || len(r.line) > 0 {
			return ok, err
		}
	}
}

// Raw returns the line last read, without its end. It is valid until the next one is.
func (r *Reader) Raw() []byte { return r.line }

// Row returns the number of the line, from 1, where the row last read begins.
func (r *Reader) Row() int { return r.row }

// Len returns the number of fields of the row last read, at least 1.
func (r *Reader) Len() int { return len(r.ends) }

// Field returns field i of the row, from 0. It is valid until the next row is read.
func (r *Reader) Field(i int) []byte {
	if i == 0 {
		return r.text[:r.ends[0]]
	}
	return r.text[r.ends[i-1]:r.ends[i]]
}

// Strings returns all fields of the row, which may be kept.
func (r *Reader) Strings() []string {
	text, start := string(r.text), 0
	all := make([]string, len(r.ends))
	for i, end := range r.ends {
		all[i] = text[start:end]
		start = end
	}
	return all
}

// Fault returns an error about field i of the row last read, as
// "name:line:col: message". Lines and columns count from 1, columns in bytes.
func (r *Reader) Fault(i int, format string, args ...any) error {
	at := place{max(r.row, 1), 1}
	if i < len(r.starts) {
		at = r.starts[i]
	}
	return r.faultAt(at.line, at.col, format, args...)
}

// FaultInLine returns an error about the line last read.
func (r *Reader) FaultInLine(format string, args ...any) error {
	return r.faultAt(max(r.at, 1), 1, format, args...)
}

func (r *Reader) faultAt(line, col int, format string, args ...any) error {
	text := fmt.Sprintf("%d:%d: %s", line, col, fmt.Sprintf(format, args...))
	if r.name != "" {
		text = r.name + ":" + text
	}
	return errors.New(text)
}

// Width returns an error if the row does not have n fields, as the header has.
func (r *Reader) Width(n int) error {
	if r.Len() == n {
		return nil
	}
	if r.sep != ',' {
		return fmt.Errorf("fields: got %d separated by %q, want %d as in the header", r.Len(), r.sep, n)
	}
	return fmt.Errorf("fields: got %d, want %d as in the header", r.Len(), n)
}

// readLine reads a line of at most room bytes; false at the end of the file.
func (r *Reader) readLine(room int) (bool, error) {
	if !r.begun {
		r.begun = true
		if err := r.start(); err != nil {
			return false, err
		}
	}
	r.line = r.line[:0]
	for more := true; more; {
		part, err := r.src.ReadSlice(r.end)
		r.line = append(r.line, part...)
		more = err == bufio.ErrBufferFull
		switch {
		case err != nil && err != io.EOF && !more:
			return false, fmt.Errorf("%s: %w", r.name, err)
		case len(r.line) > room:
			return false, errLong
		case len(r.line) == 0:
			return false, nil
		}
	}
	r.at++
	if ended := bytes.TrimSuffix(r.line, []byte{r.end}); r.end == '\n' && len(ended) < len(r.line) {
		r.line = bytes.TrimSuffix(ended, []byte("\r"))
	} else {
		r.line = ended
	}
	r.stray = bytes.IndexByte(r.line, '\r') >= 0 || bytes.IndexByte(r.line, '\n') >= 0
	if i := bytes.IndexByte(r.line, 0); i >= 0 {
		return false, r.faultAt(r.at, i+1, "NUL byte, want text")
	}
	if !utf8.Valid(r.line) {
		i := invalid(r.line)
		return false, r.faultAt(r.at, i+1,
			`byte %#02x is not UTF-8, want UTF-8 text (a spreadsheet writes it as "CSV UTF-8")`, r.line[i])
	}
	return true, nil
}

// invalid returns the index of the first byte that is not UTF-8.
func invalid(s []byte) int {
	for i := 0; ; {
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
}

// Split makes a row of the current line, and of the lines after it if a quoted
// field goes on there.
func (r *Reader) Split() error {
	r.row, r.text, r.ends, r.starts = r.at, r.text[:0], r.ends[:0], r.starts[:0]
	rest := r.line
	room := MaxRow - len(rest) - 1
	for {
		r.starts = append(r.starts, place{r.at, r.col(rest)})
		var err error
		if len(rest) > 0 && rest[0] == '"' {
			rest, err = r.quoted(rest, &room)
		} else {
			rest, err = r.plain(rest)
		}
		if err != nil {
			return err
		}
		r.ends = append(r.ends, len(r.text))
		if len(rest) == 0 {
			return nil
		}
		rest = rest[1:] // the separator
	}
}

// plain reads an unquoted field and returns what follows it.
func (r *Reader) plain(rest []byte) ([]byte, error) {
	field := rest
	if i := bytes.IndexByte(rest, r.sep); i >= 0 {
		field = rest[:i]
	}
	if i := bytes.IndexByte(field, '"'); i >= 0 {
		return nil, r.faultAt(r.at, r.col(rest)+i,
			`quote in an unquoted field, want the field in quotes and this quote doubled`)
	}
	if r.stray {
		if i := bytes.IndexAny(field, "\r\n"); i >= 0 {
			return nil, r.badEnd(rest, i)
		}
	}
	r.text = append(r.text, field...)
	return rest[len(field):], nil
}

// badEnd returns an error about a line end of another kind, i bytes into rest.
func (r *Reader) badEnd(rest []byte, i int) error {
	got := "CR without LF"
	if rest[i] == '\n' {
		got = "LF after lines that end with CR"
	}
	return r.faultAt(r.at, r.col(rest)+i, "%s, want one kind of line ends: LF or CRLF, or CR alone throughout", got)
}

// quoted reads a field in quotes, which may go on over the next lines, and
// returns what follows it.
func (r *Reader) quoted(rest []byte, room *int) ([]byte, error) {
	line, col := r.at, r.col(rest)
	rest = rest[1:]
	for {
		i := bytes.IndexByte(rest, '"')
		switch {
		case i < 0:
			r.text = append(append(r.text, rest...), '\n')
			ok, err := r.readLine(*room)
			if err == errLong {
				return nil, r.faultAt(line, col, "%v, want a closing quote for this one before", err)
			}
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, r.faultAt(line, col, "quote is not closed before the end of the file")
			}
			rest = r.line
			*room -= len(rest) + 1
		case i+1 < len(rest) && rest[i+1] == '"':
			r.text = append(r.text, rest[:i+1]...)
			rest = rest[i+2:]
		case i+1 < len(rest) && (rest[i+1] == '\r' || rest[i+1] == '\n'):
			return nil, r.badEnd(rest, i+1)
		case i+1 < len(rest) && rest[i+1] != r.sep:
			_, n := utf8.DecodeRune(rest[i+1:])
			return nil, r.faultAt(r.at, r.col(rest)+i+1,
				"%q after the closing quote, want %s or the end of the line (a quote within a field is doubled)",
				rest[i+1:i+1+n], separators[r.sep])
		default:
			r.text = append(r.text, rest[:i]...)
			return rest[i+1:], nil
		}
	}
}

// col returns the column where the unread rest of the current line begins.
func (r *Reader) col(rest []byte) int { return len(r.line) - len(rest) + 1 }

// separators are the bytes that may stand between fields, with their names.
var separators = map[byte]string{',': "a comma", ';': "a semicolon", '\t': "a tab", '|': "a bar"}

// start looks at the first bytes of the file: what kind of file it is, how its
// lines end, and what separates its fields.
func (r *Reader) start() error {
	r.sep, r.end = ',', '\n'
	head, _ := r.src.Peek(peeked) // an error comes again at the read
	if kind := foreign(head); kind != "" {
		return r.faultAt(1, 1, `file is %s, want CSV as UTF-8 text (a spreadsheet writes it as "CSV UTF-8")`, kind)
	}
	if mark := []byte("\ufeff"); bytes.HasPrefix(head, mark) {
		r.src.Discard(len(mark))
		head = head[len(mark):]
	}
	first, end := firstLine(head, r.Comment)
	r.end = end
	named, ok := separatorLine(first)
	if !ok {
		r.sep = separatorOf(first)
		return nil
	}
	if separators[named] == "" {
		return r.faultAt(1, 1, `separator: got %q, want "sep=" with a comma, semicolon, tab or bar`, first)
	}
	r.sep = named
	for {
		ok, err := r.readLine(MaxRow)
		if _, named := separatorLine(r.line); named || !ok || err != nil {
			return err
		}
	}
}

// foreign returns what a file is that is not text, by its first bytes; "" if it
// may be text.
func foreign(head []byte) string {
	starts := func(mark string) bool { return bytes.HasPrefix(head, []byte(mark)) }
	wide := func(zero int) bool { // every second byte of ASCII in UTF-16
		return len(head) >= 4 && head[zero] == 0 && head[zero+2] == 0 && head[1-zero] != 0 && head[3-zero] != 0
	}
	switch {
	case starts("\xff\xfe\x00\x00"), starts("\x00\x00\xfe\xff"):
		return "UTF-32"
	case starts("\xff\xfe"), starts("\xfe\xff"):
		return fmt.Sprintf("UTF-16 (it begins with % x)", head[:2])
	case wide(0), wide(1):
		return "UTF-16 (every second byte is NUL)"
	case starts("PK\x03\x04"):
		return "a ZIP archive, such as a spreadsheet in its own format"
	case starts("\x1f\x8b"):
		return "compressed with gzip"
	}
	return ""
}

// firstLine returns the first line of head that is neither empty nor a comment,
// and the byte that ends lines. Line ends within quotes are text.
func firstLine(head []byte, comment byte) (line []byte, end byte) {
	start, quoted := 0, false
	isComment := func() bool { return comment != 0 && head[start] == comment }
	for i, c := range head {
		switch {
		case c == '"' && !isComment():
			quoted = !quoted
		case quoted || c != '\r' && c != '\n':
		case end == 0:
			end = '\n'
			if rest := bytes.TrimLeft(head[i:], "\r"); c == '\r' && (len(rest) == 0 || rest[0] != '\n') {
				end = '\r'
			}
			fallthrough
		default:
			if i > start && !isComment() {
				return head[start:i], end
			}
			start = i + 1
		}
	}
	if end == 0 {
		end = '\n'
	}
	return head[start:], end
}

// separatorLine reports whether a line names the separator, and which it is.
func separatorLine(line []byte) (byte, bool) {
	if len(line) == len(`"sep=;"`) && line[0] == '"' && line[len(line)-1] == '"' {
		line = line[1 : len(line)-1]
	}
	const begin = "sep="
	if len(line) != len(begin)+1 || !bytes.EqualFold(line[:len(begin)], []byte(begin)) {
		return 0, false
	}
	return line[len(begin)], true
}

// separatorOf returns what separates the fields of a header.
func separatorOf(header []byte) byte {
	found, quoted := byte(0), false
	for _, c := range header {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted || separators[c] == "" || c == found:
		case c == ',' || found != 0:
			return ',' // a comma, or two other kinds
		default:
			found = c
		}
	}
	if found == 0 {
		return ','
	}
	return found
}

// Header is the first row of a file.
type Header struct {
	Names []string // see Name
	r     *Reader
}

// Name returns a column's name as it is compared: without space around it, and
// with one space for each stretch of spaces and line breaks in it.
func Name(s string) string { return strings.Join(strings.Fields(s), " ") }

// errEmpty is wrapped by the error of Header for a file without rows.
var errEmpty = errors.New("file is empty")

// Header reads the first row as names of columns. want completes the error
// "file is empty, want ...".
func (r *Reader) Header(want string) (Header, error) {
	ok, err := r.Next()
	if err == nil && !ok {
		err = r.faultAt(1, 1, "%v, want %s", errEmpty, want)
	}
	if err != nil {
		return Header{}, err
	}
	return r.AsHeader(), nil
}

// AsHeader returns the row last read as names of columns.
func (r *Reader) AsHeader() Header {
	h := Header{Names: r.Strings(), r: r}
	for i, name := range h.Names {
		h.Names[i] = Name(name)
	}
	return h
}

// Find returns the column of that name, whatever its case; -1 if there is none.
// Two such columns are an error.
func (h Header) Find(name string) (int, error) {
	found := -1
	for i, n := range h.Names {
		switch {
		case !strings.EqualFold(n, name):
		case found < 0:
			found = i
		default:
			return -1, h.r.Fault(i, "header names columns %d and %d both %q, whatever the case: want one column %s",
				found+1, i+1, h.Names[found], name)
		}
	}
	return found, nil
}

// List returns the first names of the header for an error message.
func (h Header) List() string {
	text := fmt.Sprintf("%.60q", h.Names[:min(len(h.Names), 8)])
	if h.r.sep == ',' && slices.ContainsFunc(h.Names, func(n string) bool { return strings.ContainsAny(n, ";\t|") }) {
		text += `; columns are separated by commas unless a first line such as "sep=;" names another separator`
	}
	return text
}
