package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/realrun/depot"
	"flyball/realrun/requests"
	"flyball/realrun/station"
)

// requesting is the D server: it takes requests of recipients, on pages and by mail.
type requesting struct {
	*member
	station *station.Station
	desk    *requests.Desk
	server  *requests.Server
	web     net.Listener
	post    net.Listener // nil: no requests by mail
}

// openRequesting opens the D server.
func (p *Process) openRequesting(ctx context.Context, m *member) (err error) {
	s := &requesting{member: m}
	m.server = s
	address, _ := m.of.Address()
	role := requests.NewRole(inbox.Default(address))
	s.station, err = station.New(station.Config{Address: address, Role: role, Journal: m.journal, Before: m.before,
		Boot: kept.Boot(), Carrier: m})
	if err != nil {
		return task.Fail(task.Invalid, "%s: %w", m.name, err)
	}
	s.desk = requests.NewDesk(role, s.station)
	cfg := requests.Default()
	cfg.Name, cfg.Domain = p.site.Name, m.of.Domain
	cfg.Tell = func(e requests.Event) { m.log.Info("a request", "request", e) }
	if s.server, err = requests.New(cfg); err != nil {
		return task.Fail(task.Invalid, "%s: %w", m.name, err)
	}
	if s.web, err = m.listen("listen", m.of.Listen); err != nil {
		return err
	}
	if m.of.Mail != "" {
		if s.post, err = m.listen("mail", m.of.Mail); err != nil {
			return err
		}
	}
	return m.join(ctx, s.station.Receive)
}

// run runs the server until ctx ends, or something fails for good.
func (s *requesting) run(ctx context.Context) error {
	serve := func(ctx context.Context) error { return s.server.Serve(ctx, s.web, s.post) }
	mailings := func(ctx context.Context) error {
		return s.mailings(ctx, func(k depot.Keys) error {
			s.server.Add(requests.Job{Name: fmt.Sprint(k.Job), Key: k.Secret, First: k.First, Desk: s.desk})
			return nil
		})
	}
	return together(ctx, s.station.Run, serve, mailings, s.watchBus)
}

// mailings calls add with the keys of each mailing of the depot, from the first on, until ctx ends.
func (m *member) mailings(ctx context.Context, add func(depot.Keys) error) error {
	from, err := m.in.remote(m.of)
	if err != nil {
		return err
	}
	said := ""
	for job := engine.Job(1); ; {
		k, err := from.FetchKeys(ctx, job)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			if err := add(k); err != nil {
				return err
			}
			job++
			continue
		case errors.Is(err, depot.ErrRefused):
			return err
		case errors.Is(err, depot.ErrAbsent): // it is yet to come
		case said != err.Error():
			said = err.Error()
			m.log.Warn("the depot does not answer", "why", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(look):
		}
	}
}
