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
	nameOf := map[string]string{"missing": in("missing.x"), "through a file": in("ok.toml/x"), "pipe": in("pipe"), "dangling": in("dangling"), "folder": in("folder"),
		"large": in("large"), "device": "/dev/zero"}
	codes := map[string]int{"missing": exitUsage, "through a file": exitUsage, "pipe": exitInvalid, "dangling": exitInvalid, "folder": exitInvalid, "large": exitInvalid, "device": exitInvalid}
	words := map[string]string{"missing": "no such file", "through a file": "not a directory", "pipe": "got a named pipe, want a regular file", "dangling": "got a link to nowhere, which does not exist",
		"folder": "got a folder, want a regular file", "large": "got more than ", "device": "got a device, want a regular file"}
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
	// What a scenario or a study names is no different.
	for kind, name := range nameOf {
		must(os.WriteFile(in("study.toml"), []byte(strings.Replace(sweepStudy, "world.toml", name, 1)), 0o644))
		if code, _, errout := invoke(t, "sweep", "-q", in("study.toml")); code != exitInvalid || !strings.Contains(errout, words[kind]) {
			t.Errorf("%s in a study: exit code %d: %s", kind, code, errout)
		}
		if code, _, errout := invoke(t, "run", "-q", in("ok.toml"), "--set", "retry.table_file="+name); code != exitInvalid || !strings.Contains(errout, words[kind]) {
			t.Errorf("%s in a scenario: exit code %d: %s", kind, code, errout)
		}
	}
}
