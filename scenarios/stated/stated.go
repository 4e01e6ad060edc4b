// Package stated puts what a scenario states of its campaigns, servers and receivers into the words of a
// run's records, so that reports need not know scenarios.
package stated

import (
	"cmp"
	"math"
	"slices"

	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// Campaigns returns the campaigns of a run over a list of that many recipients, without their
// results.
func Campaigns(s *scenarios.Scenario, recipients int) []runlog.Campaign {
	var all []runlog.Campaign
	for _, c := range s.Campaigns {
		all = append(all, runlog.Campaign{Name: c.Name, Start: vt.Time(c.Start), Deadline: c.Due()})
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
func Receivers(s *scenarios.Scenario) []runlog.Receiver {
	addresses := math.MaxInt // of the smallest pool, on the server that has most of them
	for _, c := range s.Campaigns {
		most := 0
		for _, v := range s.Servers {
			most = max(most, v.AddressesOf(c.Pool))
		}
		addresses = min(addresses, most)
	}
	var all []runlog.Receiver
	fresh, kept := times(s, mail.Fresh), times(s, mail.Reused)
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
func times(s *scenarios.Scenario, kind mail.Conn) (all []vt.Span) {
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
func Sending(s *scenarios.Scenario, given bool) runlog.Sending {
	plan := s.Retry.Spelled()
	v := runlog.Sending{Delays: plan.Delays, Limit: plan.Limit}
	if given || !s.Dispatch.Plain() {
		return v
	}
	v.Shares = s.Shares()
	return v
}

// Sender returns what the scenario orders of each server.
func Sender(s *scenarios.Scenario) runlog.Sender {
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
