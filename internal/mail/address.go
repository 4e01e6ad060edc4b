package mail

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Limits of RFC 5321 4.5.3.1, in bytes as sent. A path is the address in its
// angle brackets.
const (
	maxLocal   = 64
	maxDomain  = 255
	maxAddress = 256 - len("<>")
	maxLabel   = 63 // RFC 1035 2.3.4
)

// Address is a mailbox as SMTP carries it (RFC 5321 4.1.2), made by
// ParseAddress. Two addresses are the same mailbox if they are equal: the
// domain is in lower case, the local part is case-sensitive and without
// quotes.
type Address struct {
	Local  string // without quotes: a b for "a b"@x.test
	Domain string // labels of letters, digits and hyphens, in lower case
}

// ParseAddress reads a mailbox: a dot-string or quoted string, "@", a domain
// name. It is stricter than the grammar wherever an address could be taken for
// something else: it refuses source routes, the %-hack, bang paths, groups,
// comments, address literals and names that end in a number, a leading hyphen,
// and all control and non-ASCII characters. An international domain becomes its
// A-labels (xn--..., RFC 5891). A domain has two labels or more, unless it is
// itself a reserved top-level name, which leads nowhere, or localhost, which is
// this computer.
//
// The error names the problem and what is expected. It does not repeat the address
// and holds printable ASCII only.
func ParseAddress(s string) (Address, error) {
	if s == "" {
		return Address{}, errors.New("address is empty, want local@domain")
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return Address{}, fmt.Errorf("address has control character %q at byte %d, want none", rune(s[i]), i+1)
		}
		if s[i] >= utf8.RuneSelf {
			if ascii := withALabels(s); ascii != s {
				return ParseAddress(ascii)
			}
			_, n := utf8.DecodeRuneInString(s[i:])
			return Address{}, fmt.Errorf("address has non-ASCII %+q at byte %d, want ASCII (international domains as "+
				"they are read, or as A-labels, xn--...)", s[i:i+n], i+1)
		}
	}
	local, n, err := readLocal(s)
	if err != nil {
		return Address{}, err
	}
	domain, err := readDomain(s[n+1:])
	if err != nil {
		return Address{}, err
	}
	if len(s) > maxAddress {
		return Address{}, fmt.Errorf("address is %d bytes, want at most %d (RFC 5321 4.5.3.1.3)", len(s), maxAddress)
	}
	return Address{local, domain}, nil
}

// withALabels returns s with its domain as A-labels, in lower case, and s itself if the domain is not in normal form:
// one that looks the same and is written otherwise could be another's.
func withALabels(s string) string {
	at := strings.LastIndexByte(s, '@') + 1
	domain := strings.ToLower(s[at:])
	labels, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return s
	}
	if back, err := idna.Lookup.ToUnicode(labels); err != nil || back != domain {
		return s
	}
	return s[:at] + labels
}

// readLocal returns the local part without quotes, and where its "@" is.
func readLocal(s string) (string, int, error) {
	read := readDotString
	if s[0] == '"' {
		read = readQuoted
	}
	local, n, err := read(s)
	switch {
	case err != nil:
		return "", 0, err
	case s[0] == '@' && strings.ContainsRune(s, ':'):
		return "", 0, errors.New("address has a source route, want local@domain")
	case local == "":
		return "", 0, errors.New("local part is empty, want local@domain")
	case n > maxLocal:
		return "", 0, fmt.Errorf("local part is %d bytes, want at most %d (RFC 5321 4.5.3.1.1)", n, maxLocal)
	case local[0] == '-':
		return "", 0, errors.New(
			`address begins with "-", want no leading hyphen (a program may take it for an option)`)
	case strings.ContainsRune(local, '%'):
		return "", 0, errors.New(`local part has "%", want no route through another host`)
	case strings.ContainsRune(local, '!'):
		return "", 0, errors.New(`local part has "!", want no route through another host`)
	}
	return local, n, nil
}

func readDotString(s string) (string, int, error) {
	dot := true // no dot may follow: at the start, after a dot, at the end
	for i := range len(s) {
		switch c := s[i]; {
		case c == '@' && dot && i > 0:
			return "", 0, errors.New(`local part ends with ".", want dots only between its parts`)
		case c == '@':
			return s[:i], i, nil
		case c == '.' && i == 0:
			return "", 0, errors.New(`local part begins with ".", want dots only between its parts`)
		case c == '.' && dot:
			return "", 0, fmt.Errorf(`local part has ".." at byte %d, want single dots`, i)
		case c != '.' && !isAtext(c):
			return "", 0, fmt.Errorf("address has %s at byte %d, want local@domain, other characters in a quoted "+
				"local part", special(c), i+1)
		}
		dot = s[i] == '.'
	}
	return "", 0, errors.New(`address has no "@", want local@domain`)
}

