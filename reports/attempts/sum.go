package attempts

import (
	"slices"

	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// mostCells bounds the memory of a course that is kept, a step and a destination each: a hundred destinations in 128
// steps.
const mostCells = 12_800

// Keep returns the course of one run of several until their sum is made: with fewer steps if there are more than a
// hundred destinations.
func Keep(c runlog.Course) runlog.Course {
	for len(c.Steps) > 1 && len(c.Steps)*len(c.Steps[0]) > mostCells {
		c = in(2*c.Step, c)
	}
	return c
}

// in returns a course in longer steps: as many times longer as is a power of two.
func in(step vt.Span, c runlog.Course) runlog.Course {
	for len(c.Steps) > 0 && c.Step < step {
		var half [][]runlog.Tally
		for pair := range slices.Chunk(c.Steps, 2) {
			sum := slices.Clone(pair[0])
			for _, second := range pair[1:] {
				add(sum, second)
			}
			half = append(half, sum)
		}
		c = runlog.Course{Step: 2 * c.Step, Steps: half}
	}
	return c
}

// add adds the attempts of a step, by destination, to sum.
func add(sum, step []runlog.Tally) {
	for d, t := range step {
		sum[d] = sum[d].Plus(t)
	}
}

// Sum returns the course of all runs together, in the longest of their steps.
func Sum(all []runlog.Course) (sum runlog.Course) {
	for _, c := range all {
		sum.Step = max(sum.Step, c.Step)
	}
	for _, c := range all {
		for k, step := range in(sum.Step, c).Steps {
			if k == len(sum.Steps) {
				sum.Steps = append(sum.Steps, make([]runlog.Tally, len(step)))
			}
			add(sum.Steps[k], step)
		}
	}
	return sum
}
