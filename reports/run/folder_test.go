package run

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"flyball/reports/folder"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

func extra() Extra {
	return Extra{ScenarioTOML: []byte("name = \"x\"\n"), ResolvedTOML: []byte("# all\n"), Log: []byte("{}\n"),
		More: []folder.File{{Path: "rejects.csv", Data: []byte("email,reason\n")}}}
}

func TestRunFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "runs", "hand-made-abc")
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended, Dfr: 1.15}),
		handmade.Expect("dfr", "<", 2))
	if err := Write(folder.Place{Dir: dir, Replace: true}, r, extra()); err != nil {
		t.Fatal(err)
	}
	got := handmade.Tree(t, dir)
	var want []string
	want = append(want, strings.Fields("host.json intervals.csv log.ndjson manifest.json rejects.csv report.html "+
		"scenario.resolved.toml scenario.toml summary.json")...)
	for _, plot := range []string{"convergence", "dfr", "efficiency", "latency"} {
		want = append(want, "plots/"+plot+".csv", "plots/"+plot+".png", "plots/"+plot+".svg")
	}
	slices.Sort(want)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Errorf("got %v\nwant %v", names, want)
	}

	var m struct {
		Schema     string
		Replay     string
		Attributes map[string]any
		Files      []struct {
			Path, SHA256 string
			Bytes        int
		}
	}
	if err := json.Unmarshal([]byte(got["manifest.json"]), &m); err != nil {
		t.Fatal(err)
	}
	handmade.KeysInOrder(t, []byte(got["manifest.json"]))
	handmade.KeysInOrder(t, []byte(got["host.json"]))
	if m.Schema != "flyball/manifest" || m.Attributes["name"] != "hand-made" || m.Attributes["seed"] != 42.0 ||
		m.Attributes["mode"] != "sim" ||
		m.Attributes["partial"] != false || m.Attributes["scenario_id"] != r.ScenarioID || m.Replay != r.Replay {
		t.Errorf("%+v", m)
	}
	if len(m.Files) != len(want)-3 { // not the manifest, host.json, log.ndjson
		t.Errorf("%d of %d files have a digest", len(m.Files), len(want))
	}
	for _, f := range m.Files {
		if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(got[f.Path]))); f.SHA256 != sum ||
			f.Bytes != len(got[f.Path]) {
			t.Errorf("%s: %+v", f.Path, f)
		}
	}
	for name, content := range got {
		if strings.Contains(content, parent) {
			t.Errorf("%s names the place it was made at", name)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	alone(t, filepath.Dir(dir), "hand-made-abc")
}

// rendered is a small run folder that is drawn once for all tests.
var rendered = sync.OnceValue(func() []folder.File {
	files, err := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 2, Plant: handmade.Linear,
		Dfr: 1})).files(extra())
	if err != nil {
		panic(err)
	}
	return files
})

// publish puts the files of a hand-made run into a folder.
func publish(dir string, files []folder.File) error {
	return folder.Publish(folder.Place{Dir: dir, Replace: true}, files, folder.Host{}, "flyball run hand-made",
		folder.Attributes{Name: "hand-made", Replications: 1, Mode: "sim"})
}

// alone fails if anything else was left in a folder.
func alone(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if err != nil || !slices.Equal(got, names) {
		t.Errorf("%s holds %v, want %v (%v)", dir, got, names, err)
	}
}

// The same run gives the same bytes, wherever it is written and whatever the
// host did; a folder that is read and written again is the same folder.
func TestFoldersAreTheSameByteForByte(t *testing.T) {
	parent := t.TempDir()
	one, two, three := filepath.Join(parent, "1"), filepath.Join(parent, "2"), filepath.Join(parent, "3")
	for name, make := range map[string]func() *runlog.Run{
		"settles": func() *runlog.Run {
			return handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended, Dfr: 1.15})
		},
		"crowded": func() *runlog.Run { return crowded(70) },
		"nothing": func() *runlog.Run { return handmade.Run() },
	} {
		slow := make()
		slow.Host.Wall *= 9
		e := []measure.Expectation{handmade.Expect("settling_intervals_5pct", "<=", 40),
			handmade.Expect("dfr", "<", 1.1), handmade.Expect("end_h", "!=", 180)}
		for dir, r := range map[string]*Report{one: fold(make(), e...), two: fold(slow, e...)} {
			if err := Write(folder.Place{Dir: dir, Replace: true}, r, extra()); err != nil {
				t.Fatal(err)
			}
		}
		a, b := handmade.Tree(t, one), handmade.Tree(t, two)
		if a["host.json"] == b["host.json"] {
			t.Errorf("%s: host.json does not know the time", name)
		}
		delete(b, "host.json")
		for path := range b {
			if a[path] != b[path] {
				t.Errorf("%s: %s differs", name, path)
			}
		}

		r, x, err := Read(one)
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(folder.Place{Dir: three, Replace: true}, r, x); err != nil {
			t.Fatal(err)
		}
		c := handmade.Tree(t, three)
		if !maps.Equal(a, c) {
			for path := range a {
				if a[path] != c[path] {
					t.Errorf("%s: %s differs after it was read:\n%.3000s\n---\n%.3000s", name, path, a[path], c[path])
				}
			}
		}
		if screen(t, r, false) != screen(t, fold(make(), e...), false) {
			t.Errorf("%s: the screen differs after the folder was read", name)
		}
	}
}

