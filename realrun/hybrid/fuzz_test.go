package hybrid

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// pipes is a listener whose connections are in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// talk says something over a new connection and returns what comes back.
func talk(l pipes, said ...[]byte) []byte {
	client, server := net.Pipe()
	l <- server
	client.SetDeadline(time.Now().Add(5 * time.Second))
	go func() {
		for _, s := range said {
			client.Write(s)
		}
	}()
	var heard bytes.Buffer
	heard.ReadFrom(client)
	client.Close()
	return heard.Bytes()
}

// Whatever a client says, the server behind hears whole messages, whose lines end with CRLF alone.
func FuzzSession(f *testing.F) {
	behind := play(f, fine)
	s, err := New(config(behind.at))
	if err != nil {
		f.Fatal(err)
	}
	l := make(pipes)
	go s.Serve(context.Background(), nil, l)
	for _, text := range []string{"\n.\n", "\r.\r", "\r\n.\n", "\x00\r\n..\r\n"} {
		f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b.example> SIZE=9\r\nRCPT TO:<" + to(7) + ">\r\nDATA\r\na" + text +
			"MAIL FROM:<>\r\n.\r\nQUIT\r\n"))
	}
	f.Add([]byte("HELO a>b\r\nMAIL FROM:<\"a>\"@b.example>\r\nRCPT TO:<bounce+1@sender.example>\r\nBDAT 3 LAST\r\n" +
		"\n.\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		talk(l, said, []byte("\r\n.\r\nQUIT\r\n"))
		behind.lock.Lock()
		text := behind.heard.String()
		behind.heard.Reset()
		n := behind.told
		behind.told = 0
		behind.lock.Unlock()
		if strings.ContainsAny(strings.ReplaceAll(text, "\r\n", ""), "\r\n") || strings.Count(text, "\r\n.\r\n") != n {
			t.Errorf("%q: the server behind heard %d messages, %q", said, n, text)
		}
	})
}

// Whatever a client says, a server behind hears of the three paths alone.
func FuzzRequest(f *testing.F) {
	behind := answer(f, good)
	cfg := config(nothing(f))
	cfg.Response, cfg.Requests = []netip.AddrPort{behind.at}, []netip.AddrPort{behind.at}
	s, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	l := make(pipes)
	go s.Serve(context.Background(), l, nil)
	for _, text := range []string{"GET /c/x HTTP/1.1\r\nHost: x\r\n\r\n", "GET /c/%2e%2e/x HTTP/1.0\r\n\r\n",
		"POST /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /u/;a?b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		talk(l, said, []byte("\r\n\r\nGET / HTTP/1.0\r\n\r\n"))
		behind.lock.Lock()
		defer behind.lock.Unlock()
		for _, heard := range behind.heard {
			_, path, _ := strings.Cut(heard, " ")
			if !strings.HasPrefix(path, "/o/") && !strings.HasPrefix(path, "/c/") && !strings.HasPrefix(path, "/u/") ||
				strings.Contains(path, "/../") {
				t.Errorf("%q: a server behind heard %q", said, heard)
			}
		}
		behind.heard = nil
	})
}
