package path

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// possible reports whether this system can measure.
const possible = true

// ownLimit is the limit of packets that carry mail (RFC 1700).
const ownLimit = 64

// Limit returns a function for net.Dialer.Control that lets each packet of a connection
// be sent a number of times, by the sender and by each router; nil for 0, which leaves the
// system's own.
func Limit(times int) func(network, address string, c syscall.RawConn) error {
	if times == 0 {
		return nil
	}
	return func(network, _ string, c syscall.RawConn) error { return set(c, network == "tcp6", times) }
}

// lift gives a connection the limit that mail needs.
func lift(conn net.Conn) error {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	c, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	at, _ := conn.RemoteAddr().(*net.TCPAddr)
	return set(c, at != nil && at.IP.To4() == nil, ownLimit)
}

func set(c syscall.RawConn, six bool, times int) (err error) {
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if six {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, times) })
	if failed != nil {
		return failed
	}
	return err
}

// roundTrip returns the time of the round trip that a connection began with.
func roundTrip(conn net.Conn) (time.Duration, bool) {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	c, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	return TripOf(c)
}

// TripOf returns the time of a round trip of a connection, smoothed by the kernel, if it tells.
func TripOf(c syscall.RawConn) (time.Duration, bool) {
	if c == nil {
		return 0, false
	}
	var info *unix.TCPInfo
	var err error
	failed := c.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if failed != nil || err != nil {
		return 0, false
	}
	return time.Duration(info.Rtt) * time.Microsecond, true
}
