package durable

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// Reserve allocates blocks of the file up to a size, and fills them with zeros: to make durable what replaces them,
// the file system has to write that alone, and not that the file has grown. It has no effect on file systems that
// cannot.
func (f *growing) Reserve(size int64) error {
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	for {
		switch err := syscall.Fallocate(int(f.Fd()), keepSize, 0, size); {
		case errors.Is(err, syscall.EINTR):
		case err == nil:
			return f.fill(size)
		case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return nil
		default:
			return &fs.PathError{Op: "reserve", Path: f.Name(), Err: err}
		}
	}
}

// fill fills the file with zeros from its end up to a size.
func (f *growing) fill(size int64) error {
	from, err := f.Seek(0, io.SeekCurrent)
	if from = max(from, f.filled); err != nil || from >= size {
		return err
	}
	if _, err := f.WriteAt(make([]byte, size-from), from); err != nil {
		return err
	}
	f.filled = size
	return nil
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
