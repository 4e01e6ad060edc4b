package console

import (
	"runtime/debug"
	"testing"
)

// A program names the revision it was built from, and whether that is all of it.
func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v0.0.0-2026-abc"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abcdef"}, {Key: "vcs.modified", Value: "true"}}}
	b := BuildOf(info)
	if b.Version != "v0.0.0-2026-abc" || b.Revision != "abcdef" || !b.Modified || b.Go != "go1.26.0" {
		t.Errorf("got %+v", b)
	}
	if want := "flyball v0.0.0-2026-abc abcdef go1.26.0"; b.words() != want {
		t.Errorf("got %q, want %q", b.words(), want)
	}
	info.Settings[1].Value = "false"
	if BuildOf(info).Modified {
		t.Error("a build of a revision as it is counts as modified")
	}
	if got := BuildOf(nil).words(); got != "flyball" {
		t.Errorf("got %q of a program without build information", got)
	}
}
