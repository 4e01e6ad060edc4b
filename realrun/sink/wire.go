package sink

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
)

// Accept waits for a connection. One that the cap refuses is accepted as well:
// its wire answers 421 where the greeting should be. So is one that comes while
// the destination is down: its wire resets it, or never answers.
func (l *lane) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, lane: l, in: bufio.NewReader(conn), conn: l.sink.cfg.World.Connect(l.server, l.dest, l.connections.Add(1)-1)}
	l.judge(func(world *netmodel.World, m *netmodel.Memory, now vt.Time) {
		down, limit := world.Outage(m, l.server, l.dest, now), world.Cap(l.dest)
		switch {
		case down != mail.NoFault:
			w.conn.Lose(mail.StageConnect, down)
			w.unheard = true
		case limit > 0 && l.open >= limit:
			w.refused = true
			l.refused.Add(1)
		default:
			l.open++
			l.mostOpen = max(l.mostOpen, l.open)
		}
		w.conn.Slow(world.Slowness(m, l.dest, now, l.open))
		world.Reroute(&w.conn, now)
	})
	l.sink.busy[l.server].Add(1)
	return w, nil
}

// wire is a connection that passes the client's commands on to a receiver at
// the model's pace. It sees the dialogue line by line: each command is held
// back until its reply is due, dropped, or left without reply; the code of a
// refusal is laid ready for the receiver to answer with. What no receiver can
// refuse by itself, the greeting and DATA, the wire answers.
//
//	client -> line -> exchange(stage) -> receiver -> reply -> client
//	                  delay, drop, stall, verdict
type wire struct {
	net.Conn
	lane    *lane
	in      *bufio.Reader
	rest    []byte // of a line that the receiver has not read yet
	conn    netmodel.Connection
	msg     netmodel.Message
	rcpt    mail.Recipient
	verdict uint16 // refusal of the last command, 0 for none
	refused bool   // by the cap
	unheard bool   // the destination was down when it came
	offered bool   // a message has been offered over it
	greeted bool
	data    bool // inside a message
	used    bool // a message has been sent over it
	closed  bool
	late    time.Duration // by which the last exchange overslept
}

// caller is the client's address, and the way for a receiver whose handlers
// are given nothing else to find the wire.
type caller struct {
	net.Addr
	wire *wire
}

// RemoteAddr is the client's address, a caller.
func (w *wire) RemoteAddr() net.Addr { return caller{w.Conn.RemoteAddr(), w} }

// Write passes the receiver's replies on. The first one is the greeting, due
// when the connection would have been made.
func (w *wire) Write(p []byte) (int, error) {
	if !w.greeted {
		w.greeted = true
		for _, stage := range []mail.Stage{mail.StageConnect, mail.StageBanner} {
			if err := w.exchange(mail.Step{Stage: stage, RoundTrips: 1}); err != nil {
				return 0, err
			}
		}
		if w.verdict != 0 {
			fmt.Fprintf(w.Conn, "%d the model refuses this connection\r\n", w.verdict)
			w.Close()
			return 0, net.ErrClosed
		}
	}
	if bytes.HasPrefix(p, []byte("354")) {
		w.data = true
	}
	return w.Conn.Write(p)
}

// Read gives the receiver the next line.
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

