package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/miekg/dns"

	"flyball/internal/testport"
	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// letterbox is a receiver that keeps what came, or refuses all recipients.
type letterbox struct {
	mu      sync.Mutex
	refuses bool
	rcpts   int // that were offered
	got     []delivered
}

type delivered struct{ hello, from, to, text string }

func (b *letterbox) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &inSession{of: b, conn: c}, nil
}

func (b *letterbox) all() []delivered {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

func (b *letterbox) offered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rcpts
}

func (b *letterbox) refuse(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuses = on
}

type inSession struct {
	of   *letterbox
	conn *smtp.Conn
	d    delivered
}

func (*inSession) Reset()        {}
func (*inSession) Logout() error { return nil }

func (s *inSession) Mail(from string, _ *smtp.MailOptions) error {
	s.d = delivered{hello: s.conn.Hostname(), from: from}
	return nil
}

func (s *inSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.rcpts++
	if s.d.to = to; s.of.refuses {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	return nil
}

func (s *inSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.d.text = string(text)
	s.of.got = append(s.of.got, s.d)
	return err
}

// peopleSite is a site that mails people at domains whose exchanger, by a name server on loopback, is a receiver on
// loopback.
type peopleSite struct {
	box         *letterbox
	dir         string
	file, text  string // of the site
	list, names string
}

func (p *peopleSite) in(name string) string { return filepath.Join(p.dir, name) }

func (p *peopleSite) write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(p.in(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p.in(name)
}

// status returns what serve status prints as JSON.
func (p *peopleSite) status(t *testing.T) string {
	t.Helper()
	code, out, errout := invoke(t, "serve", "status", p.file, "--json")
	if code != 0 {
		t.Fatal(code, out, errout)
	}
	return out
}

// mailsPeople writes a site of one process with two B servers, whose allowlist has caps and breakers.
func mailsPeople(t *testing.T, caps, breakers string, rows ...string) *peopleSite {
	t.Helper()
	p := &peopleSite{box: &letterbox{}, dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	receiver := smtp.NewServer(p.box)
	go receiver.Serve(l)
	t.Cleanup(func() { receiver.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p.names = nameServer(t, "partner.org", "far.org")

	p.write(t, "scenario.toml", `schema_version = 1
name = "people"

[message]
from = "news@sender.com"

[[server]]
name = "b1"

[[server]]
name = "b2"

[[destination]]
name = "partner"
domain = "partner.org"

[[destination]]
name = "far"
domain = "far.org"

[[campaign]]
name = "news"
recipients = 1
`)
	p.write(t, "allow.toml", fmt.Sprintf(`schema_version = 1
sender = "sender.com"
name_servers = [%q]
allow = [{ networks = ["127.0.0.1"], ports = [%s], domains = ["partner.org"] },
  { networks = ["127.0.0.1"], ports = [1], domains = ["far.org"] }]
caps = { %s }
breakers = { %s }
`, p.names, port, caps, breakers))
	p.promote(t, "p.jsonl", scenarios.Default())
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "dkim.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
	p.write(t, "letter.txt", "From: news@sender.com\nSubject: Hello\n\nHello.\n")
	p.write(t, "strange.txt", "From: news@stranger.com\nSubject: Hello\n\nHello.\n")
	p.list = p.write(t, "people.csv", "email\n"+strings.Join(rows, "\n")+"\n")
	p.text = fmt.Sprintf(`schema_version = 1
name = "people"
scenario = "scenario.toml"
resolver = %q
port = %s

[outside]
allow = "allow.toml"
promotion = "p.jsonl"

[smtp]
dkim = "dkim.pem"
selector = "s1"

[sending]
chunk = 0
check = "100ms"
lease = "1s"

[[station]]
role = "a"

[[station]]
role = "b"
number = 1
hello = "mx1.sender.com"

[[station]]
role = "b"
number = 2

[[station]]
role = "c"
listen = "127.0.0.1:0"
domain = "bounces.sender.com"

[[station]]
role = "d"
listen = "127.0.0.1:0"
url = "https://news.sender.com/u"
`, p.names, port)
	p.file = p.write(t, "site.toml", p.text)
	return p
}

// promote writes a record of the parameters of a scenario.
func (p *peopleSite) promote(t *testing.T, name string, s scenarios.Scenario) {
	t.Helper()
	if _, err := promotion.Add(p.in(name), "", promotion.Record{By: "ann", Shown: promotion.Shown{
		Scenario: "quickstart", Replications: 10}, Parameters: string(s.Parameters().TOML())}, time.Now,
		time.Hour); err != nil {
		t.Fatal(err)
	}
}

// nameServer starts a name server on loopback by which this computer is the exchanger of domains, and returns where it
// listens.
func nameServer(t *testing.T, domains ...string) string {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: udp, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, asked *dns.Msg) {
		q := asked.Question[0]
		answer := new(dns.Msg)
		answer.SetReply(asked)
		text := ""
		switch domain := strings.TrimSuffix(q.Name, "."); {
		case q.Qtype == dns.TypeMX && slices.Contains(domains, domain):
			text = q.Name + " 60 IN MX 10 mx." + q.Name
		case q.Qtype == dns.TypeA && strings.HasPrefix(domain, "mx."):
			text = q.Name + " 60 IN A 127.0.0.1"
		case q.Qtype == dns.TypeAAAA && strings.HasPrefix(domain, "mx."):
		default:
			answer.Rcode = dns.RcodeNameError
		}
		if text != "" {
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Error(err)
			}
			answer.Answer = append(answer.Answer, rr)
		}
		w.WriteMsg(answer)
	})}
	go s.ActivateAndServe()
	t.Cleanup(func() { s.Shutdown() })
	return udp.LocalAddr().String()
}

// A site mails people only with an allowlist, a promotion, and the number of recipients; what is missing or does not
// fit is refused with where, what was got and what is wanted.
func TestSiteMailsPeopleWithEverythingGiven(t *testing.T) {
	p := mailsPeople(t, "per_day = 100, per_second = 100", "", "ann@partner.org", "bob@partner.org",
		"cid@elsewhere.net")
	p.write(t, "small.toml", strings.Replace(read(t, p.in("allow.toml")), "per_second = 100", "per_second = 1", 1))
	for _, v := range []struct {
		old, new string
		code     int
		words    string
	}{
		{"promotion = \"p.jsonl\"\n", "", exitRefused, "outside.promotion: got none, want the records"},
		{"[outside]\nallow = \"allow.toml\"\npromotion = \"p.jsonl\"\n", "", exitRefused,
			`bounces.sender.com`},
		{"allow.toml", "small.toml", exitRefused,
			"outside.allow: got 100 attempts a day and 1 a second, want one or more for each of 2 B servers"},
		{"mx1.sender.com", "mx1.stranger.com", exitRefused,
			`station[1].hello: refused for safety: got domain "mx1.stranger.com", want a reserved one, or`},
		{"bounces.sender.com", "stranger.com", exitRefused, "station[3].domain: refused for safety"},
		{p.names, "192.0.2.53:53", exitRefused, "resolver: refused for safety: got 192.0.2.53:53, want an address " +
			"and port that"},
		{"resolver =", "receiver = \"127.0.0.1:25\"\nresolver =", exitInvalid, "got a receiver too, want one"},
		{"schema_version = 1\n", "schema_version = 1\nset = [\"governor.start=7\"]\n", exitInvalid,
			`set[0]: got "governor.start=7" and outside.promotion`},
		{"dkim.pem", "none.pem", exitUsage, "smtp.dkim: open"},
		{"selector = \"s1\"\n", "", exitInvalid, "smtp.selector: got \"\" and the key"},
		{"https://news", "http://news", exitInvalid, "want an address such as https://news.example/u"},
		{"", "", 0, "Missing: a promotion for scenario people: the one in force was shown on quickstart"},
		{"", "", 0, "b1: EHLO mx1.sender.com; 50 attempts a day, 50 a second"},
	} {
		file := p.write(t, "other.toml", strings.Replace(p.text, v.old, v.new, 1))
		code, out, errout := invoke(t, "serve", file, "--check")
		if code != v.code || !strings.Contains(out+errout, v.words) {
			t.Errorf("%q instead of %q: exit code %d, want %d: %s%s\nwant %s", v.new, v.old, code, v.code, out, errout,
				v.words)
		}
	}
	for _, v := range []struct {
		args  []string
		code  int
		words string
	}{
		{nil, exitRefused, "--count: got none, want 2, the number of recipients"},
		{[]string{"--count", "3"}, exitRefused, "--count: got 3, want 2"},
		{[]string{"--count", "2", "--letter", p.in("strange.txt")}, exitRefused, `got domain "stranger.com"`},
		{[]string{"--count", "2", "--letter", p.in("letter.txt")}, 0, "3 rows = 2 accepted + 1 rejected"},
	} {
		code, out, errout := invoke(t, append([]string{"serve", "submit", p.file, "--list", p.list}, v.args...)...)
		if waiting := strings.Count(p.status(t), `Z-`); code != v.code || !strings.Contains(out+errout, v.words) ||
			waiting != map[bool]int{true: 1, false: 0}[v.code == 0] {
			t.Errorf("submit %q: exit code %d, want %d, %d mailings wait: %s%s\nwant %s", v.args, code, v.code,
				waiting, out, errout, v.words)
		}
	}
	if len(p.box.all()) > 0 || p.box.offered() > 0 {
		t.Error("something was sent")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// By the receiver's ledger the caps hold for all B servers together and over kill -9; messages are signed, come from
// the sender's names, and let recipients leave at the D server; who has no allowed exchanger gets nothing.
func TestSiteKeepsItsCaps(t *testing.T) {
	const day = 6
	p := mailsPeople(t, fmt.Sprintf("per_day = %d, per_second = 100", day), "", "far@far.org", "a@partner.org",
		"b@partner.org", "c@partner.org", "d@partner.org", "e@partner.org", "f@partner.org", "g@partner.org")
	if code, out, errout := invoke(t, "serve", "submit", p.file, "--list", p.list, "--letter", p.in("letter.txt"),
		"--count", "8"); code != 0 {
		t.Fatal(code, out, errout)
	}
	for run := range 2 {
		s := begin(t, "serve", p.file)
		s.until(t, "used up caps", func() bool { return strings.Count(s.text(), "caps.per_day: got 3 attempts") >= 2 })
		if run == 1 {
			time.Sleep(300 * time.Millisecond)
		}
		s.Process.Kill()
		<-s.over
	}
	status := p.status(t)
	got := p.box.all()
	if n := p.box.offered(); n > day || len(got) != n || len(got) < day-1 {
		t.Errorf("got %d recipients and %d messages, want %d attempts or one less: %s", n, len(got), day, status)
	}
	if strings.Contains(status, `"not_allowed": 1`) == (len(got) == day) {
		t.Errorf("%d messages of %d attempts, and this status: %s", len(got), day, status)
	}
	hellos := map[string]int{}
	for _, d := range got {
		hellos[d.hello]++
		for _, want := range []string{"DKIM-Signature: v=1;", "d=sender.com",
			"List-Unsubscribe: <https://news.sender.com/u/",
			"List-Unsubscribe-Post: List-Unsubscribe=One-Click"} {
			if !strings.Contains(d.text, want) {
				t.Errorf("the message lacks %s: %s", want, d.text)
			}
		}
		if !strings.HasSuffix(d.from, "@bounces.sender.com") || !strings.HasSuffix(d.to, "@partner.org") {
			t.Errorf("got a message from %s to %s", d.from, d.to)
		}
	}
	if len(hellos) != 2 || hellos["mx1.sender.com"] == 0 || hellos["sender.com"] == 0 {
		t.Errorf("got %v in EHLO, want each B server's own name", hellos)
	}
	// A third server, on another computer, begins with a new count, and the day's attempts are made.
	if err := os.Remove(p.in("allow.toml.used")); err != nil {
		t.Fatal(err)
	}
	p.write(t, "scenario.toml", strings.Replace(read(t, p.in("scenario.toml")), "[[destination]]",
		"[[server]]\nname = \"b3\"\n\n[[destination]]", 1))
	p.write(t, "site.toml", p.text+"\n[[station]]\nrole = \"b\"\nnumber = 3\n")
	if code, out, errout := invoke(t, "serve", "submit", p.file, "--list", p.list, "--count", "8"); code != 0 {
		t.Fatal(code, out, errout)
	}
	s := begin(t, "serve", p.file)
	s.until(t, "three servers without permits", func() bool {
		return strings.Count(s.text(), "caps.per_day: got 3 attempts") == 2 &&
			strings.Contains(s.text(), "caps: got no part of them for 24 hours")
	})
	if n := p.box.offered(); n > day {
		t.Errorf("got %d recipients with a third server, want at most %d within the day", n, day)
	}
}

// A breaker stops a B server for good: a restart tries no recipient, and what is left goes on when a person has removed
// the file that says why.
func TestSiteStopsWhenTooMuchBounces(t *testing.T) {
	const after = 3
	var rows []string
	for i := range 40 {
		rows = append(rows, fmt.Sprintf("r%d@partner.org", i))
	}
	p := mailsPeople(t, "per_day = 1000, per_second = 4", fmt.Sprintf("bounces = 0.5, after = %d", after), rows...)
	p.box.refuse(true)
	if code, out, errout := invoke(t, "serve", "submit", p.file, "--list", p.list, "--count", "40"); code != 0 {
		t.Fatal(code, out, errout)
	}
	stopped := []string{p.in("state/b1/stopped"), p.in("state/b2/stopped")}
	both := func() bool {
		_, one := os.Stat(stopped[0])
		_, two := os.Stat(stopped[1])
		return one == nil && two == nil
	}
	s := begin(t, "serve", p.file)
	s.until(t, "two open breakers", both)
	s.until(t, "the outcomes of all attempts", func() bool {
		return strings.Contains(p.status(t), fmt.Sprintf(`"failed": %d,`, p.box.offered()))
	})
	s.Process.Kill()
	<-s.over
	tried := p.box.offered()
	if tried < 2*after || tried == len(rows) {
		t.Errorf("%d of %d were tried, want a few", tried, len(rows))
	}
	if why := read(t, stopped[0]); !strings.Contains(why, "breakers.bounces: got 3 of the last 3 attempts") {
		t.Errorf("got %s", why)
	}
	code, out, _ := invoke(t, "serve", p.file, "--check")
	if code != 0 || !strings.Contains(out, "b1 makes no attempts") {
		t.Errorf("--check: %d, %s", code, out)
	}
	s = begin(t, "serve", p.file)
	s.until(t, "a report of the stop", func() bool { return strings.Count(s.text(), "makes no attempts") >= 2 })
	time.Sleep(500 * time.Millisecond)
	if n := p.box.offered(); n != tried {
		t.Errorf("%d more were tried after a restart", n-tried)
	}
	p.box.refuse(false)
	for _, name := range stopped {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	s.until(t, "the report", func() bool { _, err := os.Stat(p.in("reports/mailing-1.json")); return err == nil })
	// Who was refused has failed, but for those in whose attempts the first process was killed.
	n, failed := len(p.box.all()), 0
	_, text, _ := strings.Cut(p.status(t), `"failed": `)
	if _, err := fmt.Sscanf(text, "%d", &failed); err != nil {
		t.Fatal(err)
	}
	if failed < 2*after || failed > tried || n != len(rows)-failed {
		t.Errorf("%d have a message and %d have failed, want all %d, and at most %d failed: %s", n, failed, len(rows),
			tried, p.status(t))
	}
}

// A B server whose allowlist or promotion is another one than the A server's, or whose counts of attempts are gone,
// makes no attempt and says so; so does one that runs when the A server gets another allowlist.
func TestSiteAdmitsServersWithTheSameFiles(t *testing.T) {
	p := mailsPeople(t, "per_day = 100, per_second = 100", "", "a@partner.org", "b@partner.org")
	bus, depot := testport.Free(t), testport.Free(t)
	p.text = strings.Replace(p.text, "[outside]", fmt.Sprintf("keys = \"keys\"\n\n"+
		"[bus]\nurl = \"nats://%s\"\n\n[depot]\n"+
		"listen = %q\n\n[outside]", bus, depot), 1) +
		fmt.Sprintf("\n[[station]]\nrole = \"broker\"\nlisten = %q\n", bus)
	p.write(t, "site.toml", p.text)
	allow := read(t, p.in("allow.toml"))
	p.write(t, "older.toml", strings.Replace(allow, "per_day = 100", "per_day = 1000", 1))
	law := scenarios.Default()
	law.Governor.Start++
	p.promote(t, "older.jsonl", law)
	if code, out, errout := invoke(t, "serve", "keys", p.file); code != 0 {
		t.Fatal(code, out, errout)
	}
	if code, out, errout := invoke(t, "serve", "submit", p.file, "--list", p.list, "--count", "2"); code != 0 {
		t.Fatal(code, out, errout)
	}
	refused := func(of *process, want string) {
		t.Helper()
		of.until(t, "its end", of.ended)
		if code := of.ends(t); code != exitRefused || !strings.Contains(of.text(), want) || len(p.box.all()) > 0 {
			t.Errorf("exit code %d, want %d, and %s: %s", code, exitRefused, want, of.text())
		}
	}
	begin(t, "serve", p.file, "--role", "broker")
	a := begin(t, "serve", p.file, "--role", "a")
	for _, v := range []struct{ old, new, want string }{
		{"allow.toml", "older.toml", "outside.allow: got"},
		{"\"p.jsonl", "\"older.jsonl", "scenario, with what is promoted: got"},
	} {
		file := p.write(t, "other.toml", strings.Replace(p.text, v.old, v.new, 1))
		refused(begin(t, "serve", file, "--role", "b1"), v.want)
	}
	stop := p.write(t, "state/b1/stopped", "not yet\n")
	b := begin(t, "serve", p.file, "--role", "b1")
	b.until(t, "an admitted server", func() bool {
		return strings.Contains(b.text(), "not yet") && strings.Contains(read(t, p.in("state/a/admitted")), `"b1"`)
	})
	refused(twin(t, p), "got another folder than that with the counts of b1")
	a.Process.Kill()
	a.ends(t)
	p.write(t, "allow.toml", strings.Replace(allow, "per_day = 100", "per_day = 80", 1))
	begin(t, "serve", p.file, "--role", "a")
	refused(b, "outside.allow: got")
	b = begin(t, "serve", p.file, "--role", "b1")
	if err := os.Remove(stop); err != nil {
		t.Fatal(err)
	}
	b.until(t, "a message", func() bool { return len(p.box.all()) > 0 })
}

// twin begins the first B server a second time, with another folder.
func twin(t *testing.T, p *peopleSite) *process {
	t.Helper()
	file := p.write(t, "other.toml", strings.Replace(p.text, "number = 1\n", "number = 1\nfolder = \"twin\"\n", 1))
	return begin(t, "serve", file, "--role", "b1")
}
