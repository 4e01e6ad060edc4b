package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/internal/mail"
)

// receiver is the other end of a connection, which a test plays.
type receiver struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// meet returns a client and plays its receiver beside the test. The test ends when both have.
func meet(t *testing.T, o Options, play func(*receiver)) *Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		defer other.Close()
		play(&receiver{t, other, bufio.NewReader(other)})
	}()
	if o.Patience == nil {
		o.Patience = func(mail.Stage) time.Duration { return 20 * time.Second }
	}
	if o.Block == 0 {
		o.Block = 20 * time.Second
	}
	o.Name = "sender.example"
	c := New(conn, &o)
	t.Cleanup(func() { c.Close(); <-done })
	return c
}

func (r *receiver) say(lines ...string) { io.WriteString(r, strings.Join(lines, "\r\n")+"\r\n") }

// hear reads a command, or a line of a message; "" at the end of the connection.
func (r *receiver) hear() string {
	line, err := r.in.ReadString('\n')
	if err != nil {
		return ""
	}
	if !strings.HasSuffix(line, "\r\n") {
		r.t.Errorf("got line %q without CRLF", line)
	}
	return strings.TrimSuffix(line, "\r\n")
}

// message reads up to the final dot, and returns what DATA carries, with its dots; false without
// a final dot.
func (r *receiver) message() (string, bool) {
	var all strings.Builder
	for {
		switch line, err := r.in.ReadString('\n'); {
		case err != nil:
			return all.String(), false
		case line == ".\r\n":
			return all.String(), true
		default:
			all.WriteString(line)
		}
	}
}

// greet greets, with extensions.
func (r *receiver) greet(extensions ...string) {
	r.say("220 here")
	r.hear()
	lines := append([]string{"here"}, extensions...)
	for i := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		lines[i] = "250" + sep + lines[i]
	}
	r.say(lines...)
}

// takes answers a message, with replies in the order of commands.
func (r *receiver) takes(replies ...string) {
	for i, reply := range replies {
		if i == 3 {
			r.message()
		} else {
			r.hear()
		}
		r.say(reply)
	}
}

var to = Envelope{From: "a@sender.example", To: "b@provider.example"}

func open() bool { return true }

func must(t *testing.T, r *mail.Reply) {
	t.Helper()
	if r != nil {
		t.Fatalf("got %+v, want none", *r)
	}
}

// want checks the end of an attempt, and whether it counts as sent.
func want(t *testing.T, c *Client, gate func() bool, end mail.Reply, dot bool) {
	t.Helper()
	got, sent := c.Send(to, []byte("Subject: x\r\n\r\nhello\r\n"), gate)
	if got != end || sent != dot {
		t.Errorf("got %+v, sent %v, want %+v, %v", got, sent, end, dot)
	}
}

var (
	done    = mail.Reply{Stage: mail.StageDot, Code: 250}
	garbled = func(s mail.Stage) mail.Reply { return mail.Reply{Stage: s, Fault: mail.Garbled} }
	dropped = func(s mail.Stage) mail.Reply { return mail.Reply{Stage: s, Fault: mail.Drop} }
)

// Two messages over one connection, one command at a time or together.
func TestMessages(t *testing.T) {
	for _, pipelining := range []bool{false, true} {
		c := meet(t, Options{Pipelining: pipelining}, func(r *receiver) {
			r.greet("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8")
			for range 2 {
				for i, want := range []string{"MAIL FROM:<a@sender.example> SIZE=21 BODY=8BITMIME",
					"RCPT TO:<b@provider.example>", "DATA"} {
					if got := r.hear(); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
					if !pipelining {
						if n := r.in.Buffered(); n > 0 {
							t.Errorf("%d bytes behind command %d, want none", n, i)
						}
						r.say([]string{"250 ok", "251 ok", "354 go on"}[i])
					}
				}
				if pipelining {
					r.say("250 ok", "251 ok", "354 go on")
				}
				if got, whole := r.message(); got != "Subject: x\r\n\r\nhello\r\n" || !whole {
					t.Errorf("got message %q", got)
				}
				if n := r.in.Buffered(); n > 0 {
					t.Errorf("%d bytes behind the final dot, want none", n)
				}
				r.say("250 taken")
			}
			if got := r.hear(); got != "QUIT" {
				t.Errorf("got %q, want QUIT", got)
			}
		})
		must(t, c.Greet())
		want(t, c, open, done, true)
		want(t, c, open, done, true)
		c.Leave()
	}
}

