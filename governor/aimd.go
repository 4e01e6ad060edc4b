package governor

import (
	"math"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// AIMD holds the parameters of additive increase, multiplicative decrease, after
// Netflix concurrency-limits, AIMDLimit (restated). In the library each request
// is a sample: a request that was dropped or took longer than the time-out
// changes the limit L to int(0.9 L); any other changes it to L + 1 if at least
// half of L is in use.
//
// Here an interval is a sample. It counts as dropped if more than the share
// Drops of its attempts were refused or timed out, or if its mean attempt took
// longer than the time-out. The library has no such share; it is needed here
// because one of the thousands of attempts in an interval always fails.
type AIMD struct {
	// factor of the limit after a dropped interval
	// Source: derived: Netflix AIMDLimit
	Backoff float64 `toml:"backoff" range:"0.5..0.999" default:"0.9"`
	// an interval whose mean attempt took longer counts as dropped
	// Source: derived: Netflix AIMDLimit
	Timeout vt.Span `toml:"timeout" default:"5s" range:">0s..30d"`
	// an interval with a larger share of its attempts refused or timed out counts as dropped
	// Source: assumed: the library has none: its sample is one request
	Drops float64 `toml:"drops" range:"0..1" default:"0.01"`
	// least limit
	// Source: derived: Netflix AIMDLimit
	Min float64 `toml:"min" range:"1..1000000" default:"20" unit:"processes"`
	// greatest limit
	// Source: derived: Netflix AIMDLimit
	Max float64 `toml:"max" range:"1..1000000" default:"200" unit:"processes"`
}

var aimdLaw = Law{Name: "aimd", Kind: Seeker, Key: "aimd",
	Doc: "adds a process at the end of an interval and takes a share away after one with refusals, time-outs or " +
		"slow attempts",
	Inputs: []string{"attempts", "refusals", "timeouts", "attempt_s"},
	// A hundred times the library's time-out: the attempts of the suite take that much longer.
	Trials: []Trial{{Name: "aimd", Set: []string{"governor.aimd.timeout=500s"}}},
	build:  func(c Config) law { return &aimd{newBase(c).within(c.AIMD.Min, c.AIMD.Max)} },
}

// Validate reports every problem.
func (a AIMD) Validate() []error {
	var l conf.List
	keys.Check(&l, a)
	l.Check(!(a.Min > a.Max), "min", "got %g, want at most max = %g", a.Min, a.Max)
	return l
}

type aimd struct{ base }

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
