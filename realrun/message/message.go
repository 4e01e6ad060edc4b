// Package message renders the messages of a live run: one letter, one
// message per recipient (RFC 5322), with the fields of the recipient's row
// filled in.
//
// A letter is parsed into masters once for a campaign ([0083]): plain text, HTML or
// both, attachments, and a variant for each network that gets its own. What a row
// fills in or chooses is spliced in for each recipient ([0031], [0036]).
//
// A message is a pure function of letter, row and Meta: every try for a
// recipient sends the same bytes. Values are plain text: they cannot end a line,
// add a header or a recipient, be evaluated, or be markup in HTML. Messages are
// 7-bit with CRLF line ends, so that every server accepts them; the SMTP client does
// dot-stuffing. The package does no I/O and depends on neither lists nor SMTP. Called by realrun.
package message

import (
	"bytes"
	"crypto/subtle"
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
	t        *Template
	columns  int
	source   []int       // column of each field of the template, or fromAddress
	variants []*Renderer // in the order of the template's
}

const fromAddress = -1

// Uses returns the columns whose values the template needs, as indices from 0 and as
// names. Bind also accepts the names of just these columns.
func (t *Template) Uses(columns []string) (all []int, names []string) {
	for i, column := range columns {
		if slices.ContainsFunc(t.All(), func(t *Template) bool {
			return slices.ContainsFunc(t.fields, func(f fieldName) bool {
				return f.name == column && !isEmail(column)
			})
		}) {
			all, names = append(all, i), append(names, column)
		}
	}
	return all, names
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
		} else if i < 0 && len(columns) == 0 {
			errs = append(errs, fmt.Errorf("%s: {{%s}}: got no list, want one with this column", f.at, f.name))
		} else if i < 0 {
			hint := ""
			if like := slices.IndexFunc(columns, func(c string) bool {
				return strings.EqualFold(c,
					f.name)
			}); like >= 0 {
				hint = fmt.Sprintf(" (did you mean {{%s}}?)", columns[like])
			}
			errs = append(errs, fmt.Errorf("%s: {{%s}} has no column in the list, which begins with %.60q%s",
				f.at, f.name, columns[:min(len(columns), 8)], hint))
		}
		r.source = append(r.source, i)
	}
	for _, v := range t.variants {
		of, err := v.Bind(columns)
		r.variants, errs = append(r.variants, of), append(errs, err)
	}
	return r, errors.Join(errs...)
}

// For returns the renderer of a network's variant; r itself if the network has none.
func (r *Renderer) For(network string) *Renderer {
	for i, v := range r.t.variants {
		if v.network == network {
			return r.variants[i]
		}
	}
	return r
}

// Run holds what all messages of a run have in common.
type Run struct {
	key  mail.Key
	date string
	unix int64
	job  uint32 // of tickets
}

