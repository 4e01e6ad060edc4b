package scenarios

import (
	"math"
	"slices"
	"sort"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
)

// Netmodel is the world of the scenario.
func (s *Scenario) Netmodel() netmodel.Config {
	return netmodel.Config{Network: s.Network, Servers: s.Servers, Destinations: s.Destinations,
		Dialogue: s.Dialogue, Size: s.Message.Size, Stages: s.Stages}
}

// HasHabits reports whether the time, or what a receiver has seen of a server,
// changes what an attempt meets, beside caps and greylists.
func (s *Scenario) HasHabits() bool {
	cutOff := func(v netmodel.Server) bool { return len(v.Down) > 0 }
	return !s.Network.Idle("down") || !s.Network.Idle("drift") || !s.Network.DNS.Idle("drift") || slices.ContainsFunc(s.Servers, cutOff) || slices.ContainsFunc(s.Destinations, netmodel.Destination.HasHabits)
}

// Engine is what the delivery machine of one server needs to know.
func (s *Scenario) Engine(server mail.Server) engine.Config {
	var offers []int
	for i, d := range s.Destinations {
		if d.Messages > 0 {
			offers = append(offers, make([]int, i+1-len(offers))...)
			offers[i] = d.Messages
		}
	}
	return engine.Config{Server: server, Offers: offers, Retry: s.Retry, Freeing: s.Freeing, Destination: s.Governor.Destination, Destinations: len(s.Destinations),
		Messages: s.Dialogue.Messages, Interval: s.Governor.Interval, Target: s.Governor.TargetAt}
}

// Recipients is the length of all synthetic lists together.
func (s *Scenario) Recipients() int {
	n := 0
	for _, c := range s.Campaigns {
		n += c.Recipients
	}
	return n
}

// List spreads the recipients over the destinations by their shares.
func (s *Scenario) List(key rng.Key) mail.List {
	var shares []float64
	for _, d := range s.Destinations {
		shares = append(shares, d.Share)
	}
	return mail.SyntheticList(s.Recipients(), shares, key)
}

// Arrival hands a part of a campaign's list to a server.
type Arrival struct {
	At      vt.Time
	Server  mail.Server
	Reserve engine.Reserve
}

// Arrivals lists what every server is asked to deliver, in order of time. Each
// campaign's list is cut into one run of recipients per server, by the
// servers' shares to the nearest recipient ([0062]). A list of another length than the synthetic one
// replaces the lists of all campaigns, in proportion.
func (s *Scenario) Arrivals(recipients int) []Arrival {
	var weight float64
	for _, v := range s.Servers {
		weight += v.Share
	}
	var all []Arrival
	var before, first int // recipients of earlier campaigns: as written, and of this list
	for _, c := range s.Campaigns {
		before += c.Recipients
		last := int(uint64(recipients) * uint64(before) / uint64(s.Recipients()))
		from, sum := first, 0.0
		for i, v := range s.Servers {
			sum += v.Share
			to := first + int(math.Round(float64(last-first)*(sum/weight)))
			if to > from {
				all = append(all, Arrival{At: vt.Time(c.Start), Server: mail.Server(i), Reserve: engine.Reserve{
					From: mail.Recipient(from), To: mail.Recipient(to), Processes: c.Processes, Subset: c.Subset, Priority: c.Priority}})
			}
			from = to
		}
		first = last
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].At < all[j].At })
	return all
}
