package sink

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
)

// Accept waits for a connection and returns it as a wire. It also accepts a
// connection that the cap refuses, whose wire replies 421 in place of the
// greeting, and a connection while the destination is down, whose wire resets it
// or never replies.
func (l *lane) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, lane: l, in: bufio.NewReader(conn), begun: true}
	l.ask(func(r *netmodel.Receiver, now vt.Time) {
		r.ConnectFrom(now, l.pool, &w.conn)
		l.connections++
		if w.conn.Refused() {
			l.refused++
		}
		l.mostOpen = max(l.mostOpen, r.Open())
	})
	l.sink.busy[l.server].Add(1)
	return w, nil
}

// wire is a connection that passes the client's commands to a receiver at the
// pace of the model. It handles the dialogue line by line: each command is
// delayed until its reply is due, dropped, or left without reply. The receiver
// refuses with the code in verdict. The wire itself refuses the greeting and
// DATA, where the receivers cannot.
//
//	client -> line -> exchange(stage) -> receiver -> reply -> client
//	                  delay, drop, stall, verdict
type wire struct {
	net.Conn
	lane    *lane
	in      *bufio.Reader
	rest    []byte // rest of a line that the receiver has not read yet
	conn    netmodel.Connection
	msg     netmodel.Message
	rcpt    mail.Recipient
	verdict uint16        // refusal of the last command, 0 for none
	status  mail.Enhanced // of the verdict, 0 for none
	text    string        // of the verdict
	begun   bool          // an attempt has begun and has not reached MAIL
	offered bool          // an attempt has reached MAIL and has not ended
	greeted bool
	data    bool // inside a message
	used    bool // a message has been sent over it
	closed  bool
	refused bool          // the message at hand: commands that came with its MAIL have no effect
	turn    vt.Span       // for which the attempt over a kept connection has still to wait
	late    time.Duration // by how much the last exchange overslept
	asked   vt.Span       // time that the model gave to the attempt so far
}

// caller is the client's address together with the wire, for a receiver whose
// handlers get nothing but the address.
type caller struct {
	net.Addr
	wire *wire
}

// RemoteAddr returns the client's address as a caller.
func (w *wire) RemoteAddr() net.Addr { return caller{w.Conn.RemoteAddr(), w} }

// Write passes the receiver's replies to the client. The first one is the
// greeting, which is due when the connection is made in the model.
func (w *wire) Write(p []byte) (int, error) {
	if !w.greeted {
		w.greeted = true
		for _, stage := range []mail.Stage{mail.StageConnect, mail.StageBanner} {
			if err := w.exchange(mail.Step{Stage: stage, RoundTrips: 1}); err != nil {
				return 0, err
			}
		}
		if w.verdict != 0 {
			fmt.Fprintf(w.Conn, "%s\r\n", w.refusal())
			w.Close()
			return 0, net.ErrClosed
		}
	}
	if bytes.HasPrefix(p, []byte("354")) {
		w.data = true
	}
	if w.verdict != 0 && bytes.HasPrefix(p, strconv.AppendInt(nil, int64(w.verdict), 10)) {
		// The receiver's own words would tell the sender something else than the model does.
		if _, err := fmt.Fprintf(w.Conn, "%s\r\n", w.refusal()); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return w.Conn.Write(p)
}

// Read returns the client's next line to the receiver.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.rest) == 0 {
		line, err := w.in.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return 0, err
		}
		if w.data {
			err = w.body(line)
		} else {
			line, err = w.command(line)
		}
		if err != nil {
			return 0, err
		}
		w.rest = line
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// command handles one command line and returns it for the receiver, or nil if the
// wire has replied itself.
func (w *wire) command(line []byte) ([]byte, error) {
	verb := strings.ToUpper(string(line[:min(4, len(line))]))
	w.verdict = 0
	var step mail.Step
	switch verb {
	case "EHLO", "HELO", "RSET":
		step = mail.Step{Stage: mail.StageEHLO, RoundTrips: 1}
		if verb == "RSET" {
			w.end(false)
			w.lane.ask(func(r *netmodel.Receiver, now vt.Time) { w.reuse(r, mail.Reset, now) })
		}
	case "MAIL":
		step = mail.Step{Stage: mail.StageMAIL, RoundTrips: 1}
		rcpt, try, ok := w.lane.sink.cfg.Key.ParseVERP(string(line))
		if !ok || int(rcpt) >= w.lane.sink.cfg.Recipients {
			fmt.Fprintf(w.Conn, "553 5.1.7 the envelope sender is of no attempt of this run\r\n")
			return nil, nil
		}
		w.end(false)
		w.lane.ask(func(r *netmodel.Receiver, now vt.Time) {
			if !w.begun {
				w.reuse(r, mail.Reused, now)
			}
			r.Offer(now, &w.conn, &w.msg, rcpt, try)
			w.lane.load(now, &w.conn, &w.msg)
			w.begun, w.offered, w.rcpt = false, true, rcpt
		})
	case "RCPT":
		step = w.step(mail.StageRCPT)
	case "DATA":
		step = w.step(mail.StageDATA)
	case "BDAT": // go-smtp would take the chunk as a message, of which the model knows nothing
		fmt.Fprintf(w.Conn, "502 5.5.1 chunks are not taken\r\n")
		w.Close() // or the chunk would be read as commands
		return nil, io.EOF
	default:
		return line, nil
	}
	if w.refused && step.Stage > mail.StageMAIL {
		return line, nil // the receiver refuses it by itself
	}
	if w.turn > 0 {
		w.late = w.lane.sink.clock.pause(context.Background(), w.turn, w.late)
		w.asked += w.turn
		w.turn = 0
	}
	if err := w.exchange(step); err != nil {
		return nil, err
	}
	w.refused = w.verdict != 0 && step.Stage > mail.StageEHLO
	if (verb == "DATA" || verb == "RSET") && w.verdict != 0 { // go-smtp cannot refuse these
		_, err := fmt.Fprintf(w.Conn, "%s\r\n", w.refusal())
		return nil, err
	}
	return line, nil
}

