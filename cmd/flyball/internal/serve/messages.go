package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"flyball/bus"
	"flyball/bus/carrier"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/pause"
	"flyball/site"
)

// openBroker starts the broker, if it is to run in this process: one without a port if all stations do.
func (p *Process) openBroker() (err error) {
	var cfg bus.ServerConfig
	switch v, _ := p.site.Named(site.Broker); {
	case p.site.IsHere(site.Broker):
		users, err := p.site.Users()
		if err != nil {
			return err
		}
		cfg = bus.ServerConfig{Listen: v.Listen, Users: users, CA: p.site.Bus.CA, Cert: p.site.Bus.Cert,
			Key: p.site.Bus.Key}
	case p.site.Bus.URL != "":
		return nil
	}
	if p.broker, err = bus.Start(cfg); err != nil {
		return sites.BusError(err)
	}
	return nil
}

// join connects the station to the others: from now on receive gets its messages.
func (m *member) join(ctx context.Context, receive func(engine.Message)) error {
	s := m.in.site
	cfg := s.Connection(m.of)
	cfg.Steady = true
	cfg.Note = func(text string) { m.log.Warn("bus", "what", text) }
	within := m.in.broker
	if s.Bus.URL != "" {
		within = nil
	} else {
		cfg = bus.Config{Name: cfg.Name, Steady: true, Note: cfg.Note}
	}
	conn, err := m.dial(ctx, cfg, within)
	if err != nil {
		return sites.BusError(fmt.Errorf("%s: %w", m.name, err))
	}
	m.closes(func() error { conn.Close(); return nil })
	m.conn = conn
	if s.Metrics != "" {
		receive = m.hears(receive)
	}
	c := carrier.New(conn, carrier.Config{Site: s.Name, Peers: s.HasRole,
		Alarm: func(text string) { m.log.Warn("message", "what", text) }})
	m.next = c
	for _, own := range s.Roles(m.of) {
		if err := c.Listen(own, receive); err != nil {
			return sites.BusError(fmt.Errorf("%s: %w", m.name, err))
		}
	}
	return nil
}

// dial connects to the broker, which may begin later than the station, or be away.
func (m *member) dial(ctx context.Context, cfg bus.Config, within *bus.Server) (*bus.Conn, error) {
	for began, said := time.Now(), false; ; {
		conn, err := bus.Dial(context.Background(), cfg, within)
		if err == nil || !errors.Is(err, bus.ErrUnreachable) || time.Since(began) > bus.Patience || ctx.Err() != nil {
			return conn, err
		}
		if !said {
			m.log.Warn("waits for the broker", "why", err)
			said = true
		}
		pause.For(ctx, look)
	}
}

// watchBus returns when ctx ends, or why the broker refuses something.
func (m *member) watchBus(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-m.conn.Context().Done():
		if ctx.Err() != nil {
			return nil
		}
		return sites.BusError(context.Cause(m.conn.Context()))
	}
}

// listen listens at an address that a key of the site names.
func (m *member) listen(key, at string) (net.Listener, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, task.Fail(task.Environment, "%s: %s: %w", m.name, key, err)
	}
	m.listens[key] = l.Addr().String()
	m.closes(func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return l, nil
}

// listening returns what Listens does. The caller has the lock, or no other goroutine uses the process yet.
func (p *Process) listening(name, key string) string {
	for _, m := range p.members {
		if m.name == name {
			return m.listens[key]
		}
	}
	return ""
}

// Listens returns where a station of this process listens, by the key of its address; empty: it does not.
func (p *Process) Listens(name, key string) string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.listening(name, key)
}
