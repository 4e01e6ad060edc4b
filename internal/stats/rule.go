package stats

// Rule says when enough independent runs have been made: as soon as the half
// width of the interval of their mean is at most a share of it.
//
// It looks only at fixed numbers of runs, so that the end is a function of the
// values alone, and seldom, since every look is a chance to stop at a lucky
// interval: 10, 15, 20, 30, 45, 65, 95, 140 and so on, half as many again
// rounded down to a multiple of five, and at last Most. The interval that it
// stops with covers a little less often than its level says (Law,
// Operations Research 31:6, 1983).
type Rule struct {
	Relative float64 // greatest half width as a share of the mean, such as 0.01
	Most     int     // runs, at least Few
}

// Next is the number of runs at the next look after so many; 0 if there is
// none.
func (r Rule) Next(runs int) int {
	if runs >= r.Most {
		return 0
	}
	look := Few
	for look <= runs {
		look = look * 3 / 2 / 5 * 5
	}
	return min(look, r.Most)
}

// Enough reports whether an interval is as narrow as was asked for.
func (r Rule) Enough(i Interval) bool {
	return i.N >= Few && i.Relative() <= r.Relative
}
