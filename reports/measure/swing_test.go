package measure

import (
	"math"
	"testing"

	"flyball/reports/format"
)

func steering(n int, c func(i int) float64) []Row {
	rows := make([]Row, n)
	for i := range rows {
		rows[i].Available = format.Num(c(i))
	}
	return rows
}

// A sine on a straight line: twice its amplitude, and its period, whatever
// went before the last half.
func TestSwing(t *testing.T) {
	sine := func(period, amplitude, slope float64) func(int) float64 {
		return func(i int) float64 {
			if i < 480 {
				return 7 * float64(i)
			}
			return 140 + slope*float64(i) + amplitude*math.Sin(2*math.Pi*float64(i)/period+0.3)
		}
	}
	for _, v := range []struct{ period, amplitude, slope float64 }{{6, 2, 0}, {24, 10, 0.5}, {12, 3, -2}} {
		got, period := Swing(steering(960, sine(v.period, v.amplitude, v.slope)))
		if math.Abs(float64(got)/(2*v.amplitude)-1) > 0.06 || math.Abs(float64(period)/v.period-1) > 0.03 {
			t.Errorf("amplitude %g, period %g, slope %g: peak to peak %g, period %g", v.amplitude, v.period, v.slope,
				got, period)
		}
	}
}

func TestNoSwing(t *testing.T) {
	for name, v := range map[string]struct {
		rows []Row
		want format.Num
	}{
		"one interval":   {steering(1, func(int) float64 { return 9 }), 0},
		"a constant":     {steering(50, func(int) float64 { return 140 }), 0},
		"a straight way": {steering(50, func(i int) float64 { return 3 * float64(i) }), 0},
		"less than one":  {steering(50, func(i int) float64 { return 140 + 0.2*float64(i%2) }), 0.2},
	} {
		got, period := Swing(v.rows)
		if math.Abs(float64(got-v.want)) > 0.01 || period.Known() {
			t.Errorf("%s: peak to peak %g, period %g", name, got, period)
		}
	}
}

// A C that stands still does not swing, whatever rounding leaves of it.
func TestAStillCDoesNotSwing(t *testing.T) {
	for _, c := range []float64{140, 11.3, 0.1} {
		for n := 1; n < 40; n++ {
			rows := steering(n, func(int) float64 { return c })
			if got, period := Swing(rows); got != 0 || period.Known() {
				t.Errorf("%d intervals of %v: swing %v, period %v", n, c, got, period)
			}
		}
	}
}
