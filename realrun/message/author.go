package message

import (
	"errors"
	"fmt"
	"mime"
	netmail "net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"flyball/internal/mail"
)

// readAuthor parses the value of From, Sender or Reply-To: one address in any
// form of RFC 5322 3.4, with or without a name, in UTF-8 or in encoded words (RFC
// 2047). It returns the address and the value in ASCII, folded if it takes
// several lines, for a header whose name and ": " are col bytes long.
func readAuthor(s string, col int) (mail.Address, string, error) {
	if s == "" {
		return mail.Address{}, "", errors.New("empty, want one address")
	}
	plain, err := oneMailbox(s)
	if err != nil {
		return mail.Address{}, "", err
	}
	got, err := netmail.ParseAddress(plain)
	if err != nil {
		return mail.Address{}, "", fmt.Errorf("%s, want one address, alone or as Name <address>",
			strings.TrimPrefix(err.Error(), "mail: "))
	}
	at := strings.LastIndexByte(got.Address, '@') // net/mail removes the quotes of a local part
	a, err := mail.ParseAddress(mail.Address{Local: got.Address[:at], Domain: got.Address[at+1:]}.String())
	if err != nil {
		return a, "", err
	}
	name := got.Name
	if strings.Contains(name, "=?") { // encoded words in quotes: against the standard, but common
		if text, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
			name = text
		}
	}
	name = strings.Join(strings.Fields(name), " ")
	switch {
	case strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name):
		return a, "", errControl(name)
	case strings.Contains(name, "{{"):
		return a, "", fmt.Errorf("name %q, want no placeholder here: the author is the same for all recipients", name)
	}
	return a, named(name, a.String(), col), nil
}

// oneMailbox returns s with its encoded words as quoted strings, which may hold
// any text. It returns an error if s is a group or has several addresses: if
// ",", ":" or ";" occur outside quotes, comments, angle brackets and encoded words.
func oneMailbox(s string) (string, error) {
	var out strings.Builder
	depth, angle, copied := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case depth > 0 || c == '(':
			if c == '(' {
				depth++
			} else if c == ')' {
				depth--
			}
		case c == '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case encodedWords(s[i:]) > 0:
			n := encodedWords(s[i:])
			text, err := new(mime.WordDecoder).DecodeHeader(s[i : i+n])
			if err != nil {
				return "", fmt.Errorf("name %q: %s, want the name in UTF-8 as it is read", s[i:i+n],
					strings.TrimPrefix(err.Error(), "mime: "))
			}
			if strings.ContainsFunc(text, unicode.IsControl) {
				return "", errControl(text)
			}
			out.WriteString(s[copied:i] + quoted(text))
			copied = i + n
			i = copied - 1
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case angle:
		case c == ',':
			return "", errors.New(`"," means several addresses, want one; a name that has a comma is written in ` +
				`quotes: "Bell, Ann" <ann@x.example>`)
		case c == ':' || c == ';':
			return "", fmt.Errorf(`%q means a group of addresses, want one address; a name that has it is written in `+
				`quotes`, c)
		}
	}
	return out.String() + s[copied:], nil
}

func errControl(name string) error {
	return fmt.Errorf("name %q, want text without control characters", name)
}

// encodedWords returns the length of the encoded words at the beginning of s,
// with the space between them, which is not part of the text; 0 if there are none.
func encodedWords(s string) int {
	n := encodedWord(s)
	for n > 0 {
		rest := strings.TrimLeft(s[n:], " \t")
		more := encodedWord(rest)
		if more == 0 {
			break
		}
		n = len(s) - len(rest) + more
	}
	return n
}

// encodedWord returns the length of the encoded word at the beginning of s, 0 if there is none.
func encodedWord(s string) int {
	n := len("=?")
	if !strings.HasPrefix(s, "=?") {
		return 0
	}
	for range 2 { // charset and encoding
		i := strings.IndexByte(s[n:], '?')
		if i < 0 {
			return 0
		}
		n += i + 1
	}
	i := strings.Index(s[n:], "?=")
	if i < 0 {
		return 0
	}
	return n + i + len("?=")
}

// named returns an address with a name as written after the first col bytes of a
// line.
func named(name, address string, col int) string {
	if name == "" {
		return address
	}
	out := quotedName(name)
	if needsWords([]byte(name)) || col+len(out)+len(" <>")+len(address) > maxLine {
		out = string(appendWords(nil, col, []byte(name)))
	}
	const most = 78 // RFC 5322 2.1.1
	if last := out[strings.LastIndexByte(out, '\n')+1:]; len(last) < len(out) &&
		len(last)+len(" <>")+len(address) > most {
		out += "\r\n"
	}
	return out + " <" + address + ">"
}

// quotedName returns an ASCII name as words, or in quotes if necessary.
func quotedName(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r != ' ' && !isWord(r) }) {
		return name
	}
	return quoted(name)
}

// quoted returns text as a quoted string (RFC 5322 3.2.4).
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' }
