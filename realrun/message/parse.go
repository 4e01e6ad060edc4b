package message

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/internal/mail"
)

// maxLine is the longest line of a message, without its CRLF (RFC 5322 2.1.1).
const maxLine = 998

// Template is a parsed letter: the master of a campaign, with the variants for named
// networks. It does not change after Parse, so goroutines may share it.
type Template struct {
	name     string
	from     mail.Address
	fromAt   string // name:line:col of the value of the header From
	head     []header
	text     []piece     // nil: no plain text
	html     []piece     // nil: no HTML
	leave    []piece     // address of the web that unsubscribes; nil: there is none
	listed   bool        // has a List-Id
	ticket   bool        // the address ends with the recipient's ticket, which an address of mail has too
	attached []string    // headers and base64 of each attachment
	fields   []fieldName // every field that is used, once
	variants []variant

	responses   *responses // nil: nothing is counted
	responsesAt string     // name:line:col of the header that asks for them
	targets     []string   // of counted links, of the letter and its variants
}

// variant is the master for one network ([0083]: the AOL master).
type variant struct {
	network string
	at      string // name:line:col of the header that names it
	*Template
}

// header is a header with placeholders, or complete lines.
type header struct {
	name  string // "": value is complete lines
	value []piece
	free  bool // may be longer than a line, in encoded words
}

// fieldName is a field and the place of its first use.
type fieldName struct {
	name string
	at   string // name:line:col
}

// Files returns the content of a file in the letter's folder of at most most bytes. Errors do not have its name.
type Files func(name string, most int64) ([]byte, error)

// From returns the author's address.
func (t *Template) From() mail.Address { return t.from }

// FromAt returns the place of the author's address as name:line:col.
func (t *Template) FromAt() string { return t.fromAt }

// All returns the master and its variants.
func (t *Template) All() []*Template {
	all := []*Template{t}
	for _, v := range t.variants {
		all = append(all, v.Template)
	}
	return all
}

// Networks calls each with the name of every network that has a variant, and with the
// place of the name as name:line:col.
func (t *Template) Networks(each func(network, at string)) {
	for _, v := range t.variants {
		each(v.network, v.at)
	}
}

// Parse parses a letter: header lines, an empty line and the text, in UTF-8
// with LF or CRLF. {{field}} stands for a value of the recipient's row, and
// {{field|default}} for the default if the value is empty. A field is the name of
// a column; it may have spaces but neither braces nor "|". Spaces beside braces
// and "|" are ignored. {{#if field=value}} begins a block for the rows that have
// the value, in upper or lower case, {{#if field}} one for the rows whose value is
// not empty; {{#else}} and {{#end}} follow. Values are not expanded again, and a
// literal {{ or }} cannot be written.
//
// From and Subject are required. From, Sender and Reply-To hold one address
// without placeholders, so that no value can add another address. The name of the
// address, and any other header, may hold any text, which is encoded if necessary
// (RFC 2047). Headers that Render writes are refused.
//
// "Responses: https://HOST clicks opens trap", of whose words some may be left out, has links of the HTML lead to a
// response server, adds a picture that it serves, and a link that people do not see. It is not sent.
//
// Three headers name files, which files returns, and are not sent: "HTML: FILE"
// is the same letter in HTML, "Attach: FILE" is attached, and "Variant: NETWORK FILE"
// is another letter for the recipients of one network.
//
// All problems are reported together as name:line:col: message, one per line,
// with col in bytes from 1: problems of the text or, if it has none, problems of
// headers and placeholders. Name is used for messages only.
func Parse(name string, src []byte, files Files) (*Template, error) {
	p := &parser{t: &Template{name: name}, file: name, files: files, faults: new([]error)}
	if p.letter(src); *p.faults == nil {
		p.number()
	}
	if *p.faults != nil {
		return nil, errors.Join(*p.faults...)
	}
	return p.t, nil
}

// parser reads one file of a letter.
type parser struct {
	t       *Template
	file    string
	files   Files
	variant bool // it is read for a variant
	blocks  []block
	faults  *[]error
}

