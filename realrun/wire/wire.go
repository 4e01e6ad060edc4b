// Package wire is the client's side of SMTP (RFC 5321) over one connection. Replies stay in step
// with commands: what comes without a command ends the session, and nothing is sent behind the
// final dot. A reply that has arrived is read before a time-out or a failed write is judged.
//
//	Greet   banner, EHLO or HELO, STARTTLS and EHLO, AUTH
//	Renew   RSET, EHLO
//	Send    MAIL, RCPT, DATA, together where both sides can (RFC 2920); the message; the gate; the final dot
//	Leave   QUIT
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"flyball/internal/mail"
	"flyball/realrun/path"
)

// Options are what the sessions of a sender have in common.
type Options struct {
	Name       string                         // of this computer, in EHLO
	Patience   func(mail.Stage) time.Duration // for the whole reply of a stage, and for sending its command
	Block      time.Duration                  // for sending a part of a message (RFC 5321 4.5.3.2.5)
	Pipelining bool                           // used where it is offered
	Sent       func()                         // called when a final dot is with the kernel; nil: not called
	Times      bool                           // the times of stages are taken
	Security
	Host string // name of the receiver, which Verified wants in its certificate
}

// Client is the client's side of a connection. After a failure, that is a reply that is not Open,
// it can only Leave or Close.
type Client struct {
	Offer Offer // of the last EHLO
	// Short reports that the session ended since fewer replies came than commands were sent
	// together. Another session had better not send them together.
	Short bool
	// Spent is the time of each stage since Begin; 0 without Options.Times.
	Spent [mail.Stages]time.Duration
	// Bare reports that the session ended since it could not be encrypted. Another session had
	// better not try, unless encryption is required.
	Bare bool
	// Known reports that the receiver has answered EHLO or HELO of this session.
	Known bool

	options *Options
	socket  *socket
	conn    net.Conn // what is spoken over
	in      reader
	reply   reply
	out     []byte
	ended   bool // inside a message, or out of step: no command may follow
	hurried atomic.Bool
	lapped  time.Time // until then, time is in Spent

	encrypted bool
}

// New returns the client's side of a new connection.
func New(conn net.Conn, o *Options) *Client {
	s := newSocket(conn)
	c := &Client{options: o, socket: s, conn: s}
	c.in.src = s
	return c
}

// Text returns the text of the last reply, its lines with a line feed behind each, until the next
// reply.
func (c *Client) Text() []byte { return c.reply.text }

// Shown returns the text of the last reply for people: at most 300 bytes of printable ASCII.
func (c *Client) Shown() string { return string(c.AppendShown(nil)) }

// AppendShown appends what Shown returns.
func (c *Client) AppendShown(to []byte) []byte { return c.reply.shown(to) }

// RoundTrip returns the time of a round trip, smoothed by the kernel, if it tells.
func (c *Client) RoundTrip() (time.Duration, bool) { return path.TripOf(c.socket.raw) }

// Begin begins an attempt over the connection.
func (c *Client) Begin() {
	c.Spent = [mail.Stages]time.Duration{}
	c.lapped = time.Now()
}

// Lap adds the time since Begin, or since the last Lap, to a stage. The client calls it after each reply.
func (c *Client) Lap(stage mail.Stage) {
	if !c.options.Times {
		return
	}
	now := time.Now()
	c.Spent[stage] += now.Sub(c.lapped)
	c.lapped = now
}

// hurry is how long a part of a message may take once the run is to end.
const hurry = time.Second

// Hurry makes a part of a message that is being sent end soon, the last one with the final dot too, which then is not
// sent if the receiver does not take it. A reply is waited for as before. Any goroutine may call it.
func (c *Client) Hurry() {
	c.hurried.Store(true)
	c.conn.SetWriteDeadline(time.Now().Add(min(hurry, c.options.Block)))
}

// Usable reports whether another command may follow.
func (c *Client) Usable() bool { return !c.ended }

// Close closes the connection. It may be called at any time, by any goroutine.
func (c *Client) Close() error { return c.socket.Close() }

// Leave sends QUIT where it may, and closes without waiting for the reply.
func (c *Client) Leave() {
	if !c.ended {
		c.conn.SetDeadline(time.Now().Add(time.Second))
		c.conn.Write([]byte("QUIT\r\n"))
	}
	c.Close()
}

