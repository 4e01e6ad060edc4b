package serve

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/cmd/flyball/internal/sites"
	"flyball/internal/mail"
	"flyball/internal/testport"
)

const banksSite = `schema_version = 1
name = "banks"
scenario = "quickstart"
receiver = %q
[[station]]
role = "a"
[[station]]
role = "b"
number = 1
[[station]]
role = "c"
number = 1
listen = %q
domain = "returns.example"
[[station]]
role = "c"
number = 2
listen = %q
domain = "returns.example"
[[station]]
role = "d"
number = 1
listen = %q
[[station]]
role = "d"
number = 2
listen = %q
[[station]]
role = "hybrid"
listen = %q
mail = %q
[depot]
listen = %q
`

// freeAddresses fills all with addresses on loopback at which nothing listens.
func freeAddresses(t *testing.T, all []any) {
	t.Helper()
	for i := range all {
		all[i] = testport.Free(t)
	}
}

// A hybrid hands returned mail and requests on to two C servers and two D servers in turn, and to the one that is there
// if the other one is killed. A recipient is barred at the second message that returns, wherever both of them came, and
// not at one that came to both servers; who has left at one D server and returned at the other may leave again.
func TestBanksOfServers(t *testing.T) {
	received, receiver := takesMail(t)
	dir := t.TempDir()
	var at [7]any
	freeAddresses(t, at[:])
	letter := write(t, dir, "letter.txt", "From: news@news.example\nSubject: Hello\n"+
		"List-Unsubscribe: https://news.example/u\n\nHello.\n")
	const people = 8
	rows := "email\n"
	who := func(i int) string { return fmt.Sprintf("r%d@big.example", i) }
	for i := range people {
		rows += who(i) + "\n"
	}
	s, err := sites.Load(write(t, dir, "site.toml", fmt.Sprintf(banksSite, append([]any{receiver}, at[:]...)...)), nil)
	if err != nil {
		t.Fatal(err)
	}
	key := mail.Key{1}
	if _, err := s.Submit(sites.Submission{List: write(t, dir, "people.csv", rows), Letter: letter,
		Secret: key}); err != nil {
		t.Fatal(err)
	}
	p := play(t, s)
	until(t, "the mailing is reported", func() bool {
		all, _, err := s.Accounts()
		return err == nil && len(all) == 1 && all[0].Told
	})
	barred := func() map[mail.Recipient]bool {
		_, all, err := s.Accounts()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	until(t, "C servers have the mailing", func() bool {
		return returns(at[0].(string), key, 7, 9) == nil &&
			returns(at[1].(string), key, 7, 9) == nil
	}) // the same message at both
	back := func(r, try int) { // to the hybrid, which is asked again as by any sender
		t.Helper()
		until(t, "returned mail is taken", func() bool { return returns(at[5].(string), key, r, try) == nil })
	}
	leave := func(at any, purpose byte, r int) {
		t.Helper()
		asks(t, at, key, purpose, r)
	}
	is := func(want ...mail.Recipient) {
		t.Helper()
		until(t, fmt.Sprintf("%v are barred", want), func() bool {
			got := barred()
			for _, r := range want {
				if !got[r] {
					return false
				}
			}
			return len(got) == len(want)
		})
	}

	back(0, 0) // each to another server
	back(0, 1)
	is(0)
	p.Kill("c1") // which counts
	back(1, 0)
	back(1, 1)
	leave(at[4], mail.ToLeave, 4)
	is(0, 4)
	if err := p.Replace("c1"); err != nil {
		t.Fatal(err)
	}
	is(0, 1, 4)
	p.Kill("c2")
	back(2, 0)
	if err := p.Replace("c2"); err != nil {
		t.Fatal(err)
	}
	until(t, "c2 takes the other message", func() bool { return returns(at[1].(string), key, 2, 1) == nil })
	is(0, 1, 2, 4)

	p.Kill("d1")
	leave(at[4], mail.ToLeave, 5)
	if err := p.Replace("d1"); err != nil {
		t.Fatal(err)
	}
	p.Kill("d2")
	leave(at[4], mail.ToLeave, 6)
	if err := p.Replace("d2"); err != nil {
		t.Fatal(err)
	}
	is(0, 1, 2, 4, 5, 6)
	leave(at[2], mail.ToLeave, 3) // at the first
	is(0, 1, 2, 3, 4, 5, 6)
	leave(at[3], mail.ToReturn, 3) // at the second
	is(0, 1, 2, 4, 5, 6)
	leave(at[2], mail.ToLeave, 3) // and at the first again
	is(0, 1, 2, 3, 4, 5, 6)

	// What may be of a mailing that is not here is refused for good once the depot has no such mailing.
	strange := mail.Key{9}
	refused := func(at any) int {
		var r *smtp.SMTPError
		if err := returns(at.(string), strange, 0, 0); !errors.As(err, &r) {
			t.Errorf("got %v, want a refusal", err)
			return 0
		}
		return r.Code
	}
	answers := func() (byC, byD int) {
		asked := make(chan int)
		go func() {
			code, _ := ask(t, http.MethodPost, "http://"+at[2].(string)+"/u/"+string(strange.AppendTicket(nil,
				mail.Ticket{Purpose: mail.ToLeave, Job: strange.Mark()})), "List-Unsubscribe=One-Click", "")
			asked <- code
		}()
		return refused(at[0]), <-asked
	}
	p.Kill("a")
	if c, d := answers(); c != 451 || d != http.StatusServiceUnavailable {
		t.Errorf("got %d and %d while the A server is away, want 451 and 503", c, d)
	}
	if err := p.Replace("a"); err != nil {
		t.Fatal(err)
	}
	until(t, "what is forged is refused for good", func() bool {
		c, d := answers()
		return c == 550 && d == http.StatusNotFound
	})
	if n := received.count(who(7)); n != 1 {
		t.Errorf("got %d messages of one, want one", n)
	}
}

// asks asks a D server for what the ticket of a recipient is for, until it has an answer that is not for later.
func asks(t *testing.T, at any, key mail.Key, purpose byte, r int) {
	t.Helper()
	ticket := key.AppendTicket(nil, mail.Ticket{Purpose: purpose, Job: key.Mark(), Rcpt: mail.Recipient(r),
		Number: uint32(time.Now().Unix() / (24 * 60 * 60))})
	body := "List-Unsubscribe=One-Click"
	if purpose == mail.ToReturn {
		body = "return=yes"
	}
	code := 0
	until(t, "a request is taken", func() bool {
		code, _ = ask(t, http.MethodPost, fmt.Sprintf("http://%s/u/%s", at, ticket), body, "")
		return code != http.StatusBadGateway && code != http.StatusServiceUnavailable
	})
	if code != http.StatusOK {
		t.Fatalf("recipient %d: got %d", r, code)
	}
}

// returns sends returned mail of a try for a recipient to a server.
func returns(at string, key mail.Key, r, try int) error {
	return sendBack(at, key.VERP(mail.Recipient(r), mail.Try(try), "returns.example"),
		fmt.Sprintf("Message-ID: <%d.%d@big.example>\r\n", r, try)+
			fmt.Sprintf(undelivered, fmt.Sprintf("r%d@big.example", r)))
}

// sendBack sends a message to a return path, at a server.
func sendBack(at, path, text string) error {
	c, err := smtp.Dial(at)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.SendMail("", []string{path}, strings.NewReader(text))
}
