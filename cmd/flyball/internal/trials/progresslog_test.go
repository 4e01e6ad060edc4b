package trials

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
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
d = 4
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

// tuneText is a search in the study.
const tuneText = `
[tune]
objective = "end_h"
budget = 24
held_out = { replications = 6 }
`

// small returns a question about a small study, in a folder of its own, and
// the folder. Text is added to the study.
func small(t *testing.T, text string) (q Study, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"study.toml": studyText + text, "world.toml": worldText} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	q = DefaultStudy()
	q.From.Arg, q.Dir, q.Program = filepath.Join(dir, "study.toml"), filepath.Join(dir, "out"), "this one"
	return q, dir
}

// Two do not write the progress of one study, and after a run that could not be
// kept there is none.
func TestProgressIsKeptWhole(t *testing.T) {
	q, _ := small(t, "")
	s, _, _, err := q.LoadStudy()
	if err != nil {
		t.Fatal(err)
	}
	log, err := openProgress(s, q.Program, q.Dir, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	var e task.Error
	if _, err := q.Sweep(t.Context(), nil); !errors.As(err, &e) || e.Kind != task.Environment ||
		!strings.Contains(err.Error(), "another flyball is writing "+log.name) {
		t.Errorf("a second one: got %v", err)
	}

	log.close() // as a full disk
	if err := q.sweep(t.Context(), s, log, nil); !errors.As(err, &e) || e.Kind != task.Environment {
		t.Errorf("got %v, want that a run could not be kept", err)
	}
	if len(log.runs) > 0 {
		t.Errorf("%d runs went on after one that could not be kept", len(log.runs))
	}
}

// A study that is stopped keeps the runs that have ended, whichever task makes
// them, and goes on with them to the same result. A file of them that is damaged
// is refused with the place of the damage, and is left as it is; a line that was cut
// short is made again.
func TestStoppedStudiesGoOn(t *testing.T) {
	for _, c := range []struct {
		name, text string
		most       int // runs
		do         func(*Study, context.Context, task.Watch) (digest string, err error)
	}{
		{"sweep", "", 6, func(q *Study, ctx context.Context, watch task.Watch) (string, error) {
			found, err := q.Sweep(ctx, watch)
			if err != nil {
				return "", err
			}
			return found.Report.Digest, nil
		}},
		{"tune", tuneText, 36, func(q *Study, ctx context.Context, watch task.Watch) (string, error) {
			found, err := q.Tune(ctx, watch)
			if err != nil {
				return "", err
			}
			return found.Report.Digest, nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, dir := small(t, c.text)
			q.Workers, q.Force = 1, true
			whole, err := c.do(&q, t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			q.Dir = filepath.Join(dir, "parts")
			_, err = c.do(&q, ctx, func(e task.Event) {
				if e.Done == 2 {
					stop()
				}
			})
			var stopped task.Stopped
			if !errors.As(err, &stopped) || !errors.Is(err, task.ErrStopped) || stopped.Done < 2 ||
				stopped.Done >= stopped.Total || stopped.Total != c.most {
				t.Fatalf("got %+v, want 2 to %d of %d runs", err, c.most-1, c.most)
			}
			kept, err := os.ReadFile(stopped.Kept)
			if err != nil {
				t.Fatal(err)
			}
			goOn := func(progress string) (digest string, notes []string, err error) {
				t.Helper()
				if err := os.WriteFile(stopped.Kept, []byte(progress), 0o644); err != nil {
					t.Fatal(err)
				}
				digest, err = c.do(&q, t.Context(), func(e task.Event) { notes = append(notes, e.Note) })
				return digest, notes, err
			}

			lines := strings.SplitAfter(string(kept), "\n")
			for damaged, want := range map[string]string{
				lines[0] + strings.Join(lines[2:],
					""): ".progress:2: got record 2, want record 1",
				strings.Join(lines[:2], "") + lines[1] + strings.Join(lines[2:],
					""): ".progress:3: got record 1, want record 2",
				strings.Replace(string(kept), `"`+strings.Split(lines[1], `"`)[1], `"x`,
					1): ".progress:2: got a line that does " +
					"not have the sum that it names",
			} {
				_, _, err := goOn(damaged)
				var e task.Error
				if !errors.As(err, &e) || e.Kind != task.Invalid || !strings.Contains(err.Error(), want) ||
					!strings.Contains(err.Error(), "delete the file to begin anew") {
					t.Errorf("got %v, want %q", err, want)
				}
				if left, _ := os.ReadFile(stopped.Kept); string(left) != damaged {
					t.Errorf("a damaged file was written to: %q", left)
				}
			}

			for name, progress := range map[string]string{"whole": string(kept),
				"cut in a run":    string(kept[:len(kept)-5]),
				"cut in the head": string(kept[:10]), "empty": ""} {
				digest, notes, err := goOn(progress)
				if err != nil || digest != whole {
					t.Errorf("%s: got %v and digest %s, want %s", name, err, digest, whole)
				}
				continued := len(notes) > 0 && strings.HasPrefix(strings.Join(notes, "\n"), "continuing after ") ||
					len(notes) > 1 && strings.HasPrefix(notes[1], "continuing after ")
				if want := len(progress) > 10; continued != want {
					t.Errorf("%s: got notes %q, want that it continues: %t", name, notes[:min(2, len(notes))], want)
				}
				if _, err := os.Stat(stopped.Kept); err == nil {
					t.Errorf("%s: the progress is kept beside the finished study", name)
				}
			}
		})
	}
}
