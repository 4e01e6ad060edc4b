package reporting

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/engine"
	"flyball/engine/delivery/retry"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/message"
	"flyball/realrun/names"
)

// ledger is a receiver that keeps what came, and the answers that it still gives before it takes mail.
type ledger struct {
	mu      sync.Mutex
	got     []letterFrom
	answers []int // codes of replies to the final dot; 0: the connection is closed
}

type letterFrom struct{ from, to, text string }

func (l *ledger) all() []letterFrom {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]letterFrom(nil), l.got...)
}

type session struct {
	of   *ledger
	conn *smtp.Conn
	letterFrom
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error   { s.to = to; return nil }

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l := s.of
	l.mu.Lock()
	defer l.mu.Unlock()
	code := 250
	if len(l.answers) > 0 {
		code, l.answers = l.answers[0], l.answers[1:]
	}
	if code >= 400 {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 7, 1}, Message: "not now"}
	}
	s.text = string(text)
	l.got = append(l.got, s.letterFrom)
	if code == 0 {
		s.conn.Conn().Close()
	}
	return nil
}

// takes starts a receiver, and returns where it listens.
func takes(t *testing.T, answers ...int) (*ledger, netip.AddrPort) {
	t.Helper()
	l := &ledger{answers: answers}
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{of: l, conn: c}, nil
	}))
	s.Domain, s.ErrorLog = "receiver.example", log.New(io.Discard, "", 0)
	go s.Serve(at)
	t.Cleanup(func() { s.Close() })
	return l, netip.MustParseAddrPort(at.Addr().String())
}

// leads is a resolver that leads to one address.
type leads netip.AddrPort

func (l leads) Resolve(context.Context, *mail.Attempt) names.Route {
	return names.Route{To: []names.Candidate{{At: netip.AddrPort(l)}}}
}

// outbox opens an outbox in a folder that sends to a receiver, and tries again at once.
func outbox(t *testing.T, dir string, to netip.AddrPort) *Outbox {
	t.Helper()
	policy := retry.Default()
	policy.Limit, policy.Delays = 3, []vt.Span{vt.Millisecond}
	o := &Outbox{Dir: filepath.Join(dir, "outbox"), Reports: filepath.Join(dir, "reports"), Sender: "sender.example",
		Retry: policy, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Via: func(string) (*realrun.SMTP, *message.Signer, error) {
			return &realrun.SMTP{Resolver: leads(to), Dialogue: mail.DefaultDialogue(), Scale: 1,
				Domain: "a.sender.example"}, nil, nil
		}}
	if err := o.Open(); err != nil {
		t.Fatal(err)
	}
	return o
}

