package mail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"flyball/internal/longtest"
)

var testTicket = Ticket{Purpose: 'c', Job: 7, Rcpt: 40000, Number: 3}

func jobSeven(job uint32) (Key, bool) { return testKey, job == 7 }

// A ticket's token is its purpose and, in base32, its three numbers and their HMAC, as the standard library has it.
func TestTickets(t *testing.T) {
	numbers := []byte{0, 0, 0, 7, 0, 0, 0x9c, 0x40, 0, 0, 0, 3}
	h := hmac.New(sha256.New, testKey[:])
	h.Write(append([]byte("ticket c"), numbers...))
	want := "c" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(
		append(numbers, h.Sum(nil)[:10]...)))
	got := string(testKey.AppendTicket(nil, testTicket))
	if got != want || len(got) != TicketSize || TicketSize != 37 {
		t.Errorf("got %s, want %s, of 37 characters", got, want)
	}
	for _, v := range []Ticket{testTicket, {Purpose: 'o', Job: 7}, {'u', 7, math.MaxUint32, math.MaxUint32}} {
		if got, ok := ParseTicket(string(testKey.AppendTicket(nil, v)), jobSeven); !ok || got != v {
			t.Errorf("got %v, %v, want %v", got, ok, v)
		}
	}
	room := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { testKey.AppendTicket(room, testTicket) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// Nothing but what AppendTicket wrote is taken: no other key, job or purpose, and not the same bits in other letters.
func TestForgedTickets(t *testing.T) {
	good := string(testKey.AppendTicket(nil, testTicket))
	other := Ticket{Purpose: 'c', Job: 8, Rcpt: 40000, Number: 3}
	forged := []string{"", good[1:], good + "a", good[:36], strings.ToUpper(good), " " + good[1:], "o" + good[1:],
		string((&Key{}).AppendTicket(nil, testTicket)), string(testKey.AppendTicket(nil, other)),
		strings.Repeat("=", TicketSize), strings.Repeat("a", TicketSize), "c" + strings.Repeat("\n", TicketSize-1)}
	for i := range good { // the last character has 4 bits that mean nothing
		for _, c := range "abcdefghijklmnopqrstuvwxyz234567=" {
			if s := good[:i] + string(c) + good[i+1:]; s != good {
				forged = append(forged, s)
			}
		}
	}
	for _, s := range forged {
		if got, ok := ParseTicket(s, jobSeven); ok {
			t.Errorf("%q is taken, as %v", s, got)
		}
	}
	if _, ok := ParseTicket(good, jobSeven); !ok {
		t.Errorf("%q is refused", good)
	}
	if got, ok := ParseTicket(string((&Key{}).AppendTicket(nil, other)), jobSeven); ok {
		t.Errorf("the zero key opens %v, a job that is not known", got)
	}
}

// A token whose signature is guessed is never taken.
func TestGuessedTickets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := []byte(testKey.AppendTicket(nil, testTicket))
	for range longtest.Or(20_000, 1_000_000) {
		for i := range 16 {
			b[TicketSize-1-i] = "abcdefghijklmnopqrstuvwxyz234567"[r.IntN(32)]
		}
		if got, ok := ParseTicket(string(b), jobSeven); ok {
			t.Fatalf("%s is taken, as %v", b, got)
		}
	}
}

func FuzzParseTicket(f *testing.F) {
	f.Add(string(testKey.AppendTicket(nil, testTicket)))
	f.Add("caaaa")
	f.Fuzz(func(t *testing.T, s string) {
		if v, ok := ParseTicket(s, jobSeven); ok && string(testKey.AppendTicket(nil, v)) != s {
			t.Errorf("%q is taken, as %v, which is another token", s, v)
		}
	})
}

// The mark of a key is the beginning of an HMAC that no token has.
func TestMark(t *testing.T) {
	h := hmac.New(sha256.New, testKey[:])
	h.Write([]byte("mark"))
	if got, want := testKey.Mark(), binary.BigEndian.Uint32(h.Sum(nil)); got != want || got == (&Key{}).Mark() {
		t.Errorf("got %d, want %d, and another one of another key", got, want)
	}
}
