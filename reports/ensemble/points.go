package ensemble

import (
	"math"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// MeanPoint is the mean of one interval of one server over the replications that
// have it.
type MeanPoint struct {
	Server string
	Number int
	End    float64 // seconds
	Span   float64
	Target float64 // the same in all replications
	Judged int     // replications in which it can be judged by
	Rate   Spread
	C      Spread // available processes
}

// Spread is a mean with its interval, and the least and the greatest of the runs.
type Spread struct {
	measure.Estimate
	Least, Most format.Num
}

// MeanPoints returns the mean course of server i.
func MeanPoints(name string, runs []Observation, i int, span float64) []MeanPoint {
	column := func(of func(seriesPoint) float64) []Spread {
		var paths [][]float64
		for _, o := range runs {
			var path []float64
			for _, p := range o.tracks[i].points {
				path = append(path, of(p))
			}
			paths = append(paths, path)
		}
		var all []Spread
		for k, b := range stats.Band(paths, measure.Confidence) {
			s := Spread{measure.Estimated(b), format.Missing, format.Missing}
			for _, path := range paths {
				if k < len(path) && !(float64(s.Least) <= path[k]) && !math.IsNaN(path[k]) {
					s.Least = format.Num(path[k])
				}
				if k < len(path) && !(float64(s.Most) >= path[k]) && !math.IsNaN(path[k]) {
					s.Most = format.Num(path[k])
				}
			}
			all = append(all, s)
		}
		return all
	}
	rates := column(func(p seriesPoint) float64 { return p.rate })
	available := column(func(p seriesPoint) float64 { return p.available })
	var steps []MeanPoint
	for k := range rates {
		s := MeanPoint{Server: name, Number: k, End: math.NaN(), Span: span, Rate: rates[k], C: available[k]}
		for _, o := range runs {
			if points := o.tracks[i].points; k < len(points) && !math.IsNaN(points[k].rate) {
				s.End, s.Target = points[k].end, points[k].target
				if points[k].judged {
					s.Judged++
				}
			}
		}
		if s.Rate.N > 0 {
			steps = append(steps, s)
		}
	}
	return steps
}
