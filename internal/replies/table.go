package replies

import (
	"slices"
	"strings"

	"flyball/internal/mail"
)

// Table is the reply table of a destination. Its rows are numbered from 1 on.
type Table []Row

// MostRows is the most rows of a Table.
const MostRows = 1000

// NewTable returns the table of a destination: its own rows, then those of all
// destinations.
func NewTable(own, general []Row) Table { return slices.Concat(own, general) }

// Row returns a row by its number.
func (t Table) Row(number uint16) *Row { return &t[number-1] }

// Gates reports whether a reaction limits when later attempts may begin.
func (t Table) Gates() bool { return slices.ContainsFunc(t, Row.Gates) }

// Counts reports whether a reaction waits for several replies.
func (t Table) Counts() bool {
	return slices.ContainsFunc(t, func(r Row) bool { return r.Gates() && r.After > 1 })
}

// rank orders rows by how certain they are of what a reply means: by a token or a
// phrase, by an enhanced status with a text, by the status alone, by the code alone.
func (r *Row) rank() int {
	switch {
	case r.Text != "" && r.Enhanced == 0:
		return 0
	case r.Text != "":
		return 1
	case r.Enhanced != 0:
		return 2
	}
	return 3
}

const ranks = 4

// Match returns the number of the row that a reply matches, 0 if none: of the rows of
// which everything that they give is true of the reply, the first of the best rank. The
// text is that of all lines of the reply, without codes; an enhanced status that it begins
// with, as each of the lines then does (RFC 2034 4), is not a part of the words.
func (t Table) Match(at mail.Stage, code int, text string) uint16 {
	if code < 400 || len(t) == 0 {
		return 0
	}
	words := strings.Fields(strings.ToLower(text))
	var status mail.Enhanced
	if len(words) > 0 && status.UnmarshalText([]byte(words[0])) != nil {
		status = 0
	}
	if status != 0 {
		first := words[0]
		words = slices.DeleteFunc(words, func(word string) bool { return word == first })
	}
	lower := strings.Join(words, " ")
	for rank := range ranks {
		for i := range t {
			if r := &t[i]; r.rank() == rank && r.matches(at, code, status, lower) {
				return uint16(i + 1)
			}
		}
	}
	return 0
}

func (r *Row) matches(at mail.Stage, code int, status mail.Enhanced, lower string) bool {
	return (r.Code == 0 || r.Code == code) && (r.Enhanced == 0 || r.Enhanced == status) &&
		(r.At == "" || r.At == at.String()) && hasWords(lower, strings.ToLower(r.Text))
}

// hasWords reports whether text has words that are not parts of longer words: TS01 is
// not in TS011.
func hasWords(text, words string) bool {
	if words == "" {
		return true
	}
	for from := 0; ; from++ {
		i := strings.Index(text[from:], words)
		if i < 0 {
			return false
		}
		from += i
		to := from + len(words)
		begins := from == 0 || !inWord(text[from-1]) || !inWord(words[0])
		ends := to == len(text) || !inWord(text[to]) || !inWord(words[len(words)-1])
		if begins && ends {
			return true
		}
	}
}

func inWord(b byte) bool { return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' }
