package realrun

import (
	"bytes"
	"fmt"
	"math"

	"flyball/governor"
	"flyball/internal/snap"
)

// nearly returns a governor for a live run, whose intervals end a little late: steps that make C 34 in the simulator
// then add up to 33.99996. It announces a C that is a hair below a whole number as that number, so that no process is
// lost. The law itself keeps its C.
func (r *roles) nearly(g governor.Governor) governor.Governor { return near{g, r} }

type near struct {
	governor.Governor
	roles *roles
}

// Fail tells a trial that a guard has failed.
func (n near) Fail() {
	if t, ok := n.Governor.(interface{ Fail() }); ok {
		t.Fail()
	}
}

func (n near) Available() float64 { return whole(n.Governor.Available()) }

func (n near) Decide(s governor.Sample) governor.Decision {
	d := n.Governor.Decide(s)
	if d.Flags&(governor.CanaryOver|governor.GuardFailed) != 0 && n.roles.returns != nil {
		n.roles.returns(d.Flags)
	}
	d.Available = whole(d.Available)
	return d
}

// State saves or restores the law. A run whose law is another one begins with its first C.
func (n near) State(c *snap.Codec) {
	form, state := []byte(fmt.Sprintf("%T", n.Governor)), []byte(nil)
	if t, ok := n.Governor.(interface{ Form() string }); ok {
		form = []byte(t.Form())
	}
	law, was := n.Governor.(governor.Keeper), form
	if !c.Reading() {
		w := snap.Writer()
		law.State(w)
		state = w.Data()
	}
	c.Fields(&was, &state)
	if c.Reading() && bytes.Equal(was, form) {
		r := snap.Reader(state)
		law.State(r)
		c.Fail(r.Err())
	}
}

// whole returns c, or the whole number that it is a hair below: far less than a step of a law.
func whole(c float64) float64 {
	const hair = 1e-3
	if up := math.Ceil(c); up-c < hair {
		return up
	}
	return c
}
