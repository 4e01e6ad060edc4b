package peers

import (
	"os/exec"
	"syscall"
)

// Contain makes all processes that cmd will begin end with it, also those that leave its session. It takes root.
func Contain(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID} }
