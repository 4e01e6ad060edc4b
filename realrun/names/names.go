// Package names looks up where the mail of a domain goes: the addresses of its mail
// exchangers, by the rules of RFC 5321 5.1 and RFC 7505.
//
// A Resolver asks one name server, which must recurse. It never sends mail and never
// dials an exchanger. Time, ids of questions and the order of equal exchangers are
// arguments, so that a test or a rehearsal can repeat them.
//
//	Route -> exchangers of the domain -> their addresses -> candidates in order
//	            cache -> server -> UDP, TCP      answer -> judge
package names

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// Config configures a Resolver.
type Config struct {
	Server   string // HOST:PORT of the name server
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	Now      func() vt.Time               // in which answers hold; must not fall
	ID       func(context.Context) uint16 // of a question; should be hard to guess
	Luck     rng.Key                      // orders exchangers of equal preference
	Own      []string                     // names of the sending server, which has no mail for itself (RFC 5321 5.1)
	Port     uint16                       // of every exchanger
	Patience time.Duration                // for all questions of one look-up
	Repeat   time.Duration                // after which a question without answer is sent again
	// Apart makes every look-up ask anew for the exchangers: no answer is kept or
	// shared. It is for a server that decides about each look-up itself.
	Apart bool
}

// The limits of one look-up.
const (
	mostCandidates = 5   // Postfix smtp_mx_address_limit
	mostExchangers = 20  // whose addresses are looked up; assumed: real domains have up to ten
	atOnce         = 5   // exchangers whose addresses are looked up at the same time
	mostQuestions  = 256 // of a Resolver that are asked at the same time
)

// purposeOrder names the draws that order exchangers of equal preference, by
// recipient and try.
const purposeOrder rng.Purpose = 1 << 16

// Resolver looks up routes. Safe for concurrent use.
type Resolver struct {
	cfg    Config
	server server
	cache  *cache
	own    []string     // in the form of exchanger.host
	useful atomic.Int64 // the vt.Time after which the server last told what there is or is not, and 1 ns; 0: never
}

// New returns a Resolver with an empty cache.
func New(c Config) *Resolver {
	r := &Resolver{cfg: c, server: server{addr: c.Server, dial: c.Dial, id: c.ID, patience: c.Patience,
		repeat: c.Repeat, busy: make(chan struct{}, mostQuestions)}}
	r.server.slow = func() {
		if !c.Apart {
			go r.cache.get(context.Background(), control)
		}
	}
	for _, name := range c.Own {
		r.own = append(r.own, fqdn(name))
	}
	r.cache = newCache(c.Now, r.ask)
	return r
}

// ask asks the server.
func (r *Resolver) ask(ctx context.Context, q question) answer {
	a := r.server.ask(ctx, q)
	if a.status < failed {
		r.useful.Store(int64(r.cfg.Now()) + 1)
	}
	return a
}

// fqdn returns a name in lower case, with its last dot.
func fqdn(name string) string { return strings.ToLower(dns.Fqdn(name)) }

// Count returns what became of the questions so far.
func (r *Resolver) Count() Count {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	return r.cache.count
}

// Route returns where the mail of a domain goes. Recipient and try name the draws
// that order exchangers of equal preference. It returns within the patience, or soon
// after ctx ends.
func (r *Resolver) Route(ctx context.Context, domain string, to mail.Recipient, try mail.Try) Route {
	began := r.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Patience)
	defer cancel()
	l := lookup{Resolver: r, ctx: ctx, domain: domain, to: to, try: try, began: began}
	route := l.route()
	route.Took = r.cfg.Now().Sub(began)
	return route
}

// lookup is one look-up under way.
type lookup struct {
	*Resolver
	ctx    context.Context
	domain string
	to     mail.Recipient
	try    mail.Try
	began  vt.Time
}

