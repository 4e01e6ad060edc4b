package proximity

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"flyball/engine/partition"
	"flyball/internal/conf"
	"flyball/internal/portable"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Database is what mailings have shown so far. Its zero value holds nothing.
type Database struct {
	Mailings []Mailing
	Pairs    []Pair // by server and then site
}

// Mailing sums up the attempts of one mailing that were measured.
type Mailing struct {
	Attempts uint64  `json:"attempts"` // deliveries over a fresh connection
	Mean     float64 `json:"mean_ms"`  // time of one of them, from the connection to the reply
	Probes   uint64  `json:"probes"`   // recipients that went over other servers than the plan wanted
}

// Pair is what is known of the way from a server to a site.
type Pair struct {
	Server   string  `json:"server"`
	Site     string  `json:"site"`
	Attempts uint64  `json:"attempts"` // that were measured, of all mailings
	Delay    float64 `json:"delay_ms"` // of an attempt, from the connection to the reply: the average over mailings
	Hops     float64 `json:"hops"`     // to the receiver, averaged in the same way; 0: unknown
	Weight   float64 `json:"weight"`   // attempts that the averages stand for, when they were measured last
	Mailing  int     `json:"mailing"`  // the last one in which they were measured, from 1 on
}

// Bounds of a Database.
const (
	MostPairs    = 1_000_000
	MostMailings = 100_000
	MostHops     = 255
)

// order compares pairs by their names.
func (p Pair) order(server, site string) int {
	return cmp.Or(cmp.Compare(p.Server, server), cmp.Compare(p.Site, site))
}

func byName(a, b Pair) int { return a.order(b.Server, b.Site) }

// find returns the position of a pair, or where it belongs.
func (d *Database) find(server, site string) (int, bool) {
	return slices.BinarySearchFunc(d.Pairs, Pair{}, func(p, _ Pair) int { return p.order(server, site) })
}

// weight returns for how many attempts the averages of a pair stand after mailings have passed since they were
// measured.
func (c Config) weight(p Pair, mailings int) float64 {
	if mailings == 0 {
		return p.Weight
	}
	return p.Weight * portable.Exp(-math.Ln2*float64(mailings)/c.HalfLife)
}

// Learn adds a mailing: what was seen of it, by site and then server, and the number of its probes. The new average of
// a pair is the mean of the old one, with its weight, and of all attempts that were seen. A mailing without attempts
// changes nothing, and Learn returns false.
func (d *Database) Learn(c Config, servers, sites []string, seen []Seen, probes uint64) bool {
	var all Seen
	for _, v := range seen {
		all.Attempts += v.Attempts
		all.Time += v.Time
	}
	if all.Attempts == 0 {
		return false
	}
	d.Mailings = append(d.Mailings, Mailing{all.Attempts, milliseconds(all.Time, all.Attempts), probes})
	number, known := len(d.Mailings), len(d.Pairs)
	for k, v := range seen {
		if v.Attempts == 0 {
			continue
		}
		p := Pair{Server: servers[k%len(servers)], Site: sites[k/len(servers)]}
		i, found := slices.BinarySearchFunc(d.Pairs[:known], p, byName)
		if found {
			p = d.Pairs[i]
		} else if len(d.Pairs) == MostPairs {
			continue
		}
		old := c.weight(p, number-p.Mailing)
		p.Delay = average(p.Delay, old, milliseconds(v.Time, v.Attempts), float64(v.Attempts))
		if v.Traced > 0 {
			before := old
			if p.Hops == 0 {
				before = 0
			}
			p.Hops = average(p.Hops, before, float64(v.Hops)/float64(v.Traced), float64(v.Traced))
		}
		p.Attempts += v.Attempts
		p.Weight = min(old+float64(v.Attempts), float64(c.Memory))
		p.Mailing = number
		if found {
			d.Pairs[i] = p
		} else {
			d.Pairs = append(d.Pairs, p)
		}
	}
	slices.SortFunc(d.Pairs, byName)
	return true
}

// average returns the mean of two values by their weights.
func average(a, of, b, by float64) float64 {
	return (float64(a*of) + float64(b*by)) / (of + by)
}

// milliseconds returns the mean of n times, at most partition.MostCost.
func milliseconds(sum vt.Span, n uint64) float64 {
	return min(float64(sum)/float64(n)/float64(vt.Millisecond), partition.MostCost)
}

// Clone returns a copy that shares nothing with d.
func (d *Database) Clone() *Database {
	return &Database{slices.Clone(d.Mailings), slices.Clone(d.Pairs)}
}

// Digest returns a digest of everything that is known: 32 hexadecimal digits of SHA-256; nothing if nothing is known.
func (d *Database) Digest() string {
	if len(d.Mailings) == 0 {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", *d))
	return hex.EncodeToString(sum[:16])
}

// Validate reports every problem, of the first pair that has any.
func (d *Database) Validate() []error {
	var l conf.List
	l.Check(len(d.Mailings) <= MostMailings, "mailings", "got %d, want at most %d", len(d.Mailings), MostMailings)
	l.Check(len(d.Pairs) <= MostPairs, "pairs", "got %d, want at most %d", len(d.Pairs), MostPairs)
	delay := func(key string, v float64) {
		l.Check(v >= 0 && v <= partition.MostCost, key, "got %g, want 0 to %d", v, partition.MostCost)
	}
	for i, m := range d.Mailings {
		key := conf.Index("mailings", i)
		l.Check(m.Attempts > 0, key+".attempts", "got 0, want at least 1")
		delay(key+".mean_ms", m.Mean)
		if len(l) > 0 {
			return l
		}
	}
	for i, p := range d.Pairs {
		key := conf.Index("pairs", i)
		l.Check(p.Server != "", key+".server", `got "", want the name of a server`)
		l.Check(p.Site != "", key+".site", `got "", want the name of a destination`)
		l.Check(i == 0 || d.Pairs[i-1].order(p.Server, p.Site) < 0, key,
			"got %q, %q, want each pair once, in the order of servers and then sites", p.Server, p.Site)
		l.Check(p.Attempts > 0, key+".attempts", "got 0, want at least 1")
		delay(key+".delay_ms", p.Delay)
		l.Check(p.Hops >= 0 && p.Hops <= MostHops, key+".hops", "got %g, want 0 to %d", p.Hops, MostHops)
		l.Check(p.Weight > 0 && p.Weight <= 1e6, key+".weight", "got %g, want more than 0, at most 1000000", p.Weight)
		l.Check(p.Mailing >= 1 && p.Mailing <= len(d.Mailings), key+".mailing", "got %d, want 1 to the %d mailings",
			p.Mailing, len(d.Mailings))
		if len(l) > 0 {
			return l
		}
	}
	return l
}

// State saves or restores the database.
func (d *Database) State(c *snap.Codec) {
	snap.Slice(c, &d.Mailings, func(c *snap.Codec, m *Mailing) { c.Fields(&m.Attempts, &m.Mean, &m.Probes) })
	snap.Slice(c, &d.Pairs, func(c *snap.Codec, p *Pair) {
		server, site := []byte(p.Server), []byte(p.Site)
		c.Fields(&server, &site, &p.Attempts, &p.Delay, &p.Hops, &p.Weight, &p.Mailing)
		p.Server, p.Site = string(server), string(site)
	})
}
