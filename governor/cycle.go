package governor

import (
	"math"
	"slices"

	"flyball/internal/snap"
	"flyball/internal/vt"
)

// cycle learns how the efficiency varies over the day. The day has one part for
// each interval, at most 24. The profile has, for each part, the median over the
// last days of the deviation from the day's mean and from the trend between
// days. It needs three whole days and is used only if it explains more than half
// of the deviations: it explains less of pure noise.
type cycle struct {
	parts   int     // 0: intervals are too long for a profile
	clock   vt.Span // time of day at the end of the last interval; the day begins with the first
	part    int     // part of the day of the last interval
	over    bool    // the day ended with the last interval
	sums    []float64
	counts  []int
	days    []float64 // mean ln E of each part of the last whole days, day after day
	profile []float64 // empty while unknown
}

const (
	daysNeeded = 3
	daysKept   = 7
)

func newCycle(interval vt.Span) cycle {
	parts := int(min(24, vt.Day/interval))
	if parts < 3 {
		parts = 0
	}
	return cycle{parts: parts, sums: make([]float64, parts), counts: make([]int, parts)}
}

// pass advances the clock by an interval of length span. It returns the part of
// the day of this interval and of the next, assumed to be as long. At the end of
// a day the profile may change: shift is its old minus its new value for the
// last interval.
func (y *cycle) pass(span vt.Span) (part, next int, shift float64) {
	if y.parts == 0 {
		return 0, 0, 0
	}
	if y.over {
		shift = y.at(y.part)
		y.close()
		shift -= y.at(y.part)
	}
	span %= vt.Day
	at := func(t vt.Span) int { return int(t % vt.Day * vt.Span(y.parts) / vt.Day) }
	part, next = at(y.clock+span/2), at(y.clock+span+span/2)
	y.clock += span
	y.over = y.clock >= vt.Day
	if y.over {
		y.clock -= vt.Day
	}
	y.part = part
	return part, next, shift
}

// at returns the profile's value for a part: ln(efficiency / efficiency of the
// day), 0 while the profile is unknown.
func (y *cycle) at(part int) float64 {
	if len(y.profile) == 0 {
		return 0
	}
	return y.profile[part]
}

// learn adds efficiency, the ln E of an interval in part.
func (y *cycle) learn(part int, efficiency float64) {
	if y.parts == 0 {
		return
	}
	y.sums[part] += efficiency
	y.counts[part]++
}

// close adds the day that ended, if it has every part, and starts a new one.
func (y *cycle) close() {
	if !slices.Contains(y.counts, 0) {
		for i, n := range y.counts {
			y.days = append(y.days, y.sums[i]/float64(n))
		}
		if len(y.days) > daysKept*y.parts {
			y.days = slices.Delete(y.days, 0, y.parts)
		}
		if len(y.days) >= daysNeeded*y.parts {
			y.profile = y.medians()
		}
	}
	clear(y.sums)
	clear(y.counts)
}

// medians returns the profile, nil if it explains too little.
func (y *cycle) medians() []float64 {
	n := len(y.days) / y.parts
	means := make([]float64, n)
	for i, v := range y.days {
		means[i/y.parts] += v / float64(y.parts)
	}
	// The trend between days does not belong to the daily cycle.
	growths := make([]float64, n-1)
	for d := range growths {
		growths[d] = (means[d+1] - means[d]) / float64(y.parts)
	}
	growth := cautious(growths)
	off := make([]float64, len(y.days))
	for i, v := range y.days {
		off[i] = v - means[i/y.parts] - float64(growth*(float64(i%y.parts)-float64(y.parts-1)/2))
	}

	profile, mean := make([]float64, y.parts), 0.0
	for i := range profile {
		same := make([]float64, n)
		for d := range same {
			same[d] = off[d*y.parts+i]
		}
		slices.Sort(same)
		profile[i] = (same[(n-1)/2] + same[n/2]) / 2
		mean += profile[i] / float64(y.parts)
	}
	var all, rest float64
	for i, v := range off {
		all += math.Abs(v)
		rest += math.Abs(v - profile[i%y.parts])
	}
	if rest > all/2 {
		return nil
	}
	for i := range profile {
		profile[i] -= mean
	}
	return profile
}

// cautious returns the median. Of two middle values it returns the one closer
// to 0, or 0 if their signs differ.
func cautious(all []float64) float64 {
	slices.Sort(all)
	low, high := all[(len(all)-1)/2], all[len(all)/2]
	switch {
	case low > 0:
		return low
	case high < 0:
		return high
	}
	return 0
}

func (y *cycle) state(c *snap.Codec) {
	c.Fields(&y.clock, &y.part, &y.over, &y.sums, &y.counts, &y.days, &y.profile)
}
