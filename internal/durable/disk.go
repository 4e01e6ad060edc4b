package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A disk is the part of a file system that this package uses. Tests replace it with
// one that fails, or loses power between two steps.
type disk interface {
	open(name string, flag int) (file, error)
	follow(name string) (string, error) // returns the target of a link; any other name unchanged
	mode(name string) (fs.FileMode, error)
	rename(from, to string) error
	link(from, to string) error // to must not exist
	remove(name string) error
	syncFolder(dir string) error // flushes the names in it to the disk

	mkdir(name string) error
	mkdirs(name string) error    // with its parents
	exchange(a, b string) error  // exchanges two folders
	removeAll(name string) error // with its content; it need not exist
}

type file interface {
	io.ReadWriteCloser
	Chmod(fs.FileMode) error
	Truncate(size int64) error
	Seek(offset int64, whence int) (int64, error)
	Sync() error
}

// osDisk is the file system of the machine.
type osDisk struct{}

func (osDisk) open(name string, flag int) (file, error) {
	f, err := os.OpenFile(name, flag|syscall.O_NONBLOCK, 0o666) // a named pipe does not block
	if err != nil {
		return nil, err // not f: a nil *os.File would be a non-nil file
	}
	return f, nil
}

func (osDisk) follow(name string) (string, error) {
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	return filepath.EvalSymlinks(name)
}

func (osDisk) mode(name string) (fs.FileMode, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) link(from, to string) error   { return os.Link(from, to) }
func (osDisk) remove(name string) error     { return os.Remove(name) }

func (osDisk) mkdir(name string) error     { return os.Mkdir(name, 0o755) }
func (osDisk) mkdirs(name string) error    { return os.MkdirAll(name, 0o755) }
func (osDisk) removeAll(name string) error { return os.RemoveAll(name) }
func (osDisk) exchange(a, b string) error  { return exchange(a, b) }

// exchangeByRenames replaces exchange on file systems without it. Between its steps
// b does not exist, and a stop there leaves a.old beside it.
func exchangeByRenames(a, b string) error {
	old := a + ".old"
	if err := os.Rename(b, old); err != nil {
		return err
	}
	if err := os.Rename(a, b); err != nil {
		return errors.Join(err, os.Rename(old, b))
	}
	return os.Rename(old, a)
}

// syncFolder has no effect on file systems that refuse to sync folders because they
// keep names safe themselves.
func (osDisk) syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
