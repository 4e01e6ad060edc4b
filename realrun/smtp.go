package realrun

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"flyball/internal/mail"
	"flyball/internal/points"
	"flyball/internal/replies"
	"flyball/internal/vt"
	"flyball/realrun/dial"
	"flyball/realrun/names"
	"flyball/realrun/path"
	"flyball/realrun/wire"
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
	Security wire.Security
	Domain   string      // of the envelope sender and of EHLO
	Broken   func(error) // called when this computer cannot continue; must stop the run
	// Alarm is called with each refusal of the sender itself, or failure of its name server, and the text of the reply
	// for people, by several attempts at once. nil: none is called.
	Alarm func(to mail.Destination, r mail.Reply, text string)

	// Returns is the return path of a try for a recipient, where Letters are those of several mailings with a key each.
	// nil: it is Key's.
	Returns func(r mail.Recipient, t mail.Try, domain string) string

	// Gate decides whether the final dot of an attempt is sent, of which everything else is. It may wait. nil: every
	// dot is sent.
	Gate func(mail.Attempt) bool

	Traces bool // traces have times, round trips and the text of replies, and not the look-up and hops alone

	// Paths measures hops and round trips; nil: they are not measured.
	Paths *path.Meter

	// Carries reports whether the connection to a candidate, which was opened for the recipient first, may carry an
	// attempt for the same destination. nil: it carries each.
	Carries func(ctx context.Context, a *mail.Attempt, to names.Candidate, first mail.Recipient) bool

	open  atomic.Int64 // connections
	alone sync.Map     // netip.AddrPort -> time.Time: until then a receiver gets one command at a time
}

// aloneFor is how long a receiver that offered PIPELINING, and did not answer all commands that
// came together, gets one at a time.
const aloneFor = vt.Hour

// Process returns an MTA process without a connection.
func (t *SMTP) Process(mail.Server, mail.Slot) Process {
	return &process{SMTP: t, options: wire.Options{Name: t.Domain, Patience: t.patience,
		Block: t.scaled(mail.BlockPatience), Sent: func() { points.Reached("dot") }, Times: t.Traces}}
}

// process is an MTA process and the connection that it keeps.
type process struct {
	*SMTP
	options wire.Options
	client  *wire.Client    // nil: no connection
	table   replies.Table   // of its destination
	to      names.Candidate // of the connection
	first   mail.Recipient  // for whom the connection was opened
	sent    int             // messages offered over it
	trace   mail.Trace      // of the last attempt
	body    []byte
}

// Trace returns what is known of the last attempt; see Process.
func (p *process) Trace() *mail.Trace { return &p.trace }

// Deliver makes one attempt; see Process. Where the kept connection turns out to
// have ended, the attempt goes on over a new one.
func (p *process) Deliver(ctx context.Context, a mail.Attempt) mail.Reply {
	p.trace.Begin(&a, 0)
	if a.Conn != mail.Fresh && p.takes() && p.carries(ctx, &a) {
		begin := func() *mail.Reply { return nil }
		if a.Conn == mail.Reset {
			begin = p.client.Renew
		}
		r := p.offer(ctx, a, begin)
		if !a.Conn.EndedBy(&r) {
			return r
		}
	}
	a.Conn = mail.Fresh
	p.HangUp()
	route := p.Resolver.Resolve(ctx, &a)
	p.trace.Stages[mail.StageDNS] = route.Took
	if ctx.Err() != nil {
		route.Fault = mail.Aborted
	}
	if route.Fault != mail.NoFault {
		end := mail.Reply{Stage: mail.StageDNS, Fault: route.Fault}
		if p.Alarm != nil && end.OfSender() {
			p.Alarm(a.Dest, end, route.Why)
		}
		return end
	}
	if p.table = nil; int(a.Dest) < len(p.Replies) {
		p.table = p.Replies[a.Dest]
	}
	var trial names.Trial
	for _, c := range route.To {
		if trial.Ends(p.deliver(ctx, a, c)) {
			break
		}
	}
	return trial.Reply()
}

// takes reports whether the kept connection is there and takes another message.
func (p *process) takes() bool {
	return p.client != nil && (p.client.Offer.Messages == 0 || p.sent < p.client.Offer.Messages)
}

// carries reports whether the open connection may carry the attempt.
func (p *process) carries(ctx context.Context, a *mail.Attempt) bool {
	return p.Carries == nil || p.Carries(ctx, a, p.to, p.first)
}

// deliver makes an attempt over a new connection to one candidate, and over another one without
// encryption if that fails and is not required, or with HELO if the candidate closes at EHLO.
func (p *process) deliver(ctx context.Context, a mail.Attempt, to names.Candidate) mail.Reply {
	p.trace.At = to.At
	until, known := p.alone.Load(to.At)
	p.options.Pipelining = p.Dialogue.Pipelining && !(known && time.Now().Before(until.(time.Time)))
	p.options.Security = p.Security
	plain := false
	if p.options.Host = to.Host; to.Host == "" {
		p.options.Host = to.At.Addr().String()
	}
	for greet := (*wire.Client).Greet; ; {
		began := time.Now()
		r := p.connect(ctx, to.At)
		p.trace.Stages[mail.StageConnect] += p.virtual(time.Since(began))
		if r != nil {
			return *r
		}
		p.to, p.first = to, a.Rcpt
		client := p.client
		end := p.offer(ctx, a, func() *mail.Reply { return greet(client) })
		if client.Short {
			p.alone.Store(to.At, time.Now().Add(p.scaled(aloneFor)))
		}
		switch {
		case client.Bare:
			p.options.Encryption = wire.Clear
		case end.WantsHELO() && !plain && !client.Known && p.Security.Login == nil: // HELO offers no AUTH
			plain, greet = true, (*wire.Client).GreetPlainly
		default:
			return end
		}
	}
}

