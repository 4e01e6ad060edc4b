// Package testport finds free ports for tests whose servers take an address before they listen. Tests alone import it.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports from first to below end, where Linux and others begin to give ports to connections and to those who ask for
// any: none of these takes a port between the test's look and its server's start.
const (
	first = 20_000
	end   = 32_768
)

// given has the addresses that Free has returned.
var given sync.Map

// Free returns an address on loopback at which nothing listens, as 127.0.0.1:PORT, and never the same one twice.
func Free(t testing.TB) string {
	t.Helper()
	for range 1000 {
		at := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(end-first))
		if _, is := given.LoadOrStore(at, true); is {
			continue
		}
		if l, err := net.Listen("tcp", at); err == nil {
			l.Close()
			return at
		}
	}
	t.Fatal("no port is free")
	return ""
}
