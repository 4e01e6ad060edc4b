package message

import (
	"fmt"
	"html"
	"slices"
	"strings"

	tokens "golang.org/x/net/html"

	"flyball/internal/mail"
	"flyball/realrun/response"
)

// responses is what of a letter's HTML is counted by response servers.
type responses struct {
	base                string // https://HOST
	clicks, opens, trap bool
}

// count reads the header that asks for responses.
func (p *parser) count(at, col int, value string) {
	words := strings.Fields(value)
	c := &responses{base: strings.TrimSuffix(words[0], "/")}
	host, isWeb := strings.CutPrefix(c.base, "https://")
	if !isWeb || response.CheckTarget(c.base) != nil || strings.ContainsFunc(host, func(r rune) bool {
		return !isWord(r) && r != '.' && r != ':' && r != '-'
	}) {
		p.fault(at, col, "header Responses: got %.60q, want the address of a response server, such as "+
			"https://sender.example", words[0])
	}
	for _, w := range words[1:] {
		switch w {
		case "clicks":
			c.clicks = true
		case "opens":
			c.opens = true
		case "trap":
			c.trap = true
		default:
			p.fault(at, col, "header Responses: got %.40q, want clicks, opens or trap", w)
		}
	}
	switch {
	case !c.clicks && !c.opens:
		p.fault(at, col, "header Responses: got nothing to count, want clicks, opens or both after the address")
	case c.trap && !c.clicks:
		p.fault(at, col, "header Responses: got a trap without clicks, want both: it shows which are a machine's")
	}
	p.t.responses, p.t.responsesAt = c, p.place(at, col)
}

// CountedAt returns the place of the first header of the letter or a variant that asks for responses, as name:line:col;
// empty: none does.
func (t *Template) CountedAt() string {
	for _, v := range t.All() {
		if v.responses != nil {
			return v.responsesAt
		}
	}
	return ""
}

// Targets returns where the counted links of the letter and its variants lead: the first is of link 1.
func (t *Template) Targets() []string { return t.targets }

// number puts tickets in place of what is counted in the letter and its variants. A link to the same address has the
// same number everywhere.
func (p *parser) number() {
	var targets []string
	for _, t := range p.t.All() {
		switch {
		case t.responses == nil:
		case t.html == nil:
			*p.faults = append(*p.faults, fmt.Errorf("%s: header Responses: got a letter without HTML, want HTML, in "+
				"which links and a picture can be counted", t.responsesAt))
		case t.responses.opens && !closed(t.source()):
			*p.faults = append(*p.faults, fmt.Errorf("%s: header Responses: got HTML that ends within what hides a "+
				"picture, such as a comment, want it closed", t.responsesAt))
		default:
			targets = t.ticketed(targets)
		}
	}
	p.t.targets = targets
}

// closed reports whether a tag at the end of a page is one.
func closed(src string) bool {
	const picture = "<img>"
	z := tokens.NewTokenizer(strings.NewReader(src + picture))
	last := ""
	for z.Next() != tokens.ErrorToken {
		last = string(z.Raw())
	}
	return last == picture
}

// cut is a stretch of a text with what stands in its place.
type cut struct {
	from, to int
	by       []piece
}

