package trials

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A record has as many runs as a gate looks at, at most (docs/gate.md).
func TestRecordedRuns(t *testing.T) {
	if whole, quick := RecordedRuns(false), RecordedRuns(true); whole != 180 || quick != 60 {
		t.Errorf("got %d and %d runs, want 180 and 60", whole, quick)
	}
}

// A folder with runs of a scenario that is not recorded now is refused.
func TestRecordIsNotMixedWithOldRuns(t *testing.T) {
	q := DefaultCompare()
	q.Dir = filepath.Join(t.TempDir(), "kept")
	if err := q.onlyThese([]string{"small"}); err != nil {
		t.Errorf("a new folder: got %v", err)
	}
	if err := os.MkdirAll(filepath.Join(q.Dir, "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := q.onlyThese([]string{"small", "old"}); err != nil {
		t.Errorf("recorded again: got %v", err)
	}
	if err := q.onlyThese([]string{"small"}); err == nil || !strings.Contains(err.Error(),
		"holds old, which is not recorded now (small are)") {
		t.Errorf("got %v, want that old is not recorded now", err)
	}
}
