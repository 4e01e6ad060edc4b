package delay

import (
	"testing"

	"flyball/internal/vt"
)

// TestDailyCycleFollowsTheClock asks for the factor at times of the wall clock: the peak
// of 14:00 stays at 14:00, whenever the run starts and whatever the clock is moved by.
func TestDailyCycleFollowsTheClock(t *testing.T) {
	d := Daily{Amplitude: 0.5, Peak: 14 * vt.Hour}
	start, err := vt.ParseCivil("2027-03-27 22:00")
	if err != nil {
		t.Fatal(err)
	}
	night := vt.Clock{Start: start, Offsets: []vt.Offset{{Ahead: vt.Hour}, {From: 4 * vt.Hour, Ahead: 2 * vt.Hour}}}
	for _, v := range []struct {
		clock         vt.Clock
		peak, trough  vt.Span // times after the start
		before, after vt.Span // two times with the same time of day
	}{
		{vt.Clock{}, 14 * vt.Hour, 2 * vt.Hour, vt.Hour, 25 * vt.Hour},
		{vt.Clock{Start: start, Offsets: []vt.Offset{{}}}, 16 * vt.Hour, 4 * vt.Hour, vt.Hour, 25 * vt.Hour},
		{night, 15 * vt.Hour, 27 * vt.Hour, vt.Hour, 24 * vt.Hour},
		{vt.Clock{Start: start, Offsets: []vt.Offset{{}, {From: vt.Hour, Ahead: -10 * vt.Hour}}}, 26 * vt.Hour,
			14 * vt.Hour, 0, 34 * vt.Hour},
	} {
		c := NewCycle(d, v.clock)
		at := func(after vt.Span) float64 { return c.FactorAt(vt.Time(after)) }
		if at(v.peak) < 1.49 || at(v.trough) > 0.51 || at(v.before) != at(v.after) {
			t.Errorf("%v: got %g, %g, %g and %g, want 1.5, 0.5, and two alike", v.clock, at(v.peak), at(v.trough),
				at(v.before),
				at(v.after))
		}
	}
}
