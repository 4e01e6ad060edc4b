package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flyball/internal/csvfile"
	"flyball/internal/mail"
)

// maxLine is the longest line of a message, without its CRLF (RFC 5322 2.1.1).
const maxLine = 998

// Template is a parsed message. It does not change after Parse, so goroutines may
// share it.
type Template struct {
	name     string
	from     mail.Address
	fromAt   string   // name:line:col of the value of the header From
	headers  []header // in the order of the file
	body     []piece
	bodyLine int         // line of the file where the body begins
	encode   bool        // the body's own text needs quoted-printable
	fields   []fieldName // every field that is used, once
}

type header struct {
	name    string
	value   []piece
	written bool // value is folded and encoded already
}

// piece is a stretch of text, or a placeholder with its default.
type piece struct {
	text     string // CRLF line ends in the body
	field    int    // index into Template.fields, or literal
	optional bool   // has a default, which may be empty
}

const literal = -1

// fieldName is a field and the place of its first use.
type fieldName struct {
	name      string
	line, col int
}

// From returns the author's address.
func (t *Template) From() mail.Address { return t.from }

// FromAt returns the place of the author's address as name:line:col.
func (t *Template) FromAt() string { return t.fromAt }

// Parse parses a template: header lines, an empty line and the body, in UTF-8
// with LF or CRLF. {{field}} stands for a value of the recipient's row, and
// {{field|default}} for the default if the value is empty. A field is the name of
// a column; it may have spaces but neither braces nor "|". Spaces beside braces
// and "|" are ignored. Nothing else is special, values are not expanded again,
// and a literal {{ or }} cannot be written.
//
// From and Subject are required. From, Sender and Reply-To hold one address
// without placeholders, so that no value can add another address. The name of the
// address, and any other header, may hold any text, which is encoded if necessary
// (RFC 2047). Headers that Render writes are refused.
//
// All problems are reported together as name:line:col: message, one per line,
// with col in bytes from 1: problems of the text or, if it has none, problems of
// headers and placeholders. Name is used for messages only.
func Parse(name string, src []byte) (*Template, error) {
	p := parser{t: &Template{name: name}}
	var lines []string
	for line := range strings.Lines(strings.TrimPrefix(string(src), "\ufeff")) {
		if s, ok := strings.CutSuffix(line, "\n"); ok {
			line = strings.TrimSuffix(s, "\r")
		}
		lines = append(lines, line)
		p.text(len(lines), line)
	}
	if p.errs == nil {
		if rest, ok := p.head(lines); ok {
			p.body(rest)
		}
	}
	if p.errs != nil {
		return nil, errors.Join(p.errs...)
	}
	return p.t, nil
}

type parser struct {
	t    *Template
	errs []error
}

// maxErrors is the number of reported problems: enough to recognise a file that
// is not a template.
const maxErrors = 20

func (p *parser) fault(line, col int, format string, args ...any) {
	if len(p.errs) == maxErrors {
		return
	}
	p.errs = append(p.errs, fmt.Errorf("%s:%d:%d: %s", p.t.name, line, col, fmt.Sprintf(format, args...)))
}

// text checks a line for problems that any line may have.
func (p *parser) text(at int, line string) {
	if i := strings.IndexByte(line, '\r'); i >= 0 {
		p.fault(at, i+1, "CR without LF, want LF or CRLF at line ends")
	}
	if i := strings.IndexByte(line, 0); i >= 0 {
		p.fault(at, i+1, "NUL byte, want text")
	}
	if !utf8.ValidString(line) {
		valid := strings.ToValidUTF8(line, "\x00")
		p.fault(at, strings.IndexByte(valid, 0)+1, "bytes that are not UTF-8, want UTF-8 text")
	}
	if len(line) > maxLine {
		p.fault(at, 1, "line is %d bytes, want at most %d (RFC 5322 2.1.1)", len(line), maxLine)
	}
}

// head parses the header lines. It returns the lines of the body, and false if it
// cannot find them.
func (p *parser) head(lines []string) ([]string, bool) {
	seen := make(map[string]int) // name in lower case -> line
	for i, line := range lines {
		at := i + 1
		if line == "" {
			p.t.bodyLine = at + 1
			if seen["from"] == 0 {
				p.fault(1, 1, "no From header")
			}
			if seen["subject"] == 0 {
				p.fault(1, 1, "no Subject header")
			}
			return lines[at:], true
		}
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			p.fault(at, 1, `not a header, want "Name: value" on one line, or an empty line before the body`)
			return nil, false
		}
		lower := strings.ToLower(name)
		if why := refused(lower); why != "" {
			p.fault(at, 1, "header %s %s", name, why)
		} else if seen[lower] != 0 {
			p.fault(at, 1, "header %s again, first on line %d", name, seen[lower])
		}
		seen[lower] = at
		col := len(line) - len(strings.TrimLeft(value, " \t")) + 1
		p.header(at, col, name, strings.Trim(value, " \t"))
	}
	p.fault(max(len(lines), 1), 1, "no empty line after the headers, want one before the body")
	return nil, false
}

