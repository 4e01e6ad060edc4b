package names

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"flyball/internal/longtest"
)

// node is what a random zone has for one name.
type node struct {
	fails bool   // the server fails
	alias string // empty: none
	mx    []exchanger
	hosts []string // addresses of both families
}

// world is a random zone by names without the last dot. Names without a node do not
// exist.
type world map[string]node

// chance returns a random world of a few names, which refer to each other. The aliases
// are few enough that only loops are too long.
func chance(luck *rand.Rand) world {
	pool := []string{"d.test", "e.test", "f.test", "m1.test", "m2.test", "m3.test", "none.test"}
	pick := func() string { return pool[luck.IntN(len(pool))] }
	w := world{}
	for i, name := range pool[:6] {
		var n node
		switch luck.IntN(10) {
		case 0:
			continue // does not exist
		case 1:
			n.fails = true
		case 2, 3:
			n.alias = pick()
		}
		for range luck.IntN(4) {
			host := pick() + "."
			switch luck.IntN(12) {
			case 0:
				host = "."
			case 1:
				host = "192.0.2.9."
			case 2:
				host = "sender.test."
			}
			n.mx = append(n.mx, exchanger{uint16(luck.IntN(3)), host})
		}
		if luck.IntN(3) > 0 {
			n.hosts = append(n.hosts, fmt.Sprintf("192.0.2.%d", i+1))
		}
		if luck.IntN(3) == 0 {
			n.hosts = append(n.hosts, fmt.Sprintf("2001:db8::%d", i+1))
		}
		w[name] = n
	}
	return w
}

// end returns the name at the end of the aliases of a name: its node, and what there
// is: found (the name), noName, or failed.
func (w world) end(name string) (node, status) {
	for range 9 {
		n, ok := w[name]
		switch {
		case !ok:
			return n, noName
		case n.fails:
			return n, failed
		case n.alias == "":
			return n, found
		}
		name = n.alias
	}
	return node{}, failed
}

// expect returns the addresses by preference, each under its best one, or P or T, of d.test: RFC 5321 5.1 in
// the order of its sentences.
func (w world) expect() (groups map[uint16][]string, class string) {
	n, s := w.end("d.test")
	if s != found {
		return nil, map[status]string{noName: "P", failed: "T"}[s]
	}
	if len(n.mx) == 0 {
		n.mx = []exchanger{{0, "d.test."}}
	}
	limit := uint16(99)
	for _, e := range n.mx {
		if e.host == "sender.test." {
			limit = min(limit, e.preference)
		}
	}
	best := map[string]uint16{} // the same name may be there twice
	for _, e := range n.mx {
		if p, ok := best[e.host]; !ok || e.preference < p {
			best[e.host] = e.preference
		}
	}
	groups, class = map[uint16][]string{}, "P"
	for host, preference := range best {
		if preference >= limit || host == "." || host == "192.0.2.9." {
			continue
		}
		name := strings.TrimSuffix(host, ".")
		n, s := w.end(name)
		switch {
		case s == failed:
			class = "T"
		case s == found:
			groups[preference] = append(groups[preference], n.hosts...)
		}
	}
	seen := map[string]bool{}
	for p := uint16(0); p < 3; p++ {
		slices.Sort(groups[p])
		groups[p] = slices.DeleteFunc(slices.Compact(groups[p]), func(a string) bool { return seen[a] })
		for _, a := range groups[p] {
			seen[a] = true
		}
	}
	return groups, class
}

// serves returns the answers of a world. A server that follows aliases sends all of
// them in one answer.
func (w world) serves(follows bool) reply {
	return func(asked *dns.Msg, _ string) [][]byte {
		q := asked.Question[0]
		name := strings.TrimSuffix(q.Name, ".")
		var texts []string
		for range 20 {
			n, ok := w[name]
			switch {
			case !ok:
				m := answered(asked, texts...)
				m.Rcode = dns.RcodeNameError
				return pack(m)
			case n.fails:
				return code(dns.RcodeServerFailure)(asked, "")
			case n.alias != "":
				texts = append(texts, fmt.Sprintf("%s. 60 IN CNAME %s.", name, n.alias))
				if name = n.alias; follows {
					continue
				}
				return pack(answered(asked, texts...))
			}
			for _, e := range n.mx {
				if q.Qtype == dns.TypeMX {
					texts = append(texts, fmt.Sprintf("%s. 60 IN MX %d %s", name, e.preference, e.host))
				}
			}
			for _, a := range n.hosts {
				kind := dns.TypeA
				if strings.Contains(a, ":") {
					kind = dns.TypeAAAA
				}
				if kind == q.Qtype {
					texts = append(texts, fmt.Sprintf("%s. 60 IN %s %s", name, dns.TypeToString[kind], a))
				}
			}
			m := answered(asked, texts...)
			if len(m.Answer) == 0 || m.Answer[len(m.Answer)-1].Header().Rrtype != q.Qtype {
				m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET},
					Ns: "ns.test.", Mbox: "root.test."}}
			}
			return pack(m)
		}
		return pack(answered(asked, texts...)) // a loop
	}
}

// Random zones lead where a reading of RFC 5321 5.1 that knows no messages has them
// lead.
func TestRandomZones(t *testing.T) {
	t.Parallel()
	luck := rand.New(rand.NewPCG(1, 1))
	met := map[string]int{}
	s := serve(t, zone{})
	for n := range longtest.Or(600, 20000) {
		w := chance(luck)
		answers := w.serves(luck.IntN(2) == 0)
		s.mu.Lock()
		s.zone = zone{}
		for _, name := range []string{"d.test", "e.test", "f.test", "m1.test", "m2.test", "m3.test", "none.test"} {
			s.zone[name] = answers
		}
		s.mu.Unlock()
		groups, class := w.expect()
		var all []string
		for p := uint16(0); p < 3; p++ {
			all = append(all, groups[p]...)
		}
		route := ask(s.addr, &clock{}, nil).Route(context.Background(), "d.test", 0, 0)
		if len(all) == 0 {
			met[class]++
			if got := words(route); !strings.HasPrefix(got, class+" ") {
				t.Fatalf("zone %d: got %s, want %s: %+v", n, got, class, w)
			}
			continue
		}
		met[cmp.Or(map[bool]string{true: "many"}[len(all) > mostCandidates], "some")]++
		at := 0
		for p := uint16(0); p < 3 && len(all) <= mostCandidates; p++ {
			end := min(at+len(groups[p]), len(route.To))
			var got []string
			for _, c := range route.To[at:end] {
				got = append(got, c.At.Addr().String())
			}
			slices.Sort(got)
			if len(groups[p]) > 0 && !slices.Equal(got, groups[p]) {
				t.Fatalf("zone %d: got %s, want %q: %+v", n, words(route), all, w)
			}
			at = end
		}
		if len(route.To) != min(len(all), mostCandidates) {
			t.Fatalf("zone %d: got %s, want %q: %+v", n, words(route), all, w)
		}
	}
	for _, want := range []string{"P", "T", "some"} {
		if met[want] < 50 {
			t.Errorf("%s was expected %d times: the test tests too little", want, met[want])
		}
	}
}
