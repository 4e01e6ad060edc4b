package scenarios

import (
	"cmp"
	"slices"

	"flyball/internal/vt"
)

// Quiet are hours of each day in which no attempt begins.
type Quiet struct {
	// time of day at which they begin
	// Source: scenario
	From vt.TimeOfDay `toml:"from" required:"true" range:"00:00..23:59:59"`
	// time of day at which they end; earlier than from: on the next day
	// Source: scenario
	To vt.TimeOfDay `toml:"to" required:"true" range:"00:00..23:59:59"`
}

// Pauses returns the times, up to the horizon, at which the sending pauses, in order and
// apart: the quiet hours of each day, and from a change of the target to 0 until the next
// change. Quiet hours hold while the clock shows one of them. Without start_at the run
// begins at midnight.
func (s *Scenario) Pauses() []vt.Window {
	all := s.Governor.Pauses()
	clock := s.Clock()
	if !clock.Given() {
		clock.Offsets = []vt.Offset{{}}
	}
	for i, o := range clock.Offsets {
		from, to := o.From, vt.Span(vt.Never)
		if i+1 < len(clock.Offsets) {
			to = clock.Offsets[i+1].From
		}
		ahead := clock.Ahead(vt.Time(o.From)) // of virtual time, at all times from o.From to the next change
		if clock.Given() {
			ahead += clock.Start.OfDay()
		}
		for _, q := range s.Quiet {
			long := (vt.Span(q.To-q.From) + vt.Day) % vt.Day
			for begin := vt.Span(q.From) - ahead%vt.Day - 2*vt.Day; begin < to && begin <= s.Horizon; begin += vt.Day {
				if end := min(begin+long, to); end > max(begin, from) {
					all = append(all, vt.Window{From: vt.Time(max(begin, from)), To: vt.Time(end)})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b vt.Window) int { return cmp.Compare(a.From, b.From) })
	var apart []vt.Window
	for _, w := range all {
		if n := len(apart); n > 0 && w.From <= apart[n-1].To {
			apart[n-1].To = max(apart[n-1].To, w.To)
		} else {
			apart = append(apart, w)
		}
	}
	return apart
}
