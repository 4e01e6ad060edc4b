// Package kinds guesses from a file's text what it is, so that a command that is given another file than
// it reads can say what it was given.
package kinds

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/internal/tomlfile"
)

// Kind is the kind of a file, guessed from its text.
type Kind string

// Kinds of files that a command line may name.
const (
	Scenario   Kind = "a scenario"
	Study      Kind = "a parameter study"
	Law        Kind = "a law file" // [governor] or [retry] alone
	Promotions Kind = "a file of promotions"
	JSON       Kind = "JSON"
	Table      Kind = "a CSV table"
	List       Kind = "a list of recipients"
	Intervals  Kind = "a table of intervals"
	Letter     Kind = "a letter"
	Any        Kind = "" // none of these kinds
)

// onlyIn lists the top-level keys that occur in files of one kind only.
var onlyIn = []struct {
	kind Kind
	keys []string
}{
	{Study, []string{"parameter", "scenario", "scenarios", "metrics", "design", "points", "tune"}},
	{Scenario, []string{"destination", "campaign", "server", "network", "dialogue", "message", "expect", "horizon"}},
}

// Of returns the kind that the text of a file looks like, for error messages that name an unexpected file. The
// file need not be valid.
func Of(src []byte) Kind {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	text := bytes.TrimSpace(src)
	first, _, _ := bytes.Cut(text, []byte("\n"))
	first = bytes.TrimSpace(first)
	switch {
	case len(text) == 0 || !utf8.Valid(first):
		return Any
	case text[0] == '{' || json.Valid(text):
		if bytes.Contains(first, []byte(`promotion"`)) && json.Valid(first) {
			return Promotions
		}
		return JSON
	}
	given := tomlfile.TopKeys(src)
	if given == nil {
		return textKind(string(first))
	}
	if !slices.ContainsFunc(given, func(key string) bool { return key != "governor" && key != "retry" }) {
		return Law
	}
	for _, is := range onlyIn {
		if slices.ContainsFunc(is.keys, func(key string) bool { return slices.Contains(given, key) }) {
			return is.kind
		}
	}
	return Any
}

// textKind returns the kind of a file that is neither JSON nor TOML, judged by its first line.
func textKind(first string) Kind {
	if name, _, ok := strings.Cut(first, ":"); ok && slices.Contains([]string{"from", "subject", "date", "mime-version",
		"reply-to"}, strings.ToLower(name)) {
		return Letter
	}
	columns := strings.FieldsFunc(strings.ToLower(first), func(r rune) bool { return strings.ContainsRune(",;\t", r) })
	for i := range columns {
		columns[i] = strings.Trim(columns[i], "\" ")
	}
	switch {
	case slices.Contains(columns, "email"):
		return List
	case slices.Contains(columns, "delivered") && (slices.Contains(columns, "hours") ||
		slices.Contains(columns, "allocated_mean")):
		return Intervals
	case len(columns) > 1 && !strings.Contains(first, "="):
		return Table
	}
	return Any
}
