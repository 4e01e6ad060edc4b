package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// interrupted runs do on a new disk for each step that it takes, with a loss of
// power before that step and with an error at it; for the last disk nothing goes
// wrong. Over reports whether do returned; its error is then err.
func interrupted(t *testing.T, before func(*faulty), do func(*faulty) error,
	look func(what string, d *faulty, over bool, err error)) {
	t.Helper()
	for _, failure := range []error{nil, syscall.ENOSPC, syscall.EIO} {
		for at := 1; ; at++ {
			d := newDisk()
			before(d)
			d.at, d.failure = at, failure
			over := false
			var err error
			func() {
				defer func() {
					if v := recover(); v != nil && v != any(powerLoss{}) {
						panic(v)
					}
				}()
				err = do(d)
				over = true
			}()
			look(fmt.Sprintf("%v at %v", failure, d.done), d, over, err)
			if d.steps < at {
				if at < 5 || !over || err != nil {
					t.Fatalf("with nothing wrong: %d steps, over %v, %v", d.steps, over, err)
				}
				break
			}
		}
	}
}

func TestWriteIsWholeAtEveryStep(t *testing.T) {
	for _, old := range []string{"(none)", "old", strings.Repeat("older and longer", 10)} {
		for _, data := range []string{"new and different", ""} {
			before := func(d *faulty) {
				if old != "(none)" {
					d.put("dir/f", old)
				}
			}
			interrupted(t, before, func(d *faulty) error { return write(d, "dir/f", []byte(data)) },
				func(what string, d *faulty, over bool, err error) {
					// The rename is what counts; a folder that could not be synced is an error after it.
					renamed := slices.Contains(d.done, "sync folder")
					if got := d.text("dir/f"); over && err == nil && got != data || over && err != nil && !renamed &&
						got != old {
						t.Errorf("%s: got %q and %v, want %q or %q", what, got, err, data, old)
					}
					if over && len(d.names) > 1 && !strings.HasSuffix(what, "remove]") {
						t.Errorf("%s: left %v", what, d.names)
					}
					if i := d.names["dir/f"]; over && err == nil && old != "(none)" && i.mode != 0o640 {
						t.Errorf("%s: mode %v, want that of the old file", what, i.mode)
					}
					for i, found := range d.afterLoss() {
						got := found.text("dir/f")
						if got != data && got != old || over && err == nil && got != data {
							t.Errorf("%s: after a loss of power, disk %d: got %q, want %q (old %q, returned %v)", what,
								i,
								got, data, old, over)
						}
					}
				})
		}
	}
}

func TestCreateIsWholeAtEveryStep(t *testing.T) {
	const data = "new and different"
	do := func(d *faulty) error { return create(d, "dir/f", []byte(data)) }
	interrupted(t, func(*faulty) {}, do, func(what string, d *faulty, over bool, err error) {
		for i, found := range d.afterLoss() {
			got := found.text("dir/f")
			if got != data && got != "(none)" || over && err == nil && got != data {
				t.Errorf("%s: after a loss of power, disk %d: got %q", what, i, got)
			}
		}
	})
	d := newDisk()
	d.put("dir/f", "old")
	if err := do(d); !errors.Is(err, fs.ErrExist) || d.text("dir/f") != "old" || len(d.names) != 1 {
		t.Errorf("over an old file: got %v, %q and %d files", err, d.text("dir/f"), len(d.names))
	}
}

// On the file system of the machine, with many at once: a reader finds the whole
// of one version, and of those who create one succeeds.
// An error names the file that was asked for, not the temporary one.
func TestErrorsNameTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "nowhere", "f")
	for what, err := range map[string]error{"write": Write(name, nil), "create": Create(name, nil)} {
		failed := new(fs.PathError)
		if !errors.As(err, &failed) || failed.Path != name || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want %s not to exist", what, err, name)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	name, made := filepath.Join(dir, "f"), filepath.Join(dir, "made")
	if err := Write(name, []byte(strings.Repeat("0", 1000))); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	created := make([]error, 12)
	for i := range created {
		wg.Go(func() {
			one := []byte(strings.Repeat(string(rune('a'+i)), 1000+i))
			created[i] = Create(made, one)
			for range 5 {
				if err := Write(name, one); err != nil {
					t.Error(err)
				}
				text, err := os.ReadFile(name)
				if err != nil || len(text) < 1000 || strings.Trim(string(text), string(text[:1])) != "" {
					t.Errorf("found %d bytes of a mixture, or %v", len(text), err)
				}
			}
		})
	}
	wg.Wait()
	succeeded := 0
	for i, err := range created {
		if err == nil {
			succeeded++
			if text, err := os.ReadFile(made); err != nil || len(text) != 1000+i {
				t.Errorf("%d created it: found %d bytes and %v", i, len(text), err)
			}
		} else if !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	if succeeded != 1 {
		t.Errorf("%d created the file, want 1", succeeded)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left %v", left)
	}
}

// Write keeps links and permissions, creates files with the default permissions, and
// leaves anything but a regular file unchanged.
func TestWriteKeepsWhatItReplaces(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	os.Mkdir(in("real"), 0o755)
	os.WriteFile(in("real/f"), nil, 0o600)
	os.Chmod(in("real/f"), 0o640)
	if err := os.Symlink("real/f", in("link")); err != nil {
		t.Fatal(err)
	}
	if err := Write(in("link"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(in("real/f")); err != nil || string(text) != "x" {
		t.Errorf("beyond the link: %q, %v", text, err)
	}
	if info, err := os.Lstat(in("link")); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is one no more: %v, %v", info, err)
	}
	if info, err := os.Stat(in("real/f")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("got mode %v and %v, want 0640", info.Mode(), err)
	}
	os.WriteFile(in("any"), nil, 0o666)
	if err := Write(in("new"), nil); err != nil {
		t.Fatal(err)
	}
	any, _ := os.Stat(in("any"))
	if info, err := os.Stat(in("new")); err != nil || info.Mode() != any.Mode() {
		t.Errorf("a new file has %v, any other %v: %v", info.Mode(), any.Mode(), err)
	}
	syscall.Mkfifo(in("pipe"), 0o644)
	os.Symlink("nowhere", in("dangling"))
	for _, name := range []string{"real", "pipe", "dangling"} {
		before, _ := os.Lstat(in(name))
		err := Write(in(name), []byte("x"))
		if after, _ := os.Lstat(in(name)); err == nil || after.Mode() != before.Mode() {
			t.Errorf("%s: wrote over it: %v", name, err)
		}
	}
}
