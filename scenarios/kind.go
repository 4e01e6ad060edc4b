package scenarios

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
	AScenario  Kind = "a scenario"
	AStudy     Kind = "a parameter study"
	ALaw       Kind = "a law file" // [governor] or [retry] alone
	Promotions Kind = "a file of promotions"
	AJSON      Kind = "JSON"
	ATable     Kind = "a CSV table"
	AList      Kind = "a list of recipients"
	Intervals  Kind = "a table of intervals"
	ALetter    Kind = "a letter"
	AnyKind    Kind = "" // none of these kinds
)

// onlyIn lists the top-level keys that occur in files of one kind only.
var onlyIn = []struct {
	kind Kind
	keys []string
}{
	{AStudy, []string{"parameter", "scenario", "scenarios", "metrics", "design", "points", "tune"}},
	{AScenario, []string{"destination", "campaign", "server", "network", "dialogue", "message", "expect", "horizon"}},
}

// KindOf returns the kind that the text of a file looks like, for error messages that name an unexpected file. The
// file need not be valid.
func KindOf(src []byte) Kind {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	text := bytes.TrimSpace(src)
	first, _, _ := bytes.Cut(text, []byte("\n"))
	first = bytes.TrimSpace(first)
	switch {
	case len(text) == 0 || !utf8.Valid(first):
		return AnyKind
	case text[0] == '{' || json.Valid(text):
		if bytes.Contains(first, []byte(`promotion"`)) && json.Valid(first) {
			return Promotions
		}
		return AJSON
	}
	given := tomlfile.TopKeys(src)
	if given == nil {
		return textKind(string(first))
	}
	if !slices.ContainsFunc(given, func(key string) bool { return key != "governor" && key != "retry" }) {
		return ALaw
	}
	for _, is := range onlyIn {
		if slices.ContainsFunc(is.keys, func(key string) bool { return slices.Contains(given, key) }) {
			return is.kind
		}
	}
	return AnyKind
}

// textKind returns the kind of a file that is neither JSON nor TOML, judged by its first line.
func textKind(first string) Kind {
	if name, _, ok := strings.Cut(first, ":"); ok && slices.Contains([]string{"from", "subject", "date", "mime-version",
		"reply-to"}, strings.ToLower(name)) {
		return ALetter
	}
	columns := strings.FieldsFunc(strings.ToLower(first), func(r rune) bool { return strings.ContainsRune(",;\t", r) })
	for i := range columns {
		columns[i] = strings.Trim(columns[i], "\" ")
	}
	switch {
	case slices.Contains(columns, "email"):
		return AList
	case slices.Contains(columns, "delivered") && (slices.Contains(columns, "hours") ||
		slices.Contains(columns, "allocated_mean")):
		return Intervals
	case len(columns) > 1 && !strings.Contains(first, "="):
		return ATable
	}
	return AnyKind
}
