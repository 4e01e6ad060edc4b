package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"

	"flyball/bus"
	"flyball/bus/carrier"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/site"
)

// openBroker starts the broker, if it is to run in this process: one without a port if all stations do.
func (p *Process) openBroker() (err error) {
	var cfg bus.ServerConfig
	switch v, is := p.site.brokerHere(); {
	case is:
		users, err := p.site.users()
		if err != nil {
			return err
		}
		cfg = bus.ServerConfig{Listen: v.Listen, Users: users, CA: p.site.Bus.CA, Cert: p.site.Bus.Cert,
			Key: p.site.Bus.Key}
	case p.site.Bus.URL != "":
		return nil
	}
	if p.broker, err = bus.Start(cfg); err != nil {
		return ofBus(err)
	}
	return nil
}

func (s *Site) brokerHere() (site.Station, bool) {
	for _, v := range s.Here {
		if v.Role == site.Broker {
			return v, true
		}
	}
	return site.Station{}, false
}

// ofBus gives an error of a bus its kind.
func ofBus(err error) error {
	switch {
	case errors.Is(err, bus.ErrRefused):
		return task.Error{Kind: task.Refused, Err: err}
	case errors.Is(err, bus.ErrUnreachable):
		return task.Error{Kind: task.Environment, Err: err}
	}
	return err
}

// users returns what each station may do on the bus.
func (s *Site) users() (all []bus.User, err error) {
	for _, v := range s.Stations {
		own := s.roles(v)
		if own == nil {
			continue
		}
		key, err := bus.ReadPublicKey(filepath.Join(s.Keys, v.Name()+publicFile))
		if err != nil {
			return nil, ofBus(err)
		}
		all = append(all, bus.User{NKey: key, Rights: carrier.Rights(s.Name, own...), Name: v.Name()})
	}
	return all, nil
}

// roles returns the addresses of the roles of a station; none of a broker.
func (s *Site) roles(v site.Station) []engine.Address {
	a, is := v.Address()
	switch {
	case !is:
		return nil
	case v.Role == site.B:
		return []engine.Address{a, {Role: engine.Delivery, Server: a.Server}}
	}
	return []engine.Address{a}
}

// hasRole reports whether the site has a role with an address.
func (s *Site) hasRole(a engine.Address) bool {
	for _, v := range s.Stations {
		for _, own := range s.roles(v) {
			if own == a {
				return true
			}
		}
	}
	return false
}

// Rights writes the part of a NATS server's configuration that lets the stations of the site do what they must, and
// nothing else.
func (s *Site) Rights(w io.Writer) error {
	users, err := s.users()
	if err == nil {
		_, err = io.WriteString(w, bus.Authorization(users))
	}
	return err
}

// join connects the station to the others: from now on receive gets its messages.
func (m *member) join(ctx context.Context, receive func(engine.Message)) error {
	s := m.in.site
	cfg := s.connection(m.of)
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
		return ofBus(fmt.Errorf("%s: %w", m.name, err))
	}
	m.closes(func() error { conn.Close(); return nil })
	m.conn = conn
	c := carrier.New(conn, carrier.Config{Site: s.Name, Peers: s.hasRole,
		Alarm: func(text string) { m.log.Warn("message", "what", text) }})
	m.next = c
	for _, own := range s.roles(m.of) {
		if err := c.Listen(own, receive); err != nil {
			return ofBus(fmt.Errorf("%s: %w", m.name, err))
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
		select {
		case <-ctx.Done():
		case <-time.After(look):
		}
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
		return ofBus(context.Cause(m.conn.Context()))
	}
}

// returns returns the domain of return paths.
func (s *Site) returns() string {
	if c, is := s.Named(site.C); is && c.Domain != "" {
		return c.Domain
	}
	return "sender.example"
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