// refused returns why a template may not have the header, or "".
func refused(lower string) string {
	switch lower {
	case "to", "date", "message-id", "list-unsubscribe", "precedence", "mime-version":
		return "is written by the program, want it left out"
	case "cc", "bcc":
		return "names more recipients, want one recipient per message"
	case "received", "return-path", "list-unsubscribe-post":
		return "may not be written by an author, want it left out"
	}
	if strings.HasPrefix(lower, "content-") {
		return "is written by the program, want it left out"
	}
	if strings.HasPrefix(lower, "resent-") {
		return "may not be written by an author, want it left out"
	}
	return ""
}

func (p *parser) header(at, col int, name, value string) {
	h := header{name: name}
	switch strings.ToLower(name) {
	case "from", "sender", "reply-to":
		a, text, err := readAuthor(value, len(name)+len(": "))
		if err != nil {
			p.fault(at, col, "header %s: %v", name, err)
		}
		if strings.EqualFold(name, "From") {
			p.t.from, p.t.fromAt = a, fmt.Sprintf("%s:%d:%d", p.t.name, at, col)
		}
		h.value, h.written = []piece{{text: text, field: literal}}, true
	default:
		if value == "" {
			p.fault(at, col, "header %s is empty", name)
		}
		if i := strings.Index(value, "=?"); i >= 0 {
			p.fault(at, col+i, `header %s has "=?", want plain text: encoded words are made when the message is`, name)
		}
		h.value = p.pieces(nil, at, col, value)
	}
	p.t.headers = append(p.t.headers, h)
}

func (p *parser) body(lines []string) {
	var pieces []piece
	for i, line := range lines {
		pieces = p.pieces(pieces, p.t.bodyLine+i, 1, line+"\r\n")
	}
	p.t.body = merged(pieces)
	for _, b := range p.t.body {
		if b.field == literal && !isPlain(b.text) {
			p.t.encode = true
		}
	}
}

// pieces cuts a line at its placeholders and adds the pieces to out.
func (p *parser) pieces(out []piece, at, col int, s string) []piece {
	for whole := s; s != ""; {
		here := col + len(whole) - len(s)
		open, end := strings.Index(s, "{{"), strings.Index(s, "}}")
		switch {
		case end >= 0 && (open < 0 || end < open):
			p.fault(at, here+end, `"}}" without "{{" before it`)
			s = s[end+2:]
			continue
		case open < 0:
			return append(out, piece{text: s, field: literal})
		case end < 0:
			p.fault(at, here+open, `"{{" is not closed on this line, want {{field}} or {{field|default}}`)
			return out
		}
		name, def, optional := strings.Cut(s[open+2:end], "|")
		name, def = csvfile.Name(name), strings.Trim(def, " \t")
		if !isFieldName(name) || strings.Contains(def, "{{") {
			p.fault(at, here+open, `got %q, want {{field}} or {{field|default}}, where field is the name of a column, `+
				`without braces`, s[open:end+2])
		}
		out = append(out, piece{text: s[:open], field: literal},
			piece{text: def, field: p.field(name, at, here+open), optional: optional})
		s = s[end+2:]
	}
	return out
}

func isFieldName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '{' || r == '}' ||
			unicode.IsControl(r)
	})
}

// merged joins neighbouring texts, so that Render copies them at once.
func merged(in []piece) []piece {
	var out []piece
	for len(in) > 0 {
		var text strings.Builder
		n := 0
		for ; n < len(in) && in[n].field == literal; n++ {
			text.WriteString(in[n].text)
		}
		if n == 0 {
			out = append(out, in[0])
			n = 1
		} else {
			out = append(out, piece{text: text.String(), field: literal})
		}
		in = in[n:]
	}
	return out
}

// field returns the index of a field, which it adds if it is new.
func (p *parser) field(name string, line, col int) int {
	i := slices.IndexFunc(p.t.fields, func(f fieldName) bool { return f.name == name })
	if i < 0 {
		i = len(p.t.fields)
		p.t.fields = append(p.t.fields, fieldName{name, line, col})
	}
	return i
}
