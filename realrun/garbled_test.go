package realrun_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun"
)

// command is what a client says to a scripted receiver.
type command struct {
	verb       string // in lower case; "banner" before the first, "dot" at the end of a message
	line       string
	connection int // number of its connection, from 0
	message    int // MAIL commands over this connection so far
}

// closes, as a scripted receiver's reply, closes the connection instead.
const closes = "closes"

// scripted serves SMTP until the test ends, with the replies that it is given, ""
// for what is right. It returns its address and its number of connections.
func scripted(t *testing.T, replies func(command) string) (addr string, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	connections = new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go converse(conn, int(connections.Add(1))-1, replies)
		}
	}()
	return l.Addr().String(), connections
}

func converse(conn net.Conn, number int, replies func(command) string) {
	defer conn.Close()
	c := command{verb: "banner", connection: number}
	lines := bufio.NewScanner(conn)
	for body := false; ; {
		reply := replies(c)
		right := map[string]string{"banner": "220 here", "data": "354 go on"}[c.verb]
		switch {
		case reply == closes:
			return
		case reply != "":
		case right != "":
			reply = right
		default:
			reply = "250 fine"
		}
		fmt.Fprintf(conn, "%s\r\n", reply)
		body = c.verb == "data" && reply[0] == '3'
		for {
			if !lines.Scan() {
				return
			}
			c.line = lines.Text()
			if !body || c.line == "." {
				break
			}
		}
		c.verb = strings.ToLower(c.line[:min(4, len(c.line))])
		switch {
		case body:
			c.verb = "dot"
		case c.verb == "mail":
			c.message++
		}
	}
}

// always is the script with one reply at one stage.
func always(stage, reply string) func(command) string {
	return func(c command) string {
		if c.verb == stage {
			return reply
		}
		return ""
	}
}

// The first digit of a reply decides (RFC 5321 4.2.1), whatever the others are,
// and only a 2yz to the final dot is a delivery.
func TestFirstDigitDecides(t *testing.T) {
	garbled := func(stage mail.Stage) mail.Reply { return mail.Reply{Stage: stage, Fault: mail.Garbled} }
	done := mail.Reply{Stage: mail.StageDot, Code: 250}
	for _, c := range []struct {
		stage, reply string
		status       mail.Status
		attempts     uint64 // of 40 recipients, with one resend
		want         mail.Reply
	}{
		{"none", "", mail.Done, 40, done}, // the server itself is sound
		{"banner", "250 here", mail.Done, 40, done},
		{"banner", "120 later", mail.Failed, 80, garbled(mail.StageBanner)},
		{"banner", "354 what", mail.Failed, 80, garbled(mail.StageBanner)},
		{"ehlo", "220 here", mail.Done, 40, done},
		{"ehlo", "250-here\r\n250-8BITMIME\r\n250 SIZE 9000", mail.Done, 40, done},
		{"ehlo", "250-here\r\n250 SIZE 9", mail.Failed, 40, mail.Reply{Stage: mail.StageMAIL, Code: 552}},
		{"ehlo", closes, mail.Done, 40, done},              // then HELO
		{"ehlo", "502 no extensions", mail.Done, 40, done}, // then HELO
		{"mail", "251 fine", mail.Done, 40, done},
		{"mail", "299 fine", mail.Done, 40, done},
		{"mail", "354 what", mail.Failed, 80, garbled(mail.StageMAIL)},
		{"mail", "199 what", mail.Failed, 80, garbled(mail.StageMAIL)},
		{"rcpt", "251 will forward", mail.Done, 40, done},
		{"rcpt", "252 cannot verify", mail.Done, 40, done},
		{"rcpt", "200", mail.Done, 40, done},
		{"rcpt", "354 what", mail.Failed, 80, garbled(mail.StageRCPT)},
		{"rcpt", "604 what", mail.Failed, 80, garbled(mail.StageRCPT)},
		{"rcpt", "499 later", mail.Failed, 80, mail.Reply{Stage: mail.StageRCPT, Code: 499}},
		{"rcpt", "599 never", mail.Failed, 40, mail.Reply{Stage: mail.StageRCPT, Code: 599}},
		{"rcpt", "550-never\r\n550", mail.Failed, 40, mail.Reply{Stage: mail.StageRCPT, Code: 550}},
		{"rcpt", "550-never\r\n250 fine", mail.Failed, 80, garbled(mail.StageRCPT)},
		{"rcpt", "550_never", mail.Failed, 80, garbled(mail.StageRCPT)},
		{"rcpt", "55 never", mail.Failed, 80, garbled(mail.StageRCPT)},
		{"rcpt", "250 " + strings.Repeat("long ", 1000), mail.Failed, 80, garbled(mail.StageRCPT)},
		{"data", "355 go on", mail.Done, 40, done},
		{"data", "250 fine", mail.Failed, 80, garbled(mail.StageDATA)},
		{"dot", "250", mail.Done, 40, done}, // RFC 5321 4.2: accepted without text
		{"dot", "252 taken", mail.Done, 40, done},
		{"dot", "200 taken", mail.Done, 40, done},
		{"dot", "251-taken\r\n251-and\r\n251 kept", mail.Done, 40, done},
		{"dot", "452 full", mail.Failed, 80, mail.Reply{Stage: mail.StageDot, Code: 452}},
		{"dot", "354 what", mail.Held, 40, garbled(mail.StageDot)}, // who knows?
		{"dot", "199 what", mail.Held, 40, garbled(mail.StageDot)},
		{"dot", "999 what", mail.Held, 40, garbled(mail.StageDot)},
		{"dot", "250-taken\r\n550 no", mail.Held, 40, garbled(mail.StageDot)},
	} {
		t.Run(c.stage+" "+c.reply[:min(20, len(c.reply))], func(t *testing.T) {
			t.Parallel()
			addr, _ := scripted(t, always(c.stage, c.reply))
			got, replies := deliverTo(t, sinkAt(addr))
			expect(t, got, replies, map[mail.Reply]uint64{c.want: c.attempts},
				func(int) mail.Status { return c.status })
		})
	}
}

