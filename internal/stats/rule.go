package stats

// Rule decides when there are enough independent runs: as soon as half width / mean
// of their interval is at most Relative.
//
// It checks only at fixed numbers of runs, so that the end depends on the values
// alone. The checks are few, since each may stop at an interval that is narrow by
// chance: 10, 15, 20, 30, 45, 65, 95, 140 and so on, 1.5 times the number before
// rounded down to a multiple of five, and at last Most. The coverage of the final
// interval is a little below its level (Law, Operations Research 31:6, 1983).
type Rule struct {
	Relative float64 // greatest half width as a share of the mean, such as 0.01
	Most     int     // greatest number of runs, at least Few
}

// Next returns the number of runs at the first check after the given number of
// runs; 0 after the last.
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

// Enough reports whether the interval i is narrow enough.
func (r Rule) Enough(i Interval) bool {
	return i.N >= Few && i.Relative() <= r.Relative
}
