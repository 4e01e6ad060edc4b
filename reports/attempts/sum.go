package attempts

import (
	"slices"

	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// Kept is the course of one run of several until their sum is made.
type Kept struct {
	step  vt.Span
	width int // destinations
	cells []runlog.Tally
}

// mostCells bounds the memory of a Kept, a step and a destination each: a hundred destinations in 128 steps.
const mostCells = 12_800

// Keep returns the course of a run, with fewer steps if there are more than a hundred destinations.
func Keep(c runlog.Course) Kept {
	if len(c.Steps) == 0 {
		return Kept{}
	}
	k := Kept{c.Step, len(c.Steps[0]), slices.Concat(c.Steps...)}
	for len(k.cells) > max(mostCells, k.width) {
		k = k.in(2 * k.step)
	}
	return k
}

// in returns the course in longer steps: as many times longer as is a power of two.
func (k Kept) in(step vt.Span) Kept {
	for k.width > 0 && k.step < step {
		var half []runlog.Tally
		for pair := range slices.Chunk(k.cells, 2*k.width) {
			sum := slices.Clone(pair[:k.width])
			for d, t := range pair[k.width:] {
				sum[d] = sum[d].Plus(t)
			}
			half = append(half, sum...)
		}
		k = Kept{2 * k.step, k.width, half}
	}
	return k
}

// Sum returns the course of all runs together, in the longest of their steps.
func Sum(all []Kept) runlog.Course {
	var sum Kept
	for _, k := range all {
		sum.step, sum.width = max(sum.step, k.step), max(sum.width, k.width)
	}
	for _, k := range all {
		k = k.in(sum.step)
		for i, t := range k.cells {
			if i == len(sum.cells) {
				sum.cells = append(sum.cells, runlog.Tally{})
			}
			sum.cells[i] = sum.cells[i].Plus(t)
		}
	}
	c := runlog.Course{Step: sum.step}
	if sum.width > 0 {
		c.Steps = slices.Collect(slices.Chunk(sum.cells, sum.width))
	}
	return c
}
