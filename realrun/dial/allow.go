package dial

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/tomlfile"
)

// Config is the content of an allowlist's file.
type Config struct {
	SchemaVersion int `toml:"schema_version" range:"1..1" required:"true"`
	// domain of the sender: in EHLO, in envelopes and in From
	Sender string `toml:"sender" required:"true"`
	// receivers, and the domains whose mail may go there
	Allow []Entry `toml:"allow" required:"true"`
	// IP:PORT of name servers that may be asked for exchangers
	NameServers []string `toml:"name_servers"`
	Caps        Caps     `toml:"caps" required:"true"`
	Breakers    Breakers `toml:"breakers"`
}

// Entry allows mail of any of its domains at any of its networks and ports.
type Entry struct {
	// addresses, or networks as "192.0.2.0/24"
	Networks []string `toml:"networks" required:"true"`
	Ports    []int    `toml:"ports" required:"true"`
	// domains of recipients; "*.example.com" is every domain below example.com
	Domains []string `toml:"domains" required:"true"`
}

// Caps bound the attempts of all runs with the allowlist together.
type Caps struct {
	// attempts within any 24 hours
	PerDay int `toml:"per_day" range:"1..100000000" required:"true"`
	// attempts within any second
	PerSecond int `toml:"per_second" range:"1..100000" required:"true"`
}

// Breakers are guards of a run whose attempts go wrong: it returns to the record of parameters before, or stops.
type Breakers struct {
	// greatest share of the attempts that may end with a refusal of the recipient
	// Source: assumed: Amazon SES reviews senders from 5 % on
	Bounces float64 `toml:"bounces" default:"0.05" range:">0..1"`
	// greatest share of the attempts with which a receiver may refuse the sender: 421, and 4yz or 5yz before RCPT;
	// 1 allows all
	// Source: assumed: no bound
	Refusals float64 `toml:"refusals" default:"1" range:">0..1"`
	// greatest share of the attempts for one destination that may be answered with 4yz; 1 allows all
	// Source: assumed: no bound, since greylists defer every first attempt
	Deferrals float64 `toml:"deferrals" default:"1" range:">0..1"`
	// greatest share of the delivered messages that recipients may complain about
	// Source: assumed: Gmail asks senders to stay below 0.3 %
	Complaints float64 `toml:"complaints" default:"0.003" range:">0..1"`
	// attempts, or deliveries, before which no share is judged
	After int `toml:"after" default:"100" range:"1..1000000"`
}

var format = tomlfile.New[Config]("caps.per_day")

// Allowlist is where a live run may connect outside of loopback, and which domains it may mail. It is not changed after
// Load; any goroutine may use it.
type Allowlist struct {
	Sender   string // domain in lower case and A-labels
	Caps     Caps
	Breakers Breakers
	name     string
	entries  []entry
	servers  map[netip.AddrPort]bool // name servers
}

// entry is an Entry that was read.
type entry struct {
	networks []netip.Prefix
	ports    []int
	domains  []string // in lower case and A-labels; ".example.com": every domain below
}

func (e *entry) reaches(at netip.AddrPort) bool {
	in := func(n netip.Prefix) bool { return n.Contains(at.Addr()) }
	return slices.Contains(e.ports, int(at.Port())) && slices.ContainsFunc(e.networks, in)
}

func (e *entry) takes(domain string) bool {
	return slices.ContainsFunc(e.domains, func(d string) bool {
		if d[0] == '.' {
			return strings.HasSuffix(domain, d) && len(domain) > len(d)
		}
		return domain == d
	})
}

// Load reads the file of an allowlist, which problems call name. The error is of type tomlfile.Problems.
func Load(name string, src []byte) (*Allowlist, error) {
	cfg := conf.DefaultOf[Config](format.Keys)
	doc := format.Read(name, src, nil)
	doc.Decode(&cfg)
	a := &Allowlist{Caps: cfg.Caps, Breakers: cfg.Breakers, name: name, servers: map[netip.AddrPort]bool{}}
	var l conf.List
	sender, why := domain(cfg.Sender)
	if why == "" && sender[0] == '.' {
		why = "want one domain"
	}
	l.Check(why == "", "sender", "got %q, %s", cfg.Sender, why)
	a.Sender = sender
	for i, e := range cfg.Allow {
		read := entry{ports: e.Ports}
		at := conf.Index("allow", i)
		for j, text := range e.Networks {
			n, why := network(text)
			l.Check(why == "", conf.Index(at+".networks", j), "got %q, %s", text, why)
			read.networks = append(read.networks, n)
		}
		for j, port := range e.Ports {
			l.Check(port >= 1 && port <= 65535, conf.Index(at+".ports", j), "got %d, want 1 to 65535", port)
		}
		for j, text := range e.Domains {
			d, why := domain(text)
			l.Check(why == "", conf.Index(at+".domains", j), "got %q, %s", text, why)
			read.domains = append(read.domains, d)
		}
		l.Check(len(e.Networks) > 0, at+".networks", "got none, want an address or a network")
		l.Check(len(e.Ports) > 0, at+".ports", "got none, want a port such as 25")
		l.Check(len(e.Domains) > 0, at+".domains", "got none, want a domain")
		a.entries = append(a.entries, read)
	}
	l.Check(len(cfg.Allow) > 0, "allow", "got none, want a receiver")
	for i, text := range cfg.NameServers {
		at, err := parse(text)
		why := ""
		if err != nil {
			why = "want IP:PORT, such as 192.0.2.53:53"
		} else {
			why = never(at.Addr())
		}
		l.Check(why == "", conf.Index("name_servers", i), "got %q, %s", text, why)
		a.servers[at] = true
	}
	doc.Refuse(l)
	return a, doc.Err()
}

// Least lengths of networks: a shorter one has more than receivers.
const shortest4, shortest6 = 8, 16

// network returns an address or a network in its one spelling, or what is wrong with it.
func network(text string) (n netip.Prefix, why string) {
	if at, err := netip.ParseAddr(text); err == nil && at.Zone() == "" {
		n = netip.PrefixFrom(at, at.BitLen())
	} else if n, err = netip.ParsePrefix(text); err != nil {
		return n, "want an address, or a network such as 192.0.2.0/24"
	}
	shortest := shortest6
	if n.Addr().Is4() {
		shortest = shortest4
	}
	switch {
	case n.Addr().Is4In6():
		return n, "want the IPv4 address itself, " + n.Addr().Unmap().String()
	case n.Masked() != n:
		return n, "want " + n.Masked().String() + ", or one address without a length"
	case n.Bits() < shortest:
		return n, "want a length of " + strconv.Itoa(shortest) + " or more"
	}
	for _, s := range special {
		if s.network.Overlaps(n) && n != loopback6 {
			return n, fmt.Sprintf("want no address in %s, %s", s.network, s.is)
		}
	}
	return n, ""
}

var loopback6 = netip.MustParsePrefix("::1/128")

// domain returns a domain in lower case and A-labels, a pattern with its first dot, or what is wrong with it.
func domain(text string) (d, why string) {
	name, pattern := strings.CutPrefix(text, "*.")
	a, err := mail.ParseAddress("postmaster@" + name)
	switch {
	case strings.Contains(name, "*"):
		return "", `want a domain, or a pattern such as "*.example.com"`
	case pattern && !strings.Contains(name, "."):
		return "", "want two labels or more behind the star"
	case err != nil:
		return "", "want a domain: " + err.Error()
	case pattern:
		return "." + a.Domain, ""
	}
	return a.Domain, ""
}
