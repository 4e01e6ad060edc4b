package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// ErrLocked reports that somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// A Lock keeps others out until Release, or until the process ends, however it
// does. It holds off those who ask for it, not those who write without asking.
type Lock struct{ held *os.File }

// LockFolder waits until the folder dir is free, and locks it. Files that are
// replaced are locked by their folder: a lock on the file itself would hold off
// nobody who opens its successor.
func LockFolder(dir string) (*Lock, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := flock(f, syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// Release lets the next one in.
func (l *Lock) Release() { l.held.Close() }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: ErrLocked}
		case err != nil:
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		default:
			return nil
		}
	}
}

// lockedFile opens the file name, makes it if create is set, and locks it, or
// fails with ErrLocked. The file is the one that name leads to once it is locked:
// the holder before may have removed it.
func lockedFile(name string, create bool) (*os.File, error) {
	flag := os.O_RDWR | syscall.O_NONBLOCK // a named pipe does not block
	if create {
		flag |= os.O_CREATE
	}
	for {
		f, err := os.OpenFile(name, flag, 0o666)
		if err != nil {
			return nil, err
		}
		err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		var opened, there fs.FileInfo
		if err == nil {
			opened, err = f.Stat()
		}
		if err == nil && !opened.Mode().IsRegular() {
			err = &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		if there, err = os.Stat(name); err == nil && os.SameFile(opened, there) {
			return f, nil
		}
		f.Close()
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && create) {
			return nil, err
		}
	}
}
