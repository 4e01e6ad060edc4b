//go:build !linux

package path

import (
	"net"
	"syscall"
	"time"
)

// possible reports whether this system can measure.
const possible = false

// Limit returns nil: connections have the system's own limit.
func Limit(int) func(network, address string, c syscall.RawConn) error { return nil }

func lift(net.Conn) error { return nil }

// TripOf reports that the time of a round trip is not known.
func TripOf(syscall.RawConn) (time.Duration, bool) { return 0, false }

func roundTrip(net.Conn) (time.Duration, bool) { return 0, false }
