package main

import (
	"bytes"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// docs/flyball.1 is what flyball man prints. Rewrite it with -args -update.
func TestManual(t *testing.T) {
	const file = "../../docs/flyball.1"
	code, page, errout := invoke(t, "man")
	if code != 0 {
		t.Fatal(errout)
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old, err := os.ReadFile(file); err != nil || string(old) != page {
		t.Errorf("%s is not what flyball man prints: go test ./cmd/flyball -run Manual -args -update", file)
	}
	// Every command and flag is there, and no line of a help text is taken for a request of roff.
	plain := strings.NewReplacer(`\-`, "-", `\e`, `\`, `\&`, "").Replace(page)
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if !strings.Contains(plain, "\n"+c.CommandPath()) || !strings.Contains(plain, c.Long) {
			t.Errorf("the manual lacks %s", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && f.Name != "version" && !strings.Contains(plain, "--"+f.Name) {
				t.Errorf("the manual lacks --%s of %s", f.Name, c.CommandPath())
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).commands())
	for line := range strings.SplitSeq(page, "\n") {
		request, _, _ := strings.Cut(line, " ")
		known := slices.Contains([]string{".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi"}, request)
		if strings.HasPrefix(line, ".") && !known || strings.HasPrefix(line, "'") {
			t.Errorf("got the request %q", line)
		}
	}
}

// Text that begins as a request, or has the character that roff escapes with, stands as it is.
func TestManualEscapes(t *testing.T) {
	var p page
	p.text(".SH no heading\n'nor this\na\\b --flag")
	if want := "\\&.SH no heading\n\\&'nor this\na\\eb \\-\\-flag\n"; p.String() != want {
		t.Errorf("got %q, want %q", p.String(), want)
	}
}

// A program names the revision it was built from, and whether that is all of it.
func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v0.0.0-2026-abc"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abcdef"}, {Key: "vcs.modified", Value: "true"}}}
	b := buildOf(info)
	if b.Version != "v0.0.0-2026-abc" || b.Revision != "abcdef" || !b.Modified || b.Go != "go1.26.0" {
		t.Errorf("got %+v", b)
	}
	if want := "flyball v0.0.0-2026-abc abcdef go1.26.0"; b.words() != want {
		t.Errorf("got %q, want %q", b.words(), want)
	}
	info.Settings[1].Value = "false"
	if buildOf(info).Modified {
		t.Error("a build of a revision as it is counts as modified")
	}
	if got := buildOf(nil).words(); got != "flyball" {
		t.Errorf("got %q of a program without build information", got)
	}
	_, out, _ := invoke(t, "version", "--json")
	if !bytes.Contains([]byte(out), []byte(`"go": "go`)) {
		t.Errorf("got %s", out)
	}
}
