package governor

import (
	"math"

	"flyball/internal/snap"
)

// ceiling keeps C from growing where more processes are not worth it, according
// to the estimate of the server's scaling and to where attempts timed out.
type ceiling struct {
	top   float64 // ln C at which more processes were last found not worth it; 0: none
	cliff float64 // ln C at which attempts timed out until there were fewer processes; 0: none
	fell  float64 // ln C at which attempts are timing out now; 0: none
	tried float64 // ln C before the last move if that was a probe upwards; 0: it was not
	stood int     // intervals for which C has not moved
	wait  int     // intervals without a move after which C is probed
}

const (
	worth      = 0.12 // least yield for which more processes are worth it
	caution    = 1.0  // standard deviations by which the yield must exceed worth
	farthest   = 0.3  // greatest fall of ln C in one interval
	steepest   = -1.5 // slope below which only time-outs explain it
	probe      = 0.08 // rise of ln C in a probe
	firstProbe = 7    // intervals until the first probe; doubled each time
	lastProbe  = 63   // greatest number of intervals between probes
)

// limit returns the next ln C, given the present ln C = c and the wanted one. It
// allows a rise only as far as more processes are expected to be worth it; in
// doubt it returns c. It sets AtCeiling in d where it limits.
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
	single := c < math.Ln2 // C cannot fall below one process, so more must be tried
	switch {
	case yield+unsure < worth && !single: // beyond the peak, or so near that fewer processes deliver as much
		return l.back(c - min((yield-worth)/s.bend(), farthest))
	case l.stood < l.wait:
		return min(wanted, l.top)
	case yield < worth && !single:
		l.wait = min(2*l.wait, lastProbe)
		return l.back(c - probe)
	}
	return l.try(c)
}

// try returns ln C one probe above c; for a single process it returns ln 2.
func (l *ceiling) try(c float64) float64 {
	l.tried, l.stood, l.wait = c, 0, min(2*l.wait, lastProbe)
	if c < math.Ln2 {
		return math.Ln2
	}
	return c + probe
}

// back records c as the ln C above which more processes are not worth it, and
// returns c.
func (l *ceiling) back(c float64) float64 {
	l.top, l.stood = c, 0
	return c
}

// retreat returns the next ln C when attempts keep timing out at ln C = c.
func (l *ceiling) retreat(c float64) float64 {
	l.fell = c
	return l.back(c - farthest)
}

// recovered records that attempts no longer time out. If the slope shows that
// fewer processes ended the time-outs, C has a cliff.
func (l *ceiling) recovered(slope float64) {
	if l.fell != 0 && slope < steepest {
		l.cliff, l.stood, l.wait = l.fell, 0, firstProbe
	}
	l.fell = 0
}

func (l *ceiling) state(c *snap.Codec) {
	c.Fields(&l.top, &l.cliff, &l.fell, &l.tried, &l.stood, &l.wait)
}
