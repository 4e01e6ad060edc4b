package delivery

import (
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// conditions are what the attempts that ended in an interval say of receivers
// and network ([0063]), for laws that look at more than the rate.
type conditions struct {
	retries, deferrals, bounces, refusals, timeouts uint64
	took                                            vt.Span // of all attempts
	lookup                                          vt.Span // of all look-ups
	lookups                                         uint64
	hops                                            uint64 // of all attempts whose way is known
	known                                           uint64
}

func (c *conditions) count(a *mail.Attempt, end mail.Completion) {
	if a.Try > 0 {
		c.retries++
	}
	r := end.Reply
	switch {
	case r.Fault != mail.NoFault:
		c.timeouts++
	case r.Code >= 500:
		c.bounces++
	case r.Code >= 400:
		c.deferrals++
		if r.Code == 421 {
			c.refusals++
		}
	}
	c.took += r.Took
	if a.Conn == mail.Fresh {
		c.lookup += end.Way.Lookup()
		c.lookups++
	}
	if hops := end.Way.Hops(); hops > 0 {
		c.hops += hops
		c.known++
	}
}

// into tells a sample; means over nothing are 0.
func (c *conditions) into(s *governor.Sample) {
	s.Retries, s.Deferrals, s.Bounces, s.Refusals, s.Timeouts = c.retries, c.deferrals, c.bounces, c.refusals, c.timeouts
	if s.Attempts > 0 {
		s.AttemptTime = c.took / vt.Span(s.Attempts)
	}
	if c.lookups > 0 {
		s.LookupTime = c.lookup / vt.Span(c.lookups)
	}
	if c.known > 0 {
		s.Hops = float64(c.hops) / float64(c.known)
	}
}

// add counts what was counted elsewhere as well.
func (c *conditions) add(o *conditions) {
	c.retries += o.retries
	c.deferrals += o.deferrals
	c.bounces += o.bounces
	c.refusals += o.refusals
	c.timeouts += o.timeouts
	c.took += o.took
	c.lookup += o.lookup
	c.lookups += o.lookups
	c.hops += o.hops
	c.known += o.known
}

func (c *conditions) state(s *snap.Codec) {
	for _, n := range []*uint64{&c.retries, &c.deferrals, &c.bounces, &c.refusals, &c.timeouts, &c.lookups, &c.hops, &c.known} {
		snap.Int(s, n)
	}
	snap.Int(s, &c.took)
	snap.Int(s, &c.lookup)
}
