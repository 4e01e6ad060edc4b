// Package conf holds what all Configs share: the keys that struct tags declare, and
// Problems with values. Each package validates its own Config and returns all
// problems at once; the scenario loader adds file, line and column. Validation never
// edits a value.
package conf

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one problem of a configuration value.
type Problem struct {
	Key  string // path below the Config, such as "interval" or "fail[2].p"
	Text string // got ..., want ...
}

func (p Problem) Error() string { return p.Key + ": " + p.Text }

// List gathers problems.
type List []error

// Check records a problem with key unless ok.
func (l *List) Check(ok bool, key, format string, args ...any) {
	if !ok {
		*l = append(*l, Problem{Key: key, Text: fmt.Sprintf(format, args...)})
	}
}

// Within adds the problems of a nested Config with prefix before their keys.
func (l *List) Within(prefix string, errs []error) {
	for _, err := range errs {
		if p, ok := err.(Problem); ok {
			p.Key = prefix + "." + p.Key
			err = p
		}
		*l = append(*l, err)
	}
}

// Index returns the key of element i of a list, such as "server[2]".
func Index(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// Below returns the key of name in the table at key, which is empty for a file as a whole.
func Below(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// Plain reports whether a text of any length is one line that a terminal shows as it is: nothing in it moves the
// cursor, changes a colour or turns the direction of writing, and none of its characters ends a line.
func Plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
	})
}

// Printable reports whether a name can stand in a table: at most 64 characters,
// none of which moves a terminal's cursor or changes its colour.
func Printable(name string) bool {
	return utf8.RuneCountInString(name) <= 64 && !strings.ContainsFunc(name,
		func(r rune) bool { return !unicode.IsPrint(r) })
}
