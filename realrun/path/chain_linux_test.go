package path

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
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
	pids := chain(t, routers)
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, routers + 1, 2}), 25)
	listener := listenIn(t, pids[routers], at.String())
	defer listener.Close()
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

// chain makes routers between this network and a receiver's, and returns the process
// that keeps the network of each router and of the receiver.
func chain(t *testing.T, routers int) (pids []int) {
	t.Helper()
	for range routers + 1 {
		keeper := exec.Command("sleep", "600")
		keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		if err := keeper.Start(); err != nil {
			t.Skipf("not permitted: %v", err)
		}
		t.Cleanup(func() { keeper.Process.Kill(); keeper.Wait() })
		pids = append(pids, keeper.Process.Pid)
	}
	inside := func(i int) string { // of network i: 0 is this one
		if i == 0 {
			return ""
		}
		return fmt.Sprintf("nsenter -t %d -n ", pids[i-1])
	}
	var set strings.Builder
	for i := 1; i <= routers+1; i++ {
		near, far := inside(i-1), inside(i)
		fmt.Fprintf(&set, "ip link add a%d type veth peer name b%[1]d\nip link set b%[1]d netns %[2]d\n", i, pids[i-1])
		if i > 1 {
			fmt.Fprintf(&set, "ip link set a%d netns %d\n", i, pids[i-2])
		}
		fmt.Fprintf(&set, "%sip addr add 10.9.%d.1/24 dev a%[2]d\n%[1]sip link set a%[2]d up\n", near, i)
		fmt.Fprintf(&set, "%sip addr add 10.9.%d.2/24 dev b%[2]d\n%[1]sip link set b%[2]d up\n", far, i)
		fmt.Fprintf(&set, "%ssh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'\n", far)
		fmt.Fprintf(&set, "%ssh -c 'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit'\n", far)
		fmt.Fprintf(&set, "%sip route add default via 10.9.%d.1\n", far, i)
		if i <= routers {
			fmt.Fprintf(&set, "%sip route add 10.9.%d.0/24 via 10.9.%d.2\n", near, routers+1, i)
		}
	}
	if out, err := exec.Command("sh", "-exc", set.String()).CombinedOutput(); err != nil {
		t.Skipf("not permitted: %v: %s", err, out)
	}
	return pids
}

// listenIn returns a listener in the network of a process.
func listenIn(t *testing.T, pid int, addr string) net.Listener {
	t.Helper()
	type opened struct {
		listener net.Listener
		err      error
	}
	done := make(chan opened)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			file.Close()
		}
		var l net.Listener
		if err == nil {
			l, err = net.Listen("tcp", addr)
		}
		done <- opened{l, err}
	}()
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	return got.listener
}
