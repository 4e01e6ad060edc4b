package scope

import (
	_ "embed"
	"fmt"
	"math"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/scenarios"
)

// Limits of a scenario for a search: everything that its servers do is a place to stop at.
const (
	mostRecipients = 200
	mostServers    = 10
)

// SmallName is the name of the scenario of Small.
const SmallName = "crash-small"

// SmallText is that scenario. The other built-in scenarios are for the network model, which needs larger lists.
//
//go:embed crash-small.toml
var SmallText []byte

// Of returns the world with a scenario's sizes, or an error that names what is too large. Campaigns become mailings
// that overlap and divide all recipients evenly. Chances and times are means over the destinations: greylisted
// recipients are deferred, and dead ones refused; an attempt takes its mean time on a new connection. What a scenario
// without a sending server does not have is as in the small scope.
func Of(s *scenarios.Scenario) (Config, error) {
	c := Small()
	if c.Recipients = s.Recipients(); c.Recipients > mostRecipients {
		return c, fmt.Errorf("campaign: got %d recipients in all campaigns, want at most %d: everything that servers "+
			"do for them is a place to stop at", c.Recipients, mostRecipients)
	}
	if c.Servers = len(s.Servers); c.Servers > mostServers {
		return c, fmt.Errorf("server: got %d, want at most %d", c.Servers, mostServers)
	}
	c.Mailings, c.Seed, c.Horizon = len(s.Campaigns), s.Seed, s.Horizon
	c.Processes = max(1, min(s.Campaigns[0].Processes, int(s.Governor.Start), c.Recipients))
	if s.Dispatch.Sends() {
		c.sender(s)
	}
	c.chances(s)
	c.times(s)
	return c, nil
}

// sender takes what a scenario has about a sending server, the bus, disks, returned mail and requests. Half of those
// who ask to be deleted ask to be added again.
func (c *Config) sender(s *scenarios.Scenario) {
	d := &s.Dispatch
	c.Check, c.Lease, c.Patience, c.Window, c.Licence = d.Check, d.Lease, d.Patience, d.Window, d.Licence
	if d.Fetches() {
		c.Chunk = d.Chunk
	}
	c.Message, c.Commit = s.Bus.Delay, s.Disk.Commit
	returned, asks := 0.0, 0.0
	for i, share := range s.Shares() {
		returned += share * s.Destinations[i].Returned.Share
	}
	for i := range s.Campaigns {
		asks += float64(s.Campaigns[i].Recipients) * s.Campaigns[i].Asks.Share
	}
	c.Returned = int(math.Ceil(returned * float64(c.Recipients)))
	c.Requests = int(math.Ceil(asks))
	c.Joins, c.Asks, c.Confirm = (c.Requests+1)/2, s.Campaigns[0].Asks.After, s.Requests.Confirm
}

// chances sets the shares of recipients who are deferred and refused.
func (c *Config) chances(s *scenarios.Scenario) {
	c.Deferred, c.Refused = 0, 0
	for i, share := range s.Shares() {
		d := &s.Destinations[i]
		deferred, refused := d.Greylist.Share, 0.0
		for _, v := range d.Dead {
			refused += v.Share
		}
		for _, f := range d.Fail {
			switch {
			case f.Reply >= 500:
				refused += f.P
			case f.Reply >= 400:
				deferred += f.P
			}
		}
		c.Deferred += share * deferred
		c.Refused += share * refused
	}
	c.Refused = min(c.Refused, 0.9)
	c.Deferred = min(c.Deferred, 0.95-c.Refused)
}

// times sets how long an attempt takes. The reply to a final dot takes a round trip and the receiver's own time, and
// the receiver decides at half of it; the rest is before the final dot, and varies from a time to twice as much.
func (c *Config) times(s *scenarios.Scenario) {
	n := s.Netmodel()
	all := n.Times(mail.Fresh)
	var whole, reply float64 // ms
	for i, share := range s.Shares() {
		for j := range c.Servers {
			whole += share * float64(all[i*c.Servers+j]) / float64(c.Servers)
		}
		reply += share * replyOf(&s.Destinations[i])
	}
	c.Accept = max(1, vt.Span(reply/2*float64(vt.Millisecond)))
	c.Answer = c.Accept
	c.Open = max(1, vt.Span((whole-reply)/1.5*float64(vt.Millisecond)))
}

func replyOf(d *config.Destination) (ms float64) {
	return (d.RTT.ExactMean() + d.Dot.ExactMean()) / float64(vt.Millisecond)
}
