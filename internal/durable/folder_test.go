package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// stopping is the disk of the machine, which fails at a step or stops the writer
// before it.
type stopping struct {
	osDisk
	steps, at int
	failure   error // nil to stop
	synced    map[string]bool
}

func (d *stopping) step() error {
	if d.steps++; d.steps != d.at {
		return nil
	}
	if d.failure == nil {
		panic(powerLoss{})
	}
	return d.failure
}

func (d *stopping) open(name string, flag int) (file, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := d.osDisk.open(name, flag)
	return &stoppingFile{f, d, name}, err
}

func (d *stopping) mkdir(name string) error  { return errors.Join(d.step(), d.osDisk.mkdir(name)) }
func (d *stopping) mkdirs(name string) error { return errors.Join(d.step(), d.osDisk.mkdirs(name)) }

func (d *stopping) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.rename(from, to)
}

func (d *stopping) exchange(a, b string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.exchange(a, b)
}

func (d *stopping) syncFolder(dir string) error {
	d.synced[filepath.Base(dir)] = true
	return d.step()
}

func (d *stopping) removeAll(name string) error {
	return errors.Join(d.step(), d.osDisk.removeAll(name))
}

type stoppingFile struct {
	file
	d    *stopping
	name string
}

func (f *stoppingFile) Write(p []byte) (int, error) {
	if err := f.d.step(); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *stoppingFile) Sync() error {
	f.d.synced[filepath.Base(f.name)] = true
	return f.d.step()
}

// content is every file below dir, or (none).
func content(dir string) string {
	var all strings.Builder
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			text, _ := os.ReadFile(filepath.Join(dir, name))
			fmt.Fprintf(&all, "%s=%s;", name, text)
		}
		return err
	})
	if err != nil {
		return "(none)"
	}
	return all.String()
}

func TestFolderIsWholeAtEveryStep(t *testing.T) {
	files := []File{{Path: "a", Data: []byte("new a")}, {Path: "plots/b", From: strings.NewReader("new b")},
		{Path: "plots/deep/c", Data: []byte("new c")}}
	const want = "a=new a;plots/b=new b;plots/deep/c=new c;"
	for _, old := range []string{"(none)", "a=old a;"} {
		for _, failure := range []error{nil, syscall.ENOSPC} {
			for at := 1; ; at++ {
				parent := filepath.Join(t.TempDir(), "runs")
				dir := filepath.Join(parent, "x")
				if old != "(none)" {
					os.MkdirAll(dir, 0o755)
					os.WriteFile(filepath.Join(dir, "a"), []byte("old a"), 0o644)
				}
				d := &stopping{at: at, failure: failure, synced: map[string]bool{}}
				over := false
				var err error
				func() {
					defer func() {
						if v := recover(); v != nil && v != any(powerLoss{}) {
							panic(v)
						}
					}()
					err = folder(d, dir, files, func() error { return nil })
					over = true
				}()
				got := content(dir)
				if got != want && got != old || over && err == nil && got != want {
					t.Errorf("%v at step %d of %d: got %s and %v", failure, at, d.steps, got, err)
				}
				if over && err == nil {
					for _, name := range []string{"a", "b", "c", "plots", "deep", "runs"} {
						if !d.synced[name] {
							t.Errorf("%s was not written through", name)
						}
					}
					if left, _ := os.ReadDir(parent); len(left) != 1 {
						t.Errorf("left %v", left)
					}
				}
				if d.steps < at {
					if at < 10 || err != nil {
						t.Errorf("with nothing wrong: %d steps, %v", d.steps, err)
					}
					break
				}
			}
		}
	}
}

// What may not be replaced stays, also when it appears at the last moment; of many
// who put a folder there at once each succeeds, and one is there, whole.
func TestFolderAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	no := errors.New("not yours")
	os.Mkdir(dir, 0o755)
	os.WriteFile(filepath.Join(dir, "letter"), nil, 0o644)
	if err := Folder(dir, []File{{Path: "a"}}, func() error { return no }); !errors.Is(err, no) ||
		content(dir) != "letter=;" {
		t.Errorf("got %v and %s", err, content(dir))
	}
	os.RemoveAll(dir)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			text := []byte(fmt.Sprint(i))
			if err := Folder(dir, []File{{Path: "a", Data: text}, {Path: "b", Data: text}},
				func() error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := content(dir); len(got) != 8 || got[2] != got[6] {
		t.Errorf("got %s", got)
	}
	if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, name := range []string{a, b} {
		os.Mkdir(name, 0o755)
		os.WriteFile(filepath.Join(name, filepath.Base(name)), nil, 0o644)
	}
	if err := exchangeByRenames(a, b); err != nil || content(a) != "b=;" || content(b) != "a=;" {
		t.Errorf("by renames: %v, %s, %s", err, content(a), content(b))
	}
}
