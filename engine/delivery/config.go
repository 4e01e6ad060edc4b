package delivery

import (
	"slices"

	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/vt"
)

// Config configures one machine.
type Config struct {
	Server   mail.Server
	Retry    retry.Config
	Freeing  Freeing
	Messages int // most messages per connection
	// most messages per connection by destination; Messages if 0 or beyond the end
	Offers   []int
	Send     []mail.Send     // the sender's own policy by destination; none beyond the end
	Replies  []replies.Table // the sender's reading of replies by destination; none beyond the end
	Servers  int             // number of servers that React goes to, with this one
	Interval vt.Span         // S, the time between decisions of the governor
	// messages per hour to attain in an interval that begins at a time; nil: the target of the
	// governor's Config
	Target   func(vt.Time) float64
	Pauses   []vt.Window // times at which no attempt begins, in order and apart
	Most     int         // most MTA processes, whatever C is; 0: any number
	Together bool        // report every interval to the governing role, whose Verdict decides

	Destination  governor.Destination // law that limits each destination
	Destinations int                  // number of destinations; ignored if neither Destination nor Send sets a limit
}

// published returns the number of MTA processes that may be allocated of C.
func (c *Config) published(available float64) int {
	n := governor.Published(available)
	if c.Most > 0 {
		n = min(n, c.Most)
	}
	return n
}

func (c *Config) messagesTo(d mail.Destination) int {
	if int(d) < len(c.Offers) && c.Offers[d] > 0 {
		return c.Offers[d]
	}
	return c.Messages
}

func (c *Config) targetAt(now vt.Time) float64 {
	if c.Target == nil {
		return 0
	}
	return c.Target(now)
}

// delays returns the waits before the resends to the destination d.
func (c *Config) delays(d mail.Destination) []vt.Span {
	if int(d) < len(c.Send) && len(c.Send[d].Delays) > 0 {
		return c.Send[d].Delays
	}
	return c.Retry.Delays
}

// longest returns the longest wait before a resend.
func (c *Config) longest() vt.Span {
	all := append([]vt.Span{c.Retry.GreylistDelay}, c.Retry.Delays...)
	for _, s := range c.Send {
		all = append(all, s.Delays...)
	}
	for _, table := range c.Replies {
		for _, row := range table {
			if row.Reaction == "hold" {
				all = append(all, row.For)
			}
		}
	}
	return slices.Max(all)
}
