package governor

import (
	"math"

	"flyball/internal/snap"
)

// climb keeps a law from adding processes that deliver nothing more. Every
// climb has a foot: C and the efficiency from which it began. Once it has risen
// far enough, its yield is told: how much of the growth of C became growth of
// the rate, 1 for a server without contention, 0 at the peak of its throughput.
// What one climb tells is weighed with what those before told, by their
// variances. It goes on if the yield is worth it, the shorter the smaller the
// yield. If it is not, C goes half the way back, to find between foot and top
// where it begins not to pay; where they are close, the foot is the ceiling.
//
// What changes while C stands still is not the climb's doing: it takes the
// ceiling away, and a new climb begins.
type climb struct {
	foot    float64 // ln C, by the mean day
	level   float64 // ln E there
	error2  float64 // variance of that
	age     int     // intervals since
	yield   float64 // what is known of it
	unsure2 float64 // variance of that
	reach   float64 // ln of the greatest factor of this climb
	top     float64 // ln C from which on more did not pay, by the mean day; 0: not known
	ceiling bool    // C stands at the ceiling, which is the foot
	wait    int     // intervals after which it is tried again
	descent bool    // C is on its way down from the foot
}

const (
	worth    = 0.12 // yield below which a climb does not pay
	caution  = 0.4  // reach of a climb, per yield of the one before
	telling  = 0.25 // weight that a climb must have against all before for the next to begin where it ended
	tellable = 0.07 // ln of the growth of C from which a yield is told
	together = 6    // intervals whose growth is one climb
	least    = 0.08 // reach is never less, so that every climb is told
	patience = 6    // intervals that a doubtful climb waits to be told
	settled  = 2    // intervals for which C must have stood before a climb is said to have failed: work may be counted late
	retry    = 8    // intervals after which a ceiling is tried again, and twice as many each time
	longest  = 64   // up to so many
	lateWork = 0.3  // standard deviation of ln E after a fall of C, by that
)

func newClimb() climb {
	return climb{yield: firstYield, unsure2: firstUnsure * firstUnsure, reach: ln(3), wait: retry}
}

func (l *climb) begin(c, level, error2 float64) {
	l.foot, l.level, l.error2, l.age, l.ceiling, l.descent = c, level, error2, 0, false, false
}

// shift takes a change of the day's profile out of what is remembered.
func (l *climb) shift(by float64) {
	l.level += by
	l.foot -= by
	if l.top != 0 {
		l.top -= by
	}
}

// limit returns what may become of ln C = c, given what is wanted, ln E and the
// variance of that. strange says that E has shifted without C having moved,
// still for how many intervals C has stood.
func (l *climb) limit(d *Decision, c, wanted, level, error2 float64, strange bool, still int) float64 {
	l.age++
	rise := c - l.foot
	if l.descent && !strange && wanted > c {
		return l.descend(d, c, level, error2, still)
	}
	switch {
	case strange:
		if l.top != 0 {
			l.yield, l.unsure2 = max(l.yield, 0.3), 0.09
		}
		l.begin(c, level, error2)
		l.top, l.wait = 0, retry
	case rise < -1e-9: // the work of more processes may still be counted
		l.begin(c, level, error2+float64(lateWork*lateWork*rise*rise))
		l.top = 0
	case rise < 1e-9 && !l.ceiling: // still at the foot, which is known better by now
		l.begin(c, level, error2)
	case l.ceiling && l.age <= 2: // the efficiency at the ceiling is yet to be seen
		l.level, l.error2 = level, error2
	case l.ceiling:
		if off := level - l.level; float64(off*off) > 16*(error2+l.error2) {
			l.begin(c, level, error2)
			l.yield, l.unsure2, l.top, l.wait = max(l.yield, 0.3), 0.09, 0, retry
		} else if l.age >= l.wait && wanted > c {
			l.begin(c, level, error2)
			l.yield, l.unsure2, l.top, l.wait = 0, 0.04, 0, min(2*l.wait, longest)
		}
	case rise >= tellable:
		told, told2 := min(max(1+(level-l.level)/rise, -1), 1.5), (error2+l.error2)/float64(rise*rise)
		weight := l.unsure2 / (l.unsure2 + told2)
		yield := l.yield + float64(weight*(told-l.yield))
		unsure2 := float64((1 - weight) * l.unsure2)
		switch {
		case yield < 0.5 && math.Abs(yield-worth) < math.Sqrt(unsure2) && l.age <= patience,
			yield < worth && still < settled && l.age <= 2*patience:
			d.Flags |= WithinNoise
			return min(wanted, c)
		case yield < worth && wanted > c:
			d.Flags |= AtCeiling
			l.reach, l.top, l.age = least, c, 0
			if rise > 2*least {
				return l.foot + rise/2
			}
			l.yield, l.unsure2 = yield, unsure2
			if yield+math.Sqrt(unsure2) < worth && yield < 0 { // the foot may lie beyond the peak too
				l.descent = true
				return l.foot - rise
			}
			l.ceiling = true
			return l.foot
		}
		l.reach = max(least, float64(caution*yield))
		if weight < telling && l.age < 24 { // so little is told that the foot must stay, to be told more by a longer climb
			return l.below(min(wanted, c+l.reach))
		}
		l.yield, l.unsure2 = yield, unsure2+0.04 // a little is forgotten: the yield changes with C
		l.begin(c, level, error2)
		if l.top != 0 && l.top-c < 2*least {
			l.ceiling = true
		}
	case l.age > together:
		l.begin(c, level, error2)
	}
	if l.ceiling && wanted > c {
		d.Flags |= AtCeiling
		return c
	}
	return l.below(min(wanted, l.foot+l.reach))
}

// descend looks for the place where less begins to cost something, from a foot
// which lies above C.
func (l *climb) descend(d *Decision, c, level, error2 float64, still int) float64 {
	d.Flags |= AtCeiling
	fall := l.foot - c
	if fall < tellable/2 { // something else has set C
		l.begin(c, level, error2)
		return c
	}
	told, unsure := 1-(level-l.level)/fall, math.Sqrt(error2+l.error2)/fall
	switch {
	case still < settled && l.age <= 2*patience, math.Abs(told-worth) < unsure && l.age <= patience:
		return c
	case told < worth:
		top := l.foot
		l.begin(c, level, error2)
		l.top, l.descent = top, true
		return c - min(float64(1.5*fall), 0.4)
	}
	l.descent, l.ceiling, l.age = false, true, 0
	return l.foot
}

// below keeps a climb from going further than half the way to where it is known
// not to pay.
func (l *climb) below(wanted float64) float64 {
	if l.top != 0 {
		return min(wanted, (l.foot+l.top)/2)
	}
	return wanted
}

func (l *climb) state(c *snap.Codec) {
	snap.Float(c, &l.foot)
	snap.Float(c, &l.level)
	snap.Float(c, &l.error2)
	snap.Int(c, &l.age)
	snap.Float(c, &l.yield)
	snap.Float(c, &l.unsure2)
	snap.Float(c, &l.reach)
	snap.Float(c, &l.top)
	snap.Bool(c, &l.ceiling)
	snap.Int(c, &l.wait)
	snap.Bool(c, &l.descent)
}
