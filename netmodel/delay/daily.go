package delay

import (
	"math"

	"flyball/internal/portable"
	"flyball/internal/vt"
)

// Daily makes a receiver's delays follow a sinusoid over the day.
type Daily struct {
	// share by which delays are longer at the peak and shorter half a day later; 0: no cycle
	// Source: scenario
	Amplitude float64 `toml:"amplitude" range:"0..0.95"`
	// time of the day with the longest delays; a run without start_at begins at midnight
	// Source: assumed: early afternoon
	Peak vt.Span `toml:"peak" default:"14h" range:"0s..1d"`
}

// Off reports whether delays do not depend on the time of the day.
func (d Daily) Off() bool { return d.Amplitude == 0 }

// Cycle is a prepared Daily.
type Cycle struct {
	byMinute      []float64 // factor in each minute of the day
	sinceMidnight []phase   // none: the run begins at midnight
}

// NewCycle returns the cycle of d in a run with a clock.
func NewCycle(d Daily, c vt.Clock) *Cycle { return &Cycle{d.byMinute(), phases(c)} }

// FactorAt returns the factor on delays at the time now.
func (c *Cycle) FactorAt(now vt.Time) float64 { return c.byMinute[c.minute(now)] }

func (d Daily) byMinute() []float64 {
	const minutes = 24 * 60
	f := make([]float64, minutes)
	for i := range f {
		middle := (vt.Span(i)*vt.Minute + vt.Minute/2 - d.Peak).Hours() / 24
		f[i] = 1 + float64(d.Amplitude*portable.Rounded(math.Cos(2*math.Pi*middle)))
	}
	return f
}

// phase is by how much the time of day is further than virtual time, from a time on.
type phase struct {
	from vt.Time
	by   vt.Span // 0 to a day
}

// phases returns the phases of a clock: the first from 0 on, then one for each change.
func phases(c vt.Clock) (all []phase) {
	for _, o := range c.Offsets {
		by := c.Start.OfDay() + c.Ahead(vt.Time(o.From))
		all = append(all, phase{vt.Time(o.From), (by + vt.Day) % vt.Day})
	}
	return all
}

// minute returns the minute of the day at the time now.
func (c *Cycle) minute(now vt.Time) int64 {
	var by vt.Span
	for _, p := range c.sinceMidnight {
		if now < p.from {
			break
		}
		by = p.by
	}
	return int64(now.Add(by)) / int64(vt.Minute) % int64(len(c.byMinute))
}
