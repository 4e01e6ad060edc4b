package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/internal/longtest"
	"flyball/internal/testca"
)

func start(t *testing.T, c ServerConfig) *Server {
	t.Helper()
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func dial(t *testing.T, c Config, within *Server) *Conn {
	t.Helper()
	conn, err := Dial(t.Context(), c, within)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// A broker within the process needs no port, and a question that no process takes is answered at once.
func TestWithinTheProcess(t *testing.T) {
	s := start(t, ServerConfig{})
	if s.URL() != "" {
		t.Errorf("got %s, want no port", s.URL())
	}
	a, b := dial(t, Config{Name: "a"}, s), dial(t, Config{Name: "b"}, s)
	if _, err := a.Ask(t.Context(), "echo.x", []byte("1")); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("got %v, want no answer", err)
	}
	echo := func(subject string, q []byte) []byte { return []byte(subject + string(q)) }
	if err := b.Answer("echo.*", echo); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Ask(t.Context(), "echo.x", []byte("1")); err != nil || string(got) != "echo.x1" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := a.Ask(t.Context(), "echo.x", make([]byte, MostPayload+1)); !errors.Is(err, ErrRefused) {
		t.Errorf("a message that is too large: got %v", err)
	}
}

// A broker that is lost just when it is asked for messages is waited for, and gives them when it is there again.
func TestBrokerIsLostDuringASubscription(t *testing.T) {
	s := start(t, ServerConfig{Listen: "127.0.0.1:0", Token: "secret"})
	_, to, _ := strings.Cut(s.URL(), "@")
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { at.Close() })
	go func() { // ends the first connection at its first subscription
		for first := true; ; first = false {
			in, err := at.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			go func() {
				io.Copy(in, out)
				in.Close()
			}()
			go func() {
				defer out.Close()
				b := make([]byte, 1<<16)
				for {
					n, err := in.Read(b)
					if err != nil || first && bytes.Contains(b[:n], []byte("SUB ")) {
						in.Close()
						return
					}
					out.Write(b[:n])
				}
			}()
		}
	}()
	far := dial(t, Config{Name: "far", URL: strings.Replace(s.URL(), to, at.Addr().String(), 1)}, nil)
	came := make(chan string, 1)
	if err := far.Listen("x", func(_ string, m []byte) { came <- string(m) }); err != nil {
		t.Fatal(err)
	}
	if err := dial(t, Config{Name: "near", URL: s.URL()}, nil).Tell("x", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-came:
		if got != "hello" {
			t.Errorf("got %q", got)
		}
	case <-time.After(time.Minute):
		t.Error("nothing comes by the broker that is there again")
	}
}

// The store of a broker belongs to one broker, and what it writes is synced.
func TestStoreIsLocked(t *testing.T) {
	dir := t.TempDir()
	s := start(t, ServerConfig{Store: dir, MostStore: 1 << 20})
	if !s.server.JetStreamEnabled() || !s.server.JetStreamConfig().SyncAlways {
		t.Error("no streams, or streams that are not synced")
	}
	if _, err := Start(ServerConfig{Store: dir}); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(),
		"locked") {
		t.Errorf("a second broker: got %v", err)
	}
}

