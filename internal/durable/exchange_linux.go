package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// exchange gives two names what the other one leads to, in one step where the
// file system can.
func exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP),
		errors.Is(err, unix.EXDEV):
		return exchangeByRenames(a, b)
	}
	return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
}
