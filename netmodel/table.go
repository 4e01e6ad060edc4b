package netmodel

import (
	"math"

	"flyball/internal/vt"
)

// table samples a Dist from one 32-bit word: the quantile function at 1024
// knots, the last cell again at 1024 knots, straight lines between. Knots are
// whole microseconds, so every processor family gives the same bits.
//
// Against the exact distribution the mean is within 0.1 % (pareto with alpha
// above 2 and all other families) and the 99.9 % quantile within 0.5 %; the
// highest 2^-21 of the distribution is cut off. TestTables holds it to that.
type table struct {
	body, tail [knots + 1]vt.Span
	constant   bool
}

const knots = 1024

func newTable(d Dist) *table {
	t := &table{constant: d.Dist == "constant"}
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

// at maps a word to a time; higher words never give shorter times.
func (t *table) at(word uint32) vt.Span {
	if t.constant {
		return t.body[0]
	}
	cell, rest := word>>22, word&(1<<22-1)
	if cell == knots-1 {
		c, r := rest>>12, rest&(1<<12-1)
		return t.tail[c] + (t.tail[c+1]-t.tail[c])*vt.Span(r)>>12
	}
	lo := t.body[cell]
	return lo + (t.body[cell+1]-lo)*vt.Span(rest)>>22
}
