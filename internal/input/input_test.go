package input

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

var small = Kind{"a letter", 1 << 10}

// A path that does not lead to a regular file of a size that can be taken is
// refused, without waiting for anybody at the other end.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(in("largest"), make([]byte, 1<<10), 0o644))
	must(os.WriteFile(in("larger"), make([]byte, 1<<10+1), 0o644))
	must(os.Truncate(in("larger"), 1<<40)) // with no byte on the disk
	must(syscall.Mkfifo(in("pipe"), 0o644))
	must(os.Symlink("nowhere", in("dangling")))
	must(os.Symlink("pipe", in("leads to a pipe")))
	must(os.Symlink("largest", in("good")))
	l, err := net.Listen("unix", in("s"))
	must(err)
	defer l.Close()
	for name, want := range map[string]string{
		in("pipe"):            "got a named pipe, want a regular file",
		in("leads to a pipe"): "got a named pipe, want a regular file",
		"/dev/zero":           "got a device, want a regular file",
		"/dev/null":           "got a device, want a regular file",
		dir:                   "got a folder, want a regular file",
		in("s"):               "got a socket, want a regular file",
		in("larger"):          "got more than 1 KiB, want at most that for a letter",
		in("dangling"):        "got a link to nowhere, which does not exist, want a regular file",
	} {
		if _, err := Read(name, small); !errors.Is(err, ErrRefused) || err.Error() != name+": "+want {
			t.Errorf("got %v, want %s: %s", err, name, want)
		}
		if f, err := Open(name, small); !errors.Is(err, ErrRefused) || f != nil {
			t.Errorf("%s: opened, or refused with %v", name, err)
		}
	}
	if _, err := Read(in("missing"), small); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrRefused) {
		t.Errorf("missing: %v", err)
	}
	for _, name := range []string{"largest", "good"} {
		if text, err := Read(in(name), small); err != nil || len(text) != 1<<10 {
			t.Errorf("%s: got %d bytes and %v", name, len(text), err)
		}
	}
}

// The bound counts bytes, whatever pieces they come in, also where the size of a
// file is not known before.
func TestBound(t *testing.T) {
	for n := range 5 {
		k := Kind{"a letter", 3}
		for i, r := range []io.Reader{strings.NewReader("abcde"[:n]),
			iotest.OneByteReader(strings.NewReader("abcde"[:n])),
			iotest.DataErrReader(strings.NewReader("abcde"[:n]))} {
			var got bytes.Buffer
			_, err := io.Copy(&got, k.Bound(r, "x"))
			if want := "abcde"[:min(n, 3)]; got.String() != want || errors.Is(err, ErrRefused) != (n > 3) ||
				(err == nil) != (n <= 3) {
				t.Errorf("reader %d: %d bytes: got %q and %v, want %q", i, n, got.String(), err, want)
			}
		}
	}
	name := filepath.Join(t.TempDir(), "f")
	os.WriteFile(name, []byte("abc"), 0o644)
	f, err := Open(name, Kind{"a letter", 4})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 { // what is read twice is not twice as much
		if text, err := io.ReadAll(f); string(text) != "abc" || err != nil {
			t.Errorf("got %q, %v", text, err)
		}
		f.Seek(0, io.SeekStart)
	}
	os.WriteFile(name, []byte("abcde"), 0o644)
	if text, err := io.ReadAll(f); string(text) != "abcd" || !errors.Is(err, ErrRefused) {
		t.Errorf("a file that grows: got %q, %v", text, err)
	}
	if _, err := Read("/proc/self/maps", Kind{"a map", 8}); !errors.Is(err, ErrRefused) ||
		err.Error() != "/proc/self/maps: got more than 8 bytes, want at most that for a map" {
		t.Errorf("a file without a size: %v", err)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{8: "8 bytes", 1 << 10: "1 KiB", 3 << 20: "3 MiB", 1<<20 + 1: "1048577 bytes",
		64 << 30: "64 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
