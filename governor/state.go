package governor

import "flyball/internal/snap"

// Keeper is a Governor whose state can be saved. All laws of this package are.
type Keeper interface {
	Governor
	// State saves or restores a governor that was built from the same Config.
	State(*snap.Codec)
}

func (g *gauge) State(c *snap.Codec) {
	snap.Float(c, &g.available)
	snap.Bool(c, &g.begun)
}
