package governor

import (
	"math"

	"flyball/internal/snap"
)

// scaling is what is known of a server, in logarithms: how efficient it is at
// the present C, and by how much less with more processes. 1 plus the slope is
// the yield: how much of a growth of C becomes growth of the rate, 1 for a
// server without contention, 0 at the peak of its throughput. Either is known
// with an error, and the errors are bound to each other once C has moved: this
// is a Kalman filter. Between moves it expects the slope to fall as that of a
// server does which obeys the laws of Amdahl and of Gunther by halves.
type scaling struct {
	level    float64 // ln E at the present C, without the day's cycle
	slope    float64 // of that by ln C, greatestFall to 0
	level2   float64 // variance of the level
	slope2   float64 // and of the slope
	both     float64 // their covariance
	before   float64 // slope before the last move
	foretold float64 // level after it, by that slope
}

const (
	firstSlope   = -0.1 // before anything is seen
	firstUnsure  = 0.3  // and the standard deviation of that
	greatestFall = -3.0
	// with slope s it bends by s x (straight + s) per ln C: 1 by Amdahl's law, 2 by Gunther's where
	// nothing waits
	straight = 1.6
	steep    = 0.4  // and by no less than s x that: where attempts time out it falls ever faster
	bent     = 0.3  // standard deviation of how far a slope misses that, per ln C
	fading   = 0.02 // and by how much it changes in an interval, by itself
	tellable = 0.07 // move of ln C that is no noise
	blamed   = 0.2  // move of ln C that may be the cause of a surprise
	possible = 0.2  // slope that no server has
)

func newScaling() scaling {
	return scaling{slope: firstSlope, slope2: firstUnsure * firstUnsure}
}

// restart forgets all of the level but the last interval.
func (s *scaling) restart(level, variance float64) {
	s.level, s.level2, s.both = level, variance, 0
}

// bend is what the slope changes by per ln C.
func (s *scaling) bend() float64 {
	return min(float64(s.slope*max(straight+s.slope, steep)), -0.05)
}

// moved foretells the level and the slope when ln C has grown by that; drift is
// the variance of what else may have happened to the level.
func (s *scaling) moved(by, drift float64) {
	s.before = s.slope
	s.level += float64(s.slope * by)
	s.foretold = s.level
	s.level2 += float64(2*by*s.both) + float64(by*by*s.slope2) + drift
	// small moves may follow a drift, which they are no cause of
	s.both += float64(by * s.slope2 * min(1, math.Abs(by)/tellable))
	s.slope = min(max(s.slope+float64(s.bend()*by), greatestFall), 0)
	s.slope2 = min(s.slope2+float64(bent*bent*by*by)+float64(fading*fading), firstUnsure*firstUnsure)
	s.both = min(max(s.both, -math.Sqrt(float64(s.level2*s.slope2))), math.Sqrt(float64(s.level2*s.slope2)))
}

// answers reports whether the last move, by that, may be what ln E was off for:
// it was large, and a slope that can be explains it.
func (s *scaling) answers(off, by float64) bool {
	return math.Abs(by) >= blamed && s.before+off/by < possible
}

// blame makes the last move, by that, answer for a surprise.
func (s *scaling) blame(off, by float64) {
	more := min(off*off/(by*by), 0.25)
	s.slope2 += more
	s.level2 += float64(more * by * by)
	s.both += float64(more * by)
}

// tell sets the yield to what a long way has told.
func (s *scaling) tell(yield float64) {
	s.slope, s.slope2, s.both = min(max(yield-1, greatestFall), 0), firstUnsure*firstUnsure/4, 0
}

// learn takes in by how much ln E was off, which has that variance. The level
// follows with at least that gain.
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
	for _, v := range []*float64{&s.level, &s.slope, &s.level2, &s.slope2, &s.both, &s.before, &s.foretold} {
		snap.Float(c, v)
	}
}
