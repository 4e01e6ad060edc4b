package governor

import "flyball/internal/snap"

// law is what New puts together: a governor whose C may be cut and whose state
// can be saved.
type law interface {
	Keeper
	force(c float64)
}

// composed is C = min(tracker, ceiling, most): a tracker steers to the target
// as far as what the far side takes, which a seeker finds.
type composed struct {
	law            // the tracker; its C is the C in force
	ceiling law    // nil: none
	cfg     Config // max
}

func (g *composed) Decide(s Sample) Decision {
	d := g.law.Decide(s)
	wanted := d.Available
	if g.ceiling != nil {
		// The seeker's own limit is not cut where the tracker wants less: its rule stops it from growing while
		// less than half of it is in use. The tracker is, or it would wind up.
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
		d.narrate()
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
