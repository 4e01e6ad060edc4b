package demo

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/realrun/dial"
)

// Shares of recipients who do something beside taking a message.
const (
	returning = 0.002 // whose mailbox takes the message, and returns it later
	leaving   = 0.002 // who leave the list by the link in the message
	gone      = 0.002 // who leave it meanwhile by the link of an earlier message, one hundredth second after the other
)

// people are these recipients. Each of them uses what a message has, as receivers and programs of mail do.
type people struct {
	play *play
	key  rng.Key
	busy sync.WaitGroup

	lock     sync.Mutex
	returned map[mail.Recipient]bool      // whose message C has taken back
	left     map[mail.Recipient]time.Time // when D confirmed that they get nothing any more
	late     map[mail.Recipient]time.Time // who got a message after that, and when
	failed   error                        // the first request or return that was not answered as it should be
}

func newPeople(p *play, key rng.Key) *people {
	return &people{play: p, key: key, returned: map[mail.Recipient]bool{}, left: map[mail.Recipient]time.Time{},
		late: map[mail.Recipient]time.Time{}}
}

// does returns which of the shares a recipient belongs to: 0, 1 or 2, or 3 for none.
func (p *people) does(r mail.Recipient) int {
	v := float64(p.key.At(uint64(r), 0, peopleDraw)[0]) / (1 << 32)
	for i, share := range []float64{returning, leaving, gone} {
		if v < share {
			return i
		}
		v -= share
	}
	return 3
}

// reads returns what a recipient does with a message; nil: nothing.
func (p *people) reads(r mail.Recipient) func(from string, message []byte) {
	switch p.does(r) {
	case 0:
		if p.play.process.Listens("c", "listen") == "" {
			return nil
		}
		return func(from string, message []byte) { p.busy.Go(func() { p.note(p.returns(r, from, message)) }) }
	case 1:
		return func(_ string, message []byte) { p.busy.Go(func() { p.note(p.clicks(r, message)) }) }
	case 2:
		return func(string, []byte) {
			p.lock.Lock()
			defer p.lock.Unlock()
			if _, is := p.left[r]; is {
				p.late[r] = time.Now()
			}
		}
	}
	return nil
}

func (p *people) note(err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.failed == nil {
		p.failed = err
	}
}

// wait waits for all that is under way.
func (p *people) wait() { p.busy.Wait() }

var link = regexp.MustCompile(`(?i)List-Unsubscribe: <https://demo\.example/u/([a-z0-9]+)>`)

// clicks leaves the list by the link in a message, with one click (RFC 8058).
func (p *people) clicks(r mail.Recipient, message []byte) error {
	found := link.FindSubmatch([]byte(strings.ReplaceAll(string(message), "\r\n ", " ")))
	if found == nil {
		return fmt.Errorf("recipient %d: the message has no link to leave the list", r)
	}
	return p.leave(r, string(found[1]))
}

// leave leaves the list by a ticket. The address of the web leads to the D server.
func (p *people) leave(r mail.Recipient, ticket string) error {
	at := "http://" + p.play.process.Listens("d", "listen") + "/u/" + ticket
	q, err := http.NewRequest(http.MethodPost, at, strings.NewReader("List-Unsubscribe=One-Click"))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := p.play.web.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("recipient %d: the D server answers %s", r, a.Status)
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.left[r] = time.Now()
	return nil
}

// leaveEarly lets people leave who have a link of an earlier message, until ctx ends.
func (p *people) leaveEarly(ctx context.Context) {
	key, day := p.play.key, uint32(time.Now().Unix()/(24*60*60))
	for r := mail.Recipient(p.play.Recipients) - 1; r > 0 && ctx.Err() == nil; r-- { // the last ones get theirs last
		if p.does(r) != 2 || p.play.sink.Ledger.Accepted(r) {
			continue
		}
		ticket := key.AppendTicket(nil, mail.Ticket{Purpose: mail.ToLeave, Job: key.Mark(), Rcpt: r, Number: day})
		p.note(p.leave(r, string(ticket)))
		time.Sleep(10 * time.Millisecond)
	}
}

// returns sends a message back to where it came from: the mailbox does not exist (RFC 3464).
func (p *people) returns(r mail.Recipient, from string, message []byte) error {
	time.Sleep(time.Second)
	conn, err := (*dial.Allowlist)(nil).Dial(context.Background(), "tcp", p.play.process.Listens("c", "listen"))
	if err != nil {
		return err
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	head, _, _ := strings.Cut(string(message), "\r\n\r\n")
	text := fmt.Sprintf("From: MAILER-DAEMON@receiver.example\r\nTo: %s\r\nSubject: Undelivered mail\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n"+
		"--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"+
		"Reporting-MTA: dns; receiver.example\r\n\r\nFinal-Recipient: rfc822; r%d@receiver.example\r\n"+
		"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n"+
		"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n%s\r\n\r\n--b--\r\n", from, r, head)
	if err := c.SendMail("", []string{from}, strings.NewReader(text)); err != nil {
		return fmt.Errorf("recipient %d: the C server answers %w", r, err)
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.returned[r] = true
	return c.Quit()
}
