package governor

import (
	"math"

	"flyball/internal/snap"
)

// ceiling keeps C from growing where that is not worth it: by what is known of
// the server's scaling, and by where attempts have timed out.
type ceiling struct {
	top   float64 // ln C where more was last not worth it; 0: nowhere
	cliff float64 // ln C where attempts timed out, until fewer processes put an end to that; 0: nowhere
	fell  float64 // the same, while they do
	tried float64 // ln C before the last move if that was a small one upwards, to find out; 0: it was not
	stood int     // intervals for which C has stood here
	wait  int     // of those after which a small move finds out
}

const (
	worth      = 0.12 // yield that more processes must have
	caution    = 1.0  // standard deviations by which they must have it
	farthest   = 0.3  // way back, of ln C, in one interval
	steepest   = -1.5 // slope that only time-outs bring about
	probe      = 0.08 // move of ln C that finds out
	firstProbe = 7    // intervals until the first; twice as many each time
	lastProbe  = 63   // but no more
)

// limit returns what may become of ln C = c, given what is wanted: more only as
// far as more is expected to be worth it. Where that is in doubt C stands.
func (l *ceiling) limit(d *Decision, s *scaling, c, wanted float64) float64 {
	l.stood++
	before := l.tried
	l.tried = 0
	if before != 0 && l.cliff != 0 && d.Flags&Shift != 0 && s.level < s.foretold {
		l.cliff = c
		return l.back(before)
	}
	if wanted <= c {
		return wanted
	}
	yield, unsure := 1+s.slope, math.Sqrt(s.slope2)
	margin := yield - float64(caution*unsure) - worth
	if margin > 0 && l.cliff == 0 {
		l.top, l.stood, l.wait = 0, 0, firstProbe
		return min(wanted, c+max(-margin/s.bend(), probe))
	}
	if room := l.cliff - c; margin > 0 && room > 2*probe {
		return min(wanted, c+room/2)
	}
	d.Flags |= AtCeiling
	if margin > 0 {
		if l.stood < l.wait {
			return c
		}
		l.cliff += probe
		return l.try(c)
	}
	if l.top == 0 || c > l.top {
		l.top = c
	}
	single := c < math.Ln2 // there is no way back from one process: what is held against more must be tried out
	switch {
	case yield+unsure < worth && !single: // beyond the peak, or so near to it that less delivers as much
		return l.back(c - min((yield-worth)/s.bend(), farthest))
	case l.stood < l.wait:
		return min(wanted, l.top)
	case yield < worth && !single:
		l.wait = min(2*l.wait, lastProbe)
		return l.back(c - probe)
	}
	return l.try(c)
}

// try returns ln C a little above c, of a single process that of two.
func (l *ceiling) try(c float64) float64 {
	l.tried, l.stood, l.wait = c, 0, min(2*l.wait, lastProbe)
	if c < math.Ln2 {
		return math.Ln2
	}
	return c + probe
}

// back returns ln C, above which there is nothing to be gained.
func (l *ceiling) back(c float64) float64 {
	l.top, l.stood = c, 0
	return c
}

// retreat returns ln C where attempts go on timing out at c.
func (l *ceiling) retreat(c float64) float64 {
	l.fell = c
	return l.back(c - farthest)
}

// recovered is told that attempts do not go on timing out. If that is for want
// of processes, by the slope, there is a cliff.
func (l *ceiling) recovered(slope float64) {
	if l.fell != 0 && slope < steepest {
		l.cliff, l.stood, l.wait = l.fell, 0, firstProbe
	}
	l.fell = 0
}

func (l *ceiling) state(c *snap.Codec) {
	for _, v := range []*float64{&l.top, &l.cliff, &l.fell, &l.tried} {
		snap.Float(c, v)
	}
	snap.Int(c, &l.stood)
	snap.Int(c, &l.wait)
}
