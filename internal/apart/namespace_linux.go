package apart

import (
	"os"
	"syscall"
)

// namespace asks for a user and a network namespace.
func namespace() *syscall.SysProcAttr {
	own := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	}
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, UidMappings: own(os.Getuid()),
		GidMappings: own(os.Getgid())}
}
