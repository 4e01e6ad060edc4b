package hybrid

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/mail"
	"flyball/realrun/inbound"
)

var testKey = mail.Key{1}

const report = "From: MAILER-DAEMON@there.example\r\nSubject: failure notice\r\n\r\n" +
	"<ann@there.example>:\r\n550 5.1.1 no such user\r\n"

func to(rcpt int) string { return testKey.VERP(mail.Recipient(rcpt), 0, "sender.example") }

// listen returns a listener on loopback with its address.
func listen(t testing.TB) (net.Listener, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort()
}

// nothing returns an address at which nothing listens.
func nothing(t testing.TB) netip.AddrPort {
	l, at := listen(t)
	l.Close()
	return at
}

// scripted is a server for returned mail that a test plays: it gives each command the reply of a function, and keeps
// what it is sent, to the byte.
type scripted struct {
	at    netip.AddrPort
	lock  sync.Mutex
	heard bytes.Buffer // of messages
	told  int          // number of messages
}

// play starts a scripted server. reply has MAIL, RCPT, DATA or "." with the reply, or is empty to close; "." is called
// when the message is here.
func play(t testing.TB, reply func(command string) string) *scripted {
	t.Helper()
	l, at := listen(t)
	s := &scripted{at: at}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.session(conn, reply)
		}
	}()
	return s
}

func (s *scripted) session(conn net.Conn, reply func(string) string) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(conn)
	io.WriteString(conn, "220 c.example\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		command := strings.ToUpper(line[:4])
		answer := "250 c.example"
		switch command {
		case "MAIL", "RCPT":
			answer = reply(command)
		case "DATA":
			if answer = reply(command); !strings.HasPrefix(answer, "354") {
				break
			}
			io.WriteString(conn, answer+"\r\n")
			var all []byte
			for !bytes.HasSuffix(all, []byte("\r\n.\r\n")) {
				b, err := in.ReadByte()
				if err != nil {
					return
				}
				all = append(all, b)
			}
			s.lock.Lock()
			s.heard.Write(all)
			s.told++
			s.lock.Unlock()
			answer = reply(".")
		case "QUIT":
			return
		}
		if answer == "" {
			return
		}
		io.WriteString(conn, answer+"\r\n")
	}
}

func (s *scripted) messages() (int, string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.told, s.heard.String()
}

// fine is the reply of a server that takes everything.
func fine(command string) string {
	if command == "DATA" {
		return "354 go on"
	}
	return "250 ok"
}

// at returns fine with another reply to a command.
func at(command, answer string) func(string) string {
	return func(c string) string {
		if c == command {
			return answer
		}
		return fine(c)
	}
}

// config is for mail to a bank.
func config(bank ...netip.AddrPort) Config {
	cfg := Default("hybrid.example")
	cfg.Timeout = time.Second
	cfg.Mail = []Route{{Domain: "sender.example", Prefix: "bounce+", Bank: bank}}
	return cfg
}

// served serves until the test ends and returns the addresses for mail and the web.
func served(t testing.TB, cfg Config) (post, web string) {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := listen(t)
	w, _ := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, w, p) }()
	t.Cleanup(func() { cancel(); <-done })
	return p.Addr().String(), w.Addr().String()
}

// send sends a message as another client does, and returns the code of the answer.
func send(t testing.TB, addr, to, message string) int {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.SendMail("", []string{to}, strings.NewReader(message))
	var refused *smtp.SMTPError
	switch {
	case err == nil:
		return 250
	case errors.As(err, &refused):
		return refused.Code
	}
	t.Fatal(err)
	return 0
}

// told keeps the events of a server.
type told struct {
	lock   sync.Mutex
	came   []string
	failed []netip.AddrPort
}

// tells has a configuration tell it.
func (k *told) tells(cfg *Config) {
	cfg.Tell = func(kind Kind, r Result) {
		k.lock.Lock()
		defer k.lock.Unlock()
		k.came = append(k.came, string(kind)+" "+string(r))
	}
	cfg.Failed = func(at netip.AddrPort) {
		k.lock.Lock()
		defer k.lock.Unlock()
		k.failed = append(k.failed, at)
	}
}

// wants compares the events.
func (k *told) wants(t *testing.T, name string, failed []netip.AddrPort, came ...string) {
	t.Helper()
	k.lock.Lock()
	defer k.lock.Unlock()
	if !slices.Equal(k.came, came) || !slices.Equal(k.failed, failed) {
		t.Errorf("%s: told %q and that %v failed, want %q and %v", name, k.came, k.failed, came, failed)
	}
}

