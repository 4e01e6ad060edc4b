package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"flyball/internal/longtest"
)

// workflow returns the shell lines of the workflow in docs/ci.md that stands in the given file, a text for each shell
// that the server starts.
func workflow(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(raw), "`"+file+"`:\n\n```yaml\n")
	text, _, ended := strings.Cut(after, "\n```\n")
	if !found || !ended {
		t.Fatalf("docs/ci.md: no workflow in %s", file)
	}
	if _, script, ok := strings.Cut(text, "\n  script:\n"); ok { // GitLab: one shell for all lines
		var lines []string
		for line := range strings.Lines(script) {
			command, ok := strings.CutPrefix(line, "    - ")
			if !ok {
				break
			}
			lines = append(lines, command)
		}
		return []string{strings.Join(lines, "")}
	}
	var shells []string // GitHub: one for each step
	for _, step := range regexp.MustCompile(`(?m)^        run: \|\n((?:          .*\n)+)`).FindAllStringSubmatch(text,
		-1) {
		shells = append(shells, strings.ReplaceAll(step[1], "          ", ""))
	}
	return shells
}

// The workflows that docs/ci.md offers are run line by line: a change that does no harm passes, a worse one and a
// scenario that is gone do not. Building Flyball from its clone takes too long for every day, and is left to the long
// tests.
func TestWorkflows(t *testing.T) {
	for _, tool := range []string{"git", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	script, err := os.ReadFile("testdata/script/compare.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, night, found := strings.Cut(string(script), "-- small.toml --\n")
	if !found {
		t.Fatal("no small.toml in the script")
	}
	night = strings.Replace(night, "recipients = 8000", "recipients = 3000", 1)
	for _, c := range []struct {
		name, file string
		old, new   string // in the scenario
		code       int
		says       string
	}{
		{"harmless", ".github/workflows/mail.yml", "seed = 1", "seed = 1 # any", 0, "Gate: pass"},
		{"worse", ".gitlab-ci.yml", "d = 4", "d = 1", 5, "cause in small: governor.d is 1 instead of 4"},
		{"gone", ".github/workflows/mail.yml", `name = "small"`, `name = "large"`, 5,
			"Gate: FAIL, 1 scenario of BASE not compared (small)."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			changed := strings.Replace(night, c.old, c.new, 1)
			if changed == night {
				t.Fatalf("no %q in the scenario", c.old)
			}
			for name, text := range map[string]string{"base.toml": night, "new.toml": changed, "github_path": ""} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			url, err := filepath.Abs("../..")
			if err != nil {
				t.Fatal(err)
			}
			tools := filepath.Join(dir, "tools")
			if !longtest.Asked() { // the command under test stands for the one that go would build
				url = filepath.Join(dir, "origin")
				if err := os.Mkdir(tools, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(tools, "go"), []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			path := tools + ":" + os.Getenv("PATH")
			shell := func(in, lines string) (string, int) {
				sh := exec.Command("bash", "-e", "-o", "pipefail", "-c", lines)
				sh.Dir = in
				sh.Env = append(os.Environ(), "PATH="+path, "FLYBALL_URL="+url,
					"RUNNER_TEMP="+filepath.Join(dir, "temp"),
					"GITHUB_PATH="+filepath.Join(dir, "github_path"),
					"GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary.md"),
					"GITHUB_BASE_REF=main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main", "GIT_CONFIG_GLOBAL=/dev/null",
					"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@a.example", "GIT_COMMITTER_NAME=a",
					"GIT_COMMITTER_EMAIL=a@a.example")
				out, err := sh.CombinedOutput()
				var e *exec.ExitError
				if err != nil && !errors.As(err, &e) {
					t.Fatal(err)
				}
				return string(out), sh.ProcessState.ExitCode()
			}
			if out, code := shell(dir, `
				mkdir temp
				git init -q -b main origin
				mkdir origin/mail
				cp base.toml origin/mail/night.toml
				git -C origin add .
				git -C origin commit -qm base
				git clone -q origin work
				git -C work checkout -q -b change
				cp new.toml work/mail/night.toml
				git -C work commit -qam new`); code != 0 {
				t.Fatal(out)
			}
			shells := workflow(t, c.file)
			for i, lines := range shells {
				out, code := shell(filepath.Join(dir, "work"), lines)
				want := 0
				if i == len(shells)-1 {
					want = c.code
					if !strings.Contains(out, c.says) {
						t.Errorf("no %q in what the workflow prints", c.says)
					}
				}
				if code != want {
					t.Fatalf("exit code %d, want %d, of\n%s\n%s", code, want, lines, out)
				}
				if added, err := os.ReadFile(filepath.Join(dir, "github_path")); err == nil && len(added) > 0 {
					path = tools + ":" + strings.TrimSpace(string(added)) + ":" + os.Getenv("PATH")
				}
			}
			for _, name := range []string{"gate.xml", "comparison/report.html"} {
				_, err := os.Stat(filepath.Join(dir, "work", name))
				if there := err == nil; there != (c.name != "gone" || name == "gate.xml") {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
