package bench

import (
	"slices"

	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/scenarios"
)

// Feature is a feature of a scenario that takes computing time.
type Feature struct {
	Name string
	has  func(s *scenarios.Scenario) bool
	drop func(s *scenarios.Scenario) // removes the feature from a copy with its own servers and destinations
}

var all = []Feature{
	{"lost packets",
		func(s *scenarios.Scenario) bool { return s.Network.HopLoss > 0 },
		func(s *scenarios.Scenario) { s.Network.HopLoss = 0 }},
	{"servers slowed by load",
		func(s *scenarios.Scenario) bool {
			return slices.ContainsFunc(s.Servers, func(v config.Server) bool {
				return v.Contention > 0 ||
					v.Coherency > 0
			})
		},
		func(s *scenarios.Scenario) {
			for i := range s.Servers {
				s.Servers[i].Contention, s.Servers[i].Coherency = 0, 0
			}
		}},
	{"caps", anyDestination(func(d *config.Destination) bool { return d.Cap > 0 }),
		everyDestination(func(d *config.Destination) { d.Cap = 0 })},
	{"greylists", anyDestination(func(d *config.Destination) bool { return d.Greylist.Share > 0 }),
		everyDestination(func(d *config.Destination) { d.Greylist.Share = 0 })},
	{"habits of receivers", anyDestination(func(d *config.Destination) bool { return d.HasBehaviour() }),
		everyDestination(func(d *config.Destination) { *d = d.WithoutBehaviour() })},
	{"failures, and so resends", anyDestination(func(d *config.Destination) bool {
		return len(d.Fail) > 0 ||
			len(d.Dead) > 0
	}),
		everyDestination(func(d *config.Destination) { d.Fail, d.Dead = nil, nil })},
	{"random times", anyDestination(func(d *config.Destination) bool {
		return d.RTT.Dist != "constant" || d.Banner.Dist != "constant" || d.RCPT.Dist != "constant" ||
			d.Dot.Dist != "constant"
	}),
		everyDestination(func(d *config.Destination) {
			d.RTT, d.Banner, d.RCPT, d.Dot = middle(d.RTT), middle(d.Banner), middle(d.RCPT), middle(d.Dot)
		})},
	{"look-ups that take time",
		func(s *scenarios.Scenario) bool { return s.Network.DNS.HitRatio < 1 },
		func(s *scenarios.Scenario) { s.Network.DNS.HitRatio = 1 }},
	{"connections of less than 1000 messages",
		func(s *scenarios.Scenario) bool { return s.Dialogue.Messages < 1000 },
		func(s *scenarios.Scenario) { s.Dialogue.Messages = 1000 }},
	{"several destinations",
		func(s *scenarios.Scenario) bool { return len(s.Destinations) > 1 },
		func(s *scenarios.Scenario) { s.Destinations = s.Destinations[:1] }},
}

func middle(d delay.Dist) delay.Dist { return delay.Constant(vt.Span(d.Quantile(0.5))) }

func anyDestination(has func(*config.Destination) bool) func(*scenarios.Scenario) bool {
	return func(s *scenarios.Scenario) bool {
		return slices.ContainsFunc(s.Destinations, func(d config.Destination) bool { return has(&d) })
	}
}

func everyDestination(drop func(*config.Destination)) func(*scenarios.Scenario) {
	return func(s *scenarios.Scenario) {
		for i := range s.Destinations {
			drop(&s.Destinations[i])
		}
	}
}

// Features returns the features that a scenario has.
func Features(s *scenarios.Scenario) []Feature {
	var has []Feature
	for _, f := range all {
		if f.has(s) {
			has = append(has, f)
		}
	}
	return has
}

// Without returns a copy of the scenario without the feature.
func (f Feature) Without(s *scenarios.Scenario) *scenarios.Scenario {
	c := *s
	c.Servers, c.Destinations = slices.Clone(s.Servers), slices.Clone(s.Destinations)
	f.drop(&c)
	return &c
}

// Shortened returns a copy of the scenario whose lists are cut in proportion to
// at most about recipients in all.
func Shortened(s *scenarios.Scenario, recipients int) *scenarios.Scenario {
	c := *s
	c.Campaigns = slices.Clone(s.Campaigns)
	if all := s.Recipients(); all > recipients {
		for i := range c.Campaigns {
			c.Campaigns[i].Recipients = max(1, int(float64(c.Campaigns[i].Recipients)/float64(all)*float64(recipients)))
		}
	}
	return &c
}
