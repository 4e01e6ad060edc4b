package realrun_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/mailing"
	"flyball/realrun/message"
	"flyball/scenarios"
)

// deferring is an SMTP server of another author that takes a message the second time, and keeps both.
type deferring struct {
	lock     sync.Mutex
	from     map[string][]string // senders of the tries, by recipient
	messages map[string][]string
}

func (d *deferring) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &deferringSession{to: d}, nil
}

type deferringSession struct {
	to         *deferring
	from, rcpt string
}

func (s *deferringSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *deferringSession) Rcpt(to string, _ *smtp.RcptOptions) error   { s.rcpt = to; return nil }
func (s *deferringSession) Reset()                                      {}
func (s *deferringSession) Logout() error                               { return nil }

func (s *deferringSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.to.lock.Lock()
	defer s.to.lock.Unlock()
	s.to.from[s.rcpt] = append(s.to.from[s.rcpt], s.from)
	s.to.messages[s.rcpt] = append(s.to.messages[s.rcpt], string(text))
	if len(s.to.messages[s.rcpt]) == 1 {
		return &smtp.SMTPError{Code: 451, Message: "later"}
	}
	return nil
}

// What arrives is the letter to the byte, with its parts and signature, and the same when it is sent again; the sender
// of each try is the run's.
func TestResentMessagesAreTheSame(t *testing.T) {
	to := &deferring{from: map[string][]string{}, messages: map[string][]string{}}
	server := smtp.NewServer(to)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })

	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := message.NewSigner("s1", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	s := rehearsal(20)
	s.Servers, s.Destinations = s.Servers[:1], s.Destinations[:1]
	s.Governor = governor.Default()
	s.Governor.Law, s.Governor.Start = "hold", 5
	s.Retry = retry.Default()
	s.Retry.Limit, s.Retry.Delays = 3, []vt.Span{vt.Second}
	s.Campaigns = []scenarios.Campaign{{Name: "c", Recipients: 20, Processes: 5, Subset: 4}}
	rows := "email,name\n"
	for i := range 20 {
		rows += fmt.Sprintf("u%d@big.example,%s\n", i, strings.Repeat("Jörg & Co. ", i*8))
	}
	key := mail.Key{3}
	m, err := mailing.New(s, rng.New(s.Seed, 0), mailing.Source{List: strings.NewReader(rows), ListName: "l.csv",
		TemplateName: "t.txt", Template: strings.NewReader("From: \"Jörg\" <a@sender.example>\nSubject: Grüße " +
			"{{name|}}\n" +
			"HTML: t.html\nAttach: a.bin\n\n.\n..\n{{name|.}}{{name|.}}\n.{{name|}}\n\n \n"),
		Files: func(name string, _ int64) ([]byte, error) {
			return []byte(map[string]string{"t.html": ".\n<p>{{name|.}}</p>\n.\n", "a.bin": ".\r\n\x00\xff"}[name]), nil
		}, Key: key, Signer: signer, Date: time.Unix(1e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	transport := &realrun.SMTP{Resolver: sinkAt(l.Addr().String()), Letters: m, Dialogue: s.Dialogue, Key: key,
		Scale:  20,
		Domain: "sender.example", Broken: func(err error) { t.Error(err) }}
	r, err := realrun.New(s, &m.List, 20, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, stopped := r.Run(ctx, nil); stopped {
		t.Fatal("the run did not end in time")
	}
	for i := range mail.Recipient(m.List.Len()) {
		address, want := m.Letter(i, nil)
		got := to.messages[address]
		if len(got) != 2 {
			t.Fatalf("%s got %d messages, want 2", address, len(got))
		}
		if !strings.HasPrefix(string(want), "DKIM-Signature: ") || !strings.Contains(string(want), "multipart/mixed") {
			t.Errorf("%s: not signed, or without its parts:\n%s", address, want)
		}
		for try, text := range got {
			if text != string(want) {
				t.Errorf("%s, try %d: got\n%q\nwant\n%q", address, try, text, want)
			}
			rcpt, n, ok := key.ParseVERP(to.from[address][try])
			if !ok || rcpt != i || int(n) != try {
				t.Errorf("%s, try %d: sender %s", address, try, to.from[address][try])
			}
		}
	}
}
