package realrun

import (
	"context"
	"errors"
	"fmt"
	"net"
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
// interface. The host must be an IP address.
func CheckLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%w: got %s, want 127.0.0.0/8 or ::1", ErrRefused, addr)
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
