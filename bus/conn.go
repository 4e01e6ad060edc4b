package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"flyball/internal/input"
)

// Times of a connection.
const (
	dialWithin    = 5 * time.Second
	answerWithin  = 10 * time.Second // of a request that somebody has taken
	reconnectWait = 250 * time.Millisecond
	pingEvery     = 5 * time.Second  // a broker that answers neither of two is lost
	writeWithin   = 10 * time.Second // to a broker that reads nothing
)

// Most that waits for the process on each subscription; what comes then is lost.
const (
	mostWaiting      = 16_384
	mostWaitingBytes = 64 << 20
)

// Patience is how long a connection that was lost is tried again before it counts as gone.
const Patience = time.Minute

// Conn is a connection to a bus. Any goroutine may use it. Once the broker refuses something, or is gone for longer
// than Patience, Context ends with the reason as its cause, and so do all requests.
type Conn struct {
	nats *nats.Conn
	ctx  context.Context
	end  context.CancelCauseFunc
	name string
	of   end
}

// ErrNoAnswer is the error of a question that no process takes at the moment.
var ErrNoAnswer = errors.New("no process answers")

// Check returns an error unless c makes sense, and the files that it names are there and valid now.
func (c Config) Check() error {
	if err := c.Validate(); err != nil {
		return err
	}
	_, err := c.TLS()
	if c.NKey != "" {
		_, _, wrong := seed(c.NKey)
		err = errors.Join(err, wrong)
	}
	return err
}

// Dial connects to the bus at c.URL, or to within if it is not nil. An error wraps ErrUnreachable or ErrRefused.
func Dial(ctx context.Context, c Config, within *Server) (*Conn, error) {
	conn := &Conn{name: c.Name, of: end{hiddenAll(c.URL), c}}
	conn.ctx, conn.end = context.WithCancelCause(ctx)
	w := &watcher{conn: conn, note: c.Note}
	options := append(w.options(), nats.Name(c.Name), nats.CustomInboxPrefix("_INBOX."+c.Name),
		nats.Timeout(dialWithin), nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait, reconnectWait), nats.MaxReconnects(int(Patience/reconnectWait/2)),
		nats.PermissionErrOnSubscribe(true), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(writeWithin))
	if c.Steady {
		options = append(options, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	}
	if within != nil {
		conn.of.where = "within the process"
		options = append(options, nats.InProcessServer(within.server))
		if within.config.Token != "" {
			options = append(options, nats.Token(within.config.Token))
		}
	} else if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.CA != "" || c.Cert != "" {
		var err error
		if w.tls, err = c.TLS(); err != nil {
			return nil, err
		}
		options = append(options, nats.Secure(w.tls))
	}
	if c.NKey != "" {
		pair, public, err := seed(c.NKey)
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Nkey(public, pair.Sign))
	}
	var err error
	if conn.nats, err = nats.Connect(c.URL, options...); err != nil {
		return nil, conn.of.explain(err)
	}
	return conn, nil
}

// Context ends when the connection is beyond repair, with the reason as its cause, or at Close.
func (c *Conn) Context() context.Context { return c.ctx }

// Name returns the name of this end.
func (c *Conn) Name() string { return c.name }

// Close ends the connection when all messages have left.
func (c *Conn) Close() {
	c.nats.FlushTimeout(time.Second)
	c.end(context.Canceled)
	c.nats.Close()
}

// Ask sends a question and returns the answer. The error wraps ErrNoAnswer if no process takes the question or its
// answer does not come; else it is the cause of the end of ctx or of the connection.
func (c *Conn) Ask(ctx context.Context, subject string, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	m, err := c.nats.RequestWithContext(ctx, subject, question)
	switch {
	case err == nil:
		return m.Data, nil
	case c.ctx.Err() != nil:
		return nil, context.Cause(c.ctx)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrDisconnected),
		errors.Is(err, nats.ErrConnectionReconnecting):
		return nil, fmt.Errorf("%s: %w", subject, ErrNoAnswer)
	case errors.Is(err, nats.ErrMaxPayload):
		return nil, refused(nil, "%s: got a message of %d bytes, want at most %d", subject, len(question),
			c.nats.MaxPayload())
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, c.of.at(subject).explain(err)
}

