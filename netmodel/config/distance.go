package config

import (
	"slices"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Distance lengthens the paths from some servers to some destinations.
type Distance struct {
	// name of a server, or region of servers
	From string `toml:"from" required:"true"`
	// name of a destination, or region of destinations
	To string `toml:"to" required:"true"`
	// added to every round trip
	// Source: scenario
	RTT vt.Span `toml:"extra_rtt" range:"0s..1m"`
	// added to the hops of every path
	// Source: scenario
	Hops int `toml:"extra_hops" range:"0..64"`
}

// from reports whether the paths of a server are among those of d.
func (d Distance) from(s *Server) bool { return d.From == s.Name || d.From == s.Region }

// to reports whether the paths to a destination are among those of d.
func (d Distance) to(v *Destination) bool { return d.To == v.Name || d.To == v.Region }

// Route is what is added to the paths from a server to a destination.
type Route struct {
	RTT  vt.Span // of each round trip
	Hops int
}

// Routes returns what servers and distances add to each path, by server and then destination.
func (c *Config) Routes() (all []Route) {
	for _, s := range c.Servers {
		for range c.Destinations {
			all = append(all, Route{s.ExtraRTT, s.ExtraHops})
		}
	}
	for _, v := range c.Network.Distances {
		for i := range c.Servers {
			if !v.from(&c.Servers[i]) {
				continue
			}
			for d := range c.Destinations {
				if v.to(&c.Destinations[d]) {
					at := &all[i*len(c.Destinations)+d]
					at.RTT += v.RTT
					at.Hops += v.Hops
				}
			}
		}
	}
	return all
}

// mostDistances is the most rows of distances: a plan asks each for every server and destination.
const mostDistances = 1000

func (c Config) checkDistances(l *conf.List) {
	l.Check(len(c.Network.Distances) <= mostDistances, "network.distance", "got %d, want at most %d",
		len(c.Network.Distances), mostDistances)
	var servers, destinations []string
	for _, v := range c.Servers {
		servers = append(servers, v.Name, v.Region)
	}
	for _, v := range c.Destinations {
		destinations = append(destinations, v.Name, v.Region)
	}
	one := func(key, got, want string, known []string) {
		if got == "" || !slices.Contains(known, got) {
			l.Check(false, key, "got %q, want %s%s", got, want, conf.DidYouMean(got, known))
		}
	}
	for i, d := range c.Network.Distances {
		key := conf.Index("network.distance", i)
		one(key+".from", d.From, "a server or a region of servers", servers)
		one(key+".to", d.To, "a destination or a region of destinations", destinations)
	}
}

// Times returns how long an attempt over a fresh or a reused connection takes on average, in milliseconds and rounded,
// by destination and then server: the look-up, the round trips over the mean path, and the receiver's delays,
// without failures, limits, drift and load.
func (c Config) Times(kind mail.Conn) (all []int64) {
	lookup := 0.0
	if dns := c.Network.DNS; kind == mail.Fresh {
		lookup = float64(dns.HitRatio*dns.Hit.ExactMean()) +
			float64((1-dns.HitRatio)*min(dns.Miss.ExactMean(), float64(c.Dialogue.Timeouts.DNS)))
	}
	trips := 0
	for _, s := range c.Dialogue.Steps(kind, int64(c.Size)) {
		trips += s.RoundTrips
	}
	routes := c.Routes()
	for d := range c.Destinations {
		v := &c.Destinations[d]
		delays := lookup
		if kind == mail.Fresh {
			delays += v.Banner.ExactMean()
		}
		delays += v.RCPT.ExactMean() + v.Dot.ExactMean()
		rtt := v.RTT.ExactMean()
		for i := range c.Servers {
			more := routes[i*len(c.Destinations)+d]
			hops := c.Network.Hops.Mean + float64(more.Hops)
			path := rtt + float64(more.RTT) + float64(hops*float64(c.Network.PerHop))
			all = append(all, int64((delays+float64(path*float64(trips)))/float64(vt.Millisecond)+0.5))
		}
	}
	return all
}
