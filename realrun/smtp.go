package realrun

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/realrun/dial"
	"flyball/realrun/names"
)

// Resolver looks up where attempts may deliver.
type Resolver interface {
	// Resolve returns the candidates of an attempt, or the fault that ends it. It
	// blocks as long as the look-up takes, or until soon after ctx ends.
	Resolve(ctx context.Context, a *mail.Attempt) names.Route
}

// Letters renders the message of each recipient.
type Letters interface {
	// Letter appends the message for a recipient to body and returns the
	// recipient's address and the message. Both are the same at every try. It is
	// called concurrently.
	Letter(r mail.Recipient, body []byte) (to string, message []byte)
}

// SMTP is a Transport over SMTP, with one kept connection per slot. It executes
// the exchanges of mail.Dialogue.Steps.
type SMTP struct {
	Resolver Resolver
	Letters  Letters
	Dialogue mail.Dialogue
	Replies  []replies.Table // the sender's reading of replies, by destination; none beyond the end
	Key      mail.Key        // of the run
	Scale    float64
	Allow    *dial.Allowlist // where it may connect
	Domain   string          // of the envelope sender and of EHLO
	Broken   func(error)     // called when this computer cannot continue; must stop the run

	// Gate decides whether the final dot of an attempt is sent, of which everything else is. It may wait. nil: every
	// dot is sent.
	Gate func(mail.Attempt) bool
}

// Process returns an MTA process without a connection.
func (t *SMTP) Process(mail.Server, mail.Slot) Process { return &process{SMTP: t} }

// process is an MTA process and the connection that it keeps.
type process struct {
	*SMTP
	client *client // nil: no connection
	body   []byte
}

// Deliver makes one attempt; see Process. Where the kept connection turns out to
// have ended, the attempt goes on over a new one.
func (p *process) Deliver(ctx context.Context, a mail.Attempt) mail.Reply {
	if a.Conn != mail.Fresh && p.client != nil {
		r := p.offer(ctx, a)
		if !a.Conn.EndedBy(&r) {
			return r
		}
		a.Conn = mail.Fresh
	}
	p.HangUp()
	route := p.Resolver.Resolve(ctx, &a)
	if ctx.Err() != nil {
		route.Fault = mail.Aborted
	}
	if route.Fault != mail.NoFault {
		return mail.Reply{Stage: mail.StageDNS, Fault: route.Fault}
	}
	var trial names.Trial
	for _, c := range route.To {
		if trial.Ends(p.deliver(ctx, a, c)) {
			break
		}
	}
	return trial.Reply()
}

// deliver makes an attempt over a new connection to one candidate.
func (p *process) deliver(ctx context.Context, a mail.Attempt, to names.Candidate) mail.Reply {
	var table replies.Table
	if int(a.Dest) < len(p.Replies) {
		table = p.Replies[a.Dest]
	}
	if r := p.connect(ctx, to.At.String(), table); r != nil {
		return *r
	}
	return p.offer(ctx, a)
}

// offer carries the message of an attempt over the open connection, and closes
// the connection if it cannot carry another one.
func (p *process) offer(ctx context.Context, a mail.Attempt) mail.Reply {
	// A cancelled run aborts every conversation that has not reached its final dot.
	conn := p.client.Conn
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

// connect opens a connection, and returns nil or the reply that ends the attempt.
// A lack of resources on this computer stops the run; it does not count as the
// recipient's failure.
func (p *process) connect(ctx context.Context, addr string, table replies.Table) *mail.Reply {
	dialling, cancel := context.WithTimeout(ctx, p.patience(mail.StageConnect))
	defer cancel()
	conn, err := p.Allow.Dial(dialling, "tcp", addr)
	switch {
	case ctx.Err() != nil:
		return &mail.Reply{Stage: mail.StageConnect, Fault: mail.Aborted}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL),
		errors.Is(err, syscall.ENOBUFS):
		p.Broken(fmt.Errorf("cannot open another connection: %w", err))
		return &mail.Reply{Stage: mail.StageConnect, Fault: mail.Aborted}
	case err != nil:
		return failed(mail.StageConnect, err)
	}
	p.client = newClient(conn, table)
	return nil
}

// converse sends one message over an open connection. It returns the reply and
// whether the final dot was sent.
func (p *process) converse(a mail.Attempt, disarm func() bool) (end mail.Reply, sent bool) {
	if r := p.begin(a.Conn); r != nil {
		return *r, false
	}
	to, message := p.Letters.Letter(a.Rcpt, p.body[:0])
	p.body = message
	if r := p.command(mail.StageMAIL, 2, "MAIL FROM:<%s>", p.Key.VERP(a.Rcpt, a.Try, p.Domain)); r != nil {
		return *r, false
	}
	if r := p.command(mail.StageRCPT, 2, "RCPT TO:<%s>", to); r != nil {
		return *r, false
	}
	if r := p.command(mail.StageDATA, 3, "DATA"); r != nil {
		return *r, false
	}
	p.client.SetDeadline(time.Now().Add(p.patience(mail.StageDATA)))
	data := p.client.out.DotWriter()
	if _, err := data.Write(message); err != nil {
		return *failed(mail.StageDATA, err), false
	}
	// From here on the message counts as sent, so the reply is waited for even if
	// the run is cancelled meanwhile.
	if !disarm() || p.Gate != nil && !p.Gate(a) {
		return mail.Reply{Stage: mail.StageDATA, Fault: mail.Aborted}, false
	}
	reached("passed")
	if err := data.Close(); err != nil {
		return *failed(mail.StageDot, err), true
	}
	reached("dot")
	if r := p.client.await(mail.StageDot, 2, p.patience(mail.StageDot)); r != nil {
		return *r, true
	}
	reached("replied")
	return mail.Reply{Code: 250, Stage: mail.StageDot}, true
}

// begin makes a connection ready for MAIL, and returns nil or the reply that ends
// the attempt.
func (p *process) begin(c mail.Conn) *mail.Reply {
	switch c {
	case mail.Reused:
		return nil
	case mail.Fresh:
		if r := p.client.await(mail.StageBanner, 2, p.patience(mail.StageBanner)); r != nil {
			return r
		}
	case mail.Reset:
		if r := p.command(mail.StageEHLO, 2, "RSET"); r != nil {
			return r
		}
	}
	r := p.command(mail.StageEHLO, 2, "EHLO %s", p.Domain)
	if r != nil && (r.Code == 500 || r.Code == 502) { // RFC 5321 3.2: a server without extensions
		r = p.command(mail.StageEHLO, 2, "HELO %s", p.Domain)
	}
	return r
}

func (p *process) command(stage mail.Stage, want uint16, format string, args ...any) *mail.Reply {
	return p.client.command(stage, want, p.patience(stage), format, args...)
}

// HangUp sends QUIT and closes without waiting for the reply; see Process.
func (p *process) HangUp() {
	if p.client != nil {
		p.client.leave()
		p.client = nil
	}
}

func (p *process) abort() {
	p.client.Close()
	p.client = nil
}

func (t *SMTP) patience(stage mail.Stage) time.Duration {
	return max(time.Duration(float64(t.Dialogue.Timeouts.Patience(stage))/t.Scale), time.Millisecond)
}
