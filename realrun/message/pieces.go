package message

import (
	"strings"
	"unicode"

	"flyball/internal/csvfile"
)

// piece is a stretch of text, a placeholder, or the edge of a block.
type piece struct {
	text     string // CRLF line ends in a body; the default of a placeholder; what a block wants
	field    int    // index into Template.fields; literal or jump
	optional bool   // a placeholder has a default, which may be empty
	escape   escape // of the value
	edge     edge
	to       int // piece that a jump, or a block that is left out, goes to

	odd                 bool // text is not plain; see isPlain
	first, longest, end int  // text: bytes of its first line, of its longest line, and after its last line end
}

// Values of piece.field that are not an index.
const (
	literal = -1
	jump    = -2
	follow  = -3 // a counted link; text has its address as written, and to its number
	see     = -4 // the picture that tells of an opened message
)

// edge is what a piece means for a block.
type edge uint8

const (
	noEdge   edge = iota
	ifEqual       // {{#if field=value}}
	ifAny         // {{#if field}}
	orElse        // {{#else}}
	blockEnd      // {{#end}}
)

// block is a block that is open while pieces are read.
type block struct {
	line, col int
	orElse    bool // {{#else}} has been read
}

// isTag reports whether s is the tag of a block and nothing else.
func isTag(s string) bool {
	inner, begins := strings.CutPrefix(s, "{{")
	inner, ends := strings.CutSuffix(inner, "}}")
	if !begins || !ends || strings.Contains(inner, "{{") || strings.Contains(inner, "}}") {
		return false
	}
	inner = strings.Trim(inner, " \t")
	return inner == "#else" || inner == "#end" || strings.HasPrefix(inner, "#if ")
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
		out = append(out, piece{text: s[:open], field: literal})
		if tag := s[open : end+2]; isTag(tag) {
			out = append(out, p.tag(strings.Trim(tag[2:len(tag)-2], " \t"), at, here+open))
		} else {
			name, def, optional := strings.Cut(tag[2:len(tag)-2], "|")
			name, def = csvfile.Name(name), strings.Trim(def, " \t")
			if !isFieldName(name) || strings.Contains(def, "{{") {
				p.fault(at, here+open, `got %q, want {{field}} or {{field|default}}, where field is the name of a `+
					`column, without braces`, tag)
			}
			out = append(out, piece{text: def, field: p.field(name, at, here+open), optional: optional})
		}
		s = s[end+2:]
	}
	return out
}

// tag returns the piece of a tag, and keeps account of open blocks.
func (p *parser) tag(inner string, line, col int) piece {
	condition, begins := strings.CutPrefix(inner, "#if ")
	if begins {
		p.blocks = append(p.blocks, block{line: line, col: col})
		name, want, equal := strings.Cut(condition, "=")
		name, want = csvfile.Name(name), strings.Trim(want, " \t")
		if !isFieldName(name) || strings.Contains(condition, "|") {
			p.fault(line, col, "got {{%s}}, want {{#if field}} or {{#if field=value}}, where field is the name of a "+
				"column", inner)
		}
		b := piece{text: want, field: p.field(name, line, col), edge: ifAny}
		if equal {
			b.edge = ifEqual
		}
		return b
	}
	open := len(p.blocks) - 1
	switch {
	case open < 0:
		p.fault(line, col, "{{%s}} without {{#if field}} before it", inner)
	case inner == "#end":
		p.blocks = p.blocks[:open]
		return piece{field: literal, edge: blockEnd}
	case p.blocks[open].orElse:
		p.fault(line, col, "{{#else}} again in the block of line %d", p.blocks[open].line)
	default:
		p.blocks[open].orElse = true
	}
	return piece{field: jump, edge: orElse}
}

func isFieldName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '{' || r == '}' ||
			unicode.IsControl(r)
	})
}

// merged joins neighbouring texts, so that Render copies them at once, and measures them.
func merged(in []piece) []piece {
	out := []piece{}
	for len(in) > 0 {
		var text strings.Builder
		n := 0
		for ; n < len(in) && in[n].field == literal && in[n].edge == noEdge; n++ {
			text.WriteString(in[n].text)
		}
		if n == 0 {
			in[0].odd = !isPlain(in[0].text) && in[0].edge == noEdge
			out = append(out, in[0])
			n = 1
		} else if text.Len() > 0 {
			out = append(out, measured(text.String()))
		}
		in = in[n:]
	}
	return out
}

// measured returns text as a piece.
func measured(text string) piece {
	p := piece{text: text, field: literal, odd: !isPlain(text)}
	rest := text
	for n := 0; ; n++ {
		line, after, found := strings.Cut(rest, "\r\n")
		if n == 0 {
			p.first = len(line)
		}
		if !found {
			p.end = len(line)
			break
		}
		p.longest = max(p.longest, len(line))
		rest = after
	}
	return p
}

// closed lets each block lead to its end, and reports blocks without one.
func (p *parser) closed(pieces []piece) []piece {
	for _, b := range p.blocks {
		p.fault(b.line, b.col, "{{#if}} without {{#end}}, want one in the same part, or on the same line of a header")
	}
	var open []int // edges that lead on
	for i := range pieces {
		switch b := &pieces[i]; b.edge {
		case ifEqual, ifAny:
			open = append(open, i)
		case orElse:
			if len(open) > 0 {
				pieces[open[len(open)-1]].to = i + 1
				open[len(open)-1] = i
			}
		case blockEnd:
			if len(open) > 0 {
				pieces[open[len(open)-1]].to = i + 1
				open = open[:len(open)-1]
			}
		}
	}
	p.blocks = nil
	return pieces
}
