package inbox

import (
	"strings"
	"unicode"
)

// lines is the number of lines of a letter in which words count. A request stands at its beginning.
const lines = 5

// Asks reports whether one of the words, whole and in any case, is in the first lines of a letter. Lines
// that are empty or quote another letter do not count, and a signature ends the letter.
func Asks(text string, words []string) bool {
	n := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "--" || n == lines {
			return false
		}
		if line == "" || line[0] == '>' {
			continue
		}
		n++
		line = " " + plain(line) + " "
		for _, w := range words {
			if strings.Contains(line, " "+plain(w)+" ") {
				return true
			}
		}
	}
	return false
}

// plain returns the words of a text in lower case with one space between two of them.
func plain(text string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number)
	}), " "))
}