func readQuoted(s string) (string, int, error) {
	var local strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"' && i+1 == len(s):
			return "", 0, errors.New(`address has no "@", want local@domain`)
		case s[i] == '"' && s[i+1] != '@':
			return "", 0, fmt.Errorf(`address has %q after the quoted local part, want "@"`, s[i+1])
		case s[i] == '"':
			return local.String(), i + 1, nil
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		local.WriteByte(s[i])
	}
	return "", 0, errors.New("local part has no closing quote")
}

func readDomain(d string) (string, error) {
	switch {
	case d == "":
		return "", errors.New("domain is empty, want local@domain")
	case d[0] == '[':
		return "", errors.New("domain is an address literal, want a name")
	case len(d) > maxDomain:
		return "", fmt.Errorf("domain is %d bytes, want at most %d (RFC 5321 4.5.3.1.2)", len(d), maxDomain)
	case d[0] == '.':
		return "", errors.New(`domain begins with ".", want dots only between labels`)
	case d[len(d)-1] == '.':
		return "", errors.New(`domain ends with ".", want dots only between labels`)
	}
	d = strings.ToLower(d)
	var last string
	for label := range strings.SplitSeq(d, ".") {
		switch i := strings.IndexFunc(label, notLDH); {
		case label == "":
			return "", errors.New(`domain has "..", want single dots`)
		case i >= 0:
			return "", fmt.Errorf("domain has %s, want letters, digits and hyphens between dots", special(label[i]))
		case len(label) > maxLabel:
			return "", fmt.Errorf("domain has a label of %d bytes, want at most %d", len(label), maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return "", fmt.Errorf("domain has label %q, want no hyphen at its ends", label)
		}
		last = label
	}
	if strings.Trim(last, "0123456789") == "" {
		return "", fmt.Errorf("domain ends with number %q, want a name", last)
	}
	if last == d && d != "localhost" && !(Address{Domain: d}).Reserved() {
		return "", fmt.Errorf("domain %q has one label, want two or more", d)
	}
	return d, nil
}

func isDotString(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		for i := range len(part) {
			if !isAtext(part[i]) {
				return false
			}
		}
		if part == "" {
			return false
		}
	}
	return true
}

// isAtext reports whether c may stand unquoted in a local part (RFC 5322 3.2.3).
func isAtext(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func notLDH(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

// special describes a character that does not belong in an address.
func special(c byte) string {
	switch c {
	case ' ':
		return "a space"
	case '(', ')':
		return "a comment"
	case '<', '>':
		return fmt.Sprintf("%q (a name or a path)", c)
	case ':', ';':
		return fmt.Sprintf("%q (a group or a port)", c)
	case ',':
		return "',' (several addresses)"
	case '@':
		return `a second "@"`
	}
	return fmt.Sprintf("%q", c)
}

// Append appends the address as SMTP carries it, in its shortest form: quoted
// only if it must be.
func (a Address) Append(dst []byte) []byte {
	if isDotString(a.Local) {
		dst = append(dst, a.Local...)
	} else {
		dst = append(dst, '"')
		for i := range len(a.Local) {
			if c := a.Local[i]; c == '"' || c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, a.Local[i])
		}
		dst = append(dst, '"')
	}
	return append(append(dst, '@'), a.Domain...)
}

// String returns the address as SMTP carries it: see Append. ParseAddress reads it
// back to the same value.
func (a Address) String() string { return string(a.Append(nil)) }

// Like reports whether two addresses are the same in upper or lower case, as most providers see them.
func (a Address) Like(b Address) bool {
	return a.Domain == b.Domain && strings.EqualFold(a.Local, b.Local)
}

// reserved names never have a real mailbox (RFC 2606, RFC 6761). RFC 6761 sets localhost aside too, but for this
// computer, on which a mail server has mailboxes of that domain: root@localhost is one.
var reserved = [...]string{"test", "example", "invalid", "example.com", "example.net", "example.org"}

// Reserved reports whether the domain is set aside for tests and
// documentation, so that no mailbox can be under it: .test, .example, .invalid,
// example.com, example.net, example.org, and all names below them.
func (a Address) Reserved() bool {
	for _, r := range reserved {
		if above, ok := strings.CutSuffix(a.Domain, r); ok && (above == "" || above[len(above)-1] == '.') {
			return true
		}
	}
	return false
}
