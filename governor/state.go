package governor

import "flyball/internal/snap"

// Keeper is a Governor whose state can be saved. Every law of this package is a
// Keeper.
type Keeper interface {
	Governor
	// State saves the governor's state, or restores it in a governor built from the same Config.
	State(*snap.Codec)
}

// State saves or restores a sample.
func (s *Sample) State(c *snap.Codec) {
	snap.Int(c, &s.Span)
	snap.Float(c, &s.TargetRate)
	for _, n := range []*uint64{&s.Delivered, &s.Attempts, &s.Retries, &s.Deferrals, &s.Bounces, &s.Refusals,
		&s.Timeouts} {
		snap.Int(c, n)
	}
	snap.Int(c, &s.AttemptTime)
	snap.Int(c, &s.LookupTime)
	for _, v := range []*float64{&s.Allocated, &s.Hops, &s.Load, &s.Demand} {
		snap.Float(c, v)
	}
}

func (g *base) State(c *snap.Codec) {
	snap.Float(c, &g.available)
	snap.Bool(c, &g.begun)
}