// What is missing is said at once, by its name.
func TestWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	good := newKey(t, dir, "good")
	newKey(t, dir, "wrong")
	ca, expired := testca.New(t, dir, "ca"), time.Now().Add(-time.Hour)
	ca.Issue(t, "server", time.Now().Add(time.Hour))
	ca.Issue(t, "client", time.Now().Add(time.Hour))
	ca.Issue(t, "old", expired)
	testca.New(t, dir, "other").Issue(t, "stranger", time.Now().Add(time.Hour))
	in := func(name string) string { return filepath.Join(dir, name) }

	token := start(t, ServerConfig{Listen: "127.0.0.1:0", Token: "secret"})
	keyed := start(t, ServerConfig{Listen: "127.0.0.1:0", CA: in("ca.crt"), Cert: in("server.crt"),
		Key: in("server.key"), Users: []User{{NKey: good, Rights: Rights{
			Publish: []string{"ok.>"}, Subscribe: []string{"_INBOX.a.>", "ok.>"}}}}})
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	full := Config{Name: "a", URL: keyed.URL(), CA: in("ca.crt"), Cert: in("client.crt"), Key: in("client.key"),
		NKey: in("good.nk")}
	with := func(change func(*Config)) Config { c := full; change(&c); return c }
	dial(t, full, nil)

	for what, c := range map[string]struct {
		config Config
		kind   error
		want   string
	}{
		"no broker": {Config{Name: "a", URL: "nats://" + free.Addr().String()}, ErrUnreachable,
			"nothing listens there"},
		"no token": {Config{Name: "a", URL: "nats://" + token.server.Addr().String()}, ErrRefused,
			"does not know this key or token"},
		"wrong token": {Config{Name: "a", URL: "nats://other@" + token.server.Addr().String()}, ErrRefused,
			"does not know this key or token"},
		"wrong key": {with(func(c *Config) { c.NKey = in("wrong.nk") }), ErrRefused,
			"does not know the key in " + in("wrong.nk")},
		"no key": {with(func(c *Config) { c.NKey = "" }), ErrRefused,
			"does not know this key or token"},
		"a key that is no": {with(func(c *Config) { c.NKey = in("client.key") }), ErrRefused, "got no seed"},
		"no such key":      {with(func(c *Config) { c.NKey = in("none.nk") }), ErrUnreachable, "none.nk"},
		"no certificate": {with(func(c *Config) { c.Cert, c.Key = "", "" }), ErrRefused,
			"refuses this end without a certificate"},
		"another's": {with(func(c *Config) { c.Cert, c.Key = in("stranger.crt"), in("stranger.key") }), ErrRefused,
			"refuses the certificate in " + in("stranger.crt")},
		"expired": {with(func(c *Config) { c.Cert, c.Key = in("old.crt"), in("old.key") }), ErrRefused,
			"expired on " + expired.Format(time.DateOnly)},
		"another broker": {with(func(c *Config) { c.CA = in("other.crt") }), ErrRefused,
			"the broker's certificate, by the authorities in " + in("other.crt")},
		"no TLS": {with(func(c *Config) {
			c.URL = strings.Replace(c.URL, "tls:", "nats:", 1)
			c.CA, c.Cert, c.Key = "", "", ""
		}), ErrRefused, "certificate"},
		"outside, plain": {Config{Name: "a", URL: "nats://192.0.2.1:4222"}, ErrRefused, "want tls://192.0.2.1:4222"},
		"outside, unknown": {Config{Name: "a", URL: "tls://192.0.2.1:4222"}, ErrRefused,
			"both ends must show who they are"},
		"no URL":  {Config{Name: "a", URL: "http://127.0.0.1"}, ErrRefused, "want nats://HOST:PORT"},
		"no name": {Config{Name: "a.b", URL: "nats://127.0.0.1:1"}, ErrRefused, "letters, digits"},
		"no answer": {Config{Name: "a", URL: "nats://" + silent.Addr().String()}, ErrUnreachable,
			"no answer within"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if what == "no answer" && !longtest.Asked() {
				t.Skip("waits for seconds")
			}
			_, err := Dial(context.Background(), c.config, nil)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %v with %q", err, c.kind, c.want)
			}
			if text := fmt.Sprint(err); strings.Contains(text, "secret") || strings.Contains(text, "other@") {
				t.Errorf("the error has the token: %v", err)
			}
		})
	}
}