// ticketed puts tickets into the HTML of a letter, adds its targets to those of others and returns all.
func (t *Template) ticketed(targets []string) []string {
	src := t.source()
	c := t.responses
	var cuts []cut
	var begins []int // of the tags of counted links
	end := len(src)  // where the picture goes
	z := tokens.NewTokenizer(strings.NewReader(src))
	for from := 0; ; {
		kind := z.Next()
		raw := string(z.Raw())
		name, _ := z.TagName()
		switch {
		case kind == tokens.StartTagToken && (string(name) == "a" || string(name) == "area") && c.clicks:
			value, at := hrefOf(raw)
			target := strings.TrimSpace(html.UnescapeString(value))
			if response.CheckTarget(target) != nil { // of another scheme, or with a gap
				break
			}
			i := slices.Index(targets, target)
			if i < 0 {
				i, targets = len(targets), append(targets, target)
			}
			begins = append(begins, from)
			at += from
			cuts = append(cuts, cut{at, at + len(value), []piece{{text: value, field: follow, to: i + 1}}})
		case kind == tokens.EndTagToken && string(name) == "body":
			end = from
		}
		if kind == tokens.ErrorToken {
			break
		}
		from += len(raw)
	}
	if c.trap && len(begins) > 0 {
		at := begins[len(begins)/2]
		cuts = append(cuts, cut{at, at, []piece{measured(`<a href="`), {text: c.base + "/c/{{ticket}}", field: follow},
			measured(`" style="display:none" aria-hidden="true" tabindex="-1"></a>`)}})
	}
	if c.opens {
		cuts = append(cuts, cut{end, end, []piece{measured(`<img src="`), {text: c.base + "/o/{{ticket}}", field: see},
			measured(`" width="1" height="1" alt="">`)}})
	}
	slices.SortStableFunc(cuts, func(a, b cut) int { return a.from - b.from })
	t.html = (&parser{}).closed(spliced(t.html, cuts))
	return targets
}

// gap stands for what is not text; a letter has no such byte.
const gap = "\x00"

// source returns the HTML of a letter with a gap for each piece that is not text.
func (t *Template) source() string {
	var src strings.Builder
	for _, b := range t.html {
		if b.isText() {
			src.WriteString(b.text)
		} else {
			src.WriteString(gap)
		}
	}
	return src.String()
}

func (b *piece) isText() bool { return b.field == literal && b.edge == noEdge }

// spliced returns pieces with cuts, which are in order and each within a text or beside one.
func spliced(pieces []piece, cuts []cut) (out []piece) {
	text := func(s string) {
		if s != "" {
			out = append(out, measured(s))
		}
	}
	at := 0
	for _, b := range pieces {
		n := 1
		if b.isText() {
			n = len(b.text)
		}
		done := 0
		for ; len(cuts) > 0 && cuts[0].to <= at+n && (b.isText() || cuts[0].from == at); cuts = cuts[1:] {
			if b.isText() {
				text(b.text[done : cuts[0].from-at])
			}
			out, done = append(out, cuts[0].by...), cuts[0].to-at
		}
		if b.isText() {
			text(b.text[done:])
		} else {
			out = append(out, b)
		}
		at += n
	}
	for _, c := range cuts { // at the end
		out = append(out, c.by...)
	}
	return out
}

// hrefOf returns the value of the attribute href of a start tag as it is written, and where it begins; an empty one if
// there is none.
func hrefOf(tag string) (value string, at int) {
	const spaces = " \t\r\n\f"
	i := strings.IndexAny(tag, spaces+"/>") // behind the name
	skip := func(set string) {
		for i < len(tag) && strings.IndexByte(set, tag[i]) >= 0 {
			i++
		}
	}
	until := func(set string) string {
		from := i
		for i < len(tag) && strings.IndexByte(set, tag[i]) < 0 {
			i++
		}
		return tag[from:i]
	}
	for i >= 0 && i < len(tag) {
		skip(spaces + "/")
		if i >= len(tag) || tag[i] == '>' {
			break
		}
		first := i
		i++ // a name may begin with "="
		until(spaces + "=/>")
		name := tag[first:i]
		skip(spaces)
		if i >= len(tag) || tag[i] != '=' {
			continue
		}
		i++
		skip(spaces)
		begin, text := i, ""
		if i < len(tag) && (tag[i] == '"' || tag[i] == '\'') {
			i++
			begin = i
			text = until(tag[i-1 : i])
			i++
		} else {
			text = until(spaces + ">")
		}
		if strings.EqualFold(name, "href") {
			return text, begin
		}
	}
	return "", 0
}

// appendCounted appends the address of a counted link, or of the picture.
func (r *Renderer) appendCounted(dst []byte, b *piece, m *Meta) []byte {
	purpose, path := byte(mail.ToFollow), "/c/"
	if b.field == see {
		purpose, path = mail.ToSee, "/o/"
	}
	return m.Run.key.AppendTicket(append(append(dst, r.t.responses.base...), path...), mail.Ticket{Purpose: purpose,
		Job: m.Run.job, Rcpt: m.Recipient, Number: uint32(b.to)})
}
