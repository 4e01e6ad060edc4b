package delivery

import (
	"math"

	"flyball/governor"
	"flyball/internal/snap"
)

// share is the governor of a machine whose C is its part of the C that the
// governing role decides for all servers.
type share struct{ available, next int }

// NewShare returns the governor of a machine whose Config has Together and whose C
// comes with each Verdict; available is C until the first Verdict.
func NewShare(available int) governor.Keeper { return &share{available: available, next: available} }

func (p *share) Available() float64 { return float64(p.available) }

// Decide returns the C of the last Verdict. A part of C has no target.
func (p *share) Decide(s governor.Sample) governor.Decision {
	d := s.Undecided(p.Available())
	d.Efficiency, d.Step = d.Rate/d.Allocated, math.NaN()
	p.available = p.next
	d.Available = p.Available()
	return d
}

func (p *share) State(c *snap.Codec) {
	c.Fields(&p.available, &p.next)
}
