package main

import (
	"bufio"
	"runtime"
	"strings"
	"syscall"
	"time"

	"flyball/internal/input"
	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// host says what the run cost on this machine.
func host(wall time.Duration) runlog.Host {
	h := runlog.Host{Wall: vt.Span(wall), Go: runtime.Version(), CPU: runtime.GOARCH}
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		h.MaxRSS = usage.Maxrss * 1024 // Linux counts in KiB
	}
	f, err := input.Open("/proc/cpuinfo", input.Proc)
	if err != nil {
		return h
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
			h.CPU = strings.Trim(name, " \t:") + ", " + runtime.GOARCH
			break
		}
	}
	return h
}
