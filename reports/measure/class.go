package measure

import (
	"math"
	"slices"

	"flyball/reports/format"
)

// Class is the behaviour of a governor in a run, in a word or two; docs/studies.md has the
// same definitions for readers.
type Class string

// Classes of a server; the first that applies counts. C and target are the values in
// force during an interval, needed is target x P / rate. Only judged intervals count; a
// quarter of them is rounded up. With fewer than 8 judged intervals a server is Stable,
// Unsettled or NotJudged.
const (
	Collapsed   Class = "collapsed"   // processes were added while the rate fell; see runsAway
	Stable      Class = "stable"      // the rate lies within 5 % of the target in the whole last quarter
	WoundUp     Class = "wound up"    // C stays more than 25 % above the need; see windsUp
	Oscillating Class = "oscillating" // C swings by more than 10 %; see Oscillates
	Unsettled   Class = "unsettled"   // none of these: still on its way, or stuck off the target
	NotJudged   Class = "not judged"  // no judged interval
)

// Classes returns all classes in the order in which they are shown.
func Classes() []Class {
	return []Class{Stable, Unsettled, Oscillating, WoundUp, Collapsed, NotJudged}
}

// ClassOf returns the class of one server.
func ClassOf(rows []Row) Class {
	if len(rows) == 0 {
		return NotJudged
	}
	within := func(r Row) bool { return math.Abs(float64(r.Rate-r.Target)) <= float64(0.05*r.Target) }
	switch {
	case runsAway(rows):
		return Collapsed
	case !slices.ContainsFunc(LastQuarter(rows), func(r Row) bool { return !within(r) }):
		return Stable
	case len(rows) < 8:
		return Unsettled
	case windsUp(rows):
		return WoundUp
	case Oscillates(rows):
		return Oscillating
	}
	return Unsettled
}

// windsUp reports whether C is far above the need and does not come down: in the last
// quarter of the judged intervals the mean C is more than 1.25 times the mean need and at
// least 0.99 times the mean C of the quarter before, and the mean rate is at or above the
// target.
func windsUp(rows []Row) bool {
	q := (len(rows) + 3) / 4
	before, last := rows[len(rows)-2*q:len(rows)-q], rows[len(rows)-q:]
	c := func(r Row) format.Num { return r.Previous }
	need := Mean(last, func(r Row) format.Num { return r.Target * r.Allocated / r.Rate })
	return Mean(last, c) > 1.25*need && Mean(last, c) >= 0.99*Mean(before, c) &&
		float64(Mean(last, Row.MessagesPerHour)) >= MeanTarget(last)
}

// Oscillates reports whether C oscillates: in the last half of the judged intervals,
// rounded up, the greatest C lies above the least by more than 10 % of the mean, and C
// crosses its mean at least 3 times. C counts as above or below the mean only at a
// distance of more than a quarter of greatest - least, so that noise near the mean does
// not count as a crossing.
func Oscillates(rows []Row) bool {
	tail := rows[len(rows)/2:]
	middle := Mean(tail, func(r Row) format.Num { return r.Previous })
	least, most := middle, middle
	for _, r := range tail {
		least, most = min(least, r.Previous), max(most, r.Previous)
	}
	height := most - least
	side, crossings := 0, 0
	for _, r := range tail {
		now := 0
		switch {
		case r.Previous > middle+height/4:
			now = 1
		case r.Previous < middle-height/4:
			now = -1
		}
		if now != 0 && side == -now {
			crossings++
		}
		if now != 0 {
			side = now
		}
	}
	return height > 0.10*middle && crossings >= 3
}
