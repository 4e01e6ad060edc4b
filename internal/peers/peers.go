// Package peers finds programs of other projects for tests, and waits for those that serve. Tests alone import it.
package peers

import (
	"net"
	"os"
	"testing"
	"time"

	"flyball/realrun/dial"
)

// Need skips the test for a reason. Where programs of other projects are required, as in CI, the test fails.
func Need(t *testing.T, reason string, args ...any) {
	t.Helper()
	if os.Getenv("FLYBALL_REQUIRE_PEERS") == "1" {
		t.Fatalf("required: "+reason, args...)
	}
	t.Skipf(reason, args...)
}

// Find returns the path of a program, or skips the test if it is missing; see Need. It comes with from.
func Find(t *testing.T, path, from string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		Need(t, "%s is not here: install %s to run this test", path, from)
	}
	return path
}

// Free returns a HOST:PORT on loopback at which nothing listens.
func Free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

// Listens waits for a program to listen at addr, and reports false if it does not within a minute.
func Listens(addr string) bool {
	for range 3000 {
		if (*dial.Allowlist)(nil).Probe(addr) == nil {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}