// A broker does not start with a certificate that has expired, and an authority, certificate and key must belong
// together.
func TestBrokersWithWrongCertificates(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ca, expired := testca.New(t, dir, "ca"), time.Now().Add(-time.Hour)
	ca.Issue(t, "old", expired)
	ca.Issue(t, "good", time.Now().Add(time.Hour))
	for want, c := range map[string]ServerConfig{
		"expired on " + expired.Format(time.DateOnly): {CA: in("ca.crt"), Cert: in("old.crt"), Key: in("old.key")},
		"old.key":                 {CA: in("ca.crt"), Cert: in("good.crt"), Key: in("old.key")},
		"got no certificate in P": {CA: in("good.key"), Cert: in("good.crt"), Key: in("good.key")},
	} {
		c.Listen, c.Token = "127.0.0.1:0", "x"
		if s, err := Start(c); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
			if err == nil {
				s.Close()
			}
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A steady connection looks for its broker for ever, but one whose key the broker does not know any more, or whose own
// certificate has expired meanwhile, ends with the reason.
func TestSteadyConnectionsEnd(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ca := testca.New(t, dir, "ca")
	ca.Issue(t, "broker", time.Now().Add(time.Hour))
	key, other := newKey(t, dir, "a"), newKey(t, dir, "b")
	for want, test := range map[string]struct {
		valid time.Duration // the certificate of the role
		known string        // by the second broker
	}{
		"does not know the key in ": {time.Hour, other},
		".crt expired on 2":         {2 * time.Second, key},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			name := "role" + test.known
			ca.Issue(t, name, time.Now().Add(test.valid))
			c := ServerConfig{Listen: "127.0.0.1:0", CA: in("ca.crt"), Cert: in("broker.crt"), Key: in("broker.key"),
				Users: []User{{NKey: key}}}
			first := start(t, c)
			notes := make(chan string, 1000)
			conn := dial(t, Config{Name: "a", URL: first.URL(), CA: in("ca.crt"), Cert: in(name + ".crt"),
				Key: in(name + ".key"), NKey: in("a.nk"), Steady: true, Note: func(s string) { notes <- s }}, nil)
			if c.Listen = first.server.Addr().String(); test.valid < time.Hour {
				time.Sleep(test.valid + time.Second) // certificates count whole seconds
			}
			first.Close()
			if text := <-notes; !strings.Contains(text, "lost the broker") {
				t.Errorf("got %s", text)
			}
			c.Users = []User{{NKey: test.known}}
			start(t, c)
			select {
			case <-conn.Context().Done():
			case <-time.After(time.Minute):
			}
			err := context.Cause(conn.Context())
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// A right that is missing ends the connection with its name, and no question hangs.
func TestRightsThatAreMissing(t *testing.T) {
	dir := t.TempDir()
	key := newKey(t, dir, "a")
	s := start(t, ServerConfig{Listen: "127.0.0.1:0", Users: []User{{NKey: key, Rights: Rights{
		Publish: []string{"ok.>"}, Subscribe: []string{"_INBOX.a.>", "ok.>"}}}}})
	c := Config{Name: "a", URL: s.URL(), NKey: filepath.Join(dir, "a.nk")}
	hang, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for what, try := range map[string]func(*Conn) error{
		`Publish to "bad.x"`: func(c *Conn) error {
			_, err := c.Ask(hang, "bad.x", nil)
			return err
		},
		`Publish to "bad.y"`: func(c *Conn) error {
			if err := c.Tell("bad.y", nil); err != nil {
				return err
			}
			select {
			case <-c.Context().Done():
				return context.Cause(c.Context())
			case <-hang.Done():
				return hang.Err()
			}
		},
		`Subscription to "bad.z"`: func(c *Conn) error { return c.Answer("bad.z", nil) },
		`Subscription to "ok.*.z"`: func(c *Conn) error {
			if err := c.Answer("ok.*.z", nil); err != nil {
				return err
			}
			return refused(nil, `allowed: Subscription to "ok.*.z"`)
		},
	} {
		conn := dial(t, c, nil)
		if err := try(conn); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want the missing right for %s", err, what)
		}
	}
	other := c
	other.Name = "b" // another's inbox
	if err := dial(t, other, nil).Answer("_INBOX.c.>", nil); !errors.Is(err, ErrRefused) {
		t.Errorf("another's inbox: got %v", err)
	}
}

// A broker that is not on loopback, or takes anybody, is not started.
func TestUnsafeBrokers(t *testing.T) {
	for what, c := range map[string]ServerConfig{
		"outside of loopback, without certificates": {Listen: "0.0.0.0:0", Token: "x"},
		"without a token or keys":                   {Listen: "127.0.0.1:0"},
		"want IP:PORT":                              {Listen: "4222", Token: "x"},
	} {
		if s, err := Start(c); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), what) {
			if err == nil {
				s.Close()
			}
			t.Errorf("got %v, want %q", err, what)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := Start(ServerConfig{Listen: taken.Addr().String(), Token: "x"}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a port that is taken: got %v", err)
	}
}

// newKey writes the seed of a new nkey and returns its public half.
func newKey(t *testing.T, dir, name string) string {
	t.Helper()
	seed, public := NewKey()
	write(t, filepath.Join(dir, name+".nk"), []byte(seed))
	return public
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
