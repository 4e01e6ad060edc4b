package serve

import (
	"cmp"
	"context"
	"fmt"
	"net"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine/inbox"
	"flyball/internal/returned"
	"flyball/realrun/depot"
	"flyball/realrun/inbound"
)

// returning is the C server: it takes returned mail. What it keeps is in files of its own instead of a journal.
type returning struct {
	*member
	server *inbound.Server
	all    *mailings
	smtp   net.Listener
}

// openReturning opens the C server.
func (p *Process) openReturning(ctx context.Context, m *member) (err error) {
	s := &returning{member: m}
	m.server = s
	cfg := p.counted()
	cfg.Dir = m.of.Folder
	cfg.Address, _ = m.of.Address()
	if first, _ := p.site.Counting(); first.Name() != m.name {
		cfg.Counter, _ = first.Address()
	}
	cfg.Domain, cfg.Carrier = m.of.Domain, m
	effects := m.counts("flyball_returned_mail_total", "Returned messages by effect, since the station began.",
		"effect")
	for _, v := range returned.Effects {
		effects.Count(0, string(v))
	}
	cfg.Tell = func(e inbound.Event) {
		if e.Kind == inbound.Took {
			effects.Count(1, e.Effect)
		}
		m.log.Info("returned mail", "what", e.Kind, "job", e.Job, "recipient", e.Rcpt, "effect", e.Effect,
			"reason", e.Reason)
	}
	cfg.Warn = func(err error) { m.log.Warn("returned mail cannot be kept", "why", err) }
	cfg.Complete = func() bool { return s.all.Complete() } // no mail comes before all is there
	if s.server, err = inbound.New(cfg); err != nil {
		return task.Unusable(m.name, err)
	}
	m.closes(s.server.Close)
	s.all, err = m.openMailings(func(k depot.Keys) error {
		return s.server.Add(inbound.Job{Name: fmt.Sprint(k.Job), Key: k.Secret, First: k.First})
	})
	if err != nil {
		return err
	}
	if s.smtp, err = m.listen("listen", m.of.Listen); err != nil {
		return err
	}
	if err := m.openChanges(); err != nil {
		return err
	}
	return m.join(ctx, s.server.Receive)
}

// counted returns how returned mail counts: on the C server by mailing, on the storage server over all of them.
func (p *Process) counted() inbound.Config {
	cfg := inbound.Default("")
	first, _ := p.site.Counting()
	cfg.Hard = cmp.Or(first.Hard, cfg.Hard)
	return cfg
}

// run runs the server until ctx ends, or something fails for good.
func (s *returning) run(ctx context.Context) error {
	serve := func(ctx context.Context) error { return s.server.Serve(ctx, s.smtp) }
	hands := func(ctx context.Context) error {
		return s.hands(ctx, func(_ context.Context, after uint64) ([]inbox.Made, error) {
			return s.server.Changes(after), nil
		})
	}
	return together(ctx, serve, s.all.run, s.watchBus, hands)
}