// expect compares how recipients ended, and the replies that attempts ended with.
func expect(t *testing.T, got *outcomes, replies, want map[mail.Reply]uint64, status func(recipient int) mail.Status) {
	t.Helper()
	if !maps.Equal(replies, want) {
		t.Errorf("attempts ended with %+v, want %+v", replies, want)
	}
	for r, s := range got.status {
		if s != status(r) {
			t.Errorf("recipient %d ended %v, want %v", r, s, status(r))
		}
	}
}

// A kept connection that fails at RSET, or is closed or answered with 421 at MAIL,
// has come to its end: the recipient is tried at once over a new one, and the
// failure is not counted. Every third recipient does not exist, so RSET follows.
func TestKeptConnectionComesToItsEnd(t *testing.T) {
	dead := func(r int) bool { return r%3 == 0 }
	for _, c := range []struct {
		name string
		ends func(command) string
	}{
		{"RSET refused for now", always("rset", "451 no")},
		{"RSET refused", always("rset", "503 no")},
		{"RSET refused with 421", always("rset", "421 no")},
		{"RSET garbled", always("rset", "hm")},
		{"RSET answered with 3yz", always("rset", "354 go on")},
		{"closed at RSET", always("rset", closes)},
		{"EHLO after RSET refused", func(c command) string {
			if c.verb == "ehlo" && c.message > 0 {
				return "503 duplicate"
			}
			return ""
		}},
		{"closed at the second MAIL", secondMAIL(closes)},
		{"421 at the second MAIL", secondMAIL("421 enough")},
		{"421 in lines at the second MAIL", secondMAIL("421-enough\r\n421 for now")},
		{"452 at the second MAIL", secondMAIL("452 4.5.3 enough messages")},
		{"503 at the second MAIL", secondMAIL("503 not now")},
		{"garbled at the second MAIL", secondMAIL("hm")},
		{"closed at the fourth MAIL", fourthMAIL(closes)},
		{"421 at the fourth MAIL", fourthMAIL("421 enough")},
		{"a reply too many to the dot", always("dot", "250 taken\r\n250 taken")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr, connections := scripted(t, func(said command) string {
				var r int
				if n, _ := fmt.Sscanf(said.line, "RCPT TO:<r%d@", &r); n == 1 && dead(r) {
					return "550 unknown"
				}
				return c.ends(said)
			})
			got, replies := deliverTo(t, sinkAt(addr))
			expect(t, got, replies, map[mail.Reply]uint64{
				{Stage: mail.StageDot, Code: 250}: 26, {Stage: mail.StageRCPT, Code: 550}: 14,
			}, func(r int) mail.Status {
				if dead(r) {
					return mail.Failed
				}
				return mail.Done
			})
			if n := connections.Load(); n < 10 || n > 40 {
				t.Errorf("%d connections, want 10 to 40", n)
			}
		})
	}
}

// secondMAIL is the script with a reply to every MAIL of a connection but the first.
func secondMAIL(reply string) func(command) string {
	return func(c command) string {
		if c.verb == "mail" && c.message > 1 {
			return reply
		}
		return ""
	}
}

func fourthMAIL(reply string) func(command) string {
	return func(c command) string {
		if c.verb == "mail" && c.message > 3 {
			return reply
		}
		return ""
	}
}

