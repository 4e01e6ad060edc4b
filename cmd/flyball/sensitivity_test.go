package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// late is an interrupter that lets the progress of the run itself pass: it
// falls, when the next one begins.
type late struct {
	interrupter
	tenth byte
}

func (l *late) Write(p []byte) (int, error) {
	before := l.tenth
	if bytes.Contains(p, []byte(" % after ")) {
		l.tenth = p[1] // of " 40 % after"
	}
	if l.tenth >= before {
		return l.Buffer.Write(p)
	}
	return l.interrupter.Write(p)
}

// A signal while the neighbours of a run are made leaves nothing behind.
func TestSignalEndsSensitivity(t *testing.T) {
	dir := t.TempDir()
	scenario := filepath.Join(dir, "endless.toml")
	if err := os.WriteFile(scenario, []byte(strings.ReplaceAll(endless, "RECIPIENTS", "10000")), 0o644); err != nil {
		t.Fatal(err)
	}
	errout := late{interrupter: interrupter{sig: syscall.SIGINT}}
	code := invokeTo(&bytes.Buffer{}, &errout, []string{"run",
		"--sensitivity", "--out", filepath.Join(dir, "out"), scenario})
	if code != exitInterrupt || !strings.Contains(errout.String(),
		"stopped by interrupt during the runs for the sensitivity; nothing is written") {
		t.Errorf("exit code %d: %s", code, errout.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("a folder is left")
	}
}
