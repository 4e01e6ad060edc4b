package promote

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// Records that are added at the same moment are all kept. A symbolic link stays a
// link, and a file keeps its permissions.
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
		rec := promotion.Record{By: by, Shown: promotion.Shown{Scenario: "quickstart",
			Replications: promotion.MinReplications}}
		q := Add{Lasts: time.Hour, Records: Records{File: link}}
		if _, err := q.record(rec, s); err != nil {
			t.Error(err)
		}
	}
	os.WriteFile(file, nil, 0o600)
	os.Chmod(file, 0o640)
	for i := range all {
		adding.Go(func() { add(fmt.Sprint(i)) })
	}
	adding.Wait()
	if records, err := promotion.Open(link, ""); err != nil || len(records) != all {
		t.Errorf("got %d records and %v, want %d", len(records), err, all)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is one no more: %v, %v", info, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("got mode %v and %v, want 0640", info.Mode(), err)
	}
}
