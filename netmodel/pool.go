package netmodel

import (
	"slices"

	"flyball/internal/conf"
	"flyball/internal/mail"
)

// Pool is a number of source addresses of a server for the campaigns that name it, so that one campaign does not
// suffer from what another one has done to the reputation of its addresses.
type Pool struct {
	// name by which campaigns ask for it
	Name string `toml:"name" required:"true"`
	// source addresses of the pool, which the connections of its campaigns to a destination take in turn
	// Source: scenario
	Addresses int `toml:"addresses" range:"1..1000" default:"1"`
}

// AllAddresses returns the number of source addresses of the server, with those of its pools.
func (s Server) AllAddresses() int {
	n := max(s.Addresses, 1)
	for _, p := range s.Pools {
		n += p.Addresses
	}
	return n
}

// AddressesOf returns the number of addresses that campaigns with a pool take in turn: the server's own without a pool,
// or if the server has none of that name.
func (s Server) AddressesOf(pool string) int { return int(s.turns([]string{pool})[0].addresses) }

func (s Server) validatePools() []error {
	var l conf.List
	known := map[string]bool{}
	for i, p := range s.Pools {
		key := conf.Index("pool", i) + ".name"
		l.Check(p.Name != "" && conf.Printable(p.Name), key, "got %q, want printable characters, at most 64", p.Name)
		l.Check(!known[p.Name], key, "got %q a second time, want a name of its own", p.Name)
		known[p.Name] = true
	}
	return l
}

// turn is the source addresses that connections take in turn, of all addresses of a server.
type turn struct{ first, addresses uint16 }

// turns returns the addresses for each of the pools that campaigns name; without a name they are the server's own.
func (s Server) turns(names []string) []turn {
	own := turn{0, uint16(max(s.Addresses, 1))}
	all := slices.Repeat([]turn{own}, len(names))
	first := own.addresses
	for _, p := range s.Pools {
		if number := slices.Index(names, p.Name); number >= 0 {
			all[number] = turn{first, uint16(p.Addresses)}
		}
		first += uint16(p.Addresses)
	}
	return all
}

// pools returns the names of the pools that campaigns name, after an empty one.
func (c Config) pools() []string {
	all := []string{""}
	for _, v := range c.Campaigns {
		if !slices.Contains(all, v.Pool) {
			all = append(all, v.Pool)
		}
	}
	return all
}

// Pools returns the number of pools that campaigns name, with the servers' own addresses.
func (net *Network) Pools() int { return net.pools }

// PoolOf returns the number of the pool from which a recipient's connections come.
func (net *Network) PoolOf(to mail.Recipient) int {
	if net.pools == 1 {
		return 0
	}
	return net.campaignOf(to).pool
}
