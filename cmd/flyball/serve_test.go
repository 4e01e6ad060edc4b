package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/cmd/flyball/internal/sites"
	"flyball/internal/mail"
	"flyball/internal/points"
	"flyball/internal/testport"
)

// doomed is flyball that kills itself at the place that an environment variable names.
func doomed() {
	points.Kill(os.Getenv(place))
	main()
}

const place = "FLYBALL_TEST_PLACE"

// fleet is a site whose stations are processes, and its receivers. It is judged by these: what the stations say of
// themselves must agree with what others have seen.
type fleet struct {
	t          *testing.T
	file       string   // of the site
	submit     []string // command that submits the mailing
	recipients int
	stations   []string
	running    map[string]*process
	ledger     *ledgerOf
	waits      string                         // for what judge waits
	watch      func(name string, begins bool) // called at each start and each kill; may be nil
	gone       func(mail.Recipient) bool      // reports whether a recipient is suppressed in the store; may be nil
}

// newFleet starts the stations of a newSite and its mailing. Each of also is called when a station has started.
func newFleet(t *testing.T, recipients int, takes, patience time.Duration, also ...func(*fleet, string)) *fleet {
	t.Helper()
	f := newSite(t, recipients, takes, patience)
	if p := begin(t, "serve", "keys", f.file); p.ends(t) != 0 {
		t.Fatal(p.text())
	}
	for _, name := range f.stations {
		f.start(name)
		for _, more := range also {
			more(f, name)
		}
	}
	if p := begin(t, f.submit...); p.ends(t) != 0 {
		t.Fatal(p.text())
	}
	return f
}

// newSite returns a site of two B servers, A, C and D, one process for each. Its receiver answers the final dot after
// a time. A B server is lost after patience.
func newSite(t *testing.T, recipients int, takes, patience time.Duration) *fleet {
	t.Helper()
	f := &fleet{t: t, recipients: recipients, running: map[string]*process{},
		stations: []string{"broker", "a", "b1", "b2", "c", "d"}}
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	var rows bytes.Buffer
	rows.WriteString("email\n")
	for i := range recipients {
		fmt.Fprintf(&rows, "r%d@all.example\n", i)
	}
	list := write("people.csv", rows.String())
	letter := write("letter.txt", "From: news@sender.example\nSubject: News\nList-Unsubscribe: "+
		"https://news.example/u\n\nHello {{email}}.\n")
	write("scenario.toml", twoServers)
	var at [4]string // of broker, depot, C and D
	for i := range at {
		at[i] = testport.Free(t)
	}
	receiver := ""
	f.ledger, receiver = takesMail(t, takes, at[2], at[3])
	f.file = write("site.toml", fmt.Sprintf(aSite, receiver, at[0], at[1], max(10, recipients/8), patience, at[0],
		at[2], at[3]))
	f.submit = []string{"serve", "submit", f.file, "--list", list, "--letter", letter}
	return f
}

const twoServers = `schema_version = 1
name = "two"

[governor]
law = "hold"
start = 10

[retry]
limit = 10
ambiguous = "resend"
delays = ["200ms"]

[message]
size = "1KiB"

[[server]]
name = "b1"

[[server]]
name = "b2"

[[destination]]
name = "all"
domain = "all.example"

[[campaign]]
name = "news"
recipients = 1
`

const aSite = `schema_version = 1
name = "test"
scenario = "scenario.toml"
receiver = %q
keys = "keys"

[bus]
url = "nats://%s"

[depot]
listen = %q

[sending]
processes = 10
chunk = %d
check = "100ms"
lease = "1s"
patience = "%v"

[[station]]
role = "broker"
listen = %q

[[station]]
role = "a"

[[station]]
role = "b"
number = 1

[[station]]
role = "b"
number = 2

[[station]]
role = "c"
listen = %q
domain = "returns.example"
hard = 1

[[station]]
role = "d"
listen = %q
`

// start starts a station, which goes on from its folder.
func (f *fleet) start(name string) {
	f.sees(name, true)
	f.running[name] = begin(f.t, "serve", f.file, "--role", name)
}

func (f *fleet) sees(name string, begins bool) {
	if f.watch != nil {
		f.watch(name, begins)
	}
}

// startDoomed starts a station that ends by SIGKILL at a place.
func (f *fleet) startDoomed(name, at string) {
	p := &process{Cmd: exec.Command(os.Args[0], "serve", f.file, "--role", name)}
	p.Args[0] = "doomed"
	p.Env = append(os.Environ(), place+"="+at)
	f.sees(name, true)
	p.begin(f.t)
	f.running[name] = p
}