// step returns the step of a command that may come together with MAIL.
func (w *wire) step(stage mail.Stage) mail.Step {
	for _, s := range w.lane.sink.cfg.Network.Steps(mail.Reused, &w.msg) {
		if s.Stage == stage {
			return s
		}
	}
	panic("sink: no step of a message is " + stage.String())
}

// refusal returns the verdict as a line: its code, its enhanced status if it has one, and
// its text.
func (w *wire) refusal() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%d %s %s", w.verdict, w.status, w.text)), " ")
}

// reuse begins an attempt over a kept connection.
func (w *wire) reuse(r *netmodel.Receiver, kind mail.Conn, now vt.Time) {
	r.Reuse(now, kind, &w.conn)
	w.begun, w.turn = true, w.lane.turn(now)
}

// end ends the attempt whose message was offered, if there is one.
func (w *wire) end(accepted bool) {
	if w.offered {
		w.offered = false
		w.lane.ask(func(r *netmodel.Receiver, now vt.Time) { r.End(now, &w.conn, &w.msg, accepted) })
	}
}

// body handles one line of a message; the final dot is an exchange.
func (w *wire) body(line []byte) error {
	if string(line) != ".\r\n" {
		return nil
	}
	w.data = false
	w.verdict = 0
	conn := mail.Reused
	if !w.used {
		conn = mail.Fresh
	}
	w.used = true
	steps := w.lane.sink.cfg.Network.Steps(conn, &w.msg)
	if err := w.exchange(steps[len(steps)-1]); err != nil {
		w.lane.sink.Ledger.lost(w.rcpt)
		return err
	}
	return nil
}

// exchange waits for the time of one step and sets the verdict. It returns an
// error if the step ends the connection.
func (w *wire) exchange(step mail.Step) error {
	s := w.lane.sink
	var e netmodel.Exchange
	w.status, w.text = 0, ""
	stretch := s.cfg.Network.Stretch(w.lane.server, int(s.busy[w.lane.server].Load()))
	w.lane.ask(func(r *netmodel.Receiver, now vt.Time) {
		if e = r.Exchange(now, step, &w.conn, &w.msg, stretch); e.Code != 0 {
			w.status, w.text = r.Words(e)
		}
	})
	if e.Fault == mail.Timeout {
		since := s.clock.now()
		io.Copy(io.Discard, w.Conn) // no reply: the client gives up
		s.pace.ended(w.asked + s.clock.now().Sub(since))
		w.end(false)
		return io.EOF
	}
	// Timers wake up to a millisecond late, which the time scale multiplies. The
	// next exchange waits for less to make up for it.
	w.late = s.clock.pause(context.Background(), e.Took, w.late)
	s.pace.answered(vt.Span(float64(w.late) * s.cfg.Scale))
	w.asked += e.Took
	if e.Ends() || step.Stage == mail.StageDot {
		s.pace.ended(w.asked)
		w.asked = 0
		w.end(!e.Ends())
	}
	if e.Fault == mail.Drop {
		if tcp, ok := w.Conn.(*net.TCPConn); ok && step.Stage == mail.StageConnect {
			tcp.SetLinger(0) // a reset, as from a closed port
		}
		w.Close()
		return io.EOF
	}
	if w.verdict = e.Code; e.Code != 0 {
		s.Ledger.refuses(Refusal{w.lane.server, w.lane.dest, step.Stage, e.Code})
	}
	return nil
}

// Close ends the connection, for the receiver too.
func (w *wire) Close() error {
	if !w.closed {
		w.closed = true
		w.end(false)
		w.lane.sink.busy[w.lane.server].Add(-1)
		w.lane.ask(func(r *netmodel.Receiver, _ vt.Time) { r.Close(&w.conn) })
	}
	return w.Conn.Close()
}
