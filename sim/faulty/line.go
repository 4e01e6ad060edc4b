package faulty

import (
	"bytes"
	"strings"

	"flyball/internal/fault"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// line is a connection: the receiver's script on one end, and what has come from it on the other.
type line struct {
	session *fault.Session
	host    int
	domain  string  // of the recipients that it is for
	busy    vt.Time // the receiver is at work until then
	over    bool    // the receiver does nothing any more
	deaf    bool    // and takes nothing either
	shakes  string  // the kind of handshake that the receiver waits for; empty: none
	coming  []event // what the receiver sends, in order
	come    []byte  // what has come and is not read
	offers  offers
	sent    int  // messages offered over it
	known   bool // EHLO or HELO was answered
	ended   bool // no command may follow
}

// takes reports whether the connection is there and takes another message.
func (l *line) takes() bool {
	return l != nil && (l.offers.messages == 0 || l.sent < l.offers.messages)
}

// event is something that the client receives.
type event struct {
	at   vt.Time
	text string // empty: the end of the connection
}

// most is for how long a receiver that sends byte by byte is followed.
const most = vt.Hour

// hand gives the receiver a command, and lets it do what its script has for that.
func (l *line) hand(now vt.Time, at fault.Stage, argument string) {
	if l.over {
		return
	}
	l.busy = max(l.busy, now)
	l.act(l.session.Next(at, argument))
}

func (l *line) act(actions []fault.Action) {
	for _, a := range actions {
		switch a.Verb {
		case fault.Wait:
			l.busy = l.busy.Add(a.For)
		case fault.Send:
			l.send(a)
		case fault.Close, fault.Reset:
			l.coming, l.over = append(l.coming, event{at: l.busy}), true
		case fault.Silence:
			l.over = true
		case fault.Deaf:
			l.over, l.deaf = true, true
		case fault.TLS:
			l.shakes = a.How
		}
	}
}

func (l *line) send(a fault.Action) {
	text := strings.Repeat(a.Text, a.Times)
	if a.Pace == 0 {
		l.coming = append(l.coming, event{l.busy, text})
		return
	}
	began := l.busy
	for i := range len(text) {
		if l.busy = l.busy.Add(a.Pace); l.busy.Sub(began) > most {
			l.over = true
			return
		}
		l.coming = append(l.coming, event{l.busy, text[i : i+1]})
	}
}

// await waits for a whole reply for at most patience, and returns it, when it is there, and how it failed to come.
func (l *line) await(now vt.Time, patience vt.Span) (r reply, at vt.Time, failed mail.Fault) {
	until := now.Add(patience)
	for at = now; ; {
		if read, left, failed := readReply(l.come); failed || read.code > 0 {
			if l.come = left; failed {
				return r, at, mail.Garbled
			}
			return read, at, mail.NoFault
		}
		if len(l.coming) == 0 || l.coming[0].at > until {
			return r, until, mail.Timeout
		}
		next := l.coming[0]
		l.coming = l.coming[1:]
		at = max(at, next.at)
		if next.text == "" {
			return r, at, mail.Drop
		}
		l.come = append(l.come, next.text...)
	}
}

// waits returns nil if nothing waits to be read, else how that ends an attempt at a stage: a refusal counts, and what
// else comes without a command is none.
func (l *line) waits(now vt.Time, at mail.Stage) *mail.Reply {
	if len(l.come) == 0 && (len(l.coming) == 0 || l.coming[0].at > now) {
		return nil
	}
	l.ended = true
	r, _, failed := l.await(now, 0)
	switch {
	case failed == mail.Drop && len(l.come) == 0:
		return &mail.Reply{Stage: at, Fault: mail.Drop}
	case failed != mail.NoFault || r.code < 400:
		return &mail.Reply{Stage: at, Fault: mail.Garbled}
	}
	return &mail.Reply{Stage: at, Code: r.code}
}

// reply is a reply of the receiver.
type reply struct {
	code uint16
	text []string // of its lines
}

// longest is the most bytes of a line that a client reads, with its end, and mostLines the most lines of a reply.
const longest, mostLines = 4096, 1000

// readReply reads a reply from the beginning of text, by RFC 5321 4.2: lines of one code from 200 on to 599, each with
// CRLF, of which all but the last have a hyphen behind the code. It returns what is left; code 0 means that more has to
// come.
func readReply(text []byte) (r reply, left []byte, failed bool) {
	for left = text; ; {
		n := bytes.IndexByte(left, '\n')
		if n < 0 {
			return reply{}, text, len(left) >= longest
		}
		line := string(left[:n+1])
		left = left[n+1:]
		if len(line) > longest || len(line) < 5 || !strings.HasSuffix(line, "\r\n") {
			return r, left, true
		}
		line = line[:n-1]
		code := uint16(0)
		for _, d := range []byte(line[:3]) {
			if d < '0' || d > '9' {
				return r, left, true
			}
			code = 10*code + uint16(d-'0')
		}
		last := len(line) == 3 || line[3] == ' '
		if code < 200 || code > 599 || r.code > 0 && code != r.code || !last && line[3] != '-' {
			return r, left, true
		}
		r.code = code
		if last {
			r.text = append(r.text, line[min(len(line), 4):])
			return r, left, false
		}
		if r.text = append(r.text, line[4:]); len(r.text) > mostLines {
			return r, left, true
		}
	}
}
