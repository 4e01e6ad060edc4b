package flyball_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commandFiles hold the commands of go test that people and .ci/run type.
var commandFiles = []string{"Makefile", ".ci/run", "README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*.sh"}

var (
	goTest   = regexp.MustCompile("go test (?:'[^']*'|[^'&|;#`\n])*")
	word     = regexp.MustCompile(`'[^']*'|\S+`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
)

// TestPatternsMatchTests checks each -run, -skip, -fuzz and -bench of these
// commands and of the checks of mutants: every alternative must match a test, a
// fuzz target or a benchmark of the packages, and every package must have one that
// some alternative matches. A pattern that matches nothing passes, and proves
// nothing.
func TestPatternsMatchTests(t *testing.T) {
	found := 0
	for _, glob := range commandFiles {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, want a file", glob, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, command := range goTest.FindAllString(string(src), -1) {
				found += checkPatterns(t, file+": "+command, word.FindAllString(command, -1)[2:])
			}
		}
	}
	for _, c := range checks {
		found += checkPatterns(t, "check "+c.name, c.args)
	}
	if found < 25 {
		t.Errorf("%d patterns found, want 25 or more: the test tests too little", found)
	}
}

// checkPatterns checks the patterns among the arguments of go test, and returns
// the number of alternatives. The elements behind a slash, which name subtests,
// are not checked, nor is ^$, which means to match nothing.
func checkPatterns(t *testing.T, where string, args []string) (found int) {
	t.Helper()
	var patterns, packages []string
	for i, a := range args {
		switch a = strings.Trim(a, "'"); {
		case strings.HasPrefix(a, "./") || a == ".":
			packages = append(packages, a)
		case slices.Contains([]string{"-run", "-skip", "-fuzz", "-bench"}, a):
			if p := strings.Trim(args[i+1], "'"); p != "^$" && p != "^$$" && p != "." {
				patterns = append(patterns, strings.ReplaceAll(p, "$$", "$"))
			}
		}
	}
	for _, p := range patterns {
		alternatives := topLevel(p)
		found += len(alternatives)
		used := map[string]bool{}
		for _, pkg := range packages {
			names := testsOf(t, pkg)
			some := false
			for _, a := range alternatives {
				first, _, _ := strings.Cut(a, "/")
				if slices.ContainsFunc(names, regexp.MustCompile(first).MatchString) {
					some, used[a] = true, true
				}
			}
			if !some {
				t.Errorf("%s: %q matches nothing in %s", where, p, pkg)
			}
		}
		for _, a := range alternatives {
			if !used[a] {
				t.Errorf("%s: %q of %q matches nothing in %v", where, a, p, packages)
			}
		}
	}
	return found
}

// topLevel splits a pattern at each | that is in no parentheses.
func topLevel(pattern string) (all []string) {
	depth, from := 0, 0
	for i, c := range pattern {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			all, from = append(all, pattern[from:i]), i+1
		}
	}
	return append(all, pattern[from:])
}

// testsOf returns the names of all tests, fuzz targets and benchmarks of a
// package, or of a tree if its name ends in /... .
func testsOf(t *testing.T, pkg string) (names []string) {
	t.Helper()
	dir, tree := strings.CutSuffix(pkg, "/...")
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != dir && (!tree || d.Name() == "testdata"):
			return filepath.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := os.ReadFile(name)
		for _, m := range testFunc.FindAllStringSubmatch(string(src), -1) {
			names = append(names, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Every fuzz target is among those of `make fuzz`.
func TestEveryFuzzTargetIsListed(t *testing.T) {
	list, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	floor, _ := floorsOf(t)
	for dir := range floor {
		for _, name := range testsOf(t, dir) {
			if !strings.HasPrefix(name, "Fuzz") {
				continue
			}
			found++
			want := "\tgo test ./" + dir + " -run '^$$' -fuzz '^" + name + "$$' -fuzztime $(N)x"
			if !strings.Contains(string(list), want) {
				t.Errorf("%s: the Makefile has not %q", dir, want)
			}
		}
	}
	if found < 20 {
		t.Errorf("%d fuzz targets found, want 20 or more: the test tests too little", found)
	}
}
