package realrun_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"flyball/internal/peers"
)

// Where descriptors run out there are fewer connections, and the run goes on: no recipient is charged.
func TestFewDescriptors(t *testing.T) {
	addr := startSink(t, peers.Find(t, "/usr/sbin/smtp-sink", "Debian's postfix"), nil)
	message := []byte("Subject: x\r\n\r\nhello\r\n")
	sendTo(t, addr, message, 20, 200, false) // what the runtime opens is open then
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("this computer does not list descriptors: %v", err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, d := range open {
		used[d.Name()] = true
	}
	few := was
	few.Cur = 0
	for free := 0; free < 3; few.Cur++ { // the descriptor of the listing is free: two or three for twenty processes
		if !used[fmt.Sprint(few.Cur)] {
			free++
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	sendTo(t, addr, message, 20, 200, false)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
}
