// Package points names the places in a live process at which a test ends it: each lies between two steps of which
// a later process must find the first one done, or both.
package points

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Reached is called at each point with its name. It has no effect unless a test sets it, before the process begins.
var Reached = func(name string) {}

// Kill has the process end by SIGKILL at a place, which is NAME:NUMBER: when it reaches the point of this name for the
// time of this number. Tests alone call it.
func Kill(place string) {
	point, number, _ := strings.Cut(place, ":")
	left, err := strconv.Atoi(number)
	if err != nil || left < 1 {
		panic("points: got place " + strconv.Quote(place) + ", want NAME:NUMBER")
	}
	var lock sync.Mutex
	Reached = func(name string) {
		lock.Lock()
		defer lock.Unlock()
		if name != point {
			return
		}
		if left--; left == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}
