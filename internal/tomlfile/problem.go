package tomlfile

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one problem of a file, with its place.
type Problem struct {
	File string `json:"file"`   // as named by the caller; "--set" for an entry of the command line
	Line int    `json:"line"`   // from 1; 0 if it has no place in the file
	Col  int    `json:"column"` // from 1, in characters; 0 if it has no place in the file
	Key  string `json:"key"`    // such as "destination[1].fail[0].p"; empty for the file as a whole
	Text string `json:"text"`   // what is wrong: got, want
}

func (p Problem) Error() string {
	switch {
	case p.Line > 0 && p.Key != "":
		return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Col, p.Key, p.Text)
	case p.Line > 0:
		return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Text)
	case p.Key != "":
		return fmt.Sprintf("%s %s: %s", p.File, p.Key, p.Text)
	}
	return p.File + ": " + p.Text
}

// Problems holds all problems of a file: first the problems of the file, by
// position, then the problems of the command line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// fault is a problem whose line and column have not been counted yet.
type fault struct {
	set  *entry // of the command line; nil: the file
	at   int    // byte offset in the file
	see  *node  // an earlier value that it clashes with
	key  string
	text string
}

// mostShown is the number of problems that are reported one by one. More would fill the screen without helping, and
// take longer to write than the file took to read.
const mostShown = 25

// report returns the faults of a file as Problems, sorted by position. It counts
// lines and columns in one pass over src. Beyond mostShown it reports only how
// many more there are.
func report(file string, src []byte, faults []fault) Problems {
	slices.SortStableFunc(faults, func(a, b fault) int {
		switch {
		case a.set == nil && b.set == nil:
			return a.at - b.at
		case a.set == nil:
			return -1
		case b.set == nil:
			return 1
		}
		return 0 // entries of the command line stay in their order
	})
	more := max(0, len(faults)-mostShown)
	var all Problems
	at, line, col := 0, 1, 1
	for _, f := range faults[:len(faults)-more] {
		p := Problem{File: file, Key: f.key, Text: f.text}
		if f.set != nil { // show the entry as the user typed it
			p.File = "--set"
			if rest, ok := strings.CutPrefix(f.key, f.set.path); ok {
				p.Key = f.set.typed + rest
			} else {
				p.Key = f.set.typed
				if !strings.HasPrefix(f.set.path, f.key) {
					p.Text = f.key + ": " + p.Text
				}
			}
			all = append(all, p)
			continue
		}
		if n := bytes.Count(src[at:f.at], []byte("\n")); n > 0 {
			line += n
			at, col = bytes.LastIndexByte(src[:f.at], '\n')+1, 1
		}
		col += utf8.RuneCount(src[at:f.at])
		at = f.at
		p.Line, p.Col = line, col
		if f.see != nil {
			p.Text += fmt.Sprintf(", see line %d", 1+bytes.Count(src[:f.see.keyAt], []byte("\n")))
		}
		all = append(all, p)
	}
	if more > 0 {
		all = append(all, Problem{File: file, Text: fmt.Sprintf("more problems, not shown: %d", more)})
	}
	return all
}

// Quote returns user text quoted, on one line and at a readable length.
func Quote(s string) string { return strconv.Quote(shorten(s)) }

func shorten(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}

// list joins names as "a, b, c".
func list(names []string) string { return strings.Join(names, ", ") }
