package serve

import (
	"context"
	"fmt"
	"net"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/internal/vt"
	"flyball/realrun/depot"
	"flyball/realrun/requests"
	"flyball/realrun/station"
	"flyball/site"
)

// requesting is the D server: it takes requests of recipients, on pages and by mail.
type requesting struct {
	*member
	station *station.Station
	role    *requests.Role
	desk    *requests.Desk
	server  *requests.Server
	all     *mailings
	web     net.Listener
	post    net.Listener // nil: no requests by mail
}

// beside is for how long a recipient who returns waits for the A server, where several D servers take requests.
const beside = 5 * time.Second

// openRequesting opens the D server.
func (p *Process) openRequesting(ctx context.Context, m *member) (err error) {
	s := &requesting{member: m}
	m.server = s
	address, _ := m.of.Address()
	s.role = requests.NewRole(inbox.Default(address))
	if s.station, err = m.openStation(s.role, time.Time{}); err != nil {
		return err
	}
	s.desk = requests.NewDesk(s.role, s.station)
	if len(p.site.Of(site.D)) > 1 {
		s.desk.Beside = beside
	}
	cfg := requests.Default()
	cfg.Name, cfg.Domain = p.site.Name, m.of.Domain
	cfg.Complete = func() bool { return s.all.Complete() } // no request comes before all is there
	events := m.counts("flyball_requests_total", "What became of requests, since the station began.", "event")
	for _, k := range []requests.Kind{requests.Left, requests.Returned, requests.Asked, requests.Unsent,
		requests.Dropped} {
		events.Count(0, string(k))
	}
	cfg.Tell = func(e requests.Event) {
		events.Count(1, string(e.Kind))
		m.log.Info("a request", "request", e)
	}
	if s.server, err = requests.New(cfg); err != nil {
		return task.Fail(task.Invalid, "%s: %w", m.name, err)
	}
	s.all, err = m.openMailings(func(k depot.Keys) error {
		s.server.Add(requests.Job{Name: fmt.Sprint(k.Job), Key: k.Secret, First: k.First, Desk: s.desk})
		return nil
	})
	if err != nil {
		return err
	}
	if s.web, err = m.listen("listen", m.of.Listen); err != nil {
		return err
	}
	if m.of.Mail != "" {
		if s.post, err = m.listen("mail", m.of.Mail); err != nil {
			return err
		}
	}
	if err := m.openChanges(); err != nil {
		return err
	}
	return m.join(ctx, s.station.Receive)
}

// run runs the server until ctx ends, or something fails for good.
func (s *requesting) run(ctx context.Context) error {
	serve := func(ctx context.Context) error { return s.server.Serve(ctx, s.web, s.post) }
	hands := func(ctx context.Context) error { return s.hands(ctx, s.changes) }
	return together(ctx, s.station.Run, serve, s.all.run, s.watchBus, hands)
}

// changes returns the changes that the server has made after a number.
func (s *requesting) changes(ctx context.Context, after uint64) (all []inbox.Made, err error) {
	err = s.station.Do(ctx, func(vt.Time, *engine.Outbox) { all = s.role.Changes(after) })
	return all, err
}
