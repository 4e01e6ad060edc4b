package realrun

import (
	"context"
	"sync"

	"flyball/internal/mail"
	"flyball/realrun/dial"
	"flyball/realrun/names"
)

// Allowed is a Resolver that leads to those receivers alone to which the mail of the recipient's domain may go. A
// recipient without such a receiver is not tried: nothing is connected to.
type Allowed struct {
	Resolver
	List   *dial.Allowlist
	Domain func(mail.Recipient) string

	lock    sync.Mutex
	refused int
	first   error
}

// Resolve returns the candidates of an attempt that are allowed.
func (r *Allowed) Resolve(ctx context.Context, a *mail.Attempt) names.Route {
	route := r.Resolver.Resolve(ctx, a)
	var to []names.Candidate
	var why error
	for _, c := range route.To {
		if err := r.List.CheckMail(r.Domain(a.Rcpt), c.At); err == nil {
			to = append(to, c)
		} else if why == nil {
			why = err
		}
	}
	if to == nil && why != nil {
		route.Fault, route.Why = mail.NotAllowed, why.Error()
		r.lock.Lock()
		defer r.lock.Unlock()
		if r.refused++; r.refused == 1 {
			r.first = why
		}
	}
	route.To = to
	return route
}

// Refused returns the number of recipients that no receiver was allowed for, and why the first one was refused.
func (r *Allowed) Refused() (recipients int, first error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.refused, r.first
}

// OneDomain is a Transport whose connections carry the mail of one domain each: what is allowed for a domain of a
// destination need not be for another.
type OneDomain struct {
	Transport
	Domain func(mail.Recipient) string
}

// Process returns the MTA process of a slot.
func (t *OneDomain) Process(server mail.Server, s mail.Slot) Process {
	return &oneDomain{Process: t.Transport.Process(server, s), of: t.Domain}
}

type oneDomain struct {
	Process
	of     func(mail.Recipient) string
	domain string // of the kept connection
}

func (p *oneDomain) Deliver(ctx context.Context, a mail.Attempt) mail.Reply {
	domain := p.of(a.Rcpt)
	if a.Conn != mail.Fresh && domain != p.domain {
		p.HangUp()
		a.Conn = mail.Fresh
	}
	p.domain = domain
	return p.Process.Deliver(ctx, a)
}
