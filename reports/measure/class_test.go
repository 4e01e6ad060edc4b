package measure

import (
	"math"
	"testing"

	"flyball/reports/format"
)

// steered makes judged intervals of one hour from their rates and the C in force.
func steered(n int, rate, c func(i int) float64) []Row {
	var rows []Row
	for i := range n {
		rows = append(rows, Row{Number: i, Hours: 1, Rate: format.Num(rate(i)), Target: 1000,
			Previous: format.Num(c(i)), Available: format.Num(c(i + 1)), Allocated: format.Num(c(i))})
	}
	return rows
}

// drops is 99 and 101 in turns, and 60 in intervals 15 and 20.
func drops(i int) float64 {
	if i == 15 || i == 20 {
		return 60
	}
	return 99 + 2*float64(i%2)
}

func always(v float64) func(int) float64 { return func(int) float64 { return v } }

// Each class on courses that are drawn by hand, beside its border. The target
// is 1000, and each process delivers 10 unless said.
func TestClasses(t *testing.T) {
	wave := func(middle, height float64, period int) func(int) float64 {
		return func(i int) float64 { return middle + height/2*math.Cos(2*math.Pi*float64(i)/float64(period)) }
	}
	ten := func(c func(int) float64) func(int) float64 { return func(i int) float64 { return 10 * c(i) } }
	for _, c := range []struct {
		name string
		rows []Row
		want Class
	}{
		{"nothing judged", nil, NotJudged},
		{"on target", steered(20, always(1000), always(100)), Stable},
		{"5 % off", steered(20, always(1050), always(105)), Stable},
		{"5.1 % off", steered(20, always(1051), always(105.1)), Unsettled},
		{"in the last quarter alone", steered(20, func(i int) float64 {
			if i < 15 {
				return 500
			}
			return 1000
		}, always(100)), Stable},
		{"not in all of the last quarter", steered(20, func(i int) float64 {
			if i < 16 {
				return 500
			}
			return 1000
		}, always(100)), Unsettled},
		{"few intervals", steered(3, always(1000), always(100)), Stable},
		{"few intervals off", steered(7, ten(wave(100, 80, 2)), wave(100, 80, 2)), Unsettled},
		{"on its way", steered(20, func(i int) float64 { return 400 + 20*float64(i) },
			func(i int) float64 { return 40 + 2*float64(i) }), Unsettled},
		{"a swing within 5 %", steered(24, ten(wave(100, 9, 6)), wave(100, 9, 6)), Stable},
		{"a swing of 20 %", steered(24, ten(wave(100, 20, 6)), wave(100, 20, 6)), Oscillating},
		{"a swing of C by 9 %", steered(24, func(i int) float64 { return 1100 }, wave(100, 9, 6)), Unsettled},
		{"one swing in the tail", steered(24, ten(wave(100, 20, 24)), wave(100, 20, 24)), Unsettled},
		{"two passes in the tail", steered(24, ten(wave(100, 20, 12)), wave(100, 20, 12)), Unsettled},
		{"one jump and small noise", steered(24, ten(func(i int) float64 {
			if i == 20 {
				return 160
			}
			return 90 + float64(i%2)
		}), func(i int) float64 {
			if i == 20 {
				return 160
			}
			return 90 + float64(i%2)
		}), Unsettled},
		{"two drops and small noise", steered(24, ten(drops), drops), Unsettled},
		{"30 % too many, to stay", steered(20, always(1300), always(130)), WoundUp},
		{"20 % too many", steered(20, always(1200), always(120)), Unsettled},
		{"30 % too many, coming down", steered(20, ten(func(i int) float64 { return 200 - 3*float64(i) }),
			func(i int) float64 { return 200 - 3*float64(i) }), Unsettled},
		{"30 % of the target missing, many processes", steered(20, always(700), always(200)), Unsettled},
		{"more processes, less rate", steered(20, func(i int) float64 { return 800 - 10*float64(i) },
			func(i int) float64 { return 100 + 10*float64(i) }), Collapsed},
	} {
		if got := ClassOf(c.rows); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
