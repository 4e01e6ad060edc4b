package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/promotion"
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
	const all = 20
	var adding sync.WaitGroup
	add := func(by string) {
		rec := promotion.Record{By: by, At: time.Now(), Expires: time.Now().Add(time.Hour)}
		if err := (&app{out: io.Discard}).record(link, rec, "hold"); err != nil {
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
