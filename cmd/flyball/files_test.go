package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Whatever a path leads to, the command ends at once, with an exit code that
// tells a wrong path from a wrong file, and names the path.
func TestPathsThatLeadToNoFile(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(syscall.Mkfifo(in("pipe"), 0o644))
	must(os.Symlink("nowhere", in("dangling")))
	must(os.Mkdir(in("folder"), 0o755))
	must(os.WriteFile(in("large"), nil, 0o644))
	must(os.Truncate(in("large"), 100<<30)) // of any kind, with no byte on the disk
	must(os.WriteFile(in("ok.toml"), []byte(sweepWorld), 0o644))
	must(os.WriteFile(in("people.csv"), []byte("email\nann@a.example\n"), 0o644))
	nameOf := map[string]string{"missing": in("missing.x"), "through a file": in("ok.toml/x"), "pipe": in("pipe"),
		"dangling": in("dangling"), "folder": in("folder"),
		"large": in("large"), "device": "/dev/zero"}
	codes := map[string]int{"missing": exitUsage, "through a file": exitUsage, "pipe": exitInvalid,
		"dangling": exitInvalid, "folder": exitInvalid, "large": exitInvalid, "device": exitInvalid}
	words := map[string]string{"missing": "no such file", "through a file": "not a directory",
		"pipe": "got a named pipe, want a regular file", "dangling": "got a link to nowhere, which does not exist",
		"folder": "got a folder, want a ", "large": "got more than ", "device": "got a device, want a regular file"}
	for what, args := range map[string]func(name string) []string{
		"scenario":  func(name string) []string { return []string{"run", name} },
		"validated": func(name string) []string { return []string{"validate", name} },
		"study":     func(name string) []string { return []string{"sweep", name} },
		"search":    func(name string) []string { return []string{"tune", name} },
		"compared":  func(name string) []string { return []string{"compare", "law:hold", "set:", "--scenario", name} },
		"list":      func(name string) []string { return []string{"run", in("ok.toml"), "--list", name} },
		"suppression": func(name string) []string {
			return []string{"run", in("ok.toml"), "--list", in("people.csv"), "--suppress", name}
		},
		"live list": func(name string) []string { return []string{"realrun", in("ok.toml"), "--list", name} },
		"live suppression": func(name string) []string {
			return []string{"realrun", in("ok.toml"), "--list", in("people.csv"), "--suppress", name}
		},
		"template":   func(name string) []string { return []string{"realrun", in("ok.toml"), "--template", name} },
		"promotion":  func(name string) []string { return []string{"realrun", in("ok.toml"), "--promotion", name} },
		"promotions": func(name string) []string { return []string{"promote", "--check", "--record", name} },
		"script":     func(name string) []string { return []string{"sink", "--script", name} },
		"law":        func(name string) []string { return []string{"govern", name, "--samples", in("people.csv")} },
		"samples":    func(name string) []string { return []string{"govern", in("ok.toml"), "--samples", name} },
		"events":     func(name string) []string { return []string{"bench", "replay", "--file", name} },
	} {
		for kind, name := range nameOf {
			code, out, errout := invoke(t, append(args(name), "-q")...)
			want := codes[kind]
			if what == "validated" && want == exitUsage {
				want = code // validate has its own words for what it finds nothing at
			}
			if code != want || !strings.Contains(errout+out, words[kind]) || !strings.Contains(errout+out, name) {
				t.Errorf("%s, %s: exit code %d, want %d: %s%s", what, kind, code, want, out, errout)
			}
		}
	}
	// Files that a scenario or a study names are refused in the same way.
	for kind, name := range nameOf {
		must(os.WriteFile(in("study.toml"), []byte(strings.Replace(sweepStudy, "world.toml", name, 1)), 0o644))
		if code, _, errout := invoke(t, "sweep", "-q", in("study.toml")); code != exitInvalid ||
			!strings.Contains(errout, words[kind]) {
			t.Errorf("%s in a study: exit code %d: %s", kind, code, errout)
		}
		if code, _, errout := invoke(t, "run", "-q", in("ok.toml"), "--set",
			"retry.table_file="+name); code != exitInvalid || !strings.Contains(errout, words[kind]) {
			t.Errorf("%s in a scenario: exit code %d: %s", kind, code, errout)
		}
	}
}

// A folder of another run is not replaced unless --force says so, and then
// only if it is one of ours with nothing else in it. The same run replaces itself.
func TestOutIsNotOfAnotherRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	small := strings.Replace(sweepWorld, "20000", "600", 1)
	for name, text := range map[string]string{"world.toml": small,
		"study.toml": strings.Replace(sweepStudy, "steps = 5", "steps = 2", 1),
		"people.csv": "email\nann@a.example\n", "live.toml": oneDestination} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	terminating := []string{"--set", "analysis.kind=terminating"}
	kinds := []struct {
		name string
		args []string
		also []string // another question of the same kind
		word string   // of what differs
	}{
		{"run", []string{"run", in("world.toml")}, []string{"--seed", "7"}, "its seed is 1 and this one's 7"},
		{"settings", []string{"run", in("world.toml")}, []string{"--set", "governor.d=9"},
			"its scenario with its values is "},
		{"list", []string{"run", in("world.toml")}, []string{"--list", in("people.csv")},
			"its further setting is none and this one's --list "},
		{"replication", []string{"run", in("world.toml")}, []string{"--replication", "3"},
			"its replication is 0 and this one's 3"},
		{"replications", append([]string{"run", in("world.toml"), "--replications", "3"}, terminating...),
			[]string{"--seed", "7"}, "its seed is 1 and this one's 7"},
		{"sweep", []string{"sweep", in("study.toml")}, []string{"--set", "governor.start=11"},
			"its scenario with its values is "},
		{"compare", append([]string{"compare", "law:hold", "set:", "--replications", "3", "--scenario",
			in("world.toml")}, terminating...), []string{"--seed", "7"}, "its further setting is flyball compare"},
		{"realrun", []string{"realrun", in("live.toml")}, []string{"--time-scale", "900"},
			" and this one's a new mailing"},
	}
	for i, k := range kinds {
		out := in(k.name)
		again := func(want int, words string, more ...string) {
			t.Helper()
			before := folderIn(t, out)
			code, _, errout := invoke(t, append(append(append([]string{}, k.args...), "-q", "--out", out), more...)...)
			if code != want || !strings.Contains(errout, words) {
				t.Errorf("%s: exit code %d, want %d: %s, want %s", k.name, code, want, errout, words)
			}
			if after := folderIn(t, out); want != 0 && len(after) != len(before) {
				t.Errorf("%s: was touched", k.name)
			}
		}
		os.Mkdir(out, 0o755)
		again(0, "")
		if k.name == "realrun" { // whose messages people may have: each one is another mailing
			again(exitUsage, k.word)
		} else {
			again(0, "")
		}
		again(exitUsage, k.word, k.also...)
		again(0, "", append(k.also, "--force")...)
		again(exitUsage, "want another folder, or --force to replace it")
		os.WriteFile(filepath.Join(out, "thesis.txt"), []byte("years of work"), 0o644)
		again(exitEnvironment, "holds thesis.txt, which the run did not write, and is left alone", "--force")
		// Nor is that of another kind replaced.
		if i > 0 {
			again(exitUsage, "of another run", "--out", in("run-of-its-own"))
			continue
		}
		if code, _, errout := invoke(t, "run", "-q", in("world.toml"), "--seed", "99", "--out",
			in("run-of-its-own")); code != 0 {
			t.Fatal(errout)
		}
	}
}
