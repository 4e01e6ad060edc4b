package work_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/scenarios"
	"flyball/scenarios/work"
)

const fiveServers = `
schema_version = 1
name = "five"
[sender]
partition = "equal"
[[server]]
name = "b1"
[[server]]
name = "b2"
[[server]]
name = "b3"
[[server]]
name = "b4"
[[server]]
name = "b5"
[[destination]]
name = "d1"
domain = "d1.example"
share = 2
[[destination]]
name = "d2"
domain = "d2.example"
network = "aol"
[[campaign]]
name = "first"
recipients = 200000
[[campaign]]
name = "second"
start = "1h"
recipients = 7
`

func load(t *testing.T, set ...string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load("five.toml", []byte(fiveServers), set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// [0062]: 200,000 recipients over five servers are 40,000 each, whatever list it is, and each recipient is in
// one part of its own campaign.
func TestPartsOfAList(t *testing.T) {
	s := load(t)
	list := s.List(rng.New(1, 0))
	read := mail.ReadList(slices.Concat(slices.Repeat([]mail.Destination{1}, 66_667),
		slices.Repeat([]mail.Destination{0}, 133_340)))
	for name, of := range map[string]*mail.List{"synthetic": &list, "read": &read} {
		dealt, parts, err := work.Of(s, of, rng.New(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		first := map[mail.Server]int{}
		seen := make([]bool, dealt.Len())
		for _, a := range parts {
			counts := [2]int{}
			for place := a.Reserve.From; place < a.Reserve.To; place++ {
				r := dealt.At(place)
				if seen[r] || (r < 200_000) != (a.Campaign == 0) {
					t.Fatalf("%s: recipient %d is in campaign %d", name, r, a.Campaign)
				}
				seen[r] = true
				counts[dealt.Destination(r)]++
			}
			if a.Campaign == 0 {
				first[a.Server] = counts[0] + counts[1]
				if counts[1] < 13_332 || counts[1] > 13_335 {
					t.Errorf("%s: server %d has %d of the second destination, want a fifth of 66,667", name, a.Server,
						counts[1])
				}
			}
			if want := mail.Recipient(200_000 * a.Campaign); a.First != want {
				t.Errorf("%s: campaign %d begins at %d, want %d", name, a.Campaign, a.First, want)
			}
		}
		for server, n := range first {
			if n != 40_000 {
				t.Errorf("%s: server %d has %d, want 40,000", name, server, n)
			}
		}
		if slices.Contains(seen, false) {
			t.Errorf("%s: some recipient is in no part", name)
		}
	}
}

// Recipients keep their numbers and destinations under every strategy, so that comparisons are paired.
func TestStrategiesShareRecipients(t *testing.T) {
	want := load(t).List(rng.New(1, 0))
	for _, name := range scenarios.Strategies() {
		list := load(t, "sender.partition="+name).List(rng.New(1, 0))
		if list.Len() != want.Len() || list.Digest() != want.Digest() {
			t.Errorf("%s has another list", name)
		}
	}
}

// A resolved scenario without a partition has no table of it, so that its ID is what it was.
func TestSharesLeaveNoTrace(t *testing.T) {
	s := load(t, "sender.partition=shares")
	for _, word := range []string{"[sender]", "imbalance", "region"} {
		if strings.Contains(string(scenarios.Resolved(s)), word) {
			t.Errorf("%s is in the resolved scenario", word)
		}
	}
	if _, parts, err := work.Of(s, new(mail.List), rng.Key{}); err != nil || len(parts) > 0 {
		t.Errorf("an empty list has parts %v, %v", parts, err)
	}
}

// A server gets no more of a destination than its connections there carry while all servers together carry the
// list: with caps for each server, a near destination is spread.
func TestOptimalHeedsCaps(t *testing.T) {
	near := []string{"sender.partition=optimal", "network.distance=[{from='b2', to='d2', extra_rtt='300ms'}, " +
		"{from='b3', to='d2', extra_rtt='300ms'}, {from='b4', to='d2', extra_rtt='300ms'}, " +
		"{from='b5', to='d2', extra_rtt='300ms'}]"}
	first := func(set ...string) (n int64) {
		s := load(t, append(near, set...)...)
		p := s.Problems()[0]
		plan, err := work.Plan("optimal", p, rng.Key{})
		if err != nil {
			t.Fatal(err)
		}
		return plan.Counts[p.At(1, 0)]
	}
	if free := first(); free < 41_000 {
		t.Errorf("the near server has %d, want all that it may have", free)
	}
	// 66,667 recipients over 5 caps of 20: the near server's fifth of the connections is six times as fast at most.
	capped := first("destination[1].cap=20")
	if all := first("destination[1].cap=5000"); capped >= 41_000 || all < 41_000 {
		t.Errorf("the near server has %d with a cap of 20, %d with a cap of 5000", capped, all)
	}
}

// A list that is longer than the scenario's own may have no room; that is an error, not a panic.
func TestNoRoomForALongerList(t *testing.T) {
	s := load(t, "sender.partition=optimal", "sender.imbalance=1", "server[0].quota=40000")
	read := mail.ReadList(make([]mail.Destination, 400_014))
	if _, _, err := work.Of(s, &read, rng.Key{}); err == nil {
		t.Error("a list of twice the length has room")
	}
}

// Quotas of servers bind the optimal plan and one that learns: beside any other strategy they refuse nothing.
func TestQuotasBindBalancedPlansAlone(t *testing.T) {
	for _, name := range scenarios.Strategies() {
		set := []string{"sender.partition=" + name}
		for i := range 5 {
			set = append(set, fmt.Sprintf("server[%d].quota=10", i))
		}
		s, err := scenarios.Load("five.toml", []byte(fiveServers), set)
		if err == nil {
			list := s.List(rng.New(1, 0))
			_, _, err = work.Of(s, &list, rng.New(1, 0))
		}
		if (err != nil) != (name == "optimal" || name == "proximity") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
