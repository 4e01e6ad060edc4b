package durable

import (
	"errors"
	"io/fs"
	"syscall"
)

// Reserve allocates blocks of the file up to a size, and does not make it longer. It has no effect on file systems that
// cannot.
func (f *growing) Reserve(size int64) error {
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	for {
		switch err := syscall.Fallocate(int(f.Fd()), keepSize, 0, size); {
		case errors.Is(err, syscall.EINTR):
		case err == nil, errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.EOPNOTSUPP),
			errors.Is(err, syscall.ENOSYS):
			return nil
		default:
			return &fs.PathError{Op: "reserve", Path: f.Name(), Err: err}
		}
	}
}

// Sync makes the content durable. The time of the last change may be lost.
func (f *growing) Sync() error {
	for {
		switch err := syscall.Fdatasync(int(f.Fd())); err {
		case syscall.EINTR:
		case nil:
			return nil
		default:
			return &fs.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}
