package inbound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/longtest"
	"flyball/internal/mail"
)

var testKey, otherKey = mail.Key{1}, mail.Key{2}

// bounce returns returned mail of an address with a reply.
func bounce(n int, reply string) []byte {
	return fmt.Appendf(nil, "From: MAILER-DAEMON@there.example\r\nSubject: "+
		"failure notice\r\nMessage-ID: <%d@there.example>\r\n"+
		"\r\n<ann@there.example>:\r\n%s\r\n", n, reply)
}

const (
	unknown = "550 5.1.1 no such user"
	full    = "552 5.2.2 mailbox full"
	blocked = "554 5.7.1 blocked using a blocklist"
)

// harness is a server on loopback with what it has told.
type harness struct {
	t      *testing.T
	cfg    Config
	at     atomic.Pointer[time.Time]
	events []string
	addr   string
	server *Server
	ended  chan error // what Serve returned
	end    func()
}

func start(t *testing.T, cfg Config) *harness {
	t.Helper()
	h := &harness{t: t, cfg: cfg}
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	h.at.Store(&began)
	h.cfg.Now = func() time.Time { return *h.at.Load() }
	h.cfg.Tell = func(e Event) {
		h.events = append(h.events, fmt.Sprintf("%s %s/%d %s", e.Kind, e.Job, e.Rcpt, e.Reason))
	}
	h.begin()
	t.Cleanup(func() { h.end() })
	return h
}

