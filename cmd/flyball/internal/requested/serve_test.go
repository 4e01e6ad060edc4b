package requested

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/requests"
)

// keep writes the folder of a live run as the run does, and returns it.
func keep(t *testing.T, key mail.Key) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "news")
	if err := durable.Files(dir).Make(); err != nil {
		t.Fatal(err)
	}
	log, _, err := durable.OpenLog(filepath.Join(dir, "mailing"), "flyball mailing 2 abc", true)
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(map[string]any{"date": time.Now(), "secret": key})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(line); err != nil {
		t.Fatal(err)
	}
	log.Close()
	return dir
}

// box is a mail server that keeps what it gets.
type box struct{ got chan string }

func (b *box) NewSession(*smtp.Conn) (smtp.Session, error) { return b, nil }
func (*box) Reset()                                        {}
func (*box) Logout() error                                 { return nil }
func (*box) Mail(from string, _ *smtp.MailOptions) error {
	if from != "" {
		return fmt.Errorf("got sender %s", from)
	}
	return nil
}
func (*box) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (b *box) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	b.got <- string(text)
	return err
}

// A recipient leaves by the link and by mail, an address is added by the form and the mail that confirms it, and both
// are shown while the server runs and after it.
func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &box{make(chan string, 10)}
	via := smtp.NewServer(b)
	go via.Serve(l)
	defer via.Close()
	key := mail.Key{1}
	q := Serve{Web: "127.0.0.1:0", Mail: "127.0.0.1:0", Mailings: []string{keep(t, key)}, Name: "Good News",
		State: filepath.Join(t.TempDir(), "members"), Via: l.Addr().String(), From: "news@sender.example",
		URL: "https://sender.example/u", Expire: 30 * vt.Day, PerNetwork: 20, PerDay: 1000}
	at := make(chan [2]string, 1)
	q.Begun = func(web, mail string) { at <- [2]string{web, mail} }
	events := make(chan requests.Event, 100)
	q.Tell = func(e requests.Event) { events <- e }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- q.Do(ctx) }()
	var where [2]string
	select {
	case where = <-at:
	case err := <-done:
		t.Fatal(err)
	}
	ticket := func(r mail.Recipient) string {
		return string(key.AppendTicket(nil, mail.Ticket{Purpose: mail.ToLeave, Job: key.Mark(), Rcpt: r,
			Number: uint32(time.Now().Unix() / 86400)}))
	}
	page := func(path string, form url.Values) string {
		r, err := http.PostForm("http://"+where[0]+path, form)
		if form == nil {
			r, err = http.Get("http://" + where[0] + path)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%s: %s %v\n%s", path, r.Status, err, text)
		}
		return string(text)
	}
	page("/u/"+ticket(3), url.Values{"List-Unsubscribe": {"One-Click"}})
	c, err := smtp.Dial(where[1])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SendMail("ann@there.example", []string{"unsubscribe+" + ticket(5) + "@sender.example"},
		strings.NewReader("\r\n")); err != nil {
		t.Fatal(err)
	}
	stamp := regexp.MustCompile(`name="stamp" value="(\w+)"`).FindStringSubmatch(page("/u/", nil))[1]
	time.Sleep(2100 * time.Millisecond) // a person fills in the form
	page("/u/", url.Values{"stamp": {stamp}, "address": {"ann@there.example"}, "ask": {"add"}})
	link := regexp.MustCompile(`https://sender\.example(/u/\w+)`).FindStringSubmatch(<-b.got)
	page(link[1], url.Values{"confirm": {"yes"}})
	for _, want := range []requests.Kind{requests.Left, requests.Left, requests.Asked, requests.Returned} {
		if e := <-events; e.Kind != want {
			t.Errorf("got %+v, want %s", e, want)
		}
	}
	for _, running := range []bool{true, false} {
		if !running {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		s, err := Show{Mailings: q.Mailings, State: q.State}.Do()
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := s.Text(&text, false); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(s.Mailings, s.Added, s.Deleted); got != "[{news [3 5] []}] [ann@there.example] []" ||
			!strings.Contains(text.String(), "3 5") || !strings.Contains(text.String(), "added ann@there.example") {
			t.Errorf("running %v: got %s\n%s", running, got, text.String())
		}
	}
}