// kill ends a station by SIGKILL, unless it has ended so itself.
func (f *fleet) kill(name string) {
	f.t.Helper()
	p := f.running[name]
	p.Process.Kill()
	<-p.over
	f.sees(name, false)
	if code := p.ProcessState.ExitCode(); code != -1 {
		f.t.Fatalf("%s ended by itself with %d: %s", name, code, p.text())
	}
}

// within waits until ok, at most for a time that is longer by far than it takes.
func (f *fleet) within(most time.Duration, what string, ok func() bool) {
	f.t.Helper()
	for began := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > most {
			for name, p := range f.running {
				said := p.text()
				f.t.Logf("%s: ... %s", name, said[max(0, len(said)-2000):])
			}
			f.ledger.mu.Lock()
			defer f.ledger.mu.Unlock()
			f.t.Fatalf("%s: not after %v; %d of %d have a message; %d have no answer, as the last one: %v%s",
				what, most, len(f.ledger.got), f.recipients, f.ledger.asking.Load(), f.ledger.refused, f.waits)
		}
	}
}

// reported reports whether the mailing has its report.
func (f *fleet) reported() bool {
	_, err := os.Stat(filepath.Join(filepath.Dir(f.file), "reports", "mailing-1.json"))
	return err == nil
}

func (f *fleet) accounts() (*sites.Account, map[mail.Recipient]bool) {
	f.t.Helper()
	s, err := sites.Load(f.file, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	all, barred, err := s.Accounts()
	if err != nil || len(all) != 1 {
		f.t.Fatal(all, err)
	}
	return all[0], barred
}

// judge waits until the mailing is reported and A has heard of all requests and returned mail that D and C have taken.
// No recipient may be missed; who has the message twice must be recorded as ambiguous. It returns the number of
// recipients who are.
func (f *fleet) judge() (ambiguous int) {
	f.t.Helper()
	f.ledger.allow(math.MaxInt)
	f.within(5*time.Minute, "the report", f.reported)
	f.within(time.Minute, "the answers of C and D", func() bool { return f.ledger.asking.Load() == 0 })
	var of *sites.Account
	f.within(time.Minute, "all that C and D have taken", func() bool {
		var barred map[mail.Recipient]bool
		of, barred = f.accounts()
		for r := range f.ledger.taken() {
			if !barred[r] {
				f.waits = fmt.Sprintf("recipient %d is not barred", r)
				return false
			}
		}
		f.waits = "the report is not told"
		return of.Told
	})
	_, barred := f.accounts()
	for _, name := range f.stations {
		f.kill(name)
	}
	missed, open, twice, unexplained := 0, 0, 0, 0
	for i, status := range of.Status {
		n := f.ledger.count(mail.Recipient(i))
		gone := f.gone != nil && f.gone(mail.Recipient(i))
		if n == 0 && !gone {
			missed++
		}
		if status != mail.Done && !(status == mail.Suppressed && (gone || barred[mail.Recipient(i)])) {
			open++
		}
		if n > 1 {
			twice++
			if of.Ambiguous[i] == 0 {
				unexplained++
			}
		}
	}
	taken := f.ledger.taken()
	f.t.Logf("%d of %d missed, %d twice, %d of these without a recorded doubt; %d ambiguous; %d returned or left, %d "+
		"barred", missed, f.recipients, twice, unexplained, of.Doubtful(), len(taken), len(barred))
	if missed > 0 || unexplained > 0 || open > 0 {
		f.t.Errorf("got %d missed, %d unexplained and %d not delivered, want none", missed, unexplained, open)
	}
	if len(barred) != len(taken) || len(taken) < f.recipients/20 {
		f.t.Errorf("%d recipients are barred, and C and D took something of %d, want the same, some %d", len(barred),
			len(taken), f.recipients/10)
	}
	return of.Doubtful()
}

// ledgerOf is a receiver that takes all mail after a while, and counts the messages of each recipient. Some recipients
// return their first message to the C server, and some leave by its link, again and again until they have an answer.
type ledgerOf struct {
	returns, leave string       // where C and D listen
	asking         atomic.Int32 // recipients who have no answer yet

	mu        sync.Mutex
	now, most int // messages at the same time
	left      int // messages that are answered before others wait
	got       map[mail.Recipient]int
	did       map[mail.Recipient]bool // of whom C or D has taken something
	refused   error                   // of the last request that was not answered as it should be

	came func(r mail.Recipient, message string) // called with each message; may be nil
}

func (l *ledgerOf) count(r mail.Recipient) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.got[r]
}