// runs runs an outbox until no notice waits, and returns the notices of a mailing.
func runs(t *testing.T, o *Outbox) []Notice {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	for end := time.Now().Add(time.Minute); len(o.open()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %+v", o.open())
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	all, err := Read(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return all[1]
}

// Who asked gets the report once, from the null path, after as many tries as it takes; one address that refuses it
// holds up no other one. Nothing is sent after that.
func TestReportIsSentOnce(t *testing.T) {
	l, at := takes(t, 451, 451)
	var posted []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		posted = append(posted, string(text))
		if len(posted) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer web.Close()
	dir := t.TempDir()
	o := outbox(t, dir, at)
	report := example(1)
	if err := o.Expect(1, mail.Key{1}, []string{"ann@provider.example", web.URL, "bob@real.org"}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Give(report, mail.Key{1}, ""); err != nil {
		t.Fatal(err)
	}
	all := runs(t, o)
	if len(all) != 3 || all[0].State != sent || all[0].Tries != 3 || all[1].State != sent || all[1].Tries != 2 ||
		all[2].State != failed || all[2].Tries != 1 || !strings.Contains(all[2].Why, "refused for safety") {
		t.Errorf("got %+v, want three tries by mail, two by HTTP, and one address that is not allowed", all)
	}
	if got := l.all(); len(got) != 1 || got[0].from != "" || got[0].to != "ann@provider.example" ||
		!strings.Contains(got[0].text, "<report.1.") {
		t.Errorf("got %+v, want one message from the null path", got)
	}
	if len(posted) != 2 || posted[1] != string(report.JSON()) {
		t.Errorf("got %q, want the report twice", posted)
	}
	runs(t, outbox(t, dir, at))
	if len(l.all()) != 1 || len(posted) != 2 {
		t.Error("a restart sends it again")
	}
}

// A message that may have come, and one that came before a stop which was not recorded, is sent again with the same
// bytes: never none.
func TestReportIsSentAgain(t *testing.T) {
	l, at := takes(t, 0)
	dir := t.TempDir()
	o := outbox(t, dir, at)
	if _, err := o.Give(example(1), mail.Key{1}, "ann@provider.example"); err != nil {
		t.Fatal(err)
	}
	before, err := durable.Files(o.Dir).Read("mailing-1.json")
	if err != nil {
		t.Fatal(err)
	}
	if all := runs(t, o); all[0].State != sent || all[0].Tries != 2 {
		t.Errorf("got %+v, want a second try after the first was left without a reply", all)
	}
	if err := durable.Write(filepath.Join(o.Dir, "mailing-1.json"), before); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	if all := runs(t, outbox(t, dir, at)); all[0].State != sent {
		t.Errorf("got %+v", all)
	}
	got := l.all()
	if len(got) != 3 || got[0] != got[1] || got[1] != got[2] {
		t.Errorf("got %d messages, want three that are the same:\n%+v", len(got), got)
	}
}

// A receiver that never takes the report, or refuses it, ends its tries: what became of it can be read, with the words
// of the reply. A permit that is not there is waited for, and no try counts before.
func TestReportIsGivenUp(t *testing.T) {
	permits := 0
	for name, v := range map[string]struct {
		answers []int
		permit  func(context.Context) error
		tries   int
		why     string
	}{
		"refused": {[]int{550}, nil, 1, "550 5.7.1 not now"},
		"put off": {[]int{451, 452, 451, 450}, nil, 4, "450 4.7.1 not now"},
		"no permits, then put off": {[]int{451, 452, 451, 450}, func(context.Context) error {
			if permits++; permits <= 10 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}, 4, "450 4.7.1 not now"},
	} {
		l, at := takes(t, v.answers...)
		o := outbox(t, t.TempDir(), at)
		o.Permit = v.permit
		if _, err := o.Give(example(1), mail.Key{1}, "ann@provider.example"); err != nil {
			t.Fatal(err)
		}
		if all := runs(t, o); all[0].State != failed || all[0].Tries != v.tries || all[0].Why != v.why ||
			len(l.all()) != 0 {
			t.Errorf("%s: got %+v, want %d tries and %s", name, all, v.tries, v.why)
		}
	}
	if permits != 14 {
		t.Errorf("asked for %d permits, want 10 in vain and one for each try", permits)
	}
}

// An address whose receiver never answers holds up no other one, nor a later report.
func TestSilentReceiverHoldsUpNothing(t *testing.T) {
	l, at := takes(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes its connections
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	o := outbox(t, t.TempDir(), at)
	via := o.Via
	o.Via = func(domain string) (*realrun.SMTP, *message.Signer, error) {
		s, signer, err := via(domain)
		if domain == "silent.example" {
			s.Resolver = leads(netip.MustParseAddrPort(silent.Addr().String()))
		}
		return s, signer, err
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	came := func(n int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); len(l.all()) < n; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("got %d messages within a minute, want %d", len(l.all()), n)
			}
		}
	}
	for job := range 3 {
		r := example(engine.Job(job + 1))
		err := o.Expect(r.Job, mail.Key{byte(job)}, []string{"ann@silent.example", "bob@provider.example"})
		if err == nil {
			_, err = o.Give(r, mail.Key{byte(job)}, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		came(job + 1)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// A stop is not a failure: the try that it ends does not count, whether it waits for a permit or for a receiver.
func TestStopIsNoFailure(t *testing.T) {
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	asked := make(chan struct{}, 2)
	go func() {
		c, err := at.Accept()
		if err == nil {
			defer c.Close()
			asked <- struct{}{}
			io.Copy(io.Discard, c) // and gives no greeting
		}
	}()
	for name, permit := range map[string]func(context.Context) error{
		"permit": func(ctx context.Context) error {
			asked <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		},
		"receiver": nil,
	} {
		o := outbox(t, t.TempDir(), netip.MustParseAddrPort(at.Addr().String()))
		o.Permit = permit
		if _, err := o.Give(example(1), mail.Key{1}, "ann@provider.example"); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- o.Run(ctx) }()
		<-asked
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if all, err := Read(o.Dir); err != nil || all[1][0].State != waiting || all[1][0].Tries != 0 {
			t.Errorf("%s: got %+v, %v, want no try", name, all, err)
		}
	}
}
