package hybrid

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/realrun/response"
)

// answering is a server of the web that a test plays: it keeps what it hears.
type answering struct {
	at    netip.AddrPort
	lock  sync.Mutex
	heard []string
	last  *http.Request
}

func answer(t testing.TB, f http.HandlerFunc) *answering {
	t.Helper()
	a := &answering{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.lock.Lock()
		a.heard = append(a.heard, fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), body))
		a.last = r
		a.lock.Unlock()
		f(w, r)
	}))
	t.Cleanup(s.Close)
	a.at = s.Listener.Addr().(*net.TCPAddr).AddrPort()
	return a
}

func (a *answering) said() []string {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.heard
}

// saying returns a server that answers each connection with some bytes and closes it; keep: it keeps it open.
func saying(t testing.TB, text string, keep bool) netip.AddrPort {
	t.Helper()
	l, at := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				conn.Read(make([]byte, 4096))
				io.WriteString(conn, text)
				if keep {
					time.Sleep(10 * time.Second)
				}
				conn.Close()
			}()
		}
	}()
	return at
}

func good(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	for _, name := range []string{"Server", "Via", "X-Powered-By", "Set-Cookie", "X-Served-By", "Alt-Svc", "Link"} {
		h.Set(name, "inner-7")
	}
	h.Set("Content-Type", "text/plain")
	io.WriteString(w, "good")
}

// get returns the status and the body of an answer, and its header.
func get(t testing.TB, method, url, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text), a.Header
}

// Whatever the first server of a bank does, the answer is whole and another server's, or says that none answers.
func TestWebBanks(t *testing.T) {
	large := "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("x", 2_000_000)
	for _, v := range []struct {
		name  string
		first netip.AddrPort
	}{
		{"dead", nothing(t)},
		{"silent", saying(t, "", true)},
		{"closes", saying(t, "", false)},
		{"cut short", saying(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false)},
		{"slow", saying(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true)},
		{"cut short in chunks", saying(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false)},
		{"nonsense", saying(t, "hello there\r\n\r\n", false)},
		{"two lengths", saying(t, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhalf", false)},
		{"too large", saying(t, large, false)},
		{"too long a header", saying(t, "HTTP/1.1 200 OK\r\nX: "+large+"\r\n\r\n", false)},
		{"not ready", saying(t, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", false)},
		{"switches protocols", saying(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: "+
			"Upgrade\r\n\r\n", false)},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			second := answer(t, good)
			cfg := config(nothing(t))
			cfg.Response = []netip.AddrPort{v.first, second.at}
			var k told
			k.tells(&cfg)
			_, web := served(t, cfg)
			if code, text, header := get(t, "GET", "http://"+web+"/c/x", ""); code != 200 || text != "good" ||
				strings.Contains(fmt.Sprint(header), "inner-7") {
				t.Errorf("got %d, %q, %v", code, text, header)
			}
			failed := []netip.AddrPort{v.first}
			if strings.HasPrefix(v.name, "too l") {
				failed = nil // it is reached
			}
			k.wants(t, v.name, failed, "click forwarded")
			get(t, "GET", "http://"+web+"/", "")
			get(t, "POST", "http://"+web+"/c/x", "")
			k.wants(t, v.name, failed, "click forwarded", "other refused", "click refused")
			cfg.Response = cfg.Response[:1]
			_, web = served(t, cfg)
			if code, text, _ := get(t, "GET", "http://"+web+"/c/x", ""); code != 502 ||
				strings.Contains(text, "half") || strings.Contains(text, v.first.String()) {
				t.Errorf("alone: got %d, %.80q", code, text)
			}
			k.wants(t, v.name, slices.Repeat(failed, 2), "click forwarded", "other refused", "click refused",
				"click failed")
		})
	}
}

// The servers behind learn who the client is from the connection, and not from its own word; nothing else that a client
// adds goes in, and hints before the answer do not come out.
func TestHeaders(t *testing.T) {
	inner := answer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</inner-7>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		good(w, r)
	})
	cfg := config(nothing(t))
	cfg.Response, cfg.Requests = []netip.AddrPort{inner.at}, []netip.AddrPort{inner.at}
	_, web := served(t, cfg)
	code, text, header := get(t, "POST", "http://"+web+"/u/x?y=1", "List-Unsubscribe=One-Click", "X-Forwarded-For",
		"198.51.100.1", "X-Forwarded-Host", "evil.example", "Forwarded", "for=evil", "Via", "evil", "Cookie", "a=b",
		"Authorization", "evil", "X-Real-Ip", "evil", "Content-Type", "application/x-www-form-urlencoded", "Upgrade",
		"websocket", "Connection", "Upgrade", "User-Agent", "agent", "Te", "trailers")
	if code != 200 || text != "good" || strings.Contains(fmt.Sprint(header), "inner-7") {
		t.Errorf("got %d, %q, %v", code, text, header)
	}
	got, h := fmt.Sprint(inner.said()), inner.last.Header
	if got != "[POST /u/x?y=1 List-Unsubscribe=One-Click]" || inner.last.Host != web ||
		h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Host") != web || h.Get("User-Agent") != "agent" ||
		h.Get("Content-Type") != "application/x-www-form-urlencoded" ||
		strings.Contains(strings.ToLower(fmt.Sprint(h)), "evil") || len(h) > 8 {
		t.Errorf("the server behind heard %s for %s: %v", got, inner.last.Host, h)
	}
	conn, err := net.Dial("tcp", web)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /c/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	all, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(all), "HTTP/1.1 200 ") || strings.Contains(string(all), "inner-7") {
		t.Errorf("got %q", all)
	}
}