// atOnce returns the most messages that came at the same time.
func (l *ledgerOf) atOnce() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.most
}

// allow lets a number of messages have their answer from now on; others wait.
func (l *ledgerOf) allow(messages int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = messages
}

// may reports whether a message may have its answer.
func (l *ledgerOf) may() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == 0 {
		return false
	}
	l.left--
	return true
}

// begins counts a message that comes.
func (l *ledgerOf) begins() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now++
	l.most = max(l.most, l.now)
}

func (l *ledgerOf) all() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.got)
}

// taken returns the recipients of whom C or D has said that it has taken something.
func (l *ledgerOf) taken() map[mail.Recipient]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[mail.Recipient]bool{}
	for r := range l.did {
		all[r] = true
	}
	return all
}

// takesMail starts a receiver that answers the final dot after a time, and returns where it listens.
func takesMail(t *testing.T, takes time.Duration, returns, leave string) (*ledgerOf, string) {
	t.Helper()
	l := &ledgerOf{returns: returns, leave: leave, left: math.MaxInt, got: map[mail.Recipient]int{},
		did: map[mail.Recipient]bool{}}
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &taking{t: t, of: l, takes: takes}, nil
	}))
	s.Domain = "receiver.example"
	s.ErrorLog = log.New(io.Discard, "", 0) // clients that are killed
	go s.Serve(at)
	t.Cleanup(func() { s.Close() })
	return l, at.Addr().String()
}

type taking struct {
	t     *testing.T
	of    *ledgerOf
	takes time.Duration
	from  string
	to    mail.Recipient
}

func (s *taking) Reset()        {}
func (s *taking) Logout() error { return nil }

func (s *taking) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *taking) Rcpt(to string, _ *smtp.RcptOptions) error {
	_, err := fmt.Sscanf(to, "r%d@all.example", &s.to)
	return err
}

func (s *taking) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l := s.of
	l.begins()
	if l.came != nil {
		l.came(s.to, string(text))
	}
	time.Sleep(s.takes)
	for !l.may() && s.t.Context().Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now--
	if l.got[s.to]++; l.got[s.to] > 1 {
		return nil
	}
	switch s.to % 20 {
	case 3:
		l.asking.Add(1)
		go l.until(s.t, s.to, l.toC(s.to, s.from, string(text)))
	case 13:
		l.asking.Add(1)
		go l.until(s.t, s.to, l.toD(string(text)))
	}
	return nil
}

// until does something for a recipient until it succeeds or the test ends.
func (l *ledgerOf) until(t *testing.T, r mail.Recipient, do func() error) {
	for t.Context().Err() == nil {
		err := do()
		l.mu.Lock()
		if l.refused = err; err == nil {
			l.did[r] = true
		}
		l.mu.Unlock()
		if err == nil {
			l.asking.Add(-1)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// toC returns what returns a message to where it came from: the mailbox does not exist (RFC 3464).
func (l *ledgerOf) toC(r mail.Recipient, from, message string) func() error {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	text := fmt.Sprintf("From: MAILER-DAEMON@receiver.example\r\nTo: %s\r\nSubject: Undelivered mail\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n"+
		"--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"+
		"Reporting-MTA: dns; receiver.example\r\n\r\nFinal-Recipient: rfc822; r%d@all.example\r\n"+
		"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n"+
		"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n%s\r\n\r\n--b--\r\n", from, r, head)
	return func() error {
		c, err := smtp.Dial(l.returns)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.SendMail("", []string{from}, strings.NewReader(text))
	}
}

var toLeave = regexp.MustCompile(`(?i)List-Unsubscribe: <https://news\.example/u/([a-z0-9]+)>`)

// toD returns what leaves the list by the link in a message, with one click (RFC 8058).
func (l *ledgerOf) toD(message string) func() error {
	found := toLeave.FindStringSubmatch(strings.ReplaceAll(message, "\r\n ", " "))
	return func() error {
		if found == nil {
			return fmt.Errorf("no link")
		}
		c := http.Client{Timeout: 10 * time.Second}
		defer c.CloseIdleConnections()
		a, err := c.Post("http://"+l.leave+"/u/"+found[1], "application/x-www-form-urlencoded",
			strings.NewReader("List-Unsubscribe=One-Click"))
		if err != nil {
			return err
		}
		defer a.Body.Close()
		if a.StatusCode != http.StatusOK {
			return fmt.Errorf("the D server answers %s", a.Status)
		}
		return nil
	}
}
