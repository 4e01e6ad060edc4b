package path

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// way is a way to a receiver for a dialer that takes it without a network.
type way struct {
	mu       sync.Mutex
	hops     int
	silent   bool  // its routers report nothing
	end      error // of what arrives; nil: a connection
	packets  int   // first packets
	sessions int   // that the receiver sees
}

func (w *way) dial(ctx context.Context, limit int) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets++
	if limit > 0 && limit <= w.hops {
		if w.silent {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("dial: %w", os.NewSyscallError("connect", syscall.EHOSTUNREACH))
	}
	w.sessions++
	if w.end != nil {
		return nil, w.end
	}
	here, _ := net.Pipe()
	return here, nil
}

var receiver = netip.MustParseAddr("192.0.2.25")

func meter(t *testing.T) *Meter {
	if !possible {
		t.Skip("this system cannot measure")
	}
	return NewMeter()
}

// Whatever the distance, it is known exactly after a few connections, each of which the
// receiver sees once and which costs no more than a few packets.
func TestHopsAreFound(t *testing.T) {
	for hops := 1; hops <= mostHops; hops++ {
		m, w := meter(t), way{hops: hops}
		needed := 0
		for n := 1; n <= 10; n++ {
			before := w.packets
			conn, got, err := m.Dial(t.Context(), receiver, w.dial)
			if err != nil || w.sessions != n {
				t.Fatalf("%d hops, connection %d: %v, the receiver sees %d", hops, n, err, w.sessions)
			}
			conn.Close()
			if got != 0 && got != hops {
				t.Errorf("%d hops: got %d", hops, got)
			}
			if got == 0 {
				needed = n
			}
			if cost := w.packets - before; cost > 6 || got != 0 && n > needed+1 && cost != 1 {
				t.Errorf("%d hops, connection %d, %d known: %d packets", hops, n, got, cost)
			}
		}
		if needed > 5 {
			t.Errorf("%d hops are unknown after %d connections", hops, needed)
		}
	}
}

// A way that changes is seen again after a number of connections.
func TestHopsAreFoundAgain(t *testing.T) {
	for _, hops := range []int{3, 20} {
		m, w := meter(t), way{hops: 12}
		got := 0
		for range again {
			_, got, _ = m.Dial(t.Context(), receiver, w.dial)
		}
		if got != 12 {
			t.Fatalf("got %d hops, want 12", got)
		}
		w.hops = hops
		for range 10 {
			_, got, _ = m.Dial(t.Context(), receiver, w.dial)
		}
		if got != hops {
			t.Errorf("got %d hops, want %d", got, hops)
		}
	}
}

// Where nothing can be learned, mail goes as if nothing were measured.
func TestHopsStayUnknown(t *testing.T) {
	refused := fmt.Errorf("dial: %w", os.NewSyscallError("connect", syscall.ECONNREFUSED))
	for _, c := range []struct {
		name    string
		way     *way
		to      string
		packets int // of 20 connections
		end     error
	}{
		{"routers keep silent", &way{hops: 20, silent: true}, "192.0.2.25", 20 + mostLate, nil},
		{"too far", &way{hops: 40}, "192.0.2.25", 20 + 6, nil},
		{"loopback", &way{hops: 1}, "127.0.0.1", 20, nil},
		{"loopback of IPv6", &way{hops: 1}, "::1", 20, nil},
		{"nothing listens", &way{hops: 20, end: refused}, "192.0.2.25", 0, syscall.ECONNREFUSED},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := meter(t)
			synctest.Test(t, func(t *testing.T) {
				for range 20 {
					_, got, err := m.Dial(t.Context(), netip.MustParseAddr(c.to), c.way.dial)
					if !errors.Is(err, c.end) || got != 0 && c.end == nil {
						t.Fatalf("got %d hops, %v", got, err)
					}
				}
			})
			if c.way.sessions != 20 || c.packets > 0 && c.way.packets != c.packets {
				t.Errorf("%d packets, %d sessions; want %d and 20", c.way.packets, c.way.sessions, c.packets)
			}
		})
	}
}

// A run that is stopped ends a connection that looks for hops, and has learned nothing.
func TestStoppedSearch(t *testing.T) {
	m, w := meter(t), way{hops: 20, silent: true}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := m.Dial(ctx, receiver, w.dial); !errors.Is(err, context.DeadlineExceeded) || w.packets != 1 {
			t.Errorf("got %v after %d packets", err, w.packets)
		}
	})
	w.silent = false
	for range 10 {
		m.Dial(t.Context(), receiver, w.dial)
	}
	if _, got, _ := m.Dial(t.Context(), receiver, w.dial); got != 20 {
		t.Errorf("got %d hops, want 20", got)
	}
}

// Connections at the same time agree, and only one of them searches.
func TestManySearch(t *testing.T) {
	m, w := meter(t), way{hops: 9}
	var dialling sync.WaitGroup
	for range 200 {
		dialling.Go(func() {
			if _, got, err := m.Dial(t.Context(), receiver, w.dial); err != nil || got != 0 && got != 9 {
				t.Errorf("got %d hops, %v", got, err)
			}
		})
	}
	dialling.Wait()
	if w.sessions != 200 {
		t.Errorf("the receiver sees %d of 200 connections", w.sessions)
	}
}

// No Meter measures nothing.
func TestNoMeter(t *testing.T) {
	w := way{hops: 9}
	if _, got, err := (*Meter)(nil).Dial(t.Context(), receiver, w.dial); got != 0 || err != nil || w.packets != 1 {
		t.Errorf("got %d hops, %v, %d packets", got, err, w.packets)
	}
}
