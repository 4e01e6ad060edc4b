package apart

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Behind makes routers between this network and one more, and returns a listener at port 25 there, which is closed when
// the test ends. Call it in a run that Run has started. It skips the test where it may not.
func Behind(t *testing.T, routers int) net.Listener {
	t.Helper()
	// A keeper dies with the thread that started it, which must not be the one that ends in listenIn
	// (go.dev/issue/27505).
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	var pids []int // of the processes that keep the networks of the routers and of the listener
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
	l, err := listenIn(pids[routers], fmt.Sprintf("10.9.%d.2:25", routers+1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// listenIn returns a listener in the network of a process.
func listenIn(pid int, addr string) (l net.Listener, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
		var network int
		if network, err = unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer unix.Close(network)
		if err = unix.Setns(network, unix.CLONE_NEWNET); err == nil {
			l, err = net.Listen("tcp", addr)
		}
	}()
	<-done
	return l, err
}