// After a refused message the session is renewed: with RSET and EHLO, whose extensions count.
func TestRenew(t *testing.T) {
	c := meet(t, Options{}, func(r *receiver) {
		r.greet("SIZE 1000")
		r.takes("250 ok", "550 no")
		if got := r.hear(); got != "RSET" {
			t.Errorf("got %q, want RSET", got)
		}
		r.say("250 ok")
		if got := r.hear(); got != "EHLO sender.example" {
			t.Errorf("got %q, want EHLO", got)
		}
		r.say("250-here", "250 8BITMIME")
		if got := r.hear(); got != "MAIL FROM:<a@sender.example> BODY=8BITMIME" {
			t.Errorf("got %q", got)
		}
		r.say("421 enough")
	})
	must(t, c.Greet())
	want(t, c, open, mail.Reply{Stage: mail.StageRCPT, Code: 550}, false)
	must(t, c.Renew())
	want(t, c, open, mail.Reply{Stage: mail.StageMAIL, Code: 421}, false)
	c.Close()
}

// EHLO that a server has no command for is HELO; another refusal of it stands.
func TestHELO(t *testing.T) {
	for code, second := range map[string]string{"500": "HELO sender.example", "502": "HELO sender.example",
		"550": "QUIT", "504": "QUIT"} {
		c := meet(t, Options{}, func(r *receiver) {
			r.say("220 here")
			r.takes(code + " no")
			if got := r.hear(); got != second {
				t.Errorf("got %q after %s, want %q", got, code, second)
			}
			r.say("250 ok")
			r.hear()
		})
		if r := c.Greet(); (r == nil) != (second != "QUIT") {
			t.Errorf("%s to EHLO: got %+v", code, r)
		}
		c.Leave()
	}
}

