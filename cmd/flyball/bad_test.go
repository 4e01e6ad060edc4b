package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/kinds"
	"flyball/cmd/flyball/internal/task"
)

var update = flag.Bool("update", false, "rewrite expected output")

// invoke runs a command line in this process.
func invoke(t *testing.T, args ...string) (code int, out, errout string) {
	t.Helper()
	var o, e bytes.Buffer
	code = invokeTo(&o, &e, args)
	return code, o.String(), e.String()
}

// invokeTo does the same with outputs of the caller.
func invokeTo(out, errout io.Writer, args []string) (code int) {
	return app{&console.App{In: strings.NewReader(""), Out: out, ErrOut: errout}}.run(args)
}

// The exit codes of a process.
const (
	exitUsage       = int(console.Usage)
	exitInvalid     = int(console.Invalid)
	exitMissed      = int(console.Missed)
	exitEnvironment = int(console.Environment)
	exitRefused     = int(console.Refused)
	exitInterrupt   = int(console.Interrupt)
	exitTerminated  = int(console.Terminated)
)

// Every bad scenario is refused by validate and run with exit code 3, its exact
// problems, and no trace of a panic or a run folder.
func TestBadScenarios(t *testing.T) {
	files, _ := filepath.Glob("../../scenarios/testdata/bad/*.toml")
	if len(files) < 25 {
		t.Fatalf("found %d bad scenarios, want at least 25", len(files))
	}
	for _, file := range files {
		want, err := os.ReadFile(strings.TrimSuffix(file, ".toml") + ".err")
		if err != nil {
			t.Fatal(err)
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// its problems would only mislead
		if other := task.WrongKind(filepath.Base(file), src, kinds.Scenario); other != nil {
			want = []byte(other.Error() + "\n")
		}
		code, out, _ := invoke(t, "validate", file)
		if code != exitInvalid {
			t.Errorf("validate %s: exit code %d, want %d", file, code, exitInvalid)
		}
		if got := strings.ReplaceAll(out, file, filepath.Base(file)); got != string(want) {
			t.Errorf("validate %s:\n got %s\nwant %s", file, got, want)
		}
		dir := filepath.Join(t.TempDir(), "out")
		code, out, errout := invoke(t, "run", "--out", dir, file)
		if code != exitInvalid || out != "" || !strings.HasPrefix(errout, "flyball: ") ||
			strings.Contains(errout, "goroutine") {
			t.Errorf("run %s: exit code %d, stdout %q, stderr %q", file, code, out, errout)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("run %s left a folder behind", file)
		}
	}
}

const oneDestination = `
schema_version = 1
name = "lists"
time_scale = 1000
[[destination]]
name = "example"
domain = "example.com"
rtt = "1ms"
[[campaign]]
name = "news"
recipients = 1
`

// Every bad list is refused or its rows are rejected; nothing is sent to a row
// that should not be.
func TestBadLists(t *testing.T) {
	scenario := filepath.Join(t.TempDir(), "lists.toml")
	if err := os.WriteFile(scenario, []byte(oneDestination), 0o644); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("../../internal/list/testdata/bad/*.csv")
	if len(files) < 25 {
		t.Fatalf("found %d bad lists, want at least 25", len(files))
	}
	refused := 0
	for _, file := range files {
		dir := filepath.Join(t.TempDir(), "out")
		code, out, errout := invoke(t, "realrun", "-q", "--out", dir, "--list", file, scenario)
		if strings.Contains(errout, "goroutine") || strings.Contains(errout, "internal error") {
			t.Errorf("%s: %s", file, errout)
		}
		switch code {
		case exitInvalid:
			refused++
			if _, err := os.Stat(dir); err == nil || out != "" {
				t.Errorf("%s is refused and left a folder or output behind: %q", file, out)
			}
		case 0:
			if _, err := os.Stat(filepath.Join(dir, "rejects.csv")); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		default:
			t.Errorf("%s: exit code %d: %s", file, code, errout)
		}
	}
	if refused == 0 || refused == len(files) {
		t.Errorf("%d of %d lists are refused as a whole: the corpus tests one thing only", refused, len(files))
	}
}
