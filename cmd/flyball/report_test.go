package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/reports/folder"
)

// A run folder that somebody else has made cannot act on the terminal of who
// looks at it: not with its replay line, not with names in any of its files.
func TestReportOfAStrangersFolder(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	os.WriteFile(in("world.toml"), []byte(strings.Replace(sweepWorld, "20000", "600", 1)), 0o644)
	if code, _, errout := invoke(t, "run", "-q", in("world.toml"), "--out", in("out")); code != 0 {
		t.Fatal(errout)
	}
	const evil = "\x1b[2J\x1b]0;owned\a\u009b31m\r\u202e"
	m, err := folder.ReadManifest(in("out"))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range m.Files {
		if strings.HasPrefix(f.Path, "plots/") || strings.HasSuffix(f.Path, ".html") {
			continue
		}
		raw, _ := os.ReadFile(in("out/" + f.Path))
		quoted, _ := json.Marshal(evil)
		raw = bytes.ReplaceAll(raw, []byte(`"world"`), append([]byte(`"world`), quoted[1:]...))
		raw = bytes.ReplaceAll(raw, []byte(`"name": "a"`), append([]byte(`"name": "a`), quoted[1:]...))
		os.WriteFile(in("out/"+f.Path), raw, 0o644)
		m.Files[i].SHA256 = folder.Digest(raw)
	}
	m.Replay += evil
	m.Attributes.Name += evil
	m.Attributes.Settings = []string{evil}
	text, _ := json.Marshal(m)
	os.WriteFile(in("out/manifest.json"), text, 0o644)
	for _, args := range [][]string{{"report", in("out")}, {"report", "--color", "always", in("out")},
		{"report", "--json", in("out")}, {"report", "--checklist", in("out")},
		{"run", "-q", in("world.toml"), "--seed", "5", "--out", in("out")},
		{"compare", in("out"), in("out"), "--out", in("compared")}} {
		_, out, errout := invoke(t, args...)
		got := out + errout
		if !strings.Contains(got, `1b[2J`) || strings.ContainsAny(got, "\a\u009b\r\u202e") ||
			strings.Contains(got, "\x1b[2J") || strings.Contains(got, "\x1b]") {
			t.Errorf("%v: %q", args, got)
		}
	}
}
