// Package partition divides a list among delivering servers ([0031], [0036], [0052]-[0062]). A
// Problem has the servers, the sites with their numbers of recipients, and how long an attempt takes
// from each server to each site. A strategy is a pure function from a Problem to a Plan: how many
// recipients of each site each server gets. Which recipients these are, and in which order a server
// takes them, is decided by mail.Deal.
//
//	strategy    spread.go    by resources, at random, by network, region or segment
//	            optimal.go   least total time: exact up to MostExact sites, with prices and repair beyond
//	Plan        plan.go      what a plan costs, a lower bound from its prices, and Verify
//	            finish.go    when the last server can be done at the earliest
package partition

import (
	"math"

	"flyball/internal/conf"
)

// Problem is a list that is to be divided.
type Problem struct {
	Servers []Server
	Sites   []Site
	Cost    []int64 // milliseconds of an attempt, by site and then server
	Quota   []int64 // most recipients of a site that a server may get, by site and then server; nil: no quotas

	// Imbalance is how many times its fair share a server may get. A fair share is in proportion to
	// resources.
	Imbalance float64
}

// Server is a delivering server as a plan sees it.
type Server struct {
	Name, Network, Region string
	Resources             float64 // relative to the other servers ([0062])
	Processes             int     // MTA processes, for finishing times
	Quota                 int64   // most recipients in all; 0: no quota
}

// Site is a class of recipients whose mail takes the same way, such as a destination.
type Site struct {
	Name, Network, Region, Segment string
	Recipients                     int64
}

// MostRecipients is the most recipients in a Problem: numbers of recipients have 32 bits.
const MostRecipients = 4_000_000_000

// MostCost is the longest time of an attempt, in milliseconds: an hour. Sums over all recipients fit
// into 64 bits.
const MostCost = 3_600_000

// MostImbalance is the greatest Imbalance.
const MostImbalance = 10

// Total returns the number of recipients.
func (p *Problem) Total() (n int64) {
	for _, s := range p.Sites {
		n += s.Recipients
	}
	return n
}

// At returns the position of a site and a server in Cost, Quota and Plan.Counts.
func (p *Problem) At(site, server int) int { return site*len(p.Servers) + server }

// Fair returns the fair share of each server: recipients in proportion to resources, not rounded.
func (p *Problem) Fair() []float64 {
	var sum float64
	for _, v := range p.Servers {
		sum += v.Resources
	}
	total := float64(p.Total())
	all := make([]float64, len(p.Servers))
	for i, v := range p.Servers {
		all[i] = float64(total * (v.Resources / sum))
	}
	return all
}

// Rooms returns the most recipients of each server: Imbalance times its fair share, rounded up, and
// at most its quota. All rooms together may be less than Total.
func (p *Problem) Rooms() []int64 {
	all := make([]int64, len(p.Servers))
	for i, fair := range p.Fair() {
		all[i] = int64(math.Ceil(float64(p.Imbalance*fair) - 1e-6))
		if q := p.Servers[i].Quota; q > 0 {
			all[i] = min(all[i], q)
		}
	}
	return all
}

// quota returns the most recipients of a site that a server may get.
func (p *Problem) quota(at int) int64 {
	if p.Quota == nil {
		return MostRecipients
	}
	return p.Quota[at]
}

// Validate reports every problem.
func (p *Problem) Validate() []error {
	var l conf.List
	l.Check(len(p.Servers) > 0, "servers", "got none, want at least one")
	l.Check(len(p.Sites) > 0, "sites", "got none, want at least one")
	cells := len(p.Servers) * len(p.Sites)
	l.Check(len(p.Cost) == cells, "cost", "got %d times, want %d: one for each site and server", len(p.Cost), cells)
	l.Check(p.Quota == nil || len(p.Quota) == cells, "quota", "got %d, want %d or none", len(p.Quota), cells)
	l.Check(p.Imbalance >= 1 && p.Imbalance <= MostImbalance, "imbalance", "got %g, want 1 to %d", p.Imbalance,
		MostImbalance)
	var resources float64
	for i, v := range p.Servers {
		key := conf.Index("servers", i)
		l.Check(v.Resources >= 0 && v.Resources <= 1e12, key+".resources", "got %g, want 0 to 1e12", v.Resources)
		resources += v.Resources
		l.Check(v.Processes > 0, key+".processes", "got %d, want at least 1", v.Processes)
		l.Check(v.Quota >= 0, key+".quota", "got %d, want at least 0", v.Quota)
	}
	l.Check(resources > 0, "servers", "got no resources, want some")
	total := int64(0)
	for i, v := range p.Sites {
		ok := v.Recipients >= 0 && v.Recipients <= MostRecipients
		l.Check(ok, conf.Index("sites", i)+".recipients", "got %d, want 0 to %d", v.Recipients, int64(MostRecipients))
		if ok {
			total = min(total+v.Recipients, MostRecipients+1)
		}
	}
	l.Check(total <= MostRecipients, "sites", "got more than %d recipients, want at most that", int64(MostRecipients))
	for i, v := range p.Cost {
		if v < 0 || v > MostCost {
			l.Check(false, conf.Index("cost", i), "got %d ms, want 0 to %d", v, int64(MostCost))
			break
		}
	}
	for i, v := range p.Quota {
		if v < 0 {
			l.Check(false, conf.Index("quota", i), "got %d, want at least 0", v)
			break
		}
	}
	if len(l) == 0 {
		var room int64
		for _, v := range p.Rooms() {
			room += v
		}
		l.Check(room >= total, "quota", "got room for %d recipients on all servers, want at least %d", room, total)
	}
	return l
}
