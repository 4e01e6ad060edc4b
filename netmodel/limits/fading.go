package limits

import (
	"math"

	"flyball/internal/portable"
	"flyball/internal/snap"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Fading is a sum that halves in every half-life. It fades in steps; FadingSteps
// steps make a half-life.
type Fading struct {
	Sum  float64
	tick int64 // step up to which the sum has faded
}

// FadingSteps is the number of steps of a half-life.
const FadingSteps = 64

// fade[n] is the part of a sum that is left after n steps. It is a multiple of
// 2^-32, so that all processors agree.
var fade = func() (left [FadingSteps]float64) {
	for i := range left {
		left[i] = math.Round(math.Exp2(-float64(i)/FadingSteps)*(1<<32)) / (1 << 32)
	}
	return left
}()

// At returns the sum at the time now, with steps of the length tick.
func (f *Fading) At(now vt.Time, tick vt.Span) float64 {
	n := int64(now) / int64(tick)
	if steps := n - f.tick; steps > 0 && f.Sum > 0 {
		f.Sum = math.Ldexp(f.Sum*fade[steps%FadingSteps], -int(min(steps/FadingSteps, 2000)))
	}
	f.tick = max(f.tick, n)
	return f.Sum
}

// State saves or restores the sum.
func (f *Fading) State(c *snap.Codec) { c.Fields(&f.Sum, &f.tick) }

// Ramp is a function that grows from 0 to 1 as a rate grows from soft to hard:
// linearly, or as a logistic curve that is 0.05 at soft and 0.95 at hard.
type Ramp struct {
	soft, hard float64
	logistic   bool
}

// NewRamp returns the ramp between two rates; of a hard rate of 0 it is Off.
func NewRamp(soft, hard unit.PerHour, logistic bool) Ramp {
	return Ramp{float64(soft), float64(hard), logistic}
}

// Off reports whether the ramp is not to be asked.
func (r Ramp) Off() bool { return r.hard == 0 }

// At returns the value of the ramp for a rate, in messages per hour.
func (r Ramp) At(rate float64) float64 {
	x := (rate - r.soft) / (r.hard - r.soft)
	if r.logistic {
		const steep = 5.888877957332881 // 2 ln 19
		return portable.Rounded(1 / (1 + math.Exp(-float64(steep*(x-0.5)))))
	}
	return min(max(x, 0), 1)
}
