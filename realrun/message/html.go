package message

import (
	"errors"
	"html"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

// escape is how a value is written where it stands.
type escape uint8

const (
	none     escape = iota // in plain text and in headers
	markup                 // in HTML text, a quoted attribute or a comment
	inURL                  // in the path of an address of the web
	query                  // in its query
	wholeURL               // as the whole address
)

// escapes sets how the values of an HTML part are escaped, by where they stand: html/template finds
// that out. It reports
// values that stand where no escape makes them safe, and HTML that ends within a tag.
func (p *parser) escapes(pieces []piece) {
	var src strings.Builder
	for i, b := range pieces {
		switch {
		case b.edge == ifAny, b.edge == ifEqual:
			src.WriteString("{{if .}}")
		case b.edge == orElse:
			src.WriteString("{{else}}")
		case b.edge == blockEnd:
			src.WriteString("{{end}}")
		case b.field == literal:
			src.WriteString(b.text)
		default:
			src.WriteString("{{index . " + strconv.Itoa(i) + "}}")
		}
	}
	t, err := template.New("").Parse(src.String())
	if err == nil {
		err = t.Execute(io.Discard, make([]string, len(pieces)))
	}
	if err != nil {
		p.fault(1, 1, "%s", markupFault(err))
		return
	}
	fields(t.Tree.Root, func(i int, by []string) {
		b := &pieces[i]
		can := func(name string) bool { return slices.Contains(by, "_html_template_"+name) }
		switch {
		case can("nospaceescaper"):
			p.unsafe(b, "in an attribute without quotes, want quotes around it")
		case slices.ContainsFunc(by, func(name string) bool {
			return strings.Contains(name, "_js") || strings.Contains(name, "_css") ||
				strings.Contains(name, "_srcset") ||
				strings.Contains(name, "filter") && !strings.Contains(name, "urlfilter")
		}):
			p.unsafe(b, "in a script, a style or the name of a tag or attribute, want it in text, in a quoted "+
				"attribute, or "+
				"in an address")
		case can("urlfilter"):
			b.escape = wholeURL
		case can("urlescaper"):
			b.escape = query
		case can("urlnormalizer"):
			b.escape = inURL
		default:
			b.escape = markup
		}
	})
}

func (p *parser) unsafe(b *piece, why string) {
	p.fault(1, 1, "{{%s}} stands %s", p.t.fields[b.field].name, why)
}

// markupFault describes an error of html/template.
func markupFault(err error) string {
	var in *template.Error
	if !errors.As(err, &in) {
		return err.Error()
	}
	switch in.ErrorCode {
	case template.ErrEndContext:
		return "the HTML ends within a tag, an attribute, a comment, a script or a style, want it closed"
	case template.ErrBranchEnd:
		return "a block opens or closes a tag or an attribute for some recipients alone, want it whole in the block"
	}
	what, _, _ := strings.Cut(in.Description, "{")
	return strings.TrimRight(what, ": ")
}

// fields calls each for every field below a node, with the number of its piece and the functions that escape it.
func fields(n parse.Node, each func(piece int, by []string)) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, of := range n.Nodes {
			fields(of, each)
		}
	case *parse.IfNode:
		fields(n.List, each)
		fields(n.ElseList, each)
	case *parse.ActionNode:
		var by []string
		for _, c := range n.Pipe.Cmds[1:] {
			by = append(by, c.Args[0].String())
		}
		i, err := strconv.Atoi(n.Pipe.Cmds[0].Args[2].String()) // index . 12
		if err != nil {
			panic("message: " + n.String())
		}
		each(i, by)
	}
}

// append appends a value.
func (e escape) append(dst []byte, v string) []byte {
	switch e {
	case markup:
		return append(dst, html.EscapeString(v)...)
	case query:
		return percent(dst, v, "")
	case inURL, wholeURL:
		return percent(dst, v, ":/?#[]@!$&()*+,;=%")
	}
	return append(dst, v...)
}

// percent appends a value in which all is percent-encoded (RFC 3986 2.1) but letters, digits, "-._~" and what stays. An
// "&" is written as in HTML, a "%" that begins no escape is encoded.
func percent(dst []byte, v, stays string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			dst = append(dst, c)
		case strings.IndexByte(stays, c) < 0, c == '%' && !(i+2 < len(v) && isHex(v[i+1]) && isHex(v[i+2])):
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		case c == '&':
			dst = append(dst, "&amp;"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isAddress reports whether a value may be the address of a link.
func isAddress(v string) bool {
	scheme, _, found := strings.Cut(v, ":")
	return found && slices.Contains([]string{"https", "http", "mailto", "tel"}, strings.ToLower(scheme))
}
