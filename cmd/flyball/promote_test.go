package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// Whoever adds a record at the same moment as others finds theirs there. A
// link stays one, and a file stays as open to others as it was.
func TestRecordsAreAddedOneByOne(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real", "p.jsonl"), filepath.Join(dir, "p.jsonl")
	os.Mkdir(filepath.Dir(file), 0o755)
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	def := scenarios.Default()
	s := &def
	const all = 20
	var adding sync.WaitGroup
	add := func(by string) {
		rec := promotion.Record{By: by, At: time.Now(), Expires: time.Now().Add(time.Hour)}
		if err := (&app{out: io.Discard}).record(link, rec, s); err != nil {
			t.Error(err)
		}
	}
	os.WriteFile(file, nil, 0o600)
	os.Chmod(file, 0o640)
	for i := range all {
		adding.Go(func() { add(fmt.Sprint(i)) })
	}
	adding.Wait()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if records, err := promotion.Read(strings.NewReader(string(text)), "p"); err != nil || len(records) != all {
		t.Errorf("got %d records and %v, want %d", len(records), err, all)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is one no more: %v, %v", info, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("got mode %v and %v, want 0640", info.Mode(), err)
	}
}

// Results that cannot be those of their scenario are not promoted, whatever
// digests they have.
func TestPromotedResultsAreOfTheirScenario(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	os.WriteFile(in("world.toml"), []byte(sweepWorld+"\n[[expect]]\nmetric = \"delivered\"\nop = \">=\"\nvalue = 1\n"), 0o644)
	if code, _, errout := invoke(t, "run", "-q", in("world.toml"), "--set", "analysis.kind=terminating", "--replications", "10", "--out", in("out")); code != 0 {
		t.Fatal(errout)
	}
	whole, err := os.ReadFile(in("out/summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(in("out/manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	for _, change := range []func(){
		func() { all["replications"] = -5 },
		func() { all["expectations"] = []any{} },
	} {
		if err := json.Unmarshal(whole, &all); err != nil {
			t.Fatal(err)
		}
		change()
		forged, _ := json.Marshal(all)
		os.WriteFile(in("out/summary.json"), forged, 0o644)
		sums := strings.ReplaceAll(string(manifest), fmt.Sprintf("%x", sha256.Sum256(whole)), fmt.Sprintf("%x", sha256.Sum256(forged)))
		os.WriteFile(in("out/manifest.json"), []byte(sums), 0o644)
		if code, _, errout := invoke(t, "promote", in("out"), "--by", "ann", "--record", in("p.jsonl")); code != exitInvalid || !strings.Contains(errout, "as in the scenario") {
			t.Errorf("exit code %d: %s", code, errout)
		}
	}
}
