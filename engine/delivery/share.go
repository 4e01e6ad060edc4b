package delivery

import (
	"math"

	"flyball/governor"
	"flyball/internal/snap"
)

// share is the governor of a machine whose C is a part of what the governing
// role has decided for all servers.
type share struct{ available, next int }

// NewShare returns the governor of a machine of a Config that says Together and
// whose C is decided by a Verdict; available is C until the first one.
func NewShare(available int) governor.Keeper { return &share{available: available, next: available} }

func (p *share) Available() float64 { return float64(p.available) }

// Decide takes what the Verdict has decided. There is no target for a part.
func (p *share) Decide(s governor.Sample) governor.Decision {
	d := s.Undecided(p.Available())
	d.Efficiency, d.Step = d.Rate/d.Allocated, math.NaN()
	p.available = p.next
	d.Available = p.Available()
	return d
}

func (p *share) State(c *snap.Codec) {
	snap.Int(c, &p.available)
	snap.Int(c, &p.next)
}