// What has come without a command ends the session: no reply is taken for another command's.
func TestRepliesStayInStep(t *testing.T) {
	for _, v := range []struct {
		name       string
		extensions string
		replies    []string // to MAIL, RCPT, DATA, the dot
		end        mail.Reply
		sent       bool
	}{
		{"two replies to EHLO", "X\r\n250 again", nil, garbled(mail.StageMAIL), false},
		{"421 after EHLO", "X\r\n421 leaving", nil, mail.Reply{Stage: mail.StageMAIL, Code: 421}, false},
		{"550 after EHLO", "X\r\n550 no", nil, garbled(mail.StageMAIL), false},
		{"two replies to MAIL", "X", []string{"250 ok\r\n250 ok"}, garbled(mail.StageRCPT), false},
		{"a part of one after MAIL", "X", []string{"250 ok\r\n25"}, garbled(mail.StageRCPT), false},
		{"two replies to RCPT", "X", []string{"250 ok", "250 ok\r\n354 go on"}, garbled(mail.StageDATA), false},
		{"an early 250", "X", []string{"250 ok", "250 ok", "354 go on\r\n250 taken"}, garbled(mail.StageDATA), false},
		{"an early 552", "X", []string{"250 ok", "250 ok", "354 go on\r\n552 too long"},
			mail.Reply{Stage: mail.StageDATA, Code: 552}, false},
		{"pipelined, an early 250", "PIPELINING", []string{"250 ok", "250 ok", "354 go on\r\n250 taken"},
			garbled(mail.StageDATA), false},
		{"pipelined, MAIL refused", "PIPELINING", []string{"550 no", "503 no", "503 no"},
			mail.Reply{Stage: mail.StageMAIL, Code: 550}, false},
		{"pipelined, RCPT refused", "PIPELINING", []string{"250 ok", "450 no", "554 no"},
			mail.Reply{Stage: mail.StageRCPT, Code: 450}, false},
		{"pipelined, RCPT refused with 421", "PIPELINING", []string{"250 ok", "421 no"},
			mail.Reply{Stage: mail.StageRCPT, Code: 421}, false},
		{"pipelined, closed after a refusal", "PIPELINING", []string{"550 no", "cut "},
			mail.Reply{Stage: mail.StageMAIL, Code: 550}, false},
		{"pipelined, RCPT refused and DATA not", "PIPELINING", []string{"250 ok", "550 no", "354 go on", "554 none"},
			mail.Reply{Stage: mail.StageRCPT, Code: 550}, false},
		{"RCPT refused", "X", []string{"250 ok", "550 no"}, mail.Reply{Stage: mail.StageRCPT, Code: 550}, false},
		{"cut at the dot", "X", []string{"250 ok", "250 ok", "354 go on", "cut 250 tak"}, dropped(mail.StageDot), true},
		{"a line feed alone", "X", []string{"250 ok", "250 ok", "354 go on", "cut 250 taken\n"},
			garbled(mail.StageDot), true},
		{"354 again", "X", []string{"250 ok", "250 ok", "354 go on", "354 go on"}, garbled(mail.StageDot), true},
		{"two codes", "X", []string{"250 ok", "250 ok", "354 go on", "250-taken\r\n550 no"}, garbled(mail.StageDot),
			true},
		{"a code alone", "X", []string{"250", "251", "354", "250-\r\n250"}, done, true},
		{"451 to the dot", "X", []string{"250 ok", "250 ok", "354 go on", "451 later"},
			mail.Reply{Stage: mail.StageDot, Code: 451}, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := meet(t, Options{Pipelining: true}, func(r *receiver) {
				r.greet(v.extensions)
				for i, reply := range v.replies {
					if i < 3 {
						r.hear()
					} else {
						r.message()
					}
					if part, cut := strings.CutPrefix(reply, "cut "); cut {
						io.WriteString(r, part)
						return
					}
					r.say(reply)
				}
				if rest, whole := r.message(); whole {
					t.Errorf("got %q and a final dot, want none", rest)
				}
			})
			must(t, c.Greet())
			want(t, c, open, v.end, v.sent)
			usable := v.end.Fault == mail.NoFault && v.end.Code != 421 && v.name != "an early 552" &&
				v.name != "pipelined, closed after a refusal"
			if c.Usable() != usable {
				t.Errorf("usable: %v, want %v", c.Usable(), usable)
			}
			c.Close()
		})
	}
}

// A reply that never ends is given up, whatever its shape; it fills no memory.
func TestRepliesAreBounded(t *testing.T) {
	for name, part := range map[string]string{
		"a line": strings.Repeat("x", 1<<10), "lines": "220-here\r\n", "NULs": strings.Repeat("\x00", 100),
		"too many lines": strings.Repeat("220-\r\n", 1500) + "220 here\r\n",
		"long lines":     "220-" + strings.Repeat("x", 2000) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := meet(t, Options{}, func(r *receiver) {
				for {
					if _, err := io.WriteString(r, part); err != nil {
						return
					}
				}
			})
			if r := c.Greet(); r == nil || *r != garbled(mail.StageBanner) {
				t.Errorf("got %+v, want it garbled", r)
			}
			c.Close()
		})
	}
}

// The time of a stage is the time of its whole reply: bytes that trickle in do not prolong it.
func TestReplyHasOneDeadline(t *testing.T) {
	c := meet(t, Options{Patience: func(mail.Stage) time.Duration { return 30 * time.Millisecond }}, func(r *receiver) {
		for _, b := range []byte("220 " + strings.Repeat("slow", 900) + "\r\n") {
			if _, err := r.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(time.Millisecond) // the pace of the receiver
		}
	})
	if r := c.Greet(); r == nil || r.Fault != mail.Timeout {
		t.Errorf("got %+v, want a time-out", r)
	}
	c.Close()
}

