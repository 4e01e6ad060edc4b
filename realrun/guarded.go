package realrun

import (
	"context"

	"flyball/internal/mail"
)

// Guarded is a Transport whose attempts need a permit each, and are watched for how they end.
type Guarded struct {
	Transport
	Take func(context.Context) error // waits for a permit
	Saw  func(*mail.Attempt, *mail.Reply) error
	Stop func(error) // there are no more permits
	// Failed is called with what Saw returns: too much goes wrong, or what was seen cannot be kept.
	Failed func(error)
}

// Process returns the MTA process of a slot.
func (t *Guarded) Process(server mail.Server, s mail.Slot) Process {
	return &guarded{t.Transport.Process(server, s), t}
}

type guarded struct {
	Process
	by *Guarded
}

func (p *guarded) Deliver(ctx context.Context, a mail.Attempt) mail.Reply {
	if err := p.by.Take(ctx); err != nil {
		if ctx.Err() == nil {
			p.by.Stop(err)
		}
		return mail.Reply{Stage: mail.StageDNS, Fault: mail.Aborted}
	}
	r := p.Process.Deliver(ctx, a)
	if err := p.by.Saw(&a, &r); err != nil {
		p.by.Failed(err)
	}
	return r
}
