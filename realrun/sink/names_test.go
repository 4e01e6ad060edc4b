package sink

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/snap"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// resolving opens a sink of two servers and two destinations, of which the second has
// a domain more.
func resolving(t *testing.T, change func(*config.DNS)) *Sink {
	t.Helper()
	c := config.Config{Network: config.DefaultPaths(), Dialogue: mail.DefaultDialogue(), Stages: "collapsed"}
	for _, name := range []string{"b1", "b2"} {
		s := config.DefaultServer()
		s.Name, s.Pools = name, []config.Pool{{Name: "bulk", Addresses: 2}}
		c.Servers = append(c.Servers, s)
	}
	for _, name := range []string{"one", "two"} {
		d := config.DefaultDestination()
		d.Name, d.Domain = name, name+".example"
		c.Destinations = append(c.Destinations, d)
	}
	c.Campaigns = []config.Campaign{{End: 4, Size: 100}, {End: 8, Size: 100, Pool: "bulk"}}
	c.Network.DNS.Hit, c.Network.DNS.Miss = delay.Constant(0), delay.Constant(0)
	change(&c.Network.DNS)
	domains := map[string]mail.Destination{"one.example": 0, "two.example": 1, "more.example": 1}
	s, err := Open(Config{Network: netmodel.NewNetwork(c, rng.New(3, 0)), Servers: 2, Receivers: c.Destinations,
		Recipients: 8, Scale: 1,
		Domain: func(r mail.Recipient) string {
			return []string{"one.example", "two.example", "more.example", "no.example"}[r%4]
		},
		Find: func(domain string) (mail.Destination, bool) {
			d, ok := domains[domain]
			return d, ok
		},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Every look-up leads to the lane of the attempt's server, destination and pool, whether
// or not the domain is its destination's first; what no destination has does not exist.
func TestLookupsLeadToLanes(t *testing.T) {
	s := resolving(t, func(d *config.DNS) { d.ServFail = 0 })
	for server := range mail.Server(2) {
		for i := range mail.Recipient(6) {
			d := []mail.Destination{0, 1, 1}[i%3]
			a := mail.Attempt{Rcpt: i/3*4 + i%3, Server: server, Dest: d}
			route := s.Resolve(t.Context(), &a)
			if len(route.To) != 1 || route.To[0].At.String() != s.lane(&a).Addr().String() ||
				route.To[0].Host != "mx."+s.cfg.Receivers[d].Domain {
				t.Errorf("%+v: got %+v, want the lane at %s", a, route, s.lane(&a).Addr())
			}
		}
		if route := s.Resolve(t.Context(), &mail.Attempt{Rcpt: 3, Server: server}); route.Fault != mail.NoName {
			t.Errorf("no.example: got %+v, want no name", route)
		}
	}
}

// Look-ups fail exactly as the model draws them, one after the other for each server
// and destination.
func TestLookupsFailAsDrawn(t *testing.T) {
	s := resolving(t, func(d *config.DNS) { d.HitRatio, d.ServFail = 0.2, 0.4 })
	failures := 0
	for n := range uint32(60) {
		for server := range mail.Server(2) {
			for d := range mail.Destination(2) {
				_, want := s.cfg.Network.Lookup(server, d, n, 0)
				a := mail.Attempt{Rcpt: mail.Recipient(d), Server: server, Dest: d}
				if got := s.Resolve(t.Context(), &a).Fault; got != want {
					t.Fatalf("look-up %d of %d by %d: got %s, want %s", n, d, server, got, want)
				}
				if want != mail.NoFault {
					failures++
				}
			}
		}
	}
	if failures < 30 {
		t.Errorf("%d of 240 look-ups fail: the test tests too little", failures)
	}
}

// silent is a writer of answers that allows none.
type silent struct {
	dns.ResponseWriter
	t *testing.T
}

func (silent) RemoteAddr() net.Addr { return &net.UDPAddr{Port: 4} }

func (w silent) WriteMsg(m *dns.Msg) error {
	w.t.Errorf("got %v, want no answer", m)
	return nil
}

// A question that the client repeats while its look-up takes time is the same look-up;
// one that takes too long has no answer.
func TestRepeatedQuestionIsOneLookup(t *testing.T) {
	s := resolving(t, func(d *config.DNS) { d.HitRatio, d.ServFail, d.Miss = 0, 0, delay.Constant(vt.Hour) })
	n := s.names[0]
	question := new(dns.Msg)
	question.SetQuestion("one.example.", dns.TypeMX)
	w := silent{t: t}
	var asking sync.WaitGroup
	asking.Go(func() { n.ServeDNS(w, question) })
	for under := 0; under == 0; runtime.Gosched() {
		n.mu.Lock()
		under = len(n.waiting)
		n.mu.Unlock()
	}
	n.ServeDNS(w, question)
	s.shut()
	asking.Wait()
	n.ServeDNS(w, question)
	once := s.cfg.Network.Receivers()[0][0]
	once.Lookup(0)
	got, want := snap.Writer(), snap.Writer()
	n.sink.lanesOf(0, 0)[0].receiver.State(got)
	once.State(want)
	if !bytes.Equal(got.Data(), want.Data()) {
		t.Errorf("the receiver is not in the state after one look-up")
	}
}

// A look-up that takes too long in the model ends when it does so there, however
// patient the resolver is.
func TestLookupTimesOut(t *testing.T) {
	s := resolving(t, func(d *config.DNS) { d.HitRatio, d.ServFail, d.Miss = 0, 0, delay.Constant(vt.Hour) })
	s.clock = &scaled{began: time.Now(), scale: 1000} // the time-out is 10 s
	ctx, cancel := context.WithTimeout(t.Context(), lookupPatience/3)
	defer cancel()
	if route := s.Resolve(ctx, &mail.Attempt{}); route.Fault != mail.Timeout || ctx.Err() != nil {
		t.Errorf("got %+v, %v, want a time-out soon", route, ctx.Err())
	}
}

// The name server answers over TCP as over UDP, and knows of nothing but exchangers
// and their addresses.
func TestNameServerAnswers(t *testing.T) {
	s := resolving(t, func(d *config.DNS) { d.ServFail = 0 })
	for _, network := range []string{"udp", "tcp"} {
		for _, c := range []struct {
			name    string
			kind    uint16
			rcode   int
			answers int
		}{
			{"one.example.", dns.TypeMX, dns.RcodeSuccess, 1},
			{"ONE.example.", dns.TypeMX, dns.RcodeSuccess, 1},
			{"mx.one.example.", dns.TypeA, dns.RcodeSuccess, 1},
			{"mx.one.example.", dns.TypeAAAA, dns.RcodeSuccess, 0},
			{"one.example.", dns.TypeTXT, dns.RcodeSuccess, 0},
			{"no.example.", dns.TypeMX, dns.RcodeNameError, 0},
			{"mx.no.example.", dns.TypeA, dns.RcodeNameError, 0},
		} {
			m := new(dns.Msg)
			m.SetQuestion(c.name, c.kind)
			client := dns.Client{Net: network, Timeout: 20 * time.Second}
			answer, _, err := client.Exchange(m, s.names[1].addr())
			if err != nil || answer.Rcode != c.rcode || len(answer.Answer) != c.answers {
				t.Errorf("%s %s over %s: got %v %v, want code %d and %d records", c.name, dns.TypeToString[c.kind],
					network, answer, err, c.rcode, c.answers)
			}
			if err == nil && c.answers == 0 && len(answer.Ns) != 1 {
				t.Errorf("%s over %s: got no SOA record, want one, or the answer is asked for again and again", c.name,
					network)
			}
		}
	}
}