// NewRun returns the Run with a key and the date of its messages.
func NewRun(key mail.Key, date time.Time) *Run {
	return &Run{key, date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"), date.Unix(), key.Mark()}
}

// Meta holds the values of the headers that Render writes. They are the same at
// every try, so a message sent again is the same to the byte.
type Meta struct {
	To        mail.Address
	Recipient mail.Recipient // position in the list
	Run       *Run
	bare      bool // without attachments
}

// Render appends the message for one row to dst. Values are in the order of the
// columns of Bind. If a value is refused, Render returns dst unchanged and an
// error. It allocates nothing if dst is large enough and the text is ASCII.
//
// The headers of the letter come first, then To, Date, Message-ID,
// List-Unsubscribe (to unsubscribe@ the author's domain, after the letter's own address
// of the web, if it has one; with the recipient's ticket, if that has one), Precedence
// and the MIME headers. A header value that is not printable ASCII is written wholly in
// encoded words (RFC 2047). A text that is not printable ASCII, or has a line of more
// than 998 bytes, is written in
// quoted-printable (RFC 2045 6.7). Text and HTML are alternatives (RFC 2046 5.1.4);
// what is attached follows them. What separates the parts is derived from the run's
// key and the recipient.
//
// A value is refused if it has a line break or NUL, is not UTF-8, makes a header
// longer than 998 bytes, is not an address where HTML links to it, or is empty while the
// placeholder has no default.
func (r *Renderer) Render(dst []byte, values []string, m Meta) ([]byte, error) {
	if len(values) != r.columns {
		panic(fmt.Sprintf("message: row of %d values for %d columns", len(values), r.columns))
	}
	out, err := dst, error(nil)
	for i := range r.t.head {
		if out, err = r.header(out, r.t.head[i], values, &m); err != nil {
			return dst, err
		}
	}
	domain := r.t.from.Domain
	out = append(out, "To: "...)
	out = m.To.Append(out)
	out = append(out, "\r\nDate: "...)
	out = append(out, m.Run.date...)
	out = append(out, "\r\nMessage-ID: <"...)
	begin := len(out)
	out = m.appendID(out)
	id := mark{begin, len(out)}
	out = append(append(out, '@'), domain...)
	out = append(out, ">\r\nList-Unsubscribe: <"...)
	if r.t.leave != nil {
		if out, err = r.unsubscribe(out, values, &m); err != nil {
			return dst, err
		}
	}
	if r.t.ticket {
		out = m.appendTicket(append(out, "mailto:unsubscribe+"...))
		out = append(append(append(out, '@'), domain...), "?subject=unsubscribe"...)
	} else {
		out = append(out, "mailto:unsubscribe@"...)
		out = append(append(out, domain...), "?subject="...)
		out = append(out, out[id.from:id.to]...)
	}
	if r.t.leave != nil {
		out = append(out, ">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"...)
	} else {
		out = append(out, '>')
	}
	out = append(out, "\r\nPrecedence: bulk\r\nMIME-Version: 1.0\r\n"...)
	if out, err = r.content(out, values, &m, id); err != nil {
		return dst, err
	}
	return out, nil
}

// unsubscribe appends the address of the web that unsubscribes the recipient, and begins the next one.
func (r *Renderer) unsubscribe(dst []byte, values []string, m *Meta) ([]byte, error) {
	dst, seen, err := r.fill(dst, r.t.leave, values, m)
	if err != nil {
		return nil, err
	}
	if r.t.ticket {
		dst = m.appendTicket(dst)
		seen.longest += mail.TicketSize
	}
	if n := seen.longest + len("List-Unsubscribe: <>,"); n > maxLine {
		return nil, fmt.Errorf("header List-Unsubscribe is %d bytes, want at most %d (RFC 5322 2.1.1)", n, maxLine)
	}
	return append(dst, ">,\r\n <"...), nil
}

// appendTicket appends the ticket with which the recipient leaves the list.
func (m *Meta) appendTicket(dst []byte) []byte {
	const day = 24 * 60 * 60
	return m.Run.key.AppendTicket(dst, mail.Ticket{Purpose: mail.ToLeave, Job: m.Run.job, Rcpt: m.Recipient,
		Number: uint32(m.Run.unix / day)})
}

// Try is Render without the attachments, which are the same for all rows: it finds out whether a row has a message.
func (r *Renderer) Try(dst []byte, values []string, m Meta) ([]byte, error) {
	m.bare = true
	return r.Render(dst, values, m)
}

// mark is a place in the message under way, where its ID is.
type mark struct{ from, to int }

// appendID appends the part of the Message-ID before the author's domain: the recipient's number and its token, which
// are the same at every try and in no other run.
func (m *Meta) appendID(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(m.Recipient), 10)
	var room [32]byte
	text := strconv.AppendUint(append(room[:0], "message "...), uint64(m.Recipient), 10)
	return m.Run.key.AppendToken(append(dst, '.'), text)
}

// Recipient returns the recipient of the message with an ID, as N.TOKEN, with or without the author's domain and angle
// brackets; false if no run with the key wrote it.
func Recipient(key mail.Key, id string) (mail.Recipient, bool) {
	id, _, _ = strings.Cut(strings.Trim(id, "<>"), "@")
	number, _, _ := strings.Cut(id, ".")
	n, err := strconv.ParseUint(number, 10, 32)
	m := Meta{Recipient: mail.Recipient(n), Run: &Run{key: key}}
	return m.Recipient, err == nil && subtle.ConstantTimeCompare(m.appendID(nil), []byte(id)) == 1
}