// What a bank makes of a message is what its sender hears: 250 only where a server has said so, once.
func TestBanks(t *testing.T) {
	for _, v := range []struct {
		name  string
		bank  []func(string) string // nil: nothing listens there
		want  int
		taken []int // messages that each server heard
	}{
		{"one server", []func(string) string{fine}, 250, []int{1}},
		{"the first is dead", []func(string) string{nil, fine}, 250, []int{0, 1}},
		{"the first takes nothing now", []func(string) string{at("MAIL", "451 later"), fine}, 250, []int{0, 1}},
		{"the first refuses after the message", []func(string) string{at(".", "452 no room"), fine}, 250, []int{1, 1}},
		{"the first closes", []func(string) string{at("RCPT", ""), fine}, 250, []int{0, 1}},
		{"the first talks nonsense", []func(string) string{at("RCPT", "hello"), fine}, 250, []int{0, 1}},
		{"a refusal for good counts", []func(string) string{at("RCPT", "550 no"), fine}, 554, []int{0, 0}},
		{"who may have it is not doubled", []func(string) string{at(".", ""), fine}, 451, []int{1, 0}},
		{"all are dead", []func(string) string{nil, nil}, 451, []int{0, 0}},
		{"none takes it now", []func(string) string{at("MAIL", "451 later"), at("DATA", "421 bye")}, 451, []int{0, 0}},
	} {
		var servers []*scripted
		var bank, dead []netip.AddrPort
		for _, reply := range v.bank {
			if reply == nil {
				servers = append(servers, &scripted{at: nothing(t)})
				dead = append(dead, servers[len(servers)-1].at)
			} else {
				servers = append(servers, play(t, reply))
			}
			bank = append(bank, servers[len(servers)-1].at)
		}
		var k told
		cfg := config(bank...)
		k.tells(&cfg)
		addr, _ := served(t, cfg)
		if got := send(t, addr, to(7), report); got != v.want {
			t.Errorf("%s: got %d, want %d", v.name, got, v.want)
		}
		became := map[int]string{250: "mail forwarded", 554: "mail refused", 451: "mail failed"}[v.want]
		k.wants(t, v.name, dead, became)
		if got := send(t, addr, "postmaster@elsewhere.example", report); got != 550 {
			t.Errorf("%s: mail to another domain: got %d, want 550", v.name, got)
		}
		k.wants(t, v.name, dead, became, "mail refused")
		for i, s := range servers {
			n, text := s.messages()
			if n != v.taken[i] {
				t.Errorf("%s: server %d heard %d messages, want %d", v.name, i, n, v.taken[i])
			}
			if _, rest, ok := strings.Cut(text, "\r\n by hybrid.example with SMTP; "); n > 0 && (!ok ||
				!strings.HasPrefix(text, "Received: from localhost ([127.0.0.1])\r\n") ||
				!strings.Contains(rest, "\r\n"+report+".\r\n")) {
				t.Errorf("%s: server %d heard %q", v.name, i, text)
			}
		}
	}
}

// The answer waits for the server's, and a server that keeps silent is given up in time.
func TestAnswerWaits(t *testing.T) {
	t.Parallel()
	wait := make(chan bool)
	s := play(t, func(c string) string {
		if c == "." {
			<-wait
		}
		return fine(c)
	})
	cfg := config(s.at)
	cfg.Timeout = 30 * time.Second
	addr, _ := served(t, cfg)
	answer := make(chan int, 1)
	go func() { answer <- send(t, addr, to(7), report) }()
	for n := 0; n == 0; n, _ = s.messages() {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	if len(answer) > 0 {
		t.Error("got an answer before the server's")
	}
	close(wait)
	if got := <-answer; got != 250 {
		t.Errorf("got %d", got)
	}
	silent := play(t, func(c string) string { time.Sleep(3 * time.Second); return fine(c) })
	addr, _ = served(t, config(silent.at, s.at))
	if got := send(t, addr, to(7), report); got != 250 {
		t.Errorf("behind a silent server: got %d", got)
	}
}

// A server that is out of reach is asked last for a while, and the others take turns.
func TestOrder(t *testing.T) {
	a, b, c := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2"),
		netip.MustParseAddrPort("127.0.0.1:3")
	bank := newBank([]netip.AddrPort{a, b, c}, &Config{Rest: time.Minute})
	now := time.Now()
	order := func(at time.Time) string {
		text := ""
		for _, s := range bank.order(at) {
			text += fmt.Sprint(s.Port())
		}
		return text
	}
	if got := order(now) + order(now) + order(now); got != "123231312" {
		t.Error(got)
	}
	bank.tried(b, now, false)
	if got := order(now) + order(now) + order(now.Add(time.Minute)); got != "132312312" {
		t.Error(got)
	}
	bank.tried(b, now, true)
	if got := order(now); got != "123" {
		t.Error(got)
	}
}

// It is not a relay: it takes no address but those of its routes, however it is written, and one recipient at a time.
func TestNoRelay(t *testing.T) {
	s := play(t, fine)
	addr, _ := served(t, config(s.at))
	for _, bad := range []string{"ann@there.example", "ann@sender.example", "bounce@sender.example",
		"bounce+@sender.example", "bounce+1.2.abc@else.example", "bounce+1%there.example@sender.example",
		"bounce+1!x@sender.example", "\"bounce+1 SIZE=1\"@sender.example", "\"bounce+1>\"@sender.example",
		"bounce+1.2.abc@sender.example.there.example", "bounce+1@there.example@sender.example",
		"xbounce+1@sender.example", "postmaster"} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\nQUIT\r\n", bad)
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		all, _ := io.ReadAll(conn)
		conn.Close()
		if strings.Contains(string(all), "\r\n354 ") || !strings.Contains(string(all), "\r\n5") {
			t.Errorf("%s: got %q", bad, all)
		}
	}
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Mail("ann@there.example", nil), c.Rcpt(to(7), nil)); err != nil {
		t.Fatal(err)
	}
	var refused *smtp.SMTPError
	if err := c.Rcpt(to(8), nil); !errors.As(err, &refused) || refused.Code != 452 {
		t.Errorf("the second recipient: got %v, want 452", err)
	}
	if n, _ := s.messages(); n > 0 {
		t.Errorf("%d messages went through", n)
	}
}

