//go:build !linux

package apart

import "syscall"

// namespace returns nil: there is none.
func namespace() *syscall.SysProcAttr { return nil }
