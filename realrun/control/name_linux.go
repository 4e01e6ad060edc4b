package control

import (
	"fmt"
	"os"
	"syscall"
)

// short returns a name of the socket in a folder that is short enough for the system, until it is released.
func short(dir string) (name string, release func(), err error) {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, socket), func() { syscall.Close(fd) }, nil
}