func (l *lookup) route() Route {
	if !hostname(fqdn(l.domain)) {
		return l.never("5.1.2 %s is not the name of a domain")
	}
	a := l.follow(fqdn(l.domain), dns.TypeMX)
	switch a.status {
	case found:
		return l.through(a)
	case noData: // RFC 5321 5.1: the domain itself is the exchanger
		return l.candidates([]exchanger{{0, fqdn(l.domain)}})
	case noName:
		return l.never("5.1.2 the domain %s does not exist")
	}
	return l.later(a.status)
}

// through returns the route through the exchangers of an answer.
func (l *lookup) through(a answer) Route {
	null := func(e exchanger) bool { return e.host == "." }
	if a.broken == 0 && !slices.ContainsFunc(a.exchangers, func(e exchanger) bool { return !null(e) }) {
		return l.never("5.1.10 the domain %s takes no mail (RFC 7505)")
	}
	all := l.order(a.exchangers)
	// The sender's own name and everything behind it lead back to the sender.
	if i := slices.IndexFunc(all, func(e exchanger) bool { return slices.Contains(l.own, e.host) }); i >= 0 {
		before := all[i].preference
		all = slices.DeleteFunc(all, func(e exchanger) bool { return e.preference >= before })
		if len(all) == 0 {
			return l.never("5.4.6 the sender is itself the best exchanger of %s")
		}
	}
	all = slices.DeleteFunc(all, func(e exchanger) bool { return !hostname(e.host) })
	switch {
	case len(all) > 0:
		return l.candidates(all)
	case a.broken > 0:
		return l.later(failed)
	}
	return l.never("5.4.4 no exchanger of %s has a usable name")
}

// order returns the exchangers by preference, each name once, and those of equal
// preference by draws.
func (l *lookup) order(all []exchanger) []exchanger {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b exchanger) int {
		return cmp.Or(strings.Compare(a.host, b.host), cmp.Compare(a.preference, b.preference))
	})
	all = slices.CompactFunc(all, func(a, b exchanger) bool { return a.host == b.host })
	// The draws are given to names in their order, not in the server's, which changes.
	luck := make(map[string]uint32, len(all))
	for i, e := range all {
		luck[e.host], _, _, _ = l.cfg.Luck.Words(uint64(l.to), uint32(l.try), purposeOrder+rng.Purpose(i))
	}
	slices.SortFunc(all, func(a, b exchanger) int {
		return cmp.Or(cmp.Compare(a.preference, b.preference), cmp.Compare(luck[a.host], luck[b.host]))
	})
	return all
}

// candidates looks up the addresses of exchangers, in their order, until there are
// enough.
func (l *lookup) candidates(all []exchanger) Route {
	var to []Candidate
	doubt := noName // the reason why an exchanger without addresses might have some
	left := all
	if len(left) > mostExchangers {
		left = left[:mostExchangers]
		doubt = failed
	}
	for len(left) > 0 && len(to) < mostCandidates {
		batch := left[:min(atOnce, len(left))]
		left = left[len(batch):]
		for i, host := range l.hosts(batch) {
			for _, a := range host.addresses {
				to = append(to, Candidate{strings.TrimSuffix(batch[i].host, "."), netip.AddrPortFrom(a, l.cfg.Port)})
			}
			if len(host.addresses) == 0 && host.status >= failed {
				doubt = max(doubt, host.status)
			}
		}
	}
	switch {
	case len(to) > 0:
		return Route{To: limit(to)}
	case doubt != noName:
		return l.later(doubt)
	}
	return l.never("5.4.4 no exchanger of %s has an address")
}

// hosts returns the usable addresses of each exchanger, or why it may have some.
func (l *lookup) hosts(all []exchanger) []answer {
	hosts := make([]answer, len(all))
	var asking sync.WaitGroup
	for i, e := range all {
		asking.Go(func() { hosts[i] = l.host(e.host) })
	}
	asking.Wait()
	return hosts
}