// Only the three paths exist, by their methods; nothing else reaches a server behind, and what is malformed reaches
// none.
func TestOnlyThreePaths(t *testing.T) {
	inner := answer(t, good)
	cfg := config(nothing(t))
	cfg.Response, cfg.Requests = []netip.AddrPort{inner.at}, []netip.AddrPort{inner.at}
	_, web := served(t, cfg)
	const host = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	for _, v := range []string{"GET /" + host, "GET /admin" + host, "GET /c" + host, "GET /cc/x" + host,
		"GET /c/../admin" + host, "GET /c/%2e%2e/admin" + host, "GET /c/%2fx" + host, "GET //c/x" + host,
		"GET /c/./x" + host, "GET /c//x" + host, "GET http://evil.example/c/x" + host,
		"CONNECT evil.example:443" + host, "POST /c/x" + host, "PUT /u/x" + host, "DELETE /u/x" + host,
		"TRACE /u/x" + host, "OPTIONS *" + host,
		"GET /c/x HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n",
		"GET /c/x HTTP/1.1\r\nConnection: close\r\n", "GET /c/x HTTP/9.9\r\nHost: x\r\n",
		"GET /c/x\x00" + host, "GET /c/x" + host + "Content-Length: 5\r\nContent-Length: 6\r\n",
		"GET /c/x" + host + "Transfer-Encoding: xchunked\r\n",
		"GET /c/x" + host + "X : y\r\n", "GET /c/x" + host + "X: a\x00b\r\n",
		"POST /u/x" + host + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000),
		"GET /c/x" + host + "X: " + strings.Repeat("x", 100000) + "\r\n",
		"POST /u/x" + host + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
	} {
		conn, err := net.Dial("tcp", web)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		go io.WriteString(conn, v+"\r\n")
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && r.StatusCode < 400 {
			t.Errorf("%.80q: got %d", v, r.StatusCode)
		}
		conn.Close()
	}
	if got := inner.said(); len(got) > 0 {
		t.Errorf("the servers behind heard %q", got)
	}
	// a request within another one's body is its body
	conn, err := net.Dial("tcp", web)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	inside := "GET /c/evil HTTP/1.1\r\nHost: x\r\n\r\n"
	fmt.Fprintf(conn, "POST /u/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\nTransfer-Encoding: "+
		"chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(inside), inside)
	io.Copy(io.Discard, conn)
	if got := fmt.Sprintf("%q", inner.said()); got != "[]" && got != fmt.Sprintf("[%q]", "POST /u/x "+inside) {
		t.Errorf("the servers behind heard %s", got)
	}
}

// Figure 9: a click at the customer's site is answered by a response server elsewhere, which records it.
func TestClickBehindASite(t *testing.T) {
	cfg := response.Default(filepath.Join(t.TempDir(), "responses"))
	cfg.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s, err := response.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	target := "https://shop.example/1"
	err = s.Add(response.Campaign{Name: "news", Key: testKey, Recipients: 10, Targets: []string{target}})
	if err != nil {
		t.Fatal(err)
	}
	l, at := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	hybrid := config(nothing(t))
	hybrid.Response = []netip.AddrPort{nothing(t), at}
	_, web := served(t, hybrid)
	link := "http://" + web + "/c/" + string(testKey.AppendTicket(nil, mail.Ticket{Purpose: mail.ToFollow,
		Job: testKey.Mark(), Rcpt: 3, Number: 1}))
	for range 3 {
		if code, _, header := get(t, "GET", link, ""); code != 302 || header.Get("Location") != target {
			t.Errorf("got %d, %v", code, header)
		}
	}
	if code, _, _ := get(t, "GET", link+"x", ""); code != 404 {
		t.Errorf("a forged ticket: got %d", code)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.Close()
	text := new(bytes.Buffer)
	later := time.Now().Add(time.Hour)
	cfg.Now = func() time.Time { return later }
	cfg.Tell = func(j response.Judged) { fmt.Fprintln(text, j.Response.Rcpt) }
	if s, err = response.New(cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	l, _ = listen(t)
	if err := s.Serve(ctx, l); err != nil || text.String() != "3\n3\n3\n" {
		t.Errorf("recorded %q, %v", text, err)
	}
}
