package path

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"flyball/internal/apart"
)

// Behind three real routers the distance is three, a connection keeps no limit that its
// mail would need, and the receiver sees each connection once.
func TestHopsOfRouters(t *testing.T) {
	const routers = 3
	if !apart.Run(t) {
		return
	}
	listener := apart.Behind(t, routers)
	at := listener.Addr().(*net.TCPAddr).AddrPort()
	var sessions atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			sessions.Add(1)
			fmt.Fprint(conn, "220 receiver\r\n")
		}
	}()
	m := NewMeter()
	got := 0
	for n := range 6 {
		conn, hops, err := m.Dial(t.Context(), at.Addr(), func(ctx context.Context, limit int) (net.Conn, error) {
			d := net.Dialer{Control: Limit(limit)}
			return d.DialContext(ctx, "tcp", at.String())
		})
		if err != nil {
			t.Fatalf("connection %d: %v", n, err)
		}
		greeting := make([]byte, 4)
		if _, err := conn.Read(greeting); err != nil || string(greeting) != "220 " {
			t.Errorf("connection %d: got %q, %v", n, greeting, err)
		}
		raw, _ := conn.(*net.TCPConn).SyscallConn()
		raw.Control(func(fd uintptr) {
			limit, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL)
			if err != nil || limit != ownLimit {
				t.Errorf("connection %d: packets have the limit %d, %v, want %d", n, limit, err, ownLimit)
			}
		})
		conn.Close()
		got = hops
	}
	if got != routers {
		t.Errorf("got %d hops, want %d", got, routers)
	}
	if n := sessions.Load(); n != 6 {
		t.Errorf("the receiver sees %d connections, want 6", n)
	}
	if trips := m.Trips(); trips.Count() != 6 || trips.Quantile(1) <= 0 {
		t.Errorf("%d round trips of at most %s, want 6", trips.Count(), trips.Quantile(1))
	}
}