// host returns the usable addresses of a host, of the two families in turn: where
// one family is cut off, the second candidate can be reached. Receivers are stricter
// with senders over IPv6, so IPv4 is first.
func (l *lookup) host(name string) answer {
	var of4, of6 answer
	var asking sync.WaitGroup
	asking.Go(func() { of6 = l.follow(name, dns.TypeAAAA) })
	of4 = l.follow(name, dns.TypeA)
	asking.Wait()
	a := answer{status: max(of4.status, of6.status)}
	for i := range max(len(of4.addresses), len(of6.addresses)) {
		for _, family := range [][]netip.Addr{of4.addresses, of6.addresses} {
			if i < len(family) && dialled(family[i]) {
				a.addresses = append(a.addresses, family[i].Unmap())
			}
		}
	}
	return a
}

// dialled reports whether an address can be the address of a host.
func dialled(a netip.Addr) bool {
	a = a.Unmap()
	return !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// limit returns the first candidates, each address once, as many as one attempt may
// try. Where all these are of one family and a later one is of the other, it is the
// last of them.
func limit(to []Candidate) []Candidate {
	seen := map[netip.AddrPort]bool{}
	to = slices.DeleteFunc(to, func(c Candidate) bool {
		again := seen[c.At]
		seen[c.At] = true
		return again
	})
	if len(to) <= mostCandidates {
		return to
	}
	first, rest := to[:mostCandidates], to[mostCandidates:]
	differs := func(c Candidate) bool { return c.At.Addr().Is4() != first[0].At.Addr().Is4() }
	if !slices.ContainsFunc(first, differs) {
		if i := slices.IndexFunc(rest, differs); i >= 0 {
			first[mostCandidates-1] = rest[i]
		}
	}
	return first
}

// follow returns the answer about a name and a type, after all aliases (RFC 5321 5.1;
// also those of exchangers, which RFC 2181 10.3 forbids and many domains have).
func (l *lookup) follow(name string, kind uint16) answer {
	for range mostAliases {
		q := question{name, kind}
		var a answer
		if l.cfg.Apart && kind == dns.TypeMX {
			a = l.ask(l.ctx, q)
		} else {
			a = l.cache.get(l.ctx, q)
		}
		if a.alias == "" {
			return a
		}
		name = a.alias
	}
	return answer{status: failed} // a loop, or as good as one
}

// hostname reports whether a name, in lower case with its last dot, is one that a
// host can have (RFC 1035 2.3.1, RFC 1123 2.1; with the underscore that some have).
// An address is not a name: no top-level domain is a number (RFC 3696 2).
func hostname(name string) bool {
	name, ok := strings.CutSuffix(name, ".")
	if !ok || name == "" || len(name) > 253 {
		return false
	}
	label := ""
	for label = range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return strings.Trim(label, "0123456789") != ""
}

// never returns the route of a domain to which no mail can go; why has a %s for it.
func (l *lookup) never(why string) Route {
	return Route{Fault: mail.NoName, Why: fmt.Sprintf(why, l.domain)}
}

// later returns the route of a domain about which nothing is certain, after an answer with status s. It is the
// sender's own name server that fails, and not the domain's, if it cannot be asked, or has answered nothing about any
// name: since the look-up began where it is silent, else within the time that a failure holds; the control question
// decides where nothing else was asked. An Apart server decides about each look-up, and so never fails by itself.
func (l *lookup) later(s status) Route {
	since := l.began
	if s == failed {
		since = min(since, l.cfg.Now().Add(-failureTTL))
	}
	useful := l.cfg.Apart || l.useful.Load() > int64(max(since, 0))
	switch {
	case s == unasked:
		return Route{Fault: mail.NoResolver, Why: "4.4.3 the name server cannot be asked"}
	case !useful && l.cache.get(l.ctx, control).status >= failed:
		return Route{Fault: mail.NoResolver, Why: "4.4.3 the name server has no answer about any name"}
	case s == silent:
		return Route{Fault: mail.Timeout, Why: "4.4.3 no answer about " + l.domain}
	}
	return Route{Fault: mail.ServFail, Why: "4.4.3 no useful answer about " + l.domain}
}
