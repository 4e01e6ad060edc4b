package hybrid

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/mail"
	"flyball/internal/points"
	"flyball/realrun/wire"
)

// newPost returns the server for mail.
func (s *Server) newPost(quiet *log.Logger) *smtp.Server {
	p := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{of: s, conn: c}, nil
	}))
	p.Domain = s.cfg.Name
	p.MaxMessageBytes = s.cfg.MostBytes
	p.MaxRecipients = 1 // one answer cannot tell what became of several; a client sends again to the others
	p.MaxLineLength = 4096
	p.ReadTimeout, p.WriteTimeout = s.cfg.Timeout, s.cfg.Timeout
	p.ErrorLog = quiet
	return p
}

// session is a session of a client.
type session struct {
	of    *Server
	conn  *smtp.Conn
	from  string
	to    string
	route int
}

func (s *session) Reset()        { s.from, s.to = "", "" }
func (s *session) Logout() error { return nil }

// Mail refuses a sender that is not an address: it goes on as it is.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if from != "" {
		a, err := mail.ParseAddress(from)
		if err != nil || a.String() != from && !strings.EqualFold(a.String(), from) {
			return refusal(553, "Not an address")
		}
		from = a.String()
	}
	s.from = from
	return nil
}

// Rcpt refuses what has no route.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	for i, r := range s.of.cfg.Mail {
		if r.takes(to) {
			s.to, s.route = to, i
			return nil
		}
	}
	s.of.cfg.tell(Mail, Refused)
	return refusal(550, "No such return path")
}

// Data hands the message on. Its answer is the answer of a server of the bank.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	err = s.of.forward(s.of.banks[s.route], wire.Envelope{From: s.from, To: s.to}, append(s.trace(), raw...))
	switch err {
	case nil:
		s.of.cfg.tell(Mail, Forwarded)
	case refused:
		s.of.cfg.tell(Mail, Refused)
	default:
		s.of.cfg.tell(Mail, Failed)
	}
	return err
}

// trace returns the line that says where a message came from (RFC 5321 4.4).
func (s *session) trace() []byte {
	host, _, _ := net.SplitHostPort(s.conn.Conn().RemoteAddr().String())
	if at, err := netip.ParseAddr(host); err == nil && at.Is6() {
		host = "IPv6:" + at.WithZone("").String()
	}
	said := s.conn.Hostname()
	if !isDomain(said) {
		said = "unknown"
	}
	return fmt.Appendf(nil, "Received: from %s ([%s])\r\n by %s with SMTP; %s\r\n", said, host, s.of.cfg.Name,
		time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
}

func refusal(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: text}
}

// most is how long a message is handed on in all, less than a client waits for the answer to its final dot (RFC 5321
// 4.5.3.2.6).
const most = 8 * time.Minute

// forward hands a message to the first server of a bank that takes it, and returns nil when it has. A server that
// refuses for good speaks for its bank.
func (s *Server) forward(b *bank, e wire.Envelope, message []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for _, at := range b.order(time.Now()) {
		reply, reached, unknown := s.hand(ctx, at, e, message)
		b.tried(at, time.Now(), reached)
		switch {
		case reply.Code == 250:
			points.Reached("handed")
			return nil
		case reply.Code >= 500:
			return refused
		case unknown: // it may have the message: another one would take it a second time
			return temporary
		}
	}
	return temporary
}

var refused = &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 0, 0}, Message: "It is refused"}

var temporary = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 1},
	Message: "No server takes it now, try again"}

// hand hands a message to one server. reached reports whether it has answered at all, unknown whether it may have the
// message though it has not confirmed that.
func (s *Server) hand(ctx context.Context, at netip.AddrPort, e wire.Envelope, message []byte) (reply mail.Reply,
	reached, unknown bool) {
	dial, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	conn, err := s.cfg.Allow.Dial(dial, "tcp", at.String())
	if err != nil {
		return mail.Reply{Fault: mail.Drop}, false, false
	}
	c := wire.New(conn, &wire.Options{Name: s.cfg.Name, Block: s.cfg.Timeout,
		Patience: func(mail.Stage) time.Duration { return s.cfg.Timeout }})
	defer c.Leave()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if r := c.Greet(); r != nil {
		return mail.Reply{Fault: r.Fault}, c.Known, false // a refusal of the session is not one of the message
	}
	reply, sent := c.Send(e, message, func() bool { return ctx.Err() == nil })
	return reply, true, sent && reply.Fault != mail.NoFault
}
