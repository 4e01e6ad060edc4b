package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"
)

// siteCommands are the commands of scripts that run a site of docs/sites, as its receivers and their people do:
//
//	site FILE                     copies a site file with free ports of loopback: $at2525 in place of port 2525
//	receive ADDRESS               takes all mail there, and keeps each message as mail/RECIPIENT
//	until REGEXP COMMAND...       runs a command until its output matches, for a minute
//	follow METHOD URL FILE PATH CODE
//	                              uses the first link of a message whose path begins with PATH, at a server with URL
//	returns ADDRESS FILE          returns a message to where it came from: its mailbox does not exist
//	requests ADDRESS FILE         asks by mail to leave, at the address that a message has for that
//	until-listens ADDRESS...      waits until servers listen
//	writes ADDRESS TO CODE        sends an empty mail from a person, and wants a reply to the recipient
var siteCommands = map[string]func(*testscript.TestScript, bool, []string){
	"site": func(ts *testscript.TestScript, _ bool, args []string) {
		text, err := os.ReadFile(filepath.Join(ts.Getenv("SITES"), args[0]))
		ts.Check(err)
		var held []net.Listener // so that no port is drawn twice
		free := map[string]string{}
		out := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllStringFunc(string(text), func(at string) string {
			if free[at] == "" {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				ts.Check(err)
				held, free[at] = append(held, l), l.Addr().String()
				ts.Setenv("at"+strings.TrimPrefix(at, "127.0.0.1:"), free[at])
			}
			return free[at]
		})
		for _, l := range held {
			l.Close()
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out), 0o600))
	},
	"receive": func(ts *testscript.TestScript, _ bool, args []string) {
		dir := ts.MkAbs("mail")
		ts.Check(os.MkdirAll(dir, 0o700))
		l, err := net.Listen("tcp", args[0])
		ts.Check(err)
		s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &keeping{dir: dir}, nil }))
		s.Domain, s.ErrorLog = "receiver.example", log.New(io.Discard, "", 0)
		go s.Serve(l)
		ts.Defer(func() { s.Close() })
	},
	"until": func(ts *testscript.TestScript, _ bool, args []string) {
		want, dir := regexp.MustCompile("(?m)"+args[0]), ts.MkAbs(".")
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			c := exec.Command(os.Args[0], args[2:]...)
			c.Args[0], c.Dir = args[1], dir // by this name the test is the command
			out, err := c.CombinedOutput()
			if err == nil && want.Match(out) {
				return
			}
			if time.Now().After(end) {
				ts.Fatalf("not within a minute: %s\n%v\n%s", args[0], err, out)
			}
		}
	},
	"follow": func(ts *testscript.TestScript, _ bool, args []string) {
		text := strings.NewReplacer("=\n", "", "\n ", " ").Replace(ts.ReadFile(args[2]))
		found := regexp.MustCompile(`https://news\.example(` + args[3] + `[a-z0-9]+)`).FindStringSubmatch(text)
		if found == nil {
			ts.Fatalf("%s has no link %s", args[2], args[3])
		}
		body := io.Reader(http.NoBody)
		if args[0] == http.MethodPost {
			body = strings.NewReader("List-Unsubscribe=One-Click")
		}
		q, err := http.NewRequest(args[0], args[1]+found[1], body)
		ts.Check(err)
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		a, err := http.DefaultTransport.RoundTrip(q)
		ts.Check(err)
		a.Body.Close()
		if strconv.Itoa(a.StatusCode) != args[4] {
			ts.Fatalf("%s %s: got %s, want %s", args[0], found[1], a.Status, args[4])
		}
		ts.Logf("%s leads to %s", found[1], a.Header.Get("Location"))
	},
	"returns": func(ts *testscript.TestScript, _ bool, args []string) {
		from := regexp.MustCompile(`(?m)^Return-Path: <(.*)>$`).FindStringSubmatch(ts.ReadFile(args[1]))
		text := "From: MAILER-DAEMON@receiver.example\r\nSubject: failure notice\r\n\r\n<" + filepath.Base(args[1]) +
			">:\r\n550 5.1.1 no such user\r\n"
		if code := sendTo(ts, args[0], "", from[1], text); code != 250 {
			ts.Fatalf("returned mail: got %d, want 250", code)
		}
	},
	"requests": func(ts *testscript.TestScript, _ bool, args []string) {
		text := strings.ReplaceAll(ts.ReadFile(args[1]), "\n ", "")
		to := regexp.MustCompile(`<mailto:(unsubscribe\+[a-z0-9]+@news\.example)`).FindStringSubmatch(text)
		if to == nil {
			ts.Fatalf("%s has no address to leave at", args[1])
		}
		mail := "From: ann@provider.example\r\nSubject: leave\r\n\r\n\r\n"
		if code := sendTo(ts, args[0], "ann@provider.example", to[1], mail); code != 250 {
			ts.Fatalf("mail to %s: got %d, want 250", to[1], code)
		}
	},
	"until-listens": func(ts *testscript.TestScript, _ bool, args []string) {
		for end := time.Now().Add(time.Minute); len(args) > 0; {
			if conn, err := net.Dial("tcp", args[0]); err == nil {
				conn.Close()
				args = args[1:]
			} else if time.Sleep(50 * time.Millisecond); time.Now().After(end) {
				ts.Fatalf("not within a minute: %v", err)
			}
		}
	},
	"writes": func(ts *testscript.TestScript, _ bool, args []string) {
		text := "From: ann@provider.example\r\nSubject: hello\r\n\r\n\r\n"
		if code := sendTo(ts, args[0], "ann@provider.example", args[1], text); strconv.Itoa(code) != args[2] {
			ts.Fatalf("mail to %s: got %d, want %s", args[1], code, args[2])
		}
	},
}

// sendTo sends a message to a server, and returns the code of the last reply.
func sendTo(ts *testscript.TestScript, server, from, to, text string) int {
	conn, err := net.Dial("tcp", server)
	ts.Check(err)
	c := smtp.NewClient(conn)
	defer c.Close()
	err = c.SendMail(from, []string{to}, strings.NewReader(text))
	if e, is := err.(*smtp.SMTPError); is {
		return e.Code
	}
	ts.Check(err)
	return 250
}

// keeping is a session of a receiver that keeps messages in a folder, by their recipients.
type keeping struct{ dir, from, to string }

func (s *keeping) Reset()                                      {}
func (s *keeping) Logout() error                               { return nil }
func (s *keeping) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *keeping) Rcpt(to string, _ *smtp.RcptOptions) error   { s.to = filepath.Base(to); return nil }
func (s *keeping) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, s.to), fmt.Appendf(nil, "Return-Path: <%s>\n%s", s.from,
		strings.ReplaceAll(string(text), "\r\n", "\n")), 0o600)
}
