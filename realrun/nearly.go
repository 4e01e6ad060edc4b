package realrun

import (
	"math"

	"flyball/governor"
	"flyball/internal/snap"
)

// nearly returns a governor for a live run, whose intervals end a little late: steps that make C 34 in the simulator
// then add up to 33.99996. It announces a C that is a hair below a whole number as that number, so that no process is
// lost. The law itself keeps its C.
func nearly(g governor.Governor) governor.Governor { return near{g} }

type near struct{ governor.Governor }

func (n near) Available() float64 { return whole(n.Governor.Available()) }

func (n near) Decide(s governor.Sample) governor.Decision {
	d := n.Governor.Decide(s)
	d.Available = whole(d.Available)
	return d
}

func (n near) State(c *snap.Codec) { n.Governor.(governor.Keeper).State(c) }

// whole returns c, or the whole number that it is a hair below: far less than a step of a law.
func whole(c float64) float64 {
	const hair = 1e-3
	if up := math.Ceil(c); up-c < hair {
		return up
	}
	return c
}
