package names

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// zone is what a test's server answers, by name and type, such as "a.test MX". The
// name alone stands for all types without an entry of their own. What has no entry
// does not exist.
type zone map[string]reply

// reply returns the messages that the server sends for a question, none if it keeps
// silent. network is "udp" or "tcp".
type reply func(asked *dns.Msg, network string) [][]byte

// records answers with records in the form of a zone file.
func records(all ...string) reply {
	return func(asked *dns.Msg, _ string) [][]byte { return pack(answered(asked, all...)) }
}

// answered returns the answer to a question with records.
func answered(asked *dns.Msg, all ...string) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(asked)
	for _, text := range all {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

// pack packs messages, uncompressed, so that tests find texts in the bytes.
func pack(all ...*dns.Msg) (packed [][]byte) {
	for _, m := range all {
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		packed = append(packed, b)
	}
	return packed
}

// code answers with a response code and nothing else.
func code(rcode int) reply {
	return func(asked *dns.Msg, _ string) [][]byte {
		m := new(dns.Msg)
		m.SetRcode(asked, rcode)
		return pack(m)
	}
}

// nothing answers with a response code and an SOA record with its TTL and MINIMUM in
// seconds.
func nothing(rcode int, ttl, minimum uint32) reply {
	return func(asked *dns.Msg, _ string) [][]byte {
		m := new(dns.Msg)
		m.SetRcode(asked, rcode)
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
			Ns: "ns.test.", Mbox: "root.test.", Minttl: minimum}}
		return pack(m)
	}
}

// silence answers nothing.
func silence(*dns.Msg, string) [][]byte { return nil }

// nameServer is a server on loopback that answers from a zone, over UDP and TCP.
type nameServer struct {
	addr  string
	mu    sync.Mutex
	zone  zone
	asked []string // questions, with the network if it is TCP
}

// serve starts a server, which ends with the test.
func serve(t testing.TB, z zone) *nameServer {
	t.Helper()
	s := &nameServer{zone: z}
	var udp net.PacketConn
	var tcp net.Listener
	for range 20 { // until a port is free for both
		var err error
		if udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			break
		}
		udp.Close()
	}
	if tcp == nil {
		t.Fatal("no port is free for UDP and TCP")
	}
	s.addr = udp.LocalAddr().String()
	var serving sync.WaitGroup
	serving.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, m := range s.answer(buf[:n], "udp") {
				udp.WriteTo(m, from)
			}
		}
	})
	serving.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			var size [2]byte
			io.ReadFull(conn, size[:])
			question := make([]byte, binary.BigEndian.Uint16(size[:]))
			io.ReadFull(conn, question)
			for _, m := range s.answer(question, "tcp") {
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
			}
			conn.Close()
		}
	})
	t.Cleanup(func() {
		udp.Close()
		tcp.Close()
		serving.Wait()
	})
	return s
}

func (s *nameServer) answer(packed []byte, network string) [][]byte {
	asked := new(dns.Msg)
	if err := asked.Unpack(packed); err != nil {
		return nil
	}
	name := strings.TrimSuffix(asked.Question[0].Name, ".")
	key := name + " " + dns.TypeToString[asked.Question[0].Qtype]
	s.mu.Lock()
	told := key
	if network == "tcp" {
		told += " over TCP"
	}
	s.asked = append(s.asked, told)
	answer, ok := s.zone[key]
	if !ok {
		answer, ok = s.zone[name]
	}
	s.mu.Unlock()
	if !ok {
		answer = nothing(dns.RcodeNameError, 60, 60)
	}
	return answer(asked, network)
}

// set changes an entry of the zone.
func (s *nameServer) set(key string, r reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone[key] = r
}

// questions returns what was asked since the last call, in alphabetical order.
func (s *nameServer) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	slices.Sort(asked)
	return asked
}

// clock is virtual time that tests set.
type clock struct {
	mu sync.Mutex
	at vt.Time
}

func (c *clock) now() vt.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d vt.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// ask returns a resolver that asks the server at addr.
func ask(addr string, c *clock, change func(*Config)) *Resolver {
	var mu sync.Mutex
	id := uint16(0)
	cfg := Config{Server: addr, Now: c.now, Luck: rng.New(1, 0), Own: []string{"Sender.test"}, Port: 25,
		Patience: 20 * time.Second, Repeat: 10 * time.Second,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		ID: func(context.Context) uint16 {
			mu.Lock()
			defer mu.Unlock()
			id++
			return id
		}}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// words returns a route in words: its candidates, or its class and why.
func words(r Route) string {
	if r.Fault != mail.NoFault {
		end := mail.Reply{Stage: mail.StageDNS, Fault: r.Fault}
		class := map[mail.Class]string{mail.Bounce: "P ", mail.Deferral: "T "}[end.Class()]
		status, _, _ := strings.Cut(r.Why, " ")
		switch r.Fault {
		case mail.Timeout:
			status += " time-out"
		case mail.NoResolver:
			status += " ours"
		}
		return class + status
	}
	var all []string
	for _, c := range r.To {
		all = append(all, c.Host+" "+c.At.Addr().String())
	}
	return strings.Join(all, ", ")
}
