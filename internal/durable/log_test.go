package durable

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

const header = `flyball test 2 abc`

func records(n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil, "%x\t%q\t%d", i*77, "holds", i%3))
	}
	return all
}

// written is a log as one writer leaves it.
func written(t *testing.T, name string, all [][]byte) []byte {
	t.Helper()
	l, lines, err := OpenLog(name, header, true)
	if err != nil || lines.Records != nil || lines.Torn != 0 {
		t.Fatalf("a new log: %v, %v", lines, err)
	}
	for _, r := range all {
		if err := l.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Sync(), l.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func same(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

func TestLogGoesOn(t *testing.T) {
	name := filepath.Join(t.TempDir(), "l")
	all := records(7)
	text := written(t, name, all[:4])
	l, lines, err := OpenLog(name, header, false)
	if err != nil || !same(lines.Records, all[:4]) || lines.Torn != 0 {
		t.Fatalf("got %q, torn %d, %v", lines.Records, lines.Torn, err)
	}
	if _, _, err := OpenLog(name, header, false); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer: %v", err)
	}
	for _, r := range all[4:] {
		if err := l.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	once := written(t, name+"2", all)
	if twice, _ := os.ReadFile(name); !bytes.Equal(twice, once) || !bytes.HasPrefix(twice, text) {
		t.Errorf("got\n%s\nwant\n%s", twice, once)
	}
	var other *OtherLog
	if _, _, err := OpenLog(name, header+"d", false); !errors.As(err, &other) || other.Header != header {
		t.Errorf("another log: %v", err)
	}
	if _, _, err := OpenLog(name+"3", header, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log that is not there: %v", err)
	}
	syscall.Mkfifo(name+"4", 0o644)
	if _, _, err := OpenLog(name+"4", header, true); err == nil {
		t.Error("a named pipe is a log")
	}
}

// Whatever happens to a log, its records are those that were written, or the
// first of them, or it is refused with a place. Only what is cut off at the end
// may be missing without a word, as if it had not been written yet.
func TestDamageIsFound(t *testing.T) {
	all := records(6)
	text := written(t, filepath.Join(t.TempDir(), "l"), all)
	head := len(header) + 1
	lines := bytes.SplitAfter(text[head:], []byte("\n"))
	lines = lines[:len(lines)-1]
	join := func(lines ...[]byte) []byte { return append(bytes.Clone(text[:head]), bytes.Join(lines, nil)...) }

	tried := 0
	try := func(what string, damaged []byte, cut bool) {
		t.Helper()
		tried++
		got, err := ReadLog(damaged, "l", header)
		var d *Damage
		var other *OtherLog
		switch {
		case errors.As(err, &d):
			if d.Line < 2 || d.Line > len(all)+2 || !strings.HasPrefix(err.Error(),
				fmt.Sprintf("l:%d: got ", d.Line)) || !strings.Contains(err.Error(), "delete the file") {
				t.Errorf("%s: got %v, want its place and what to do", what, err)
			}
		case errors.As(err, &other):
			if bytes.HasPrefix(damaged, text[:head]) {
				t.Errorf("%s: the header is refused: %v", what, err)
			}
		case err != nil:
			t.Errorf("%s: %v", what, err)
		case !cut && len(got.Records) == len(all) && got.Torn == 0:
			t.Errorf("%s: nothing is found", what)
		case len(got.Records) > len(all) || !same(got.Records, all[:len(got.Records)]):
			t.Errorf("%s: got %q", what, got.Records)
		case !cut && len(got.Records) < len(all)-1:
			t.Errorf("%s: %d records are dropped in silence", what, len(all)-len(got.Records))
		}
	}
	for i := range text {
		for bit := range 8 {
			flipped := bytes.Clone(text)
			flipped[i] ^= 1 << bit
			try(fmt.Sprintf("bit %d of byte %d flipped", bit, i), flipped, false)
		}
		try(fmt.Sprintf("cut off at %d", i), text[:i], true)
		try(fmt.Sprintf("byte %d left out", i), slices.Delete(bytes.Clone(text), i, i+1), false)
		try(fmt.Sprintf("byte %d doubled", i), slices.Insert(bytes.Clone(text), i, text[i]), false)
	}
	for i, line := range lines {
		try(fmt.Sprintf("line %d doubled", i+2), join(slices.Insert(slices.Clone(lines), i, line)...), false)
		if i < len(lines)-1 {
			try(fmt.Sprintf("line %d left out", i+2), join(slices.Delete(slices.Clone(lines), i, i+1)...), false)
		}
		for j := range i {
			swapped := slices.Clone(lines)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			try(fmt.Sprintf("lines %d and %d swapped", i+2, j+2), join(swapped...), false)
		}
		renumbered := slices.Clone(lines)
		renumbered[i] = bytes.Replace(line, fmt.Appendf(nil, "%d ", i+1), fmt.Appendf(nil, "0%d ", i+1), 1)
		try(fmt.Sprintf("line %d with another number", i+2), join(renumbered...), false)
	}
	reversed := slices.Clone(lines)
	slices.Reverse(reversed)
	try("reversed", join(reversed...), false)
	for _, end := range []string{"\n", "\r\n", lineOf(lines, 0),
		string(sealed([]byte("x"), "another header", len(all)+1))} {
		try(fmt.Sprintf("%q at the end", end), append(bytes.Clone(text), end...), false)
	}
	try("line ends of another system", bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), false)
	t.Logf("%d damaged logs of %d bytes", tried, len(text))
}

func lineOf(lines [][]byte, i int) string { return string(lines[i]) }

// At every step of a writer, the power may be lost or the disk be full: what is
// found then can be opened, has what was synced, and nothing that was not
// written.
func TestLogIsWholeAtEveryStep(t *testing.T) {
	all := records(4)
	for _, begun := range []string{"", header[:5], header + "\n",
		header + "\n" + string(sealed(all[0], header, 1)) + "2 torn"} {
		kept := 0 // records that are safe
		do := func(d *faulty) error {
			kept = strings.Count(begun, "\n") - 1
			f, err := d.open("dir/l", 0)
			if err != nil {
				return err
			}
			l, lines, err := openLog(d, f, "dir/l", header)
			if err != nil {
				return err
			}
			kept = len(lines.Records)
			for i, r := range all[len(lines.Records):] {
				err := l.Append(r)
				if i == 1 && err == nil {
					if err = l.Sync(); err == nil {
						kept += 2
					}
				}
				if err != nil {
					before := d.steps
					if again := l.Append(r); again == nil || d.steps != before {
						t.Errorf("a record is added after %v", err)
					}
					return err
				}
			}
			return l.Close()
		}
		interrupted(t, func(d *faulty) { d.put("dir/l", begun) }, do, func(what string, d *faulty, _ bool, err error) {
			for i, found := range append(d.afterLoss(), d) {
				found.at = 0
				f, err := found.open("dir/l", 0)
				if err != nil {
					t.Fatal(err)
				}
				_, lines, err := openLog(found, f, "dir/l", header)
				var damage *Damage
				if errors.As(err, &damage) && i%4 == 2 && damage.Line > kept+1 {
					continue // zeros where lines were not yet written through: said, with what to do
				}
				if err != nil && strings.Contains(err.Error(), "header") && kept <= 0 && i%4 == 2 {
					continue // zeros where the header was not yet written through
				}
				if err != nil || len(lines.Records) < kept || !same(lines.Records, all[:len(lines.Records)]) {
					t.Errorf("%q, %s: disk %d: got %d records and %v, want %d at least", begun, what, i,
						len(lines.Records), err, kept)
				}
			}
		})
	}
}

// Of many concurrent openers of a log one succeeds, even while others remove it:
// none writes to a removed file.
func TestLogHasOneWriter(t *testing.T) {
	name := filepath.Join(t.TempDir(), "l")
	var mu sync.Mutex
	holding, most := 0, 0
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for had := false; !had; {
				l, lines, err := OpenLog(name, header, true)
				if errors.Is(err, ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				had = true
				mu.Lock()
				holding++
				most = max(most, holding)
				mu.Unlock()
				if lines.Records != nil {
					t.Errorf("found %q, of one who removed it", lines.Records)
				}
				if err := l.Append(fmt.Append(nil, i)); err != nil {
					t.Error(err)
				}
				if text, err := os.ReadFile(name); err != nil || !bytes.HasSuffix(text, fmt.Appendf(nil, " %d\n", i)) {
					t.Errorf("writes where nobody looks: %q, %v", text, err)
				}
				mu.Lock()
				holding--
				mu.Unlock()
				if err := errors.Join(l.Remove(), l.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d held the log at a time, want 1", most)
	}
}

func TestLockFolder(t *testing.T) {
	dir := t.TempDir()
	count := 0 // guarded by the lock alone
	var holding atomic.Int32
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			for range 20 {
				l, err := LockFolder(dir)
				if err != nil {
					t.Error(err)
					return
				}
				if holding.Add(1) > 1 {
					t.Error("two hold the lock")
				}
				count++
				runtime.Gosched()
				holding.Add(-1)
				l.Release()
			}
		})
	}
	wg.Wait()
	if count != 240 {
		t.Errorf("counted %d, want 240", count)
	}
	if _, err := LockFolder(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// A log whose last records are dropped goes on behind the others, as if they had never been.
func TestLogKeeps(t *testing.T) {
	for n := range 6 {
		name := filepath.Join(t.TempDir(), "l")
		all := records(7)
		written(t, name, all[:5])
		l, _, err := OpenLog(name, header, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.Keep(n), l.Append(all[5]), l.Append(all[6]), l.Close()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		lines, wrong := ReadLog(text, name, header)
		if want := append(all[:n:n], all[5:]...); err != nil || wrong != nil || !same(lines.Records, want) {
			t.Errorf("keep %d: got %q, %v, %v", n, lines.Records, err, wrong)
		}
	}
}
