// Package path measures the ways to receivers with the connections that carry mail:
// hops and round-trip times. Nothing is sent for the sake of measuring but the first
// packets of some connections, which end on the way. Only Linux tells what is needed;
// elsewhere nothing is measured.
package path

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"flyball/internal/hist"
	"flyball/internal/vt"
)

// Limits of what measuring costs.
const (
	mostHops  = 31          // to a receiver; a longer way stays unknown
	probeTime = time.Second // for a router to report the end of a packet
	mostLate  = 3           // reports that do not come, after which a receiver's hops stay unknown
	again     = 64          // connections to a receiver after which its hops are looked for anew
	mostSites = 10_000      // receivers whose hops are known
)

// Meter finds out how many hops, which are routers, there are to each receiver. A
// connection begins with a packet that may be sent a limited number of times (TTL): where it ends on the way, a
// router reports that, and the connection begins again with a greater limit; where it
// arrives, mail goes over the connection. So a receiver sees one connection, and after
// a few connections its distance is known. Safe for concurrent use; a nil Meter
// measures nothing.
type Meter struct {
	lock  sync.Mutex
	sites map[netip.Addr]site
	trips hist.Hist
}

// site is what is known of one receiver.
type site struct {
	hops         int  // 0: unknown
	below, above int  // the search: packets with the limit below end on the way, those with above arrive
	busy         bool // a connection searches
	late         int  // probes of which no router has reported the end
	connections  int  // since the search began
}

// NewMeter returns a Meter that knows nothing.
func NewMeter() *Meter { return &Meter{sites: map[netip.Addr]site{}, trips: hist.New()} }

// Dial connects to a receiver with dial, whose limit is how often a packet may be sent,
// by the sender and by each router, or 0 for the system's own. It returns the hops to the
// receiver, 0 if they are not known.
func (m *Meter) Dial(ctx context.Context, to netip.Addr,
	dial func(ctx context.Context, limit int) (net.Conn, error)) (conn net.Conn, hops int, err error) {
	if m == nil || !possible {
		conn, err = dial(ctx, 0)
		return conn, 0, err
	}
	s, searches := m.begin(to)
	if searches {
		conn, err = s.search(ctx, dial)
	} else {
		conn, err = dial(ctx, 0)
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	if searches {
		m.sites[to] = s
	}
	if err == nil {
		if trip, ok := roundTrip(conn); ok {
			m.trips.Record(vt.Span(trip))
		}
	}
	return conn, m.sites[to].hops, err
}

// begin returns what is known of a receiver, and whether a connection to it is to
// search.
func (m *Meter) begin(to netip.Addr) (s site, searches bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	s, known := m.sites[to]
	if !known {
		s.above = mostHops + 2
	}
	if s.busy || s.late >= mostLate || to.IsLoopback() || !known && len(m.sites) >= mostSites {
		return s, false
	}
	if s.connections++; s.connections > again {
		s.below, s.above, s.connections = 0, mostHops+2, 1
	}
	searches = s.above-s.below > 1
	s.busy = searches
	m.sites[to] = s
	s.busy = false
	return s, searches
}

// search connects, and narrows the bounds.
func (s *site) search(ctx context.Context, dial func(context.Context, int) (net.Conn, error)) (net.Conn, error) {
	for s.above-s.below > 1 { // six times at most
		limit := (s.below + s.above) / 2
		probe, cancel := context.WithTimeout(ctx, probeTime)
		conn, err := dial(probe, limit)
		cancel()
		var late net.Error
		switch {
		case err == nil && lift(conn) == nil:
			s.narrow(s.below, limit)
			return conn, nil
		case err == nil: // the packets of a message would end on the way
			conn.Close()
			s.late = mostLate
			return dial(ctx, 0)
		case errors.Is(err, syscall.EHOSTUNREACH):
			s.narrow(limit, s.above)
		case errors.As(err, &late) && late.Timeout() && ctx.Err() == nil:
			s.late++
			return dial(ctx, 0)
		default:
			return nil, err
		}
	}
	return dial(ctx, 0)
}

// narrow sets the bounds, and what follows from them.
func (s *site) narrow(below, above int) {
	s.below, s.above = below, above
	switch {
	case below == mostHops+1: // nothing arrives: the receiver is not there, or too far
		s.late = mostLate
	case above-below == 1:
		s.hops = above - 1
	}
}

// Trips returns the times of the round trips that connections began with.
func (m *Meter) Trips() hist.Hist {
	if m == nil {
		return hist.New()
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.trips
}