// What a new connection answers counts, also where it was opened because a kept
// one had come to its end. One message is taken: each of 39 recipients has two
// attempts, and each attempt one new connection. Other refusals at MAIL count
// over a kept connection too.
func TestNewConnectionCounts(t *testing.T) {
	for _, c := range []struct {
		reply    string
		attempts uint64
		want     mail.Reply
	}{
		{"421 enough", 78, mail.Reply{Stage: mail.StageMAIL, Code: 421}},
		{closes, 78, mail.Reply{Stage: mail.StageMAIL, Fault: mail.Drop}},
		{"451 later", 78, mail.Reply{Stage: mail.StageMAIL, Code: 451}},
		{"550 never", 39, mail.Reply{Stage: mail.StageMAIL, Code: 550}},
	} {
		t.Run(c.reply, func(t *testing.T) {
			t.Parallel()
			addr, connections := scripted(t, func(said command) string {
				if said.verb == "mail" && (said.connection > 0 || said.message > 1) {
					return c.reply
				}
				return ""
			})
			got, replies := deliverTo(t, sinkAt(addr))
			if replies[c.want] != c.attempts || replies[mail.Reply{Stage: mail.StageDot, Code: 250}] != 1 ||
				len(replies) != 2 {
				t.Errorf("attempts ended with %+v, want 1 delivery and %d of %+v", replies, c.attempts, c.want)
			}
			if n := connections.Load(); c.want.Code != 451 && c.want.Code != 550 && n != 79 {
				t.Errorf("%d connections, want 79", n)
			}
			if n := slices.Index(got.status, mail.Done); n < 0 {
				t.Error("no recipient was delivered")
			}
		})
	}
}

// A receiver that refuses the sender itself bounces no recipient, whatever the retry limit, and
// gets five attempts and then one for each resend delay: not one for each recipient.
func TestRefusedSenderBouncesNobody(t *testing.T) {
	for stage, reply := range map[string]string{"ehlo": "550 who is that", "mail": "530 authenticate first"} {
		t.Run(reply, func(t *testing.T) {
			t.Parallel()
			addr, _ := scripted(t, always(stage, reply))
			var alarms atomic.Int64
			got, replies := deliverUntil(t, sinkAt(addr), 20*vt.Second, func(p *realrun.SMTP) {
				p.Alarm = func(_ mail.Destination, r mail.Reply, text string) {
					alarms.Add(1)
					if full := fmt.Sprint(r.Code, " ", text); full != reply {
						t.Errorf("the alarm has %q, want %q", full, reply)
					}
				}
			})
			attempts := uint64(0)
			for r, n := range replies {
				attempts += n
				if !r.OfSender() {
					t.Errorf("%d attempts ended with %+v", n, r)
				}
			}
			if n := alarms.Load(); n < int64(attempts) || n > int64(attempts)+5 { // the end drops some
				t.Errorf("%d alarms for %d attempts", n, attempts)
			}
			if attempts < 6 || attempts > 5+20 {
				t.Errorf("%d attempts in 20 s, want 5 at once and 1 a second", attempts)
			}
			for r, s := range got.status {
				if s != mail.Pending {
					t.Errorf("recipient %d is %v, want it pending", r, s)
				}
			}
		})
	}
}

// A refusal carries the stage that it came at.
func TestRefusalsHaveTheirStage(t *testing.T) {
	for stage, at := range map[string]mail.Stage{"banner": mail.StageBanner, "mail": mail.StageMAIL,
		"rcpt": mail.StageRCPT,
		"data": mail.StageDATA, "dot": mail.StageDot} {
		_, replies := deliverTo(t, sinkAt(answer(t, stage, 550)))
		if want := (mail.Reply{Code: 550, Stage: at}); len(replies) != 1 || replies[want] != 40 {
			t.Errorf("550 at %s: got %v, want 40 of %v", stage, replies, want)
		}
	}
}

// Recipients whose conversations a stopped run aborts stay pending, even while a
// receiver does not reply, and also at the horizon.
func TestStoppedAttemptsStayPending(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never greets
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for horizon, patience := range map[vt.Span]time.Duration{vt.Second / 5: 20 * time.Second,
		vt.Hour: time.Second / 5} {
		s := rehearsal(100)
		s.Horizon, s.Retry.Limit = horizon, 0
		list := s.List(rng.New(s.Seed, 0))
		transport := &realrun.SMTP{Resolver: sinkAt(l.Addr().String()), Letters: letters{s, &list},
			Dialogue: s.Dialogue, Scale: 1,
			Domain: "sender.example", Broken: func(err error) { t.Error(err) }}
		r, err := realrun.New(s, &list, 1, transport, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		began := time.Now()
		_, stopped := r.Run(ctx, nil)
		cancel()
		if stopped != (horizon == vt.Hour) {
			t.Errorf("horizon %s: stopped = %v", horizon, stopped)
		}
		if n := r.Record().Attempts(); n != 0 || r.Record().Final() != 0 {
			t.Errorf("horizon %s: %d attempts ended, %d recipients final, want none", horizon, n, r.Record().Final())
		}
		if s.Dialogue.Timeouts.Banner < 5*vt.Minute || time.Since(began) > time.Minute {
			t.Errorf("horizon %s: the run ended with the banner's patience, not when it was stopped", horizon)
		}
	}
}

// answer serves SMTP with one wrong code at one stage, until the test ends.
func answer(t *testing.T, stage string, code int) string {
	t.Helper()
	addr, _ := scripted(t, always(stage, fmt.Sprint(code, " here")))
	return addr
}
