package scenarios

import (
	"math"
	"slices"

	"flyball/engine/partition"
	"flyball/engine/proximity"
	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// Dispatch is how lists come to delivering servers: how they are divided, and the sending server that hands them
// over.
type Dispatch struct {
	// strategy by which each list is divided among the servers
	Partition string `toml:"partition" default:"shares"`
	// most recipients of a server / its fair share, by server.share and processes
	// Source: assumed: one in twenty more than its share delays no mailing by more
	Imbalance float64 `toml:"imbalance" range:"1..10" default:"1.05"`

	// how distances are learned ([0056]-[0059])
	Proximity proximity.Config `toml:"proximity"`

	// time between two checks by a sending server (A server), which hands lists over, sees that they are delivered, and
	// gives to others what a lost server leaves ([0029]-[0041]); 0s: there is none, and a list is on its servers when
	// its campaign starts
	// Source: assumed: no sending server
	Check vt.Span `toml:"check,omitdefault" range:"0s..1h" default:"0s"`
	// how long a delivering server may deliver without an answer of the sending server
	// Source: assumed: some checks may be lost
	Lease vt.Span `toml:"lease,omitdefault" range:">0s..1d" default:"1m"`
	// time without an answer after which a delivering server counts as lost, and its recipients without a known outcome
	// are planned anew
	// Source: derived: longer than the longest SMTP time-out, RFC 5321 4.5.3.2.6
	Patience vt.Span `toml:"patience,omitdefault" range:">0s..30d" default:"15m"`
	// most recipients of a part of a list who may have the message while the sending server has no outcome of theirs:
	// as many may get it twice if the server is lost
	// Source: assumed: some seconds of mail
	Window int `toml:"window,omitdefault" range:"1..1000000" default:"1000"`
	// all campaigns go to the same people: a recipient of one is the person with the same number in each other
	SameList bool `toml:"same_list,omitdefault"`
	// most MTA processes of all campaigns under way, on all servers ([0083]); 0: no limit
	// Source: scenario
	Licence int `toml:"licence,omitdefault" range:"0..1000000"`
	// messages that a process delivers in an hour, until finished parts of lists have shown it; how many processes a
	// deadline needs follows from it ([0031], [0066])
	// Source: derived: [0065], [0068]: 140,000/h by 200 processes
	Efficiency unit.PerHour `toml:"efficiency,omitdefault" range:">0/h..3600000/h" default:"700/h"`
	// recipients that a delivering server fetches at a time, with partition = "pull"
	// Source: derived: [0078]
	Chunk int `toml:"chunk,omitdefault" range:"1..1000000000" default:"10000"`
}

// strategies are the choices of sender.partition.
var strategies = []conf.Choice{
	{Name: "shares", Doc: "cuts the list as it stands into one piece for each server"},
	{Name: "equal", Doc: "gives each server as much of every destination as its resources are of all ([0062])"},
	{Name: "random", Doc: "draws a server for each recipient"},
	{Name: "network", Doc: "leaves recipients inside a server's network to that server ([0054])"},
	{Name: "region", Doc: "leaves recipients of a region to its servers ([0055])"},
	{Name: "segment", Doc: "keeps recipients of the same content together ([0036])"},
	{Name: "optimal", Doc: "takes the least time in all, within imbalance and quotas"},
	{Name: "proximity", Doc: "as optimal, by the times that earlier campaigns measured ([0056]-[0059])"},
	{Name: "pull", Doc: "lets servers fetch chunks of the list as processes become free ([0060]-[0062])"},
}

// Choices returns the strategies with what each does.
func (Dispatch) Choices(key string) []conf.Choice {
	if key == "partition" {
		return strategies
	}
	return nil
}

// Off reports whether all keys have their plainest meaning: lists are cut as they stand, without a sending server.
func (p Dispatch) Off() bool { return p.Partition == "shares" && !p.Sends() }

// Plain reports whether no strategy makes a plan for lists: they are cut as they stand, or fetched.
func (p Dispatch) Plain() bool { return p.Partition == "shares" || p.Partition == "pull" }

// Sends reports whether there is a sending server.
func (p Dispatch) Sends() bool { return p.Check > 0 }

// Fetches reports whether delivering servers fetch chunks of lists from the sending server.
func (p Dispatch) Fetches() bool { return p.Sends() && p.Partition == "pull" }

// Idle reports whether a key has no meaning beside the other values of p.
func (p Dispatch) Idle(key string) bool {
	switch key {
	case "imbalance":
		return !p.balanced()
	case "proximity":
		return !p.Learns()
	case "check", "lease", "patience", "window", "same_list", "licence", "efficiency":
		return !p.Sends()
	case "chunk":
		return p.Partition != "pull"
	}
	return false
}

// Learns reports whether lists are divided by what earlier campaigns measured.
func (p Dispatch) Learns() bool { return p.Partition == "proximity" }

// balanced reports whether plans keep to imbalance and quotas.
func (p Dispatch) balanced() bool { return p.Partition == "optimal" || p.Learns() }

// Strategies returns the names of the strategies that make a plan.
func Strategies() (all []string) {
	for _, c := range strategies[1:] {
		if c.Name != "pull" {
			all = append(all, c.Name)
		}
	}
	return all
}

// Known returns what earlier runs learned.
func (s *Scenario) Known() *proximity.Database {
	if s.known == nil {
		return &proximity.Database{}
	}
	return s.known
}

// WithKnown returns the scenario after runs that learned db.
func (s *Scenario) WithKnown(db *proximity.Database) *Scenario {
	after := *s
	after.known = db
	return &after
}

// Problem returns the division of a campaign's list with counts of recipients at each destination.
func (s *Scenario) Problem(campaign int, counts []int64) *partition.Problem {
	times := s.Netmodel().Times(mail.Fresh)
	for i := range times {
		times[i] = min(times[i], partition.MostCost)
	}
	return s.ProblemAt(campaign, counts, times)
}

// ProblemAt returns Problem with other times of attempts, in milliseconds, by destination and then server.
func (s *Scenario) ProblemAt(campaign int, counts, times []int64) *partition.Problem {
	p := s.ProblemWithoutTimes(campaign, counts)
	p.Cost = times
	s.heedCaps(p)
	return p
}

// ProblemWithoutTimes returns Problem without times, and without quotas of sites, which follow from times.
func (s *Scenario) ProblemWithoutTimes(campaign int, counts []int64) *partition.Problem {
	p := &partition.Problem{Imbalance: s.Dispatch.Imbalance}
	for _, v := range s.Servers {
		processes := s.Campaigns[campaign].Processes
		if v.Connections > 0 {
			processes = min(processes, v.Connections)
		}
		p.Servers = append(p.Servers, partition.Server{Name: v.Name, Network: v.Network, Region: v.Region,
			Resources: v.Share * float64(processes), Processes: processes, Quota: int64(v.Quota)})
	}
	for i, d := range s.Destinations {
		p.Sites = append(p.Sites, partition.Site{Name: d.Name, Network: d.Network, Region: d.Region,
			Segment: d.Segment, Recipients: counts[i]})
	}
	return p
}

// heedCaps gives each server a quota at each destination with a cap of connections for every server: what they
// carry in a time T over four fifths of the connections, since a fifth is chance. T is the earliest in which all
// servers together carry the whole list, a tenth later each time until the quotas leave a plan within the servers'
// rooms. Without caps there are no quotas.
func (s *Scenario) heedCaps(p *partition.Problem) {
	capped := func(d config.Destination) bool { return d.Cap > 0 && !d.Shared && d.LimitsOf == "" }
	if !slices.ContainsFunc(s.Destinations, capped) {
		return
	}
	earliest, rooms := partition.FinishBound(p), p.Rooms()
	rate := func(d, i int) float64 { // recipients in a millisecond
		most := s.Destinations[d].Cap * s.Servers[i].AllAddresses()
		return min(0.8*float64(most), float64(p.Servers[i].Processes)) / float64(max(p.Cost[p.At(d, i)], 1))
	}
	for d, v := range s.Destinations {
		if capped(v) {
			var all float64
			for i, room := range rooms {
				if room > 0 {
					all += rate(d, i)
				}
			}
			earliest = max(earliest, float64(p.Sites[d].Recipients)/all)
		}
	}
	for within := earliest; ; within *= 1.1 {
		p.Quota = nil
		for d, v := range s.Destinations {
			for i := range s.Servers {
				quota := int64(partition.MostRecipients)
				if capped(v) {
					quota = min(quota, int64(math.Ceil(float64(within*rate(d, i)))))
				}
				p.Quota = append(p.Quota, quota)
			}
		}
		if _, ok := partition.Optimal(p); ok || within > 1e15 {
			return
		}
	}
}

// Problems returns the division of each campaign's synthetic list.
func (s *Scenario) Problems() (all []*partition.Problem) {
	for i, counts := range s.groups() {
		all = append(all, s.Problem(i, counts))
	}
	return all
}

// groups returns how many recipients each campaign's synthetic list has at each destination if a list is
// partitioned: its share, exactly, with what rounding leaves for the first destinations that lack most.
func (s *Scenario) groups() (all [][]int64) {
	shares := s.Shares()
	for _, c := range s.Campaigns {
		p := partition.Problem{Servers: make([]partition.Server, len(s.Destinations)), Sites: []partition.Site{
			{Recipients: int64(c.Recipients)}}, Cost: make([]int64, len(s.Destinations))}
		for i, share := range shares {
			p.Servers[i].Resources = share
		}
		all = append(all, partition.Equal(&p).Counts)
	}
	return all
}

// checkPartition checks that each campaign's list has room on the servers.
func (s *Scenario) checkPartition(l *conf.List) {
	if !s.Dispatch.balanced() || len(*l) > 0 {
		return
	}
	if pairs := len(s.Servers) * len(s.Destinations); s.Dispatch.Learns() && pairs > proximity.MostPairs {
		l.Check(false, "sender.partition", "got %d pairs of server and destination, want at most %d", pairs,
			proximity.MostPairs)
		return
	}
	for i, p := range s.Problems() {
		var room int64
		for _, v := range p.Rooms() {
			room += v
		}
		l.Check(room >= p.Total(), "sender.partition",
			"got room for %d of the %d recipients of campaign %s, want more imbalance, or more quota of servers", room,
			p.Total(), s.Campaigns[i].Name)
	}
}
