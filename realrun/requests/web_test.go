package requests

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/internal/longtest"
	"flyball/internal/mail"
)

// harness is a server on loopback for one mailing, with what it has told and mailed.
type harness struct {
	t         testing.TB
	dir       string
	at        time.Time
	cfg       Config
	server    *Server
	desk      *Folder
	web, post string
	end       func()

	lock   sync.Mutex
	events []string
	mails  map[string][]string // by address
	fails  error               // of sending
}

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func start(t testing.TB, change func(*Config)) *harness {
	t.Helper()
	h := &harness{t: t, dir: t.TempDir(), at: noon, mails: map[string][]string{}}
	var err error
	if h.desk, err = OpenFolder(h.dir+"/news", testKey, false); err != nil {
		t.Fatal(err)
	}
	form, err := OpenForm(h.dir + "/form")
	if err != nil {
		t.Fatal(err)
	}
	h.cfg = Default()
	h.cfg.Name, h.cfg.Domain = "Good News", "sender.example"
	h.cfg.Replies = []string{"news@sender.example"}
	h.cfg.URL, h.cfg.From, h.cfg.Form = "https://sender.example/u", "news@sender.example", form
	h.cfg.Jobs = []Job{{Name: "news", Key: testKey, Desk: h.desk.Desk}}
	h.cfg.Now = func() time.Time {
		h.lock.Lock()
		defer h.lock.Unlock()
		return h.at
	}
	h.cfg.Tell = func(e Event) {
		h.lock.Lock()
		defer h.lock.Unlock()
		text := fmt.Sprintf("%s %s", e.Kind, e.By)
		if e.Rcpt != nil {
			text += fmt.Sprintf(" %s/%d", e.Job, *e.Rcpt)
		}
		h.events = append(h.events, strings.TrimSpace(text+" "+e.Address))
	}
	h.cfg.Send = func(_ context.Context, to mail.Address, message []byte) error {
		h.lock.Lock()
		defer h.lock.Unlock()
		h.mails[to.String()] = append(h.mails[to.String()], string(message))
		return h.fails
	}
	if change != nil {
		change(&h.cfg)
	}
	if h.server, err = New(h.cfg); err != nil {
		t.Fatal(err)
	}
	web, post := listen(t), listen(t)
	h.web, h.post = web.Addr().String(), post.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(ctx, web, post) }()
	h.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.desk.Close()
		form.Close()
	})
	t.Cleanup(h.end)
	return h
}

func listen(t testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// told returns the events since the last call, when n have come.
func (h *harness) told(n int) string {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		h.lock.Lock()
		if len(h.events) >= n || time.Now().After(end) {
			s := strings.Join(h.events, ", ")
			h.events = nil
			h.lock.Unlock()
			return s
		}
		h.lock.Unlock()
	}
}

func (h *harness) wants(want string) {
	h.t.Helper()
	n := 0
	if want != "" {
		n = strings.Count(want, ", ") + 1
	}
	if got := h.told(n); got != want {
		h.t.Errorf("told %q, want %q", got, want)
	}
}

// gone returns who has left, by the facts on the disk.
func (h *harness) gone() string {
	h.t.Helper()
	g, err := ReadFolder(h.dir+"/news", testKey)
	if err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprint(g.All())
}

func (h *harness) ticket(purpose byte, r mail.Recipient, age int) string {
	return string(testKey.AppendTicket(nil, mail.Ticket{Purpose: purpose, Job: testKey.Mark(), Rcpt: r,
		Number: today(noon) - uint32(age)}))
}

