// Package sink is the receiving side of a live run on loopback: SMTP servers
// that behave as in the network model.
//
// A sink drives the same netmodel.Receiver as the simulator, with the same named
// draws: by (recipient, try) for a message and (server, destination, ordinal) for
// a connection. So a recipient gets the same reply in both. Every reply is
// delayed, in real time, by the time of look-up, path and receiver, divided by
// the time scale. The sink reads the recipient and the try from the envelope
// sender (VERP), as a real receiver could.
//
// It listens on 127.0.0.1 only, on ports that the system chooses, and ends
// when closed. Safe for concurrent use.
package sink

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/config"
	"flyball/realrun/names"
)

// Config configures a Sink.
type Config struct {
	Network    *netmodel.Network
	Servers    int                  // delivering servers
	Receivers  []config.Destination // receiver of each destination
	Recipients int                  // length of the list
	Scale      float64              // virtual time runs this much faster than the clock
	MaxBytes   int                  // largest message accepted
	Key        mail.Key             // of the sender's run: only its own envelopes are taken
	// Domain returns the mail domain of a recipient, and Find the destination of a
	// domain in lower case.
	Domain func(mail.Recipient) string
	Find   func(domain string) (mail.Destination, bool)
	// Reads returns what is called with a message that was accepted for a recipient, and its envelope sender, as soon
	// as the ledger has it; nil: the message is not read. Several goroutines call both. nil: no message is read. A
	// receiver of kind smtpd reads none.
	Reads func(mail.Recipient) func(from string, message []byte)
	// Dial connects look-ups to the name servers.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Sink is a set of receivers, one listener for each server, destination and pool of source addresses, and of name
// servers that lead to them, one for each server and pool.
type Sink struct {
	cfg    Config
	Ledger *Ledger
	lanes  []*lane           // by server, then destination, then pool of source addresses
	names  []*nameServer     // by server, then pool
	look   []*names.Resolver // of the delivering servers, in the order of names
	open   context.Context   // ends when the sink is closed
	shut   context.CancelFunc
	busy   []atomic.Int32
	hosts  []*host
	clock  clock
	pace   pace
	serve  sync.WaitGroup
}

// clock is the virtual time of a sink.
type clock interface {
	now() vt.Time
	// pause waits for d of virtual time less early of real time, or until ctx is
	// cancelled. It returns by how much real time it overslept.
	pause(ctx context.Context, d vt.Span, early time.Duration) (late time.Duration)
}

// lane is the receiver of one destination as one server reaches it from a pool of source addresses.
type lane struct {
	net.Listener
	sink     *Sink
	server   mail.Server
	dest     mail.Destination
	pool     int
	receiver *netmodel.Receiver // to be used through ask only
	*endpoint
	connections, refused int // see Traffic
	mostOpen             int // connections
}

// endpoint guards the receivers and the counts of all lanes that have common state: of
// destinations with the same receivers, and of all servers where these count them together.
type endpoint struct{ sync.Mutex }

// host is a server's own limits, which all its lanes share.
type host struct {
	sync.Mutex
	netmodel.Host
}

// Open returns a Sink with all receivers started.
func Open(cfg Config) (*Sink, error) {
	s := newSink(cfg)
	if err := s.listen(); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.openNames(); err != nil {
		s.Close()
		return nil, err
	}
	for _, l := range s.lanes {
		s.serve.Go(func() { s.receive(l) })
	}
	return s, nil
}

func newSink(cfg Config) *Sink {
	s := &Sink{cfg: cfg, Ledger: newLedger(cfg.Recipients), busy: make([]atomic.Int32, cfg.Servers),
		clock: &scaled{began: time.Now(), scale: cfg.Scale}, pace: pace{late: hist.New()}}
	s.open, s.shut = context.WithCancel(context.Background())
	type sharers struct {
		of     mail.Destination
		server int // -1: all
	}
	endpoints := map[sharers]*endpoint{}
	for server, receivers := range cfg.Network.Receivers() {
		s.hosts = append(s.hosts, &host{Host: cfg.Network.Host(mail.Server(server))})
		for d := range receivers {
			of, joint := cfg.Network.ReceiversOf(mail.Destination(d))
			key := sharers{of, server}
			if joint {
				key.server = -1
			}
			if endpoints[key] == nil {
				endpoints[key] = &endpoint{}
			}
			for pool := range cfg.Network.Pools() {
				s.lanes = append(s.lanes, &lane{sink: s, server: mail.Server(server), dest: mail.Destination(d),
					pool: pool, receiver: &receivers[d], endpoint: endpoints[key]})
			}
		}
	}
	return s
}

// listen makes every lane listen on its own port.
func (s *Sink) listen() (err error) {
	for _, l := range s.lanes {
		if l.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("receiver %s for server %d: %w", s.cfg.Receivers[l.dest].Name, l.server, err)
		}
	}
	return nil
}