// maxErrors is the number of reported problems: enough to recognise a file that
// is not a template.
const maxErrors = 20

func (p *parser) fault(line, col int, format string, args ...any) {
	if len(*p.faults) == maxErrors {
		return
	}
	*p.faults = append(*p.faults, fmt.Errorf("%s: %s", p.place(line, col), fmt.Sprintf(format, args...)))
}

func (p *parser) place(line, col int) string { return fmt.Sprintf("%s:%d:%d", p.file, line, col) }

// letter reads a file with headers and text.
func (p *parser) letter(src []byte) {
	before := len(*p.faults)
	lines := p.lines(src)
	if len(*p.faults) > before {
		return
	}
	if body, first, ok := p.headers(lines); ok {
		p.t.text = p.body(body, first)
		if p.t.html != nil && !slices.ContainsFunc(p.t.text, func(b piece) bool {
			return b.field != literal || strings.TrimSpace(b.text) != ""
		}) {
			p.t.text = nil
		}
	}
}

// lines returns the lines of a file without their ends, and reports the problems that any line may have.
func (p *parser) lines(src []byte) (lines []string) {
	for line := range strings.Lines(strings.TrimPrefix(string(src), "\ufeff")) {
		if s, ok := strings.CutSuffix(line, "\n"); ok {
			line = strings.TrimSuffix(s, "\r")
		}
		lines = append(lines, line)
		at := len(lines)
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
	}
	return lines
}

// headers parses the header lines. It returns the lines of the body with the number of the first, and false if it
// cannot find them.
func (p *parser) headers(lines []string) (body []string, first int, ok bool) {
	seen := make(map[string]int) // name in lower case -> line
	for i, line := range lines {
		at := i + 1
		if line == "" {
			if seen["from"] == 0 {
				p.fault(1, 1, "no From header")
			}
			if seen["subject"] == 0 {
				p.fault(1, 1, "no Subject header")
			}
			if p.t.listed = seen["list-id"] > 0; p.t.leave != nil {
				p.t.identify()
			}
			return lines[at:], at + 1, true
		}
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			p.fault(at, 1, `not a header, want "Name: value" on one line, or an empty line before the body`)
			return nil, 0, false
		}
		lower := strings.ToLower(name)
		if why := refused(lower); why != "" {
			p.fault(at, 1, "header %s %s", name, why)
		} else if seen[lower] != 0 && lower != "attach" && lower != "variant" {
			p.fault(at, 1, "header %s again, first on line %d", name, seen[lower])
		}
		seen[lower] = at
		col := len(line) - len(strings.TrimLeft(value, " \t")) + 1
		p.header(at, col, name, strings.Trim(value, " \t"))
	}
	p.fault(max(len(lines), 1), 1, "no empty line after the headers, want one before the body")
	return nil, 0, false
}

// refused returns why a template may not have the header, or "".
func refused(lower string) string {
	switch lower {
	case "to", "date", "message-id", "precedence", "mime-version":
		return "is written by the program, want it left out"
	case "cc", "bcc":
		return "names more recipients, want one recipient per message"
	case "list-unsubscribe-post":
		return "is written by the program where List-Unsubscribe has an address, want it left out"
	case "received", "return-path", "dkim-signature":
		return "may not be written by an author, want it left out"
	}
	if strings.HasPrefix(lower, "content-") {
		return "is written by the program, want it left out"
	}
	if strings.HasPrefix(lower, "resent-") {
		return "may not be written by an author, want it left out"
	}
	if at := strings.IndexAny(lower, ";="); at >= 0 { // what divides the tags of a signature
		return fmt.Sprintf("has %q in its name, which breaks the signatures that list it (RFC 6376 3.2), "+
			"want another name", lower[at:at+1])
	}
	return ""
}

