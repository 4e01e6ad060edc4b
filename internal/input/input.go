// Package input opens the files that a user names. A path may lead to a named
// pipe that never ends, to a device that never stops, or to a file that fills
// the memory, so that every path goes through Open or Read: they take regular
// files up to a size, and refuse anything else at once and by its name.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// A Kind is a sort of file with the most bytes that one may have. The bounds
// are far above what is useful and below what fills a machine.
type Kind struct {
	Name string // as in "a list"
	Most int64  // bytes
}

// The kinds of files that Flyball reads. Recipients are folded while they are
// read, so their files may be larger than the memory.
var (
	Scenario    = Kind{"a scenario or study", 1 << 20}
	List        = Kind{"a list", 64 << 30}
	Suppression = Kind{"a suppression file", 64 << 30}
	Template    = Kind{"a template", 64 << 20}
	Samples     = Kind{"recorded intervals", 1 << 30}
	Events      = Kind{"recorded events", 64 << 30}
	Promotions  = Kind{"promotion records", 64 << 20}
	Checkpoint  = Kind{"a checkpoint", 16 << 30}
	Progress    = Kind{"the progress of a study", 4 << 30}
	Manifest    = Kind{"a manifest", 16 << 20}
	RunFile     = Kind{"a file of a run folder", 4 << 30}
	Proc        = Kind{"a description of the machine", 16 << 20}
)

// ErrRefused marks what is there but cannot be taken: a folder, a named pipe, a
// device, a socket, a link that leads nowhere, or a file with too many bytes.
var ErrRefused = errors.New("refused")

// refusal keeps the mark out of the message.
type refusal struct{ text string }

func (r refusal) Error() string        { return r.text }
func (r refusal) Is(target error) bool { return target == ErrRefused }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

// Open opens the regular file name, or what the link name leads to. The reader
// fails with ErrRefused at the first byte beyond k.Most. Errors are ErrRefused
// or those of os.Open.
func Open(name string, k Kind) (*File, error) {
	f, err := open(name, k)
	if err != nil {
		return nil, err
	}
	return &File{f, bound{f, name, k, k.Most}}, nil
}

// Read returns the content of the regular file name, as Open does.
func Read(name string, k Kind) ([]byte, error) {
	f, err := open(name, k)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(k.Bound(f, name))
}

// A File is an open file of a kind.
type File struct {
	file  *os.File
	bound bound
}

func (f *File) Read(p []byte) (int, error) { return f.bound.Read(p) }
func (f *File) Close() error               { return f.file.Close() }

// Seek moves as io.Seeker does. The bound is of the place in the file.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	at, err := f.file.Seek(offset, whence)
	if err == nil {
		f.bound.left = max(0, f.bound.kind.Most-at)
	}
	return at, err
}

func open(name string, k Kind) (*os.File, error) {
	// The first look keeps devices that act on being opened, such as a tape that
	// rewinds, shut. The second one, after opening, is the one that counts.
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, lost := os.Lstat(name); lost == nil {
			to, _ := os.Readlink(name)
			return nil, refuse("%s: got a link to %s, which does not exist, want a regular file", name, to)
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	case err != nil:
		return nil, err
	}
	if err := check(name, info, k); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that was put there meanwhile does not block
	if err != nil {
		return nil, err
	}
	info, err = f.Stat()
	if err == nil {
		err = check(name, info, k)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func check(name string, info fs.FileInfo, k Kind) error {
	if !info.Mode().IsRegular() {
		return refuse("%s: got %s, want a regular file", name, what(info.Mode()))
	}
	if info.Size() > k.Most {
		return tooLarge(name, k)
	}
	return nil
}

// what names a mode that is not that of a regular file.
func what(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

func tooLarge(name string, k Kind) error {
	return refuse("%s: got more than %s, want at most that for %s", name, size(k.Most), k.Name)
}

func size(n int64) string {
	for _, u := range []struct {
		shift int
		name  string
	}{{30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		if n>>u.shift > 0 && n&(1<<u.shift-1) == 0 {
			return fmt.Sprintf("%d %s", n>>u.shift, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// Bound returns a reader of r, which is called name in errors, that fails with
// ErrRefused at the first byte beyond k.Most: of a file that grows, of one of
// /proc, whose size is not known, or of standard input.
func (k Kind) Bound(r io.Reader, name string) io.Reader { return &bound{r, name, k, k.Most} }

type bound struct {
	from io.Reader
	name string
	kind Kind
	left int64
}

func (b *bound) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if int64(n) > b.left {
		return int(b.left), tooLarge(b.name, b.kind)
	}
	b.left -= int64(n)
	return n, err
}
