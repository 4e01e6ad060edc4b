package governor

import (
	"math"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// AIMD is additive increase, multiplicative decrease, after Netflix
// concurrency-limits, AIMDLimit (restated). There each request is a sample: one
// that was dropped or took longer than the time-out makes the limit L
// int(0.9 L), any other makes it L + 1 if at least half of L is in use.
//
// Here an interval is a sample. It counts as dropped if more than the share
// drops of its attempts was refused or timed out, or if its mean attempt took
// longer than the time-out. The library has no such share: of the thousands of
// attempts in an interval one always fails.
type AIMD struct {
	Backoff float64 `toml:"backoff" doc:"what remains of the limit after a dropped interval" range:"0.5..0.999"`
	Timeout vt.Span `toml:"timeout" doc:"an interval whose mean attempt took longer counts as dropped"`
	Drops   float64 `toml:"drops" doc:"an interval with a larger share of its attempts refused or timed out counts as dropped" range:"0..1"`
	Min     float64 `toml:"min" doc:"least limit" range:"1..1000000"`
	Max     float64 `toml:"max" doc:"greatest limit" range:"1..1000000"`
}

func (a AIMD) validate() []error {
	var l conf.List
	l.Check(a.Backoff >= 0.5 && a.Backoff <= 0.999, "backoff", "got %g, want 0.5 to 0.999", a.Backoff)
	l.Check(a.Timeout > 0 && a.Timeout <= 30*vt.Day, "timeout", "got %s, want more than 0s, at most 30d", a.Timeout)
	l.Check(a.Drops >= 0 && a.Drops <= 1, "drops", "got %g, want 0 to 1", a.Drops)
	checkLimits(&l, a.Min, a.Max)
	return l
}

// checkLimits checks the range of a seeker.
func checkLimits(l *conf.List, low, high float64) {
	l.Check(low >= 1 && low <= 1e6, "min", "got %g, want 1 to 1000000", low)
	l.Check(high >= 1 && high <= 1e6, "max", "got %g, want 1 to 1000000", high)
	l.Check(!(low > high), "min", "got %g, want at most max = %g", low, high)
}

type aimd struct{ gauge }

func (g *aimd) Decide(s Sample) Decision {
	d := g.measure(s)
	a, c := g.cfg.AIMD, g.available
	next := c
	switch {
	case d.Flags&(NoTime|Idle) != 0:
		return d
	case a.dropped(s):
		d.Flags |= Drop
		next = min(c-1, math.Floor(float64(c*a.Backoff)))
	case 2*d.Allocated >= c:
		next = c + 1
	default:
		d.Flags |= Slack
	}
	g.settle(&d, min(max(next, a.Min), a.Max))
	d.Step = math.Abs(d.Available - c)
	return d
}

func (a AIMD) dropped(s Sample) bool {
	lost := float64(s.Refusals) + float64(s.Timeouts)
	return lost > float64(a.Drops*float64(max(s.Attempts, s.Delivered))) || s.attemptTime() > a.Timeout.Hours()*3600
}
