package delay

import (
	"math"
	"math/bits"

	"flyball/internal/vt"
)

// Table samples a Dist from one 32-bit word. It holds the quantile function at
// 1024 knots, and its last cell at another 1024 knots, with linear interpolation.
// Knots are whole microseconds, so every processor family gives the same bits.
//
// Against the exact distribution, for times of 1 ms and more:
//
//	mean    99.9 % quantile   holds for
//	0.1 %   0.5 %             uniform, exponential, gamma (shape 0.1 and more), weibull (shape 0.5
//	                          and more), lognormal (sigma to 1.4), pareto (alpha 2 and more)
//	0.3 %   1 %               gamma, weibull (shape 0.3 and more), lognormal (sigma to 2.5), pareto
//	                          (alpha 1.8 and more)
//
// The highest 2^-21 of the distribution and times above 1157 days are cut off.
// Heavier tails lose a part of their mean: lognormal 1 % with sigma 3 and 13 %
// with sigma 4, pareto 7 % with alpha 1.2, weibull with shape 0.1 most of it. The
// lowest 1/1024 is linear from the least value. TestTables checks these bounds.
type Table struct {
	body, tail [knots + 1]vt.Span
	constant   bool
}

const knots = 1024

// Tables caches tables by distribution: some take milliseconds to build.
type Tables map[Dist]*Table

// Of returns the table of d.
func (t Tables) Of(d Dist) *Table {
	if t[d] == nil {
		t[d] = newTable(d)
	}
	return t[d]
}

func newTable(d Dist) *Table {
	t := &Table{constant: d.Dist == "constant"}
	at := func(p float64) vt.Span {
		us := math.Round(d.Quantile(p) / float64(vt.Microsecond))
		if t.constant {
			return d.Mean
		}
		return vt.Span(min(us, 1e14)) * vt.Microsecond
	}
	const top = 1 - 1.0/knots
	for i := range knots {
		t.body[i] = at(float64(i) / knots)
		t.tail[i] = at(top + float64(i)/knots/knots)
	}
	t.tail[knots] = at(1 - 1.0/knots/knots/2)
	t.body[knots] = t.tail[knots]
	return t
}

// Constant reports whether the table has one time for all words.
func (t *Table) Constant() bool { return t.constant }

// At returns the time for word; higher words never give shorter times.
func (t *Table) At(word uint32) vt.Span {
	if t.constant {
		return t.body[0]
	}
	cell, rest := word>>22, word&(1<<22-1)
	if cell == knots-1 {
		c, r := rest>>12, rest&(1<<12-1)
		return between(t.tail[c], t.tail[c+1], r<<10)
	}
	return between(t.body[cell], t.body[cell+1], rest)
}

// between returns the point part / 2^22 of the way from lo to hi. It does not
// overflow.
func between(lo, hi vt.Span, part uint32) vt.Span {
	high, low := bits.Mul64(uint64(hi-lo), uint64(part))
	return lo + vt.Span(high<<42|low>>22)
}
