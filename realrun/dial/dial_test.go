package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/internal/apart"
)

// Without an allowlist a live run dials this machine's loopback interface by number, and nothing else.
func TestOnlyLoopbackIsDialled(t *testing.T) {
	for addr, refused := range map[string]bool{
		"127.0.0.1:2525": false, "127.9.8.7:25": false, "[::1]:2525": false, "[::ffff:127.0.0.1]:25": false,
		"localhost:2525": true, "mail.example.com:25": true, "10.0.0.1:25": true, "192.168.1.1:25": true,
		"172.16.0.1:25": true, "[::ffff:8.8.8.8]:25": true, "[::127.0.0.1]:25": true,
		"0.0.0.0:25": true, "[::]:25": true, "[fe80::1]:25": true, "[fd00::1]:25": true, "169.254.1.1:25": true,
		"[::1%lo]:25": true, "[fe80::1%lo]:25": true, "224.0.0.1:25": true, "[ff02::1]:25": true,
		"255.255.255.255:25": true, "[64:ff9b::127.0.0.1]:25": true, "[2002:7f00:1::]:25": true,
		"8.8.8.8:25": true, ":25": true, "0177.0.0.1:25": true, "127.1:25": true, "2130706433:25": true,
	} {
		if err := (*Allowlist)(nil).CheckAddress(addr); (err != nil) != refused ||
			refused && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want refused for safety: %v", addr, err, refused)
		}
	}
	for _, addr := range []string{"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:smtp", "::1:25",
		"127.0.0.1:+25", "127.0.0.1: 25"} {
		if err := (*Allowlist)(nil).CheckAddress(addr); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("%q: got %v, want that it is no address", addr, err)
		}
	}
}

// An allowlist adds the receivers and name servers that it names. An address that is not one receiver's own is refused
// even then.
func TestListedReceiversAreDialled(t *testing.T) {
	a := load(t, sample)
	for addr, want := range map[string]string{
		"192.0.2.25:25": "", "192.0.2.25:587": "", "[::ffff:192.0.2.25]:25": "", "[2001:db8:25::7]:25": "",
		"127.0.0.1:2525": "", "192.0.2.53:53": "", "[2001:db8::53]:5353": "",
		"192.0.2.25:26": "want an address and port that allow.toml allows", "192.0.2.24:25": "that allow.toml allows",
		"192.0.2.53:25": "that allow.toml allows", "[2001:db8:25::7]:587": "that allow.toml allows",
		"169.254.1.1:25": "which is on a link alone", "0.0.0.0:25": "which means this machine",
		"224.0.0.1:25": "a multicast address", "[2001:db8:25::7%lo]:25": "which is on the link lo alone",
		"mail.partner.org:25": "names are not resolved",
	} {
		err := a.CheckAddress(addr)
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrRefused) ||
			!strings.Contains(fmt.Sprint(err), want)) {
			t.Errorf("%s: got %v, want %q", addr, err, want)
		}
	}
}

// In a namespace that leads nowhere, a receiver that is listed is reached, one beside it gets nothing, and an address
// that is listed and is not there has no route.
func TestDialReachesListedReceiversAlone(t *testing.T) {
	if !apart.Run(t, "192.0.2.25/32", "192.0.2.26/32") {
		return
	}
	a := load(t, sample)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, v := range []struct {
		addr    string
		reached bool
	}{{"192.0.2.25:25", true}, {"192.0.2.26:25", false}, {"192.0.2.25:26", false}} {
		l, err := net.Listen("tcp", v.addr)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := a.Dial(ctx, "tcp", v.addr)
		if v.reached != (err == nil) || !v.reached && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want it reached: %v", v.addr, err, v.reached)
		}
		if err == nil {
			conn.Close()
		}
		mine, err := net.Dial("tcp", v.addr) // the first connection unless there was one before
		if err != nil {
			t.Fatal(err)
		}
		if conn, err := l.Accept(); err != nil ||
			(conn.RemoteAddr().String() != mine.LocalAddr().String()) != v.reached {
			t.Errorf("%s: %v, want the receiver dialled: %v", v.addr, err, v.reached)
		}
		l.Close()
	}
	if _, err := a.Dial(ctx, "tcp", "198.51.100.7:25"); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("a listed address without a route: %v", err)
	}
	if _, err := (*Allowlist)(nil).Dial(ctx, "tcp", "192.0.2.25:25"); !errors.Is(err, ErrRefused) {
		t.Errorf("without an allowlist: %v", err)
	}
}