// A route takes addresses that begin as it says, or one address.
func TestRoutes(t *testing.T) {
	for _, v := range []struct {
		prefix, to string
		want       bool
	}{{"unsubscribe+", "Unsubscribe+u7@News.example", true}, {"unsubscribe+", "unsubscribe@news.example", false},
		{"unsubscribe+", "unsubscribe+@news.example", false}, {"unsubscribe", "UNSUBSCRIBE@news.example", true},
		{"unsubscribe", "unsubscribe+u7@news.example", false}, {"unsubscribe", "unsubscriber@news.example", false},
		{"unsubscribe", "unsubscrib@news.example", false}, {"unsubscribe", "unsubscribe@other.example", false}} {
		r := Route{Domain: "news.example", Prefix: v.prefix}
		if got := r.takes(v.to); got != v.want {
			t.Errorf("%s: %s: got %v", v.prefix, v.to, got)
		}
	}
}

// No end of a message that another server could see is in the middle of it: the server behind gets one message, in
// which lines end with CRLF alone, and commands within the text stay text.
func TestSmuggling(t *testing.T) {
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\r\n.\r\r\n",
		"\r\n\x00.\r\n", "\n..\n", "\r\n..\r\n"} {
		s := play(t, fine)
		addr, _ := served(t, config(s.at))
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\n%s%sMAIL FROM:<>\r\nRCPT TO:<%s>\r\n"+
			"DATA\r\nevil\r\n.\r\nQUIT\r\n", to(7), report, end, to(8))
		answers, _ := io.ReadAll(conn)
		conn.Close()
		n, text := s.messages()
		bare := strings.ReplaceAll(text, "\r\n", "")
		if n != 1 || strings.ContainsAny(bare, "\r\n") || strings.Count(text, "\r\n.\r\n") != 1 ||
			!strings.Contains(text, "evil\r\n.\r\n") {
			t.Errorf("%q: %d messages, %q, answers %q", end, n, text, answers)
		}
	}
}

// Figure 9: returned mail that comes to the customer's site reaches the server for returned mail, and a forged return
// path is refused by its word.
func TestReturnedMailBehindASite(t *testing.T) {
	cfg := inbound.Default(filepath.Join(t.TempDir(), "returned"))
	cfg.Jobs = []inbound.Job{{Name: "news", Key: testKey}}
	c, err := inbound.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, at := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- c.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done; c.Close() })
	addr, _ := served(t, config(nothing(t), at))
	for i, want := range []int{250, 250} {
		if got := send(t, addr, to(i), report); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	if got := send(t, addr, (&mail.Key{2}).VERP(7, 0, "sender.example"), report); got != 554 {
		t.Errorf("a forged return path: got %d, want 554", got)
	}
	all, err := inbound.Records(cfg.Dir)
	if err != nil || len(all) != 2 || all[0].Reason != "unknown-user" || all[1].Rcpt != 1 {
		t.Errorf("got %v, %v", all, err)
	}
}

// A server outside of loopback needs a list that allows it, and a route its domain.
func TestValidate(t *testing.T) {
	cfg := config(netip.MustParseAddrPort("192.0.2.1:25"))
	cfg.Response = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80")}
	cfg.Mail = append(cfg.Mail, Route{Prefix: "a>"})
	cfg.Name = "a b"
	text := fmt.Sprint(cfg.Validate())
	for _, want := range []string{"mail[0][0]: refused for safety", "response[0]: refused for safety",
		`mail[1]: got domain ""`, `mail[1]: got prefix "a>"`, "mail[1]: got no server", `name: got "a b"`} {
		if !strings.Contains(text, want) {
			t.Errorf("got %s, want %s", text, want)
		}
	}
	if _, err := New(cfg); err == nil {
		t.Error("New takes it")
	}
}