func (p *parser) header(at, col int, name, value string) {
	if value == "" && !isAuthor(name) {
		p.fault(at, col, "header %s is empty", name)
		return
	}
	switch lower := strings.ToLower(name); lower {
	case "from", "sender", "reply-to":
		a, text, err := readAuthor(value, len(name)+len(": "))
		if err != nil {
			p.fault(at, col, "header %s: %v", name, err)
		}
		if lower == "from" {
			p.t.from, p.t.fromAt = a, p.place(at, col)
		}
		p.line(name + ": " + text + "\r\n")
	case "html":
		p.markup(at, col, value)
	case "attach":
		p.attach(at, col, value)
	case "variant":
		p.network(at, col, value)
	case "list-unsubscribe":
		p.unsubscribe(at, col, value)
	case "responses":
		p.count(at, col, value)
	default:
		if i := strings.Index(value, "=?"); i >= 0 {
			p.fault(at, col+i, `header %s has "=?", want plain text: encoded words are made when the message is`, name)
		}
		h := header{name: name, value: p.closed(merged(p.pieces(nil, at, col, value)))}
		if !written(h) {
			p.t.head = append(p.t.head, h)
			return
		}
		// Nothing of it depends on the recipient.
		text, err := (&Renderer{t: p.t}).header(nil, h, nil, nil)
		if err != nil {
			p.fault(at, col, "%v", err)
		}
		p.line(string(text))
	}
}

// unsubscribe reads the address of the web where a recipient leaves the list with one click (RFC 8058). Its host is the
// author's; fields in the rest tell recipients apart. Without any, the recipient's ticket follows the address.
func (p *parser) unsubscribe(at, col int, value string) {
	value = strings.TrimSuffix(strings.TrimPrefix(value, "<"), ">")
	leave := p.closed(merged(p.pieces(nil, at, col, value)))
	host, isWeb := "", false
	fields := 0
	for i := range leave {
		b := &leave[i]
		if i == 0 && b.field == literal {
			host, isWeb = strings.CutPrefix(b.text, "https://")
		}
		if b.field >= 0 && b.edge == noEdge {
			b.escape = query
			fields++
		}
		if bad := strings.IndexFunc(b.text, func(r rune) bool { return !isURL(r) }); bad >= 0 && b.edge == noEdge {
			_, n := utf8.DecodeRuneInString(b.text[bad:])
			p.fault(at, col, "header List-Unsubscribe has %q, want an address, in which it is percent-encoded",
				b.text[bad:bad+n])
		}
	}
	switch {
	case !isWeb || strings.IndexByte(host, '/') < 1:
		p.fault(at, col, "header List-Unsubscribe: got %.60q, want an address such as "+
			"https://sender.example/leave?who={{email}} (RFC 8058)", value)
	case fields > 0:
	case strings.Contains(value, "#") || len(leave) != 1:
		p.fault(at, col, "header List-Unsubscribe: got %.60q, want an address that the recipient's ticket can follow, "+
			"such as https://sender.example/u", value)
	default:
		p.t.leaveAt(leave[0].text)
		return
	}
	p.t.leave = leave
}

// leaveAt lets recipients leave the list at an address of the web, which their ticket follows.
func (t *Template) leaveAt(url string) {
	if t.ticket = true; !strings.HasSuffix(url, "/") && !strings.HasSuffix(url, "=") {
		url += "/"
	}
	t.leave = []piece{measured(url)}
}

// LeaveAt lets recipients leave the list at an https address, such as https://news.example/u, with one click (RFC
// 8058), by the letter and by each variant that names no other address. Only the goroutine that has called Parse may
// call it, before anything else.
func (t *Template) LeaveAt(url string) {
	for _, of := range t.All() {
		if of.leave == nil {
			of.leaveAt(url)
			of.identify()
		}
	}
}

// identify gives the letter a List-Id, if it has none.
func (t *Template) identify() {
	if !t.listed {
		t.listed = true
		t.head = append(t.head, header{value: []piece{{text: "List-Id: <" + listID(t.from) + ">\r\n", field: literal}}})
	}
}

