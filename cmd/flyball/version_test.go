package main

import (
	"bytes"
	"runtime/debug"
	"testing"
)

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