// command handles one command line. It returns nil where the wire has
// answered itself.
func (w *wire) command(line []byte) ([]byte, error) {
	verb := strings.ToUpper(string(line[:min(4, len(line))]))
	w.verdict = 0
	var step mail.Step
	switch verb {
	case "EHLO", "HELO", "RSET":
		step = mail.Step{Stage: mail.StageEHLO, RoundTrips: 1}
		if verb == "RSET" {
			w.lane.judge(func(world *netmodel.World, m *netmodel.Memory, now vt.Time) {
				if down := world.Outage(m, w.lane.server, w.lane.dest, now); down != mail.NoFault {
					w.conn.Lose(mail.StageEHLO, down)
				}
				world.Reroute(&w.conn, now)
			})
		}
	case "MAIL":
		step = mail.Step{Stage: mail.StageMAIL, RoundTrips: 1}
		rcpt, try, ok := mail.ParseVERP(string(line))
		if !ok || int(rcpt) >= w.lane.sink.cfg.Recipients {
			fmt.Fprintf(w.Conn, "553 5.1.7 the envelope sender names no recipient of this run\r\n")
			return nil, nil
		}
		w.rcpt, w.msg = rcpt, w.lane.sink.cfg.World.Message(w.lane.dest, rcpt, try)
		w.lane.judge(func(world *netmodel.World, m *netmodel.Memory, now vt.Time) { w.offer(world, m, now, try) })
	case "RCPT":
		step = mail.Step{Stage: mail.StageRCPT, RoundTrips: 1}
	case "DATA":
		step = mail.Step{Stage: mail.StageDATA, RoundTrips: 1}
	default:
		return line, nil
	}
	if err := w.exchange(step); err != nil {
		return nil, err
	}
	if verb == "DATA" && w.verdict != 0 {
		_, err := fmt.Fprintf(w.Conn, "%d the model refuses\r\n", w.verdict)
		return nil, err
	}
	return line, nil
}

// offer has the receiver judge the message that MAIL begins. Whether the
// destination is down was asked of a new connection when it came.
func (w *wire) offer(world *netmodel.World, m *netmodel.Memory, now vt.Time, try mail.Try) {
	w.msg.Slow(world.Slowness(m, w.lane.dest, now, w.lane.open))
	kept := w.offered
	w.offered = true
	if kept {
		world.Reroute(&w.conn, now)
	}
	if down := world.Outage(m, w.lane.server, w.lane.dest, now); kept && down != mail.NoFault {
		w.msg.Lose(down)
		return
	}
	world.Offer(m, w.lane.dest, now, w.rcpt, try, &w.msg)
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
	steps := w.lane.sink.cfg.World.Steps(conn)
	if err := w.exchange(steps[len(steps)-1]); err != nil {
		w.lane.sink.Ledger.lost(w.rcpt)
		return err
	}
	return nil
}

// exchange lets the time of one step pass and lays its verdict ready.
func (w *wire) exchange(step mail.Step) error {
	s := w.lane.sink
	listed := step.Stage == mail.StageRCPT && w.msg.Grey > 0
	grey := listed && s.greylisted(w.lane.dest, w.rcpt, w.msg.Grey)
	if listed && !grey {
		w.lane.judge(func(world *netmodel.World, m *netmodel.Memory, now vt.Time) { world.Passed(m, w.lane.dest, now) })
	}
	e := s.cfg.World.Exchange(step, &w.conn, &w.msg, w.refused, grey,
		s.cfg.World.Stretch(w.lane.server, int(s.busy[w.lane.server].Load())))
	if e.Fault == mail.Timeout {
		io.Copy(io.Discard, w.Conn) // no reply: the client gives up
		return io.EOF
	}
	// Timers wake up to a millisecond late, which a time scale multiplies: the
	// next exchange makes up for it.
	w.late = s.pause(context.Background(), time.Duration(float64(e.Took)/s.cfg.Scale)-w.late)
	if e.Fault == mail.Drop {
		if tcp, ok := w.Conn.(*net.TCPConn); ok && step.Stage == mail.StageConnect {
			tcp.SetLinger(0) // a reset, as from a closed port
		}
		w.Close()
		return io.EOF
	}
	w.verdict = e.Code
	return nil
}

// Close ends the connection and the receiver's memory of it.
func (w *wire) Close() error {
	if !w.closed {
		w.closed = true
		s := w.lane.sink
		s.busy[w.lane.server].Add(-1)
		if !w.refused && !w.unheard {
			w.lane.judging.Lock()
			w.lane.open--
			w.lane.judging.Unlock()
		}
	}
	return w.Conn.Close()
}
