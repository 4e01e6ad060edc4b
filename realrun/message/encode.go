package message

import (
	"bytes"
	"unicode/utf8"
)

// isPlain reports whether text may stand in a 7-bit body: printable ASCII,
// tabs and line ends.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// needsWords reports whether a header value must be written in encoded words: it
// is not printable ASCII, or looks like an encoded word.
func needsWords(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return true
		}
	}
	return bytes.Contains(text, []byte("=?"))
}

// appendWords appends text as encoded words in "Q" encoding, folded so that no
// line is longer than 76 bytes and no character is split (RFC 2047 2, 4.2, 5).
// The current line is already col bytes long.
func appendWords(dst []byte, col int, text []byte) []byte {
	const begin, end, fold, most = "=?utf-8?q?", "?=", "\r\n ", 76
	const hex = "0123456789ABCDEF"
	inWord := false
	for len(text) > 0 {
		_, n := utf8.DecodeRune(text)
		size := n
		if !literalInWord(text[0]) && text[0] != ' ' {
			size = 3 * n
		}
		if inWord && col+size+len(end) > most {
			dst = append(append(dst, end...), fold...)
			inWord, col = false, 1
		} else if !inWord && col+len(begin)+size+len(end) > most {
			dst = append(dst, fold...) // after a long name
			col = 1
		}
		if !inWord {
			dst = append(dst, begin...)
			inWord, col = true, col+len(begin)
		}
		for _, c := range text[:n] {
			switch {
			case c == ' ':
				dst = append(dst, '_')
			case literalInWord(c):
				dst = append(dst, c)
			default:
				dst = append(dst, '=', hex[c>>4], hex[c&15])
			}
		}
		col += size
		text = text[n:]
	}
	return append(dst, end...)
}

// literalInWord reports whether c stands for itself in any encoded word
// (RFC 2047 5 (3)).
func literalInWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '!' || c == '*' || c == '+' ||
		c == '-' || c == '/'
}

// keep returns dst without dst[from:to].
func keep(dst []byte, from, to int) []byte {
	return dst[:from+copy(dst[from:], dst[to:])]
}

// appender is an io.Writer that appends.
type appender struct{ dst []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.dst = append(a.dst, p...)
	return len(p), nil
}