// isURL reports whether a character may stand in an address of the web (RFC 3986).
func isURL(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("-._~:/?#[]@!$&'()*+,;=%", r)
}

// listID returns the name of an author's list (RFC 2919).
func listID(author mail.Address) string {
	if strings.ContainsFunc(author.Local, func(r rune) bool { return !isWord(r) && r != '.' || r >= utf8.RuneSelf }) {
		return author.Domain
	}
	return author.Local + "." + author.Domain
}

func isAuthor(name string) bool {
	return strings.EqualFold(name, "from") || strings.EqualFold(name, "sender") || strings.EqualFold(name, "reply-to")
}

// written reports whether a header is the same for all recipients.
func written(h header) bool {
	return !slices.ContainsFunc(h.value, func(v piece) bool { return v.field != literal })
}

// line adds complete lines to the head.
func (p *parser) line(text string) {
	if n := len(p.t.head); n > 0 && p.t.head[n-1].name == "" {
		p.t.head[n-1].value[0].text += text
		return
	}
	p.t.head = append(p.t.head, header{value: []piece{{text: text, field: literal}}})
}

// open returns the content of a file of the letter.
func (p *parser) open(at, col int, name string, most int64) ([]byte, bool) {
	if p.files == nil {
		p.fault(at, col, "file %s: got a letter without a folder, want one that is read from a file", name)
		return nil, false
	}
	text, err := p.files(name, most)
	if err != nil {
		p.fault(at, col, "file %s: %v", name, err)
	}
	return text, err == nil
}

// maxText is the size of a text or an HTML part that is read.
const maxText = 1 << 20

// markup reads the HTML of the letter.
func (p *parser) markup(at, col int, name string) {
	src, ok := p.open(at, col, name, maxText)
	if !ok {
		return
	}
	q := &parser{t: p.t, file: p.beside(name), files: p.files, faults: p.faults}
	before := len(*p.faults)
	lines := q.lines(src)
	if len(*p.faults) > before {
		return
	}
	p.t.html = q.body(lines, 1)
	if len(*p.faults) == before {
		q.escapes(p.t.html)
	}
}

// beside returns the name for messages of a file in the letter's folder.
func (p *parser) beside(name string) string { return path.Join(path.Dir(p.file), name) }

// network reads the variant of the letter for a network.
func (p *parser) network(at, col int, value string) {
	network, name, found := strings.Cut(value, " ")
	name = strings.TrimSpace(name)
	switch {
	case p.variant:
		p.fault(at, col, "a variant of a variant, want it in the letter itself")
		return
	case !found:
		p.fault(at, col, "got %q, want the name of a network and a file, such as: aol aol.txt", value)
		return
	case slices.ContainsFunc(p.t.variants, func(v variant) bool { return v.network == network }):
		p.fault(at, col, "network %s again, want one variant", network)
		return
	}
	src, ok := p.open(at, col, name, maxText)
	if !ok {
		return
	}
	t := &Template{name: p.beside(name)}
	q := &parser{t: t, file: t.name, files: p.files, variant: true, faults: p.faults}
	q.letter(src)
	p.t.variants = append(p.t.variants, variant{network, p.place(at, col), t})
}

// body parses the lines of a part, of which first is the number of the first.
func (p *parser) body(lines []string, first int) []piece {
	pieces := []piece{}
	for i, line := range lines {
		text := line + "\r\n"
		if alone := strings.Trim(line, " \t"); isTag(alone) {
			text = alone // a line that has a tag alone leaves no empty line
		}
		pieces = p.pieces(pieces, first+i, 1, text)
	}
	return p.closed(merged(pieces))
}

// field returns the index of a field, which it adds if it is new.
func (p *parser) field(name string, line, col int) int {
	i := slices.IndexFunc(p.t.fields, func(f fieldName) bool { return f.name == name })
	if i < 0 {
		i = len(p.t.fields)
		p.t.fields = append(p.t.fields, fieldName{name, p.place(line, col)})
	}
	return i
}
