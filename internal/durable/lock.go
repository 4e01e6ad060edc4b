package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// ErrLocked reports that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// A Lock excludes other lockers until Release, or until the process ends in any
// way. It does not stop processes that write without the lock.
type Lock struct{ held *os.File }

// LockFolder waits until the folder dir is unlocked, and locks it. A file that is
// replaced is locked by its folder: a lock on the file itself would not exclude a
// process that opens its replacement.
func LockFolder(dir string) (*Lock, error) { return lockFolder(dir, syscall.LOCK_EX) }

// TryLockFolder is LockFolder without waiting: the error wraps ErrLocked if the folder is
// locked.
func TryLockFolder(dir string) (*Lock, error) {
	return lockFolder(dir, syscall.LOCK_EX|syscall.LOCK_NB)
}

func lockFolder(dir string, how int) (*Lock, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := flock(f, how); err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// Release releases the lock.
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

// lockedFile opens the file name, creates it if create is set, and locks it, or
// fails with ErrLocked. It checks that name still leads to the locked file, which
// the previous holder may have removed.
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
