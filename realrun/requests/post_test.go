package requests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/mail"
	"flyball/realrun/message"
)

// send sends a mail, as another client does.
func (h *harness) send(from, to, raw string) error {
	c, err := smtp.Dial(h.post)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.SendMail(from, []string{to}, strings.NewReader(raw))
}

func refused(err error, code int) bool {
	var r *smtp.SMTPError
	return errors.As(err, &r) && r.Code == code
}

// id returns the ID of the message to a recipient, as a letter has it.
func id(t testing.TB, key mail.Key, r mail.Recipient) string {
	letter, err := message.Parse("letter", []byte("From: news@sender.example\nSubject: s\n\nHello.\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	to, err := letter.Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := to.Render(nil, nil, message.Meta{To: mail.Address{Local: "ann", Domain: "there.example"}, Recipient: r,
		Run: message.NewRun(key, noon)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header.Get("Message-ID")
}

// A mail to the address with a ticket counts whatever it says and even if a program wrote it (RFC 2369); a mail to
// unsubscribe@
// with the ID of a message; a reply if its first lines ask, unless a program wrote it (RFC 3834). All else is refused.
func TestRequestsByMail(t *testing.T) {
	h := start(t, nil)
	ticket := h.ticket(mail.ToLeave, 7, 0)
	reply := "In-Reply-To: " + id(t, testKey, 7) + "\r\n"
	const words = "\r\nPlease unsubscribe me.\r\n> You get this since you subscribed.\r\n"
	for _, v := range []struct {
		name, from, to, raw string
		code                int // 0: taken
		left                bool
	}{
		{"a ticket", "ann@there.example", "unsubscribe+" + ticket, "Subject: x\r\n\r\nStay.\r\n", 0, true},
		{"a ticket and no mail", "ann@there.example", "unsubscribe+" + ticket, "", 0, true},
		{"a ticket in capitals", "ann@there.example", "UNSUBSCRIBE+" + strings.ToUpper(ticket), "\r\n", 0, true},
		{"a program with a ticket", "", "unsubscribe+" + ticket, "Auto-Submitted: auto-generated\r\n\r\n", 0, true},
		{"a forged ticket", "ann@there.example", "unsubscribe+" + ticket[:36] + "a", "\r\n", 550, false},
		{"an old ticket", "ann@there.example", "unsubscribe+" + h.ticket(mail.ToLeave, 7, 731), "\r\n", 550, false},
		{"a ticket for more", "ann@there.example", "unsubscribe+" + h.ticket(mail.ToReturn, 7, 0), "\r\n", 550, false},
		{"an ID as subject", "ann@there.example", "unsubscribe", "Subject: " + strings.Trim(strings.Split(id(t,
			testKey, 7),
			"@")[0], "<") + "\r\n\r\n", 0, true},
		{"an answered ID", "ann@there.example", "unsubscribe", reply + "\r\n", 0, true},
		{"no ID", "ann@there.example", "unsubscribe", words, 550, false},
		{"an ID of another key", "ann@there.example", "unsubscribe", "In-Reply-To: " + id(t, otherKey, 7) +
			"\r\n\r\n", 550,
			false},
		{"another ID", "ann@there.example", "unsubscribe", strings.Replace(reply, "<7.", "<8.", 1) + "\r\n", 550,
			false},
		{"a reply", "ann@there.example", "news", reply + words, 0, true},
		{"a reply in HTML", "ann@there.example", "news", reply + "Content-Type: text/html\r\n\r\n<p>Please " +
			"<b>delete</b> me", 0,
			true},
		{"a reply in base64", "ann@there.example", "news", reply + "Content-Transfer-Encoding: base64\r\n\r\n" +
			"UGxlYXNlIHVuc3Vic2NyaWJlIG1lLg==\r\n", 0, true},
		{"a reply about something else", "ann@there.example", "news", reply + "\r\nThank you!\r\n> unsubscribe\r\n",
			550, false},
		{"a late word", "ann@there.example", "news", reply + "\r\n1\r\n2\r\n3\r\n4\r\n5\r\nunsubscribe\r\n", 550,
			false},
		{"a reply to something else", "ann@there.example", "news", "In-Reply-To: <x@y>\r\n" + words, 550, false},
		{"a vacation", "ann@there.example", "news", "Auto-Submitted: auto-replied\r\n" + reply + words, 0, false},
		{"the null sender", "", "news", reply + words, 0, false},
		{"a list", "list-owner@there.example", "news", "List-Id: <l.example>\r\n" + reply + words, 0, false},
		{"bulk", "ann@there.example", "news", "Precedence: bulk\r\n" + reply + words, 0, false},
		{"another address", "ann@there.example", "postmaster", reply + words, 550, false},
	} {
		err := h.send(v.from, v.to+"@sender.example", v.raw)
		if v.code == 0 && err != nil || v.code != 0 && !refused(err, v.code) {
			t.Errorf("%s: got %v, want %d", v.name, err, v.code)
		}
		if got := h.gone() == "[7]"; got != v.left {
			t.Errorf("%s: left %v, want %v", v.name, got, v.left)
		}
		if _, err := h.desk.Return(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.mails) > 0 {
		t.Errorf("mailed %q, though confirmations are off", h.mails)
	}
	if err := h.send("ann@there.example", "unsubscribe+"+ticket+"@else.example", ""); !refused(err, 550) {
		t.Errorf("another domain: got %v, want 550", err)
	}
}

// What may be of a mailing that is not here yet is to be sent again, on a page and by mail; what is forged is refused.
func TestMailingThatMayCome(t *testing.T) {
	complete := false
	h := start(t, func(c *Config) { c.Complete = func() bool { return complete } })
	early := string(otherKey.AppendTicket(nil, mail.Ticket{Purpose: mail.ToLeave, Job: otherKey.Mark(), Rcpt: 7,
		Number: today(noon)}))
	forged := []byte(h.ticket(mail.ToLeave, 7, 0))
	forged[len(forged)-1] ^= 1
	answers := func() string {
		var all []string
		for _, ticket := range []string{early, string(forged)} {
			code, _ := h.ask("POST", "/u/"+ticket, form, oneClick)
			all = append(all, fmt.Sprint(code))
			for _, to := range []string{"unsubscribe+" + ticket, "unsubscribe"} {
				raw := "In-Reply-To: " + id(t, otherKey, 7) + "\r\n\r\n"
				if ticket != early {
					raw = "\r\n"
				}
				code := 250
				if err := h.send("ann@there.example", to+"@sender.example", raw); err != nil {
					var r *smtp.SMTPError
					if errors.As(err, &r) {
						code = r.Code
					}
				}
				all = append(all, fmt.Sprint(code))
			}
		}
		return strings.Join(all, " ")
	}
	if got := answers(); got != "503 451 451 404 550 451" {
		t.Errorf("got %s while mailings may be missing", got)
	}
	complete = true
	if got := answers(); got != "404 550 550 404 550 550" {
		t.Errorf("got %s when all mailings are here", got)
	}
	h.server.cfg.Complete = func() bool {
		h.server.Add(Job{Name: "more", Key: otherKey, First: 100, Desk: h.desk.Desk})
		return true
	}
	if got := answers(); got != "200 250 250 404 550 550" || h.gone() != "[107]" {
		t.Errorf("got %s and %s who left when the mailing came meanwhile", got, h.gone())
	}
}

// A person is mailed a confirmation, once a day, and can undo by it; a program never is.
func TestConfirmationsByMail(t *testing.T) {
	h := start(t, func(c *Config) { c.Confirm = true })
	to := func(r mail.Recipient) string {
		return "unsubscribe+" + h.ticket(mail.ToLeave, r, 0) + "@sender.example"
	}
	for _, v := range []struct{ from, raw string }{{"", ""}, {"ann@there.example",
		"Auto-Submitted: auto-generated\r\n\r\n"},
		{"ann@there.example", "Precedence: bulk\r\n\r\n"}} {
		if err := h.send(v.from, to(1), v.raw); err != nil {
			t.Fatal(err)
		}
	}
	h.wants("left mail news/1")
	for r := mail.Recipient(2); r < 4; r++ {
		if err := h.send("ann@there.example", to(r), "\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	h.wants("left mail news/2, left mail news/3, dropped mail news/3 ann@there.example")
	h.idle()
	h.lock.Lock()
	all := h.mails["ann@there.example"]
	h.lock.Unlock()
	if len(all) != 1 {
		t.Fatalf("mailed %q, want one message", all)
	}
	m, err := netmail.ReadMessage(strings.NewReader(all[0]))
	if err != nil || m.Header.Get("Auto-Submitted") != "auto-replied" || m.Header.Get("To") != "ann@there.example" {
		t.Errorf("got %v %s, want an automatic answer (RFC 3834)", err, all[0])
	}
	link := regexp.MustCompile(`https://sender\.example(/u/\S+)\r\n`).FindStringSubmatch(all[0])
	if code, _ := h.ask("POST", link[1], form, "return=yes"); code != 200 || h.gone() != "[1 3]" {
		t.Errorf("got %d, gone %s", code, h.gone())
	}
}

// Words that ask for addition are confirmed by a button before they count.
func TestJoinsByMail(t *testing.T) {
	h := start(t, nil)
	if _, err := h.desk.Leave(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if err := h.send("ann@there.example", "news@sender.example", "In-Reply-To: "+id(t, testKey, 7)+
		"\r\n\r\nSubscribe!\r\n"); err != nil {
		t.Fatal(err)
	}
	h.wants("asked mail news/7 ann@there.example")
	code, _ := h.ask("POST", h.linkTo("ann@there.example"), form, "confirm=yes")
	if code != 200 || h.gone() != "[]" {
		t.Errorf("got %d, gone %s", code, h.gone())
	}
	h.wants("returned click news/7")
}

// idle waits until everything behind answers is done.
func (h *harness) idle() {
	done := make(chan bool)
	h.server.queue <- func(context.Context) { close(done) }
	<-done
}

// linkTo returns the path of the link in the last mail to an address, when there is one.
func (h *harness) linkTo(address string) string {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		h.lock.Lock()
		all := h.mails[address]
		h.lock.Unlock()
		if len(all) > 0 {
			return regexp.MustCompile(`https://sender\.example(/u/\S+)\r\n`).FindStringSubmatch(all[len(all)-1])[1]
		}
	}
	h.t.Fatalf("no mail to %s", address)
	return ""
}

// pipes is a listener whose connections are in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Whatever a client says, each reply is one of SMTP, and who has no ticket and no ID changes nothing.
func FuzzSession(f *testing.F) {
	h := start(f, func(c *Config) { c.MostBytes, c.Timeout = 4096, time.Second })
	l := make(pipes)
	go h.server.post.Serve(l)
	begin := "EHLO x\r\nMAIL FROM:<ann@there.example>\r\nRCPT TO:<"
	f.Add([]byte(begin + "unsubscribe+" + h.ticket(mail.ToReturn, 7, 0) +
		"@sender.example>\r\nDATA\r\n\r\n.\r\nQUIT\r\n"))
	f.Add([]byte(begin + "unsubscribe@sender.example>\r\nDATA\r\nSubject: 7.abc\r\n\r\n.\r\nQUIT\r\n"))
	f.Add([]byte(begin + "news@sender.example>\r\nRCPT TO:<a@b>\r\nBDAT 5 LAST\r\nhello\r\nRSET\r\n"))
	f.Add([]byte(begin + "news@sender.example>\r\nDATA\r\nIn-Reply-To: <1.a@x>\r\n\r\nunsubscribe\r\n.\r\n"))
	f.Add([]byte("STARTTLS\r\nAUTH PLAIN AA==\r\nVRFY x\r\n\x00\xff\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		client, server := net.Pipe()
		l <- server
		go func() {
			client.SetDeadline(time.Now().Add(2 * time.Second))
			client.Write(said)
			client.Write([]byte("\r\n.\r\nQUIT\r\n"))
		}()
		var heard bytes.Buffer
		client.SetReadDeadline(time.Now().Add(2 * time.Second))
		heard.ReadFrom(client)
		client.Close()
		for line := range strings.Lines(heard.String()) {
			if len(line) < 4 || line[0] < '2' || line[0] > '5' {
				t.Errorf("got the reply %q", line)
			}
		}
		h.lock.Lock()
		all := fmt.Sprint(h.events)
		h.events = nil
		h.lock.Unlock()
		if strings.Contains(all, string(Left)) || strings.Contains(all, string(Returned)) {
			t.Errorf("told %s", all)
		}
	})
}
