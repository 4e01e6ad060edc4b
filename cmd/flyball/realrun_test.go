package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"
)

// stranger is a receiver that is not Flyball's. It takes all mail.
type stranger struct{ got atomic.Int32 }

func (s *stranger) NewSession(*smtp.Conn) (smtp.Session, error) { return s, nil }
func (s *stranger) Mail(string, *smtp.MailOptions) error        { return nil }
func (s *stranger) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (s *stranger) Reset()                                      {}
func (s *stranger) Logout() error                               { return nil }
func (s *stranger) Data(r io.Reader) error {
	s.got.Add(1)
	_, err := io.Copy(io.Discard, r)
	return err
}

// receive starts a stranger on loopback, and returns its address.
func receive(t *testing.T) (*stranger, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{}
	server := smtp.NewServer(s)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return s, l.Addr().String()
}

// The time of a receiver of others passes as fast as the clock unless the operator asks for another scale; the
// scenario rehearses at 100 times that.
func TestStrangersKeepTheirOwnTime(t *testing.T) {
	dir := t.TempDir()
	scenario := filepath.Join(dir, "live.toml")
	os.WriteFile(scenario, []byte(oneDestination), 0o644)
	for asked, want := range map[string]string{"": "1", "20": "20"} {
		got, at := receive(t)
		args := []string{"realrun", "-q", scenario, "--receiver", at, "--set", "campaign[0].recipients=3",
			"--out", filepath.Join(dir, "out"+asked)}
		if asked != "" {
			args = append(args, "--time-scale", asked)
		}
		code, out, errout := invoke(t, args...)
		if code != 0 || got.got.Load() != 3 || !strings.Contains(out, "at "+want+" times real time") ||
			!strings.Contains(out, "--time-scale "+want) {
			t.Errorf("--time-scale %q: exit code %d, %d messages, want %s times real time: %s%s", asked, code,
				got.got.Load(), want, out, errout)
		}
	}
}
