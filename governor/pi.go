package governor

import (
	"math"

	"flyball/internal/snap"
)

// PI is a proportional-integral controller in velocity form with conditional
// integration and set-point weight (Astrom and Hagglund, PID Controllers, 3.5;
// restated):
//
//	dC = C (proportional ((b - y) - (b - y before)) + integral (1 - y)),   y = M_s / T
//
// where T has changed, what was before counts by the T of now.
//
// It is the classical yardstick. Both gains are multiplied by C ("gain
// scheduling"), since a process more gives the M_s / C-th part of the rate: so
// they are pure numbers and the loop is the same at any size. The integral part
// is left out where it cannot act: at the floor, at the configured most and
// while fewer than nine in ten of the processes are in use. Without deliveries
// there is nothing to steer by and C is held.
type PI struct {
	Proportional float64 `toml:"proportional" doc:"part of C per change of the rate by the target" range:"0..10" source:"assumed: no error is left for it while the rate follows within the interval"`
	Integral     float64 `toml:"integral" doc:"part of C per interval and error of the size of the target" range:"0..10" default:"0.5" source:"derived: Skogestad 2003, SIMC: a process that is all delay, here of one interval"`
	Weight       float64 `toml:"weight" doc:"set-point weight b; it only counts where the target changes" range:"0..1" default:"1" source:"derived: Astrom and Hagglund: 0 to 1"`
}

var piLaw = Law{Name: "pi", Kind: Tracker, Key: "pi",
	Doc:   "is a proportional-integral controller of the rate",
	build: func(c Config) law { return &pi{gauge: newGauge(c)} },
}

type pi struct {
	gauge
	before float64 // b T - M_s of the interval before, by the T of then, if known
	told   float64 // that T
	known  bool
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
		change = float64(p.Proportional * (weighted - float64(g.before*(g.told/g.target))))
	}
	g.before, g.told, g.known = weighted, g.target, true
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
// in use: then more of them would have changed nothing.
func slack(d Decision) bool {
	return d.Allocated < float64(0.9*float64(Published(d.Previous)))
}

func (g *pi) State(c *snap.Codec) {
	g.gauge.State(c)
	snap.Float(c, &g.before)
	snap.Float(c, &g.told)
	snap.Bool(c, &g.known)
}
