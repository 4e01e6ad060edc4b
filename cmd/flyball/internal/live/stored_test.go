package live

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/lists"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/requests"
)

// holding is an SMTP server that holds the dialogue about one recipient, and keeps whose messages it has whole.
type holding struct {
	who      string
	held     chan struct{} // closed when the recipient comes
	released chan struct{}
	once     sync.Once
	mu       sync.Mutex
	got      []string
}

func (h *holding) NewSession(*smtp.Conn) (smtp.Session, error) { return &heldSession{of: h}, nil }

type heldSession struct {
	of *holding
	to string
}

func (*heldSession) Mail(string, *smtp.MailOptions) error { return nil }
func (*heldSession) Reset()                               {}
func (*heldSession) Logout() error                        { return nil }

func (s *heldSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	if to == s.of.who {
		s.of.once.Do(func() { close(s.of.held) })
		<-s.of.released
	}
	return nil
}

func (s *heldSession) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.got = append(s.of.got, s.to)
	return nil
}

// A recipient who leaves by one click while the message is on its way does not get it, and the run says so. The others
// get theirs, with a link of their own (RFC 8058).
func TestLeavesDuringTheRun(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	h := &holding{who: "bob@good.example", held: make(chan struct{}), released: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	receiver := smtp.NewServer(h)
	go receiver.Serve(listener)
	defer receiver.Close()
	q := Default()
	q.From.Arg, q.List = file("held.toml", heldScenario),
		file("people.csv", "email\nann@good.example\nbob@good.example\ncid@good.example\n")
	q.Template = file("letter.txt", "From: news@sender.example\nSubject: s\n"+
		"List-Unsubscribe: https://sender.example/u\n\nHello.\n")
	q.Receiver, q.Dir, q.Keep = listener.Addr().String(), filepath.Join(dir, "run"), task.KeepYes
	q.State = filepath.Join(dir, "state")
	clicked := func() error {
		_, key, err := kept.ReturnPaths(q.State)
		if err != nil {
			return err
		}
		desk, err := requests.OpenFolder(kept.Requests(q.State), key, false)
		if err != nil {
			return err
		}
		defer desk.Close()
		cfg := requests.Default()
		cfg.Jobs = []requests.Job{{Name: "news", Key: key, Desk: desk.Desk}}
		s, err := requests.New(cfg)
		if err != nil {
			return err
		}
		web, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		go s.Serve(t.Context(), web, nil)
		ticket := key.AppendTicket(nil, mail.Ticket{Purpose: mail.ToLeave, Job: key.Mark(), Rcpt: 1,
			Number: uint32(time.Now().Unix() / 86400)})
		r, err := http.PostForm(fmt.Sprintf("http://%s/u/%s", web.Addr(), ticket),
			url.Values{"List-Unsubscribe": {"One-Click"}})
		if err == nil && r.StatusCode != 200 {
			err = errors.New(r.Status)
		}
		return err
	}
	go func() {
		defer close(h.released)
		<-h.held
		if err := clicked(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // ten times what the gate may need, for a busy machine
	}()
	out, err := q.Do(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(h.got)
	if want := []string{"ann@good.example", "cid@good.example"}; !slices.Equal(h.got, want) {
		t.Errorf("mailed %q, want %q", h.got, want)
	}
	if out.Report.Totals.Suppressed != 1 {
		t.Errorf("%d suppressed, want 1", out.Report.Totals.Suppressed)
	}
}

const heldScenario = `schema_version = 1
name = "held"
[governor]
law = "hold"
start = 1
[[destination]]
name = "all"
domain = "good.example"
[[campaign]]
name = "c"
recipients = 4
`

// A recipient whom another process suppresses while the message is on its way does not get it: the last gate stops the
// final dot. The others get theirs, and the run says who was suppressed.
func TestSuppressedByAnotherProcess(t *testing.T) {
	if place := os.Getenv("FLYBALL_SUPPRESS_IN"); place != "" {
		q := lists.Suppress{Place: place, Entries: []string{"BOB@good.example"}}
		if _, err := q.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	place := "sqlite:" + filepath.Join(dir, "lists.db")
	in := lists.Import{Place: place + "#people", File: file("people.csv",
		"email\nann@good.example\nbob@good.example\ncid@good.example\ndan@good.example\n")}
	if _, err := in.Do(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := (&lists.Suppress{Place: place, Entries: []string{"dan@good.example"}}).Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &holding{who: "bob@good.example", held: make(chan struct{}), released: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	receiver := smtp.NewServer(h)
	go receiver.Serve(listener)
	defer receiver.Close()
	go func() {
		defer close(h.released)
		<-h.held
		c := exec.Command(os.Args[0], "-test.run", "^TestSuppressedByAnotherProcess$")
		c.Env = append(os.Environ(), "FLYBALL_SUPPRESS_IN="+place)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		time.Sleep(time.Second) // ten times what the gate may need, for a busy machine
	}()
	q := Default()
	q.From.Arg, q.List = file("held.toml", heldScenario), place+"#people"
	q.Receiver, q.Dir, q.Keep = listener.Addr().String(), filepath.Join(dir, "run"), task.KeepYes
	if _, err := q.Do(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "want --state too") {
		t.Errorf("without a gate: %v", err)
	}
	q.State = filepath.Join(dir, "state")
	out, err := q.Do(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Write(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(h.got)
	if want := []string{"ann@good.example", "cid@good.example"}; !slices.Equal(h.got, want) {
		t.Errorf("mailed %q, want %q", h.got, want)
	}
	text, err := os.ReadFile(filepath.Join(q.Dir, "recipients.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"bob", "dan"} {
		if !slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
			return strings.HasPrefix(line, who+"@") && strings.Contains(line, "suppressed")
		}) {
			t.Errorf("%s is not suppressed in %s", who, text)
		}
	}
	if out.Report.Totals.Suppressed != 2 {
		t.Errorf("%d suppressed, want 2", out.Report.Totals.Suppressed)
	}
	history, err := lists.History(t.Context(), place, "bob@good.example")
	if err != nil || len(history.Rows) != 1 || history.Rows[0][5] != "suppressed" {
		t.Errorf("%+v, %v", history, err)
	}
	// The mailing is over: going on with it mails no recipient.
	q.Resume = true
	if _, err := q.Do(t.Context(), nil); err != nil && !errors.As(err, new(task.Error)) {
		t.Error(err)
	}
	if len(h.got) != 2 {
		t.Errorf("mailed %q", h.got)
	}
}
