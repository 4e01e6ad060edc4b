package response

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/gif"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/internal/mail"
)

var testKey = mail.Key{1}

const testJob = "news"

var targets = []string{"https://shop.example/1", "https://shop.example/?a=1&b=2", "http://other.example:8080/x#y",
	"https://shop.example/4", "https://shop.example/5", "https://shop.example/6", "https://shop.example/7",
	"https://shop.example/8"}

// started returns a server with a campaign.
func started(t testing.TB, cfg Config, recipients uint32) *Server {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Add(Campaign{Name: testJob, Key: testKey, Recipients: recipients, Targets: targets,
		Accepted: func(mail.Recipient) (time.Time, bool) { return sent, true }}); err != nil {
		t.Fatal(err)
	}
	return s
}

// short has the letters of paths and purposes.
var short = map[string]string{"open": "o", "click": "c", "unsubscribe": "u"}

func path(kind string, r mail.Recipient, link uint32) string {
	t := mail.Ticket{Purpose: short[kind][0], Job: testKey.Mark(), Rcpt: r, Number: link}
	return "/" + short[kind] + "/" + string(testKey.AppendTicket(nil, t))
}

func get(t *testing.T, kind string, r mail.Recipient, link uint32) *http.Request {
	t.Helper()
	req := httptest.NewRequest("GET", path(kind, r, link), nil)
	req.Header.Set("User-Agent", browser)
	return req
}

// flushed records what was answered, as the server does after some time.
func flushed(t *testing.T, s *Server) {
	t.Helper()
	var batch []Response
	for len(s.came) > 0 {
		batch = append(batch, <-s.came)
	}
	if err := s.flush(batch, s.now()); err != nil {
		t.Fatal(err)
	}
}

// served serves on loopback until the test ends, and returns the address and what ends it.
func served(t *testing.T, s *Server) (addr string, end func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	once := false
	end = func() error {
		if once {
			return nil
		}
		once = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { end() })
	return l.Addr().String(), end
}

// kept returns the responses that a folder has, in the words of a test.
func kept(t *testing.T, dir string) (all []string) {
	t.Helper()
	names, err := files(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		lines, err := readFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if r := l.Response; r != nil {
				all = append(all, fmt.Sprintf("%s %s %d link %d", r.Method, r.Kind, r.Rcpt, r.Link))
			} else {
				v := l.Verdict
				all = append(all, fmt.Sprintf("%d is human: %v, %s", v.Number, v.Human, v.Reason))
			}
		}
	}
	return all
}

