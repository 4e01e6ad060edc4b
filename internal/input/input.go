// Package input opens the files that a user names. A path may lead to a named
// pipe that never ends, to a device that never stops, or to a file that fills
// the memory. So every path goes through Open or Read: they accept regular files up
// to a size, and refuse anything else at once, with the name in the error.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// A Kind is a kind of file with its greatest size. The bounds
// are far above what is useful and below what fills a machine.
type Kind struct {
	Name string // as in "a list"
	Most int64  // bytes
}

// The kinds of files that Flyball reads. Recipients are folded while they are
// read, so their files may be larger than the memory.
var (
	Scenario    = Kind{"a scenario or study", 1 << 20}
	Beside      = Kind{"a file that a scenario names", 256 << 20}
	List        = Kind{"a list", 64 << 30}
	Suppression = Kind{"a suppression file", 64 << 30}
	Template    = Kind{"a template", 64 << 20}
	Key         = Kind{"a private key", 64 << 10}        // that no other user may read
	Password    = Kind{"a user and a password", 4 << 10} // that no other user may read
	Certificate = Kind{"certificates", 4 << 20}
	Program     = Kind{"this program", 4 << 30}
	Proximity   = Kind{"what a run has learned", 256 << 20}
	Samples     = Kind{"recorded intervals", 1 << 30}
	Events      = Kind{"recorded events", 64 << 30}
	Allowlist   = Kind{"an allowlist", 1 << 20}
	Fault       = Kind{"a script of a receiver", 1 << 20}
	Complaints  = Kind{"complaints", 1 << 30}
	Returned    = Kind{"returned mail", 64 << 20}
	Labels      = Kind{"labels of returned mail", 64 << 20}
	Promotions  = Kind{"promotion records", 64 << 20}
	Checkpoint  = Kind{"a checkpoint", 16 << 30}
	Progress    = Kind{"the progress of a study", 4 << 30}
	Manifest    = Kind{"a manifest", 16 << 20}
	RunFile     = Kind{"a file of a run folder", 4 << 30}
	Proc        = Kind{"a description of the machine", 16 << 20}
)

// ErrRefused marks a path that exists but cannot be read: a folder, a named pipe, a
// device, a socket, a link without target, or a file with too many bytes.
var ErrRefused = errors.New("refused")

// refusal is an ErrRefused without that text in its message.
type refusal struct{ text string }

func (r refusal) Error() string        { return r.text }
func (r refusal) Is(target error) bool { return target == ErrRefused }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

// Open opens the regular file name, or the target of the link name. Reading fails
// with ErrRefused at the first byte beyond k.Most. Errors are ErrRefused or errors
// of os.Open.
func Open(name string, k Kind) (*File, error) {
	f, err := open(name, k)
	if err != nil {
		return nil, err
	}
	return &File{f, bound{f, name, k, k.Most}}, nil
}

// Read returns the content of the regular file name; see Open.
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

// Seek implements io.Seeker. The bound applies to the offset in the file.
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
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // does not block on a pipe created meanwhile
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
	if mode := info.Mode().Perm(); (k == Key || k == Password) && mode&0o077 != 0 {
		return refuse("%s: got mode %04o, with which others may read the secret, want 0600", name, mode)
	}
	if info.Size() > k.Most {
		return tooLarge(name, k)
	}
	return nil
}

// what describes the mode of a file that is not regular.
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

// Bound returns a reader of r that fails with ErrRefused at the first byte beyond
// k.Most: for files that grow, files of /proc, whose size is unknown, and standard
// input. name is the name of r in errors.
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