func (r *Renderer) header(dst []byte, h header, values []string, m *Meta) ([]byte, error) {
	if h.name == "" {
		return append(dst, h.value[0].text...), nil
	}
	before := len(dst)
	dst = append(append(dst, h.name...), ": "...)
	start := len(dst)
	dst, _, err := r.fill(dst, h.value, values, m)
	if err != nil {
		return nil, err
	}
	dst = dst[:start+copy(dst[start:], bytes.Trim(dst[start:], " "))]
	n := len(dst) - before
	if n > maxLine && !h.free {
		return nil, fmt.Errorf("header %s is %d bytes, want at most %d (RFC 5322 2.1.1)", h.name, n, maxLine)
	}
	if text := dst[start:]; n > maxLine || needsWords(text) {
		dst = keep(appendWords(dst, start-before, text), start, len(dst))
	}
	return append(dst, "\r\n"...), nil
}

// content appends the MIME headers and the content: a part alone, or parts of a multipart.
func (r *Renderer) content(dst []byte, values []string, m *Meta, id mark) ([]byte, error) {
	if r.t.attached == nil || m.bare {
		return r.letter(dst, values, m, id)
	}
	const mixed = "=_mixed."
	dst = begin(dst, "mixed", mixed, id)
	dst, err := r.letter(delimit(dst, mixed, id, "\r\n"), values, m, id)
	if err != nil {
		return nil, err
	}
	for _, a := range r.t.attached {
		dst = append(delimit(append(dst, "\r\n"...), mixed, id, "\r\n"), a...)
	}
	return delimit(append(dst, "\r\n"...), mixed, id, "--\r\n"), nil
}

// letter appends the text, the HTML, or both as alternatives, the better one last.
func (r *Renderer) letter(dst []byte, values []string, m *Meta, id mark) ([]byte, error) {
	switch {
	case r.t.html == nil:
		return r.part(dst, "plain", r.t.text, values, m)
	case r.t.text == nil:
		return r.part(dst, "html", r.t.html, values, m)
	}
	const alternative = "=_alternative."
	dst = begin(dst, "alternative", alternative, id)
	dst, err := r.part(delimit(dst, alternative, id, "\r\n"), "plain", r.t.text, values, m)
	if err != nil {
		return nil, err
	}
	dst, err = r.part(delimit(append(dst, "\r\n"...), alternative, id, "\r\n"), "html", r.t.html, values, m)
	if err != nil {
		return nil, err
	}
	return delimit(append(dst, "\r\n"...), alternative, id, "--\r\n"), nil
}

// begin appends the header of a multipart and the empty line.
func begin(dst []byte, kind, boundary string, id mark) []byte {
	dst = append(append(append(dst, "Content-Type: multipart/"...), kind...), ";\r\n boundary=\""...)
	dst = append(append(dst, boundary...), dst[id.from:id.to]...)
	return append(dst, "\"\r\n\r\n"...)
}

// delimit appends a delimiter line (RFC 2046 5.1.1), which ends with end.
func delimit(dst []byte, boundary string, id mark, end string) []byte {
	dst = append(append(append(dst, "--"...), boundary...), dst[id.from:id.to]...)
	return append(dst, end...)
}

// part appends the headers of a part of text, the empty line, and the text.
func (r *Renderer) part(dst []byte, kind string, pieces []piece, values []string, m *Meta) ([]byte, error) {
	dst = append(append(append(dst, "Content-Type: text/"...), kind...), "; charset=utf-8\r\n"...)
	start := len(dst)
	dst = append(dst, "Content-Transfer-Encoding: 7bit\r\n\r\n"...)
	from := len(dst)
	dst, seen, err := r.fill(dst, pieces, values, m)
	if err != nil {
		return nil, err
	}
	if !seen.odd && seen.longest <= maxLine {
		return dst, nil
	}
	coded := appender{append(dst, "Content-Transfer-Encoding: quoted-printable\r\n\r\n"...)}
	w := quotedprintable.NewWriter(&coded)
	w.Write(dst[from:]) // an appender never fails
	w.Close()
	return keep(coded.dst, start, len(dst)), nil
}

