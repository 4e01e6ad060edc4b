package engine

import (
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Conditions are sums and counts over the attempts that ended in an interval, of
// the conditions of receivers and network ([0063]). Laws that use more than the
// rate need them.
type Conditions struct {
	Retries, Deferrals, Bounces, Refusals, Timeouts uint64 // see governor.Sample

	Took    vt.Span // sum over all attempts
	Lookup  vt.Span // sum over all look-ups
	Lookups uint64
	Hops    uint64 // sum over the Known attempts
	Known   uint64 // number of attempts whose hops are known
}

// Count adds the attempt a and its end.
func (c *Conditions) Count(a *mail.Attempt, end *mail.Completion) {
	if a.Try > 0 {
		c.Retries++
	}
	r := &end.Reply
	switch {
	case r.Fault != mail.NoFault:
		c.Timeouts++
	case r.Code >= 500:
		c.Bounces++
	case r.Code >= 400:
		c.Deferrals++
		if r.Code == 421 {
			c.Refusals++
		}
	}
	c.Took += r.Took
	if a.Conn == mail.Fresh {
		c.Lookup += end.Way.Lookup()
		c.Lookups++
	}
	if hops := end.Way.Hops(); hops > 0 {
		c.Hops += hops
		c.Known++
	}
}

// Into copies the counts and means into s; a mean over nothing is 0.
func (c *Conditions) Into(s *governor.Sample) {
	s.Retries, s.Deferrals, s.Bounces, s.Refusals, s.Timeouts = c.Retries, c.Deferrals, c.Bounces, c.Refusals,
		c.Timeouts
	if s.Attempts > 0 {
		s.AttemptTime = c.Took / vt.Span(s.Attempts)
	}
	if c.Lookups > 0 {
		s.LookupTime = c.Lookup / vt.Span(c.Lookups)
	}
	if c.Known > 0 {
		s.Hops = float64(c.Hops) / float64(c.Known)
	}
}

// add merges the counts of another server into c.
func (c *Conditions) add(o *Conditions) {
	c.Retries += o.Retries
	c.Deferrals += o.Deferrals
	c.Bounces += o.Bounces
	c.Refusals += o.Refusals
	c.Timeouts += o.Timeouts
	c.Took += o.Took
	c.Lookup += o.Lookup
	c.Lookups += o.Lookups
	c.Hops += o.Hops
	c.Known += o.Known
}

// State saves or restores the counts.
func (c *Conditions) State(s *snap.Codec) {
	s.Fields(&c.Retries, &c.Deferrals, &c.Bounces, &c.Refusals, &c.Timeouts, &c.Lookups, &c.Hops, &c.Known, &c.Took,
		&c.Lookup)
}
