package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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
	code := (&app{in: strings.NewReader(""), out: &bytes.Buffer{}, errout: &errout}).run([]string{"run", "--sensitivity", "--out", filepath.Join(dir, "out"), scenario})
	if code != exitInterrupt || !strings.Contains(errout.String(), "stopped by interrupt while the sensitivity was found; nothing is written") {
		t.Errorf("exit code %d: %s", code, errout.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("a folder is left")
	}
}

func TestInParallel(t *testing.T) {
	for _, workers := range []int{1, 2, 7, 100} {
		var under, most, sum atomic.Int64
		ended := 0
		inParallel(30, workers, func(i int) {
			n := under.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			sum.Add(int64(i))
			under.Add(-1)
		}, func() { ended++ })
		if sum.Load() != 29*30/2 || ended != 30 || most.Load() > int64(workers) {
			t.Errorf("%d workers: sum %d, %d ended, %d at a time", workers, sum.Load(), ended, most.Load())
		}
	}
	inParallel(0, 4, func(int) { t.Error("something is done") }, func() {})

	done := atomic.Int64{}
	defer func() {
		if v := recover(); v != "the third" || done.Load() != 9 {
			t.Errorf("recovered %v after %d were done", v, done.Load())
		}
	}()
	inParallel(10, 3, func(i int) {
		if i == 3 {
			panic("the third")
		}
		done.Add(1)
	}, func() {})
	t.Error("no panic")
}
