package serve

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/cmd/flyball/internal/sites"
	"flyball/internal/durable"
	"flyball/internal/longtest"
	"flyball/realrun/journal"
	"flyball/realrun/response"
)

// inboxes is a receiver that takes all mail and keeps it.
type inboxes struct {
	mu  sync.Mutex
	got map[string]letterFrom // by address; the last one
	n   map[string]int        // number of all, by address
}

func (b *inboxes) count(address string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n[address]
}

type letterFrom struct{ from, text string }

// takesMail starts a receiver, and returns where it listens.
func takesMail(t *testing.T) (*inboxes, string) {
	t.Helper()
	b := &inboxes{got: map[string]letterFrom{}, n: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &taking{of: b}, nil }))
	s.Domain, s.ErrorLog = "receiver.example", log.New(io.Discard, "", 0)
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return b, l.Addr().String()
}

type taking struct {
	of       *inboxes
	from, to string
}

func (s *taking) Reset()        {}
func (s *taking) Logout() error { return nil }

func (s *taking) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *taking) Rcpt(to string, _ *smtp.RcptOptions) error   { s.to = to; return nil }

func (s *taking) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.got[s.to] = letterFrom{s.from, string(text)}
	s.of.n[s.to]++
	return err
}

// links returns the addresses of a message that lead to servers of the site, each once, by the path that they begin
// with.
func (b *inboxes) links(to string) map[string][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.NewReplacer("=\r\n", "", "\r\n ", " ").Replace(b.got[to].text)
	all := map[string][]string{}
	for _, m := range regexp.MustCompile(`https://news\.example(/[ocu]/)([a-z0-9]+)`).FindAllStringSubmatch(text, -1) {
		if path := m[1] + m[2]; !slices.Contains(all[m[1]], path) {
			all[m[1]] = append(all[m[1]], path)
		}
	}
	return all
}

const site9 = `schema_version = 1
name = "nine"
scenario = "quickstart"
receiver = %q
[[station]]
role = "hybrid"
number = 1
listen = "127.0.0.1:0"
mail = "127.0.0.1:0"
[[station]]
role = "b"
number = 1
[[station]]
role = "response"
listen = "127.0.0.1:0"
[[station]]
role = "c"
listen = "127.0.0.1:0"
domain = "returns.example"
hard = 1
[[station]]
role = "d"
listen = "127.0.0.1:0"
mail = "127.0.0.1:0"
domain = "news.example"
[[station]]
role = "a"
`

// running is a site under way.
type running struct {
	*sites.Site
	*Process
	end func()
}

