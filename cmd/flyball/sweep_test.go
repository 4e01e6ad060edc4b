package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"flyball/internal/longtest"
)

const sweepStudy = `
schema_version = 1
name = "stopped"
scenario = "world.toml"
replications = 3
metrics = ["rate_per_h", "settling_intervals_5pct", "overshoot"]
[[parameter]]
key = "governor.d"
values = [1, 4, 16]
[[parameter]]
key = "destination[0].cap"
from = 20
to = 60
steps = 5
`

const sweepWorld = `
schema_version = 1
name = "world"
horizon = "1d"
[governor]
step = "explicit"
d = 8
target = "30000/h"
interval = "10m"
start = 10
[[destination]]
name = "a"
domain = "a.example"
dot = { dist = "lognormal", median = "2s", sigma = 0.4 }
[[campaign]]
name = "c"
recipients = 60000
subset = 50
`

// folder is every file of a study that may be compared.
func folderIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "host.json" {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		all[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The studies of the documentation are valid. Those of the atlas are loaded by the long test only.
func TestStudiesOfTheDocs(t *testing.T) {
	all, err := filepath.Glob("../../docs/studies/*.toml")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, name := range all {
		if strings.HasPrefix(filepath.Base(name), "atlas") && !longtest.Asked() {
			continue // thousands of scenarios, each of them loaded
		}
		if code, _, errout := invoke(t, "sweep", "--dry-run", name); code != 0 {
			t.Errorf("%s: %s", name, errout)
		}
		if strings.HasPrefix(filepath.Base(name), "tune-") {
			if code, _, errout := invoke(t, "tune", "--dry-run", name); code != 0 {
				t.Errorf("%s: %s", name, errout)
			}
		}
	}
}

// A study that was stopped, by a signal or by anything else, goes on and ends
// with the same files, byte for byte, as one that never stopped.
func TestSweepGoesOn(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"study.toml": sweepStudy, "world.toml": sweepWorld} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, errout := invoke(t, "sweep", "-q", in("study.toml"), "--out", in("whole")); code != 0 {
		t.Fatal(errout)
	}
	whole := folderIn(t, in("whole"))

	errout := interrupter{sig: syscall.SIGINT}
	code := (&app{in: strings.NewReader(""), out: &bytes.Buffer{}, errout: &errout}).run([]string{"sweep", "--jobs", "2", in("study.toml"), "--out", in("out")})
	if code != exitInterrupt || !strings.Contains(errout.String(), "go on with: flyball sweep "+in("study.toml")+" --resume "+in("out")) {
		t.Fatalf("exit code %d: %s", code, errout.String())
	}
	kept, err := os.ReadFile(in("out.progress"))
	if n := bytes.Count(kept, []byte("\n")) - 1; err != nil || n == 0 || n >= 45 {
		t.Fatalf("%d runs kept, want some of 45: %v", n, err)
	}
	if _, err := os.Stat(in("out")); err == nil {
		t.Error("a study that was stopped has a folder")
	}

	// Another study does not take it up.
	if code, _, errout := invoke(t, "sweep", "-q", in("study.toml"), "--seed", "2", "--resume", in("out")); code != exitInvalid || !strings.Contains(errout, "out.progress:1: got the progress of study") {
		t.Errorf("another seed goes on: exit code %d: %s", code, errout)
	}
	compare := func(name string, args ...string) {
		t.Helper()
		code, _, errout := invoke(t, append([]string{"sweep", in("study.toml")}, args...)...)
		if code != 0 || !strings.Contains(errout, "continuing after ") {
			t.Fatalf("%s: exit code %d: %s", name, code, errout)
		}
		resumed := folderIn(t, in("out"))
		for file, want := range whole {
			got := resumed[file]
			got = strings.ReplaceAll(got, in("out"), in("whole"))
			if got != want {
				t.Errorf("%s: %s differs from that of the study that never stopped", name, file)
			}
		}
		if len(resumed) != len(whole) {
			t.Errorf("%s: %d files, want %d", name, len(resumed), len(whole))
		}
		if _, err := os.Stat(in("out.progress")); err == nil {
			t.Errorf("%s: the progress is kept beside the finished study", name)
		}
	}
	compare("--resume", "--resume", in("out"), "--jobs", "1")

	// The same --out goes on too, here after a power failure in a line.
	if err := os.WriteFile(in("out.progress"), kept[:len(kept)-5], 0o644); err != nil {
		t.Fatal(err)
	}
	compare("--out", "--out", in("out"), "--jobs", "3")

	// Lines that are lost, doubled or changed are said with their place.
	lines := strings.SplitAfter(string(kept), "\n")
	for damaged, want := range map[string]string{
		lines[0] + strings.Join(lines[2:], ""):                                      "out.progress:2: got record 2, want record 1",
		strings.Join(lines[:2], "") + lines[1] + strings.Join(lines[2:], ""):        "out.progress:3: got record 1, want record 2",
		strings.Replace(string(kept), `"`+strings.Split(lines[1], `"`)[1], `"x`, 1): "out.progress:2: got a line that does not have the sum that it names",
	} {
		os.WriteFile(in("out.progress"), []byte(damaged), 0o644)
		code, _, errout := invoke(t, "sweep", "-q", in("study.toml"), "--resume", in("out"))
		if code != exitInvalid || !strings.Contains(errout, want) || !strings.Contains(errout, "delete the file to begin anew") {
			t.Errorf("exit code %d: %s, want %q", code, errout, want)
		}
		if left, _ := os.ReadFile(in("out.progress")); string(left) != damaged {
			t.Errorf("a damaged file was written to: %q", left)
		}
	}

	// Nor does it matter where the first line was cut.
	for _, begun := range []int{0, 10} {
		os.WriteFile(in("out.progress"), kept[:begun], 0o644)
		if code, _, errout := invoke(t, "sweep", "-q", in("study.toml"), "--resume", in("out")); code != 0 || !maps.Equal(folderIn(t, in("out")), whole) {
			t.Errorf("after %d bytes: exit code %d: %s", begun, code, errout)
		}
	}
}
