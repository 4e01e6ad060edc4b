package list

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
	"unsafe"
)

// maxRow bounds a row, with its quotes and line ends, and so the memory that a
// damaged file can ask for.
const maxRow = 1 << 20

// lines reads a text file line by line: UTF-8, with or without byte order
// mark, ended by LF or CRLF. Positions count lines and bytes from 1.
type lines struct {
	src  *bufio.Reader
	name string
	at   int    // number of the line last read
	text []byte // that line, without its end
}

func newLines(r io.Reader, name string) lines {
	return lines{src: bufio.NewReaderSize(r, 64<<10), name: name}
}

// fault is an error at a place of the file.
func (l *lines) fault(line, col int, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", l.name, line, col, fmt.Sprintf(format, args...))
}

// errRoom says that a line does not fit.
var errRoom = fmt.Errorf("row is longer than %d bytes", maxRow)

// next reads a line of at most room bytes; false at the end of the file.
func (l *lines) next(room int) (bool, error) {
	if l.at == 0 {
		if err := l.start(); err != nil {
			return false, err
		}
	}
	l.text = l.text[:0]
	for more := true; more; {
		part, err := l.src.ReadSlice('\n')
		l.text = append(l.text, part...)
		more = err == bufio.ErrBufferFull
		switch {
		case err != nil && err != io.EOF && !more:
			return false, fmt.Errorf("%s: %w", l.name, err)
		case len(l.text) > room:
			return false, errRoom
		case len(l.text) == 0:
			return false, nil
		}
	}
	l.at++
	l.text = bytes.TrimSuffix(l.text, []byte("\n"))
	l.text = bytes.TrimSuffix(l.text, []byte("\r"))
	if i := bytes.IndexByte(l.text, 0); i >= 0 {
		return false, l.fault(l.at, i+1, "NUL byte, want text")
	}
	if !utf8.Valid(l.text) {
		i := invalid(l.text)
		return false, l.fault(l.at, i+1, "byte %#02x is not UTF-8, want UTF-8 text", l.text[i])
	}
	return true, nil
}

// nonEmpty reads the next line that is not empty; false at the end of the file.
func (l *lines) nonEmpty() (bool, error) {
	for {
		ok, err := l.next(maxRow)
		if err == errRoom {
			return false, l.fault(l.at+1, 1, "%v", err)
		}
		if !ok || len(l.text) > 0 {
			return ok, err
		}
	}
}

// start looks at the first bytes of the file.
func (l *lines) start() error {
	mark, _ := l.src.Peek(3) // an error comes again at the read
	switch {
	case bytes.HasPrefix(mark, []byte{0xff, 0xfe}), bytes.HasPrefix(mark, []byte{0xfe, 0xff}):
		return l.fault(1, 1, "file is UTF-16 (it begins with % x), want UTF-8", mark[:2])
	case bytes.Equal(mark, []byte("\ufeff")):
		l.src.Discard(len(mark))
	}
	return nil
}

// invalid is where the first byte stands that is not UTF-8.
func invalid(s []byte) int {
	for i := 0; ; {
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
}

// rows reads comma-separated values (RFC 4180) on top of lines. Empty lines
// are no rows. Only what makes the borders of fields doubtful is an error: a
// quote that is not closed, text after a closing quote, a quote in an unquoted
// field.
type rows struct {
	lines
	at   int    // line where the row last read begins
	text []byte // its fields, one after the other, without quotes
	ends []int  // where each field ends in text
}

// next reads a row; false at the end of the file.
func (r *rows) next() (bool, error) {
	ok, err := r.lines.nonEmpty()
	if !ok || err != nil {
		return false, err
	}
	return true, r.split()
}

// split reads the row that begins with the current line.
func (r *rows) split() error {
	r.at, r.text, r.ends = r.lines.at, r.text[:0], r.ends[:0]
	rest := r.lines.text
	room := maxRow - len(rest)
	for {
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
		rest = rest[1:] // the comma
	}
}

// plain reads an unquoted field and returns what follows it.
func (r *rows) plain(rest []byte) ([]byte, error) {
	field := rest
	if i := bytes.IndexByte(rest, ','); i >= 0 {
		field = rest[:i]
	}
	if i := bytes.IndexByte(field, '"'); i >= 0 {
		return nil, r.fault(r.lines.at, r.col(rest)+i, `quote in an unquoted field, want the field in quotes and this quote doubled`)
	}
	r.text = append(r.text, field...)
	return rest[len(field):], nil
}

// quoted reads a field in quotes, which may go on over the next lines, and
// returns what follows it.
func (r *rows) quoted(rest []byte, room *int) ([]byte, error) {
	line, col := r.lines.at, r.col(rest)
	rest = rest[1:]
	for {
		i := bytes.IndexByte(rest, '"')
		switch {
		case i < 0:
			r.text = append(append(r.text, rest...), '\n')
			ok, err := r.lines.next(*room)
			if err == errRoom {
				return nil, r.fault(line, col, "%v, want a closing quote for this one before", err)
			}
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, r.fault(line, col, "quote is not closed before the end of the file")
			}
			rest = r.lines.text
			*room -= len(rest) + 1
		case i+1 < len(rest) && rest[i+1] == '"':
			r.text = append(r.text, rest[:i+1]...)
			rest = rest[i+2:]
		case i+1 < len(rest) && rest[i+1] != ',':
			_, n := utf8.DecodeRune(rest[i+1:])
			return nil, r.fault(r.lines.at, r.col(rest)+i+1, "%q after the closing quote, want a comma or the end of the line (a quote within a field is doubled)", rest[i+1:i+1+n])
		default:
			r.text = append(r.text, rest[:i]...)
			return rest[i+1:], nil
		}
	}
}

// col is the column where the unread rest of the current line begins.
func (r *rows) col(rest []byte) int { return len(r.lines.text) - len(rest) + 1 }

// fields returns the row as strings of its own.
func (r *rows) fields() []string {
	text, start := string(r.text), 0
	fields := make([]string, len(r.ends))
	for i, end := range r.ends {
		fields[i] = text[start:end]
		start = end
	}
	return fields
}

// borrow returns the row as strings that are valid until the next row is read,
// in the memory of into. A list of millions is read so without an allocation
// for each row, by the one parser of addresses, which wants strings.
func (r *rows) borrow(into []string) []string {
	text, start := unsafe.String(unsafe.SliceData(r.text), len(r.text)), 0
	into = into[:0]
	for _, end := range r.ends {
		into = append(into, text[start:end])
		start = end
	}
	return into
}
