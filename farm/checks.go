package farm

import (
	"math"
	"math/rand/v2"
)

// Stratum is the number of results of a worker of which one, chosen by chance, is made again elsewhere.
const Stratum = 22

// Missed returns the greatest probability that none of the given number of results that are made again is false, if a
// share of all results of that worker is: (1 - share) ^ checks. The worker cannot know which are made again. A worker
// that spreads its false results evenly over the strata reaches the bound; by the inequality of arithmetic and
// geometric means any other is found more often.
func Missed(checks int, share float64) float64 { return math.Pow(1-share, float64(checks)) }

// Checks returns the number of results of a worker that must be made again, so that one with a share of false results
// is missed with a probability of at most missed.
func Checks(share, missed float64) int { return int(math.Ceil(math.Log(missed) / math.Log(1-share))) }

// sampler chooses which results of one worker are made again: the first, then one of each Stratum.
type sampler struct {
	luck   *rand.Rand
	seen   int // results so far
	chosen int // place of the choice within the stratum
}

func newSampler(seed, worker uint64) *sampler {
	return &sampler{luck: rand.New(rand.NewPCG(seed, worker))}
}

// next reports whether the next result of the worker is to be made again.
func (s *sampler) next() bool {
	at := s.seen % Stratum
	if at == 0 {
		s.chosen = s.luck.IntN(Stratum)
	}
	s.seen++
	return s.seen == 1 || at == s.chosen
}
