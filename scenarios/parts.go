package scenarios

import (
	"cmp"
	"math"
	"slices"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/governing"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/limits"
	"flyball/reports/runlog"
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

// Arrival is a message from the operator that assigns a part of a campaign's
// list to a server.
type Arrival struct {
	At       vt.Time
	Due      vt.Time        // deadline of the campaign; vt.Never without one
	Campaign int            // position among the campaigns
	First    mail.Recipient // of the campaign's list
	Server   mail.Server
	Number   uint64 // of the message among all messages to the server, from 1
	Reserve  engine.Reserve
}

// Message returns the arrival as the message that the server receives.
func (a Arrival) Message() engine.Message {
	return engine.Message{To: engine.Address{Role: engine.Delivery, Server: a.Server}, Number: a.Number,
		Body: a.Reserve}
}

// due returns the deadline of the campaign, vt.Never without one.
func (c Campaign) due() vt.Time {
	if c.Deadline == 0 {
		return vt.Never
	}
	return vt.Time(c.Deadline)
}

// CampaignsOf returns the campaigns of a run over a list of that many recipients, without their
// results.
func (s *Scenario) CampaignsOf(recipients int) []runlog.Campaign {
	var all []runlog.Campaign
	for _, c := range s.Campaigns {
		all = append(all, runlog.Campaign{Name: c.Name, Start: vt.Time(c.Start), Deadline: c.due()})
	}
	first := mail.Recipient(0)
	for i, end := range s.Ends(recipients) {
		all[i].Recipients = uint64(end - first)
		first = end
	}
	return all
}

// Receivers returns what the scenario states about each destination: limits are of a server,
// with all its source addresses.
func (s *Scenario) Receivers() []runlog.Receiver {
	addresses := math.MaxInt // of the smallest pool, on the server that has most of them
	for _, c := range s.Campaigns {
		most := 0
		for _, v := range s.Servers {
			most = max(most, v.AddressesOf(c.Pool))
		}
		addresses = min(addresses, most)
	}
	var all []runlog.Receiver
	fresh, kept := s.times(mail.Fresh), s.times(mail.Reused)
	for i, own := range s.Destinations {
		d := own
		named := func(v config.Destination) bool { return v.Name == own.LimitsOf }
		if i := slices.IndexFunc(s.Destinations, named); i >= 0 {
			d = s.Destinations[i]
		}
		times := 1
		if !d.Shared && d.By != "block" {
			times = addresses
		}
		points := d.Reputation
		r := runlog.Receiver{Cap: d.Cap * times, Shared: d.Shared, Recent: d.Recent, HangsUp: d.HangsUp,
			Messages: cmp.Or(own.Send.Messages, own.Messages, s.Dialogue.Messages), Fresh: fresh[i], Kept: kept[i],
			Distrusted: runlog.Distrusted{PerRefusal: points.PerRefusal, PerDead: points.PerDead,
				PerDelivery: points.PerComplaint * points.Complaints},
			Bucket:   runlog.Refusal{Limit: float64(d.Bucket.Rate) * float64(times), Code: d.Bucket.Reply},
			Distrust: !d.Reputation.Off(),
			Grey:     runlog.Refusal{Limit: own.Greylist.Share, Code: own.Greylist.Reply}}
		if !d.Throttle.Off() {
			r.Soft = runlog.Refusal{Limit: max(float64(d.Throttle.Soft), 1) * float64(times), Code: d.Throttle.Reply}
			r.Hard = float64(d.Throttle.Hard) * float64(times)
		}
		if !d.Penalty.Off() {
			r.Penalty = runlog.Refusal{Limit: float64(d.Penalty.Rate) * float64(times), Code: d.Penalty.Reply}
			r.Pause = d.Penalty.Pause
		}
		for _, e := range d.Refuse {
			at, _ := mail.StageNamed(e.At)
			event := runlog.Event{From: vt.Time(e.From), To: vt.Never, Stage: at, Code: e.Reply, Share: e.Share}
			if e.To > 0 {
				event.To = vt.Time(e.To)
			}
			r.Events = append(r.Events, event)
		}
		for _, a := range d.Allowances {
			w := runlog.Window{Refusal: runlog.Refusal{Limit: float64(a.Limit), Code: a.Reply}, Length: a.Window,
				Fleet: a.Fleet() || a.OfCampaigns() || d.Shared}
			if a.Scope == "server" {
				w.Limit *= float64(times)
			}
			r.Windows = append(r.Windows, w)
		}
		delay := own.Greylist.Delay
		r.Delay = max(delay.Mean, delay.Median, delay.Min, delay.Max, delay.Scale)
		all = append(all, r)
	}
	return all
}

// times returns the mean time of an attempt by destination, over the servers.
func (s *Scenario) times(kind mail.Conn) (all []vt.Span) {
	n := len(s.Servers)
	for each := range slices.Chunk(s.Netmodel().Times(kind), n) {
		sum := vt.Span(0)
		for _, ms := range each {
			sum += vt.Span(ms) * vt.Millisecond
		}
		all = append(all, sum/vt.Span(n))
	}
	return all
}

// Sending returns what a forecast needs of each server's work; given means that the list is not the
// scenario's own.
func (s *Scenario) Sending(given bool) runlog.Sending {
	plan := s.Retry.Spelled()
	v := runlog.Sending{Delays: plan.Delays, Limit: plan.Limit}
	if given || !s.Dispatch.Plain() {
		return v
	}
	v.Shares = s.Shares()
	return v
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

// Sender returns what the scenario orders of each server.
func (s *Scenario) Sender() runlog.Sender {
	v := runlog.Sender{Max: s.Governor.Max}
	for _, c := range s.Campaigns {
		v.Requested += c.Processes
		v.Rates = append(v.Rates, float64(c.Rate))
		v.Size += float64(cmp.Or(c.Size, s.Message.Size)) * float64(c.Recipients) / float64(s.Recipients())
	}
	v.Size *= math.Exp(s.Message.SizeSigma * s.Message.SizeSigma / 2)
	for _, own := range s.Servers {
		v.Servers = append(v.Servers, runlog.Own{Name: own.Name, Connections: own.Connections, Rate: float64(own.Rate),
			Bandwidth: float64(own.Bandwidth), Share: own.Share})
	}
	tables := s.ReplyTables()
	v.Closes = !s.Governor.Destination.Limits() && (slices.ContainsFunc(tables, replies.Table.Gates) ||
		slices.ContainsFunc(s.Destinations, func(d config.Destination) bool { return d.Send.Gates() }))
	for _, table := range tables {
		rows := []runlog.Reading{}
		for _, r := range table {
			rows = append(rows, runlog.Reading{Match: r.String(), Class: r.Class, Reaction: r.Reaction, Alarm: r.Alarm})
		}
		v.Replies = append(v.Replies, rows)
	}
	if plan := s.Retry.Spelled(); len(plan.Delays) > 0 && plan.Limit > 0 {
		v.FirstWait = plan.Delays[0]
	}
	return v
}

// Arrivals lists the work of all servers, in order of time, if lists are cut as they stand. Each campaign's
// list is cut into one run of recipients per server, by the servers' shares,
// rounded to the nearest recipient ([0062]). If recipients differs from
// Recipients(), the list is divided among the campaigns, see Ends.
func (s *Scenario) Arrivals(recipients int) []Arrival {
	var weight float64
	for _, v := range s.Servers {
		weight += v.Share
	}
	var all []Arrival
	first, ends := 0, s.Ends(recipients)
	for number := range s.Campaigns {
		last := int(ends[number])
		from, sum := first, 0.0
		for i, v := range s.Servers {
			sum += v.Share
			to := first + int(math.Round(float64(last-first)*(sum/weight)))
			if to > from {
				all = append(all, s.arrival(number, i, mail.Recipient(first), mail.Recipient(from), mail.Recipient(to)))
			}
			from = to
		}
		first = last
	}
	return inOrder(all, len(s.Servers))
}