// Greet waits for the greeting and introduces the sender. It returns nil, or the reply that ends
// the session.
func (c *Client) Greet() *mail.Reply { return c.greet(c.hello) }

// GreetPlainly is Greet without EHLO, for a server that closes the connection at it.
func (c *Client) GreetPlainly() *mail.Reply { return c.greet(c.helo) }

func (c *Client) greet(introduce func() *mail.Reply) *mail.Reply {
	c.conn.SetDeadline(time.Now().Add(c.options.Patience(mail.StageBanner)))
	if r := c.await(mail.StageBanner, 2); r != nil {
		return r
	}
	if r := introduce(); r != nil {
		return r
	}
	c.Known = true
	return c.secure()
}

// Renew makes the session ready for another message after one that was refused. It returns nil,
// or the reply that ends the session.
func (c *Client) Renew() *mail.Reply {
	if r := c.command(mail.StageEHLO, 2, "RSET"); r != nil {
		return r
	}
	return c.hello()
}

// hello sends EHLO, or HELO to a server without extensions (RFC 5321 3.2).
func (c *Client) hello() *mail.Reply {
	r := c.command(mail.StageEHLO, 2, "EHLO "+c.options.Name)
	if r == nil {
		c.Offer = offerOf(c.reply.text)
		return nil
	}
	if r.Code == 500 || r.Code == 502 {
		return c.helo()
	}
	return r
}

func (c *Client) helo() *mail.Reply {
	c.Offer = Offer{}
	return c.command(mail.StageEHLO, 2, "HELO "+c.options.Name)
}

// Envelope is where a message comes from and goes to, as addresses.
type Envelope struct{ From, To string }

// Send sends one message and returns the reply that ends the attempt, and whether the final dot
// was sent. Gate is asked before the final dot; if it returns false, the attempt is Aborted. A
// code of 2yz to the final dot is returned as 250.
func (c *Client) Send(e Envelope, message []byte, gate func() bool) (end mail.Reply, sent bool) {
	if r := c.unfit(e, message); r != nil {
		return *r, false
	}
	if r := c.envelope(e, len(message)); r != nil {
		return *r, false
	}
	if r := c.transfer(message, gate); r != nil {
		return *r, false
	}
	if c.options.Sent != nil {
		c.options.Sent()
	}
	c.conn.SetReadDeadline(time.Now().Add(c.options.Patience(mail.StageDot)))
	if r := c.await(mail.StageDot, 2); r != nil {
		return *r, true
	}
	return mail.Reply{Stage: mail.StageDot, Code: 250}, true
}

// unfit returns the refusal of a message that the receiver would refuse by what it offers, so
// that it is not offered; nil if it is fit.
func (c *Client) unfit(e Envelope, message []byte) *mail.Reply {
	switch o := &c.Offer; {
	case o.Size > 0 && int64(len(message)) > o.Size: // RFC 1870 6
		return c.refuse(mail.StageMAIL, 552, fmt.Sprintf("5.3.4 the message has %d bytes, and the receiver takes %d",
			len(message), o.Size))
	case !o.EightBit && !ascii(message): // RFC 6152 3
		return c.refuse(mail.StageDATA, 554, "5.6.3 the message has 8-bit bytes, and the receiver takes none")
	case !o.UTF8 && !ascii([]byte(e.To)): // RFC 6531 3.5
		return c.refuse(mail.StageRCPT, 553, "5.6.7 the address is not ASCII, and the receiver takes no other")
	}
	return nil
}

// refuse is a refusal by this computer, which stands for one that the receiver would send at a stage.
func (c *Client) refuse(stage mail.Stage, code uint16, text string) *mail.Reply {
	c.reply.clear()
	c.reply.code = code
	c.reply.text = append(append(c.reply.text, text...), '\n')
	return &mail.Reply{Stage: stage, Code: code}
}

