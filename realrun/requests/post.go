package requests

import (
	"context"
	"errors"
	"io"
	"log"
	"strings"

	"github.com/emersion/go-smtp"

	"flyball/engine/inbox"
	"flyball/internal/mail"
	"flyball/internal/returned"
	"flyball/realrun/message"
)

// newPost returns the server for requests by mail.
func (s *Server) newPost(quiet *log.Logger) *smtp.Server {
	p := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{of: s}, nil }))
	p.Domain = s.cfg.Domain
	if p.Domain == "" {
		p.Domain = "localhost"
	}
	p.MaxMessageBytes = s.cfg.MostBytes
	p.MaxRecipients = 1 // an answer is for one
	p.MaxLineLength = 4096
	p.ReadTimeout, p.WriteTimeout = s.cfg.Timeout, s.cfg.Timeout
	p.ErrorLog = quiet
	return p
}

// session is a session of a client.
type session struct {
	of     *Server
	sender string // of the envelope
	to     kind
	job    Job         // of a ticket
	ticket mail.Ticket // of to == ticketed
}

// kind is what an address of this server takes.
type kind int

const (
	nothing  kind = iota
	ticketed      // unsubscribe+TICKET@, which is a request whatever the mail says
	leaving       // unsubscribe@, with the ID of a message
	replies       // replies, which are requests by their words
)

func (s *session) Reset()        { s.to = nothing }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.sender = from
	return nil
}

// Rcpt refuses what takes no request. What is forged or too old is refused as any other address.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	cfg := &s.of.cfg
	s.to = nothing
	local, domain, _ := strings.Cut(strings.ToLower(to), "@")
	text, isTicket := strings.CutPrefix(local, "unsubscribe+")
	for _, r := range cfg.Replies {
		if strings.EqualFold(r, to) {
			s.to = replies
		}
	}
	switch {
	case s.to == replies:
	case cfg.Domain != "" && !strings.EqualFold(domain, cfg.Domain):
	case isTicket:
		var err error
		s.job, s.ticket, err = s.of.ticket(text)
		switch {
		case errors.Is(err, errLater):
			return tryAgain
		case err == nil && s.ticket.Purpose == mail.ToLeave:
			s.to = ticketed
		}
	case local == "unsubscribe":
		s.to = leaving
	}
	if s.to == nothing {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such address"}
	}
	return nil
}

// Data takes a mail. The answer is 250 when what it asks for is on the disk.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.of.cfg.Timeout)
	defer cancel()
	l := returned.ReadLetter(raw, s.sender)
	asked, err := s.take(ctx, &l)
	if complete := s.of.cfg.Complete; err == nil && !asked && !l.Automatic && complete != nil {
		if !complete() {
			return tryAgain
		}
		asked, err = s.take(ctx, &l) // the mailing that it answers may have come meanwhile
	}
	switch {
	case err != nil:
		return tryAgain
	case !asked && s.to == replies && l.Automatic:
		s.of.cfg.tell(Event{Kind: Dropped, By: "mail", Address: s.sender, Why: "a program wrote it"})
	case !asked:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "This address takes " +
			"requests: answer a message of the list, with the word unsubscribe in the first line"}
	}
	return nil
}

var tryAgain = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0},
	Message: "Cannot take this message now, try again"}

// take takes what a mail asks for, and reports whether it asks for anything.
func (s *session) take(ctx context.Context, l *returned.Letter) (asked bool, err error) {
	switch s.to {
	case ticketed:
		return true, s.leave(ctx, s.job, s.ticket.Rcpt, l)
	case leaving:
		j, r, ok := s.of.answered(append([]string{l.Subject}, l.IDs...))
		if !ok {
			return false, nil
		}
		return true, s.leave(ctx, j, r, l)
	}
	j, r, ok := s.of.answered(l.IDs)
	switch cfg := &s.of.cfg; {
	case !ok || l.Automatic:
		return false, nil
	case inbox.Asks(l.Text, cfg.Delete):
		return true, s.leave(ctx, j, r, l)
	case inbox.Asks(l.Text, cfg.Add) && cfg.Send != nil:
		return true, s.join(ctx, j, r)
	}
	return false, nil
}

// answered returns the mailing and the recipient of the first ID that a mailing has written.
func (s *Server) answered(ids []string) (of Job, r mail.Recipient, ok bool) {
	for _, id := range ids {
		s.each(func(j Job) bool {
			if r, ok = message.Recipient(j.Key, strings.TrimSpace(id)); ok {
				of = j
			}
			return !ok
		})
		if ok {
			return of, r, true
		}
	}
	return of, r, false
}

// leave deletes a recipient, and confirms that to the person who wrote, if a person did.
func (s *session) leave(ctx context.Context, j Job, r mail.Recipient, l *returned.Letter) error {
	if err := s.of.leave(ctx, j, r, "mail"); err != nil || !s.of.cfg.Confirm || l.Automatic {
		return err
	}
	return s.write(j, mail.ToReturn, r)
}

// join takes a request to be added, which the recipient is to confirm.
func (s *session) join(ctx context.Context, j Job, r mail.Recipient) error {
	if err := j.Desk.Ask(ctx, j.First+r, true); err != nil {
		return err
	}
	s.of.cfg.tell(Event{Kind: Asked, Job: j.Name, Rcpt: &r, By: "mail", Address: s.sender})
	return s.write(j, mail.ToJoin, r)
}

// write mails a ticket to the person who wrote, within the budget.
func (s *session) write(j Job, purpose byte, r mail.Recipient) error {
	of, sender := s.of, s.sender
	event := Event{Kind: Dropped, Job: j.Name, Rcpt: &r, By: "mail", Address: sender}
	to, err := mail.ParseAddress(sender)
	if err == nil {
		if event.Why = of.budget.spend(&of.cfg, of.cfg.now(), sender, ""); event.Why != "" {
			event.Why = "more than the budget of " + event.Why
			of.cfg.tell(event)
			return nil
		}
		if of.later(func(ctx context.Context) {
			if err := of.mailTicket(ctx, j, purpose, r, to); err != nil {
				event.Kind, event.Why = Unsent, err.Error()
				of.cfg.tell(event)
			}
		}) {
			return nil
		}
	}
	event.Kind, event.Why = Unsent, "too many wait"
	if err != nil {
		event.Why = err.Error()
	}
	of.cfg.tell(event)
	return nil
}
