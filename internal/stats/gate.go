package stats

import (
	"fmt"
	"math"
	"slices"
)

// Gate decides whether one thing does worse than another, by pairs of runs,
// with as few of them as it takes. It looks at fixed numbers of pairs and stops
// at the first look that shows enough.
//
// Two things that are alike fail with a probability of at most Alarm, over all
// looks and claims together. That holds without any assumption on how values
// are spread: if both are alike their values can change places, so each excess
// is symmetric about a centre of at most 0, and a claim counts only if the
// exact signed-rank test rejects that as well as Student's. The levels of all
// looks and families add up to Alarm.
type Gate struct {
	Alarm float64
	Looks []int // pairs at each look, growing
}

// Claim is a number of which NEW shall not have more than is allowed.
type Claim struct {
	Name string
	// How far NEW is beyond what is allowed, pair by pair; what is negative is
	// within. Values must be finite.
	Excess []float64
}

// Judgement is what a gate makes of one look.
type Judgement struct {
	Means, Cells []Judged // in the order of the claims
	Failed       bool
	// More pairs may change the answer: some mean may be beyond or within, or
	// some cell looks bad without being shown to be.
	Open bool
}

// Judged is one claim after a look.
type Judged struct {
	P      float64 // of the excess if there were none; the greater one of both tests
	Holm   float64 // P raised for the claims beside it
	Level  float64 // that Holm must not exceed
	Failed bool    // shown to be beyond
	Open   bool    // shown neither to be beyond nor to be within
}

// share of the alarms that means may cause; the rest is left to the cells.
const share = 0.5

// doubtful is a P at which the lower bound of a 95 % interval lies beyond what
// is allowed.
const doubtful = 0.025

// Look judges what there is at look k, 0 being the first. Means are the claims
// that the answer is about; cells guard against what a mean can hide. A claim
// without two pairs is open and fails nothing.
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
		if p[i] = StudentAbove(c.Excess); p[i] <= doubtful { // ranks cannot make it smaller
			above, _ := SignedRank(c.Excess)
			p[i] = max(p[i], above)
		}
	}
	all := make([]Judged, len(claims))
	for i, h := range Holm(p) {
		all[i] = Judged{P: p[i], Holm: h, Level: level, Failed: h <= level}
	}
	return all
}

// Needed is the number of pairs without which nothing can fail at any look:
// with fewer even signs that all agree may be luck.
func (g Gate) Needed(claims int) int {
	level := share * g.Alarm / float64(len(g.Looks)*max(claims, 1))
	return int(math.Ceil(-math.Log2(level)))
}
