// Package sink is the receiving side of a live run on loopback: SMTP servers
// that misbehave exactly as the network model says.
//
// A sink asks the model the same named questions as the simulator, (recipient,
// try) for a message and (server, destination, ordinal) for a connection, so a
// recipient meets the same reply in both worlds. Time passes for real: every
// answer is held back as long as look-up, path and receiver would have taken,
// divided by the time scale. The recipient and the try are read from the
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
	World      *netmodel.World
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
	seen   []firstSeen // by destination
	began  time.Time   // virtual time 0
	serve  sync.WaitGroup
}

// lane is what stands between one server and one destination.
type lane struct {
	net.Listener
	sink        *Sink
	server      mail.Server
	dest        mail.Destination
	lookups     atomic.Uint32
	connections atomic.Uint32
	refused     atomic.Uint32 // by the cap
	*door
}

// door is where a receiver meets a server, or all servers if it is shared.
type door struct {
	judging  sync.Mutex // around what follows
	memory   netmodel.Memory
	open     int // connections that count for the cap
	mostOpen int
}

// firstSeen is a greylist's memory: when RCPT first named a recipient.
type firstSeen struct {
	sync.Mutex
	at map[mail.Recipient]time.Time
}

// Open starts all receivers.
func Open(cfg Config) (*Sink, error) {
	s := &Sink{cfg: cfg, Ledger: NewLedger(cfg.Recipients), busy: make([]atomic.Int32, cfg.Servers),
		seen: make([]firstSeen, len(cfg.Receivers)), began: time.Now()}
	for d := range s.seen {
		s.seen[d].at = map[mail.Recipient]time.Time{}
	}
	doors := make([]*door, len(cfg.Receivers))
	for server := range cfg.Servers {
		for d := range cfg.Receivers {
			if doors[d] == nil || !cfg.Receivers[d].Shared {
				doors[d] = &door{}
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				s.Close()
				return nil, fmt.Errorf("receiver %s for server %d: %w", cfg.Receivers[d].Name, server, err)
			}
			lane := &lane{Listener: l, sink: s, server: mail.Server(server), dest: mail.Destination(d), door: doors[d]}
			s.lanes = append(s.lanes, lane)
			s.serve.Go(func() { s.receive(lane) })
		}
	}
	return s, nil
}

// Close stops listening and waits for the accept loops; sessions end with
// their clients.
func (s *Sink) Close() {
	for _, l := range s.lanes {
		l.Listener.Close()
	}
	s.serve.Wait()
}

// Resolve stands for the name servers: it takes the time of a look-up and
// gives the address of the receiver, or how the look-up failed.
func (s *Sink) Resolve(ctx context.Context, server mail.Server, d mail.Destination) (addr string, fault mail.Fault) {
	l := s.lanes[int(server)*len(s.cfg.Receivers)+int(d)]
	took, fault := s.cfg.World.Lookup(server, d, l.lookups.Add(1)-1, s.now())
	s.pause(ctx, time.Duration(float64(took)/s.cfg.Scale))
	return l.Addr().String(), fault
}

// Traffic is what a lane has seen.
type Traffic struct {
	Connections, Refused int // accepted by the listener; of these, turned away by the cap
	MostOpen             int // connections at one time, without the refused ones; of all servers where the receiver is shared
}

// Traffic between a server and a destination. Call it after Close.
func (s *Sink) Traffic(server mail.Server, d mail.Destination) Traffic {
	l := s.lanes[int(server)*len(s.cfg.Receivers)+int(d)]
	return Traffic{int(l.connections.Load()), int(l.refused.Load()), l.mostOpen}
}

// pause sleeps for d, or until ctx is cancelled, and tells by how much it
// overslept.
func (s *Sink) pause(ctx context.Context, d time.Duration) time.Duration {
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

// now is the virtual time.
func (s *Sink) now() vt.Time { return vt.Time(float64(time.Since(s.began)) * s.cfg.Scale) }

// judge asks the model with the receivers' memory, which is asked in the order
// of time.
func (l *lane) judge(ask func(world *netmodel.World, memory *netmodel.Memory, now vt.Time)) {
	l.judging.Lock()
	defer l.judging.Unlock()
	ask(l.sink.cfg.World, &l.memory, l.sink.now())
}

// greylisted reports whether a RCPT comes too early, and remembers the first.
func (s *Sink) greylisted(d mail.Destination, r mail.Recipient, delay vt.Span) bool {
	seen := &s.seen[d]
	seen.Lock()
	defer seen.Unlock()
	first, ok := seen.at[r]
	if !ok {
		seen.at[r] = time.Now()
		return true
	}
	return float64(time.Since(first))*s.cfg.Scale < float64(delay)
}
