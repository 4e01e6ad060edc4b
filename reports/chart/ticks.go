package chart

import (
	"math"

	"gonum.org/v1/plot"

	"flyball/reports/format"
)

// niceStep returns the distance of about five ticks from lo to hi.
func niceStep(lo, hi float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/5)))
	for _, f := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(step*f) <= 6.5 {
			return step * f
		}
	}
	return step
}

// niceTicks returns about five multiples of 1, 2 or 5 times a power of ten.
func niceTicks(lo, hi float64) []plot.Tick {
	step := niceStep(lo, hi)
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks []plot.Tick
	for i := math.Ceil(lo / step); i*step <= hi && len(ticks) < 20; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: format.Grouped(i*step, decimals)})
	}
	return ticks
}

// logTicks returns 1, 2 and 5 times the powers of ten of a logarithmic axis, or niceTicks if these are fewer than
// three.
func logTicks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for power := math.Floor(math.Log10(lo)); power <= math.Log10(hi); power++ {
		for _, f := range []float64{1, 2, 5} {
			if v := f * math.Pow(10, power); v >= lo && v <= hi {
				ticks = append(ticks, plot.Tick{Value: v, Label: format.Grouped(v, max(0, -int(power)))})
			}
		}
	}
	if len(ticks) < 3 {
		return niceTicks(lo, hi)
	}
	return ticks
}

// hourTicks returns about six ticks at a number of hours that divides a day, or at whole
// days.
func hourTicks(lo, hi float64) []plot.Tick {
	for _, step := range []float64{1, 2, 3, 6, 12, 24, 48} {
		if n := (hi - lo) / step; n <= 8 && n >= 2 {
			var ticks []plot.Tick
			for i := math.Ceil(lo / step); i*step <= hi; i++ {
				ticks = append(ticks, plot.Tick{Value: i * step, Label: format.Grouped(i*step, 0)})
			}
			return ticks
		}
	}
	return niceTicks(lo, hi)
}

// TimeTicks returns the round times of a logarithmic axis in seconds.
func TimeTicks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for _, t := range []struct {
		at   float64
		name string
	}{{1e-6, "1 us"}, {1e-5, "10 us"}, {1e-4, "100 us"}, {1e-3, "1 ms"}, {1e-2, "10 ms"}, {0.1, "100 ms"}, {1, "1 s"},
		{10, "10 s"},
		{60, "1 min"}, {600, "10 min"}, {3600, "1 h"}, {36000, "10 h"}, {86400, "1 day"}, {864000, "10 days"}} {
		if t.at >= lo && t.at <= hi {
			ticks = append(ticks, plot.Tick{Value: t.at, Label: t.name})
		}
	}
	return ticks
}
