// Package work turns the lists of a scenario into work for its servers: which part of each list a message gives to
// which server, and when. Both shells and the command line call it; what divides a list is in engine/partition and
// engine/proximity.
package work

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"flyball/engine"
	"flyball/engine/partition"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// Arrival is a message from the operator that assigns a part of a campaign's list to a server.
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

// Of returns the list of a run, in the order in which servers take it, and their parts of it. Lists are
// divided by sender.partition; key is for its draws. If a run learns, all parts are by what was known before it, see
// Planner. The error names a campaign that does not fit on the servers.
func Of(s *scenarios.Scenario, list *mail.List, key rng.Key) (*mail.List, []Arrival, error) {
	if s.Dispatch.Plain() {
		return list, Arrivals(s, list.Len()), nil
	}
	if s.Dispatch.Learns() {
		p, err := NewPlanner(s, list)
		if err != nil {
			return nil, nil, err
		}
		return p.List(), p.All(), nil
	}
	list = grouped(s, list)
	var all []Arrival
	ends := append([]mail.Recipient{0}, s.Ends(list.Len())...)
	for number, c := range s.Campaigns {
		plan, err := Plan(s.Dispatch.Partition, s.Problem(number, list.Groups(number)), key)
		if err != nil {
			return nil, nil, fmt.Errorf("campaign %s: %w", c.Name, err)
		}
		all = append(all, deal(s, list, number, plan.Counts, ends[number])...)
	}
	return list, inOrder(all, len(s.Servers)), nil
}

// Arrivals lists the work of all servers, in order of time, if lists are cut as they stand. Each campaign's list is
// cut into one run of recipients per server, by the servers' shares, rounded to the nearest recipient ([0062]). If
// recipients differs from s.Recipients, the list is divided among the campaigns, see Scenario.Ends.
func Arrivals(s *scenarios.Scenario, recipients int) []Arrival {
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
				all = append(all, arrival(s, number, i, mail.Recipient(first), mail.Recipient(from),
					mail.Recipient(to)))
			}
			from = to
		}
		first = last
	}
	return inOrder(all, len(s.Servers))
}

// Plan returns the plan of a problem by a strategy; key is for draws. The optimal plan alone heeds imbalance and
// quotas, so it alone has an error: that they leave no plan.
func Plan(strategy string, p *partition.Problem, key rng.Key) (plan partition.Plan, err error) {
	switch strategy {
	case "equal":
		return partition.Equal(p), nil
	case "random":
		return partition.Random(p, key), nil
	case "network":
		return partition.Network(p), nil
	case "region":
		return partition.Region(p), nil
	case "segment":
		return partition.Segment(p), nil
	case "optimal":
		if err := errors.Join(p.Validate()...); err != nil {
			return plan, err
		}
		plan, ok := partition.Optimal(p)
		if !ok {
			err = errors.New("quotas leave some recipients without a server")
		}
		return plan, err
	}
	panic(fmt.Sprintf("strategy %q makes no plan", strategy))
}

// grouped returns the list, ready to be dealt.
func grouped(s *scenarios.Scenario, list *mail.List) *mail.List {
	if list.Grouped() {
		return list
	}
	grouped := list.Group(s.Ends(list.Len()), len(s.Destinations))
	return &grouped
}

// deal deals a campaign, whose list begins at first, and returns its parts.
func deal(s *scenarios.Scenario, list *mail.List, number int, counts []int64, first mail.Recipient) (all []Arrival) {
	from := first
	for i, to := range list.Deal(number, counts, len(s.Servers)) {
		if to > from {
			all = append(all, arrival(s, number, i, first, from, to))
		}
		from = to
	}
	return all
}

// arrival returns the part [from, to) of a campaign's list, which begins at first.
func arrival(s *scenarios.Scenario, number, server int, first, from, to mail.Recipient) Arrival {
	c := s.Campaigns[number]
	a := Arrival{At: vt.Time(c.Start), Due: c.Due(), Campaign: number, First: first, Server: mail.Server(server)}
	a.Reserve = engine.Reserve{From: from, To: to, Processes: c.Processes, Subset: c.Subset, Priority: c.Priority,
		Rate: c.Rate}
	return a
}

// inOrder sorts arrivals by time and numbers the messages to each server.
func inOrder(all []Arrival, servers int) []Arrival {
	slices.SortStableFunc(all, func(a, b Arrival) int { return int(min(max(a.At-b.At, -1), 1)) })
	sent := make([]uint64, servers)
	for i := range all {
		sent[all[i].Server]++
		all[i].Number = sent[all[i].Server]
	}
	return all
}
