package scenarios

import (
	"cmp"
	"slices"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/governing"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/rng"
	"flyball/netmodel/config"
	"flyball/netmodel/limits"
)

// Netmodel returns the configuration of the scenario's network.
func (s *Scenario) Netmodel() config.Config {
	stages := s.Stages
	if s.Dispatch.Sends() && s.Guarded() {
		stages = "full" // a server may stop in the middle of an attempt
	}
	return config.Config{Network: s.Network, Servers: s.Servers, Destinations: s.Destinations,
		Dialogue: s.Dialogue, Size: s.Message.Size, SizeSigma: s.Message.SizeSigma, Campaigns: s.messages(),
		Stages: stages, Clock: s.Clock(), Replies: s.Replies}
}

// ReplyTables returns the sender's reading of replies, by destination; nil if it has none.
func (s *Scenario) ReplyTables() (all []replies.Table) {
	given := len(s.Replies) > 0
	for _, d := range s.Destinations {
		given = given || len(d.Replies) > 0
		all = append(all, replies.NewTable(d.Replies, s.Replies))
	}
	if !given {
		return nil
	}
	return all
}

// React reports whether a reply to one server is a reason for the others to react.
func (s *Scenario) React() bool {
	domain := func(r replies.Row) bool { return r.Gates() && r.Scope == "domain" }
	return len(s.Servers) > 1 && slices.ContainsFunc(s.ReplyTables(), func(t replies.Table) bool {
		return slices.ContainsFunc(t, domain)
	})
}

// SizesDiffer reports whether not all messages have the size of message.size.
func (s *Scenario) SizesDiffer() bool {
	return s.Message.SizeSigma > 0 || slices.ContainsFunc(s.Campaigns, func(c Campaign) bool { return c.Size > 0 })
}

// pooled reports whether some campaign names a pool of addresses.
func (s *Scenario) pooled() bool {
	return slices.ContainsFunc(s.Campaigns, func(c Campaign) bool { return c.Pool != "" })
}

// messages returns the campaigns as the network sees them; none if it treats all alike.
func (s *Scenario) messages() (all []config.Campaign) {
	bySender := func(d config.Destination) bool {
		return slices.ContainsFunc(d.Allowances, limits.Allowance.OfCampaigns)
	}
	if !s.SizesDiffer() && !s.pooled() && !slices.ContainsFunc(s.Destinations, bySender) {
		return nil
	}
	for i, end := range s.Ends(s.Recipients()) {
		c := s.Campaigns[i]
		all = append(all, config.Campaign{End: end, Size: cmp.Or(c.Size, s.Message.Size), Domain: c.Domain,
			Account: c.Account, Pool: c.Pool})
	}
	return all
}

// Ends returns where the part of each campaign ends in a list of that many recipients,
// which is divided in proportion to the campaigns' own lengths.
func (s *Scenario) Ends(recipients int) (all []mail.Recipient) {
	var sum int
	for _, c := range s.Campaigns {
		sum += c.Recipients
		all = append(all, mail.Recipient(uint64(recipients)*uint64(sum)/uint64(max(1, s.Recipients()))))
	}
	return all
}

// HasBehaviour reports whether the outcome of an attempt depends on its time or
// on the history of its server at the receiver, apart from caps and greylists.
func (s *Scenario) HasBehaviour() bool {
	busy := func(v config.Server) bool { return len(v.Down) > 0 || v.Rate > 0 || v.Bandwidth > 0 }
	held := func(v config.Destination) bool { return v.HasBehaviour() || len(v.Mailboxes) > 0 }
	n := s.Network
	return len(n.Down) > 0 || len(n.Drift) > 0 || len(n.DNS.Drift) > 0 ||
		slices.ContainsFunc(s.Servers, busy) || slices.ContainsFunc(s.Destinations, held)
}

// Engine returns the configuration of the delivery machine of one server.
func (s *Scenario) Engine(server mail.Server) delivery.Config {
	var offers []int
	var send []mail.Send
	for i, d := range s.Destinations {
		if !d.Send.Off() {
			send = append(send, make([]mail.Send, i+1-len(send))...)
			send[i] = d.Send
		}
		if n := cmp.Or(d.Send.Messages, d.Messages); n > 0 {
			offers = append(offers, make([]int, i+1-len(offers))...)
			offers[i] = n
		}
	}
	target := s.Governor.TargetAt
	if s.OneGovernor() { // the cluster's governor has the target
		target = nil
	}
	return delivery.Config{Server: server, Retry: s.Retry, Freeing: s.Freeing, Offers: offers, Send: send,
		Replies: s.ReplyTables(), Servers: len(s.Servers),
		Destination: s.Governor.Destination, Destinations: len(s.Destinations),
		Messages: s.Dialogue.Messages, Interval: s.Governor.Interval,
		Target: target, Pauses: s.Pauses(), Most: s.Servers[server].Connections,
		Together: s.Together()}
}

