package crash

import (
	"fmt"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/scenarios"
)

// Limits of a scenario for a search: everything that its servers do is a place to stop at.
const (
	mostRecipients = 200
	mostServers    = 10
)

// Of returns the world with a scenario's sizes, or an error that names what is too large. Campaigns become mailings
// that overlap and divide all recipients evenly. Chances and times are means over the destinations: greylisted
// recipients are deferred, and dead ones refused; an attempt takes its mean time on a new connection.
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
	c.chances(s)
	c.times(s)
	return c, nil
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

func replyOf(d *netmodel.Destination) (ms float64) {
	return (d.RTT.ExactMean() + d.Dot.ExactMean()) / float64(vt.Millisecond)
}
