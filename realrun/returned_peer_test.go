package realrun_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/realrun/inbound"
)

// returners are mail servers of other projects that hand over what they take at AWAY, and return to sender.example, at
// BACK, what is refused there.
var returners = []server{
	{name: "Postfix", program: "/usr/sbin/postfix", from: "Debian's postfix", owner: "postfix",
		files: map[string]string{"main.cf": `compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR
maillog_file = DIR/log
maillog_file_prefixes = /tmp
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = peer.example
mydestination =
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
alias_database =
default_transport = smtp:[127.0.0.1]:AWAY
transport_maps = inline:{ {sender.example=smtp:[127.0.0.1]:BACK} }
smtp_host_lookup = native
`, "master.cf": `127.0.0.1:PORT inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`},
		command: func(program, dir string) *exec.Cmd { return exec.Command(program, "-c", dir, "start-fg") },
		log:     "log"},
	{name: "Exim", program: "usr/sbin/exim4", from: ".ci/peers.sh", owner: "Debian-exim",
		files: map[string]string{"conf": `spool_directory = DIR/spool
log_file_path = DIR/log-%s
pid_file_path = DIR/pid
exim_path = DIR/exim
keep_environment = LD_LIBRARY_PATH
primary_hostname = peer.example
deliver_drop_privilege = true
smtp_accept_max = 0
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
back:
  driver = manualroute
  domains = sender.example
  route_list = * 127.0.0.1
  self = send
  transport = back
away:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = away
begin transports
back:
  driver = smtp
  port = BACK
  allow_localhost
  hosts_avoid_tls = *
away:
  driver = smtp
  port = AWAY
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,1h,1m
`},
		command: func(program, dir string) *exec.Cmd {
			// A copy without set-user-ID, which would not find its libraries when Exim begins itself again to return
			// mail.
			text, err := os.ReadFile(program)
			if err == nil {
				err = os.WriteFile(dir+"/exim", text, 0o755)
			}
			if err != nil {
				panic(err)
			}
			return exec.Command(dir+"/exim", "-C", dir+"/conf", "-bdf", "-q1m", "-oX", "127.0.0.1.PORT")
		}, log: "log-main"},
}

// refusals are the replies of the receiver by the first word of the local part, and what they mean.
var refusals = []struct {
	word   string
	stage  string
	reply  smtp.SMTPError
	effect string
}{
	{"dead", "rcpt", smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user here"},
		"dead unknown-user"},
	{"plain", "rcpt", smtp.SMTPError{Code: 550, EnhancedCode: smtp.NoEnhancedCode, Message: "User unknown"},
		"dead unknown-user"},
	{"gone", "rcpt", smtp.SMTPError{Code: 550, EnhancedCode: smtp.NoEnhancedCode,
		Message: "Requested action not taken: mailbox unavailable"}, "dead unknown-user"},
	{"closed", "rcpt", smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1},
		Message: "This account is suspended"}, "later disabled"},
	{"full", "rcpt", smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 2, 2}, Message: "Mailbox full"},
		"later mailbox-full"},
	{"hidden", "data", smtp.SMTPError{Code: 550, EnhancedCode: smtp.NoEnhancedCode, Message: "User unknown"},
		"later refused"},
	{"spam", "data", smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Looks like spam"},
		"us content"},
	{"blocked", "rcpt", smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1},
		Message: "Client host [192.0.2.1] blocked using a blocklist"}, "us reputation"},
}

// refuser is a receiver that refuses each message.
type refuser struct{ word string }

func (r *refuser) Reset()                               {}
func (r *refuser) Logout() error                        { return nil }
func (r *refuser) Mail(string, *smtp.MailOptions) error { return nil }

func (r *refuser) Rcpt(to string, _ *smtp.RcptOptions) error {
	r.word, _, _ = strings.Cut(to, "-")
	return r.at("rcpt")
}

func (r *refuser) Data(body io.Reader) error {
	io.Copy(io.Discard, body)
	return r.at("data")
}

func (r *refuser) at(stage string) error {
	for _, x := range refusals {
		if x.word == r.word && x.stage == stage {
			return &x.reply
		}
	}
	return nil
}

// What other mail servers return comes back to its recipients, each with the effect of the reply that it got.
func TestMailThatServersReturn(t *testing.T) {
	for _, s := range returners {
		t.Run(s.name, func(t *testing.T) { returnedBy(t, s) })
	}
}

func returnedBy(t *testing.T, s server) {
	away, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	receiver := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &refuser{}, nil }))
	go receiver.Serve(away)
	defer receiver.Close()

	key := mail.Key{7}
	cfg := inbound.Default(filepath.Join(t.TempDir(), "returned"))
	cfg.Domain, cfg.Jobs = "sender.example", []inbound.Job{{Name: "news", Key: key}}
	n := longtest.Or(1, 3) * len(refusals)
	took := make(chan inbound.Record, 10*n)
	cfg.Tell = func(e inbound.Event) {
		if e.Kind == inbound.Took {
			took <- e.Record
		}
	}
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := inbound.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx, back) }()
	defer func() { cancel(); <-served }()

	port := func(l net.Listener) string { return fmt.Sprint(l.Addr().(*net.TCPAddr).Port) }
	fill := strings.NewReplacer("AWAY", port(away), "BACK", port(back))
	files := map[string]string{}
	for name, text := range s.files {
		files[name] = fill.Replace(text)
	}
	s.files = files
	addr, log := s.start(t)
	for i := range n {
		word := refusals[i%len(refusals)].word
		from := key.VERP(mail.Recipient(i), 1, "sender.example")
		to := fmt.Sprintf("%s-%d@there.example", word, i)
		text := fmt.Sprintf("From: news@sender.example\r\nTo: %s\r\nSubject: "+
			"user unknown, mailbox full\r\n\r\nHello %d\r\n",
			to, i)
		client, err := smtp.Dial(addr)
		if err == nil {
			err = client.SendMail(from, []string{to}, strings.NewReader(text))
			client.Close()
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, log(0))
		}
	}
	got := map[uint32]inbound.Record{}
	for len(got) < n {
		select {
		case r := <-took:
			if _, twice := got[r.Rcpt]; twice {
				t.Errorf("recipient %d: a second message", r.Rcpt)
			}
			got[r.Rcpt] = r
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d messages came back\n%s", len(got), n, log(0))
		}
	}
	for i := range n {
		want, r := refusals[i%len(refusals)], got[uint32(i)]
		if e := r.Effect + " " + r.Reason; e != want.effect {
			t.Errorf("%s: got %s by %s from %q, want %s", want.word, e, r.Rule, r.Text, want.effect)
		}
		if to := fmt.Sprintf("%s-%d@there.example", want.word, i); r.Address != to {
			t.Errorf("%s: got the address %s, want %s", want.word, r.Address, to)
		}
	}
	select {
	case err := <-served:
		t.Errorf("the server ended: %v", errors.Join(err))
	default:
	}
}
