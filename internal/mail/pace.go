package mail

import (
	"math"

	"flyball/internal/conf"
	"flyball/internal/snap"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Pace limits how often something begins: a token bucket as virtual scheduling, the
// generic cell rate algorithm (ITU-T I.371), exact in whole nanoseconds. Its zero
// value sets no limit.
type Pace struct {
	opens vt.Time // the next may begin from here on
	every vt.Span // time between two at the rate; 0: no limit
	ahead vt.Span // how far opens may lie back: as many more as a burst has begin at once
}

// NewPace returns the pace of a rate at time 0, when a burst may begin at once. A
// rate of 0/h sets no limit.
func NewPace(rate unit.PerHour, burst int) Pace {
	every := Every(rate)
	ahead := every * vt.Span(burst-1)
	return Pace{opens: -vt.Time(ahead), every: every, ahead: ahead}
}

// Opens returns the time from which the next may begin.
func (p *Pace) Opens() vt.Time { return p.opens }

// Pass counts one that begins now.
func (p *Pace) Pass(now vt.Time) {
	if p.every > 0 {
		p.opens = max(p.opens, now.Add(-p.ahead)).Add(p.every)
	}
}

// State saves or restores from when the next may begin.
func (p *Pace) State(c *snap.Codec) { c.Fields(&p.opens) }

// Every returns the time between two events at a rate, in whole nanoseconds; 0 for
// no limit.
func Every(rate unit.PerHour) vt.Span {
	if rate == 0 {
		return 0
	}
	return vt.Span(math.Round(float64(vt.Hour) / float64(rate)))
}

// CheckBurst adds a problem with a key to l if a burst takes more than ten years to
// come together again at a rate.
func CheckBurst(l *conf.List, key string, burst int, rate unit.PerHour) {
	l.Check(rate == 0 || float64(burst)/float64(rate) <= (3650*vt.Day).Hours(), key,
		"got %d, which %s fills in more than 3650d, want less", burst, rate)
}
