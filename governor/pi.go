package governor

import (
	"math"

	"flyball/internal/snap"
)

// PI holds the parameters of a proportional-integral controller in velocity form
// with conditional integration and set-point weight (Astrom and Hagglund, PID
// Controllers, 3.5; restated):
//
//	dC = C (proportional ((b - y) - (b - y before)) + integral (1 - y)),   y = M_s / T
//
// When T has changed, the term (b - y before) is rescaled to the new T.
//
// PI is the classical yardstick. Both gains are multiplied by C (gain
// scheduling), since one more process adds about M_s / C to the rate. So the
// gains are dimensionless and the loop behaves the same at any size. The
// integral part is left out where it cannot act: at the floor, at the configured
// maximum, and while fewer than nine in ten of the processes are in use. Without
// deliveries C is held.
type PI struct {
	// change of C, as a share of C, per change of rate / target
	// Source: assumed: not needed while the rate follows within the interval
	Proportional float64 `toml:"proportional" range:"0..10"`
	// change of C, as a share of C, per interval and error of the size of the target
	// Source: derived: Skogestad 2003, SIMC: a process that is all delay, here of one interval
	Integral float64 `toml:"integral" range:"0..10" default:"0.5"`
	// set-point weight b; it only counts where the target changes
	// Source: derived: Astrom and Hagglund: 0 to 1
	Weight float64 `toml:"weight" range:"0..1" default:"1"`
}

var piLaw = Law{Name: "pi", Kind: Tracker, Key: "pi",
	Doc:   "is a proportional-integral controller of the rate",
	build: func(c Config) law { return &pi{base: newBase(c)} },
}

type pi struct {
	base
	before       float64 // b T - M_s of the interval before, by the T of then, if known
	beforeTarget float64 // that T
	known        bool
}

func (g *pi) Decide(s Sample) Decision {
	d := g.measure(s)
	y := d.Rate / g.target
	if d.Flags&(NoTime|Idle|NoDeliveries) != 0 || !(y <= math.MaxFloat64) {
		g.known = false
		return d
	}
	c, p := g.available, g.cfg.PI
	weighted := p.Weight - y
	var change float64
	if g.known {
		change = float64(p.Proportional * (weighted - float64(g.before*(g.beforeTarget/g.target))))
	}
	g.before, g.beforeTarget, g.known = weighted, g.target, true
	missing := 1 - y
	switch {
	case missing > 0 && slack(d):
		d.Flags |= Slack
	case missing > 0 && g.cfg.Max > 0 && c >= g.cfg.Max:
		d.Flags |= AtMax
	case missing < 0 && c <= 1: // the floor
	default:
		change += float64(p.Integral * missing)
	}
	g.settle(&d, c+float64(c*change))
	d.Step = math.Abs(d.Available - c)
	return d
}

// slack reports whether fewer than nine in ten of the published processes were
// in use, so that more of them would have changed nothing.
func slack(d Decision) bool {
	return d.Allocated < float64(0.9*float64(Published(d.Previous)))
}

func (g *pi) State(c *snap.Codec) {
	g.base.State(c)
	c.Fields(&g.before, &g.beforeTarget, &g.known)
}