// Each address of a message has its answer; what is recorded is what was asked for, after the answer and before the
// server ends.
func TestAnswers(t *testing.T) {
	cfg := Default(t.TempDir())
	s := started(t, cfg, 10)
	addr, end := served(t, s)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	other := string((&mail.Key{2}).AppendTicket(nil, mail.Ticket{Purpose: 'c', Job: testKey.Mark(), Number: 1}))
	for _, v := range []struct {
		method, path string
		code         int
		location     string
		size         int
	}{
		{"GET", path("open", 3, 0), 200, "", 43},
		{"GET", path("click", 3, 1), 302, targets[0], 0},
		{"GET", path("click", 4, 2) + "?to=https://evil.example/", 302, targets[1], 0},
		{"HEAD", path("click", 4, 3), 302, targets[2], 0},
		{"HEAD", path("open", 4, 0), 200, "", 0},
		{"GET", path("click", 9, 0), 204, "", 0},
		{"GET", path("click", 10, 1), 404, "", -1}, // of another list
		{"GET", path("click", 1, 9), 404, "", -1},  // no such link
		{"GET", path("open", 1, 1), 404, "", -1},
		{"GET", path("unsubscribe", 1, 1), 404, "", -1},
		{"GET", "/c/" + other, 404, "", -1},
		{"GET", "/o" + path("click", 3, 1)[2:], 404, "", -1},
		{"GET", path("click", 3, 1) + "/", 404, "", -1},
		{"GET", "/c/", 404, "", -1}, {"GET", "/", 404, "", -1}, {"GET", "/c/https://evil.example/", 404, "", -1},
		{"POST", path("click", 3, 1), 405, "", -1}, {"DELETE", path("open", 3, 0), 405, "", -1},
		{"OPTIONS", "/", 405, "", -1},
	} {
		req, err := http.NewRequest(v.method, "http://"+addr+v.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != v.code || r.Header.Get("Location") != v.location || v.size >= 0 && len(body) != v.size {
			t.Errorf("%s %s: got %d, %q and %d bytes, want %d, %q and %d", v.method, v.path, r.StatusCode,
				r.Header.Get("Location"), len(body), v.code, v.location, v.size)
		}
		if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s: got the header %v", v.method, v.path, r.Header)
		}
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	got := strings.Join(kept(t, cfg.Dir), "\n")
	if want := strings.Join([]string{"GET open 3 link 0", "GET click 3 link 1", "GET click 4 link 2",
		"HEAD click 4 link 3", "HEAD open 4 link 0", "GET click 9 link 0"}, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The pixel is a picture that the standard library reads, and links never lead where the server does not know.
func TestTargets(t *testing.T) {
	for _, target := range []string{"", "shop.example", "/x", "javascript:alert(1)", "mailto:a@b.example", "https://",
		"https:///x", "https://a.example/\r\nSet-Cookie: x", "https://a.example/ä", "https://a.example/a b",
		"https://user:password@a.example/", "//a.example/", "https://[::1", "data:text/html,x"} {
		if CheckTarget(target) == nil {
			t.Errorf("a link may lead to %q", target)
		}
		c := Campaign{Name: "x", Targets: []string{target}}
		if len(c.Validate()) != 1 {
			t.Errorf("a campaign may have the target %q", target)
		}
	}
	for _, target := range targets {
		if err := CheckTarget(target); err != nil {
			t.Error(err)
		}
	}
	picture, err := gif.Decode(strings.NewReader(pixel))
	if err != nil || picture.Bounds() != image.Rect(0, 0, 1, 1) {
		t.Fatal(picture, err)
	}
	if _, _, _, alpha := picture.At(0, 0).RGBA(); alpha != 0 {
		t.Error("the picture is seen")
	}
}

// A redirect comes also while nothing can be recorded; requests beyond the batch wait behind their answers.
func TestAnswerComesFirst(t *testing.T) {
	cfg := Default(t.TempDir())
	cfg.Batch = 2
	s := started(t, cfg, 10)
	web := httptest.NewServer(s) // nothing takes responses
	for range 5 {
		conn, err := net.Dial("tcp", web.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path("click", 1, 1))
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || r.StatusCode != 302 {
			t.Fatal(r, err)
		}
	}
	close(s.broke)
	web.Close()
}

// A response that is on the disk is judged once, also after the server was dropped: what came before and after the stop
// are judged together.
func TestResponsesOutlastAStop(t *testing.T) {
	clock := sent.Add(time.Hour)
	cfg := Default(t.TempDir())
	cfg.Now = func() time.Time { return clock }
	var told []string
	cfg.Tell = func(j Judged) {
		told = append(told, fmt.Sprintf("%d %s", j.Response.Number, j.Verdict.Reason))
	}
	s := started(t, cfg, 10)
	ask := func(rcpt mail.Recipient, link uint32) {
		s.ServeHTTP(httptest.NewRecorder(), get(t, "click", rcpt, link))
	}
	ask(1, 1)
	ask(2, 1)
	clock = clock.Add(9 * time.Second)
	flushed(t, s)
	s.store.log.Close() // the process ends
	s = started(t, cfg, 10)
	ask(2, 0)
	flushed(t, s)
	if told != nil {
		t.Errorf("judged too early: %v", told)
	}
	clock = clock.Add(4 * time.Second)
	flushed(t, s)
	clock = clock.Add(time.Minute)
	flushed(t, s)
	s.Close()
	s = started(t, cfg, 10)
	flushed(t, s)
	if got, want := fmt.Sprint(told), "[1 no-sign 2 trap 3 trap]"; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if s.store.last != 3 || len(s.store.recent) != 0 {
		t.Errorf("the store begins with number %d and %d responses", s.store.last, len(s.store.recent))
	}
}

// A half line at the end, which a loss of power leaves, is dropped; a changed line is refused in words.
func TestDamagedFile(t *testing.T) {
	cfg := Default(t.TempDir())
	s := started(t, cfg, 10)
	s.ServeHTTP(httptest.NewRecorder(), get(t, "click", 1, 1))
	flushed(t, s)
	s.Close()
	name := fileName(cfg.Dir, 1)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(name, append(bytes.Clone(whole), "2 0123 {\"resp"...), 0o600)
	started(t, cfg, 10).Close()
	os.WriteFile(name, bytes.Replace(whole, []byte("click"), []byte("cluck"), 1), 0o600)
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), filepath.Base(name)+":2:") {
		t.Errorf("a changed line: got %v", err)
	}
}

// Files follow each other when one is full; a response and its verdict may be in two of them.
func TestFilesFollowEachOther(t *testing.T) {
	clock := sent
	cfg := Default(t.TempDir())
	cfg.Now = func() time.Time { return clock }
	s := started(t, cfg, 10)
	s.ServeHTTP(httptest.NewRecorder(), get(t, "click", 1, 1))
	clock = clock.Add(fileAge)
	s.store.size = fileBytes
	if err := s.flush([]Response{<-s.came}, sent.Add(time.Second)); err != nil || s.store.file != 1 {
		t.Fatal(err, s.store.file)
	}
	if err := s.store.sync(clock); err != nil || s.store.file != 2 {
		t.Fatal(err, s.store.file)
	}
	s.Close()
	s = started(t, cfg, 10)
	flushed(t, s)
	const want = "[GET click 1 link 1 1 is human: false, at-once]"
	if got := fmt.Sprint(kept(t, cfg.Dir)); got != want || s.store.file != 2 {
		t.Errorf("got %s in file %d", got, s.store.file)
	}
}

// A program that follows the same link on and on fills neither memory nor disk, and gets its answers.
func TestFlood(t *testing.T) {
	cfg := Default(t.TempDir())
	cfg.Batch = 2000
	s := started(t, cfg, 10)
	for range 1000 {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, get(t, "click", 1, 1))
		if w.Code != 302 {
			t.Fatal(w.Code)
		}
	}
	s.ServeHTTP(httptest.NewRecorder(), get(t, "click", 2, 1))
	flushed(t, s)
	if n := len(s.store.recent); n != mostRecent+1 {
		t.Errorf("%d responses are kept, want %d", n, mostRecent+1)
	}
}