// A reply that has arrived counts though its time is over: the sender may have been stopped.
func TestArrivedReplyIsNotLate(t *testing.T) {
	said := make(chan bool)
	c := meet(t, Options{}, func(r *receiver) {
		r.say("220-here", "220 and ready")
		close(said)
		r.hear()
	})
	<-said
	c.conn.SetReadDeadline(time.Unix(1, 0))
	must(t, c.await(mail.StageBanner, 2))
	if got := c.Shown(); got != "here and ready" {
		t.Errorf("got text %q", got)
	}
	c.conn.SetReadDeadline(time.Unix(1, 0))
	if r := c.await(mail.StageBanner, 2); r == nil || r.Fault != mail.Timeout {
		t.Errorf("got %+v, want a time-out", r)
	}
	c.Close()
}

// A write that fails before the final dot was with the kernel sends nothing, and a reply that the
// receiver left behind is the reason.
func TestFailedWrite(t *testing.T) {
	for name, v := range map[string]struct {
		leaves string
		end    mail.Reply
	}{"closed": {"", dropped(mail.StageDATA)}, "refused": {"552 5.3.4 too long\r\n",
		mail.Reply{Stage: mail.StageDATA, Code: 552}}, "thanked": {"250 ok\r\n", dropped(mail.StageDATA)}} {
		t.Run(name, func(t *testing.T) {
			c := meet(t, Options{}, func(r *receiver) {
				r.greet("X")
				r.takes("250 ok", "250 ok", "354 go on")
				r.hear()
				io.WriteString(r, v.leaves)
			})
			must(t, c.Greet())
			message := bytes.Repeat([]byte("twenty bytes a line\r\n"), 1<<20)
			got, sent := c.Send(to, message, open)
			if got != v.end && !(name == "thanked" && got == garbled(mail.StageDATA)) || sent {
				t.Errorf("got %+v, sent %v, want %+v, false", got, sent, v.end)
			}
			if c.Usable() {
				t.Error("the session goes on")
			}
		})
	}
}

// A receiver that stops reading gets as long for a part as it takes to send one.
func TestBlockHasADeadline(t *testing.T) {
	end := make(chan bool)
	long := func(mail.Stage) time.Duration { return time.Hour }
	c := meet(t, Options{Block: 10 * time.Millisecond, Patience: long}, func(r *receiver) {
		r.greet("X")
		r.takes("250 ok", "250 ok", "354 go on")
		<-end
	})
	must(t, c.Greet())
	got, sent := c.Send(to, bytes.Repeat([]byte("twenty bytes a line\r\n"), 1<<20), open)
	close(end)
	if want := (mail.Reply{Stage: mail.StageDATA, Fault: mail.Timeout}); got != want || sent {
		t.Errorf("got %+v, sent %v, want %+v, false", got, sent, want)
	}
}

// A gate that is shut keeps the final dot back.
func TestGate(t *testing.T) {
	c := meet(t, Options{}, func(r *receiver) {
		r.greet("X")
		r.takes("250 ok", "250 ok", "354 go on")
		if got, whole := r.message(); whole {
			t.Errorf("got %q and a final dot, want none", got)
		}
	})
	must(t, c.Greet())
	want(t, c, func() bool { return false }, mail.Reply{Stage: mail.StageDATA, Fault: mail.Aborted}, false)
	c.Close()
}

