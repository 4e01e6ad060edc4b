package main

import (
	"bytes"
	"io"
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
recipients = 20000
subset = 50
`

const tuneStudy = `
schema_version = 1
name = "stopped"
scenario = "world.toml"
metrics = ["rate_per_h"]
[[parameter]]
key = "governor.d"
from = 1.0
to = 64.0
scale = "log"
[[parameter]]
key = "governor.law"
values = ["patent-dynamic", "patent-damped"]
[tune]
objective = "iae_target_hours"
budget = 40
held_out = { replications = 6 }
[[tune.constraint]]
metric = "total_variation"
as = "ratio"
op = "<="
value = 1.1
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

// The studies of the documentation are valid. The long test alone loads those with thousands of scenarios.
func TestStudiesOfTheDocs(t *testing.T) {
	t.Parallel()
	all, err := filepath.Glob("../../docs/studies/*.toml")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, name := range all {
		study := filepath.Base(name)
		if (strings.HasPrefix(study, "atlas") || strings.HasPrefix(study, "partitions")) && !longtest.Asked() {
			continue
		}
		if code, _, errout := invoke(t, "sweep", "--dry-run", name); code != 0 {
			t.Errorf("%s: %s", name, errout)
		}
		if strings.HasPrefix(study, "tune-") {
			if code, _, errout := invoke(t, "tune", "--dry-run", name); code != 0 {
				t.Errorf("%s: %s", name, errout)
			}
		}
	}
}

// A study that a signal stopped goes on and ends with the same files, byte for byte,
// as one that never stopped, for any number of workers. So does one that a power
// failure stopped within a line. Another study does not take up its runs.
func TestStudiesGoOn(t *testing.T) {
	for _, c := range []struct {
		command, study, world string
		most                  int // runs
		sig                   syscall.Signal
		code                  int
		another               []string
	}{
		{"sweep", sweepStudy, sweepWorld, 45, syscall.SIGINT, exitInterrupt, []string{"--seed", "2"}},
		{"tune", tuneStudy, strings.Replace(sweepWorld, "20000", "10000", 1), 64, syscall.SIGTERM, exitTerminated,
			[]string{"--set", "governor.start=11"}},
	} {
		t.Run(c.command, func(t *testing.T) {
			dir := t.TempDir()
			in := func(name string) string { return filepath.Join(dir, name) }
			for name, text := range map[string]string{"study.toml": c.study, "world.toml": c.world} {
				if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if code, _, errout := invoke(t, c.command, "-q", in("study.toml"), "--jobs", "1", "--out",
				in("whole")); code != 0 {
				t.Fatal(errout)
			}
			whole := folderIn(t, in("whole"))
			errout := interrupter{sig: c.sig}
			code := invokeTo(io.Discard, &errout, []string{c.command,
				"--jobs", "2", in("study.toml"), "--out", in("out")})
			if code != c.code || !strings.Contains(errout.String(),
				"go on with: flyball "+c.command+" "+in("study.toml")+" --resume "+in("out")) {
				t.Fatalf("exit code %d: %s", code, errout.String())
			}
			kept, err := os.ReadFile(in("out.progress"))
			if n := bytes.Count(kept, []byte("\n")) - 1; err != nil || n == 0 || n >= c.most {
				t.Fatalf("%d runs kept, want some of %d: %v", n, c.most, err)
			}
			if _, err := os.Stat(in("out")); err == nil {
				t.Error("a study that was stopped has a folder")
			}
			if code, _, errout := invoke(t, append([]string{c.command, "-q", in("study.toml"), "--resume", in("out")},
				c.another...)...); code != exitInvalid || !strings.Contains(errout,
				"out.progress:1: got the progress of study") {
				t.Errorf("another study goes on: exit code %d: %s", code, errout)
			}
			goOn := func(how ...string) {
				t.Helper()
				code, _, errout := invoke(t, append([]string{c.command, in("study.toml")}, how...)...)
				if code != 0 || !strings.Contains(errout, "continuing after ") {
					t.Fatalf("%v: exit code %d: %s", how, code, errout)
				}
				if !maps.Equal(folderIn(t, in("out")), whole) {
					t.Errorf("%v: the files differ from those of the study that never stopped", how)
				}
				if _, err := os.Stat(in("out.progress")); err == nil {
					t.Errorf("%v: the progress is kept beside the finished study", how)
				}
			}
			goOn("--resume", in("out"), "--jobs", "1")
			if err := os.WriteFile(in("out.progress"), kept[:len(kept)-5], 0o644); err != nil {
				t.Fatal(err)
			}
			goOn("--out", in("out"), "--jobs", "3")
		})
	}
}
