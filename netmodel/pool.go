package netmodel

import (
	"slices"

	"flyball/internal/mail"
	"flyball/netmodel/config"
)

// turn is the source addresses that connections take in turn, of all addresses of a server.
type turn struct{ first, addresses uint16 }

// turns returns the addresses for each of the pools that campaigns name; without a name they are the server's own.
func turns(s config.Server, names []string) []turn {
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
func pools(c config.Config) []string {
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