// ask makes a request as a client without any knowledge of browsers.
func (h *harness) ask(method, path, kind, body string, headers ...string) (code int, page string) {
	h.t.Helper()
	req, err := http.NewRequest(method, "http://"+h.web+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a redirect") }}
	r, err := c.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(r.Header["Set-Cookie"]) > 0 {
		h.t.Errorf("%s %s: got a cookie", method, path)
	}
	return r.StatusCode, string(text)
}

const (
	form     = "application/x-www-form-urlencoded"
	oneClick = "List-Unsubscribe=One-Click"
)

// The request of RFC 8058 8.1, whose body is a form in one of two encodings, counts at once, and as often as it comes
// the answer is 200. It has no cookie and follows no redirect.
func TestOneClick(t *testing.T) {
	h := start(t, nil)
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	parts.WriteField("List-Unsubscribe", "One-Click")
	parts.Close()
	for i, v := range []struct{ kind, body string }{
		{form, oneClick}, {form, oneClick}, {form, oneClick + "\r\n"}, {"", oneClick}, {form + "; charset=utf-8",
			oneClick},
		{parts.FormDataContentType(), b.String()},
	} {
		r := mail.Recipient(i)
		for range 3 {
			code, page := h.ask("POST", "/u/"+h.ticket(mail.ToLeave, r, 0), v.kind, v.body)
			if code != 200 || !strings.Contains(page, "You will get no more mail of Good News.") {
				t.Errorf("%q: got %d\n%s", v, code, page)
			}
		}
		h.wants(fmt.Sprintf("left click news/%d", r))
	}
	if got := h.gone(); got != "[0 1 2 3 4 5]" {
		t.Errorf("gone: %s", got)
	}
	code, _ := h.ask("POST", "/u/"+strings.ToUpper(h.ticket(mail.ToLeave, 6, 700)), form, oneClick)
	h.wants("left click news/6")
	if code != 200 {
		t.Errorf("an old ticket in capitals: %d", code)
	}
}

// Another body changes nothing.
func TestOtherBodies(t *testing.T) {
	h := start(t, nil)
	multi := func(write func(*multipart.Writer)) (kind, body string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		write(w)
		w.Close()
		return w.FormDataContentType(), b.String()
	}
	type body struct{ kind, text string }
	all := []body{{form, ""}, {form, "List-Unsubscribe=One-Clicks"}, {form, "list-unsubscribe=One-Click"},
		{form, oneClick + "&a=b"}, {form, "a=b&" + oneClick}, {form, oneClick + "&" + oneClick},
		{"application/json", `{"List-Unsubscribe":"One-Click"}`}, {form, strings.Repeat(oneClick+"&", 1000)},
		{"multipart/form-data", oneClick}, {"multipart/form-data; boundary=x", "--x\r\n"}}
	for _, write := range []func(*multipart.Writer){
		func(w *multipart.Writer) {},
		func(w *multipart.Writer) { w.WriteField("List-Unsubscribe", "One") },
		func(w *multipart.Writer) { w.WriteField("Unsubscribe", "One-Click") },
		func(w *multipart.Writer) {
			w.WriteField("List-Unsubscribe", "One-Click")
			w.WriteField("a", "b")
		},
		func(w *multipart.Writer) {
			p, _ := w.CreateFormFile("List-Unsubscribe", "name")
			io.WriteString(p, "One-Click")
		},
	} {
		kind, text := multi(write)
		all = append(all, body{kind, text})
	}
	for _, v := range all {
		if code, _ := h.ask("POST", "/u/"+h.ticket(mail.ToLeave, 1, 0), v.kind, v.text); code != 400 {
			t.Errorf("%.100q: got %d, want 400", v, code)
		}
	}
	if got := h.gone(); got != "[]" {
		t.Errorf("gone: %s", got)
	}
	h.wants("")
}

// Of all URLs, as the server has them, and all methods only the named POSTs change anything, and no number of them that
// scanners open does.
func TestOnlyPostsChange(t *testing.T) {
	h := start(t, nil)
	n := longtest.Or(20, 1000)
	tickets := map[string]string{"leave": h.ticket(mail.ToLeave, 1, 0), "return": h.ticket(mail.ToReturn, 1, 0),
		"join": h.ticket(mail.ToJoin, 1, 0), "quit": h.ticket(mail.ToQuit, 1, 0)}
	if _, err := h.desk.Leave(t.Context(), 1); err != nil { // so that there is something to undo
		t.Fatal(err)
	}
	if err := h.desk.Ask(t.Context(), 1, true); err != nil {
		t.Fatal(err)
	}
	before := h.facts()
	methods := []string{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get"}
	for _, r := range h.server.routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		if method != "GET" && method != "POST" {
			t.Errorf("%s: want GET or POST", r.pattern)
		}
		for _, name := range slices.Sorted(maps.Keys(tickets)) {
			url := strings.NewReplacer("{ticket}", tickets[name], "{$}", "").Replace(path)
			for _, m := range methods {
				for range n {
					code, page := h.ask(m, url, form, oneClick)
					if is := m == "GET" || m == "HEAD"; (code == 200) != is {
						t.Fatalf("%s %s: got %d", m, url, code)
					}
					if m == "GET" && (strings.Contains(page, "<script") || !strings.Contains(page,
						`<form method="post"`)) {
						t.Fatalf("%s: got a page with a script, or without a form:\n%s", url, page)
					}
				}
			}
		}
	}
	if got := h.facts(); got != before {
		t.Errorf("facts %s, want %s", got, before)
	}
	h.wants("")
}

// facts returns where all recipients stand, by the facts on the disk.
func (h *harness) facts() string {
	all, err := standings(h.dir+"/news", testKey)
	if err != nil {
		h.t.Fatal(err)
	}
	form, err := standings(h.dir+"/form", h.cfg.Form.Key)
	if err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprint(all, form)
}

// What is forged, too old, of a mailing that is not known, or for another purpose has no effect, and the answer is the
// same to the byte, for each recipient, whatever it has done before.
func TestForgedTickets(t *testing.T) {
	h := start(t, nil)
	if _, err := h.desk.Leave(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	of := func(key mail.Key, v mail.Ticket) string { return string(key.AppendTicket(nil, v)) }
	now := today(noon)
	bad := []string{"x", strings.Repeat("a", mail.TicketSize), h.ticket(mail.ToLeave, 2, 731), h.ticket(mail.ToLeave,
		2, -2),
		h.ticket(mail.ToReturn, 3, 31), h.ticket(mail.ToJoin, 3, 4), h.ticket('c', 3, 0), h.ticket(mail.ToFill, 3, 0),
		of(otherKey, mail.Ticket{Purpose: mail.ToLeave, Job: testKey.Mark(), Rcpt: 2, Number: now}),
		of(otherKey, mail.Ticket{Purpose: mail.ToLeave, Job: otherKey.Mark(), Rcpt: 2, Number: now}),
		of(testKey, mail.Ticket{Purpose: mail.ToLeave, Job: 5, Rcpt: 2, Number: now}),
		"r" + h.ticket(mail.ToLeave, 3, 0)[1:], "%00" + h.ticket(mail.ToLeave, 3, 0)[1:]}
	first := ""
	for _, method := range []string{"POST", "GET"} {
		for _, text := range bad {
			code, page := h.ask(method, "/u/"+text, form, oneClick)
			if first == "" {
				first = page
			}
			if code != 404 || page != first {
				t.Errorf("%s %s: got %d\n%s, want 404\n%s", method, text, code, page, first)
			}
		}
	}
	if got := h.gone(); got != "[3]" {
		t.Errorf("gone: %s", got)
	}
	// A holder of a true ticket learns nothing of what was done before, either.
	_, a := h.ask("POST", "/u/"+h.ticket(mail.ToLeave, 3, 0), form, oneClick)
	_, b := h.ask("POST", "/u/"+h.ticket(mail.ToLeave, 4, 0), form, oneClick)
	hide := regexp.MustCompile(`action="[^"]*"`)
	if hide.ReplaceAllString(a, "") != hide.ReplaceAllString(b, "") {
		t.Errorf("got\n%s\n%s, want the same", a, b)
	}
}

// Of a million forged tickets none is taken.
func TestMillionForgedTickets(t *testing.T) {
	h := start(t, nil)
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	good := h.ticket(mail.ToLeave, 7, 0)
	for i := range longtest.Or(20_000, 1_000_000) {
		b := []byte(good)
		for k, x := len(b)-1-i%16, uint64(i+1)*0x9e3779b97f4a7c15; k < len(b); k++ { // the last letters are drawn
			x ^= x >> 29
			x *= 0xbf58476d1ce4e5b9
			b[k] = letters[x>>59]
		}
		if _, v, err := h.server.ticket(string(b)); err == nil && string(b) != good {
			t.Fatalf("%s is taken for %+v", b, v)
		}
	}
}

// Who has left returns by the button of the page, and may leave again by the same link.
func TestUndo(t *testing.T) {
	h := start(t, nil)
	leave := "/u/" + h.ticket(mail.ToLeave, 7, 0)
	action := regexp.MustCompile(`action="([^"]+)">\s*<input type="hidden" name="([^"]+)" value="([^"]+)"`)
	for range 3 {
		_, page := h.ask("POST", leave, form, oneClick, "Sec-Fetch-Site", "same-origin")
		found := action.FindStringSubmatch(page)
		if found == nil || h.gone() != "[7]" {
			t.Fatalf("gone %s, page\n%s", h.gone(), page)
		}
		base, _ := url.Parse("http://sender.example" + leave)
		back, err := base.Parse(found[1])
		if err != nil || !strings.HasPrefix(back.Path, "/u/") {
			t.Fatalf("%s: %v", found[1], err)
		}
		if code, _ := h.ask("GET", back.Path, "", ""); code != 200 || h.gone() != "[7]" {
			t.Errorf("a look: %d, gone %s", code, h.gone())
		}
		code, page := h.ask("POST", back.Path, form, found[2]+"="+found[3], "Sec-Fetch-Site", "same-origin")
		if code != 200 || !strings.Contains(page, "again") || h.gone() != "[]" {
			t.Errorf("got %d, gone %s\n%s", code, h.gone(), page)
		}
		h.wants("left page news/7, returned page news/7")
	}
}

// Another site cannot make a browser change anything, and a page may hold nothing of elsewhere.
func TestBrowsers(t *testing.T) {
	h := start(t, nil)
	leave := "/u/" + h.ticket(mail.ToLeave, 7, 0)
	for _, v := range []struct {
		header, value string
		code          int
	}{{"Sec-Fetch-Site", "cross-site", 403}, {"Sec-Fetch-Site", "same-site", 403}, {"Origin", "https://else.example",
		403},
		{"Origin", "null", 403}, {"Origin", "http://" + h.web, 200}, {"Sec-Fetch-Site", "same-origin", 200}} {
		if code, _ := h.ask("POST", leave, form, oneClick, v.header, v.value); code != v.code {
			t.Errorf("%s: %s: got %d, want %d", v.header, v.value, code, v.code)
		}
	}
	r, err := http.Get("http://" + h.web + leave)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if csp := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp,
		"default-src 'none'; form-action 'self';") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	text, _ := io.ReadAll(r.Body)
	if m := regexp.MustCompile(`(?i)(src|href|@import|url\(|https?:)`).Find(text); m != nil {
		t.Errorf("the page has %s:\n%s", m, text)
	}
}

// A request that cannot be kept is not confirmed.
func TestBrokenDesk(t *testing.T) {
	h := start(t, nil)
	h.desk.end() // as after a failed disk: nothing is kept any more
	h.desk.Failed()
	if code, page := h.ask("POST", "/u/"+h.ticket(mail.ToLeave, 7, 0), form, oneClick); code != 503 ||
		strings.Contains(page, "no more mail") {
		t.Errorf("got %d\n%s", code, page)
	}
	if err := h.send("ann@there.example", "unsubscribe+"+h.ticket(mail.ToLeave, 7, 0)+"@sender.example",
		""); !refused(err, 451) {
		t.Errorf("by mail: got %v, want 451", err)
	}
	h.wants("")
	if got := h.gone(); got != "[]" {
		t.Errorf("gone: %s", got)
	}
}

// What is no HTTP, too much of it, or too slow ends without any effect, and the server goes on.
func TestRawSockets(t *testing.T) {
	h := start(t, func(c *Config) { c.Timeout = time.Second })
	ticket := h.ticket(mail.ToLeave, 7, 0)
	head := "POST /u/" + ticket + " HTTP/1.1\r\nHost: x\r\nContent-Type: " + form + "\r\n"
	for name, v := range map[string]struct{ said, want string }{
		"nothing":     {"", ""},
		"no HTTP":     {"EHLO x\r\n\r\n", "HTTP/1.1 400"},
		"bytes":       {"\x16\x03\x01\x02\x00\xff\xfe\r\n\r\n", "HTTP/1.1 400"},
		"half a head": {head[:40], ""},
		"half a body": {head + "Content-Length: 26\r\n\r\nList-Unsubscribe=One-Cl", "HTTP/1.1 400"},
		"no length":   {head + "Connection: close\r\n\r\n" + oneClick, "HTTP/1.1 400"},
		"two lengths": {head + "Content-Length: 26\r\nContent-Length: 5\r\n\r\n" + oneClick, "HTTP/1.1 400"},
		"length and chunks": {head + "Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n" + oneClick,
			"HTTP/1.1 400"},
		"bad chunks":       {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + oneClick, "HTTP/1.1 400"},
		"a large head":     {head + "X: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "HTTP/1.1 431"},
		"a large body":     {head + "Content-Length: 99999\r\n\r\n" + strings.Repeat("x", 99999), "HTTP/1.1 400"},
		"a bare line feed": {"POST /u/" + ticket + " HTTP/1.1\nHost: x\nContent-Length: 3\n\nabc", "HTTP/1.1 400"},
		"no host": {"POST /u/" + ticket + " HTTP/1.1\r\nContent-Length: 26\r\n\r\n" + oneClick,
			"HTTP/1.1 400"},
		"a bad header":     {head + "Bad Header: x\r\n\r\n", "HTTP/1.1 400"},
		"another protocol": {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400"},
		"a path upwards": {"POST /u/../u/" + ticket[:5] + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 30"},
		"an address as path": {"POST http://else.example/u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", h.web)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			io.WriteString(c, v.said)
			line, _ := bufio.NewReader(c).ReadString('\n')
			if !strings.HasPrefix(line, v.want) {
				t.Errorf("got %q, want %q", line, v.want)
			}
		})
	}
	t.Cleanup(func() {
		h.wants("")
		if code, _ := h.ask("POST", "/u/"+ticket, form, oneClick); code != 200 {
			t.Errorf("afterwards: got %d", code)
		}
	})
}

// A server whose time is over before it listens ends.
func TestServeEndsAtOnce(t *testing.T) {
	h := start(t, nil)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for range 50 {
		s, err := New(h.cfg)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve(over, listen(t), listen(t)) }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("it does not end")
		}
	}
}
