// Package script plays the scripts of tests. A script is a list of blocks: commands, a line "----",
// what they do, an empty line. Lines that begin with # are comments. Tests alone import the package.
package script

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into testdata/*.txt instead of comparing it")

// Stage is where a script is played.
type Stage struct {
	T    *testing.T
	Line int             // number of the command's line
	Told strings.Builder // what happened since the last block
}

// Must fails the test, with the line of the script, if err is not nil.
func (s *Stage) Must(err error) {
	s.T.Helper()
	if err != nil {
		s.T.Fatalf("line %d: %v", s.Line, err)
	}
}

// Test plays each file testdata/*.txt. begin returns what does the commands of one script, a line each, on the stage
// that it gets.
func Test(t *testing.T, begin func(*Stage) (command func(line string))) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			was, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &Stage{T: t}
			got := s.play(string(was), begin(s))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(was) {
				t.Errorf("%s: %s", file, firstDifference(got, string(was)))
			}
		})
	}
}

// play does the commands of a script and returns it with what happened in each block.
func (s *Stage) play(script string, command func(line string)) string {
	var out strings.Builder
	lines := bufio.NewScanner(strings.NewReader(script))
	var skip bool // the old expectation
	for lines.Scan() {
		s.Line++
		line := lines.Text()
		switch {
		case line == "----":
			out.WriteString("----\n" + s.Told.String())
			s.Told.Reset()
			skip = true
			continue
		case line == "":
			skip = false
			if s.Told.Len() > 0 {
				s.T.Fatalf("line %d: something happened, and no ---- asks for it:\n%s", s.Line, s.Told.String())
			}
		case skip:
			continue
		case line[0] != '#':
			command(line)
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s", i+1, g[i],
				strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
	return fmt.Sprintf("line %d: the script expects more", len(g)+1)
}
