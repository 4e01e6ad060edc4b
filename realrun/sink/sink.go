// Package sink is the receiving side of a live run on loopback: SMTP servers
// that misbehave exactly as the network model says.
//
// A sink drives the same netmodel.Receiver as the simulator, with the same named
// draws, (recipient, try) for a message and (server, destination, ordinal) for a
// connection, so a recipient meets the same reply in both. Time passes for real:
// every answer is held back as long as look-up, path and receiver would have
// taken, divided by the time scale. The recipient and the try are read from the
// envelope sender (VERP), as a real receiver could.
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

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
)

// Config says what to receive.
type Config struct {
	Network    *netmodel.Network
	Servers    int                    // delivering servers
	Receivers  []netmodel.Destination // what answers for each destination
	Recipients int                    // length of the list
	Scale      float64                // virtual time runs this much faster than the clock
	MaxBytes   int                    // largest message accepted
}

// Sink is a set of receivers, one listener for each server and destination.
type Sink struct {
	cfg    Config
	Ledger *Ledger
	lanes  []*lane // by server, then destination
	busy   []atomic.Int32
	clock  clock
	serve  sync.WaitGroup
}

// clock is the virtual time of a sink.
type clock interface {
	now() vt.Time
	// pause lets a span pass, or less if ctx is cancelled, and returns by how much
	// it overslept, in real time.
	pause(ctx context.Context, d vt.Span, early time.Duration) (late time.Duration)
}

// lane is what stands between one server and one destination.
type lane struct {
	net.Listener
	sink     *Sink
	server   mail.Server
	dest     mail.Destination
	receiver *netmodel.Receiver // to be asked by ask
	*endpoint
	connections, refused int // accepted by the listener; of these, turned away by the cap
}

// endpoint is what the lanes of a destination have in common where it is shared;
// else each lane has its own.
type endpoint struct {
	sync.Mutex // around the receivers and the counts of the lanes
	mostOpen   int
}

// Open starts all receivers.
func Open(cfg Config) (*Sink, error) {
	s := newSink(cfg)
	if err := s.listen(); err != nil {
		s.Close()
		return nil, err
	}
	for _, l := range s.lanes {
		s.serve.Go(func() { s.receive(l) })
	}
	return s, nil
}

func newSink(cfg Config) *Sink {
	s := &Sink{cfg: cfg, Ledger: NewLedger(cfg.Recipients), busy: make([]atomic.Int32, cfg.Servers),
		clock: &scaled{began: time.Now(), scale: cfg.Scale}}
	endpoints := make([]*endpoint, len(cfg.Receivers))
	for server, receivers := range cfg.Network.Receivers() {
		for d := range receivers {
			if endpoints[d] == nil || !cfg.Receivers[d].Shared {
				endpoints[d] = &endpoint{}
			}
			s.lanes = append(s.lanes, &lane{sink: s, server: mail.Server(server), dest: mail.Destination(d),
				receiver: &receivers[d], endpoint: endpoints[d]})
		}
	}
	return s
}

// listen has every lane listen on a port of its own.
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
	for _, l := range s.lanes {
		if l.Listener != nil {
			l.Listener.Close()
		}
	}
	s.serve.Wait()
}

func (s *Sink) lane(server mail.Server, d mail.Destination) *lane {
	return s.lanes[int(server)*len(s.cfg.Receivers)+int(d)]
}

// Resolve stands for the name servers: it takes the time of a look-up and
// gives the address of the receiver, or how the look-up failed.
func (s *Sink) Resolve(ctx context.Context, server mail.Server, d mail.Destination) (addr string, fault mail.Fault) {
	l := s.lane(server, d)
	var took vt.Span
	l.ask(func(r *netmodel.Receiver, now vt.Time) { took, fault = r.Lookup(now) })
	s.clock.pause(ctx, took, 0)
	return l.Addr().String(), fault
}

// Traffic is what a lane has seen.
type Traffic struct {
	Connections, Refused int // accepted by the listener; of these, turned away by the cap
	// connections at one time, without the refused ones; of all servers where the receiver is
	// shared
	MostOpen int
}

// Traffic between a server and a destination. Call it after Close.
func (s *Sink) Traffic(server mail.Server, d mail.Destination) Traffic {
	l := s.lane(server, d)
	return Traffic{l.connections, l.refused, l.mostOpen}
}

// ask asks the receiver a question. Receivers are asked one at a time, in the
// order of time.
func (l *lane) ask(question func(r *netmodel.Receiver, now vt.Time)) {
	l.Lock()
	defer l.Unlock()
	question(l.receiver, l.sink.clock.now())
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
