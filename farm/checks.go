package farm

import "math/rand/v2"

// stratum is the number of results of a worker of which one, chosen by chance, is made again elsewhere. The worker
// cannot know which. If a share of its results is false, none of those that are made again is with a probability of at
// most (1 - share) ^ checks: a worker that spreads its false results evenly over the strata reaches the bound, and by
// the inequality of arithmetic and geometric means any other is found more often.
const stratum = 22

// sampler chooses which results of one worker are made again: the first, then one of each stratum.
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
	at := s.seen % stratum
	if at == 0 {
		s.chosen = s.luck.IntN(stratum)
	}
	s.seen++
	return s.seen == 1 || at == s.chosen
}
