package sink

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/mhale/smtpd"

	"flyball/internal/conf"
	"flyball/netmodel/config"
)

// receive serves one lane until its listener is closed.
func (s *Sink) receive(l *lane) {
	if s.cfg.Receivers[l.dest].Receiver == "smtpd" {
		s.plain(l)
	} else {
		s.scripted(l)
	}
}

// scripted serves with go-smtp, which can refuse with any code at any stage.
func (s *Sink) scripted(l *lane) {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		w := c.Conn().(*wire)
		return &session{wire: w}, w.err()
	}))
	server.Domain = s.cfg.Receivers[l.dest].Domain
	server.MaxMessageBytes = int64(s.cfg.MaxBytes)
	server.MaxRecipients = 1
	server.ErrorLog = log.New(io.Discard, "", 0) // drops are ours, and counted
	server.Serve(l)
}

// session replies with the wire's verdict.
type session struct {
	*wire
	from string // of the message at hand
}

// err returns the verdict for go-smtp, nil if there is none. The wire has the words.
func (w *wire) err() error {
	if w.verdict == 0 {
		return nil
	}
	return &smtp.SMTPError{Code: int(w.verdict), EnhancedCode: smtp.NoEnhancedCode, Message: w.text}
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return s.err()
}
func (s *session) Rcpt(string, *smtp.RcptOptions) error { return s.err() }

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// Data reads the message. After its end has passed the wire, the verdict is the
// verdict on the final dot.
func (s *session) Data(r io.Reader) error {
	var read func(from string, message []byte)
	if s.lane.sink.cfg.Reads != nil {
		read = s.lane.sink.cfg.Reads(s.rcpt)
	}
	to := io.Writer(io.Discard)
	var message bytes.Buffer
	if read != nil {
		to = &message
	}
	n, err := io.Copy(to, r)
	if err != nil {
		return err
	}
	if err := s.err(); err != nil {
		return err
	}
	s.lane.sink.Ledger.accepted(s.rcpt, n)
	if read != nil {
		read(s.from, message.Bytes())
	}
	return nil
}

// plain serves with smtpd, an independent receiver without pipelining or any
// extension beyond SIZE. It can refuse RCPT with 550 and the final dot with
// any code; see CheckPlain.
func (s *Sink) plain(l *lane) {
	server := &smtpd.Server{
		Appname: "flyball", Hostname: s.cfg.Receivers[l.dest].Domain,
		DisableReverseDNS: true, // or it looks names up while it accepts
		MaxSize:           s.cfg.MaxBytes,
		MaxRecipients:     1,         // 0 is a data race in v0.8.3
		Timeout:           time.Hour, // the client's patience decides
		HandlerRcpt: func(a net.Addr, _, _ string) bool {
			return a.(caller).wire.verdict == 0
		},
		Handler: func(a net.Addr, _ string, _ []string, data []byte) error {
			w := a.(caller).wire
			if w.verdict != 0 {
				return errors.New(w.refusal())
			}
			s.Ledger.accepted(w.rcpt, int64(len(data)))
			return nil
		},
	}
	server.Serve(l)
}

// CheckPlain returns the settings of a destination that the plain receiver cannot
// carry out.
func CheckPlain(d config.Destination) []error {
	if d.Receiver != "smtpd" {
		return nil
	}
	var l conf.List
	can := func(at string, reply int) bool {
		return reply == 0 || at == "banner" || at == "data" || at == "dot" || (at == "rcpt" && reply == 550)
	}
	for i, f := range d.Fail {
		l.Check(can(f.At, f.Reply), conf.Index("fail", i),
			"got reply %d at %s, want 550 at rcpt, or banner, data or dot: receiver = \"smtpd\" cannot do it in a "+
				"live run", f.Reply, f.At)
	}
	for i, v := range d.Dead {
		l.Check(can(v.At, v.Reply), conf.Index("dead", i),
			"got reply %d at %s, want 550 at rcpt, or data or dot: receiver = \"smtpd\" cannot do it in a live run",
			v.Reply, v.At)
	}
	for i, v := range d.Refuse {
		l.Check(can(v.At, v.Reply), conf.Index("refuse", i),
			"got reply %d at %s, want 550 at rcpt, or banner, data or dot: receiver = \"smtpd\" cannot do it in a "+
				"live run", v.Reply, v.At)
	}
	for i, v := range d.Mailboxes {
		l.Check(can(v.At, v.Reply), conf.Index("mailbox", i),
			"got reply %d at %s, want 550 at rcpt, or data or dot: receiver = \"smtpd\" cannot do it in a live run",
			v.Reply, v.At)
	}
	l.Check(d.LimitsOf == "", "limits_of",
		"got %q, want none: receiver = \"smtpd\" cannot refuse MAIL in a live run", d.LimitsOf)
	l.Check(d.HangsUpReply == 0, "hangs_up_reply",
		"got %d, want 0: receiver = \"smtpd\" cannot refuse MAIL in a live run", d.HangsUpReply)
	l.Check(d.Penalty.Off(), "penalty.rate",
		"got %s, want 0: receiver = \"smtpd\" cannot refuse MAIL in a live run", d.Penalty.Rate)
	l.Check(len(d.Allowances) == 0, "allowance",
		"got %d, want none: receiver = \"smtpd\" cannot refuse MAIL in a live run", len(d.Allowances))
	l.Check(d.Bucket.Rate == 0, "bucket.rate", "got %s, want 0: receiver = \"smtpd\" cannot defer MAIL in a live run",
		d.Bucket.Rate)
	l.Check(d.Throttle.Hard == 0, "throttle.hard",
		"got %s, want 0: receiver = \"smtpd\" cannot defer MAIL in a live run", d.Throttle.Hard)
	l.Check(d.Greylist.Share == 0 || d.Greylist.At == "dot", "greylist.share",
		"got %g at rcpt, want 0, or at = \"dot\": receiver = \"smtpd\" cannot defer RCPT in a live run",
		d.Greylist.Share)
	return l
}
