package task

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const studyText = `
schema_version = 1
name = "small"
about = "Steps of different sizes."
scenarios = ["world.toml"]
replications = 2
metrics = ["dfr"]
[[parameter]]
key = "governor.d"
values = [1, 3, 5]
`

const worldText = `
schema_version = 1
name = "small"
horizon = "30d"
[governor]
step = "explicit"
target = "6000/h"
interval = "10m"
start = 10
[[destination]]
name = "a"
domain = "a.example"
dot = { dist = "lognormal", median = "2s", sigma = 0.4 }
[[campaign]]
name = "c"
recipients = 2000
subset = 50
`

// Two do not write the progress of one study, and after a run that could not be
// kept there is none.
func TestProgressIsKeptWhole(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"study.toml": studyText, "world.toml": worldText} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	q := DefaultStudy()
	q.From.Arg, q.Dir, q.Program = filepath.Join(dir, "study.toml"), filepath.Join(dir, "out"), "this one"
	s, _, _, err := q.From.LoadStudy()
	if err != nil {
		t.Fatal(err)
	}
	log, err := openProgress(s, q.Program, q.Dir, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	var e Error
	if _, err := q.Sweep(context.Background(), nil); !errors.As(err, &e) || e.Kind != Environment || !strings.Contains(err.Error(), "another flyball is writing "+log.name) {
		t.Errorf("a second one: got %v", err)
	}

	log.close() // as a full disk
	if err := q.sweep(context.Background(), s, log, nil); !errors.As(err, &e) || e.Kind != Environment {
		t.Errorf("got %v, want that a run could not be kept", err)
	}
	if len(log.runs) > 0 {
		t.Errorf("%d runs went on after one that could not be kept", len(log.runs))
	}
}

// A task that is stopped keeps the runs that have ended, and goes on with them to
// the same result.
func TestAStoppedSweepGoesOn(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"study.toml": studyText, "world.toml": worldText} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	q := DefaultStudy()
	q.From.Arg, q.Dir, q.Workers = filepath.Join(dir, "study.toml"), filepath.Join(dir, "whole"), 1
	whole, err := q.Sweep(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	q.Dir = filepath.Join(dir, "parts")
	_, err = q.Sweep(ctx, func(e Event) {
		if e.Done == 2 {
			stop()
		}
	})
	var stopped Stopped
	if !errors.As(err, &stopped) || !errors.Is(err, ErrStopped) || stopped.Done < 2 || stopped.Done >= stopped.Total || stopped.Total != 6 {
		t.Fatalf("got %+v, want 2 to 5 of 6 runs", err)
	}
	var notes []string
	parts, err := q.Sweep(context.Background(), func(e Event) { notes = append(notes, e.Note) })
	if err != nil || parts.Report.Digest != whole.Report.Digest {
		t.Errorf("got %v and another digest than that of the whole", err)
	}
	if len(notes) == 0 || !strings.HasPrefix(notes[0], "continuing after ") {
		t.Errorf("got notes %q", notes)
	}
}
