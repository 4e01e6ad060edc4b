package governor

import (
	"math"

	"flyball/internal/snap"
)

// scaling estimates, in logarithms, the efficiency E of a server at the present C
// and the slope of ln E over ln C. The yield is 1 plus the slope: the growth of
// ln rate per growth of ln C, 1 for a server without contention and 0 at the peak
// of its throughput. scaling is a Kalman filter: level and slope have variances
// and, once C has moved, a covariance. With a move it predicts the slope of a
// server halfway between Amdahl's law and Gunther's.
type scaling struct {
	level    float64 // ln E at the present C, without the daily cycle
	slope    float64 // d ln E / d ln C, greatestFall to 0
	level2   float64 // variance of level
	slope2   float64 // variance of slope
	both     float64 // covariance of level and slope
	before   float64 // slope before the last move
	foretold float64 // level predicted for the last move
}

const (
	firstSlope   = -0.1 // initial slope
	firstUnsure  = 0.3  // initial standard deviation of slope
	greatestFall = -3.0
	// d slope / d ln C is slope x (straight + slope): straight is 1 by Amdahl's law, 2 by Gunther's
	// law without queueing
	straight    = 1.6
	steep       = 0.4  // least value of straight + slope: where attempts time out the slope falls ever faster
	bent        = 0.3  // standard deviation of the predicted change of slope, per ln C
	fading      = 0.02 // standard deviation of the change of slope in one interval without a move
	significant = 0.07 // move of ln C that is more than noise
	blamed      = 0.2  // move of ln C that may be the cause of a surprise
	possible    = 0.2  // slope that is impossible for a server
)

func newScaling() scaling {
	return scaling{slope: firstSlope, slope2: firstUnsure * firstUnsure}
}

// restart sets the level, with its variance, from the last interval alone.
func (s *scaling) restart(level, variance float64) {
	s.level, s.level2, s.both = level, variance, 0
}

// bend returns d slope / d ln C, at most -0.05.
func (s *scaling) bend() float64 {
	return min(float64(s.slope*max(straight+s.slope, steep)), -0.05)
}

// moved predicts level and slope after ln C has grown by the amount by; drift is
// the variance of other changes of the level.
func (s *scaling) moved(by, drift float64) {
	s.before = s.slope
	s.level += float64(s.slope * by)
	s.foretold = s.level
	s.level2 += float64(2*by*s.both) + float64(by*by*s.slope2) + drift
	// small moves may follow a drift that they have not caused
	s.both += float64(by * s.slope2 * min(1, math.Abs(by)/significant))
	s.slope = min(max(s.slope+float64(s.bend()*by), greatestFall), 0)
	s.slope2 = min(s.slope2+float64(bent*bent*by*by)+float64(fading*fading), firstUnsure*firstUnsure)
	s.both = min(max(s.both, -math.Sqrt(float64(s.level2*s.slope2))), math.Sqrt(float64(s.level2*s.slope2)))
}

// answers reports whether the last move of ln C, by the amount by, may be the
// cause of the deviation off of ln E: it was large, and a possible slope
// explains the deviation.
func (s *scaling) answers(off, by float64) bool {
	return math.Abs(by) >= blamed && s.before+off/by < possible
}

// blame attributes the deviation off to the last move of ln C, by the amount by:
// it raises the variance of the slope.
func (s *scaling) blame(off, by float64) {
	more := min(off*off/(by*by), 0.25)
	s.slope2 += more
	s.level2 += float64(more * by * by)
	s.both += float64(more * by)
}

// setYield sets the yield to a value measured over a long move of C.
func (s *scaling) setYield(yield float64) {
	s.slope, s.slope2, s.both = min(max(yield-1, greatestFall), 0), firstUnsure*firstUnsure/4, 0
}

// learn corrects level and slope by off, the deviation of ln E, which has the
// given variance. The level follows with a gain of at least least.
func (s *scaling) learn(off, variance, least float64) {
	spread := s.level2 + variance
	gain := max(s.level2/spread, least)
	s.level += float64(gain * off)
	s.slope = min(max(s.slope+float64(s.both/spread*off), greatestFall), 0)
	s.slope2 -= float64(s.both * s.both / spread)
	s.both *= 1 - gain
	s.level2 = float64(gain * variance)
}

func (s *scaling) state(c *snap.Codec) {
	c.Fields(&s.level, &s.slope, &s.level2, &s.slope2, &s.both, &s.before, &s.foretold)
}
