package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"flyball/internal/input"
)

// Files is a folder with files that grow, for a caller that makes them durable step by step.
type Files string

// Growing is a file of Files.
type Growing interface {
	io.WriteCloser
	Reserve(size int64) error // makes sure that it can grow to a size, in bytes; it may end with zeros until Close
	Sync() error              // makes the content durable
}

// Make makes the folder, if it is not there, with its parents. Its owner alone may read it.
func (d Files) Make() error {
	if _, err := os.Stat(string(d)); err == nil {
		return nil
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	return osDisk{}.syncFolder(filepath.Dir(filepath.Clean(string(d))))
}

// Names returns the names of all files in the folder.
func (d Files) Names() (all []string, err error) {
	entries, err := os.ReadDir(string(d))
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all, err
}

// Read returns the content of a file.
func (d Files) Read(name string) ([]byte, error) {
	return input.Read(filepath.Join(string(d), name), input.Progress)
}

// Create creates a file that its owner alone may read, or makes one empty.
func (d Files) Create(name string) (Growing, error) {
	f, err := d.open(name, os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d Files) open(name string, more int) (*growing, error) {
	const flag = os.O_WRONLY | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(filepath.Join(string(d), name), flag|more, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s: want a regular file", f.Name()))
	}
	return &growing{File: f}, nil
}

// Append opens a file that its owner alone may read, at its end, and returns its length in bytes; it is made if it is
// not there.
func (d Files) Append(name string) (Growing, int64, error) {
	f, err := d.open(name, 0)
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// Remove removes a file, which need not be there.
func (d Files) Remove(name string) error {
	err := os.Remove(filepath.Join(string(d), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Rename gives a file the name of another one, which it replaces.
func (d Files) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

// Sync makes the names in the folder durable.
func (d Files) Sync() error { return osDisk{}.syncFolder(string(d)) }

type growing struct {
	*os.File
	filled int64 // with zeros, or what replaced them
}

// Close closes the file, and cuts off the zeros at its end.
func (f *growing) Close() error {
	var err error
	if end, seek := f.Seek(0, io.SeekCurrent); seek == nil && end < f.filled {
		err = f.Truncate(end)
	}
	return errors.Join(err, f.File.Close())
}
