package sink

import (
	"bytes"
	"net"
	"regexp"
	"strings"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/netmodel"
)

// Whatever a client sends, a receiver ends the session without a panic, each reply is one of RFC 5321 4.2, and no more
// messages are counted than final dots came behind an envelope of the run. $0 to $9 stand for the envelope senders of
// the run.
func FuzzCommands(f *testing.F) {
	cfg := twoWorlds()
	network := netmodel.NewNetwork(cfg, rng.New(5, 0))
	const recipients = 24
	var verps []string
	for r := range mail.Recipient(10) {
		verps = append(verps, "$"+string(rune('0'+r)), (mail.Key{}).VERP(r, 0, "sender.example"))
	}
	spell := strings.NewReplacer(verps...)
	const message = "MAIL FROM:<$0>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nSubject: a test\r\n\r\n.\r\n"
	for _, text := range []string{
		"EHLO x\r\n" + message + "RSET\r\n" + strings.ReplaceAll(message, "$0", "$1") + "QUIT\r\n",
		"HELO x\r\n" + message + message, "EHLO x\r\nMAIL FROM:<$0> SIZE=9\r\nRCPT TO:<>\r\n",
		"MAIL FROM:<ann@b.example>\r\n", "EHLO x\r\nMAIL FROM:<$0>\r\nDATA\r\n",
		"EHLO x\r\nMAIL FROM:<$0>\r\nRCPT TO:<a@b.example>\r\nBDAT 6 LAST\r\nabcd\r\n",
		"DATA\r\n.\r\n", "\r\n\r\n\x00\r\n", "AUTH PLAIN AGEAYg==\r\n", "EHLO x\r\nSTARTTLS\r\n",
		"VRFY a\r\nNOOP\r\nEXPN a\r\nHELP\r\n", strings.Repeat("x", 70000) + "\r\n",
		"EHLO x\r\n" + strings.Replace(message, "Subject", "..\r\n.x\r\n.\r\r\nSubject", 1)} {
		for lane := range byte(8) {
			f.Add([]byte(text), lane)
		}
	}
	reply := regexp.MustCompile(`^(?:[2-5][0-9][0-9]-[^\n]*\r\n)*[2-5][0-9][0-9](?: [^\n]*)?\r\n`)
	f.Fuzz(func(t *testing.T, text []byte, lane byte) {
		s := newSink(Config{Network: network, Servers: len(cfg.Servers), Receivers: cfg.Destinations,
			Recipients: recipients, Scale: 1, MaxBytes: 1 << 16})
		s.clock = &stepped{}
		l := s.lanes[int(lane)%len(s.lanes)]
		at := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		l.Listener = at
		s.serve.Go(func() { s.receive(l) })
		said := spell.Replace(string(text))
		c := &recorded{in: strings.NewReader(said), over: make(chan struct{})}
		at.conns <- c
		<-c.over
		s.Close()
		rest := c.out.Bytes()
		for len(rest) > 0 {
			one := reply.Find(rest)
			if one == nil {
				t.Fatalf("%q is answered with %q, want replies", said, rest)
			}
			if bytes.HasPrefix(one, []byte("421 4.0.0 Internal server error")) { // a panic that the library caught
				t.Fatalf("%q is answered with %q", said, one)
			}
			rest = rest[len(one):]
		}
		account := s.Ledger.Account(make([]mail.Status, recipients), make([]uint16, recipients))
		dots := strings.Count(said, "\n.\r\n")
		if account.Accepted+account.Duplicates > dots || account.Accepted > 0 && !bytes.ContainsRune(text, '$') {
			t.Fatalf("%q counts as %d messages, want %d at most", said, account.Accepted, dots)
		}
	})
}

// recorded is the receiving end of a connection whose client says something, and hangs up.
type recorded struct {
	pipe
	in   *strings.Reader
	out  bytes.Buffer
	over chan struct{} // closed when the receiver has closed the connection
}

func (c *recorded) Read(b []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.in.Read(b)
}

func (c *recorded) Write(b []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.out.Write(b)
}

func (c *recorded) Close() error {
	if !c.closed {
		c.closed = true
		close(c.over)
	}
	return nil
}
