package reporting

import (
	"context"
	"fmt"
	"path/filepath"

	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/realrun/names"
)

// try tries to send a notice of a record, and returns how that ended, in terms of SMTP, and why it failed. The
// error says why nothing was tried, as for want of a permit.
func (o *Outbox) try(ctx context.Context, r *record, i int) (end mail.Reply, why string, err error) {
	to := r.Notices[i].To
	later := mail.Reply{Stage: mail.StageConnect, Fault: mail.Drop}
	if ofWeb(to) {
		if err := post(ctx, to, r.Report.JSON()); err != nil {
			return later, err.Error(), nil
		}
		return mail.Reply{Stage: mail.StageDot, Code: 250}, "", nil
	}
	address, err := mail.ParseAddress(to)
	if err != nil {
		return mail.Reply{Fault: mail.NotAllowed}, err.Error(), nil
	}
	via, signer, err := o.Via(address.Domain)
	if err != nil {
		return end, "", err
	}
	if err := via.Allow.CheckDomain(address.Domain); err != nil {
		return mail.Reply{Fault: mail.NotAllowed}, err.Error(), nil
	}
	file, err := filepath.Abs(filepath.Join(o.Reports, r.Report.FileName()))
	if err != nil {
		return end, "", err
	}
	text, err := r.Report.letter(address, o.Sender, fmt.Sprint(i+1, ".", r.Token), file)
	if err != nil {
		return end, "", err
	}
	if signer != nil {
		text = signer.SignFor(text, 0, o.Sender, r.Report.Ended)
	}
	if o.Permit != nil {
		if err := o.Permit(ctx); err != nil {
			return end, "", err
		}
	}
	end, why = hand(ctx, via, address, text)
	return end, why, nil
}

// hand sends a message to an address, from the null path: a report that comes back would be read as returned mail of a
// recipient, or reported in turn (RFC 5321 4.5.5, RFC 3834 3.3).
func hand(ctx context.Context, via *realrun.SMTP, to mail.Address, text []byte) (end mail.Reply, why string) {
	broken := ""
	lookup := &route{Resolver: &realrun.Allowed{Resolver: via.Resolver, List: via.Allow,
		Domain: func(mail.Recipient) string { return to.Domain }}}
	via.Resolver, via.Letters, via.Traces = lookup, letterTo{to.String(), text}, true
	via.Returns = func(mail.Recipient, mail.Try, string) string { return "" }
	via.Broken = func(err error) { broken = err.Error() }
	p := via.Process(0, 0)
	defer p.HangUp()
	end = p.Deliver(ctx, mail.Attempt{Conn: mail.Fresh})
	switch said := string(p.Trace().Text); {
	case end.Class() == mail.Delivered:
	case broken != "":
		why = broken
	case end.Stage == mail.StageDNS:
		why = lookup.why
	case end.Code > 0:
		why = fmt.Sprintf("%d %s", end.Code, said)
	default:
		why = fmt.Sprintf("%s at %s of %s", end.Fault, end.Stage, p.Trace().At)
	}
	return end, why
}

// route is a resolver that keeps why a look-up leads nowhere.
type route struct {
	realrun.Resolver
	why string
}

// Resolve returns the candidates of an attempt.
func (r *route) Resolve(ctx context.Context, a *mail.Attempt) names.Route {
	to := r.Resolver.Resolve(ctx, a)
	r.why = to.Why
	return to
}

// letterTo is the one message of a transport.
type letterTo struct {
	to   string
	text []byte
}

// Letter implements realrun.Letters.
func (l letterTo) Letter(_ mail.Recipient, body []byte) (string, []byte) {
	return l.to, append(body, l.text...)
}
