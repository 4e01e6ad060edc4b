// Package message renders the messages of a live run: one template, one
// message per recipient (RFC 5322), with the fields of the recipient's row
// filled in.
//
// A message is a pure function of template, row and Meta: every try for a
// recipient sends the same bytes. Values are plain text: they cannot end a line,
// add a header or a recipient, or be evaluated. Messages are 7-bit with CRLF line
// ends, so that every server accepts them; the SMTP client does dot-stuffing. The
// package does no I/O and depends on neither lists nor SMTP. Called by realrun.
package message

import (
	"bytes"
	"errors"
	"fmt"
	"mime/quotedprintable"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/internal/mail"
)

// Email is the field that every recipient has: the address as it is sent.
const Email = "email"

// Renderer renders a template with rows of certain columns. Safe for concurrent
// use.
type Renderer struct {
	t       *Template
	columns int
	source  []int // column of each field of the template, or fromAddress
}

const fromAddress = -1

// Uses returns the indices, from 0, of the columns whose values the template
// needs. Bind also accepts the names of just these columns.
func (t *Template) Uses(columns []string) []int {
	var all []int
	for i, column := range columns {
		if slices.ContainsFunc(t.fields, func(f fieldName) bool { return f.name == column && !isEmail(column) }) {
			all = append(all, i)
		}
	}
	return all
}

// isEmail reports whether a field is the recipient's address, in upper or lower
// case.
func isEmail(field string) bool { return strings.EqualFold(field, Email) }

// Bind returns a renderer for rows with these columns. The error lists all
// placeholders without a column, one per line as name:line:col: message;
// {{email}} needs no column.
func (t *Template) Bind(columns []string) (*Renderer, error) {
	var errs []error
	r := &Renderer{t: t, columns: len(columns)}
	for _, f := range t.fields {
		i := slices.Index(columns, f.name)
		if isEmail(f.name) {
			i = fromAddress
		} else if i < 0 {
			hint := ""
			if like := slices.IndexFunc(columns, func(c string) bool {
				return strings.EqualFold(c,
					f.name)
			}); like >= 0 {
				hint = fmt.Sprintf(" (did you mean {{%s}}?)", columns[like])
			}
			errs = append(errs, fmt.Errorf("%s:%d:%d: {{%s}} has no column in the list, which begins with %.60q%s",
				t.name, f.line, f.col, f.name, columns[:min(len(columns), 8)], hint))
		}
		r.source = append(r.source, i)
	}
	return r, errors.Join(errs...)
}

// Meta holds the values of the headers that Render writes. They are the same at
// every try, so a message sent again is the same to the byte.
type Meta struct {
	To        mail.Address
	Recipient mail.Recipient // position in the list
	Key       mail.Key       // of the run
	Date      time.Time      // of the run
}

// Render appends the message for one row to dst. Values are in the order of the
// columns of Bind. If a value is refused, Render returns dst unchanged and an
// error. It allocates nothing if dst is large enough and the text is ASCII.
//
// The headers of the template come first, then To, Date, Message-ID,
// List-Unsubscribe (to unsubscribe@ the author's domain), Precedence and the MIME
// headers. A header value that is not printable ASCII is written wholly in
// encoded words (RFC 2047). A body that is not printable ASCII is written in
// quoted-printable (RFC 2045 6.7).
//
// A value is refused if it has a line break or NUL, is not UTF-8, makes a line
// longer than 998 bytes, or is empty while the placeholder has no default.
func (r *Renderer) Render(dst []byte, values []string, m Meta) ([]byte, error) {
	if len(values) != r.columns {
		panic(fmt.Sprintf("message: row of %d values for %d columns", len(values), r.columns))
	}
	out, err := dst, error(nil)
	for _, h := range r.t.headers {
		if out, err = r.header(out, h, values, m); err != nil {
			return dst, err
		}
	}
	domain := r.t.from.Domain
	out = append(out, "To: "...)
	out = m.To.Append(out)
	out = append(out, "\r\nDate: "...)
	out = m.Date.UTC().AppendFormat(out, "Mon, 02 Jan 2006 15:04:05 -0700")
	out = append(out, "\r\nMessage-ID: <"...)
	id := len(out)
	out = m.appendID(out)
	end := len(out)
	out = append(append(out, '@'), domain...)
	out = append(out, ">\r\nList-Unsubscribe: <mailto:unsubscribe@"...)
	out = append(append(out, domain...), "?subject="...)
	out = append(out, out[id:end]...)
	out = append(out, ">\r\nPrecedence: bulk\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"...)
	if out, err = r.body(out, values, m); err != nil {
		return dst, err
	}
	return out, nil
}

