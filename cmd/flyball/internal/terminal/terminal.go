// Package terminal is what the commands of flyball share at a terminal: text that cannot
// act on it, colour, progress, and signals. It decides no exit code.
package terminal

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Writer writes text to another writer without characters that could move a cursor, change a
// colour or reverse the direction of letters: names, notes and command lines may come
// from files of other people. Such a character is written as \uXXXX, which is valid
// in JSON too.
type Writer struct {
	w       io.Writer
	colored func() bool
	rest    []byte // beginning of a character or of a colour whose end is not written yet
	err     error
}

// NewWriter returns a Writer to w. While colored returns true, the colours of Flyball
// itself are written.
func NewWriter(w io.Writer, colored func() bool) *Writer { return &Writer{w: w, colored: colored} }

// colours are the sequences that Flyball's reports use (format.Paint).
var colours = [][]byte{[]byte("\x1b[0m"), []byte("\x1b[1m"), []byte("\x1b[32m"), []byte("\x1b[1;31m")}

// Write writes text to w. An error of w is returned by all later calls too.
func (t *Writer) Write(text []byte) (int, error) {
	n := len(text)
	if len(t.rest) > 0 {
		text = append(t.rest, text...)
	}
	clean, rest := printed(text, t.colored())
	t.rest = bytes.Clone(rest)
	t.put(clean)
	return n, t.err
}

// Flush writes the rest, an incomplete character or colour.
func (t *Writer) Flush() error {
	for len(t.rest) > 0 && t.err == nil {
		r, size := utf8.DecodeRune(t.rest)
		t.put(spelled(nil, r, t.rest[:size]))
		clean, rest := printed(t.rest[size:], false)
		t.rest = rest
		t.put(clean)
	}
	return t.err
}

func (t *Writer) put(text []byte) {
	if t.err == nil && len(text) > 0 {
		_, t.err = t.w.Write(text)
	}
}

// Printable returns a line of text as a Writer without colour writes it.
func Printable(line string) string {
	clean, _ := printed([]byte(line), false)
	return string(clean)
}

// printed returns text in its printable form, and its incomplete end, if any.
func printed(text []byte, colored bool) (clean, rest []byte) {
	clean = make([]byte, 0, len(text))
	for len(text) > 0 {
		if text[0] < utf8.RuneSelf && text[0] >= ' ' && text[0] != 0x7f || text[0] == '\n' || text[0] == '\t' {
			clean, text = append(clean, text[0]), text[1:]
			continue
		}
		if text[0] == '\x1b' && colored {
			n, more := colour(text)
			if more {
				return clean, text
			}
			if n > 0 {
				clean, text = append(clean, text[:n]...), text[n:]
				continue
			}
		}
		if !utf8.FullRune(text) {
			return clean, text
		}
		r, size := utf8.DecodeRune(text)
		if unicode.IsGraphic(r) && (r != utf8.RuneError || size > 1) {
			clean = append(clean, text[:size]...)
		} else {
			clean = spelled(clean, r, text[:size])
		}
		text = text[size:]
	}
	return clean, nil
}

// colour returns the length of the colour that text begins with, 0 if there is none,
// and whether text is the beginning of a colour.
func colour(text []byte) (n int, more bool) {
	for _, c := range colours {
		switch {
		case bytes.HasPrefix(text, c):
			return len(c), false
		case bytes.HasPrefix(c, text):
			more = true
		}
	}
	return 0, more
}

// spelled appends the escape of r, a character with the bytes raw, to to.
func spelled(to []byte, r rune, raw []byte) []byte {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return append(to, "\ufffd"...)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return fmt.Appendf(to, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(to, `\u%04x`, r)
}