// A receiver that gives up while the gate is asked gets no final dot.
func TestEndAtTheGate(t *testing.T) {
	asked := make(chan bool)
	c := meet(t, Options{}, func(r *receiver) {
		r.greet("X")
		r.takes("250 ok", "250 ok", "354 go on")
		<-asked
		r.say("421 bye")
		if got, whole := r.message(); whole {
			t.Errorf("got %q and a final dot, want none", got)
		}
	})
	c.options.Times = true
	must(t, c.Greet())
	c.Begin()
	want(t, c, func() bool {
		close(asked)
		c.socket.raw.Read(func(descriptor uintptr) bool { // waits until the reply is here
			n, _, _ := syscall.Recvfrom(int(descriptor), make([]byte, 1), syscall.MSG_PEEK)
			return n > 0
		})
		return true
	}, mail.Reply{Stage: mail.StageDATA, Code: 421}, false)
	if c.Spent[mail.StageDot] > 0 || c.Spent[mail.StageDATA] == 0 {
		t.Errorf("got %v at %s, where no final dot is sent", c.Spent[mail.StageDot], mail.StageDot)
	}
	c.Close()
}

// A receiver that offers PIPELINING and answers the first command alone is remembered.
func TestFewerRepliesThanCommands(t *testing.T) {
	c := meet(t, Options{Pipelining: true, Patience: func(s mail.Stage) time.Duration {
		if s == mail.StageRCPT {
			return time.Millisecond
		}
		return 20 * time.Second
	}}, func(r *receiver) {
		r.greet("PIPELINING")
		r.takes("250 ok")
		r.message()
	})
	must(t, c.Greet())
	want(t, c, open, mail.Reply{Stage: mail.StageRCPT, Fault: mail.Timeout}, false)
	if !c.Short {
		t.Error("the session is not short of replies")
	}
	c.Close()
}

// A message that the receiver would refuse by what it offers is not sent.
func TestUnfit(t *testing.T) {
	for _, v := range []struct {
		offer, to, message string
		code               uint16
		status             string // or the receiver's word
	}{
		{"SIZE 5", "b@p.example", "six\r\n.", 552, "5.3.4"},
		{"SIZE 6", "b@p.example", "six\r\n.", 250, "ok"},
		{"SIZE 0", "b@p.example", "six\r\n.", 250, "ok"},
		{"size 5 6", "b@p.example", "six\r\n.", 552, "5.3.4"},
		{"SIZE x", "b@p.example", "six\r\n.", 250, "ok"},
		{"X", "b@p.example", "h\xc3\xa9\r\n", 554, "5.6.3"},
		{"8bitmime", "b@p.example", "h\xc3\xa9\r\n", 250, "ok"},
		{"8BITMIME", "b\xc3\xa9@p.example", "h\r\n", 553, "5.6.7"},
		{"SMTPUTF8", "b\xc3\xa9@p.example", "h\r\n", 250, "ok"},
	} {
		c := meet(t, Options{}, func(r *receiver) {
			r.greet(v.offer, "\xff\xfe garbage", "")
			if v.code == 250 {
				r.takes("250 ok", "250 ok", "354 go on", "250 ok")
			}
			if got := r.hear(); got != "QUIT" {
				t.Errorf("%s: got %q, want QUIT", v.offer, got)
			}
		})
		must(t, c.Greet())
		got, _ := c.Send(Envelope{"a@s.example", v.to}, []byte(v.message), open)
		status, _, _ := strings.Cut(c.Shown(), " ")
		if got.Code != v.code || status != v.status {
			t.Errorf("%s: got %+v %s, want %d %s", v.offer, got, status, v.code, v.status)
		}
		c.Leave()
	}
}

