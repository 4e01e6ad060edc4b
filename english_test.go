package flyball_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// phrases are words that a stranger stumbles over, with what to write instead.
// They hold for comments, messages and documents.
var phrases = []struct{ pattern, instead string }{
	{`by that of|by those of`, "write a ratio as X / Y"},
	{`\b(that|those) of (a|an|the) `, "repeat the noun: the rate of the server, not that of the server"},
	{`(?i)\bnobody\b|\bnobody's\b`, "name what is missing: no recipient, no process, no caller"},
	{`\bso many\b`, "n, or the number of what"},
	{`(?:\w+ )?\b(is|are|was) no [a-z]+`, "is not a ..., or has no ..."},
	{`\bis told\b|\bare told\b|\bwas told\b|\btold (?:of|apart|by|the)\b`,
		"a function is given, reports or returns; values are distinguished"},
	{`(?i)\b(the )?(code|machine|recorder|governor|receiver|cluster|server) (says|hears|knows|tells)\b`,
		"code returns, reports, sets; it does not speak"},
	{`\bof no account\b`, "is ignored"},
	{`(?i)\bwhoever\b|\beverybody\b`, "name who: every server, each recipient"},
	{`(?i)\bhe\b|\bhis\b|\bhim\b`, "a process, a server and a sender are it or they"},
	{`\blikewise\b`, "say what is done again"},
	{`\bfor such\b`, "name it"},
}

// plain are matches of a pattern that every reader understands.
var plain = regexp.MustCompile(`^(?i:there) |no ` +
	`(longer|more|less|fewer|later|earlier|worse|better|slower|faster|wider|greater|larger)$`)

// prose returns the comments and string literals of Go files and the lines of
// documents, each with its place.
func prose(t *testing.T, each func(place, text string)) {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skipf("git lists no files: %v", err)
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if strings.Contains(name, "testdata/") || name == "english_test.go" || name == "mutants_test.go" ||
			name == "LICENSE" {
			continue
		}
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			continue // deleted and not committed yet
		}
		switch filepath.Ext(name) {
		case ".md":
			line := 0
			for l := range strings.Lines(string(text)) {
				line++
				each(name+":"+strconv.Itoa(line), l)
			}
		case ".go":
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, name, text, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range f.Comments {
				each(fset.Position(g.Pos()).String(), g.Text())
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if s, err := strconv.Unquote(l.Value); err == nil && strings.Contains(s, " ") {
						each(fset.Position(l.Pos()).String(), s)
					}
				}
				return true
			})
		}
	}
}

func TestPlainEnglish(t *testing.T) {
	var patterns []*regexp.Regexp
	for _, p := range phrases {
		patterns = append(patterns, regexp.MustCompile(p.pattern))
	}
	prose(t, func(place, text string) {
		text = strings.Join(strings.Fields(text), " ")
		for i, p := range patterns {
			if at := p.FindString(text); at != "" && !plain.MatchString(at) {
				t.Errorf("%s: %q: %s", place, at, phrases[i].instead)
			}
		}
	})
}

// Lines of Go and of prose in documents end by column 120, a tab counted as four. A raw string that spans lines is
// compared whole; rows of tables, commands, pictures and addresses are as long as they must be.
func TestLinesEndByColumn120(t *testing.T) {
	fenced := false
	prose(t, func(place, text string) {
		if !strings.Contains(place, ".md:") {
			return
		}
		if strings.HasPrefix(text, "```") {
			fenced = !fenced
		}
		must := fenced || strings.Contains(text, "http")
		for _, begins := range []string{"|", "    ", "!["} {
			must = must || strings.HasPrefix(text, begins)
		}
		if n := columns(text); n > 120 && !must {
			t.Errorf("%s: %d columns", place, n)
		}
	})
	for _, s := range parsed(t, func(string) bool { return true }) {
		text, err := os.ReadFile(filepath.FromSlash(s.name))
		if err != nil {
			t.Fatal(err)
		}
		spanned := spannedLines(s.fset, s.file)
		line := 0
		for l := range strings.Lines(string(text)) {
			line++
			if spanned[line] {
				continue
			}
			if n := columns(l); n > 120 {
				t.Errorf("%s:%d: %d columns", s.name, line, n)
			}
		}
	}
}

// columns returns the width of a line, a tab counted as four.
func columns(line string) int {
	return utf8.RuneCountInString(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    "))
}

// spannedLines returns the lines of a file on which a string stands that spans lines.
func spannedLines(fset *token.FileSet, file *ast.File) map[int]bool {
	lines := make(map[int]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		if v, is := n.(*ast.BasicLit); is && v.Kind == token.STRING {
			first, last := fset.Position(v.Pos()).Line, fset.Position(v.End()).Line
			for line := first; line <= last && first < last; line++ {
				lines[line] = true
			}
		}
		return true
	})
	return lines
}
