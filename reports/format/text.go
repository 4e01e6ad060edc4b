package format

import (
	"fmt"
	"io"
	"strings"
)

// Text is a report for a terminal. What is empty is left out.
type Text struct {
	Title  string
	About  string // one paragraph
	Notice string // of a report that is not whole
	Answer []string
	Note   string // on the answer
	Tables []Table
	Below  string // the tables, in lines
	Seal   string // seed and digests
	Replay string // the command line that repeats it
}

// Write writes the report in lines of at most Columns columns, except for the title, the
// seal, the command line and long names. With color the first sentence of the answer, the
// notice and verdicts are coloured.
func (t Text) Write(w io.Writer, color bool) error {
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "%s\n%s\n", t.Title, Paragraphs(t.About))
	}
	if t.Notice != "" {
		fmt.Fprintln(&b, Paint(t.Notice, Bad, color))
	}
	for i, sentence := range t.Answer {
		for _, line := range Wrap(sentence, Columns) {
			fmt.Fprintln(&b, Paint(line, Strong, color && i == 0))
		}
	}
	if t.Note != "" {
		fmt.Fprintln(&b, t.Note)
	}
	for _, table := range t.Tables {
		if err := table.Write(&b, color); err != nil {
			return err
		}
	}
	b.WriteString(t.Below)
	if t.Seal != "" {
		fmt.Fprintf(&b, "\n%s\n", t.Seal)
	}
	if t.Replay != "" {
		fmt.Fprintf(&b, "Run it again: %s\n", t.Replay)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Paragraphs returns each text in lines of at most Columns columns.
func Paragraphs(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		for _, line := range Wrap(text, Columns) {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}
