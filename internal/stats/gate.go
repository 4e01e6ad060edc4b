package stats

import (
	"fmt"
	"math"
	"slices"
)

// Gate decides by pairs of runs whether NEW does worse than BASE, with as few pairs
// as necessary. It looks at fixed numbers of pairs and stops at the first look that
// shows enough.
//
// If both are equivalent, NEW fails with a probability of at most Alarm, over all
// looks and claims together. This holds for any distribution: if both are
// equivalent their values are exchangeable, so each excess is symmetric about a
// centre of at most 0, and a claim counts only if the exact signed-rank test
// rejects that as well as Student's test. The levels of all looks and families add
// up to Alarm.
type Gate struct {
	Alarm float64
	Looks []int // numbers of pairs at each look, increasing
}

// Claim is a number in which NEW must not exceed what is allowed.
type Claim struct {
	Name string
	// By pair, how far NEW is beyond what is allowed; negative values are within.
	// Values must be finite.
	Excess []float64
}

// Judgement is the result of one look of a gate.
type Judgement struct {
	Means, Cells []Judged // in the order of the claims
	Failed       bool
	// More pairs may change the result: some mean is undecided, or some cell looks bad
	// without being shown to be.
	Open bool
}

// Judged is one claim after a look.
type Judged struct {
	P      float64 // greater p-value of both tests of an excess
	Holm   float64 // P adjusted for the number of claims
	Level  float64 // a claim fails if Holm is at most Level
	Failed bool    // shown to be beyond what is allowed
	Open   bool    // shown neither to be beyond what is allowed nor within
}

// share of Alarm for the means; the rest is for the cells.
const share = 0.5

// doubtful is the P at which the lower bound of a 95 % interval is just at what is
// allowed.
const doubtful = 0.025

// Look judges the claims at look k, of which 0 is the first. means are the main
// claims; cells guard against what a mean can hide. A claim with fewer than two
// pairs is open and does not fail.
func (g Gate) Look(k int, means, cells []Claim) Judgement {
	if !(g.Alarm > 0 && g.Alarm < 1) || k < 0 || k >= len(g.Looks) {
		panic(fmt.Sprintf("stats: look %d of %v with alarms %g", k, g.Looks, g.Alarm))
	}
	level := g.Alarm / float64(len(g.Looks))
	j := Judgement{Means: judge(means, share*level), Cells: judge(cells, (1-share)*level)}
	for i, m := range j.Means {
		j.Means[i].Open = !m.Failed && !(Mean(means[i].Excess, 0.95).High <= 0)
		j.Failed = j.Failed || m.Failed
		j.Open = j.Open || j.Means[i].Open
	}
	for i, c := range j.Cells {
		j.Cells[i].Open = !c.Failed && c.P <= doubtful
		j.Failed = j.Failed || c.Failed
		j.Open = j.Open || j.Cells[i].Open
	}
	j.Open = j.Open && !j.Failed
	return j
}

func judge(claims []Claim, level float64) []Judged {
	p := make([]float64, len(claims))
	for i, c := range claims {
		if slices.ContainsFunc(c.Excess, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
			panic("stats: an excess of " + c.Name + " is not finite")
		}
		if p[i] = StudentAbove(c.Excess); p[i] <= doubtful { // the rank test cannot lower P
			above, _ := SignedRank(c.Excess)
			p[i] = max(p[i], above)
		}
	}
	all := make([]Judged, len(claims))
	for i, h := range holm(p) {
		all[i] = Judged{P: p[i], Holm: h, Level: level, Failed: h <= level}
	}
	return all
}

// Needed returns the least number of pairs with which a claim can fail at any look:
// with fewer pairs, even signs that all agree may be due to chance.
func (g Gate) Needed(claims int) int {
	level := share * g.Alarm / float64(len(g.Looks)*max(claims, 1))
	return int(math.Ceil(-math.Log2(level)))
}