func TestWhatIsNotARunFolderStays(t *testing.T) {
	for _, v := range []struct {
		name, want string
		prepare    func(dir string)
	}{
		{"a file", "is in the way: want a run folder or a new name",
			func(dir string) { os.WriteFile(dir, []byte("x"), 0o644) }},
		{"a link", "is in the way", func(dir string) { os.Symlink(t.TempDir(), dir) }},
		{"a folder of someone", "is not a run folder and is left alone", func(dir string) {
			os.Mkdir(dir, 0o755)
			os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("x"), 0o644)
		}},
		{"another manifest", "is not a run folder and is left alone", func(dir string) {
			os.Mkdir(dir, 0o755)
			os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"schema": "npm"}`), 0o644)
		}},
		{"notes among the files", "holds plots/notes.txt, which the run did not write", func(dir string) {
			if err := publish(dir, rendered()); err != nil {
				t.Fatal(err)
			}
			os.WriteFile(filepath.Join(dir, "plots", "notes.txt"), []byte("x"), 0o644)
		}},
	} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "run")
		v.prepare(dir)
		before, _ := os.Lstat(dir)
		err := publish(dir, rendered())
		if err == nil || !strings.Contains(err.Error(), v.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %s", v.name, err, v.want)
		}
		if after, err := os.Lstat(dir); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: was touched", v.name)
		}
		alone(t, parent, "run")
	}
}

func TestRunFoldersAreReplaced(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "run")
	if err := os.Mkdir(dir, 0o755); err != nil { // empty: nothing to lose
		t.Fatal(err)
	}
	if err := publish(dir, rendered()); err != nil {
		t.Fatal(err)
	}
	alone(t, parent, "run")
	if err := Write(folder.Place{Dir: dir, Replace: true}, fold(handmade.Run(handmade.Course{Start: 40, D: 3,
		Intervals: 3, Plant: handmade.Linear, Dfr: 1})), Extra{}); err != nil {
		t.Fatal(err)
	}
	alone(t, parent, "run")
	if r, _, err := Read(dir); err != nil || len(r.Rows) != 3 {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "rejects.csv")); err == nil {
		t.Error("a file of the old run is left")
	}
}

// A failure on the way leaves what was there, and nothing else.
func TestNothingIsWrittenHalf(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "run")
	bad := []folder.File{{Path: "a", Data: []byte("1")}, {Path: "a/b", Data: []byte("a is a file")}}
	if err := publish(dir, bad); err == nil {
		t.Error("no error")
	}
	alone(t, parent)

	if err := publish(dir, rendered()); err != nil {
		t.Fatal(err)
	}
	before := handmade.Tree(t, dir)
	if err := publish(dir, bad); err == nil {
		t.Error("no error")
	}
	if !maps.Equal(before, handmade.Tree(t, dir)) {
		t.Error("the old folder was touched")
	}
	alone(t, parent, "run")

	if err := publish(filepath.Join(dir, "summary.json", "below-a-file"), rendered()); err == nil {
		t.Error("no error")
	}
	if !maps.Equal(before, handmade.Tree(t, dir)) {
		t.Error("the old folder was touched")
	}
	small := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 2, Plant: handmade.Linear, Dfr: 1}))
	for _, path := range []string{"", ".", "../up", "/abs", "summary.json", "manifest.json", "plots/dfr.csv"} {
		err := Write(folder.Place{Dir: dir, Replace: true}, small, Extra{More: []folder.File{{Path: path, Data: nil}}})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("got extra file %q", path)) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if os.Getuid() != 0 { // root may write anywhere
		locked := t.TempDir()
		os.Chmod(locked, 0o555)
		if err := publish(filepath.Join(locked, "run"), rendered()); err == nil {
			t.Error("no error")
		}
		os.Chmod(locked, 0o755)
		alone(t, locked)
	}
}

func TestReadRefusesWhatWasChanged(t *testing.T) {
	fresh := func() string {
		dir := filepath.Join(t.TempDir(), "run")
		if err := publish(dir, rendered()); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, v := range []struct{ file, content, want string }{
		{"intervals.csv", "x", "intervals.csv was changed after the run"},
		{"manifest.json", "{}", `manifest.json: got schema "" version 0, want "flyball/manifest" version 1`},
		{"manifest.json", "{", "manifest.json: unexpected end of JSON input"},
		{"host.json", `{"schema": "flyball/host", "schema_version": 2}`,
			`host.json: got schema "flyball/host" version 2`},
		{"manifest.json", `{"schema": "flyball/manifest", "schema_version": 1, "attributes": {"mode": "sim"}}`,
			"manifest.json: files: got no summary.json"},
		{"manifest.json", "", "is not a run folder"}, // removed
		{"summary.json", "", "run/summary.json: no such file"},
	} {
		dir := fresh()
		name := filepath.Join(dir, v.file)
		if v.content == "" {
			os.Remove(name)
		} else if err := os.WriteFile(name, []byte(v.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read(dir); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%s: error %v, want %s", v.file, err, v.want)
		}
	}
}

func TestKey(t *testing.T) {
	base := runlog.Run{ScenarioID: "ab", Seed: 1, Mode: "sim"}
	key := Key(&base)
	// printf 'ab\n1\nsim\nfalse\n' | openssl sha256 -binary | base32 | head -c 12 | tr A-Z a-z
	if want := "chwu2neq3ln2"; key != want {
		t.Errorf("key %s, want %s", key, want)
	}
	for _, change := range []func(*runlog.Run){
		func(r *runlog.Run) { r.ScenarioID = "ac" }, func(r *runlog.Run) { r.Seed = 2 },
		func(r *runlog.Run) { r.Mode = "real" }, func(r *runlog.Run) { r.Partial = true },
		func(r *runlog.Run) { r.List = "d1" },
	} {
		other := base
		change(&other)
		if Key(&other) == key {
			t.Errorf("same key for %+v", other)
		}
	}
	other := base
	other.Name, other.Digest, other.Host.Wall = "x", 5, 5
	if Key(&other) != key {
		t.Error("the key depends on more than the question")
	}
}
