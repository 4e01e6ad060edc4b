// Package conf has the one word that every Config shares: a Problem, one
// thing that is wrong with one value. Each package validates its own Config
// and returns all problems at once; the scenario loader adds file, line and
// column. Validation never edits a value.
package conf

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing wrong with a configuration value.
type Problem struct {
	Key  string // path below the Config, such as "interval" or "fail[2].p"
	Text string // what is wrong: got, want
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

// Within takes the problems of a nested Config and prefixes their keys.
func (l *List) Within(prefix string, errs []error) {
	for _, err := range errs {
		if p, ok := err.(Problem); ok {
			p.Key = prefix + "." + p.Key
			err = p
		}
		*l = append(*l, err)
	}
}

// Index is the key of element i of a list, such as "server[2]".
func Index(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// Printable reports whether a name can stand in a table: at most 64 characters,
// none of which moves a terminal's cursor or changes its colour.
func Printable(name string) bool {
	return utf8.RuneCountInString(name) <= 64 && !strings.ContainsFunc(name,
		func(r rune) bool { return !unicode.IsPrint(r) })
}
