package sink

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/realrun/names"
)

// nameServer is the name server that a delivering server asks about mail from one pool
// of source addresses. It speaks DNS over UDP and TCP on loopback. The answer about a
// domain's exchanger comes after the time, and with the failure, of the model's next
// look-up; the address of the exchanger follows at once. An address stands for a lane,
// since all lanes listen at 127.0.0.1: see at.
type nameServer struct {
	sink   *Sink
	server mail.Server
	pool   int
	udp    *dns.Server // its PacketConn is open
	tcp    *dns.Server

	mu      sync.Mutex
	waiting map[asked]bool                // questions under way; also those that are never answered
	last    uint16                        // id of a question
	cancel  map[uint16]context.CancelFunc // of the look-ups, by ids of their questions
}

// asked is a question as it comes in: a client repeats it from the same port with the
// same id.
type asked struct {
	from string
	id   uint16
}

const (
	exchanger = "mx." // before the domain of a destination: the name of its exchanger
	// addressTTL is for how long an address holds, in seconds. Exchangers hold for one
	// look-up, since the model draws for each whether the answer was kept.
	addressTTL = 86400
)

// The times for which a look-up waits, whatever the time scale: a busy computer that
// delays an answer must not make a look-up fail that does not fail in the model. A
// look-up that fails for its time in the model is ended from here, see overdue.
const (
	lookupPatience = time.Minute
	lookupRepeat   = 5 * time.Second
)

// openNames starts the name servers and makes the resolvers that ask them.
func (s *Sink) openNames() error {
	for server := range s.cfg.Servers {
		for pool := range s.cfg.Network.Pools() {
			n, err := s.openNameServer(mail.Server(server), pool)
			if err != nil {
				return err
			}
			s.names = append(s.names, n)
			s.look = append(s.look, names.New(names.Config{Server: n.addr(), Dial: s.cfg.Dial, Now: s.clock.now,
				ID: n.id, Patience: lookupPatience, Repeat: lookupRepeat, Apart: true}))
		}
	}
	return nil
}

// giveUp is the key of a context's function that ends its look-up.
type giveUp struct{}

// route looks a domain up for an attempt.
func (n *nameServer) route(ctx context.Context, r *names.Resolver, a *mail.Attempt) names.Route {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return r.Route(context.WithValue(ctx, giveUp{}, cancel), n.sink.cfg.Domain(a.Rcpt), a.Rcpt, a.Try)
}

// id returns the id of a question about a look-up, and remembers how to end the
// look-up.
func (n *nameServer) id(ctx context.Context) uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last++
	n.cancel[n.last], _ = ctx.Value(giveUp{}).(context.CancelFunc)
	return n.last
}

// overdue ends the look-up of the question with an id: the sender has waited for as
// long as it does in the model.
func (n *nameServer) overdue(id uint16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if cancel := n.cancel[id]; cancel != nil {
		cancel()
	}
}

// openNameServer starts the name server of a server and a pool.
func (s *Sink) openNameServer(server mail.Server, pool int) (*nameServer, error) {
	n := &nameServer{sink: s, server: server, pool: pool, waiting: map[asked]bool{},
		cancel: map[uint16]context.CancelFunc{}}
	var udp net.PacketConn
	var tcp net.Listener
	var err error
	for range 20 { // until a port is free for both
		if udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			break
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			break
		}
		udp.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("name server of server %d: %w", server, err)
	}
	n.udp = &dns.Server{PacketConn: udp, Handler: n}
	n.tcp = &dns.Server{Listener: tcp, Handler: n}
	for _, side := range []*dns.Server{n.udp, n.tcp} {
		ready := make(chan struct{})
		side.NotifyStartedFunc = func() { close(ready) }
		s.serve.Go(func() { side.ActivateAndServe() })
		<-ready // Shutdown does nothing before
	}
	return n, nil
}

// addr returns the HOST:PORT of the name server.
func (n *nameServer) addr() string { return n.udp.PacketConn.LocalAddr().String() }

// close stops serving.
func (n *nameServer) close() {
	n.udp.ShutdownContext(n.sink.open) // which has ended: to wait is the matter of Close
	n.tcp.ShutdownContext(n.sink.open)
}

// ServeDNS answers a question.
func (n *nameServer) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	if len(question.Question) != 1 {
		return
	}
	key := asked{w.RemoteAddr().String(), question.Id}
	if !n.begin(key) {
		return // it is under way
	}
	q := question.Question[0]
	answer := new(dns.Msg)
	answer.SetReply(question)
	answer.RecursionAvailable = true
	name := strings.TrimSuffix(strings.ToLower(q.Name), ".")
	domain, isDomain := n.sink.cfg.Find(name)
	host, isHost := n.sink.cfg.Find(strings.TrimPrefix(name, exchanger))
	switch {
	case isDomain && q.Qtype == dns.TypeMX:
		took, fault := n.lookup(domain)
		n.sink.clock.pause(n.sink.open, took, 0)
		n.sink.pace.ended(took)
		switch fault {
		case mail.Timeout:
			n.overdue(question.Id)
			return // and never answers
		case mail.ServFail:
			answer.Rcode = dns.RcodeServerFailure
		default:
			answer.Answer = []dns.RR{&dns.MX{Hdr: header(q, 0), Preference: 10,
				Mx: exchanger + n.sink.cfg.Receivers[domain].Domain + "."}}
		}
	case isHost && q.Qtype == dns.TypeA:
		at := n.sink.address(n.server, host, n.pool)
		answer.Answer = []dns.RR{&dns.A{Hdr: header(q, addressTTL), A: at.AsSlice()}}
	case !isDomain && !isHost:
		answer.Rcode = dns.RcodeNameError
	}
	if len(answer.Answer) == 0 && answer.Rcode != dns.RcodeServerFailure {
		answer.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeSOA, Class: dns.ClassINET,
			Ttl: addressTTL}, Ns: "ns.invalid.", Mbox: "root.invalid.", Minttl: addressTTL}}
	}
	n.end(key)
	w.WriteMsg(answer)
}

func header(q dns.Question, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: ttl}
}

// begin reports whether a question is new.
func (n *nameServer) begin(key asked) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting[key] {
		return false
	}
	n.waiting[key] = true
	return true
}

func (n *nameServer) end(key asked) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, key)
}

// lookup returns the time and the end of the model's next look-up of a destination.
func (n *nameServer) lookup(d mail.Destination) (took vt.Span, fault mail.Fault) {
	l := n.sink.lanesOf(n.server, d)[n.pool]
	l.ask(func(r *netmodel.Receiver, now vt.Time) { took, fault = r.Lookup(now) })
	return took, fault
}

// address returns the address that stands for a lane, in 127.0.0.0/8.
func (s *Sink) address(server mail.Server, d mail.Destination, pool int) netip.Addr {
	n := (int(server)*len(s.cfg.Receivers)+int(d))*s.cfg.Network.Pools() + pool + 1<<16
	return netip.AddrFrom4([4]byte{127, byte(n >> 16), byte(n >> 8), byte(n)})
}

// at returns where the lane listens for which an address stands.
func (s *Sink) at(a netip.Addr) netip.AddrPort {
	b := a.As4()
	n := int(b[1])<<16 + int(b[2])<<8 + int(b[3]) - 1<<16
	return s.lanes[n].Addr().(*net.TCPAddr).AddrPort()
}
