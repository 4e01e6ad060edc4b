package suite

import (
	"math"
	"slices"

	"flyball/scenarios"
)

// Experiment is one law on one disturbance at one level of noise.
type Experiment struct {
	Disturbance Disturbance
	Noise       float64
	Law         Law
	Scenario    *scenarios.Scenario
	Probe       bool // holds the processes of the peak, to measure what the peak delivers
}

// Plan lists all experiments, ordered by disturbance, then by level of
// noise, then by law. Where a server has a throughput peak, one more experiment
// holds the processes of the peak. The entries of set apply to every experiment.
// The error is of type tomlfile.Problems.
func Plan(disturbances []Disturbance, noise []float64, laws []Law, set []string) ([]Experiment, error) {
	var all []Experiment
	for _, d := range disturbances {
		for _, level := range noise {
			for _, law := range laws {
				s, err := d.Load(level, slices.Concat(set, law.Set)...)
				if err != nil {
					return nil, err
				}
				all = append(all, Experiment{d, level, law, s, false})
			}
			s, err := d.Load(level, slices.Concat(set, []string{"governor.law=hold"})...)
			if err != nil {
				return nil, err
			}
			if n := s.Peak(0); n > 0 {
				if s, err = s.Changed(func(s *scenarios.Scenario) { s.Governor.Start = math.Round(n) }); err != nil {
					return nil, err
				}
				all = append(all, Experiment{d, level, Law{Name: "peak"}, s, true})
			}
		}
	}
	return all, nil
}
