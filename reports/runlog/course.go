package runlog

import (
	"slices"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Tally counts attempts for one destination by how they ended. Each attempt counts once.
type Tally struct {
	Delivered uint64
	Deferred  uint64 // left the recipient waiting, without a refusal
	Refused   uint64 // the receiver refused the sender, see mail.Reply.Refused
	Failed    uint64 // bounced or given up, without a refusal
	Ambiguous uint64 // left the recipient ambiguous
}

// tally returns the attempts of a destination.
func (d *Destination) tally() Tally {
	refused := func(s mail.Status) uint64 { return d.Refused[0][s] + d.Refused[1][s] }
	return Tally{Delivered: d.Count(mail.Done), Deferred: d.Count(mail.Pending) - refused(mail.Pending),
		Refused: d.Refusals(), Failed: d.Count(mail.Failed) - refused(mail.Failed), Ambiguous: d.Count(mail.Held)}
}

// Plus returns the attempts of both.
func (t Tally) Plus(o Tally) Tally {
	return Tally{t.Delivered + o.Delivered, t.Deferred + o.Deferred, t.Refused + o.Refused, t.Failed + o.Failed,
		t.Ambiguous + o.Ambiguous}
}

func (t Tally) minus(o Tally) Tally {
	return Tally{t.Delivered - o.Delivered, t.Deferred - o.Deferred, t.Refused - o.Refused, t.Failed - o.Failed,
		t.Ambiguous - o.Ambiguous}
}

// Attempts returns the number of attempts.
func (t Tally) Attempts() uint64 {
	return t.Delivered + t.Deferred + t.Refused + t.Failed + t.Ambiguous
}

// Course has the attempts for each destination over time, in steps of equal length. Steps
// double in length whenever there would be more than mostSteps of them, so a course has the same
// size however long the run is.
type Course struct {
	Step  vt.Span   // length of a step; 0 in a run without attempts
	Steps [][]Tally // by step and destination
}

const (
	mostSteps = 128
	firstStep = vt.Second
)

// course takes down the counts of all destinations at the end of each step. It costs an attempt
// one comparison.
type course struct {
	step  vt.Span
	until vt.Time // end of the current step
	sums  []Tally // up to the end of step k, of destination d at k * destinations + d
}

// pass closes all steps that ended at or before now.
func (c *course) pass(now vt.Time, by []Destination) {
	if c.step == 0 {
		c.step = firstStep
	}
	for now >= vt.Time(c.step*mostSteps) {
		c.double(len(by))
	}
	for c.until = vt.Time(c.closed(len(by))+1) * vt.Time(c.step); c.until <= now; c.until = c.until.Add(c.step) {
		for d := range by {
			c.sums = append(c.sums, by[d].tally())
		}
	}
}

func (c *course) closed(destinations int) int { return len(c.sums) / max(destinations, 1) }

// double makes one step of every two. A last step without a second one is open again.
func (c *course) double(destinations int) {
	n := c.closed(destinations) / 2
	for k := range n {
		copy(c.sums[k*destinations:(k+1)*destinations], c.sums[(2*k+1)*destinations:(2*k+2)*destinations])
	}
	c.sums = c.sums[:n*destinations]
	c.step *= 2
}

// at returns the sums at the end of each step of a length that is a power of two times c.step,
// with the totals as the end of the last one.
func (c course) at(step vt.Span, totals []Tally) []Tally {
	c.sums = slices.Clone(c.sums)
	for c.step < step {
		c.double(len(totals))
	}
	return append(c.sums, totals...)
}

// together returns the course of several recorders.
func together(all []*Recorder) (sum course) {
	for _, r := range all {
		sum.step = max(sum.step, r.course.step)
	}
	var each [][]Tally
	most := 0
	for _, r := range all {
		v := r.course
		v.step = max(v.step, firstStep)
		each = append(each, v.at(sum.step, tallies(r.by)))
		most = max(most, len(each[len(each)-1]))
	}
	sum.sums = make([]Tally, most)
	for i, sums := range each {
		for len(sums) < most {
			sums = append(sums, tallies(all[i].by)...)
		}
		for k := range sums {
			sum.sums[k] = sum.sums[k].Plus(sums[k])
		}
	}
	return sum
}

func tallies(by []Destination) []Tally {
	all := make([]Tally, len(by))
	for d := range by {
		all[d] = by[d].tally()
	}
	return all
}

// steps returns the attempts in each step, up to the last one with any.
func (c course) steps(by []Destination) Course {
	out := Course{Step: c.step}
	if c.step == 0 || len(by) == 0 {
		return out
	}
	before := make([]Tally, len(by))
	for sums := range slices.Chunk(c.at(c.step, tallies(by)), len(by)) {
		step := make([]Tally, len(by))
		for d := range step {
			step[d] = sums[d].minus(before[d])
		}
		out.Steps = append(out.Steps, step)
		before = sums
	}
	used := func(step []Tally) bool { return slices.ContainsFunc(step, func(t Tally) bool { return t != Tally{} }) }
	for n := len(out.Steps); n > 0 && !used(out.Steps[n-1]); n-- {
		out.Steps = out.Steps[:n-1]
	}
	return out
}

// State saves or restores the course.
func (c *course) State(s *snap.Codec) {
	s.Fields(&c.step)
	snap.Slice(s, &c.sums, func(s *snap.Codec, t *Tally) {
		s.Fields(&t.Delivered, &t.Deferred, &t.Refused, &t.Failed, &t.Ambiguous)
	})
	c.until = 0
}