// offer carries the message of an attempt over the open connection once begin has
// made it ready for MAIL, and closes the connection if it cannot carry another one.
func (p *process) offer(ctx context.Context, a mail.Attempt, begin func() *mail.Reply) mail.Reply {
	// A cancelled run aborts every conversation that has not reached its final dot.
	client := p.client
	client.Begin()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	passed := false // the gate, before the run was cancelled
	r := p.converse(ctx, a, begin, func() bool {
		passed = stop()
		return passed
	})
	if !passed && !stop() {
		r = mail.Reply{Stage: r.Stage, Fault: mail.Aborted}
	}
	p.traced(&r)
	if r.Code >= 400 {
		r.Row = p.table.Match(r.Stage, int(r.Code), string(client.Text()))
		if p.Alarm != nil && r.OfSender() {
			p.Alarm(a.Dest, r, client.Shown())
		}
	}
	if !r.Open() || !client.Usable() {
		p.abort()
	}
	return r
}

// traced adds to the trace what the open connection knows of an attempt that ends with a reply.
func (p *process) traced(r *mail.Reply) {
	if !p.Traces {
		return
	}
	p.client.Lap(r.Stage)
	for stage, spent := range p.client.Spent {
		p.trace.Stages[stage] += p.virtual(spent)
	}
	p.trace.At = p.to.At
	if trip, ok := p.client.RoundTrip(); ok {
		p.trace.Trip = p.virtual(trip)
	}
	p.trace.Text = p.trace.Text[:0]
	if r.Code > 0 {
		p.trace.Text = p.client.AppendShown(p.trace.Text)
	}
}

// converse sends one message over an open connection and returns the reply. disarm reports
// whether the run goes on, and from then on a cancelled run does not close the connection.
func (p *process) converse(ctx context.Context, a mail.Attempt, begin func() *mail.Reply,
	disarm func() bool) mail.Reply {
	if r := begin(); r != nil {
		return *r
	}
	to, message := p.Letters.Letter(a.Rcpt, p.body[:0])
	p.body = message
	p.sent++
	// Once the gate lets the message pass it counts as sent, so the reply is waited for even if
	// the run is cancelled meanwhile.
	calm := func() bool { return true }
	gate := func() bool {
		if !disarm() || p.Gate != nil && !p.Gate(a) {
			return false
		}
		calm = context.AfterFunc(ctx, p.client.Hurry) // a receiver that takes nothing does not hold up the end
		points.Reached("passed")
		return true
	}
	from := p.Returns
	if from == nil {
		from = p.Key.VERP
	}
	end, sent := p.client.Send(wire.Envelope{From: from(a.Rcpt, a.Try, p.Domain), To: to}, message, gate)
	calm()
	if sent && end.Fault == mail.NoFault {
		points.Reached("replied")
	}
	return end
}

// shortest and longest are how long an attempt waits that finds this computer without
// descriptors or ports, before it tries again to connect.
const shortest, longest = 10 * time.Millisecond, time.Second

// connect opens a connection, and returns nil or the reply that ends the attempt. While this
// computer lacks descriptors or ports, the attempt waits for connections that are closed
// meanwhile, or until a shortage without any open connection has lasted for the patience: then
// the run stops, and the recipient is not charged.
func (p *process) connect(ctx context.Context, to netip.AddrPort) *mail.Reply {
	patience := p.patience(mail.StageConnect)
	hopeless := time.Now().Add(patience)
	for wait := shortest; ; wait = min(2*wait, longest) {
		conn, err := p.dial(ctx, patience, to)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return &mail.Reply{Stage: mail.StageConnect, Fault: mail.Aborted}
		case err == nil:
			p.open.Add(1)
			p.client, p.sent = wire.New(conn, &p.options), 0
			return nil
		case !dial.Lacks(err):
			return &mail.Reply{Stage: mail.StageConnect, Fault: wire.Fault(err)}
		case p.open.Load() > 0:
			hopeless = time.Now().Add(patience)
		case time.Now().After(hopeless):
			p.Broken(fmt.Errorf("cannot open a connection: %w", err))
			return &mail.Reply{Stage: mail.StageConnect, Fault: mail.Aborted}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (p *process) dial(ctx context.Context, patience time.Duration, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, hops, err := p.Paths.Dial(ctx, to.Addr(), func(ctx context.Context, within int) (net.Conn, error) {
		return p.Allow.DialWithin(ctx, "tcp", to.String(), within)
	})
	p.trace.Hops = hops
	return conn, err
}

// HangUp sends QUIT and closes without waiting for the reply; see Process.
func (p *process) HangUp() {
	if p.client != nil {
		p.client.Leave()
		p.closed()
	}
}

func (p *process) abort() {
	p.client.Close()
	p.closed()
}

func (p *process) closed() {
	p.client = nil
	p.open.Add(-1)
}

func (t *SMTP) patience(stage mail.Stage) time.Duration {
	return t.scaled(t.Dialogue.Timeouts.Patience(stage))
}

// virtual returns a span of the clock in the time of the run.
func (t *SMTP) virtual(d time.Duration) vt.Span { return vt.Span(float64(d) * t.Scale) }

func (t *SMTP) scaled(span vt.Span) time.Duration {
	return max(time.Duration(float64(span)/t.Scale), time.Millisecond)
}
