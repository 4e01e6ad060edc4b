package realrun

import (
	"bytes"
	"errors"
	"testing"

	"flyball/internal/vt"
)

// A live run dials this machine's loopback interface by number, and nothing else.
func TestOnlyLoopbackIsDialled(t *testing.T) {
	for addr, refused := range map[string]bool{
		"127.0.0.1:2525": false, "127.9.8.7:25": false, "[::1]:2525": false, "[::ffff:127.0.0.1]:25": false,
		"localhost:2525": true, "mail.example.com:25": true, "10.0.0.1:25": true, "192.168.1.1:25": true,
		"172.16.0.1:25": true,
		"0.0.0.0:25":    true, "[::]:25": true, "[fe80::1]:25": true, "[fd00::1]:25": true, "169.254.1.1:25": true,
		"8.8.8.8:25": true, ":25": true,
	} {
		if err := CheckLoopback(addr); (err != nil) != refused || refused && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want refused for safety: %v", addr, err, refused)
		}
	}
	for _, addr := range []string{"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:smtp", "::1:25"} {
		if err := CheckLoopback(addr); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("%q: got %v, want that it is no address", addr, err)
		}
	}
}

// A load is read back from the journal to the last bit.
func TestJournalKeepsEveryDigit(t *testing.T) {
	var b bytes.Buffer
	j := NewJournal(&b)
	j.loaded(vt.Time(7), 1, 0.1234567890123456)
	if err := j.Close(); err != nil || b.String() != "l 7 1 0.1234567890123456\n" {
		t.Errorf("%v, %q", err, b.String())
	}
}
