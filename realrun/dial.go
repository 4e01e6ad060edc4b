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

// ErrRefused is the error of a live run that would connect to an address off
// loopback, or use a mail domain that is not reserved.
var ErrRefused = errors.New("refused for safety: a live run dials loopback only and mails reserved domains only")

// dialLoopback connects to addr. No other function dials. It checks the final
// address, after all names have been resolved, at every dial.
func dialLoopback(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, final string, _ syscall.RawConn) error { return CheckLoopback(final) }}
	return d.DialContext(ctx, "tcp", addr)
}

// CheckLoopback returns an error that wraps ErrRefused unless addr is an address
// of this machine's loopback interface. The host must be an IP address: a name,
// even localhost, may resolve to any address. The error does not wrap ErrRefused
// if addr is not of the form IP:PORT.
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
		return fmt.Errorf("%w: got the name %q, %s: names are not resolved, since they may lead anywhere", ErrRefused,
			host, want)
	case !ip.IsLoopback():
		return fmt.Errorf("%w: got %s, want an address in 127.0.0.0/8, or ::1", ErrRefused, addr)
	}
	return nil
}

// Probe returns an error unless a receiver listens at addr.
func Probe(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := dialLoopback(ctx, addr)
	if err != nil {
		return fmt.Errorf("nothing listens at %s: %w", addr, err)
	}
	return conn.Close()
}