// The sender logs in as the receiver asks for it; a refusal is about the sender.
func TestLogin(t *testing.T) {
	const user, password, both = "bWU=", "c2VjcmV0", "AG1lAHNlY3JldA=="
	for _, v := range []struct {
		offer string
		heard []string
		said  []string
		code  uint16 // of the refusal; 0: none
	}{
		{"AUTH LOGIN PLAIN", []string{"AUTH PLAIN " + both}, []string{"235 welcome"}, 0},
		{"auth login", []string{"AUTH LOGIN", user, password}, []string{"334 VXNlcg==", "334", "235 welcome"}, 0},
		{"AUTH PLAIN", []string{"AUTH PLAIN " + both}, []string{"535 5.7.8 no"}, 535},
		{"AUTH PLAIN", []string{"AUTH PLAIN " + both}, []string{"454 4.7.0 later"}, 454},
		{"AUTH LOGIN", []string{"AUTH LOGIN", user}, []string{"334", "535 no"}, 535},
		{"AUTH GSSAPI", nil, nil, 534},
		{"X", nil, nil, 534},
	} {
		c := meet(t, Options{Security: Security{Login: &Login{"me", "secret"}}}, func(r *receiver) {
			r.greet(v.offer)
			for i, want := range v.heard {
				if got := r.hear(); got != want {
					t.Errorf("%s: got %q, want %q", v.offer, got, want)
				}
				r.say(v.said[i])
			}
			r.hear()
		})
		switch r := c.Greet(); {
		case v.code == 0:
			must(t, r)
		case r == nil || r.Code != v.code || r.OfSender() != (v.code > 500):
			t.Errorf("%s: got %+v, want %d", v.offer, r, v.code)
		}
		c.Leave()
	}
}

// Each line ends with CRLF and a dot at its beginning is doubled, whatever the message has.
func TestStuffed(t *testing.T) {
	for message, want := range map[string]string{
		"":                       "",
		"a":                      "a\r\n",
		"a\r\n":                  "a\r\n",
		".":                      "..\r\n",
		"a\r\n.\r\nb\r\n":        "a\r\n..\r\nb\r\n",
		"a\n.\nb":                "a\r\n..\r\nb\r\n",
		"a\r.\rb":                "a\r\n..\r\nb\r\n",
		"a\r\n.\rMAIL FROM:<x>":  "a\r\n..\r\nMAIL FROM:<x>\r\n",
		"a\n.\r\nMAIL FROM:<x>":  "a\r\n..\r\nMAIL FROM:<x>\r\n",
		"a\r\r\n.b":              "a\r\n\r\n..b\r\n",
		"..a\r\n...":             "...a\r\n....\r\n",
		"\r\n\r\n":               "\r\n\r\n",
		strings.Repeat("a", 1e5): strings.Repeat("a", 1e5) + "\r\n",
	} {
		got, err := stuffed(nil, []byte(message), func(out []byte) ([]byte, error) { return out, nil })
		if string(got) != want || err != nil {
			t.Errorf("%q is sent as %q, %v, want %q", message, got, err, want)
		}
	}
}

// A long message is sent in parts, and arrives whole.
func TestLongMessage(t *testing.T) {
	message := bytes.Repeat([]byte(".a line that begins with a dot\r\n"), 10_000)
	arrived := make(chan string, 1)
	c := meet(t, Options{}, func(r *receiver) {
		r.greet("X")
		r.takes("250 ok", "250 ok", "354 go on")
		got, _ := r.message()
		arrived <- got
		r.say("250 ok")
	})
	must(t, c.Greet())
	if got, sent := c.Send(to, message, open); got != done || !sent {
		t.Errorf("got %+v, sent %v", got, sent)
	}
	if got := <-arrived; got != strings.ReplaceAll(string(message), ".a", "..a") {
		t.Errorf("%d bytes arrived, want %d", len(got), len(message)+10_000)
	}
}

// A reply is shown in printable ASCII, and no longer than people read.
func TestShown(t *testing.T) {
	var r reply
	for _, line := range []string{"550-5.1.1 no\x1b[31m\xff", "550 " + strings.Repeat("x", 1000)} {
		r.add([]byte(line))
	}
	if got := string(r.shown(nil)); !strings.HasPrefix(got, "5.1.1 no?[31m? xxx") || len(got) > mostShown {
		t.Errorf("got %q", got)
	}
}

func TestOffer(t *testing.T) {
	var lines strings.Builder
	lines.WriteString("here PIPELINING\n")
	for i := range 200 {
		fmt.Fprintf(&lines, "X%d\n", i)
	}
	lines.WriteString("pipelining\nAuth PLAIN login\nLIMITS RCPTMAX=1 MAILMAX=20 X=\nSTARTTLS\nstarttls\n")
	got := offerOf([]byte(lines.String()))
	if !got.Pipelining || got.EightBit || !got.StartTLS || got.Messages != 20 ||
		!slices.Equal(got.Mechanisms, []string{"PLAIN", "LOGIN"}) {
		t.Errorf("got %+v", got)
	}
	if got := offerOf([]byte("PIPELINING\n")); got.Pipelining {
		t.Error("the receiver's name is an extension")
	}
}

