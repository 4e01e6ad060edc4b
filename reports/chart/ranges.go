package chart

import (
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
)

// ranges are the ranges of the axes.
type ranges struct{ xMin, xMax, yMin, yMax float64 }

// newRanges returns ranges that cover the finite points of a panel, from its base line,
// with a little room above.
func newRanges(p Panel) ranges {
	inf := math.Inf(1)
	r := ranges{inf, -inf, p.From, -inf}
	if p.LogY {
		r.yMin = inf
	}
	for _, l := range p.Lines {
		for _, pt := range l.Points {
			if p.drawable(pt) {
				r.xMin, r.xMax = min(r.xMin, pt.X), max(r.xMax, pt.X)
				r.yMin, r.yMax = min(r.yMin, pt.Y), max(r.yMax, pt.Y)
			}
		}
	}
	for _, a := range p.Areas {
		for _, pt := range a.Points {
			if p.drawable(pt) && !a.Faint {
				r.xMin, r.xMax = min(r.xMin, pt.X), max(r.xMax, pt.X)
				r.yMax = max(r.yMax, pt.Y)
			}
		}
	}
	for _, x := range p.Room {
		r.xMin, r.xMax = min(r.xMin, x), max(r.xMax, x)
	}
	if r.xMin > r.xMax {
		r.xMin, r.xMax = 1, 10
	}
	if p.LogY {
		if r.yMin > r.yMax {
			r.yMin, r.yMax = 0.5, 2
		}
		room := max(math.Pow(r.yMax/r.yMin, 0.06), 1.05)
		r.yMin, r.yMax = r.yMin/room/room, r.yMax*room
		if r.xMin == r.xMax {
			r.xMax += max(1, math.Abs(r.xMax))
		}
		return r
	}
	if r.yMax < r.yMin {
		r.yMax = r.yMin
	}
	if r.xMin == r.xMax {
		r.xMax += max(1, math.Abs(r.xMax))
	}
	if r.yMin == r.yMax {
		r.yMax += max(1, math.Abs(r.yMax))
	}
	r.yMax = upTo(r.yMin, r.yMax)
	return r
}

// upTo returns where the axis ends: at the next tick, so that the highest line lies
// below a number, or a little above hi if that tick is far.
func upTo(lo, hi float64) float64 {
	step, height := niceStep(lo, hi), hi-lo
	if tick := math.Ceil(hi/step) * step; tick-hi >= 0.01*height && tick-hi <= 0.15*height {
		return tick
	}
	return hi + float64(0.06*height)
}

// clamped returns points moved into the ranges, because an area may reach beyond them.
func (r ranges) clamped(points plotter.XYs) plotter.XYs {
	var out plotter.XYs
	for _, pt := range points {
		if !math.IsNaN(pt.X) && !math.IsNaN(pt.Y) {
			out = append(out, plotter.XY{X: min(max(pt.X, r.xMin), r.xMax), Y: min(max(pt.Y, r.yMin), r.yMax)})
		}
	}
	return out
}

// empty reports whether the panel has neither a line nor a solid area to draw. Dashed
// lines, which data is compared with, do not count.
func (p Panel) empty() bool {
	for _, l := range p.Lines {
		if !l.Dash && slices.ContainsFunc(l.Points, p.drawable) {
			return false
		}
	}
	return !slices.ContainsFunc(p.Areas, func(a Area) bool { return !a.Faint })
}

func (p Panel) drawable(pt plotter.XY) bool {
	finite := func(v float64) bool { return !math.IsNaN(v) && math.Abs(v) < 1e15 }
	return finite(pt.X) && finite(pt.Y) && !(p.Log && pt.X <= 0) && !(p.LogY && pt.Y <= 0)
}

// pieces returns a line cut at its gaps, and thinned if it has too many points.
func (p Panel) pieces(l Line) []plotter.XYs {
	var all []plotter.XYs
	var piece plotter.XYs
	total := 0
	for _, pt := range append(slices.Clip(l.Points), plotter.XY{X: math.NaN()}) {
		if p.drawable(pt) {
			piece = append(piece, pt)
			total++
		} else if piece != nil {
			all = append(all, piece)
			piece = nil
		}
	}
	for i, piece := range all {
		all[i] = thinned(piece, mostPoints/len(p.Lines)*len(piece)/total)
	}
	return all
}

// thinned returns the first and the last point and, of every bucket between, the lowest
// and the highest in their order, so that no peak is lost.
func thinned(points plotter.XYs, most int) plotter.XYs {
	most = max(most, 4)
	if len(points) <= most {
		return points
	}
	inner := points[1 : len(points)-1]
	buckets := (most - 2) / 2
	out := plotter.XYs{points[0]}
	for b := range buckets {
		bucket := inner[b*len(inner)/buckets : (b+1)*len(inner)/buckets]
		low, high := 0, 0
		for i, pt := range bucket {
			if pt.Y < bucket[low].Y {
				low = i
			}
			if pt.Y > bucket[high].Y {
				high = i
			}
		}
		out = append(out, bucket[min(low, high)])
		if low != high {
			out = append(out, bucket[max(low, high)])
		}
	}
	return append(out, points[len(points)-1])
}