// appendID appends the part of the Message-ID before the author's domain: the recipient's number and its token, which
// are the same at every try and in no other run.
func (m *Meta) appendID(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(m.Recipient), 10)
	var room [32]byte
	text := strconv.AppendUint(append(room[:0], "message "...), uint64(m.Recipient), 10)
	return m.Key.AppendToken(append(dst, '.'), text)
}

func (r *Renderer) header(dst []byte, h header, values []string, m Meta) ([]byte, error) {
	before := len(dst)
	dst = append(append(dst, h.name...), ": "...)
	start := len(dst)
	dst, err := r.fill(dst, h.value, values, m)
	if err != nil {
		return nil, err
	}
	dst = dst[:start+copy(dst[start:], bytes.Trim(dst[start:], " "))]
	if h.written {
		return append(dst, "\r\n"...), nil
	}
	if n := len(dst) - before; n > maxLine {
		return nil, fmt.Errorf("header %s is %d bytes, want at most %d (RFC 5322 2.1.1)", h.name, n, maxLine)
	}
	if text := dst[start:]; needsWords(text) {
		dst = keep(appendWords(dst, start-before, text), start, len(dst))
	}
	return append(dst, "\r\n"...), nil
}

// body appends the header of the encoding, the empty line, and the body.
func (r *Renderer) body(dst []byte, values []string, m Meta) ([]byte, error) {
	if !r.encodes(values) {
		dst = append(dst, "Content-Transfer-Encoding: 7bit\r\n\r\n"...)
		start := len(dst)
		dst, err := r.fill(dst, r.t.body, values, m)
		if err != nil {
			return nil, err
		}
		return dst, r.checkLines(dst[start:])
	}
	dst = append(dst, "Content-Transfer-Encoding: quoted-printable\r\n\r\n"...)
	start := len(dst)
	dst, err := r.fill(dst, r.t.body, values, m)
	if err != nil {
		return nil, err
	}
	text := dst[start:]
	if err := r.checkLines(text); err != nil {
		return nil, err
	}
	coded := appender{dst}
	w := quotedprintable.NewWriter(&coded)
	w.Write(text) // an appender never fails
	w.Close()
	return keep(coded.dst, start, len(dst)), nil
}

// encodes reports whether the body of a row needs quoted-printable.
func (r *Renderer) encodes(values []string) bool {
	if r.t.encode {
		return true
	}
	for _, p := range r.t.body {
		if p.field == literal || r.source[p.field] == fromAddress {
			continue
		}
		v := values[r.source[p.field]]
		if v == "" {
			v = p.text
		}
		if !isPlain(v) {
			return true
		}
	}
	return false
}

// checkLines returns an error if the values make a line too long. Values have no
// line breaks, so the lines have the numbers of the template's lines.
func (r *Renderer) checkLines(text []byte) error {
	for at := r.t.bodyLine; len(text) > 0; at++ {
		n := bytes.IndexByte(text, '\n') - len("\r")
		if n > maxLine {
			return fmt.Errorf("line %d of template %s is %d bytes with its values, want at most %d (RFC 5322 2.1.1)",
				at, r.t.name, n, maxLine)
		}
		text = text[n+len("\r\n"):]
	}
	return nil
}

// fill appends text with its placeholders filled in.
func (r *Renderer) fill(dst []byte, pieces []piece, values []string, m Meta) ([]byte, error) {
	for _, p := range pieces {
		switch {
		case p.field == literal:
			dst = append(dst, p.text...)
			continue
		case r.source[p.field] == fromAddress:
			dst = m.To.Append(dst)
			continue
		}
		v := values[r.source[p.field]]
		name := r.t.fields[p.field].name
		switch i := strings.IndexAny(v, "\r\n\x00"); {
		case v == "" && !p.optional:
			return nil, fmt.Errorf("field %q is empty and {{%s}} has no default", name, name)
		case i >= 0:
			return nil, fmt.Errorf("field %q has %q at byte %d, want a single line of text", name, v[i], i+1)
		case !utf8.ValidString(v):
			return nil, fmt.Errorf("field %q is not UTF-8", name)
		case v == "":
			v = p.text
		}
		dst = append(dst, v...)
	}
	return dst, nil
}