func ascii(text []byte) bool {
	for _, b := range text {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// envelope sends MAIL, RCPT and DATA, and returns the first reply that ends the attempt; nil if
// the message may follow.
func (c *Client) envelope(e Envelope, size int) *mail.Reply {
	together := c.options.Pipelining && c.Offer.Pipelining
	if r := c.begin(mail.StageMAIL); r != nil {
		return r
	}
	c.out = append(append(append(c.out[:0], "MAIL FROM:<"...), e.From...), '>')
	if c.Offer.Sizes {
		c.out = strconv.AppendInt(append(c.out, " SIZE="...), int64(size), 10)
	}
	if c.Offer.EightBit {
		c.out = append(c.out, " BODY=8BITMIME"...)
	}
	if c.Offer.UTF8 && !ascii([]byte(e.To)) {
		c.out = append(c.out, " SMTPUTF8"...)
	}
	c.out = append(c.out, "\r\n"...)
	rcpt := func() { c.out = append(append(append(c.out, "RCPT TO:<"...), e.To...), ">\r\n"...) }
	data := func() { c.out = append(c.out, "DATA\r\n"...) }
	if !together {
		r := c.exchange(mail.StageMAIL, 2)
		if r == nil {
			if r = c.begin(mail.StageRCPT); r == nil {
				rcpt()
				r = c.exchange(mail.StageRCPT, 2)
			}
		}
		if r == nil {
			if r = c.begin(mail.StageDATA); r == nil {
				data()
				r = c.exchange(mail.StageDATA, 3)
			}
		}
		return r
	}
	rcpt()
	data()
	return c.together()
}

// together sends MAIL, RCPT and DATA at once and reads their replies, of which the first one that
// is a refusal counts.
func (c *Client) together() *mail.Reply {
	if r := c.flush(mail.StageMAIL); r != nil {
		return r
	}
	var first *mail.Reply
	var text []byte // of it
	for i, want := range []uint16{2, 2, 3} {
		stage := mail.StageMAIL + mail.Stage(i)
		if i > 0 {
			c.conn.SetReadDeadline(time.Now().Add(c.options.Patience(stage)))
		}
		r := c.await(stage, want)
		switch {
		case r == nil && stage == mail.StageDATA && first != nil:
			// The receiver wants a message for no recipient (RFC 2920 3.1): an empty one.
			c.out = append(c.out[:0], ".\r\n"...)
			c.exchange(mail.StageDATA, 2)
		case r == nil:
		case r.Fault != mail.NoFault && !(first != nil && r.Fault == mail.Drop): // one that refuses may close
			c.Short = i > 0 // so a refusal before may be the reply to a later command
			return r
		case r.Code == 421 && first == nil:
			return r
		case r.Fault != mail.NoFault || r.Code == 421:
		case first == nil:
			first, text = r, bytes.Clone(c.reply.text)
		}
		if c.ended {
			break
		}
	}
	if first != nil {
		c.reply.text = append(c.reply.text[:0], text...)
	}
	return first
}

// transfer sends a message and the final dot. It returns nil once the final dot is sent; else
// the reply that ends the attempt.
func (c *Client) transfer(message []byte, gate func() bool) *mail.Reply {
	c.ended = true // until the reply to the final dot has come
	c.out = c.out[:0]
	var failed *mail.Reply
	var err error
	c.out, err = stuffed(c.out, message, func(out []byte) ([]byte, error) {
		c.out = out
		failed = c.send()
		if failed != nil {
			return c.out, errSent
		}
		return c.out, nil
	})
	if err != nil {
		return failed
	}
	c.out = append(c.out, ".\r\n"...)
	c.conn.SetReadDeadline(time.Time{})
	if r := c.arrived(mail.StageDATA); r != nil {
		return r
	}
	c.Lap(mail.StageDot)
	pass := gate()
	c.lapped = time.Now() // the receiver did not wait at the gate
	if !pass {
		return &mail.Reply{Stage: mail.StageDATA, Fault: mail.Aborted}
	}
	if r := c.arrived(mail.StageDATA); r != nil { // the gate may have taken long
		return c.undotted(r)
	}
	return c.undotted(c.send())
}

// undotted returns r. If r ends the attempt, no final dot is sent, and the time of the message is a part of DATA.
func (c *Client) undotted(r *mail.Reply) *mail.Reply {
	if r != nil {
		c.Spent[mail.StageDATA] += c.Spent[mail.StageDot]
		c.Spent[mail.StageDot] = 0
	}
	return r
}

// errSent stops the stuffing of a message of which a part could not be sent.
var errSent = errors.New("not sent")

// send sends out as a part of a message. It returns nil once all of it is with the kernel.
func (c *Client) send() *mail.Reply {
	c.conn.SetWriteDeadline(time.Now().Add(c.options.Block))
	if c.hurried.Load() {
		c.Hurry()
	}
	n, err := c.conn.Write(c.out)
	if n == len(c.out) {
		c.out = c.out[:0]
		return nil
	}
	c.conn.SetReadDeadline(time.Time{})
	if r := c.arrived(mail.StageDATA); r != nil && r.Fault == mail.NoFault {
		return r
	}
	return &mail.Reply{Stage: mail.StageDATA, Fault: Fault(err)}
}

// command sends a command and waits for its reply, of which the first digit is to be want. It
// returns nil, or the reply that ends the attempt at stage.
func (c *Client) command(stage mail.Stage, want uint16, line string) *mail.Reply {
	if r := c.begin(stage); r != nil {
		return r
	}
	c.out = append(append(c.out[:0], line...), "\r\n"...)
	return c.exchange(stage, want)
}

// exchange sends the command in out and waits for its reply; see command.
func (c *Client) exchange(stage mail.Stage, want uint16) *mail.Reply {
	if r := c.flush(stage); r != nil {
		return r
	}
	return c.await(stage, want)
}

// begin begins the time of a stage, and returns the reply that ends the attempt if something has
// arrived before the stage's command is sent: 421, which a receiver may send at any time (RFC 5321
// 3.8), or what is out of step.
func (c *Client) begin(stage mail.Stage) *mail.Reply {
	c.out = c.out[:0]
	c.conn.SetDeadline(time.Now().Add(c.options.Patience(stage)))
	r := c.arrived(stage)
	switch {
	case r == nil:
		return nil
	case r.Fault == mail.NoFault && r.Code != 421:
		r = &mail.Reply{Stage: stage, Fault: mail.Garbled}
	}
	return r
}

// arrived returns nil if nothing has arrived and the connection is open, else how that ends the
// attempt at a stage: a whole 4yz or 5yz counts, another reply is garbled.
func (c *Client) arrived(stage mail.Stage) *mail.Reply {
	c.socket.arrived = true
	defer func() { c.socket.arrived = false }()
	if c.in.from == c.in.to {
		switch err := c.in.fill(); {
		case err == nil:
		case Fault(err) == mail.Timeout:
			return nil
		default:
			return c.fails(stage, err)
		}
	}
	c.ended = true
	c.reply.clear()
	if err := c.reply.read(&c.in); err != nil || c.reply.code < 400 {
		return &mail.Reply{Stage: stage, Fault: mail.Garbled}
	}
	return &mail.Reply{Stage: stage, Code: c.reply.code}
}

// flush sends the commands in out in the time of their stage.
func (c *Client) flush(stage mail.Stage) *mail.Reply {
	n, err := c.conn.Write(c.out)
	if n == len(c.out) {
		return nil
	}
	c.conn.SetReadDeadline(time.Time{})
	if r := c.arrived(stage); r != nil && r.Fault == mail.NoFault {
		return r
	}
	return c.fails(stage, err)
}

// await waits for a whole reply until the connection's deadline; see command.
func (c *Client) await(stage mail.Stage, want uint16) *mail.Reply {
	c.reply.clear()
	err := c.reply.read(&c.in)
	if err != nil && Fault(err) == mail.Timeout { // what has arrived meanwhile is not late
		c.conn.SetReadDeadline(time.Time{})
		c.socket.arrived = true
		err = c.reply.read(&c.in)
		c.socket.arrived = false
	}
	c.Lap(stage)
	if err != nil {
		return c.fails(stage, err)
	}
	code := c.reply.code
	switch {
	case code/100 == want:
		c.ended = false
		return nil
	case code/100 == 4, code/100 == 5:
		c.ended = code == 421
		return &mail.Reply{Stage: stage, Code: code}
	}
	return c.fails(stage, errGarbled)
}

// fails ends the session.
func (c *Client) fails(stage mail.Stage, err error) *mail.Reply {
	c.ended = true
	return &mail.Reply{Stage: stage, Fault: Fault(err)}
}