// Close stops listening and waits for the accept loops; sessions end with
// their clients.
func (s *Sink) Close() {
	s.shut()
	for _, n := range s.names {
		n.close()
	}
	for _, l := range s.lanes {
		if l.Listener != nil {
			l.Listener.Close()
		}
	}
	s.serve.Wait()
}

// lanesOf returns the lanes between a server and a destination, by pool.
func (s *Sink) lanesOf(server mail.Server, d mail.Destination) []*lane {
	n := s.cfg.Network.Pools()
	first := (int(server)*len(s.cfg.Receivers) + int(d)) * n
	return s.lanes[first : first+n]
}

// lane returns the lane of an attempt.
func (s *Sink) lane(a *mail.Attempt) *lane {
	return s.lanesOf(a.Server, a.Dest)[s.cfg.Network.PoolOf(a.Rcpt)]
}

// Resolve waits for the attempt's turn at its server and asks the server's name server
// for the exchanger of the recipient's domain.
func (s *Sink) Resolve(ctx context.Context, a *mail.Attempt) names.Route {
	turn := s.turn(a)
	i := int(a.Server)*s.cfg.Network.Pools() + s.lane(a).pool
	route := s.names[i].route(ctx, s.look[i], a)
	s.clock.pause(ctx, turn, 0)
	s.pace.ended(turn)
	for i := range route.To {
		route.To[i].At = s.at(route.To[i].At.Addr())
	}
	return route
}

// turn returns how long an attempt over a new connection waits at its server.
func (s *Sink) turn(a *mail.Attempt) (wait vt.Span) {
	l := s.lane(a)
	l.ask(func(_ *netmodel.Receiver, now vt.Time) { wait = l.turn(now) })
	return wait
}

// pace measures how a sink keeps the time of the model.
type pace struct {
	sync.Mutex
	asked vt.Span   // time that the model gave the attempts that have ended, and their look-ups
	late  hist.Hist // by how much answers were late, in virtual time
}

func (p *pace) ended(took vt.Span) {
	p.Lock()
	defer p.Unlock()
	p.asked += took
}

func (p *pace) answered(late vt.Span) {
	p.Lock()
	defer p.Unlock()
	p.late.Record(late)
}

// Pace returns the time that the model gave to the attempts that have ended, and by how much each answer was late, in
// virtual time; the connection's next answer makes up for it. Call it after the run.
func (s *Sink) Pace() (asked vt.Span, late hist.Hist) {
	s.pace.Lock()
	defer s.pace.Unlock()
	return s.pace.asked, s.pace.late
}

// Traffic counts the connections of a lane.
type Traffic struct {
	Connections int // accepted by the listener
	Refused     int // accepted by the listener, but refused by the cap
	// MostOpen is the greatest number of connections open at once, without refused
	// connections. For a shared receiver it includes all servers.
	MostOpen int
}

// Traffic returns the traffic between a server and a destination. Call it after
// Close.
func (s *Sink) Traffic(server mail.Server, d mail.Destination) Traffic {
	var t Traffic
	for _, l := range s.lanesOf(server, d) {
		t = Traffic{t.Connections + l.connections, t.Refused + l.refused, max(t.MostOpen, l.mostOpen)}
	}
	if s.cfg.Receivers[d].Shared {
		for other := range s.cfg.Servers {
			for _, l := range s.lanesOf(mail.Server(other), d) {
				t.MostOpen = max(t.MostOpen, l.mostOpen)
			}
		}
	}
	return t
}

// ask calls question with the receiver and the time, under the endpoint's lock,
// so that times do not fall from call to call.
func (l *lane) ask(question func(r *netmodel.Receiver, now vt.Time)) {
	l.Lock()
	defer l.Unlock()
	question(l.receiver, l.sink.clock.now())
}

// turn returns how long an attempt of the server waits that begins now.
func (l *lane) turn(now vt.Time) vt.Span {
	h := l.sink.hosts[l.server]
	h.Lock()
	defer h.Unlock()
	return h.Turn(now)
}

// load puts the message m over the connection c on the server's link.
func (l *lane) load(now vt.Time, c *netmodel.Connection, m *netmodel.Message) {
	h := l.sink.hosts[l.server]
	h.Lock()
	defer h.Unlock()
	h.Load(now, c, m)
}

// scaled is virtual time that passes scale times as fast as real time.
type scaled struct {
	began time.Time // virtual time 0
	scale float64
}

func (c *scaled) now() vt.Time { return vt.Time(float64(time.Since(c.began)) * c.scale) }

func (c *scaled) pause(ctx context.Context, span vt.Span, early time.Duration) time.Duration {
	d := time.Duration(float64(span)/c.scale) - early
	if d <= 0 {
		return -d
	}
	began := time.Now()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return time.Since(began) - d
}