// OneGovernor reports whether one governor controls all servers.
func (s *Scenario) OneGovernor() bool { return s.Governor.Scope == "cluster" }

// Together reports whether servers decide together at the ends of their intervals: by one governor, or by one delivery
// failure rate.
func (s *Scenario) Together() bool { return s.OneGovernor() || s.Retry.OfCluster() }

// ClusterName is the name of the account of all servers under one governor.
const ClusterName = "cluster"

// Accounts returns the names of the accounts whose intervals a run records, by
// their number: the servers and then, where one governor controls all of them,
// the cluster.
func (s *Scenario) Accounts() []string {
	var names []string
	for _, v := range s.Servers {
		names = append(names, v.Name)
	}
	if s.OneGovernor() {
		names = append(names, ClusterName)
	}
	return names
}

// Governed returns the names of the accounts that have a governor: the servers,
// or the cluster.
func (s *Scenario) Governed() []string {
	all := s.Accounts()
	if s.OneGovernor() {
		all = all[len(all)-1:]
	}
	return all
}

// TargetRate returns the target of each governor, in messages per hour: of one
// server, or of the whole cluster.
func (s *Scenario) TargetRate() float64 {
	if s.OneGovernor() {
		return float64(s.Governor.Target) * float64(len(s.Servers))
	}
	return float64(s.Governor.Target)
}

// StartOfC returns the C that each governor starts with: of one server, or of
// the whole cluster.
func (s *Scenario) StartOfC() float64 {
	if s.OneGovernor() {
		return s.Governor.Start * float64(len(s.Servers))
	}
	return s.Governor.Start
}

// Governors returns the governor of every server. Where servers share a
// governor or a retry limit, cluster is the role that decides for all of them
// and reports its intervals to obs; otherwise cluster is nil. dress, if it is given, returns
// what stands for the law of each governor.
func (s *Scenario) Governors(obs engine.Observer, dress ...func(governor.Governor) governor.Governor) (
	each []governor.Governor, cluster *governing.Cluster, err error) {
	n := len(s.Servers)
	cfg := governing.Config{Servers: n, Interval: s.Governor.Interval}
	switch {
	case s.OneGovernor():
		gov, err := governor.NewCluster(s.Governor, n)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range dress {
			gov = d(gov)
		}
		cfg.Governor, cfg.Target, cfg.Observer = gov, s.Governor.Times(n).TargetAt, obs
		cluster = governing.New(cfg)
		for i := range n {
			each = append(each, delivery.NewShare(cluster.Part(mail.Server(i))))
		}
		return each, cluster, nil
	case s.Retry.OfCluster():
		cluster = governing.New(cfg)
	}
	build := governor.New
	if s.canary != nil {
		build = func(c governor.Config) (governor.Governor, error) { return governor.NewCanary(c, *s.canary) }
	}
	for range n {
		gov, err := build(s.Governor)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range dress {
			gov = d(gov)
		}
		each = append(each, gov)
	}
	return each, cluster, nil
}

// Recipients returns the total length of all synthetic lists.
func (s *Scenario) Recipients() int {
	n := 0
	for _, c := range s.Campaigns {
		n += c.Recipients
	}
	return n
}

// List returns the synthetic list of all campaigns: key draws each recipient's
// destination by the destinations' shares. If lists are partitioned, each destination
// has exactly its share.
func (s *Scenario) List(key rng.Key) mail.List {
	if !s.Dispatch.Plain() {
		return mail.GroupedList(s.groups())
	}
	var shares []float64
	for _, d := range s.Destinations {
		shares = append(shares, d.Share)
	}
	if s.Dispatch.SameList && len(s.Campaigns) > 1 {
		once := mail.SyntheticList(s.Recipients(), shares, key)
		var all []mail.Destination
		for _, c := range s.Campaigns {
			for i := range c.Recipients {
				all = append(all, once.Destination(mail.Recipient(i)))
			}
		}
		return mail.ReadList(all)
	}
	return mail.SyntheticList(s.Recipients(), shares, key)
}

// Shares returns the share of a synthetic list that each destination has; they add up to 1.
func (s *Scenario) Shares() (all []float64) {
	sum := 0.0
	for _, d := range s.Destinations {
		sum += d.Share
	}
	for _, d := range s.Destinations {
		all = append(all, d.Share/sum)
	}
	return all
}
