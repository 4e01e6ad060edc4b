package limits

import (
	"testing"

	"flyball/internal/vt"
)

const minute = vt.Time(vt.Minute)

// The course of a penalty as Google's guidelines tell it, step by step: nothing for
// ten minutes, then one connection, ten minutes more if there are two, and one
// connection more after each that worked, until five make the sender free.
func TestPenalty(t *testing.T) {
	p := Penalty{Pause: 10 * vt.Minute, Escalate: 1, Most: vt.Day, Memory: vt.Day}
	p.Rate, p.Connections = 1000, 5
	var s Penance
	const fast, slow = 1000.5, 1000.0
	for i, c := range []struct {
		at    vt.Time
		rate  float64
		open  int
		wants bool // a refusal
	}{
		{0, slow, 100, false}, {1 * minute, fast, 1, true}, // the rate is too high: a pause until 11
		{2 * minute, slow, 1, true}, {11*minute - 1, slow, 1, true},
		// after the pause connections count, not the rate: 1 of 1
		{11 * minute, fast, 1, false},
		{11 * minute, slow, 2, false}, {11 * minute, slow, 2, false}, // 2 of 2
		{12 * minute, slow, 4, true},                                 // only 3 are allowed: a pause until 22
		{22*minute - 1, slow, 1, true}, {22 * minute, slow, 2, true}, // one is allowed again: a pause until 32
		{32 * minute, slow, 1, false}, {32 * minute, slow, 2, false}, {32 * minute, slow, 2, false}, // 1, 2
		{33 * minute, slow, 3, false}, {33 * minute, slow, 3, false}, {33 * minute, slow, 3, false}, // 3
		// 4
		{34 * minute, slow, 4, false}, {34 * minute, slow, 4, false}, {34 * minute, slow, 4, false},
		{34 * minute, slow, 4, false},
		{34 * minute, slow, 100, false}, {35 * minute, fast, 1, true}, // free, and too fast again
	} {
		if got := s.Refuses(&p, c.at, c.rate, c.open); got != c.wants {
			t.Fatalf("message %d at %v, %d open: refused %v, want %v", i, c.at, c.open, got, c.wants)
		}
	}
}

// Who goes on in a pause begins it again, and who comes back to the fault within
// the receiver's memory has a longer one, up to the longest.
func TestPenaltyEscalates(t *testing.T) {
	p := Penalty{Pause: 10 * vt.Minute, Escalate: 1, Most: vt.Day, Memory: vt.Day}
	p.Rate, p.Connections, p.Insist, p.Escalate, p.Most, p.Memory = 1000, 0, 2, 2, 35*vt.Minute, vt.Hour
	var s Penance
	for i, c := range []struct {
		at    vt.Time
		rate  float64
		until vt.Time // end of the pause afterwards
	}{
		{0, 2000, 10 * minute},
		{1 * minute, 0, 10 * minute}, {2 * minute, 0, 10 * minute}, // two are borne
		{3 * minute, 0, 23 * minute},                               // the third begins a pause of 20 minutes
		{4 * minute, 0, 23 * minute}, {5 * minute, 0, 23 * minute}, // in which two are borne again
		{23 * minute, 0, 23 * minute},          // free
		{83*minute - 1, 2000, 118*minute - 1},  // remembered for an hour: 35 minutes, the most
		{118 * minute, 0, 118*minute - 1},      // free
		{178*minute - 1, 2000, 188*minute - 1}, // forgotten: 10 minutes
	} {
		s.Refuses(&p, c.at, c.rate, 1)
		if s.until != c.until {
			t.Fatalf("message %d at %v: the pause ends at %v, want %v", i, c.at, s.until, c.until)
		}
	}
}
