package fault

import "flyball/internal/mail"

// ClassOf returns the class of a reply.
func ClassOf(r *mail.Reply) Class {
	return [...]Class{mail.Delivered: Delivered, mail.Deferral: Transient, mail.Bounce: Permanent,
		mail.Ambiguous: Ambiguous}[r.Class()]
}

// BlameOf returns what a reply is charged to. A refusal is about the recipient from RCPT on, and about the envelope
// sender, ours, or the whole client before. A reply that is missing or is none, and 421, are the session's; what
// happens before the greeting is over is the route's.
func BlameOf(r *mail.Reply) Blame {
	switch {
	case r.Class() == mail.Delivered:
		return BlameNone
	case r.Fault == mail.NoName:
		return BlameRecipient
	case r.Fault == mail.NoResolver, r.Fault == mail.NotAllowed:
		return BlameUs
	case r.Stage <= mail.StageBanner:
		return BlameRoute
	case r.Fault != mail.NoFault || r.Code == 421:
		return BlameSession
	case r.Stage >= mail.StageRCPT, r.Stage == mail.StageMAIL && r.Code == 552: // the size in MAIL (RFC 1870 6)
		return BlameRecipient
	case r.Code >= 500:
		return BlameUs
	}
	return BlameRoute
}
