package realrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/mail"
)

// Resolver looks up the receivers of destinations.
type Resolver interface {
	// Resolve returns the address of a receiver, or a fault that ends the attempt.
	// It blocks as long as the look-up takes.
	Resolve(ctx context.Context, s mail.Server, d mail.Destination) (addr string, fault mail.Fault)
}

// Letters renders the message of each recipient.
type Letters interface {
	// Letter appends the message for a recipient to body and returns the
	// recipient's address and the message. Both are the same at every try. It is
	// called concurrently.
	Letter(r mail.Recipient, body []byte) (to string, message []byte)
}

// SMTP is a Transport over go-smtp's client, with one kept connection per
// slot. It executes the exchanges of mail.Dialogue.Steps.
type SMTP struct {
	Resolver Resolver
	Letters  Letters
	Dialogue mail.Dialogue
	Scale    float64
	Domain   string      // of the envelope sender and of EHLO
	Broken   func(error) // called when this computer cannot continue; must stop the run
}

// Process returns an MTA process without a connection.
func (t *SMTP) Process(mail.Server, mail.Slot) Process { return &process{SMTP: t} }

// process is an MTA process and the connection that it keeps.
type process struct {
	*SMTP
	conn   *watched
	client *smtp.Client
	body   []byte
}

// watched records whether the client has written: a connection that ends before
// that ends at the greeting.
type watched struct {
	net.Conn
	spoke bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.spoke = true
	return w.Conn.Write(p)
}

// Deliver makes one attempt; see Process.
func (p *process) Deliver(ctx context.Context, a mail.Attempt) mail.Reply {
	switch a.Conn {
	case mail.Fresh:
		p.HangUp()
		addr, fault := p.Resolver.Resolve(ctx, a.Server, a.Dest)
		if ctx.Err() != nil {
			fault = mail.Aborted
		}
		if fault != mail.NoFault {
			return mail.Reply{Stage: mail.StageDNS, Fault: fault}
		}
		if r, ok := p.connect(ctx, addr); !ok {
			return r
		}
	}
	// A cancelled run aborts every conversation that has not reached its final dot.
	conn := p.conn
	disarm := context.AfterFunc(ctx, func() { conn.Close() })
	r, sent := p.converse(a, disarm)
	if !disarm() && !sent {
		r = mail.Reply{Stage: r.Stage, Fault: mail.Aborted}
	}
	if !r.Open() {
		p.abort()
	}
	return r
}

// connect opens a connection. A lack of resources on this computer stops the run;
// it does not count as the recipient's failure.
func (p *process) connect(ctx context.Context, addr string) (mail.Reply, bool) {
	dial, cancel := context.WithTimeout(ctx, p.patience(mail.StageConnect))
	defer cancel()
	conn, err := dialLoopback(dial, addr)
	switch {
	case ctx.Err() != nil:
		return mail.Reply{Stage: mail.StageConnect, Fault: mail.Aborted}, false
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL),
		errors.Is(err, syscall.ENOBUFS):
		p.Broken(fmt.Errorf("cannot open another connection: %w", err))
		return mail.Reply{Stage: mail.StageConnect, Fault: mail.Aborted}, false
	case err != nil:
		return mail.Reply{Stage: mail.StageConnect, Fault: fault(err)}, false
	}
	p.conn = &watched{Conn: conn}
	p.client = smtp.NewClient(p.conn)
	p.client.SubmissionTimeout = p.patience(mail.StageDot)
	return mail.Reply{}, true
}

// converse sends one message over an open connection. It returns the reply and
// whether the final dot was sent.
func (p *process) converse(a mail.Attempt, disarm func() bool) (r mail.Reply, sent bool) {
	switch a.Conn {
	case mail.Fresh:
		p.client.CommandTimeout = p.patience(mail.StageBanner)
		if err := p.client.Hello(p.Domain); err != nil {
			if !p.conn.spoke {
				return failed(mail.StageBanner, err), false
			}
			return failed(mail.StageEHLO, err), false
		}
	case mail.Reset:
		p.client.CommandTimeout = p.patience(mail.StageEHLO)
		if err := p.client.Reset(); err != nil {
			return failed(mail.StageEHLO, err), false
		}
	}
	to, message := p.Letters.Letter(a.Rcpt, p.body[:0])
	p.body = message
	p.client.CommandTimeout = p.patience(mail.StageMAIL)
	if err := p.client.Mail(mail.VERP(a.Rcpt, a.Try, p.Domain), nil); err != nil {
		return failed(mail.StageMAIL, err), false
	}
	if err := p.client.Rcpt(to, nil); err != nil {
		return failed(mail.StageRCPT, err), false
	}
	p.client.CommandTimeout = p.patience(mail.StageDATA)
	data, err := p.client.Data()
	if err != nil {
		return failed(mail.StageDATA, err), false
	}
	if _, err := data.Write(message); err != nil {
		return failed(mail.StageDATA, err), false
	}
	// From here on the message counts as sent, so the reply is waited for even if
	// the run is cancelled meanwhile.
	if !disarm() {
		return mail.Reply{Stage: mail.StageDATA, Fault: mail.Aborted}, false
	}
	if err := data.Close(); err != nil {
		return failed(mail.StageDot, err), true
	}
	return mail.Reply{Code: 250, Stage: mail.StageDot}, true
}

// failed returns the reply for an error of the client: a refusal, an unexpected
// reply, or a lost connection.
func failed(stage mail.Stage, err error) mail.Reply {
	var reply *smtp.SMTPError
	switch {
	case !errors.As(err, &reply):
		return mail.Reply{Stage: stage, Fault: fault(err)}
	case reply.Code/100 == 4 || reply.Code/100 == 5:
		return mail.Reply{Stage: stage, Code: uint16(reply.Code)}
	}
	return mail.Reply{Stage: stage, Fault: mail.Garbled}
}

// fault returns Timeout for a time-out, and Drop for a lost connection.
func fault(err error) mail.Fault {
	var n net.Error
	if errors.As(err, &n) && n.Timeout() {
		return mail.Timeout
	}
	return mail.Drop
}

// HangUp sends QUIT and closes without waiting for the reply; see Process.
func (p *process) HangUp() {
	if p.conn != nil {
		p.conn.SetDeadline(time.Now().Add(time.Second))
		io.WriteString(p.conn, "QUIT\r\n")
		p.abort()
	}
}

func (p *process) abort() {
	if p.conn != nil {
		p.conn.Close()
		p.conn, p.client = nil, nil
	}
}

func (t *SMTP) patience(stage mail.Stage) time.Duration {
	return max(time.Duration(float64(t.Dialogue.Timeouts.Patience(stage))/t.Scale), time.Millisecond)
}
