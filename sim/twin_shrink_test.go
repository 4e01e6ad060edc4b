package sim_test

import (
	"slices"
	"time"

	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/scenarios"
)

// shrink makes a scenario smaller and plainer for as long as it still fails,
// so that what is reported holds little besides the cause. It takes its time,
// but no more than a few seconds.
func shrink(s *scenarios.Scenario, fails func(*scenarios.Scenario) bool) *scenarios.Scenario {
	began := time.Now()
	for progress := true; progress; {
		progress = false
		for _, simpler := range simplifications(s) {
			if time.Since(began) > 5*time.Second {
				return s
			}
			if len(simpler.Validate()) == 0 && scenarios.ID(simpler) != scenarios.ID(s) && fails(simpler) {
				s, progress = simpler, true
				break
			}
		}
	}
	return s
}

// simplifications are the scenarios that differ from s by one step towards a
// plain one.
func simplifications(s *scenarios.Scenario) (all []*scenarios.Scenario) {
	with := func(change func(c *scenarios.Scenario)) {
		c := clone(s)
		change(c)
		all = append(all, c)
	}
	for i := range s.Campaigns {
		with(func(c *scenarios.Scenario) { c.Campaigns = slices.Delete(c.Campaigns, i, i+1) })
		with(func(c *scenarios.Scenario) { c.Campaigns[i].Recipients = max(1, c.Campaigns[i].Recipients/2) })
		with(func(c *scenarios.Scenario) { c.Campaigns[i].Recipients = max(1, c.Campaigns[i].Recipients-1) })
		with(func(c *scenarios.Scenario) { c.Campaigns[i].Start = 0 })
		with(func(c *scenarios.Scenario) { c.Campaigns[i].Processes = 1000 })
		with(func(c *scenarios.Scenario) { c.Campaigns[i].Subset = 1 })
	}
	with(func(c *scenarios.Scenario) { c.Dispatch.Check, c.Bus = 0, scenarios.Default().Bus })
	for i := range s.Servers {
		with(func(c *scenarios.Scenario) { c.Servers = slices.Delete(c.Servers, i, i+1) })
		with(func(c *scenarios.Scenario) { c.Servers[i].Contention = 0 })
		with(func(c *scenarios.Scenario) { c.Servers[i].Coherency = 0 })
		with(func(c *scenarios.Scenario) { c.Servers[i].Down = nil })
		with(func(c *scenarios.Scenario) { c.Servers[i].ExtraHops, c.Servers[i].ExtraRTT = 0, 0 })
	}
	for i, d := range s.Destinations {
		with(func(c *scenarios.Scenario) { c.Destinations = slices.Delete(c.Destinations, i, i+1) })
		for f := range d.Fail {
			with(func(c *scenarios.Scenario) { c.Destinations[i].Fail = slices.Delete(c.Destinations[i].Fail, f, f+1) })
			with(func(c *scenarios.Scenario) { c.Destinations[i].Fail[f].P = 1 })
		}
		for f := range d.Dead {
			with(func(c *scenarios.Scenario) { c.Destinations[i].Dead = slices.Delete(c.Destinations[i].Dead, f, f+1) })
		}
		usual := config.DefaultDestination()
		with(func(c *scenarios.Scenario) { c.Destinations[i].Greylist.WhitelistAfter = 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Bucket = usual.Bucket })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Allowances = nil })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Refuse = nil })
		with(func(c *scenarios.Scenario) { c.Destinations[i].HangsUp, c.Destinations[i].HangsUpReply = 0, 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].HangsUpReply = 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].ResetReply = 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Penalty = usual.Penalty })
		with(func(c *scenarios.Scenario) {
			c.Destinations[i].Reputation.Complaints, c.Destinations[i].Reputation.PerComplaint = 0, 0
		})
		with(func(c *scenarios.Scenario) { c.Destinations[i].Throttle = usual.Throttle })
		with(func(c *scenarios.Scenario) {
			c.Destinations[i].Reputation, c.Destinations[i].Tarpit.PerPoint = usual.Reputation, 0
		})
		with(func(c *scenarios.Scenario) { c.Destinations[i].Tarpit = usual.Tarpit })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Knee = usual.Knee })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Outage = usual.Outage })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Daily = usual.Daily })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Weather = usual.Weather })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Down, c.Destinations[i].Drift = nil, nil })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Cap = 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Replies = nil })
		for r := range d.Replies {
			with(func(c *scenarios.Scenario) {
				c.Destinations[i].Replies = slices.Delete(c.Destinations[i].Replies, r, r+1)
			})
		}
		with(func(c *scenarios.Scenario) { c.Destinations[i].Send = usual.Send })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Send.Connections = 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Send.Rate = 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Send.ConnectionRate = 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Send.Burst = 1 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Send.Delays = nil })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Shared = false })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Greylist.Share = 0 })
		with(func(c *scenarios.Scenario) { c.Destinations[i].RTT = delay.Constant(50 * vt.Millisecond) })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Banner = delay.Constant(0) })
		with(func(c *scenarios.Scenario) { c.Destinations[i].RCPT = delay.Constant(0) })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Dot = delay.Constant(0) })
		with(func(c *scenarios.Scenario) { c.Destinations[i].Greylist.Delay = delay.Constant(vt.Minute) })
	}
	with(func(c *scenarios.Scenario) { c.Quiet = nil })
	with(func(c *scenarios.Scenario) { c.Replies = nil })
	for r := range s.Replies {
		with(func(c *scenarios.Scenario) { c.Replies = slices.Delete(c.Replies, r, r+1) })
	}
	with(func(c *scenarios.Scenario) { c.StartAt, c.UTCOffsets = 0, nil })
	plain := scenarios.Default()
	with(func(c *scenarios.Scenario) { c.Retry.Limit = 0 })
	with(func(c *scenarios.Scenario) { c.Retry.Limit = min(c.Retry.Limit, max(1, c.Retry.Limit-1)) })
	with(func(c *scenarios.Scenario) { c.Retry.Delays = c.Retry.Delays[:1] })
	with(plainRetries)
	with(func(c *scenarios.Scenario) { c.Retry.Low, c.Retry.Dwell, c.Retry.RestoreAfter = 0, 0, 0 })
	with(func(c *scenarios.Scenario) { c.Retry.MaxAge = 0 })
	with(func(c *scenarios.Scenario) { c.Retry.GreylistDelay = 0 })
	with(func(c *scenarios.Scenario) { c.Freeing = plain.Freeing })
	with(func(c *scenarios.Scenario) { c.Freeing.Shorten = 0 })
	with(func(c *scenarios.Scenario) { c.Retry.Bounce = "fail" })
	with(func(c *scenarios.Scenario) { c.Retry.Ambiguous = "hold" })
	with(func(c *scenarios.Scenario) { c.Governor.Law = "hold" })
	with(func(c *scenarios.Scenario) { c.Governor.Changes = nil })
	with(func(c *scenarios.Scenario) { c.Governor.Faults = nil })
	with(func(c *scenarios.Scenario) { c.Governor.Destination = plain.Governor.Destination })
	with(func(c *scenarios.Scenario) { c.Governor.Destination.Parked = 20000 })
	with(func(c *scenarios.Scenario) { c.Governor.Destination.Cohorts = 0 })
	with(func(c *scenarios.Scenario) { c.Governor.Start = 1 })
	with(func(c *scenarios.Scenario) { c.Governor.Start = float64(int(c.Governor.Start / 2)) })
	with(func(c *scenarios.Scenario) { c.Governor.Interval = 3 * vt.Hour })
	with(func(c *scenarios.Scenario) { c.Governor.Allocated = "average" })
	with(func(c *scenarios.Scenario) { c.Dialogue.Timeouts = plain.Dialogue.Timeouts })
	with(func(c *scenarios.Scenario) { c.Dialogue.Messages = 1 })
	with(func(c *scenarios.Scenario) {
		for i := range c.Destinations {
			c.Destinations[i].Messages = 0
		}
	})
	with(func(c *scenarios.Scenario) { c.Dialogue.Pipelining = false })
	with(func(c *scenarios.Scenario) { c.Dialogue.StartTLS = false })
	with(func(c *scenarios.Scenario) { c.Dialogue.Auth = "none" })
	with(func(c *scenarios.Scenario) { c.Network.Hops = config.Hops{Mean: 1, Min: 1, Max: 1} })
	with(func(c *scenarios.Scenario) { c.Network.PerHop = 0 })
	with(func(c *scenarios.Scenario) { c.Network.HopLoss = 0 })
	with(func(c *scenarios.Scenario) { c.Network.Down = nil })
	with(func(c *scenarios.Scenario) { c.Network.Drift = nil })
	with(func(c *scenarios.Scenario) { c.Network.DNS.Drift = nil })
	with(func(c *scenarios.Scenario) {
		c.Network.DNS = config.DNS{HitRatio: 1, Hit: delay.Constant(vt.Millisecond),
			Miss: delay.Constant(vt.Millisecond)}
	})
	with(func(c *scenarios.Scenario) { c.Message.Size = 1 })
	with(func(c *scenarios.Scenario) { c.Horizon = longDay(c) })
	return all
}

// clone is a copy that shares nothing with s.
func clone(s *scenarios.Scenario) *scenarios.Scenario {
	c := *s
	c.Retry.Delays, c.Governor.Changes = slices.Clone(s.Retry.Delays), slices.Clone(s.Governor.Changes)
	c.Servers, c.Campaigns, c.Destinations = slices.Clone(s.Servers), slices.Clone(s.Campaigns),
		slices.Clone(s.Destinations)
	c.Replies, c.Network.Distances = slices.Clone(s.Replies), slices.Clone(s.Network.Distances)
	for i := range c.Destinations {
		d := &c.Destinations[i]
		d.Send.Delays = slices.Clone(d.Send.Delays)
		d.Replies = slices.Clone(d.Replies)
		d.Fail, d.Dead, d.Down, d.Drift = slices.Clone(d.Fail), slices.Clone(d.Dead), slices.Clone(d.Down),
			slices.Clone(d.Drift)
	}
	return &c
}
