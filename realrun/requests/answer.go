package requests

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"flyball/internal/mail"
)

// mailTicket mails a ticket to an address: a confirmation of a request, or what confirms one ([0047]). It is an
// automatic answer (RFC 3834), which no program may answer.
func (s *Server) mailTicket(ctx context.Context, j Job, purpose byte, r mail.Recipient, to mail.Address) error {
	name := s.cfg.Name
	subject, text := "", ""
	switch purpose {
	case mail.ToReturn:
		subject = "You have left " + name
		text = "You will get no more mail of " + name + ", as you have asked.\n\nIf that was a mistake, return here:"
	case mail.ToJoin:
		subject = "Please confirm: mail of " + name
		text = "Somebody, probably you, has asked for mail of " + name + " to this address.\n\n" +
			"If it was you, confirm it here:"
	case mail.ToQuit:
		subject = "Please confirm: no more mail of " + name
		text = "Somebody, probably you, has asked for no more mail of " + name + " to this address.\n\n" +
			"If it was you, confirm it here:"
	}
	text += "\n\n" + strings.TrimSuffix(s.cfg.URL, "/") + "/" + s.write(j, purpose, r) +
		"\n\nIf you do nothing, nothing happens.\n"
	from, err := mail.ParseAddress(s.cfg.From)
	if err != nil {
		return err
	}
	head := fmt.Sprintf("From: %s\nTo: %s\nSubject: %s\nDate: %s\nMessage-ID: <%s@%s>\nAuto-Submitted: "+
		"auto-replied\nMIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n", from, to, subject,
		s.cfg.now().UTC().Format(time.RFC1123Z), strings.ToLower(rand.Text()), from.Domain)
	return s.cfg.Send(ctx, to, []byte(strings.ReplaceAll(head+text, "\n", "\r\n")))
}
