package wire

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"flyball/internal/mail"
)

// What the client sends as a message is what go-smtp's client sends, which was written apart from
// it, wherever the message has lines of SMTP.
func TestMessageAsGoSMTPSendsIt(t *testing.T) {
	for _, message := range []string{"Subject: x\r\n\r\nhello\r\n", ".\r\n..\r\n.a\r\n", "\r\n\r\n", "no end",
		strings.Repeat(".a long one\r\n", 10_000)} {
		var came [2]string
		receive := func(at int) func(*receiver) {
			return func(r *receiver) {
				r.greet("8BITMIME")
				r.takes("250 ok", "250 ok", "354 go on")
				came[at], _ = r.message()
				r.say("250 ok")
				r.hear()
			}
		}
		c := meet(t, Options{}, receive(0))
		must(t, c.Greet())
		if got, _ := c.Send(to, []byte(message), open); got != done {
			t.Errorf("got %+v", got)
		}
		c.Leave()
		theirs(t, receive(1), func(o *smtp.Client) error {
			return o.SendMail(to.From, []string{to.To}, strings.NewReader(message))
		})
		if came[0] != came[1] {
			t.Errorf("%.100q arrives as %.100q, by go-smtp as %.100q", message, came[0], came[1])
		}
	}
}

// theirs runs go-smtp's client against a receiver.
func theirs(t *testing.T, play func(*receiver), send func(*smtp.Client) error) error {
	t.Helper()
	var conn net.Conn
	c := meet(t, Options{}, play)
	conn = c.conn
	o := smtp.NewClient(conn)
	err := o.Hello("sender.example")
	if err == nil {
		err = send(o)
	}
	o.Quit()
	return err
}

// Where go-smtp's client takes a reply as RFC 5321 has it, both agree on whether the message is
// delivered. It does not where the reply to the final dot is another 2yz than 250.
func TestOutcomeAsGoSMTPSeesIt(t *testing.T) {
	for _, replies := range [][]string{
		{"250 ok", "250 ok", "354 go on", "250 ok"}, {"250-a\r\n250 ok", "251-x\r\n251 ok", "354 go on",
			"250-a\r\n250 b"},
		{"550 no"}, {"451 no"}, {"421 no"}, {"250 ok", "550 no"}, {"250 ok", "450-no\r\n450 no"},
		{"250 ok", "250 ok", "554 no"},
		{"250 ok", "250 ok", "354 go on", "550-a\r\n550 b"}, {"250 ok", "250 ok", "354 go on", "451 later"},
		{"250 ok", "hm"}, {"250 ok", "55 no"},
	} {
		play := func(r *receiver) {
			r.greet("X")
			r.takes(replies...)
			for r.hear() != "" {
				r.say("221 bye")
			}
		}
		c := meet(t, Options{}, play)
		must(t, c.Greet())
		got, _ := c.Send(to, []byte("hello\r\n"), open)
		c.Leave()
		err := theirs(t, play, func(o *smtp.Client) error {
			return o.SendMail(to.From, []string{to.To}, bytes.NewReader([]byte("hello\r\n")))
		})
		if (err == nil) != (got.Class() == mail.Delivered) {
			t.Errorf("%q: got %+v, go-smtp's client %v", replies, got, err)
		}
		if e, ok := err.(*smtp.SMTPError); ok && got.Code > 0 && e.Code != int(got.Code) {
			t.Errorf("%q: got %+v, go-smtp's client %d", replies, got, e.Code)
		}
	}
}
