package trials

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/bus"
	"flyball/cmd/flyball/internal/task"
	"flyball/farm"
	"flyball/scenarios"
)

// A worker makes a run from the text alone, as the sweep itself does, and refuses a scenario whose text has another
// meaning for it than for the sweep.
func TestStrangeScenario(t *testing.T) {
	text, _ := scenarios.Builtin("quickstart")
	s, err := scenarios.Load("quickstart", text, []string{"campaign[0].recipients=2000"})
	if err != nil {
		t.Fatal(err)
	}
	job := func(change func(*spec)) farm.Job {
		v := spec{ID: scenarios.ID(s), Metrics: []string{"rate_per_h", "end_h"}, Scenario: string(text),
			Set: []string{"campaign[0].recipients=2000"}}
		change(&v)
		raw, _ := json.Marshal(v)
		return farm.Job{Spec: string(raw), Part: 3}
	}
	there, err := new(stranger).run(context.Background(), 0, job(func(*spec) {}))
	if err != nil {
		t.Fatal(err)
	}
	here, err := (&runner{kept: kept{metrics: []string{"rate_per_h", "end_h"}}}).run(context.Background(), s, 3)
	if err != nil || string(here) != string(there) {
		t.Errorf("got %q there and %q here, %v", there, here, err)
	}
	for want, change := range map[string]func(*spec){
		"has another meaning": func(v *spec) { v.Set[0] += "1" },
		"is refused":          func(v *spec) { v.Scenario = "x = 1" },
	} {
		_, err := new(stranger).run(context.Background(), 0, job(change))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	ended, stop := context.WithCancel(context.Background())
	stop()
	if _, err := new(stranger).run(ended, 0, job(func(*spec) {})); err == nil {
		t.Error("a run that was stopped has a result")
	}
}

const aStudy = `
schema_version = 1
name = "tried"
scenario = "world.toml"
replications = 4
metrics = ["rate_per_h", "end_h"]
[[parameter]]
key = "governor.d"
from = 1.0
to = 40.0
steps = 12
scale = "log"
[tune]
objective = "iae_target_hours"
budget = 60
held_out = { replications = 6 }
`

const aWorld = `
schema_version = 1
name = "world"
horizon = "1d"
[governor]
step = "explicit"
d = 8
target = "30000/h"
interval = "10m"
start = 10
[[destination]]
name = "a"
domain = "a.example"
dot = { dist = "lognormal", median = "2s", sigma = 0.4 }
[[campaign]]
name = "c"
recipients = 4000
subset = 50
`

// files returns what a study has left, but for the description of the machine.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", dir, names, err)
	}
	for _, name := range names {
		if raw, err := os.ReadFile(name); err == nil && filepath.Base(name) != "host.json" {
			all[filepath.Base(name)] = string(raw)
		}
	}
	return all
}

// What workers make, of whom one is wrong, ends as on one machine and names the worker. In a sweep, in replications and
// in trials of laws its first result is false, and each fourth one; in a search, and in replications up to a precision,
// it sends something else when its results have been decided on, and the decision is made again.
func TestFalseWorker(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"study.toml": aStudy, "world.toml": aWorld} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	study := func(dir string, b Bus, workers int) *Study {
		q := DefaultStudy()
		q.From.Arg, q.Dir, q.Bus, q.Workers = in("study.toml"), dir, b, workers
		return &q
	}
	replicate := func(dir string, b Bus, workers int) *Replicate {
		q := DefaultReplicate()
		q.From.Arg, q.Dir, q.Bus, q.Workers = in("world.toml"), dir, b, workers
		return &q
	}
	for what, do := range map[string]func(ctx context.Context, w task.Watch, dir string, b Bus, workers int) error{
		"sweep": func(ctx context.Context, w task.Watch, dir string, b Bus, workers int) error {
			_, err := study(dir, b, workers).Sweep(ctx, w)
			return err
		},
		"tune": func(ctx context.Context, w task.Watch, dir string, b Bus, workers int) error {
			_, err := study(dir, b, workers).Tune(ctx, w)
			return err
		},
		"replicate": func(ctx context.Context, w task.Watch, dir string, b Bus, workers int) error {
			q := replicate(dir, b, workers)
			q.Replications = 24
			_, err := q.Do(ctx, w)
			return err
		},
		"precision": func(ctx context.Context, w task.Watch, dir string, b Bus, workers int) error {
			q := replicate(dir, b, workers)
			q.Precision, q.Precisely, q.Replications = 0.0002, "0.02%", 90
			_, err := q.Do(ctx, w)
			return err
		},
		"laws": func(ctx context.Context, w task.Watch, dir string, b Bus, workers int) error {
			q := DefaultLaws()
			q.Half, q.Scenarios, q.Laws = "all", []string{"outage-8"}, []string{"patent-8", "pi"}
			q.Noise, q.Dir, q.Bus, q.Workers, q.Replications = []string{"0"}, dir, b, workers, 5
			_, err := q.Do(ctx, w)
			return err
		},
	} {
		if err := do(t.Context(), nil, in(what+"-whole"), Bus{}, 2); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		named, notes, at := false, "", ""
		err := do(ctx, func(e task.Event) {
			if e.Note != "" {
				notes += e.Note + "\n"
			}
			named = named || strings.HasPrefix(e.Note, "worker false is shut out")
			if _, url, has := strings.Cut(e.Note, "--bus "); has {
				wrong := func(n int, r []byte) {
					if n == 1 || n%4 == 0 {
						r[0] ^= 1 // of the digest
					}
				}
				if what == "tune" || what == "precision" {
					wrong = func(n int, r []byte) {
						if n >= 30 {
							clear(r)
						}
					}
				}
				at = url
				running.Go(func() { help(ctx, at, "false", 0, wrong) })
			}
			if strings.HasPrefix(e.Note, "worker false takes part") { // so that the other one does not make all before
				running.Go(func() { help(ctx, at, "good", 20*time.Millisecond, func(int, []byte) {}) })
			}
		}, in(what+"-farmed"), Bus{Listen: "127.0.0.1:0"}, 0)
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, notes)
		}
		if !named {
			t.Errorf("%s: the false worker is not named\n%s", what, notes)
		}
		again := map[string]string{"tune": "the search goes on from run", "precision": "the precision is judged again"}
		if !strings.Contains(notes, again[what]) {
			t.Errorf("%s had not decided on what was withdrawn: the test tests too little\n%s", what, notes)
		}
		stop()
		running.Wait()
		if !maps.Equal(files(t, in(what+"-whole")), files(t, in(what+"-farmed"))) {
			t.Errorf("%s: the files differ from those of one machine\n%s", what, notes)
		}
	}
}

// help makes runs, after a delay; wrong changes the record of the nth.
func help(ctx context.Context, url, name string, delay time.Duration, wrong func(n int, record []byte)) {
	conn, err := bus.Dial(ctx, bus.Config{Name: name, URL: url}, nil)
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	farm.Work(ctx, conn, farm.Working{Name: name, Slots: 1, Note: func(string, ...any) {}, Here: func(int) farm.Do {
		var one stranger
		n := 0
		return func(ctx context.Context, i int, j farm.Job) ([]byte, error) {
			r, err := one.run(ctx, i, j)
			if n++; len(r) > 0 {
				wrong(n, r)
			}
			time.Sleep(delay)
			return r, err
		}
	}})
}
