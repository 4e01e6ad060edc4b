package live

import (
	"encoding/csv"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/miekg/dns"

	"flyball/cmd/flyball/internal/task"
)

// mailboxes is an SMTP server that takes all mail and keeps its recipients.
type mailboxes struct {
	mu  sync.Mutex
	got []string
}

func (m *mailboxes) NewSession(*smtp.Conn) (smtp.Session, error) { return (*mailbox)(m), nil }

// mailbox is a session.
type mailbox mailboxes

func (*mailbox) Mail(string, *smtp.MailOptions) error { return nil }
func (*mailbox) Reset()                               {}
func (*mailbox) Logout() error                        { return nil }

func (m *mailbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = append(m.got, to)
	return nil
}

func (*mailbox) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// With --resolver, mail goes to the exchangers that a name server has: the second one
// if the first is down, those behind an alias, and the domain itself if it has none.
// A domain without mail or without existence fails at once; one that the server cannot
// find out about is tried again.
func TestMailFollowsTheNameServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := &mailboxes{}
	receiver := smtp.NewServer(taken)
	go receiver.Serve(listener)
	defer receiver.Close()

	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	zone := map[string]string{
		"good.example. MX":     "good.example. 60 IN MX 10 mx.good.example.",
		"mx.good.example. A":   "mx.good.example. 60 IN A 127.0.0.1",
		"second.example. MX":   "second.example. 60 IN MX 1 down.example.\nsecond.example. 60 IN MX 2 mx.good.example.",
		"down.example. A":      "down.example. 60 IN A 127.0.0.2", // nothing listens there
		"alias.example. MX":    "alias.example. 60 IN CNAME good.example.\ngood.example. 60 IN MX 10 mx.good.example.",
		"implicit.example. A":  "implicit.example. 60 IN A 127.0.0.1",
		"null.example. MX":     "null.example. 60 IN MX 0 .",
		"far.example. MX":      "far.example. 60 IN MX 10 mx.far.example.",
		"mx.far.example. A":    "mx.far.example. 60 IN A 192.0.2.1", // off loopback
		"implicit.example. MX": "", "mx.good.example. AAAA": "", "down.example. AAAA": "", "implicit.example. AAAA": "",
		"mx.far.example. AAAA": "",
	}
	var mu sync.Mutex
	asked := map[string]int{}
	names := &dns.Server{PacketConn: udp, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		q := question.Question[0]
		key := q.Name + " " + dns.TypeToString[q.Qtype]
		mu.Lock()
		asked[key]++
		mu.Unlock()
		text, ok := zone[key]
		answer := new(dns.Msg)
		answer.SetReply(question)
		switch {
		case q.Name == "broken.example.":
			answer.Rcode = dns.RcodeServerFailure
		case !ok:
			answer.Rcode = dns.RcodeNameError
		}
		for line := range strings.Lines(text) {
			rr, err := dns.NewRR(line)
			if err != nil {
				t.Error(err)
			}
			answer.Answer = append(answer.Answer, rr)
		}
		w.WriteMsg(answer)
	})}
	go names.ActivateAndServe()
	defer names.Shutdown()

	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	scenario := file("routes.toml", `schema_version = 1
name = "routes"
[governor]
law = "hold"
start = 1
[retry]
limit = 1
delays = ["1s"]
[[destination]]
name = "all"
domain = "good.example"
domains = ["*.example"]
[[campaign]]
name = "c"
recipients = 10
`)
	want := map[string]string{"ann@good.example": "delivered", "abe@second.example": "delivered",
		"cid@alias.example": "delivered", "dan@implicit.example": "delivered", "eve@null.example": "failed",
		"fay@missing.example": "failed", "gus@broken.example": "failed", "hal@far.example": "not-allowed"}
	tries := map[string]string{"abe@second.example": "1", "eve@null.example": "1", "fay@missing.example": "1",
		"gus@broken.example": "2",
		"hal@far.example":    "0"}
	var list []string
	for to := range want {
		list = append(list, to)
	}
	slices.Sort(list)
	q := Default()
	q.From.Arg, q.List = scenario, file("list.csv", "email\n"+strings.Join(list, "\n")+"\n")
	q.Resolver, q.Port = udp.LocalAddr().String(), listener.Addr().(*net.TCPAddr).Port
	q.Scale, q.Dir, q.Keep = 20, filepath.Join(dir, "run"), task.KeepYes // an answer may take a quarter of a second
	out, err := q.Do(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Write(); err != nil {
		t.Fatal(err)
	}
	if out.Astray == nil || !strings.Contains(out.Astray.Error(), "192.0.2.1:") {
		t.Errorf("got %v, want a word on the exchanger that is not on loopback", out.Astray)
	}
	text, err := os.ReadFile(filepath.Join(q.Dir, "recipients.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if row[3] != want[row[0]] || tries[row[0]] != "" && row[4] != tries[row[0]] {
			t.Errorf("%s ended %s after %s tries, want %s after %s", row[0], row[3], row[4], want[row[0]],
				tries[row[0]])
		}
		delete(want, row[0])
	}
	if len(want) > 0 {
		t.Errorf("no rows for %v", want)
	}
	slices.Sort(taken.got)
	if got := strings.Join(taken.got,
		" "); got != "abe@second.example ann@good.example cid@alias.example dan@implicit.example" {
		t.Errorf("the receiver has mail for %s", got)
	}
	if asked["null.example. A"] > 0 || asked["mx.good.example. A"] != 1 {
		t.Errorf("asked %v, want the address of the common exchanger once, and none of a domain without mail", asked)
	}
	lines := []string{"Look-ups: ", "2 attempts of domains that take no mail, the first: 5.1.",
		"2 attempts without a useful answer of the name server, the first: 4.4.3 no useful answer about broken.example"}
	if runtime.GOOS == "linux" {
		lines = append(lines, "Round trips: ")
	}
	for _, begin := range lines {
		if !slices.ContainsFunc(out.Words, func(line string) bool { return strings.HasPrefix(line, begin) }) {
			t.Errorf("got %q, want a line that begins with %q", out.Words, begin)
		}
	}
}

// Whatever does not fit together is refused before anything is dialled.
func TestRoutesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		ask  func(*Run)
		kind task.Kind
		want string
	}{
		{func(q *Run) { q.Receiver, q.Resolver = "127.0.0.1:1", "127.0.0.1:2" }, task.Usage,
			"--resolver: got --receiver too, want one of them"},
		{func(q *Run) { q.Resolver, q.Port = "127.0.0.1:1", 65536 }, task.Usage, "--port: got 65536, want 1 to 65535"},
		{func(q *Run) { q.Resolver = "192.0.2.1:53" }, task.Refused, "--resolver: refused for safety"},
		{func(q *Run) { q.Resolver = "localhost:53" }, task.Refused, "--resolver: refused for safety"},
		{func(q *Run) { q.Resolver = "127.0.0.1" }, task.Usage, `--resolver: got "127.0.0.1", want IP:PORT`},
		{func(q *Run) { q.Receiver = "[127.0.0.1]:25" }, task.Usage, "--receiver: "},
	} {
		q := Default()
		q.From.Arg, q.Dir = "quickstart", filepath.Join(t.TempDir(), "run")
		c.ask(&q)
		_, err := q.Do(t.Context(), nil)
		var e task.Error
		if !errors.As(err, &e) || e.Kind != c.kind || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want kind %d: %s", err, c.kind, c.want)
		}
	}
}