// play runs all stations of a site until end is called.
func play(t *testing.T, s *sites.Site) *running {
	t.Helper()
	p, err := Open(t.Context(), s, quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	end := sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return &running{s, p, end}
}

// until waits for what a site comes to.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// reported waits until the report of a mailing is in the folder reports of a folder.
func reported(t *testing.T, dir string, job int) {
	t.Helper()
	until(t, fmt.Sprintf("the report of mailing %d", job), func() bool {
		_, err := os.Stat(filepath.Join(dir, "reports", fmt.Sprintf("mailing-%d.json", job)))
		return err == nil
	})
}

// ask makes a request, and returns the status of the answer and where it leads.
func ask(t *testing.T, method, url, body, agent string) (code int, leads string) {
	t.Helper()
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("User-Agent", agent)
	if body != "" {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	a, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	io.Copy(io.Discard, a.Body)
	return a.StatusCode, a.Header.Get("Location")
}

// facts returns the number of facts of a station.
func (r *running) facts(t *testing.T, name string) int {
	t.Helper()
	v, _ := r.Named(name)
	had, err := journal.Read(durable.Files(v.Folder), r.JournalID(v))
	if err != nil {
		t.Fatal(err)
	}
	return len(had.Entries)
}

const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// Figures 9 and 11: whatever comes back comes to a hybrid, and the server behind it does what it does without one.
// Programs that follow every link again and again change nothing; a person's click and open count once each.
func TestSiteBehindAHybrid(t *testing.T) {
	received, at := takesMail(t)
	dir := t.TempDir()
	write(t, dir, "page.html", `<html><body><p>See <a href="https://shop.example/1">one</a> and `+
		`<a href="https://shop.example/2">two</a>.</p></body></html>`)
	letter := write(t, dir, "letter.txt", "From: news@news.example\nSubject: Hello\nHTML: page.html\n"+
		"List-Unsubscribe: https://news.example/u\nResponses: https://news.example clicks opens trap\n\nHello.\n")
	list := write(t, dir, "people.csv", "email\nann@big.example\nbob@big.example\ncid@big.example\ndan@big.example\n")
	s, err := sites.Load(write(t, dir, "site.toml", fmt.Sprintf(site9, at)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(sites.Submission{List: list, Letter: letter}); err != nil {
		t.Fatal(err)
	}
	r := play(t, s)
	until(t, "the mailing is reported", func() bool {
		all, _, err := s.Accounts()
		return err == nil && len(all) == 1 && all[0].Told
	})
	barred := func() int {
		_, n, err := s.Accounts()
		if err != nil {
			t.Fatal(err)
		}
		return len(n)
	}

	// A scanner's looks.
	web := "http://" + r.Listens("hybrid1", "listen")
	ann := received.links("ann@big.example")
	if len(ann["/c/"]) != 3 || len(ann["/o/"]) != 1 || len(ann["/u/"]) != 1 {
		t.Fatalf("got the links %v, want two links, a trap, a picture and one to leave", ann)
	}
	before := []int{r.facts(t, "a"), r.facts(t, "d")}
	looks := longtest.Or(50, 1000)
	for range looks {
		for _, paths := range ann {
			for _, path := range paths {
				if code, _ := ask(t, http.MethodGet, web+path, "", "scanner/1.0"); code >= 400 {
					t.Fatalf("GET %s: got %d", path, code)
				}
				ask(t, http.MethodHead, web+path, "", browser)
			}
		}
	}
	if after := []int{r.facts(t, "a"), r.facts(t, "d")}; !slices.Equal(after, before) || barred() != 0 {
		t.Errorf("looks made facts: got %v, want %v, and %d barred", after, before, barred())
	}

	// A person's look and click: where it leads stands in no request.
	bob := received.links("bob@big.example")
	if code, _ := ask(t, http.MethodGet, web+bob["/o/"][0], "", browser); code != http.StatusOK {
		t.Errorf("a picture: got %d", code)
	}
	if code, leads := ask(t, http.MethodGet, web+bob["/c/"][0], "", browser); code != http.StatusFound ||
		leads != "https://shop.example/1" {
		t.Errorf("a click: got %d to %q", code, leads)
	}
	forged := bob["/c/"][0][:len(bob["/c/"][0])-1] + "b"
	if code, leads := ask(t, http.MethodGet, web+forged+"?to=https://evil.example", "", browser); code != 404 {
		t.Errorf("a forged click: got %d to %q", code, leads)
	}

	// One leaves by one click, one by mail, and one's mail is returned: all of it comes to the hybrid alone.
	cid := received.links("cid@big.example")
	if code, _ := ask(t, http.MethodPost, web+cid["/u/"][0], "List-Unsubscribe=One-Click", ""); code != http.StatusOK {
		t.Errorf("a request to leave: got %d", code)
	}
	until(t, "the one who left is barred", func() bool { return barred() == 1 })
	post := r.Listens("hybrid1", "mail")
	dan := received.links("dan@big.example")
	mailed := func(to, text string) error {
		conn, err := net.Dial("tcp", post)
		if err != nil {
			return err
		}
		c := smtp.NewClient(conn)
		defer c.Close()
		return c.SendMail("dan@big.example", []string{to}, strings.NewReader(text))
	}
	if err := mailed("unsubscribe+"+strings.TrimPrefix(dan["/u/"][0], "/u/")+"@news.example",
		"From: dan@big.example\r\nSubject: leave\r\n\r\n\r\n"); err != nil {
		t.Errorf("a request by mail: %v", err)
	}
	until(t, "the one who left by mail is barred", func() bool { return barred() == 2 })
	report := "From: MAILER-DAEMON@big.example\r\nSubject: failure notice\r\n\r\n" +
		"<bob@big.example>:\r\n550 5.1.1 no such user\r\n"
	if err := mailed(received.got["bob@big.example"].from, report); err != nil {
		t.Errorf("returned mail: %v", err)
	}
	until(t, "the one whose mail was returned is barred", func() bool { return barred() == 3 })
	if err := mailed("postmaster@elsewhere.example", report); err == nil {
		t.Error("mail to another domain is relayed")
	}
	wantFigures(t, figures(t, r.Process), map[string]int{
		`flyball_forwarded_total{station="hybrid1",kind="mail",result="forwarded"}`:  2,
		`flyball_forwarded_total{station="hybrid1",kind="mail",result="refused"}`:    1,
		`flyball_forwarded_total{station="hybrid1",kind="open",result="forwarded"}`:  2*looks + 1,
		`flyball_forwarded_total{station="hybrid1",kind="click",result="forwarded"}`: 3*2*looks + 2,
		`flyball_forwarded_total{station="hybrid1",kind="[a-z]+",result="failed"}`:   0,
		`flyball_backend_failures_total{station="hybrid1",backend="[a-z]+"}`:         0,
	})

	// What was counted, when the time of all verdicts has come. What a client did 200 times is not written down again.
	r.end()
	if all := answered(t, s); all.Unjudged == 0 || all.Opens != (sites.Tally{}) {
		t.Errorf("got %+v, want verdicts that wait", all)
	}
	v, _ := s.Named("response")
	judgeLater(t, v.Folder)
	all := answered(t, s)
	if all.Opens.Human != 1 || all.Openers != 1 || all.Clicks.Human != 1 || all.Clickers != 1 || all.Unjudged != 0 ||
		len(all.Links) != 2 || all.Links[0].Human != 1 || all.Links[1].Human != 0 || all.Trapped == 0 ||
		all.Clicks.Machine+all.Opens.Machine < 200 {
		t.Errorf("got %+v, want one open and one click by a human", all)
	}
}

// answered returns what the site has counted of its first mailing.
func answered(t *testing.T, s *sites.Site) sites.Responses {
	t.Helper()
	st, err := s.Status()
	if err != nil || len(st.Responses) != 1 || st.Responses[0].Job != 1 {
		t.Fatalf("got %+v, %v, want the responses of one mailing", st, err)
	}
	return st.Responses[0]
}

// judgeLater runs a response server an hour later.
func judgeLater(t *testing.T, folder string) {
	t.Helper()
	cfg := response.Default(folder)
	cfg.Now = func() time.Time { return time.Now().Add(time.Hour) }
	server, err := response.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := server.Serve(ctx, l); err != nil {
		t.Error(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}