// extent is what a filled text needs.
type extent struct {
	odd     bool // it is not plain; see isPlain
	longest int  // bytes of the longest line
}

// fill appends text with its placeholders filled in and its blocks chosen.
func (r *Renderer) fill(dst []byte, pieces []piece, values []string, m *Meta) ([]byte, extent, error) {
	var seen extent
	line := 0 // bytes of the last line
	for i := 0; i < len(pieces); i++ {
		p := &pieces[i]
		switch {
		case p.field == literal:
			dst = append(dst, p.text...)
			seen.odd = seen.odd || p.odd
			if p.end == len(p.text) {
				line += p.end
			} else {
				seen.longest = max(seen.longest, line+p.first, p.longest)
				line = p.end
			}
			continue
		case p.field == jump:
			i = p.to - 1
			continue
		case p.field <= follow:
			before := len(dst)
			dst = r.appendCounted(dst, p, m)
			line += len(dst) - before
			continue
		case p.edge != noEdge:
			if !r.holds(p, values, m) {
				i = p.to - 1
			}
			continue
		}
		start := len(dst)
		if r.source[p.field] == fromAddress {
			dst = m.appendTo(dst, p.escape)
		} else {
			v := values[r.source[p.field]]
			name := r.t.fields[p.field].name
			switch i := strings.IndexAny(v, "\r\n\x00"); {
			case v == "" && !p.optional:
				return nil, seen, fmt.Errorf("field %q is empty and {{%s}} has no default", name, name)
			case i >= 0:
				return nil, seen, fmt.Errorf("field %q has %q at byte %d, want a single line of text", name, v[i], i+1)
			case !utf8.ValidString(v):
				return nil, seen, fmt.Errorf("field %q is not UTF-8", name)
			case p.escape == wholeURL && v != "" && !isAddress(v):
				return nil, seen, fmt.Errorf("field %q has %.40q, want an address that begins with https:, http:, "+
					"mailto: "+
					"or tel:, since the HTML of %s links to it", name, v, r.t.name)
			case v == "":
				dst = append(dst, p.text...)
				seen.odd = seen.odd || p.odd
			default:
				dst = p.escape.append(dst, v)
				seen.odd = seen.odd || !isPlain(v)
			}
		}
		line += len(dst) - start
	}
	seen.longest = max(seen.longest, line)
	return dst, seen, nil
}

// holds reports whether a row gets a block.
func (r *Renderer) holds(p *piece, values []string, m *Meta) bool {
	v := ""
	if source := r.source[p.field]; source == fromAddress {
		v = m.To.String()
	} else {
		v = values[source]
	}
	if p.edge == ifAny {
		return strings.TrimSpace(v) != ""
	}
	return strings.EqualFold(strings.TrimSpace(v), p.text)
}

// appendTo appends the recipient's address.
func (m *Meta) appendTo(dst []byte, e escape) []byte {
	if e == none {
		return m.To.Append(dst)
	}
	return e.append(dst, m.To.String())
}

// Blocks calls each for every block of the master, with its condition as the author writes it, and
// whether a row gets it.
func (r *Renderer) Blocks(values []string, m Meta, each func(condition string, holds bool)) {
	in := func(pieces []piece) {
		for i := range pieces {
			switch p := &pieces[i]; p.edge {
			case ifAny, ifEqual:
				each(r.t.condition(p), r.holds(p, values, &m))
			}
		}
	}
	for _, h := range r.t.head {
		in(h.value)
	}
	in(r.t.leave)
	in(r.t.text)
	in(r.t.html)
}

// condition returns the tag that begins a block.
func (t *Template) condition(p *piece) string {
	if p.edge == ifAny {
		return "{{#if " + t.fields[p.field].name + "}}"
	}
	return "{{#if " + t.fields[p.field].name + "=" + p.text + "}}"
}
