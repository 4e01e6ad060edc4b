package governor

import "flyball/internal/snap"

// law is a Keeper whose C may be cut from outside; New composes governors of
// laws.
type law interface {
	Keeper
	force(c float64)
}

// composed sets C = min(law, ceiling, max): a tracker steers to the target, but
// not beyond what the receivers take, which a seeker finds.
type composed struct {
	law            // its C is the C in force
	ceiling law    // nil: none
	cfg     Config // max
}

func (g *composed) Decide(s Sample) Decision {
	d := g.law.Decide(s)
	wanted := d.Available
	if g.ceiling != nil {
		// The seeker is not cut where the tracker wants less: by its own rule it does not grow while less than
		// half of its limit is in use. The tracker is cut, or it would wind up.
		if limit := g.ceiling.Decide(s).Available; d.Available > limit {
			d.Available = limit
			d.Flags |= AtCeiling
		}
	}
	if g.cfg.Max > 0 && d.Available > g.cfg.Max {
		d.Available = g.cfg.Max
		d.Flags = d.Flags&^AtCeiling | AtMax
	}
	if d.Available != wanted {
		d.flagNarrative()
		g.force(d.Available)
	}
	return d
}

func (g *composed) State(c *snap.Codec) {
	g.law.State(c)
	if g.ceiling != nil {
		g.ceiling.State(c)
	}
}
