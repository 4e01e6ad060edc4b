package control

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A request gets its answer or its error, in a folder with a long name too if the system can, and also where a stopped
// run left its socket. Without a run there is none.
func TestAsk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, release, err := short(dir); err == nil {
		release()
	} else if got := Ask(dir, "status", nil); runtime.GOOS != "linux" && got != nil && got.Error() == err.Error() {
		t.Logf("in another folder, since %v", err)
		t.Chdir(t.TempDir())
		dir = "."
	} else {
		t.Fatal(got)
	}
	if err := Ask(dir, "status", nil); !errors.Is(err, ErrNone) {
		t.Errorf("got %v, want no run", err)
	}
	for range 2 {
		s, err := Listen(dir, func(request string) (any, error) {
			if request == "fail" {
				return nil, errors.New("as asked")
			}
			return map[string]string{"got": request}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := Ask(dir, "status", &got); err != nil || got["got"] != "status" {
			t.Errorf("got %v and %v", got, err)
		}
		if err := Ask(dir, "fail", nil); err == nil || err.Error() != "as asked" {
			t.Errorf("got %v, want the error of the run", err)
		}
		s.Close()
		if err := Ask(dir, "status", nil); !errors.Is(err, ErrNone) {
			t.Errorf("got %v, want no run", err)
		}
	}
	if err := Ask(filepath.Join(dir, "none"), "status", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no folder", err)
	}
}
