package config

import (
	"slices"

	"flyball/internal/conf"
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
func (s Server) AddressesOf(pool string) int {
	if i := slices.IndexFunc(s.Pools, func(p Pool) bool { return p.Name == pool }); i >= 0 {
		return s.Pools[i].Addresses
	}
	return max(s.Addresses, 1)
}

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
