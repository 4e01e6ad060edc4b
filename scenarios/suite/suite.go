// Package suite has the scenarios that governor laws are tried on, the laws with their parameters, and the experiments
// of both.
package suite

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"flyball/governor"
	"flyball/internal/conf"
	"flyball/scenarios"
)

// Disturbance is a scenario that governor laws are tried on: a server of Table 1
// at a hundredth of its rate, and something that happens to it.
type Disturbance struct {
	Name   string // as in flyball run NAME: "disturbances/outage-8"
	Family string // kind of disturbance: the base name up to its first dash
	Half   string // Training or Reporting
}

// Halves of the suite. Parameters are tuned on Training. Claims rest on
// Reporting, which no tuning has seen.
const (
	Training  = "training"
	Reporting = "reporting"
)

// All returns the whole suite, sorted by name.
//
// The halves were dealt before any law had been run on the suite: the scenarios
// of a family, sorted by the SHA-256 of their names, go to Reporting and
// Training in turn.
func All() []Disturbance {
	var all []Disturbance
	families := map[string][]string{}
	for _, name := range scenarios.SuiteNames() {
		family, _, _ := strings.Cut(name, "-")
		all = append(all, Disturbance{Name: scenarios.SuitePrefix + name, Family: family})
		families[family] = append(families[family], name)
	}
	for i, d := range all {
		dealt := slices.Clone(families[d.Family])
		slices.SortFunc(dealt, func(a, b string) int {
			x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
			return slices.Compare(x[:], y[:])
		})
		all[i].Half = []string{Reporting, Training}[slices.Index(dealt, d.Base())%2]
	}
	return all
}

// Base returns the name of the scenario as in its file, without the prefix.
func (d Disturbance) Base() string { return strings.TrimPrefix(d.Name, scenarios.SuitePrefix) }

// NoiseLevels returns the levels of noise of the suite. A level is the standard
// deviation of the logarithm of a factor that multiplies all delays of a
// destination in one interval.
func NoiseLevels() []float64 { return []float64{0, 0.05, 0.1} }

// Load returns the scenario of the disturbance at a level of noise, with the
// entries of set applied as by scenarios.Load. Noise is weather that is drawn
// anew in every governor interval. The error is of type tomlfile.Problems.
func (d Disturbance) Load(level float64, set ...string) (*scenarios.Scenario, error) {
	src, ok := scenarios.Builtin(d.Name)
	if !ok {
		panic("no disturbance " + d.Name)
	}
	s, err := scenarios.Load(d.Name, src, set)
	if err != nil || level == 0 {
		return s, err
	}
	return scenarios.Load(d.Name, src, append(noise(s, level), set...))
}

func noise(s *scenarios.Scenario, level float64) []string {
	var set []string
	for i := range s.Destinations {
		key := conf.Index("destination", i) + ".weather"
		set = append(set, fmt.Sprintf("%s.sigma=%g", key, level), fmt.Sprintf("%s.period=%s", key, s.Governor.Interval))
	}
	return set
}

// Hash returns the SHA-256 of the suite: of the name, half and full
// scenario of each disturbance at each level of noise.
func Hash() string {
	sum := sha256.New()
	for _, d := range All() {
		for _, level := range NoiseLevels() {
			s, err := d.Load(level)
			if err != nil {
				panic(err) // the file is part of the program
			}
			fmt.Fprintf(sum, "%s %s %g %s\n", d.Base(), d.Half, level, scenarios.ID(s))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Law is a governor law with the parameters that it has on the suite.
type Law struct {
	Name string
	Set  []string // path.to.key=value
}

// Tuned reports whether l is one of the laws among which hindsight chooses the
// best.
func (l Law) Tuned() bool {
	return slices.ContainsFunc(governor.Laws(), func(g governor.Law) bool {
		return slices.ContainsFunc(g.Trials, func(t governor.Trial) bool { return t.Hindsight && t.Name == l.Name })
	})
}

// Laws lists the trials that each law of package governor declares for the
// suite. Rivals have their published parameters, but with all times a hundred
// times as long, since attempts in the suite take a hundred times as long.
func Laws() (all []Law) {
	for _, l := range governor.Laws() {
		trials := l.Trials
		if trials == nil {
			trials = []governor.Trial{{Name: l.Name}}
		}
		for _, t := range trials {
			all = append(all, Law{t.Name, append([]string{"governor.law=" + l.Name}, t.Set...)})
		}
	}
	return all
}