func (h *harness) begin() {
	h.t.Helper()
	s, err := New(h.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.ended = make(chan error, 1)
	go func() { h.ended <- s.Serve(ctx, l) }()
	h.addr, h.server = l.Addr().String(), s
	h.end = func() {
		cancel()
		<-h.ended
		s.Close()
		h.end = func() {}
	}
}

// send sends a message to return paths, as another client does.
func (h *harness) send(raw []byte, to ...string) error {
	c, err := smtp.Dial(h.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.SendMail("", to, bytes.NewReader(raw))
}

func (h *harness) must(raw []byte, to ...string) {
	h.t.Helper()
	if err := h.send(raw, to...); err != nil {
		h.t.Fatal(err)
	}
}

// told returns the events since the last call.
func (h *harness) told() string {
	s := strings.Join(h.events, ", ")
	h.events = nil
	return s
}

func (h *harness) wants(want string) {
	h.t.Helper()
	if got := h.told(); got != want {
		h.t.Errorf("got %q, want %q", got, want)
	}
}

func config(t *testing.T) Config {
	cfg := Default(filepath.Join(t.TempDir(), "state"))
	cfg.Domain = "sender.example"
	cfg.Jobs = []Job{{Name: "news", Key: testKey}}
	return cfg
}

func to(rcpt, try int) string {
	return testKey.VERP(mail.Recipient(rcpt), mail.Try(try), "sender.example")
}

// A recipient is purged at the second dead return; what the sender is to blame for alarms once for each reason and
// touches no recipient; the same message counts once, also after a stop.
func TestReturnedMail(t *testing.T) {
	cfg := config(t)
	cfg.Pause = 3
	h := start(t, cfg)
	h.must(bounce(1, unknown), to(7, 0))
	h.wants("returned news/7 unknown-user")
	h.must(bounce(1, unknown), to(7, 0))
	h.wants("")
	h.must(bounce(2, unknown), to(7, 0)) // of the same message
	h.wants("returned news/7 unknown-user")
	h.end()
	h.begin()
	h.must(bounce(1, unknown), to(7, 0))
	h.wants("")
	for i := range 3 {
		h.must(bounce(10+i, blocked), to(8, i))
	}
	h.wants("returned news/8 reputation, alarm news/8 reputation, returned news/8 reputation, returned news/8 " +
		"reputation")
	h.must(bounce(20, full), to(7, 1))
	h.must(bounce(21, unknown), to(7, 2))
	h.wants("returned news/7 mailbox-full, returned news/7 unknown-user, purged news/7 unknown-user")
	h.end()
	h.begin()
	h.must(bounce(22, unknown), to(9, 0))
	h.wants("returned news/9 unknown-user, paused news/9 unknown-user")
	later := h.at.Load().Add(100 * 24 * time.Hour)
	h.at.Store(&later) // forgotten
	h.must(bounce(23, unknown), to(9, 1))
	h.wants("returned news/9 unknown-user")
	all, err := Records(cfg.Dir)
	if err != nil || len(all) != 9 {
		t.Fatalf("%d records, %v, want 9", len(all), err)
	}
	raw, err := os.ReadFile(filepath.Join(cfg.Dir, all[8].File))
	if err != nil || !bytes.Contains(raw, []byte(unknown)) {
		t.Errorf("%s: got %q, %v, want the message", all[8].File, raw, err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, all[0].File)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there after 100 days (%v), want it deleted after 30", all[0].File, err)
	}
}

// A complaint is a request to be deleted, which counts at once.
func TestComplaint(t *testing.T) {
	h := start(t, config(t))
	h.must([]byte("From: fbl@isp.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: "+
		"message/feedback-report\r\n\r\nFeedback-Type: "+
		"abuse\r\nOriginal-Rcpt-To: ann@there.example\r\n--b--\r\n"), to(7, 0))
	h.wants("returned news/7 complaint, purged news/7 complaint")
}

// What no job has written is refused, and changes nothing: another domain, another key, another recipient, another try,
// a job whose time is over, a plain address.
func TestForgedPaths(t *testing.T) {
	cfg := config(t)
	cfg.Jobs = append(cfg.Jobs, Job{Name: "old", Key: otherKey, Until: time.Date(2026, 11, 30, 11, 0, 0, 0, time.UTC)})
	h := start(t, cfg)
	good := to(7, 0)
	for _, bad := range []string{
		testKey.VERP(7, 0, "else.example"), otherKey.VERP(7, 0, "sender.example"),
		(&mail.Key{3}).VERP(7, 0, "sender.example"), strings.Replace(good, "+7.", "+8.", 1),
		strings.Replace(good, ".0.", ".1.", 1), "postmaster@sender.example", "bounce+7.0.@sender.example",
	} {
		var refused *smtp.SMTPError
		if err := h.send(bounce(1, unknown), bad); !errors.As(err, &refused) || refused.Code != 550 {
			t.Errorf("%s: got %v, want 550", bad, err)
		}
	}
	h.wants("")
	if all, err := Records(cfg.Dir); err != nil || len(all) > 0 {
		t.Errorf("%d records, %v, want none", len(all), err)
	}
	h.must(bounce(1, unknown), strings.ToUpper(good)) // some systems write so
	h.wants("returned news/7 unknown-user")
}

// Returned mail of a mailing that is not here yet is to be sent again, and then counts; forged paths are refused as
// soon as all mailings are here, and those at once that no key can have written or whose time is over.
func TestMailingThatMayCome(t *testing.T) {
	cfg := config(t)
	asked, complete := 0, false
	cfg.Complete = func() bool { asked++; return complete }
	cfg.Jobs[0].Until = time.Date(2026, 11, 30, 11, 0, 0, 0, time.UTC)
	h := start(t, cfg)
	early := otherKey.VERP(7, 0, "sender.example")
	refused := func(to string) int {
		var r *smtp.SMTPError
		if !errors.As(h.send(bounce(1, unknown), to), &r) {
			return 0
		}
		return r.Code
	}
	if code := refused(early); code != 451 || asked != 1 {
		t.Errorf("got %d after %d questions, want 451 while the mailing may come", code, asked)
	}
	for _, bad := range []string{to(7, 0), "postmaster@sender.example", "bounce+7.0.@sender.example",
		strings.Replace(early, "sender", "else", 1), strings.Replace(early, "@", "a@", 1)} {
		if code := refused(bad); code != 550 || asked != 1 {
			t.Errorf("%s: got %d after %d questions, want 550", bad, code, asked)
		}
	}
	if complete = true; refused(early) != 550 {
		t.Error("got 451, want 550 for the path of an unknown mailing")
	}
	h.wants("")
	h.server.cfg.Complete = func() bool { return h.server.Add(Job{Name: "more", Key: otherKey}) == nil }
	h.must(bounce(1, unknown), early)
	h.wants("returned more/7 unknown-user")
}

// Of a million forged tokens none is taken: of these each differs from a good one in one byte or is drawn.
func TestMillionForgedTokens(t *testing.T) {
	cfg := config(t)
	n := longtest.Or(20_000, 1_000_000)
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	good := to(7, 0)
	at := strings.LastIndex(good, ".0.") + 3
	now := time.Now()
	all := jobs{domain: cfg.Domain, all: []*Job{&cfg.Jobs[0]}}
	for i := range n {
		b := []byte(good)
		if i%2 == 0 {
			k := at + i/2%16
			b[k] = letters[(strings.IndexByte(letters, b[k])+1+i/32%31)%32]
		} else {
			for k, x := 0, uint64(i)*0x9e3779b97f4a7c15; k < 16; k++ {
				x ^= x >> 29
				x *= 0xbf58476d1ce4e5b9
				b[at+k] = letters[x>>59]
			}
		}
		if p, ok := all.path(string(b), now); ok && string(b) != good {
			t.Fatalf("%s is taken for %v", b, p)
		}
	}
}

// Whatever a stop leaves, nothing that was answered is lost, and nothing counts twice: here the message is on the disk
// and its line is not, or half of it.
func TestCrash(t *testing.T) {
	cfg := config(t)
	h := start(t, cfg)
	h.must(bounce(1, unknown), to(7, 0))
	h.must(bounce(2, unknown), to(7, 1))
	h.wants("returned news/7 unknown-user, returned news/7 unknown-user, purged news/7 unknown-user")
	h.end()
	name := filepath.Join(cfg.Dir, "returned")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	second := bytes.IndexByte(text[bytes.IndexByte(text, '\n')+1:], '\n') + bytes.IndexByte(text, '\n') + 2
	for _, length := range []int{second, (second + len(text)) / 2, len(text) - 1} {
		if err := os.WriteFile(name, text[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		h.begin()
		h.wants("returned news/7 unknown-user, purged news/7 unknown-user")
		h.must(bounce(2, unknown), to(7, 1))
		h.wants("")
		h.end()
	}
}

// A message that is too large, a line that is too long and a client that says nothing end as the configuration has it.
func TestLimits(t *testing.T) {
	cfg := config(t)
	cfg.MostBytes, cfg.Timeout, cfg.Connections = 2000, time.Second, 2
	h := start(t, cfg)
	var refused *smtp.SMTPError
	if err := h.send(bounce(1, strings.Repeat("x\r\n", 2000)), to(7, 0)); !errors.As(err, &refused) ||
		refused.Code != 552 {
		t.Errorf("got %v, want 552", err)
	}
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	var all bytes.Buffer
	if _, err := all.ReadFrom(c); err != nil || !strings.HasPrefix(all.String(), "220 ") {
		t.Errorf("got %q, %v, want a greeting and the end", all.String(), err)
	}
	h.wants("")
}

// A disk that fails ends the server, and no message is answered with 250 after it.
func TestBrokenDisk(t *testing.T) {
	cfg := config(t)
	d := &drop{}
	cfg.Hard, cfg.Carrier = 1, d
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, _ := s.store.jobs.path(to(7, 0), time.Now())
	s.store.log.Close() // every write fails from here on
	for range 2 {
		if err := s.store.take([]path{p}, bounce(1, unknown)); err == nil {
			t.Error("a message was taken that is not on the disk")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background(), l); err == nil {
		t.Error("the server goes on")
	}
	if len(d.all) > 0 {
		t.Errorf("got %v, want nothing sent that is not on the disk", d.all)
	}
}

// A message for which the disk has no room is refused, and taken when there is room: the server goes on.
func TestFullDisk(t *testing.T) {
	cfg := config(t)
	warned := 0
	cfg.Warn = func(error) { warned++ }
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, _ := s.store.jobs.path(to(7, 0), time.Now())
	day := filepath.Join(cfg.Dir, "mail", s.store.clock().UTC().Format(time.DateOnly))
	if err := os.WriteFile(day, nil, 0o600); err != nil { // in place of the folder: no file can be in it
		t.Fatal(err)
	}
	if err := s.store.take([]path{p}, bounce(1, unknown)); err == nil || warned != 1 {
		t.Errorf("got %v and %d warnings, want a message refused and a warning", err, warned)
	}
	if err := os.Remove(day); err != nil {
		t.Fatal(err)
	}
	if err := s.store.take([]path{p}, bounce(1, unknown)); err != nil || s.failed() != nil {
		t.Errorf("got %v, and %v as the end of the server, want the message taken", err, s.failed())
	}
}

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

func FuzzSession(f *testing.F) {
	cfg := Default(f.TempDir())
	cfg.Jobs = []Job{{Name: "news", Key: testKey}}
	cfg.MostBytes, cfg.Timeout = 4096, time.Second
	s, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	l := make(pipes)
	go s.smtp.Serve(l)
	f.Add([]byte("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<" + to(7, 0) + ">\r\nDATA\r\n" + string(bounce(1,
		unknown)) + ".\r\nQUIT\r\n"))
	f.Add([]byte("HELO x\r\nMAIL FROM:<> SIZE=99999\r\nRCPT TO:<a@b> " +
		"NOTIFY=NEVER\r\nBDAT 5 LAST\r\nhello\r\nRSET\r\nQUIT\r\n"))
	f.Add([]byte("STARTTLS\r\nAUTH PLAIN AA==\r\nVRFY x\r\nNOOP\r\n\x00\xff\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		client, server := net.Pipe()
		l <- server
		go func() {
			client.SetDeadline(time.Now().Add(2 * time.Second))
			client.Write(said)
			client.Write([]byte("\r\n.\r\nQUIT\r\n"))
		}()
		var heard bytes.Buffer
		client.SetReadDeadline(time.Now().Add(2 * time.Second))
		heard.ReadFrom(client)
		client.Close()
		for line := range strings.Lines(heard.String()) {
			if len(line) < 4 || line[0] < '2' || line[0] > '5' {
				t.Errorf("got the reply %q", line)
			}
		}
		if err := s.failed(); err != nil {
			t.Error(err)
		}
	})
}