// A receiver whose window is closed at the last part of a message holds up no run that is to end: the final dot is not
// sent, and no reply is waited for.
func TestHurry(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} { // before the last part is sent, and while it is
		conn, other := net.Pipe()
		stop := make(chan bool)
		go func() {
			in := bufio.NewReader(other)
			io.WriteString(other, "220 r\r\n")
			for _, reply := range []string{"250 r", "250 ok", "250 ok", "354 go on"} {
				in.ReadString('\n')
				io.WriteString(other, reply+"\r\n")
			}
			<-stop // and reads nothing any more
			other.Close()
		}()
		hour := func(mail.Stage) time.Duration { return time.Hour }
		c := New(conn, &Options{Name: "sender.example", Patience: hour, Block: time.Hour})
		if r := c.Greet(); r != nil {
			t.Fatal(r)
		}
		end, sent := c.Send(Envelope{"a@a.example", "b@b.example"}, []byte("Subject: s\r\n\r\nHello\r\n"), func() bool {
			if late {
				go c.Hurry()
			} else {
				c.Hurry()
			}
			return true
		})
		if want := (mail.Reply{Stage: mail.StageDATA, Fault: mail.Timeout}); sent || end != want {
			t.Errorf("got %+v, sent %v, want %+v", end, sent, want)
		}
		close(stop)
		c.Close()
	}
}

// The time of each stage is the time that the receiver took for it, and the wait at the gate is in none of them.
func TestSpent(t *testing.T) {
	const step, wait = 20 * time.Millisecond, 300 * time.Millisecond
	slowly := func(r *receiver, n int, lines ...string) {
		time.Sleep(time.Duration(n) * step)
		r.say(lines...)
	}
	c := meet(t, Options{Times: true}, func(r *receiver) {
		slowly(r, 1, "220 mx.example")
		for i, reply := range []string{"250 mx.example", "250 2.1.0 ok", "250 2.1.5 ok", "354 go on"} {
			r.hear()
			slowly(r, i+2, reply)
		}
		for line := r.hear(); line != "." && line != ""; line = r.hear() {
		}
		slowly(r, 6, "250 2.0.0 queued as 4F2")
		r.hear()
	})
	began := time.Now()
	c.Begin()
	if r := c.Greet(); r != nil {
		t.Fatal(r)
	}
	end, sent := c.Send(Envelope{"a@sender.example", "b@mx.example"}, []byte("Subject: x\r\n\r\ny\r\n"), func() bool {
		time.Sleep(wait)
		return true
	})
	c.Lap(end.Stage)
	if took := time.Since(began); !sent || end.Code != 250 {
		t.Fatalf("got %+v after %v", end, took)
	} else {
		all := time.Duration(0)
		for stage := mail.StageBanner; stage < mail.Stages; stage++ {
			if least := time.Duration(stage-mail.StageBanner+1) * step; c.Spent[stage] < least {
				t.Errorf("%s: got %v, want %v or more", stage, c.Spent[stage], least)
			}
			all += c.Spent[stage]
		}
		if all > took-wait {
			t.Errorf("got %v in all of %v, of which %v were at the gate", all, took, wait)
		}
	}
	if c.Shown() != "2.0.0 queued as 4F2" {
		t.Errorf("got %q", c.Shown())
	}
	if trip, ok := c.RoundTrip(); ok && (trip <= 0 || trip > 20*time.Second) {
		t.Errorf("got a round trip of %v", trip)
	}
	if c.Begin(); c.Spent != [mail.Stages]time.Duration{} {
		t.Errorf("got %v of the attempt before", c.Spent)
	}
}