// Answer calls f with each question for a subject, which may have wildcards, one at a time, and sends what f returns.
// It returns when the broker has taken the subscription, or an error that wraps ErrRefused if it does not.
func (c *Conn) Answer(subject string, f func(subject string, question []byte) []byte) error {
	return c.subscribe(subject, func(m *nats.Msg) {
		if answer := f(m.Subject, m.Data); answer != nil && m.Reply != "" {
			m.Respond(answer) // a lost answer is a question that is asked again
		}
	})
}

// Listen calls f with each message for a subject, which may have wildcards, one at a time. It returns as Answer does.
func (c *Conn) Listen(subject string, f func(subject string, message []byte)) error {
	return c.subscribe(subject, func(m *nats.Msg) { f(m.Subject, m.Data) })
}

func (c *Conn) subscribe(subject string, f nats.MsgHandler) error {
	on, err := c.nats.Subscribe(subject, f)
	if err == nil {
		err = on.SetPendingLimits(mostWaiting, mostWaitingBytes)
	}
	if err == nil {
		err = c.settle()
	}
	if err == nil {
		err = c.of.final(c.nats.LastError())
	}
	if err != nil && c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return c.of.at(subject).explain(err)
}

// settle returns when the broker has taken what was sent. A broker that is lost meanwhile, or says nothing, is waited
// for: what was asked of it is asked of the one that is there again.
func (c *Conn) settle() error {
	for began := time.Now(); ; {
		err := c.nats.FlushTimeout(dialWithin)
		if err == nil || c.ctx.Err() != nil || time.Since(began) > Patience {
			return err
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(reconnectWait):
		}
	}
}

// MostPayload returns the most bytes of a message that the broker takes.
func (c *Conn) MostPayload() int { return int(c.nats.MaxPayload()) }

// Tell publishes a message. It may reach no process.
func (c *Conn) Tell(subject string, message []byte) error {
	if err := c.nats.Publish(subject, message); err != nil {
		return c.of.at(subject).explain(err)
	}
	return nil
}

// seed reads an nkey from the file of its seed, and returns its public half too.
func seed(name string) (nkeys.KeyPair, string, error) {
	text, err := input.Read(name, input.Key)
	if err != nil {
		return nil, "", unread(err, "the nkey")
	}
	pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(string(text))))
	if err != nil {
		return nil, "", refused(err, "the nkey %s: got no seed, want one that begins with SU", name)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, "", refused(err, "the nkey %s", name)
	}
	return pair, public, nil
}

// TLS reads the files of c: by what this end shows who it is, and by which authorities it knows other ends; nil without
// any. It refuses a certificate that is not valid now: other ends would only hang up. An error wraps ErrRefused or
// ErrUnreachable.
func (c Config) TLS() (*tls.Config, error) {
	if c.CA == "" && c.Cert == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if c.CA != "" {
		text, err := input.Read(c.CA, input.Certificate)
		if err != nil {
			return nil, unread(err, "the authorities")
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, refused(nil, "%s: got no certificate in PEM, want the certificates of the authorities", c.CA)
		}
	}
	if c.Cert == "" {
		return config, nil
	}
	text, err := input.Read(c.Cert, input.Certificate)
	if err != nil {
		return nil, unread(err, "the certificate")
	}
	key, err := input.Read(c.Key, input.Key)
	if err != nil {
		return nil, unread(err, "the certificate's key")
	}
	pair, err := tls.X509KeyPair(text, key)
	if err != nil {
		return nil, refused(err, "%s and %s", c.Cert, c.Key)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, refused(err, "%s", c.Cert)
	}
	switch now := time.Now(); {
	case now.After(leaf.NotAfter):
		return nil, refused(nil, "%s: the certificate expired on %s", c.Cert, leaf.NotAfter.Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		return nil, refused(nil, "%s: the certificate is valid from %s on", c.Cert,
			leaf.NotBefore.Format(time.DateOnly))
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
