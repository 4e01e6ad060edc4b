package realrun_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"github.com/emersion/go-smtp"

	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/scenarios"
)

// keeper is a receiver of another author that keeps what it gets.
type keeper struct{ got chan []byte }

func (k keeper) NewSession(*smtp.Conn) (smtp.Session, error) { return k, nil }
func (k keeper) Mail(string, *smtp.MailOptions) error        { return nil }
func (k keeper) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (k keeper) Reset()                                      {}
func (k keeper) Logout() error                               { return nil }
func (k keeper) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err == nil { // the final dot has come
		k.got <- data
	}
	return err
}

// dotted has a dot at the beginning of lines, alone and before others, at the start and at the end.
const dotted = ".first\r\nSubject: dots\r\n\r\n.\r\n..\r\n...\r\n.hidden\r\nend.\r\n."

// letter is the same message for every recipient; before it is returned, then is called.
type letter struct{ then func() }

func (l letter) Letter(_ mail.Recipient, body []byte) (string, []byte) {
	l.then()
	return "r0@receiver.example", append(body, dotted...)
}

// A run that is cancelled sends no final dot, unless the gate has let the message pass: then its reply is waited for.
// What arrives is what was sent, to the byte.
func TestCancelAroundTheFinalDot(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := keeper{make(chan []byte, 9)}
	server := smtp.NewServer(k)
	go server.Serve(l)
	defer server.Close()
	s := scenarios.Default()
	for _, v := range []struct {
		name         string
		early, late  bool // the run is cancelled before the message is begun, at the gate
		class        mail.Class
		asked, taken int
	}{
		{"not at all", false, false, mail.Delivered, 1, 1},
		{"at the gate", false, true, mail.Delivered, 1, 1},
		{"before", true, false, mail.Deferral, 0, 0},
	} {
		for range 20 { // the connection is closed by another goroutine
			ctx, cancel := context.WithCancel(t.Context())
			asked := 0
			transport := &realrun.SMTP{Resolver: sinkAt(l.Addr().String()), Dialogue: s.Dialogue, Scale: 1,
				Domain: "sender.example", Broken: func(err error) { t.Error(err) },
				Letters: letter{func() {
					if v.early {
						cancel()
					}
				}},
				Gate: func(mail.Attempt) bool {
					if asked++; v.late {
						cancel()
					}
					return true
				}}
			p := transport.Process(0, 0)
			r := p.Deliver(ctx, mail.Attempt{})
			p.HangUp()
			cancel()
			if r.Class() != v.class || asked != v.asked || (r.Fault == mail.Aborted) != v.early {
				t.Fatalf("cancelled %s: %+v, the gate was asked %d times, want %s and %d", v.name, r, asked, v.class,
					v.asked)
			}
			if v.taken == 0 {
				continue
			}
			if got := <-k.got; !bytes.Equal(got, []byte(dotted+"\r\n")) {
				t.Fatalf("cancelled %s: got %q, want %q", v.name, got, dotted+"\r\n")
			}
		}
	}
	if n := len(k.got); n != 0 {
		t.Errorf("%d messages more than were let pass", n)
	}
}