// After its time a campaign's links lead to their targets, and count no longer.
func TestExpired(t *testing.T) {
	cfg := Default(t.TempDir())
	cfg.Now = func() time.Time { return sent }
	s := started(t, cfg, 10)
	c := *s.campaign(testKey.Mark())
	c.Until = sent
	if err := s.Add(c); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, get(t, "click", 1, 1))
	if w.Code != 302 || len(s.came) != 0 {
		t.Errorf("got %d, and %d responses", w.Code, len(s.came))
	}
}

// The address of a client is the one that trusted proxies vouch for, and only its network is kept.
func TestClients(t *testing.T) {
	cfg := Default(t.TempDir())
	cfg.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	s := started(t, cfg, 10)
	for _, v := range []struct{ from, forwarded, want string }{
		{"192.0.2.7:9", "", "192.0.2.0/24"},
		{"192.0.2.7:9", "198.51.100.9", "192.0.2.0/24"}, // a stranger's word
		{"127.0.0.1:9", "198.51.100.9", "198.51.100.0/24"},
		{"127.0.0.1:9", "203.0.113.1, 198.51.100.9, 10.1.1.1", "198.51.100.0/24"}, // the first is a stranger's
		{"127.0.0.1:9", "x, 10.1.1.1", "10.1.1.0/24"},
		{"127.0.0.1:9", "", "127.0.0.0/24"},
		{"[::ffff:127.0.0.1]:9", "2001:db8:1:2::3", "2001:db8:1::/48"},
		{"[2001:db8::1%eth0]:9", "", "2001:db8::/48"},
		{"@", "", "invalid Prefix"},
	} {
		r := get(t, "click", 1, 1)
		r.RemoteAddr = v.from
		if v.forwarded != "" {
			r.Header.Set("X-Forwarded-For", v.forwarded)
		}
		r.Header.Set("User-Agent", "a\x01b"+strings.Repeat("ä", 200))
		s.ServeHTTP(httptest.NewRecorder(), r)
		got := <-s.came
		if got.Network.String() != v.want || len(got.Agent) > 256 || !strings.HasPrefix(got.Agent, "abä") {
			t.Errorf("%s for %q: got %v and agent %q, want %s", v.from, v.forwarded, got.Network, got.Agent, v.want)
		}
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

// Whatever a client sends, an answer is one of HTTP, and a redirect leads to a target of the campaign.
func FuzzRequest(f *testing.F) {
	cfg := Default(f.TempDir())
	cfg.Timeout = time.Second
	s := started(f, cfg, 10)
	l := make(pipes)
	go s.Serve(context.Background(), l)
	for _, text := range []string{"GET " + path("click", 1, 1) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD " + path("open", 1, 0) + " HTTP/1.0\r\n\r\n",
		"GET http://evil.example/c/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST " + path("click", 1, 2) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /c/ HTTP/1.1\rHost: x\r\r", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		client, server := net.Pipe()
		l <- server
		client.SetDeadline(time.Now().Add(5 * time.Second))
		go func() {
			client.Write(said)
			client.Write([]byte("\r\n\r\nGET / HTTP/1.0\r\n\r\n"))
		}()
		defer client.Close()
		in := bufio.NewReader(client)
		for {
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				return
			}
			r.Body.Close()
			to := r.Header.Get("Location")
			if to != "" && !strings.Contains(strings.Join(targets, "\n")+"\n", to+"\n") {
				t.Errorf("%q is led to %q", said, to)
			}
			if r.Close {
				return
			}
		}
	})
}

// A link of a campaign that is not here yet can be followed later; one that is forged cannot.
func TestCampaignThatMayCome(t *testing.T) {
	complete := false
	cfg := Default(t.TempDir())
	cfg.Complete = func() bool { return complete }
	s := started(t, cfg, 10)
	other := mail.Key{2}
	early := "/c/" + string(other.AppendTicket(nil, mail.Ticket{Purpose: mail.ToFollow, Job: other.Mark(), Number: 1}))
	code := func(path string) int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code
	}
	forged := []byte(path("click", 3, 1))
	forged[len(forged)-1] ^= 1
	if a, b, c := code(early), code(string(forged)), code("/c/x"); a != 503 || b != 404 || c != 404 {
		t.Errorf("got %d, %d and %d, want 503 for a campaign that may come, and 404", a, b, c)
	}
	if complete = true; code(early) != 404 {
		t.Error("a link of no campaign is to be followed later")
	}
	s.cfg.Complete = func() bool {
		return s.Add(Campaign{Name: "more", Key: other, Recipients: 1, Targets: targets}) == nil
	}
	if code(early) != 302 {
		t.Error("a link does not lead to its target whose campaign came meanwhile")
	}
}
