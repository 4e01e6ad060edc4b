package realrun

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// ErrRefused says that a live run may not connect to an address, or not mail it.
var ErrRefused = errors.New("refused for safety: a live run dials loopback only and mails reserved domains only")

// dialLoopback is the only place that dials. The check stands on the final
// address, after every name has been resolved, at every dial.
func dialLoopback(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, final string, _ syscall.RawConn) error { return CheckLoopback(final) }}
	return d.DialContext(ctx, "tcp", addr)
}

// CheckLoopback refuses every address but those of this machine's loopback
// interface, with ErrRefused. The host must be an IP address and not a name: a name
// may lead anywhere, even localhost. Any other error is of what is no address at all.
func CheckLoopback(addr string) error {
	const want = "want IP:PORT, such as 127.0.0.1:2525 or [::1]:2525"
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("got %q, %s", addr, want)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("got port %q, %s", port, want)
	}
	ip := net.ParseIP(host)
	switch {
	case ip == nil:
		return fmt.Errorf("%w: got the name %q, %s: names are not looked up, since they may lead anywhere", ErrRefused,
			host, want)
	case !ip.IsLoopback():
		return fmt.Errorf("%w: got %s, want an address in 127.0.0.0/8, or ::1", ErrRefused, addr)
	}
	return nil
}

// Probe reports whether a receiver listens at an address.
func Probe(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := dialLoopback(ctx, addr)
	if err != nil {
		return fmt.Errorf("nothing listens at %s: %w", addr, err)
	}
	return conn.Close()
}
